//! Notes: short texts that a person keeps. The example of a team's own module.

use auth::Caller;
use models::{
    Id,
    entities::notes::{CreateNote, ListNotes, NotePage, NoteView, Notes, UpdateNote},
};

use crate::http::{
    Created, Json, Module, NoContent, Path, Problem, Query, Repo, Result, endpoints,
};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("notes").signed_in(endpoints![
        list_notes,
        create_note,
        get_note,
        update_note,
        delete_note
    ])
}

/// List the caller's notes, newest first.
#[utoipa::path(get, path = "/v1/notes")]
pub async fn list_notes(
    caller: Caller,
    Repo(notes): Repo<Notes>,
    Query(request): Query<ListNotes>,
) -> Result<Json<NotePage>> {
    Ok(Json(notes.list(caller.account, &request).await?.into()))
}

/// Create a note.
#[utoipa::path(post, path = "/v1/notes")]
pub async fn create_note(
    caller: Caller,
    Repo(notes): Repo<Notes>,
    Json(request): Json<CreateNote>,
) -> Result<Created<NoteView>> {
    let note = NoteView::from(notes.create(caller.account, request).await?);
    Ok(Created::at(format!("/v1/notes/{}", note.id), note))
}

/// Get one of the caller's notes.
#[utoipa::path(get, path = "/v1/notes/{noteId}")]
pub async fn get_note(
    caller: Caller,
    Repo(notes): Repo<Notes>,
    Path(note): Path<Id>,
) -> Result<Json<NoteView>> {
    let note = notes.get(caller.account, note).await?;
    note.map(|note| Json(note.into())).ok_or_else(|| Problem::not_found("note"))
}

/// Change one of the caller's notes.
#[utoipa::path(patch, path = "/v1/notes/{noteId}")]
pub async fn update_note(
    caller: Caller,
    Repo(notes): Repo<Notes>,
    Path(note): Path<Id>,
    Json(request): Json<UpdateNote>,
) -> Result<Json<NoteView>> {
    let note = notes.update(caller.account, note, request).await?;
    note.map(|note| Json(note.into())).ok_or_else(|| Problem::not_found("note"))
}

/// Delete one of the caller's notes.
#[utoipa::path(delete, path = "/v1/notes/{noteId}")]
pub async fn delete_note(
    caller: Caller,
    Repo(notes): Repo<Notes>,
    Path(note): Path<Id>,
) -> Result<NoContent> {
    let existed = notes.delete(caller.account, note).await?;
    if existed { Ok(NoContent) } else { Err(Problem::not_found("note")) }
}
