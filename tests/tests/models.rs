//! Every request model of the app, found through the route table: what its schema allows is what
//! its decoder takes, to the value.

use api::http::{Decode, Description, Problem};
use jsonschema::Validator;
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};
use tests::{
    chance,
    samples::{byte_limits, edges, good, properties, resolved},
    spec::validator,
};

/// A request model: what the document says of it, and what decodes it.
struct Model {
    operation: String,
    schema: Value,
    validator: Validator,
    decode: Decoder,
}

enum Decoder {
    Body(Decode<[u8]>),
    Query(Decode<str>),
}

impl Model {
    /// Every one in the app.
    fn all() -> Vec<Self> {
        let mut models = Vec::new();
        for module in api::route_table() {
            for (_, endpoint) in module.endpoints() {
                let mut description = Description::default();
                (endpoint.describe)(&mut description);
                let operation = (endpoint.operation)().operation_id.unwrap_or_default();
                if let Some(decode) = description.decode_body {
                    let body = json!(description.request_body);
                    let schema = &body["content"]["application/json"]["schema"];
                    models.push(Self::new(&operation, schema, Decoder::Body(decode)));
                }
                if let Some(decode) = description.decode_query {
                    let schema = of_parameters(&json!(description.parameters));
                    models.push(Self::new(&operation, &schema, Decoder::Query(decode)));
                }
            }
        }
        models
    }

    fn new(operation: &str, schema: &Value, decode: Decoder) -> Self {
        let (schema, validator) = (resolved(schema), validator(schema));
        Self { operation: operation.to_owned(), schema, validator, decode }
    }

    /// Both say yes, or both say no.
    fn check(&self, value: &Value) -> Result<(), String> {
        let schema = self.schema_allows(value);
        let decoder = match self.decode(value) {
            None => return Ok(()),
            Some(Ok(())) => true,
            Some(Err(problem)) if [400, 422].contains(&problem.code().status().as_u16()) => false,
            Some(Err(problem)) => return Err(format!("{:?} for {value}", problem.code())),
        };
        if schema == decoder || (schema && self.may_be_stricter(value)) {
            return Ok(());
        }
        let (operation, word) = (&self.operation, |yes| if yes { "allows" } else { "refuses" });
        Err(format!(
            "{operation}: the schema {} and the decoder {} {value:.300}",
            word(schema),
            word(decoder)
        ))
    }

    fn schema_allows(&self, value: &Value) -> bool {
        let bytes = properties(&self.schema).all(|(name, schema)| {
            let limits = byte_limits(&resolved(schema));
            value[name].as_str().is_none_or(|text| limits.contains(&text.len()))
        });
        bytes && self.validator.is_valid(value)
    }

    /// What an e-mail address is, "format" only hints at, and which passwords are the commonest, no
    /// schema says: our rules are stricter, and the law is that they are not laxer. Everything else
    /// in the value must be above suspicion, the password's length too, so that this excuses
    /// nothing but an address and a common word.
    fn may_be_stricter(&self, value: &Value) -> bool {
        let mut value = value.clone();
        let mut changed = false;
        for (name, schema) in properties(&self.schema) {
            let described = resolved(schema);
            let description = described["description"].as_str().unwrap_or_default();
            let Some(text) = value[name].as_str() else { continue };
            let other = if described["format"] == "email" {
                good(schema, true)
            } else if description.contains("the commonest passwords") {
                json!(text.replace(|letter: char| letter.is_ascii_alphanumeric(), "~"))
            } else {
                continue;
            };
            changed |= value[name] != other;
            value[name] = other;
        }
        changed && self.decode(&value).is_some_and(|decoded| decoded.is_ok())
    }

    /// What the decoder says; nothing where a query cannot say the value.
    fn decode(&self, value: &Value) -> Option<Result<(), Problem>> {
        match &self.decode {
            Decoder::Body(decode) => Some(decode(value.to_string().as_bytes())),
            Decoder::Query(decode) => as_query(&self.schema, value).map(|query| decode(&query)),
        }
    }
}

