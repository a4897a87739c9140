//! One DynamoDB table through the real SDK. The only folder that names it.
//!
//! - [`Key`] is built in one place; whatever a person owns lives in the partition of that person.
//! - [`Owned`] is what one person owns of one kind: all that most modules need.
//! - An [`Entity`] says its key and version; [`Store`] writes the expressions.
//! - A missing item is `None`; a lost race is [`Error::Conflict`].
//! - What only counts is no entity: [`Store::count`].
//! - What is not known by its key is found by a [`Lookup`], a little late.

mod ascending;
mod batch;
mod change;
mod client;
mod counter;
mod entity;
mod error;
mod item;
mod key;
mod look_up;
mod owned;
mod page;
mod precondition;
mod read;
mod shape;
mod table;
mod tries;
mod unanswered;
mod walk;
mod write;
mod write_set;

pub use change::{Change, Images};
pub use client::Connection;
pub use entity::Entity;
pub use error::Error;
pub(crate) use key::hash;
pub use key::{Key, Lookup};
pub use owned::Owned;
use page::Listing;
pub use page::Page;
pub use precondition::Precondition;
pub use shape::Projection;
pub use tries::Tries;
pub(crate) use walk::Passed;
pub use walk::Place;
pub use write::Collected;
pub use write_set::WriteSet;

/// Declare the view of a [`Page`]: a named struct, because a generic page would reach the clients
/// under an invented name. `page_view! { /// Docs. pub struct NotePage of NoteView, from Note }`
#[macro_export]
macro_rules! page_view {
    ($(#[$meta:meta])* pub struct $page:ident of $view:ty, from $entity:ty) => {
        $(#[$meta])*
        #[$crate::view]
        pub struct $page {
            /// This page's items; may be empty although there is a next page.
            pub items: Vec<$view>,
            /// Where the next page begins; absent on the last page.
            #[schema(examples("AQyZ3dUeXo1Qf0ZGV4YW1wbGU"))]
            pub next_cursor: Option<String>,
        }

        impl From<$crate::store::Page<$entity>> for $page {
            fn from(page: $crate::store::Page<$entity>) -> Self {
                let items = page.items.into_iter().map(Into::into).collect();
                Self { items, next_cursor: page.next_cursor }
            }
        }
    };
}

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{Ambient, Timestamp};

/// The table, and the time and randomness that what is written in it needs. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>, View);

/// How one request sees the table.
#[derive(Clone, Default)]
struct View {
    /// When it must be done.
    end: Option<Instant>,
    /// Where a write is put in place of the table.
    collected: Option<Collected>,
    /// Whether what such a write is given is looked up before.
    checked: bool,
    /// What happens together with a write.
    along: WriteSet,
}

struct Inner {
    client: aws_sdk_dynamodb::Client,
    table: String,
    ambient: Ambient,
}

impl Store {
    /// Set the client up. Nothing is sent before the first operation.
    pub fn connect(connection: Connection, ambient: Ambient) -> Self {
        let table = connection.table.clone();
        Self::of(connection.into_client(), table, ambient)
    }

    fn of(client: aws_sdk_dynamodb::Client, table: String, ambient: Ambient) -> Self {
        Self(Arc::new(Inner { client, table, ambient }), View::default())
    }

    /// The same table, for a request that must be done by then: no call of it is begun, made
    /// again or waited for beyond that.
    #[must_use]
    pub fn until(&self, end: Timestamp) -> Self {
        let end = Instant::now().checked_add(end.since(self.ambient().now()));
        Self(self.0.clone(), View { end, ..self.1.clone() })
    }

    /// The same table, for what happens at once and by itself, whatever becomes of the writes that
    /// this store collects.
    #[doc(hidden)]
    #[must_use]
    pub fn apart(&self) -> Self {
        Self(self.0.clone(), View { end: self.1.end, ..View::default() })
    }

    /// For how long it may be asked; `None` when nobody has [said](Self::until) an end.
    pub fn time_left(&self) -> Option<Duration> {
        self.1.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// Where repositories take time and new ids from.
    pub fn ambient(&self) -> &Ambient {
        &self.0.ambient
    }
}
