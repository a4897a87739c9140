//! What the simulated clients write, and the routes for it. Every write leaves a mark of its own.

use api::http::{Created, Json, Module, Path, Problem, Required, Result, endpoints};
use models::{
    Id,
    store::{Entity, Key, Owned, Precondition},
};
use serde::{Deserialize, Serialize};

pub(super) type Mark = u32;

/// Counts: marks are only ever added to it. Its version is how many it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) id: Id,
    pub(super) owner: Id,
    pub(super) marks: Vec<Mark>,
    pub(super) balance: i64,
    pub(super) version: u64,
}

impl Entity for Tally {
    const KIND: &'static str = "TALLY";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Is made, changed, deleted and made again. Whether phones keep it is the history's choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Paper<const KEPT: bool> {
    pub(super) id: Id,
    pub(super) owner: Id,
    pub(super) marks: Vec<Mark>,
    pub(super) version: u64,
}

impl<const KEPT: bool> Entity for Paper<KEPT> {
    const KIND: &'static str = if KEPT { "PAPER" } else { "SLIP" };
    const KEPT_BY_PHONES: bool = KEPT;

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Is made once, under an id that the server draws, and stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) id: Id,
    pub(super) owner: Id,
    pub(super) mark: Mark,
    pub(super) version: u64,
}

impl Entity for Receipt {
    const KIND: &'static str = "RECEIPT";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// A mark to leave.
#[models::request]
struct Leave {
    /// The mark.
    mark: u32,
}

/// Something, and the version that it has.
#[models::view]
struct Left {
    /// Its id.
    id: Id,
    /// Its version.
    version: u64,
}

/// Add a mark to a tally.
#[utoipa::path(post, path = "/tallies/{id}")]
async fn mark_tally(
    tallies: Owned<Tally>,
    Path(id): Path<Id>,
    Json(Leave { mark }): Json<Leave>,
) -> Result<Json<Left>> {
    let tally = tallies.change(id, &Precondition::None, |tally| tally.marks.push(mark)).await?;
    let tally = tally.ok_or_else(|| Problem::not_found("tally"))?;
    Ok(Json(Left { id, version: tally.version }))
}

/// Add a mark to the paper of this version.
#[utoipa::path(patch, path = "/papers/{id}")]
async fn mark_paper(
    papers: Owned<Paper<true>>,
    Path(id): Path<Id>,
    Required(precondition): Required<Precondition>,
    Json(Leave { mark }): Json<Leave>,
) -> Result<Json<Left>> {
    add_mark(&papers, id, &precondition, mark).await
}

/// Add a mark to the slip of this version.
#[utoipa::path(patch, path = "/slips/{id}")]
async fn mark_slip(
    slips: Owned<Paper<false>>,
    Path(id): Path<Id>,
    Required(precondition): Required<Precondition>,
    Json(Leave { mark }): Json<Leave>,
) -> Result<Json<Left>> {
    add_mark(&slips, id, &precondition, mark).await
}

async fn add_mark<const KEPT: bool>(
    papers: &Owned<Paper<KEPT>>,
    id: Id,
    precondition: &Precondition,
    mark: Mark,
) -> Result<Json<Left>> {
    let paper = papers.change(id, precondition, |paper| paper.marks.push(mark)).await?;
    let paper = paper.ok_or_else(|| Problem::not_found("paper"))?;
    Ok(Json(Left { id, version: paper.version }))
}

/// Make a receipt.
#[utoipa::path(post, path = "/receipts")]
async fn make_receipt(
    receipts: Owned<Receipt>,
    Json(Leave { mark }): Json<Leave>,
) -> Result<Created<Left>> {
    let (id, owner) = (receipts.ambient().new_id(), receipts.owner());
    receipts.keep(&mut Receipt { id, owner, mark, version: 1 }).await?;
    Ok(Created::at(format!("/receipts/{id}"), Left { id, version: 1 }))
}

pub(super) fn module() -> Module {
    Module::new("things").signed_in(endpoints![mark_tally, mark_paper, mark_slip, make_receipt])
}