/// The parameters of a query as one object, which is how they are decoded.
fn of_parameters(parameters: &Value) -> Value {
    let parameters: Vec<_> =
        parameters.as_array().into_iter().flatten().filter(|it| it["in"] == "query").collect();
    let schemas = parameters
        .iter()
        .filter_map(|it| Some((it["name"].as_str()?.to_owned(), it["schema"].clone())));
    let required: Vec<_> =
        parameters.iter().filter(|it| it["required"] == true).map(|it| &it["name"]).collect();
    json!({
        "type": "object",
        "properties": schemas.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

/// The value as a query string. Everything in a query is text: a text where the schema wants one,
/// and where it wants a number what looks like one.
fn as_query(schema: &Value, value: &Value) -> Option<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in value.as_object()? {
        let wants_text = schema["properties"][name]["type"] == "string";
        let text = match value {
            Value::String(text) if wants_text || text.parse::<f64>().is_err() => text.clone(),
            Value::Number(number) if !wants_text => number.to_string(),
            _ => return None,
        };
        query.append_pair(name, &text);
    }
    Some(query.finish())
}

mod every_request_model {
    use super::*;

    #[test]
    fn is_found() {
        let mut operations: Vec<_> = Model::all().into_iter().map(|it| it.operation).collect();
        operations.sort();

        for known in ["create_account", "create_session", "refresh_session", "list_sessions"] {
            assert!(operations.iter().any(|it| it == known), "{known} is not in {operations:?}");
        }
    }

    #[test]
    fn takes_a_good_value() {
        for model in Model::all() {
            for whole in [false, true] {
                let value = good(&model.schema, whole);

                assert!(model.schema_allows(&value), "{}: {value}", model.operation);
                assert!(
                    model.decode(&value).is_some_and(|it| it.is_ok()),
                    "{}: {value}",
                    model.operation
                );
            }
        }
    }

    #[test]
    fn takes_whatever_chance_makes_of_its_schema() {
        let mut rng = fastrand::Rng::with_seed(1);
        for model in Model::all() {
            for _ in 0..200 {
                let value = chance::value(&model.schema, &mut rng);

                assert!(model.schema_allows(&value), "{}: {value}", model.operation);
                let decoded = model.decode(&value);
                assert!(decoded.is_some_and(|it| it.is_ok()), "{}: {value}", model.operation);
            }
        }
    }

    #[test]
    fn agrees_with_its_schema_at_and_beyond_every_bound() {
        for model in Model::all() {
            let edges = edges(&model.schema);
            let refused = edges.iter().filter(|edge| !model.schema_allows(edge)).count();
            assert!(refused > 0 && refused < edges.len(), "{}", model.operation);

            for edge in edges {
                if let Err(why) = model.check(&edge) {
                    panic!("{why}");
                }
            }
        }
    }

    #[test]
    fn agrees_with_its_schema_on_values_made_of_edges_and_chance() {
        for model in Model::all() {
            let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
            let cases = cases.unwrap_or(64);
            let config = Config { cases, failure_persistence: None, ..Config::default() };
            let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            let mut runner = TestRunner::new_with_rng(config, rng);

            let outcome = runner.run(&values(&model.schema), |value| {
                model.check(&value).map_err(TestCaseError::fail)
            });

            assert!(outcome.is_ok(), "{outcome:?}");
        }
    }

    /// Objects whose properties are mostly good, sometimes at an edge, sometimes anything, and
    /// sometimes absent.
    fn values(schema: &Value) -> BoxedStrategy<Value> {
        let fields: Vec<_> = properties(schema)
            .map(|(name, schema)| {
                let name = name.clone();
                prop_oneof![
                    6 => Just(Some(good(schema, true))),
                    3 => select(edges(schema)).prop_map(Some),
                    2 => Just(None),
                    1 => anything().prop_map(Some),
                ]
                .prop_map(move |value| value.map(|value| (name.clone(), value)))
            })
            .collect();
        let unknown = prop_oneof![9 => Just(None), 1 => (name(), anything()).prop_map(Some)];
        (fields, unknown)
            .prop_map(|(fields, unknown)| fields.into_iter().flatten().chain(unknown).collect())
            .boxed()
    }

    fn anything() -> BoxedStrategy<Value> {
        let leaf = prop_oneof![
            name().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name(), inner), 0..4)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
        .boxed()
    }

    fn name() -> BoxedStrategy<String> {
        prop::collection::vec(any::<char>(), 0..40)
            .prop_map(|characters| characters.into_iter().collect())
            .boxed()
    }
}

mod the_laws_themselves {
    use super::*;

    #[test]
    fn read_byte_limits_from_a_description() {
        for (description, least, most) in [
            ("A text.", 0, usize::MAX),
            ("A password.\nIt has 8 to 1024 bytes in UTF-8.", 8, 1024),
            ("It has at least 8 bytes in UTF-8.", 8, usize::MAX),
            ("It has at most 1024 bytes in UTF-8.", 0, 1024),
        ] {
            let limits = byte_limits(&json!({ "description": description }));

            assert_eq!(limits, least..=most, "{description}");
        }
    }

    /// The first disagreement at an edge, once the schema says something else than the code.
    fn disagreement(operation: &str, change: impl FnOnce(&mut Value)) -> Option<String> {
        let model = Model::all().into_iter().find(|model| model.operation == operation)?;
        let mut schema = model.schema;
        change(&mut schema);
        let changed = Model::new(operation, &schema, model.decode);
        edges(&changed.schema).iter().find_map(|edge| changed.check(edge).err())
    }

    #[test]
    fn find_every_bound_that_is_off_by_one() {
        for (operation, place, value) in [
            ("create_session", "/properties/deviceName/maxLength", json!(99)),
            ("create_session", "/properties/deviceName/maxLength", json!(101)),
            ("create_session", "/properties/deviceName/minLength", json!(0)),
            ("create_session", "/properties/deviceName/minLength", json!(2)),
            ("create_session", "/properties/deviceName/pattern", json!("^")),
            ("create_session", "/properties/email/maxLength", json!(253)),
            ("create_session", "/required", json!(["email"])),
            ("create_session", "/required", json!(["email", "password", "deviceName"])),
            ("create_session", "/additionalProperties", json!(true)),
            ("list_sessions", "/properties/limit/maximum", json!(99)),
            ("list_sessions", "/properties/limit/maximum", json!(101)),
            ("list_sessions", "/properties/limit/minimum", json!(0)),
            ("list_sessions", "/properties/limit/minimum", json!(2)),
            ("list_sessions", "/properties/cursor/maxLength", json!(1001)),
        ] {
            let found = disagreement(operation, |schema| {
                *schema.pointer_mut(place).expect("the schema has this") = value.clone();
            });

            assert!(found.is_some(), "{place} = {value} is not noticed");
        }
    }

    #[test]
    fn find_a_byte_limit_that_is_off_by_one() {
        for description in ["It has 7 to 1024", "It has 9 to 1024", "It has 8 to 1023"] {
            let found = disagreement("create_account", |schema| {
                let mut password = resolved(&schema["properties"]["password"]);
                password["description"] = json!(format!("{description} bytes in UTF-8."));
                schema["properties"]["password"] = password;
            });

            assert!(found.is_some(), "{description} is not noticed");
        }
    }
}
