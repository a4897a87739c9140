//! The attributes behind `models`' wire types: a rule is written once, on the field, and is enforced,
//! documented and tested from there.
//!
//! One rule: what is accepted and what the schema says come out of the same place. What a schema
//! cannot say must stand in the field's doc comment, which becomes its description.
//!
//! A new rule in two steps: a check in `models::wire`, and an arm in `Rules::add`.

mod request;
mod rules;
mod settings;
mod view;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes a type something that a client may send: decoded strictly, validated, and described.
///
/// * On a struct with named fields: `Deserialize`, `Validate` and `ToSchema`, camelCase names,
///   unknown fields refused. An `Option` may be absent and may not be `null`.
/// * On a struct around one value (`struct Tag(#[validate(..)] String);`): the same value on the
///   wire, with its rules wherever the type is used.
/// * On an enum without fields: a closed list of names.
/// * `#[request(query)]` on a struct with named fields: the same for a query string, with
///   `IntoParams` instead of `ToSchema`.
///
/// It stands above all other attributes of the type. It does not derive `Debug`, so that a password
/// is not printed by accident.
///
/// The rules, in `#[validate(..)]`, with literal numbers only:
///
/// | rule | of | holds for |
/// |---|---|---|
/// | `length(min, max, equal)` | `String`, `Vec` | code points, items |
/// | `bytes(min, max)` | `String` | bytes of UTF-8 |
/// | `range(min, max, exclusive_min, exclusive_max)` | numbers | |
/// | `email` | `String` | an address by `wire::email` |
/// | `nested` | a `#[request]` type, or a `Vec` of it | the rules of that type |
/// | `must_match(other = field)` | anything comparable | both fields are equal |
/// | `custom(function = path)` | anything | `fn(&T) -> Result<(), ValidationError>` |
///
/// All of them apply inside an `Option`. Every `String` also refuses U+0000.
#[proc_macro_attribute]
pub fn request(args: TokenStream, item: TokenStream) -> TokenStream {
    let place = parse_macro_input!(args as request::Place);
    let item = parse_macro_input!(item as DeriveInput);
    request::expand(place, item).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a struct something that a client is shown: `Serialize` and `ToSchema`, camelCase names, and
/// an `Option` that is left out when there is nothing to say (optional means absent, never `null`).
/// One with a field `version` is a resource whose answers carry an entity tag; its schema says that
/// the version is no more than 2^53 - 1, which every client keeps.
///
/// It stands above all other attributes of the type.
#[proc_macro_attribute]
pub fn view(args: TokenStream, item: TokenStream) -> TokenStream {
    parse_macro_input!(args as syn::parse::Nothing);
    let item = parse_macro_input!(item as DeriveInput);
    view::expand(item).unwrap_or_else(Error::into_compile_error).into()
}
