//! A small resource that tests of the framework have of their own, through the same layers and
//! repositories as anything else.

use api::http::{Created, Json, Module, Path, Problem, Query, Result, endpoints};
use models::{
    Id, page_view,
    store::{Entity, Key, Owned},
};
use serde::{Deserialize, Serialize};

use crate::Setup;

/// Something that a person has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thing {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub owner: Id,
    /// What it says.
    pub text: String,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

impl Thing {
    /// A new one among these.
    pub fn new(things: &Owned<Self>, text: impl Into<String>) -> Self {
        let (id, owner) = (things.ambient().new_id(), things.owner());
        Self { id, owner, text: text.into(), version: 1 }
    }
}

impl Entity for Thing {
    const KIND: &'static str = "THING";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Such a thing.
#[models::view]
pub struct ThingView {
    /// Its id.
    pub id: Id,
    /// Its text.
    pub text: String,
    /// Its version.
    pub version: u64,
}

impl From<Thing> for ThingView {
    fn from(Thing { id, text, version, .. }: Thing) -> Self {
        Self { id, text, version }
    }
}

page_view! {
    /// Some of them.
    pub struct ThingPage of ThingView, from Thing
}

/// A text, as the request for it says.
#[models::request]
struct MakeThing {
    /// How long it shall be.
    length: usize,
    /// What it begins with.
    #[serde(default)]
    #[validate(length(max = 1))]
    letter: String,
}

/// Which ones.
#[models::request(query)]
struct ListThings {
    /// At most so many.
    #[validate(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// Where to go on.
    #[validate(length(min = 1, max = 1000))]
    cursor: Option<String>,
}

/// Make one.
#[utoipa::path(post, path = "/things")]
async fn make_thing(
    things: Owned<Thing>,
    Json(request): Json<MakeThing>,
) -> Result<Created<ThingView>> {
    let mut thing = Thing::new(&things, format!("{:x<1$}", request.letter, request.length));
    things.keep(&mut thing).await?;
    Ok(Created::at(format!("/things/{}", thing.id), thing.into()))
}

/// Get one.
#[utoipa::path(get, path = "/things/{thingId}")]
async fn get_thing(things: Owned<Thing>, Path(id): Path<Id>) -> Result<Json<ThingView>> {
    let thing = things.get(id).await?;
    thing.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

/// List them.
#[utoipa::path(get, path = "/things")]
async fn list_things(
    things: Owned<Thing>,
    Query(request): Query<ListThings>,
) -> Result<Json<ThingPage>> {
    Ok(Json(things.page(request.limit, request.cursor.as_deref(), None).await?.into()))
}

/// Make all of one longer by a letter.
#[utoipa::path(post, path = "/things/{thingId}/lengthen")]
async fn lengthen_thing(things: Owned<Thing>, Path(id): Path<Id>) -> Result<Json<ThingView>> {
    let longer = things.change(id, &Default::default(), |thing| thing.text.push('x')).await?;
    longer.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

/// A world that has them, and these modules.
pub fn setup(more: impl IntoIterator<Item = Module>) -> Setup {
    let mut modules = api::route_table();
    modules.push(Module::new("things").signed_in(endpoints![
        make_thing,
        get_thing,
        list_things,
        lengthen_thing
    ]));
    modules.extend(more);
    Setup { modules, ..Setup::default() }
}
