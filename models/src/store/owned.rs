use std::{fmt, marker::PhantomData};

use super::{
    Entity, Error, Key, Listing, Lookup, Page, Precondition, Projection, Store, WriteSet,
    key::{is_owned, owner_partition},
};
use crate::{Ambient, Id};

/// How many items a page has where nothing is asked for.
const PAGE: usize = 20;

/// The things of one kind that one person owns. It holds whose they are, so no method can be
/// asked for somebody else's. Access patterns of an entity's own go into `impl Owned<Note>`.
pub struct Owned<E> {
    store: Store,
    owner: Id,
    entity: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Owned<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl<E: Entity> Owned<E> {
    /// What this person owns. A handler gets the caller's by naming `Owned<E>` in its signature.
    pub fn new(store: Store, owner: Id) -> Self {
        Self::new_in(store, owner)
    }

    /// Whose they are.
    pub fn owner(&self) -> Id {
        self.owner
    }

    /// Where times and ids come from.
    pub fn ambient(&self) -> &Ambient {
        self.store.ambient()
    }

    /// The one of this id.
    pub async fn get(&self, id: Id) -> Result<Option<E>, Error> {
        self.store.get(self.key(id)).await
    }

    /// Some fields of the one of this id. One that ends is missing up to a second before its end.
    pub async fn get_as<P: Projection<Of = E>>(&self, id: Id) -> Result<Option<P>, Error> {
        self.store.get_as(self.key(id)).await
    }

    /// Those of these ids, in the order of the ids: each once, and without what is missing.
    pub async fn get_all(&self, ids: &[Id]) -> Result<Vec<E>, Error> {
        self.store.get_all(ids.iter().map(|id| self.key(*id)).collect()).await
    }

    /// Those that say this [`Lookup::of_owner`]; see [`Store::look_up`].
    pub async fn look_up(&self, by: &str, value: &str) -> Result<Vec<E>, Error> {
        let lookup = Lookup::of_owner::<E>(self.owner, by, value);
        let mut found = self.store.look_up(&lookup).await?;
        found.retain(|entity| self.check_owner(entity).is_ok());
        Ok(found)
    }

    /// Keep a new one. [`Error::Conflict`] when there is one of its id.
    pub async fn keep(&self, entity: &mut E) -> Result<(), Error> {
        self.check_owner(entity)?;
        self.store.create(entity).await
    }

    /// Keep new ones under new ids: what already is under one of them is replaced, without a
    /// [`Error::Conflict`]. They are not kept together: after [`Error::Unavailable`] some are there,
    /// and keeping all of them again is harmless.
    ///
    /// Where a write happens together with others, these do too: conflicts are those of a
    /// [`WriteSet`] then, and so is the limit of 100 writes, which is 99 for a request that may come
    /// with an `Idempotency-Key`.
    pub async fn keep_all(&self, entities: &mut [E]) -> Result<(), Error> {
        entities.iter().try_for_each(|entity| self.check_owner(entity))?;
        self.store.create_all(entities).await
    }

    /// Read one, change it and write it back; anew when another write came between. So `change` may
    /// run more than once and takes nothing out of what it captures: let it clone the request.
    /// `None` when there is none of this id.
    pub async fn change(
        &self,
        id: Id,
        precondition: &Precondition,
        change: impl FnMut(&mut E),
    ) -> Result<Option<E>, Error> {
        self.store.update(self.key(id), precondition, change).await
    }

    /// Make one of this id, or replace the one that is there, which `make` is given; it may run more
    /// than once. Gives it as written, and whether it is new.
    pub async fn put(
        &self,
        id: Id,
        precondition: &Precondition,
        make: impl FnMut(Option<E>) -> E,
    ) -> Result<(E, bool), Error> {
        self.store.put(self.key(id), precondition, make).await
    }

    /// Write one back. [`Error::Conflict`] when it has changed, or gone, since it was read.
    pub async fn replace(&self, entity: &mut E) -> Result<(), Error> {
        self.check_owner(entity)?;
        self.store.replace(entity).await
    }

    /// Remove one. False when there is none of this id. What is made anew under its id goes on
    /// counting from its version, and for an hour [`keep`](Self::keep) is a [`Error::Conflict`]:
    /// [`put`](Self::put) makes it.
    pub async fn delete(&self, id: Id, precondition: &Precondition) -> Result<bool, Error> {
        self.store.delete::<E>(self.key(id), precondition).await
    }

    /// A page of them, newest first: 20 unless `limit` says otherwise, going on at `cursor`, and
    /// only those whose list attribute `containing.0` contains `containing.1`.
    pub async fn page(
        &self,
        limit: Option<u32>,
        cursor: Option<&str>,
        containing: Option<(&str, &str)>,
    ) -> Result<Page<E>, Error> {
        let limit = limit.map_or(PAGE, |limit| limit.max(1) as usize);
        self.store.list(&Listing { owner: self.owner, limit, cursor, containing }).await
    }

    /// Some fields of them; otherwise the same, the cursors too. What ends is missing up to a second
    /// before its end.
    pub async fn page_of<P: Projection<Of = E>>(
        &self,
        limit: Option<u32>,
        cursor: Option<&str>,
        containing: Option<(&str, &str)>,
    ) -> Result<Page<P>, Error> {
        let limit = limit.map_or(PAGE, |limit| limit.max(1) as usize);
        self.store.list_as(&Listing { owner: self.owner, limit, cursor, containing }).await
    }

    /// The same things, for one write that these happen together with; see
    /// [`Store::together_with`]. [`Error::ForeignOwner`] when one is to what somebody else owns.
    pub fn together_with(&self, writes: WriteSet) -> Result<Self, Error> {
        let ours = owner_partition(self.owner);
        if writes.partitions().any(|partition| is_owned(partition) && *partition != ours) {
            return Err(Error::ForeignOwner { kind: E::KIND });
        }
        Ok(Self::new_in(self.store.together_with(writes), self.owner))
    }

    pub(super) fn new_in(store: Store, owner: Id) -> Self {
        Self { store, owner, entity: PhantomData }
    }

    fn check_owner(&self, entity: &E) -> Result<(), Error> {
        let ours = entity.key().partition == owner_partition(self.owner);
        if ours { Ok(()) } else { Err(Error::ForeignOwner { kind: E::KIND }) }
    }

    fn key(&self, id: Id) -> Key {
        Key::owned::<E>(self.owner, id)
    }
}
