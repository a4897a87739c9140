use api::http::Deprecation;
use utoipa::openapi::{
    Deprecated, HeaderBuilder, ObjectBuilder, RefOr, path::Operation, schema::Type,
};

/// Say of an operation what its table says: `deprecated`, in words, as `x-sunset` for programs, and
/// the headers of every answer.
pub(crate) fn mark_deprecated(operation: &mut Operation, deprecation: &Deprecation) {
    operation.deprecated = Some(Deprecated::True);
    let known = operation.description.take().map(|known| format!("{known}\n\n"));
    operation.description = Some(known.unwrap_or_default() + &deprecation.words());
    if let Some(day) = deprecation.sunset_day() {
        let extensions = operation.extensions.get_or_insert_default();
        extensions.insert("x-sunset".to_owned(), day.into());
    }
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        for (name, value, said) in deprecation.headers() {
            let example = value.to_str().ok().map(serde_json::Value::from);
            let text = ObjectBuilder::new().schema_type(Type::String).examples(example);
            let header = HeaderBuilder::new().description(Some(said)).schema(Some(text)).build();
            // As the RFCs write it; it is the same in any case.
            let mut name = name.to_string();
            name[..1].make_ascii_uppercase();
            response.headers.insert(name, header.into());
        }
    }
}
