//! `#[request]`: what a client may send.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Field, Fields, Ident, Result, parse_quote,
};

use crate::rules::Rules;
use crate::settings::{add, argument_of, setting, wire_name};

/// Where the values of a request come from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Body,
    Query,
}

impl Parse for Place {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Ok(Self::Body);
        }
        let place: Ident = input.parse()?;
        if place != "query" {
            return Err(Error::new(place.span(), "either `#[request]` or `#[request(query)]`"));
        }
        Ok(Self::Query)
    }
}

pub(crate) fn expand(place: Place, mut item: DeriveInput) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(item.generics, "a request has no type parameters"));
    }
    match &mut item.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => {
            let checks = fields.named.iter_mut().map(|field| named(place, field));
            let checks = checks.collect::<Result<Vec<_>>>()?;
            Ok(object(place, item, &checks))
        }
        Data::Struct(DataStruct { fields: Fields::Unnamed(fields), .. })
            if fields.unnamed.len() == 1 && place == Place::Body =>
        {
            let checks = wrapped(&mut item.attrs, &mut fields.unnamed[0])?;
            Ok(newtype(item, checks))
        }
        Data::Enum(list) if place == Place::Body => {
            if let Some(variant) = list.variants.iter().find(|v| !v.fields.is_empty()) {
                return Err(Error::new_spanned(variant, "a closed list of names has no fields"));
            }
            Ok(closed_list(item))
        }
        _ => {
            let message = "#[request] is for a struct with named fields, a struct around one value \
                           and an enum without fields; #[request(query)] for the first only";
            Err(Error::new(item.ident.span(), message))
        }
    }
}

fn newtype(item: DeriveInput, checks: TokenStream) -> TokenStream {
    let validate = validate(&item.ident, &[checks]);
    let derive = quote!(#[derive(::serde::Deserialize, ::utoipa::ToSchema)]);
    quote!(#derive #[serde(transparent)] #item #validate)
}

fn closed_list(mut item: DeriveInput) -> TokenStream {
    let decode = strict(&mut item);
    quote!(#[derive(::serde::Deserialize, ::utoipa::ToSchema)] #item #decode)
}

fn object(place: Place, mut item: DeriveInput, checks: &[TokenStream]) -> TokenStream {
    let validate = validate(&item.ident, checks);
    let derive = match place {
        Place::Body => quote!(#[derive(::utoipa::ToSchema)]),
        Place::Query => {
            quote!(#[derive(::utoipa::IntoParams)] #[into_params(parameter_in = Query)])
        }
    };
    item.attrs.push(parse_quote!(#[serde(deny_unknown_fields)]));
    let decode = strict(&mut item);
    quote!(#[derive(::serde::Deserialize)] #derive #item #validate #decode)
}

/// Describes a field of a struct, and gives the statements that check it.
fn named(place: Place, field: &mut Field) -> Result<TokenStream> {
    let mut rules = Rules::take(field)?;
    if argument_of(&field.ty, "Option").is_some() {
        let present = quote!("::models::wire::present");
        add(&mut field.attrs, "serde", &[("default", quote!()), ("deserialize_with", present)]);
        rules.schema.push(("nullable", quote!(false)));
    }
    let list = match place {
        Place::Body => "schema",
        Place::Query => {
            // utoipa does not collect what a parameter refers to.
            rules.schema.push(("inline", quote!(true)));
            "param"
        }
    };
    describe(&mut field.attrs, list, &rules);
    let name = &field.ident;
    Ok(check(field, &quote!(self.#name), &rules))
}

/// utoipa reads a newtype's constraints from the type, not from its field.
fn wrapped(attrs: &mut Vec<Attribute>, field: &mut Field) -> Result<TokenStream> {
    // A field of its own has no place in the schema: what it says joins the type's description.
    attrs.extend(field.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned());
    let rules = Rules::take(field)?;
    describe(attrs, "schema", &rules);
    Ok(check(field, &quote!(self.0), &rules))
}

fn describe(attrs: &mut Vec<Attribute>, list: &str, rules: &Rules) {
    add(attrs, list, &rules.schema);
    attrs.extend(rules.notes.iter().map(|note| -> Attribute { parse_quote!(#[doc = #note]) }));
}

/// The statements that check one field.
fn check(field: &Field, place: &TokenStream, rules: &Rules) -> TokenStream {
    let (checks, name) = (&rules.checks, wire_name(field));
    let inner = argument_of(&field.ty, "Option");
    let mut run = quote!();
    if !checks.is_empty() {
        run.extend(quote!(::models::wire::collect(&mut errors, #name, [#(#checks),*]);));
    }
    if rules.nested {
        run.extend(quote!(::models::wire::nested(&mut errors, #name, value);));
    }
    let run = match inner {
        _ if run.is_empty() => run,
        Some(_) => quote!(if let ::core::option::Option::Some(value) = &#place { #run }),
        None => quote!({ let value = &#place; #run }),
    };
    let ty = inner.unwrap_or(&field.ty);
    let guard = (!rules.nested).then(
        || quote_spanned!(ty.span()=> let _ = <#ty as ::models::wire::HasNoRulesOrSaysNested<_>>::OK;),
    );
    quote!(#guard #run)
}

/// `Validate`, written out: validator's derive copies every refused value into the error, a password
/// too, and names fields as Rust does.
fn validate(ident: &Ident, checks: &[TokenStream]) -> TokenStream {
    quote! {
        impl ::validator::Validate for #ident {
            fn validate(&self) -> ::core::result::Result<(), ::validator::ValidationErrors> {
                #[allow(unused_mut, reason = "a request may have no rules")]
                let mut errors = ::validator::ValidationErrors::new();
                #(#checks)*
                if errors.is_empty() { Ok(()) } else { Err(errors) }
            }
        }
    }
}

/// `Deserialize` through `wire::Strict`. With `remote = "Self"` serde's derive writes plain functions
/// where it else would implement the traits, and those are called from here.
fn strict(item: &mut DeriveInput) -> TokenStream {
    let ident = &item.ident;
    let encode = derives(&item.attrs, "Serialize").map(|span| {
        quote_spanned! {span=>
            impl ::serde::Serialize for #ident {
                fn serialize<S: ::serde::Serializer>(
                    &self,
                    output: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    #ident::serialize(self, output)
                }
            }
        }
    });
    let decode = quote! {
        impl<'de> ::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                input: D,
            ) -> ::core::result::Result<Self, D::Error> {
                #ident::deserialize(::models::wire::Strict(input))
            }
        }
        #encode
    };
    item.attrs.push(parse_quote!(#[serde(remote = "Self", rename_all = "camelCase")]));
    decode
}

/// Where the author derives `name`, if they do.
fn derives(attrs: &[Attribute], name: &str) -> Option<Span> {
    setting(attrs, "derive", name).map(|token| token.span())
}
