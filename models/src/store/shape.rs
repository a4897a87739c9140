use std::{collections::HashMap, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeOwned, Error as _, Visitor, value},
    forward_to_deserialize_any,
};

use super::{
    Entity,
    table::{DELETED_AT, SORT, TTL, VERSION},
};
use crate::Timestamp;

/// Some of an entity's fields: a struct of those alone, named and typed as in the entity. What its
/// fields are called is all that is fetched. DynamoDB reads, and charges, whole items all the same;
/// what is saved is the way.
///
/// ```ignore
/// /// A reminder in a list.
/// #[derive(Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Heading {
///     id: Id,
///     due_at: Timestamp,
/// }
///
/// impl Projection for Heading {
///     type Of = Reminder;
/// }
/// ```
///
/// # Panics
/// Reading one that is no struct of named fields, or flattens another.
pub trait Projection: DeserializeOwned + Send + Sync {
    /// The entity whose fields they are.
    type Of: Entity;
}

/// What is read out of the items of a kind.
pub(super) trait Shape {
    type Read: DeserializeOwned;
    const KIND: &'static str;

    /// The attributes to fetch; all of them where there is no list.
    fn attributes() -> Option<Attributes>;

    /// When it reads as missing, by what was read or by what the item says.
    fn end(read: &Self::Read, ttl: Option<Timestamp>) -> Option<Timestamp>;
}

/// A whole entity.
pub(super) struct Whole<E>(PhantomData<E>);

impl<E: Entity> Shape for Whole<E> {
    type Read = E;
    const KIND: &'static str = E::KIND;

    fn attributes() -> Option<Attributes> {
        None
    }

    fn end(read: &E, _: Option<Timestamp>) -> Option<Timestamp> {
        read.expires_at()
    }
}

/// Some of an entity's fields.
pub(super) struct Part<P>(PhantomData<P>);

impl<P: Projection> Shape for Part<P> {
    type Read = P;
    const KIND: &'static str = P::Of::KIND;

    fn attributes() -> Option<Attributes> {
        Some(Attributes::of::<P>())
    }

    fn end(_: &P, ttl: Option<Timestamp>) -> Option<Timestamp> {
        ttl
    }
}

/// A projection expression and what its placeholders stand for.
pub(super) struct Attributes {
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
}

impl Attributes {
    fn of<P: Projection>() -> Self {
        let mut fields = None;
        drop(P::deserialize(Fields(&mut fields)));
        let fields =
            fields.expect("a projection is a struct of named fields, none of them flattened");
        let mut all = fields.to_vec();
        // What tells whether there is still something to show, and where to go on.
        all.extend([SORT, TTL, VERSION, DELETED_AT]);
        all.sort_unstable();
        all.dedup();
        let names = all.iter().enumerate();
        let names: HashMap<_, _> =
            names.map(|(place, name)| (format!("#field{place}"), (*name).to_owned())).collect();
        let expression = names.keys().cloned().collect::<Vec<_>>().join(", ");
        Self { expression, names }
    }
}

/// Asked to deserialize a struct, it notes the names of the fields and gives nothing.
struct Fields<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = Some(fields);
        Err(value::Error::custom("only the names were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(value::Error::custom("no struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
