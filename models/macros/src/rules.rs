//! One field's `#[validate(..)]`: the checks to run, and what the schema says of them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Field, Lit, LitInt, Meta, MetaNameValue, Result, Token, UnOp,
};

use crate::settings::{Shape, argument_of, wire_name};

const KNOWN: &str = "length, bytes, range, email, nested, must_match, custom";

/// What a text may be made of. Everything but U+0000, which many stores and languages cut a text at.
const NO_NUL: &str = r"^[^\u0000]*$";

/// What the rules of one field come to.
#[derive(Default)]
pub(crate) struct Rules {
    /// Calls that return a `wire::Verdict` about a binding `value`.
    pub(crate) checks: Vec<TokenStream>,
    /// Constraints of the schema.
    pub(crate) schema: Vec<(&'static str, TokenStream)>,
    /// Sentences for the description.
    pub(crate) notes: Vec<String>,
    /// Whether the value has rules of its own.
    pub(crate) nested: bool,
}

impl Rules {
    /// Takes the rules off a field, and adds those of the house.
    pub(crate) fn take(field: &mut Field) -> Result<Self> {
        let shape = Shape::of(&field.ty);
        let inner = argument_of(&field.ty, "Option").unwrap_or(&field.ty);
        if argument_of(inner, "Vec").is_some_and(|item| Shape::of(item) == Shape::Text) {
            let message = "the texts of a list need rules of their own: make it a Vec of a \
                           `#[request] struct Name(#[validate(length(..))] String);`";
            return Err(Error::new_spanned(&field.ty, message));
        }
        let attrs = std::mem::take(&mut field.attrs);
        let (ours, others) = attrs.into_iter().partition(|attr| attr.path().is_ident("validate"));
        field.attrs = others;

        let mut rules = Self::default();
        let (mut strict, mut bounded) = (false, false);
        for rule in parse(&ours)? {
            strict |= rule.path().is_ident("email");
            // What these bound is their author's to see to.
            bounded |= ["must_match", "custom"].iter().any(|name| rule.path().is_ident(name));
            let before = rules.schema.len();
            rules.add(&rule, shape, field)?;
            let (old, new) = rules.schema.split_at(before);
            if let Some((key, _)) = new.iter().find(|(key, _)| old.iter().any(|it| it.0 == *key)) {
                let message = format!("an earlier rule of this field has set the schema's `{key}`");
                return Err(Error::new_spanned(rule, message));
            }
        }
        bounded |= rules.schema.iter().any(|(key, _)| matches!(*key, "max_length" | "max_items"));
        if matches!(shape, Shape::Text | Shape::List) && !bounded {
            let message = "a text or list needs a bound, such as `#[validate(length(max = 1000))]`: \
                           an item of the table holds 400 KB";
            return Err(Error::new_spanned(&field.ty, message));
        }
        if shape == Shape::Text && !strict {
            rules.checks.push(quote!(::models::wire::no_nul(value)));
            rules.schema.push(("pattern", quote!(#NO_NUL)));
        }
        Ok(rules)
    }

    fn add(&mut self, rule: &Meta, shape: Shape, field: &Field) -> Result<()> {
        let name = rule.path().require_ident()?.to_string();
        match (name.as_str(), shape) {
            ("length", Shape::Text) => self.limit(rule, "characters", &TEXT_LENGTH),
            ("length", Shape::List) => self.limit(rule, "items", &LIST_LENGTH),
            ("bytes", Shape::Text) => self.bytes(rule),
            ("range", Shape::Other) => self.limit(rule, "range", &RANGE),
            ("email", Shape::Text) => {
                rule.require_path_only()?;
                self.checks.push(quote!(::models::wire::email(value)));
                self.schema.extend([("format", quote!("email")), ("max_length", quote!(254))]);
                Ok(())
            }
            ("nested", Shape::Other | Shape::List) => {
                rule.require_path_only()?;
                self.nested = true;
                Ok(())
            }
            ("must_match", _) => self.must_match(rule, field),
            ("custom", _) => self.custom(rule, field),
            ("length" | "bytes" | "range" | "email" | "nested", _) => {
                let message = format!(
                    "`{name}` is no rule for this type: length is for String and Vec, bytes and \
                     email for String, range for numbers, nested for #[request] types"
                );
                Err(Error::new_spanned(rule, message))
            }
            _ => Err(Error::new_spanned(rule, format!("unknown rule; there are {KNOWN}"))),
        }
    }

    /// A rule with limits: each one goes to the check and, under its names there, to the schema.
    fn limit(&mut self, rule: &Meta, check: &str, names: &[Limit]) -> Result<()> {
        let said = arguments(rule, names.iter().map(|(name, ..)| *name))?;
        let mut limits = Vec::new();
        for (argument, wire, schema) in names {
            let Some((_, value)) = said.iter().find(|(name, _)| name == argument) else {
                continue;
            };
            let literal = literal(value, check == "range")?;
            limits.push(quote!((#wire, #value)));
            self.schema.extend(schema.iter().map(|key| (*key, literal.clone())));
        }
        if limits.is_empty() {
            return Err(Error::new_spanned(rule, "say a limit, such as `max = 100`"));
        }
        let check = syn::Ident::new(check, proc_macro2::Span::call_site());
        self.checks.push(quote!(::models::wire::#check(value, &[#(#limits),*])));
        Ok(())
    }

    /// A schema counts code points. Of those, a text has as many as its bytes at most, and a quarter
    /// of them at least; the rest is said in words.
    fn bytes(&mut self, rule: &Meta) -> Result<()> {
        self.limit(rule, "bytes", &[("min", "min", &[]), ("max", "max", &[])])?;
        let (mut min, mut max) = (None, None);
        for (name, value) in arguments(rule, ["min", "max"])? {
            let limit = syn::parse2::<LitInt>(quote!(#value))?.base10_parse::<usize>()?;
            let (key, code_points) = match name.as_str() {
                "min" => ("min_length", min.insert(limit).div_ceil(4)),
                _ => ("max_length", *max.insert(limit)),
            };
            self.schema.push((key, quote!(#code_points)));
        }
        let span = match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, max) => format!("at most {}", max.unwrap_or_default()),
        };
        self.notes.push(format!(" It has {span} bytes in UTF-8."));
        Ok(())
    }

    fn must_match(&mut self, rule: &Meta, field: &Field) -> Result<()> {
        require_doc(rule, field)?;
        let other = only_path(rule, "other")?;
        let (this, name) = (&field.ident, wire_name(&syn::parse_quote!(#other: ())));
        self.checks.push(quote!(::models::wire::same(self.#this == self.#other, #name)));
        Ok(())
    }

    fn custom(&mut self, rule: &Meta, field: &Field) -> Result<()> {
        require_doc(rule, field)?;
        let function = only_path(rule, "function")?;
        self.checks.push(quote!(#function(value)));
        Ok(())
    }
}

/// An argument of a rule, its name among a violation's limits, and its names in a schema.
type Limit = (&'static str, &'static str, &'static [&'static str]);

const TEXT_LENGTH: [Limit; 3] = [
    ("min", "min", &["min_length"]),
    ("max", "max", &["max_length"]),
    ("equal", "equal", &["min_length", "max_length"]),
];
const LIST_LENGTH: [Limit; 3] = [
    ("min", "min", &["min_items"]),
    ("max", "max", &["max_items"]),
    ("equal", "equal", &["min_items", "max_items"]),
];
const RANGE: [Limit; 4] = [
    ("min", "min", &["minimum"]),
    ("max", "max", &["maximum"]),
    ("exclusive_min", "exclusiveMin", &["exclusive_minimum"]),
    ("exclusive_max", "exclusiveMax", &["exclusive_maximum"]),
];

fn parse(attrs: &[Attribute]) -> Result<Vec<Meta>> {
    let mut rules = Vec::new();
    for attr in attrs {
        rules.extend(attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?);
    }
    Ok(rules)
}

/// The `name = value` arguments of a rule, refusing names that it does not know.
fn arguments(
    rule: &Meta,
    known: impl IntoIterator<Item = &'static str> + Clone,
) -> Result<Vec<(String, Expr)>> {
    let list = rule.require_list()?;
    let read = |argument: MetaNameValue| {
        let name = argument.path.require_ident()?.to_string();
        if !known.clone().into_iter().any(|known| known == name) {
            let known = known.clone().into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("unknown argument; this rule has {known}");
            return Err(Error::new_spanned(argument.path, message));
        }
        Ok((name, argument.value))
    };
    let arguments =
        list.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated)?;
    arguments.into_iter().map(read).collect()
}

fn only_path(rule: &Meta, name: &'static str) -> Result<syn::Path> {
    match arguments(rule, [name])?.pop() {
        Some((_, Expr::Path(path))) => Ok(path.path),
        _ => Err(Error::new_spanned(rule, format!("say `{name} = a_path`"))),
    }
}

/// A limit as the schema takes it. utoipa misreads a constant silently, and takes a whole number for
/// an `i32` where it is not told `wide`.
fn literal(value: &Expr, wide: bool) -> Result<TokenStream> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) if wide && int.suffix().is_empty() => {
            let int = LitInt::new(&format!("{}i64", int.base10_digits()), int.span());
            Ok(quote!(#int))
        }
        Expr::Lit(_) => Ok(quote!(#value)),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            let positive = literal(&unary.expr, wide)?;
            Ok(quote!(-#positive))
        }
        _ => Err(Error::new_spanned(value, "a limit is a literal, since the schema says it too")),
    }
}

fn require_doc(rule: &Meta, field: &Field) -> Result<()> {
    if field.attrs.iter().any(|attr| attr.path().is_ident("doc")) {
        return Ok(());
    }
    let message = "a schema cannot say this rule: put it into a doc comment on the field, which \
                   becomes its description";
    Err(Error::new_spanned(rule, message))
}
