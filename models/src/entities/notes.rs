//! Notes: short texts that a person keeps. The example of a team's own entity.

use serde::{Deserialize, Serialize};

use crate::{
    Id, Timestamp, page_view, request,
    store::{Entity, Error, Key, Owned, Page, Precondition},
    view,
    wire::set,
};

/// All of a note that a person can say.
#[request]
#[derive(Clone)]
pub struct CreateNote {
    /// What the note is called in lists.
    #[validate(length(min = 1, max = 200))]
    #[schema(examples("Shopping"))]
    pub title: String,
    /// The text itself.
    #[serde(default)]
    #[validate(length(max = 10_000))]
    #[schema(examples("Bread, tea, oranges"))]
    pub body: String,
    /// Words to find the note by.
    #[serde(default)]
    #[validate(length(max = 10), nested)]
    #[schema(inline)]
    pub tags: Vec<Tag>,
    /// The colour of the note's card; `yellow` when absent.
    #[serde(default)]
    pub colour: Colour,
    /// Whether the note stays on top of the app's list.
    #[serde(default)]
    pub pinned: bool,
}

/// What to change. Absent means unchanged; an empty text or list clears.
#[request]
#[derive(Clone)]
pub struct UpdateNote {
    /// What the note is called in lists.
    #[validate(length(min = 1, max = 200))]
    #[schema(examples("Shopping"))]
    pub title: Option<String>,
    /// The text itself.
    #[validate(length(max = 10_000))]
    #[schema(examples("Bread, tea, oranges"))]
    pub body: Option<String>,
    /// Words to find the note by; the whole list is replaced.
    #[validate(length(max = 10), nested)]
    #[schema(inline)]
    pub tags: Option<Vec<Tag>>,
    /// The colour of the note's card.
    pub colour: Option<Colour>,
    /// Whether the note stays on top of the app's list.
    pub pinned: Option<bool>,
}

/// Which notes to list.
#[request(query)]
pub struct ListNotes {
    /// At most so many notes on a page; 20 when absent.
    #[validate(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before, with the same `tag`.
    #[validate(length(min = 1, max = 1000))]
    pub cursor: Option<String>,
    /// Only notes that carry this tag.
    #[validate(nested)]
    pub tag: Option<Tag>,
}

/// A word to find notes by.
#[request]
#[schema(examples("home"))]
#[derive(Clone, Serialize)]
pub struct Tag(#[validate(length(min = 1, max = 30))] String);

/// The colours that a note's card can have.
#[request]
#[derive(Clone, Copy, Default, Serialize)]
pub enum Colour {
    /// The colour of a note that names none.
    #[default]
    Yellow,
    /// Blue.
    Blue,
    /// Green.
    Green,
    /// Pink.
    Pink,
}

/// A note as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    id: Id,
    owner: Id,
    title: String,
    body: String,
    tags: Vec<Tag>,
    colour: Colour,
    pinned: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

impl Entity for Note {
    const KIND: &'static str = "NOTE";
    const KEPT_BY_PHONES: bool = true;

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// A note as it is shown.
#[view]
pub struct NoteView {
    /// The note's id; ids sort by the time of creation.
    pub id: Id,
    /// What the note is called in lists.
    #[schema(examples("Shopping"))]
    pub title: String,
    /// The text itself.
    #[schema(examples("Bread, tea, oranges"))]
    pub body: String,
    /// Words to find the note by.
    #[schema(value_type = Vec<String>, examples("home"))]
    pub tags: Vec<Tag>,
    /// The colour of the note's card. Newer servers may name colours that an app does not know.
    #[schema(value_type = String, examples("yellow"))]
    pub colour: Colour,
    /// Whether the note stays on top of the app's list.
    pub pinned: bool,
    /// When the note was made.
    pub created_at: Timestamp,
    /// When the note was last changed.
    pub updated_at: Timestamp,
    /// Counts the note's changes, from 1.
    #[schema(examples(3))]
    pub version: u64,
}

page_view! {
    /// Some notes, newest first.
    pub struct NotePage of NoteView, from Note
}

impl Note {
    fn new(id: Id, owner: Id, request: CreateNote, now: Timestamp) -> Self {
        let CreateNote { title, body, tags, colour, pinned } = request;
        let (created_at, updated_at) = (now, now);
        Self { id, owner, title, body, tags, colour, pinned, created_at, updated_at, version: 1 }
    }

    fn apply(&mut self, request: UpdateNote, now: Timestamp) {
        let UpdateNote { title, body, tags, colour, pinned } = request;
        set(&mut self.title, title);
        set(&mut self.body, body);
        set(&mut self.tags, tags);
        set(&mut self.colour, colour);
        set(&mut self.pinned, pinned);
        self.updated_at = now;
    }
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        let Note { id, title, body, tags, colour, pinned, created_at, updated_at, version, .. } =
            note;
        Self { id, title, body, tags, colour, pinned, created_at, updated_at, version }
    }
}

impl Owned<Note> {
    /// Keep a new note.
    pub async fn create(&self, request: CreateNote) -> Result<Note, Error> {
        let (id, now) = (self.ambient().new_id(), self.ambient().now());
        let mut note = Note::new(id, self.owner(), request, now);
        self.keep(&mut note).await?;
        Ok(note)
    }

    /// Keep a note under an id of the phone's making: a new one, or all of one that is there. True
    /// when it is new.
    pub async fn create_or_replace(
        &self,
        id: Id,
        precondition: &Precondition,
        request: CreateNote,
    ) -> Result<(Note, bool), Error> {
        let now = self.ambient().now();
        self.put(id, precondition, |known| {
            let note = Note::new(id, self.owner(), request.clone(), now);
            Note { created_at: known.map_or(now, |known| known.created_at), ..note }
        })
        .await
    }

    /// A page of the notes that the request asks for, newest first.
    pub async fn list(&self, request: &ListNotes) -> Result<Page<Note>, Error> {
        let tag = request.tag.as_ref().map(|tag| ("tags", tag.0.as_str()));
        self.page(request.limit, request.cursor.as_deref(), tag).await
    }

    /// Change what the request names. `None` when there is no such note.
    pub async fn update(
        &self,
        id: Id,
        precondition: &Precondition,
        request: UpdateNote,
    ) -> Result<Option<Note>, Error> {
        let now = self.ambient().now();
        self.change(id, precondition, |note| note.apply(request.clone(), now)).await
    }
}
