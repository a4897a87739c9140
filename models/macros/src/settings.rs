//! Reading and writing what `#[serde(..)]`, `#[schema(..)]` and `#[param(..)]` say.

use proc_macro2::{TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Field, GenericArgument, LitStr, PathArguments, Type, parse_quote};

/// A type as the rules see it, whether or not it stands in an `Option`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Text,
    List,
    Other,
}

impl Shape {
    pub(crate) fn of(ty: &Type) -> Self {
        let ty = argument_of(ty, "Option").unwrap_or(ty);
        match last_segment(ty) {
            Some(segment) if segment.ident == "String" => Self::Text,
            Some(segment) if segment.ident == "Vec" => Self::List,
            _ => Self::Other,
        }
    }
}

/// The `T` of `Wrapper<T>`, if `ty` is one.
pub(crate) fn argument_of<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The last token of `key = value` in `#[list(.., key = value, ..)]`, or the bare `key`.
pub(crate) fn setting(attrs: &[Attribute], list: &str, key: &str) -> Option<TokenTree> {
    attrs.iter().filter(|attr| attr.path().is_ident(list)).find_map(|attr| {
        let tokens = &attr.meta.require_list().ok()?.tokens;
        let mut tokens = tokens
            .clone()
            .into_iter()
            .skip_while(|t| !matches!(t, TokenTree::Ident(i) if i == key));
        let name = tokens.next()?;
        match tokens.next() {
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => tokens.next(),
            _ => Some(name),
        }
    })
}

/// Adds `#[list(key = value, ..)]`, leaving out what the author has already said.
pub(crate) fn add(attrs: &mut Vec<Attribute>, list: &str, settings: &[(&str, TokenStream)]) {
    let new = settings.iter().filter(|(key, _)| setting(attrs, list, key).is_none());
    let new: Vec<_> = new
        .map(|(key, value)| {
            let key = format_ident!("{key}");
            if value.is_empty() { quote!(#key) } else { quote!(#key = #value) }
        })
        .collect();
    if !new.is_empty() {
        let list = format_ident!("{list}");
        attrs.push(parse_quote!(#[#list(#(#new),*)]));
    }
}

/// The name of a field on the wire, as serde derives it.
pub(crate) fn wire_name(field: &Field) -> String {
    if let Some(TokenTree::Literal(name)) = setting(&field.attrs, "serde", "rename")
        && let Ok(name) = syn::parse2::<LitStr>(TokenTree::from(name).into())
    {
        return name.value();
    }
    // A newtype's only field has no name: it adds nothing to a pointer.
    field.ident.as_ref().map(|ident| camel_case(&ident.unraw().to_string())).unwrap_or_default()
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        name.push_str(&word[..1].to_uppercase());
        name.push_str(&word[1..]);
        name
    })
}
