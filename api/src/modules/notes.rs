//! Notes: short texts that a person keeps. The example of a team's own module.

use models::{
    Id,
    entities::notes::{CreateNote, ListNotes, Note, NotePage, NoteView, UpdateNote},
    store::{Owned, Precondition},
};

use crate::http::{Created, Json, Module, NoContent, Path, Problem, Put, Query, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("notes").about("Short texts that a person keeps.").signed_in(endpoints![
        list_notes,
        create_note,
        get_note,
        put_note,
        update_note,
        delete_note
    ])
}

/// List the caller's notes, newest first.
#[utoipa::path(get, path = "/v1/notes")]
pub async fn list_notes(
    notes: Owned<Note>,
    Query(request): Query<ListNotes>,
) -> Result<Json<NotePage>> {
    Ok(Json(notes.list(&request).await?.into()))
}

/// Create a note.
#[utoipa::path(post, path = "/v1/notes")]
pub async fn create_note(
    notes: Owned<Note>,
    Json(request): Json<CreateNote>,
) -> Result<Created<NoteView>> {
    let note = NoteView::from(notes.create(request).await?);
    Ok(Created::at(format!("/v1/notes/{}", note.id), note))
}

/// Get one of the caller's notes.
#[utoipa::path(get, path = "/v1/notes/{noteId}")]
pub async fn get_note(notes: Owned<Note>, Path(id): Path<Id>) -> Result<Json<NoteView>> {
    let note = notes.get(id).await?;
    note.map(|note| Json(note.into())).ok_or_else(|| Problem::not_found("note"))
}

/// Keep a note under an id that the phone has made, or replace all of it.
///
/// A phone without a network makes the id itself (a UUID of version 7) and sends the note later, as
/// often as it takes.
#[utoipa::path(put, path = "/v1/notes/{noteId}")]
pub async fn put_note(
    notes: Owned<Note>,
    Path(id): Path<Id>,
    precondition: Precondition,
    Json(request): Json<CreateNote>,
) -> Result<Put<NoteView>> {
    let (note, new) = notes.create_or_replace(id, &precondition, request).await?;
    let note = NoteView::from(note);
    Ok(if new {
        Put::Created(Created::at(format!("/v1/notes/{id}"), note))
    } else {
        Put::Replaced(note)
    })
}

/// Change one of the caller's notes.
#[utoipa::path(patch, path = "/v1/notes/{noteId}")]
pub async fn update_note(
    notes: Owned<Note>,
    Path(id): Path<Id>,
    precondition: Precondition,
    Json(request): Json<UpdateNote>,
) -> Result<Json<NoteView>> {
    let note = notes.update(id, &precondition, request).await?;
    note.map(|note| Json(note.into())).ok_or_else(|| Problem::not_found("note"))
}

/// Delete one of the caller's notes.
#[utoipa::path(delete, path = "/v1/notes/{noteId}")]
pub async fn delete_note(
    notes: Owned<Note>,
    Path(id): Path<Id>,
    precondition: Precondition,
) -> Result<NoContent> {
    let existed = notes.delete(id, &precondition).await?;
    if existed { Ok(NoContent) } else { Err(Problem::not_found("note")) }
}
