//! `#[view]`: what a client is shown.

use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::settings::{add, argument_of, wire_name};

pub(crate) fn expand(mut item: DeriveInput) -> Result<proc_macro2::TokenStream> {
    let Data::Struct(syn::DataStruct { fields: Fields::Named(fields), .. }) = &mut item.data else {
        return Err(Error::new(item.ident.span(), "#[view] is for structs with named fields"));
    };
    for field in &mut fields.named {
        if argument_of(&field.ty, "Option").is_some() {
            add(&mut field.attrs, "serde", &[("skip_serializing_if", quote!("Option::is_none"))]);
            add(&mut field.attrs, "schema", &[("nullable", quote!(false))]);
        }
        // Nothing is written so often; and larger numbers JavaScript rounds.
        if wire_name(field) == "version" {
            add(&mut field.attrs, "schema", &[("maximum", quote!(9007199254740991i64))]);
        }
    }
    // `NoteView` tells it from the `Note` that is kept; a client has no such need.
    if let Some(name) = item.ident.to_string().strip_suffix("View") {
        let name = format_ident!("{name}");
        add(&mut item.attrs, "schema", &[("as", quote!(#name))]);
    }
    let name = &item.ident;
    let versioned = fields.named.iter().any(|field| wire_name(field) == "version");
    let version = if versioned { quote!(Some(self.version)) } else { quote!(None) };
    let view = quote! {
        impl ::models::wire::View for #name {
            const VERSIONED: bool = #versioned;

            fn version(&self) -> Option<u64> {
                #version
            }
        }
    };
    Ok(quote! {
        #view

        #[derive(::serde::Serialize, ::utoipa::ToSchema)]
        #[serde(rename_all = "camelCase")]
        #item
    })
}
