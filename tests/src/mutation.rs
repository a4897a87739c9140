//! Seeded changes of a document, each with what a comparer must say of it.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// A document with one change.
pub struct Mutation {
    /// What has changed.
    pub kind: &'static str,
    /// The operations that it breaks, such as `GET /health (get_health)`; none for a harmless one.
    pub breaks: BTreeSet<String>,
    /// The document after it.
    pub document: Value,
}

/// Makes a change; says which operations it breaks, or nothing where the document has no place for
/// it.
type Change = fn(&mut Document<'_>) -> Option<BTreeSet<String>>;

/// One change of every kind that the document has a place for, the breaking ones first.
pub fn mutations(document: &Value, seed: u64) -> Vec<Mutation> {
    let mut rng = Rng::with_seed(seed);
    let mut all = Vec::new();
    for (kind, change) in BREAKING.iter().chain(HARMLESS) {
        let mut mutated = Document { root: document.clone(), rng: &mut rng };
        if let Some(breaks) = change(&mut mutated) {
            all.push(Mutation { kind, breaks, document: mutated.root });
        }
    }
    all
}

struct Document<'r> {
    root: Value,
    rng: &'r mut Rng,
}

/// An operation: its path and method.
type Place = (String, String);

impl Document<'_> {
    fn pick<T>(&mut self, from: Vec<T>) -> Option<T> {
        let at = self.rng.usize(..from.len().max(1));
        from.into_iter().nth(at)
    }

    fn operations(&self) -> Vec<Place> {
        let methods = |(path, item): (&String, &Value)| {
            let methods: Vec<_> = item.as_object()?.keys().cloned().collect();
            Some(methods.into_iter().map(|it| (path.clone(), it)).collect::<Vec<_>>())
        };
        let paths = self.root["paths"].as_object().into_iter().flatten();
        paths.filter_map(methods).flatten().collect()
    }

    fn operation(&mut self, (path, method): &Place) -> &mut Value {
        &mut self.root["paths"][path][method]
    }

    fn said(&self, (path, method): &Place) -> &Value {
        &self.root["paths"][path][method]
    }

    fn title(&self, place: &Place) -> String {
        let id = self.said(place)["operationId"].as_str().unwrap_or_default();
        format!("{} {} ({id})", place.1.to_uppercase(), place.0)
    }

    fn pick_operation(&mut self, fits: impl Fn(&Self, &Place) -> bool) -> Option<Place> {
        let all = self.operations().into_iter().filter(|place| fits(self, place)).collect();
        self.pick(all)
    }

    /// Change one operation that fits.
    fn change(
        &mut self,
        fits: impl Fn(&Value) -> bool,
        change: impl Fn(&mut Value),
    ) -> Option<BTreeSet<String>> {
        let place = self.pick_operation(|document, place| fits(document.said(place)))?;
        let breaks = BTreeSet::from([self.title(&place)]);
        change(self.operation(&place));
        Some(breaks)
    }

    /// Change one parameter of an operation that has one in this place that fits. A shared one is
    /// written out first, so that one operation changes.
    fn change_parameter(
        &mut self,
        within: &str,
        fits: impl Fn(&Value) -> bool,
        change: impl Fn(&mut Value),
    ) -> Option<BTreeSet<String>> {
        let mut fitting = Vec::new();
        for place in self.operations() {
            let parameters = self.said(&place)["parameters"].as_array();
            for (at, parameter) in parameters.into_iter().flatten().enumerate() {
                let mut parameter = self.followed(parameter).clone();
                parameter["schema"] = self.followed(&parameter["schema"]).clone();
                if parameter["in"] == within && fits(&parameter) {
                    fitting.push((place.clone(), at, parameter));
                }
            }
        }
        let (place, at, mut parameter) = self.pick(fitting)?;
        change(&mut parameter);
        let breaks = BTreeSet::from([self.title(&place)]);
        self.operation(&place)["parameters"][at] = parameter;
        Some(breaks)
    }

    fn followed<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target = value["$ref"].as_str().and_then(|it| self.root.pointer(&it[1..]));
        target.unwrap_or(value)
    }

    /// Change an answer that fits of one operation.
    fn change_answer(
        &mut self,
        fits: impl Fn(&str, &Value) -> bool,
        change: impl Fn(&mut Map<String, Value>, &str),
    ) -> Option<BTreeSet<String>> {
        let mut fitting = Vec::new();
        for place in self.operations() {
            for (status, answer) in self.said(&place)["responses"].as_object()? {
                if fits(status, answer) {
                    fitting.push((place.clone(), status.clone()));
                }
            }
        }
        let (place, status) = self.pick(fitting)?;
        let breaks = BTreeSet::from([self.title(&place)]);
        let answers = self.operation(&place)["responses"].as_object_mut()?;
        change(answers, &status);
        Some(breaks)
    }

    /// The named schemas that this value leads to.
    fn reached(&self, value: &Value, reached: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    let name = target.rsplit('/').next().unwrap_or_default();
                    let schema = &self.root["components"]["schemas"][name];
                    if !schema.is_null() && reached.insert(name.to_owned()) {
                        self.reached(schema, reached);
                    }
                }
                members.values().for_each(|value| self.reached(value, reached));
            }
            Value::Array(items) => items.iter().for_each(|value| self.reached(value, reached)),
            _ => {}
        }
    }

    /// What the bodies, or else the answers, of each operation lead to.
    fn reach(&self, side: &str) -> Vec<(String, BTreeSet<String>)> {
        let reach = |place: &Place| {
            let mut reached = BTreeSet::new();
            self.reached(&self.said(place)[side], &mut reached);
            (self.title(place), reached)
        };
        self.operations().iter().map(reach).collect()
    }

    /// Change a property that fits of a schema that goes this way only.
    fn change_field(
        &mut self,
        side: &str,
        fits: impl Fn(&Value, &str, &Value) -> bool,
        change: impl Fn(&mut Value, &str),
    ) -> Option<BTreeSet<String>> {
        let users = self.reach(side);
        let others = self.reach(if side == BODY { ANSWERS } else { BODY });
        let leads = |reach: &[(String, BTreeSet<String>)], name: &String| {
            reach.iter().any(|(_, reached)| reached.contains(name))
        };
        let mut fitting = Vec::new();
        for (name, schema) in self.root["components"]["schemas"].as_object()? {
            if !leads(&users, name) || leads(&others, name) {
                continue;
            }
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                if fits(schema, field, property) {
                    fitting.push((name.clone(), field.clone()));
                }
            }
        }
        let (name, field) = self.pick(fitting)?;
        change(&mut self.root["components"]["schemas"][&name], &field);
        let users = users.into_iter().filter(|(_, reached)| reached.contains(&name));
        Some(users.map(|(title, _)| title).collect())
    }
}

const BODY: &str = "requestBody";
const ANSWERS: &str = "responses";

fn any(_: &Value, _: &str, _: &Value) -> bool {
    true
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|fields| fields.contains(&json!(field)))
}

fn require(schema: &mut Value, field: &str, wanted: bool) {
    let mut fields = schema["required"].as_array().cloned().unwrap_or_default();
    fields.retain(|it| it != field);
    fields.extend(wanted.then(|| json!(field)));
    schema["required"] = json!(fields);
}

fn remove(value: &mut Value, key: &str) -> Option<Value> {
    value.as_object_mut()?.remove(key)
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    parameters.push(parameter);
    operation["parameters"] = json!(parameters);
}

fn is_guarded(operation: &Value) -> bool {
    let ways = operation["security"].as_array();
    ways.is_some_and(|ways| ways.iter().all(|way| *way != json!({})))
}

/// Raise or lower a number that is there.
fn move_by(value: &mut Value, key: &str, by: i64) {
    let number = value[key].as_i64().unwrap_or_default();
    value[key] = json!((number + by).max(0));
}

fn is_text(_: &Value, _: &str, property: &Value) -> bool {
    property["type"] == "string"
}

fn sends_text(place: &str) -> impl Fn(&Value, &str, &Value) -> bool {
    let place = place.to_owned();
    move |_, _, property| property["type"] == "string" && property[&place].is_u64()
}

const BREAKING: &[(&str, Change)] = &[
    ("an operation is gone", |it| {
        let place = it.pick_operation(|_, _| true)?;
        let breaks = BTreeSet::from([it.title(&place)]);
        remove(&mut it.root["paths"][&place.0], &place.1);
        Some(breaks)
    }),
    ("a path has another name", |it| {
        let (path, _) = it.pick_operation(|_, _| true)?;
        let here = it.operations().into_iter().filter(|place| place.0 == path);
        let breaks = here.map(|place| it.title(&place)).collect();
        let item = remove(&mut it.root["paths"], &path)?;
        it.root["paths"][format!("{path}/elsewhere")] = item;
        Some(breaks)
    }),
    ("an operation has another method", |it| {
        let place = it.pick_operation(|_, _| true)?;
        let breaks = BTreeSet::from([it.title(&place)]);
        let said = remove(&mut it.root["paths"][&place.0], &place.1);
        it.root["paths"][&place.0]["trace"] = said?;
        Some(breaks)
    }),
    ("an operation has another id", |it| {
        it.change(|_| true, |said| said["operationId"] = json!("something_else"))
    }),
    ("a guard is new", |it| {
        it.change(
            |said| !is_guarded(said),
            |said| said["security"] = json!([{ "accessToken": [] }]),
        )
    }),
    ("a scope is new", |it| {
        it.change(is_guarded, |said| said["security"] = json!([{ "accessToken": ["another"] }]))
    }),
    ("tokens are shown in another way", |it| {
        it.root["components"]["securitySchemes"]["accessToken"] =
            json!({ "type": "apiKey", "in": "header", "name": "X-Token" });
        let asks = |place: &Place| it.said(place)["security"].to_string().contains("accessToken");
        let places: Vec<_> = it.operations().into_iter().filter(asks).collect();
        Some(places.iter().map(|place| it.title(place)).collect())
    }),
    ("the API is elsewhere", |it| {
        it.root["servers"] = json!([{ "url": "/elsewhere" }]);
        Some(BTreeSet::from(["Every operation".to_owned()]))
    }),
    ("a query parameter is gone", |it| {
        it.change_parameter("query", |_| true, |parameter| parameter["in"] = json!("cookie"))
    }),
    ("a query parameter has another name", |it| {
        it.change_parameter("query", |_| true, |parameter| parameter["name"] = json!("another"))
    }),
    ("a query parameter is required", |it| {
        let optional = |parameter: &Value| parameter["required"] != true;
        it.change_parameter("query", optional, |parameter| parameter["required"] = json!(true))
    }),
    ("a query parameter is new and required", |it| {
        let new = json!({ "name": "new", "in": "query", "required": true, "schema": {} });
        it.change(|_| true, move |said| add_parameter(said, new.clone()))
    }),
    ("a query parameter has a tighter limit", |it| {
        let limited = |parameter: &Value| parameter["schema"]["maximum"].is_u64();
        it.change_parameter("query", limited, |it| move_by(&mut it["schema"], "maximum", -1))
    }),
    ("a path parameter is of another type", |it| {
        let other = json!({ "type": "integer" });
        it.change_parameter("path", |_| true, move |it| it["schema"] = other.clone())
    }),
    ("a header is gone", |it| {
        it.change_parameter("header", |_| true, |parameter| parameter["in"] = json!("cookie"))
    }),
    ("a header has another name", |it| {
        it.change_parameter("header", |_| true, |parameter| parameter["name"] = json!("X-Another"))
    }),
    ("a header is required", |it| {
        let optional = |parameter: &Value| parameter["required"] != true;
        it.change_parameter("header", optional, |parameter| parameter["required"] = json!(true))
    }),
    ("a header is new and required", |it| {
        let new = json!({ "name": "X-New", "in": "header", "required": true, "schema": {} });
        it.change(|_| true, move |said| add_parameter(said, new.clone()))
    }),
    ("a body is new and required", |it| {
        let new = json!({ "required": true, "content": { "application/json": { "schema": {} } } });
        it.change(|said| said[BODY].is_null(), move |said| said[BODY] = new.clone())
    }),
    ("a body is gone", |it| {
        it.change(|said| said[BODY].is_object(), |said| drop(remove(said, BODY)))
    }),
    ("a body has another media type", |it| {
        let change = |said: &mut Value| {
            let content = remove(&mut said[BODY]["content"], "application/json");
            said[BODY]["content"]["application/cbor"] = content.unwrap_or_default();
        };
        it.change(|said| said[BODY]["content"]["application/json"].is_object(), change)
    }),
    ("a request's field is gone", |it| {
        it.change_field(BODY, any, |schema, field| {
            require(schema, field, false);
            remove(&mut schema["properties"], field);
        })
    }),
    ("a request's field is new and required", |it| {
        it.change_field(BODY, any, |schema, _| {
            schema["properties"]["brandNew"] = json!({ "type": "string" });
            require(schema, "brandNew", true);
        })
    }),
    ("a request's field is required", |it| {
        let optional = |schema: &Value, field: &str, _: &Value| !is_required(schema, field);
        it.change_field(BODY, optional, |schema, field| require(schema, field, true))
    }),
    ("a request's field is of another type", |it| {
        it.change_field(BODY, is_text, |schema, field| {
            schema["properties"][field]["type"] = json!("integer");
        })
    }),
    ("a request's text may be less long", |it| {
        it.change_field(BODY, sends_text("maxLength"), |schema, field| {
            move_by(&mut schema["properties"][field], "maxLength", -1);
        })
    }),
    ("a request's text must be longer", |it| {
        it.change_field(BODY, is_text, |schema, field| {
            move_by(&mut schema["properties"][field], "minLength", 1);
        })
    }),
    ("a request's text has another pattern", |it| {
        it.change_field(BODY, is_text, |schema, field| {
            schema["properties"][field]["pattern"] = json!("^[a-z]+$");
        })
    }),
    ("a request's text has a format", |it| {
        let plain =
            |_: &Value, _: &str, it: &Value| it["type"] == "string" && it["format"].is_null();
        it.change_field(BODY, plain, |schema, field| {
            schema["properties"][field]["format"] = json!("uri");
        })
    }),
    ("a request's field is one of a list", |it| {
        it.change_field(BODY, is_text, |schema, field| {
            schema["properties"][field]["enum"] = json!(["a", "b"]);
        })
    }),
    ("a header's value is gone from its list", |it| {
        let listed = |parameter: &Value| parameter["schema"]["enum"].is_array();
        it.change_parameter("header", listed, |parameter| {
            if let Some(values) = parameter["schema"]["enum"].as_array_mut() {
                values.pop();
            }
        })
    }),
    ("a success has another status", |it| {
        it.change_answer(
            |status, _| status.starts_with('2'),
            |answers, status| {
                let answer = answers.remove(status).unwrap_or_default();
                answers.insert("299".to_owned(), answer);
            },
        )
    }),
    ("a success is new", |it| {
        it.change_answer(
            |status, _| status.starts_with('2'),
            |answers, status| {
                let answer = answers[status].clone();
                answers.insert("299".to_owned(), answer);
            },
        )
    }),
    ("an error's status is gone", |it| {
        it.change_answer(
            |status, _| status.starts_with('4'),
            |answers, status| {
                answers.remove(status);
            },
        )
    }),
    ("an error's code is gone", |it| {
        let coded = |_: &str, answer: &Value| answer["x-problem-codes"][0].is_string();
        it.change_answer(coded, |answers, status| {
            if let Some(codes) = answers[status]["x-problem-codes"].as_array_mut() {
                codes.remove(0);
            }
        })
    }),
    ("an error has another code", |it| {
        let coded = |_: &str, answer: &Value| answer["x-problem-codes"][0].is_string();
        it.change_answer(coded, |answers, status| {
            answers[status]["x-problem-codes"][0] = json!("something_else");
        })
    }),
    ("an answer's header is gone", |it| {
        let versioned = |_: &str, answer: &Value| answer["headers"]["ETag"].is_object();
        it.change_answer(versioned, |answers, status| {
            remove(&mut answers[status]["headers"], "ETag");
        })
    }),
    ("an answer's header has another name", |it| {
        let versioned = |_: &str, answer: &Value| answer["headers"]["ETag"].is_object();
        it.change_answer(versioned, |answers, status| {
            let headers = &mut answers[status]["headers"];
            headers["X-Version"] = remove(headers, "ETag").unwrap_or_default();
        })
    }),
    ("an answer has another media type", |it| {
        let is_json = |_: &str, answer: &Value| answer["content"]["application/json"].is_object();
        it.change_answer(is_json, |answers, status| {
            let content = &mut answers[status]["content"];
            content["application/cbor"] = remove(content, "application/json").unwrap_or_default();
        })
    }),
    ("an answer's body is gone", |it| {
        let has_body = |_: &str, answer: &Value| answer["content"].is_object();
        it.change_answer(has_body, |answers, status| drop(remove(&mut answers[status], "content")))
    }),
    ("an answer's field is gone", |it| {
        it.change_field(ANSWERS, any, |schema, field| {
            require(schema, field, false);
            remove(&mut schema["properties"], field);
        })
    }),
    ("an answer's field is optional", |it| {
        let required = |schema: &Value, field: &str, _: &Value| is_required(schema, field);
        it.change_field(ANSWERS, required, |schema, field| require(schema, field, false))
    }),
    ("an answer's field may be null", |it| {
        it.change_field(ANSWERS, is_text, |schema, field| {
            schema["properties"][field]["type"] = json!(["string", "null"]);
        })
    }),
    ("an answer's field is of another type", |it| {
        it.change_field(ANSWERS, is_text, |schema, field| {
            schema["properties"][field]["type"] = json!("boolean");
        })
    }),
    ("an answer's number is wider", |it| {
        let whole = |_: &Value, _: &str, it: &Value| it["format"] == "int32";
        it.change_field(ANSWERS, whole, |schema, field| {
            schema["properties"][field]["format"] = json!("int64");
        })
    }),
    ("an answer's number need not be whole", |it| {
        let whole = |_: &Value, _: &str, it: &Value| it["type"] == "integer";
        it.change_field(ANSWERS, whole, |schema, field| {
            schema["properties"][field]["type"] = json!("number");
        })
    }),
    ("an answer's list is of something else", |it| {
        let list = |_: &Value, _: &str, it: &Value| it["type"] == "array";
        it.change_field(ANSWERS, list, |schema, field| {
            schema["properties"][field]["items"] = json!({ "type": "boolean" });
        })
    }),
];

/// Nobody is broken.
fn harmless(change: Option<BTreeSet<String>>) -> Option<BTreeSet<String>> {
    change.map(|_| BTreeSet::new())
}

const HARMLESS: &[(&str, Change)] = &[
    ("an operation is new", |it| {
        let place = it.pick_operation(|_, _| true)?;
        let mut said = it.said(&place).clone();
        said["operationId"] = json!("brand_new");
        it.root["paths"]["/brand-new"] = json!({ "get": said });
        Some(BTreeSet::new())
    }),
    ("an operation has other words", |it| {
        harmless(it.change(|_| true, |said| said["summary"] = json!("In other words.")))
    }),
    ("a query parameter is new", |it| {
        let new = json!({ "name": "new", "in": "query", "schema": { "type": "string" } });
        harmless(it.change(|_| true, move |said| add_parameter(said, new.clone())))
    }),
    ("a header is new", |it| {
        let new = json!({ "name": "X-New", "in": "header", "schema": { "type": "string" } });
        harmless(it.change(|_| true, move |said| add_parameter(said, new.clone())))
    }),
    ("a query parameter has a wider limit", |it| {
        let limited = |parameter: &Value| parameter["schema"]["maximum"].is_u64();
        let wider = |it: &mut Value| move_by(&mut it["schema"], "maximum", 1);
        harmless(it.change_parameter("query", limited, wider))
    }),
    ("a request's field is new", |it| {
        harmless(it.change_field(BODY, any, |schema, _| {
            schema["properties"]["brandNew"] = json!({ "type": "string" });
        }))
    }),
    ("a request's field is optional", |it| {
        let required = |schema: &Value, field: &str, _: &Value| is_required(schema, field);
        harmless(it.change_field(BODY, required, |schema, field| require(schema, field, false)))
    }),
    ("a request's text may be longer", |it| {
        harmless(it.change_field(BODY, sends_text("maxLength"), |schema, field| {
            move_by(&mut schema["properties"][field], "maxLength", 1);
        }))
    }),
    ("a request's text may be shorter", |it| {
        harmless(it.change_field(BODY, sends_text("minLength"), |schema, field| {
            move_by(&mut schema["properties"][field], "minLength", -1);
        }))
    }),
    ("a request's text has no pattern", |it| {
        let bound = |_: &Value, _: &str, it: &Value| it["pattern"].is_string();
        harmless(it.change_field(BODY, bound, |schema, field| {
            remove(&mut schema["properties"][field], "pattern");
        }))
    }),
    ("a header's value is new in its list", |it| {
        let listed = |parameter: &Value| parameter["schema"]["enum"].is_array();
        harmless(it.change_parameter("header", listed, |parameter| {
            if let Some(values) = parameter["schema"]["enum"].as_array_mut() {
                values.push(json!("brand-new"));
            }
        }))
    }),
    ("an answer's field is new", |it| {
        harmless(it.change_field(ANSWERS, any, |schema, _| {
            schema["properties"]["brandNew"] = json!({ "type": "string" });
            require(schema, "brandNew", true);
        }))
    }),
    ("an answer's field is always there", |it| {
        let optional = |schema: &Value, field: &str, _: &Value| !is_required(schema, field);
        harmless(it.change_field(ANSWERS, optional, |schema, field| require(schema, field, true)))
    }),
    ("an answer's text is less long", |it| {
        harmless(it.change_field(ANSWERS, is_text, |schema, field| {
            schema["properties"][field]["maxLength"] = json!(10);
        }))
    }),
    ("an answer's header is new", |it| {
        harmless(it.change_answer(
            |_, _| true,
            |answers, status| {
                answers[status]["headers"]["X-New"] = json!({ "schema": { "type": "string" } });
            },
        ))
    }),
    ("an error is new", |it| {
        harmless(it.change_answer(
            |status, _| status.starts_with('4'),
            |answers, status| {
                let answer = answers[status].clone();
                answers.insert("451".to_owned(), answer);
            },
        ))
    }),
    ("an error's code is new", |it| {
        harmless(it.change_answer(
            |status, _| status.starts_with('4'),
            |answers, status| {
                let codes = &mut answers[status]["x-problem-codes"];
                let mut known = codes.as_array().cloned().unwrap_or_default();
                known.push(json!("something_new"));
                *codes = json!(known);
            },
        ))
    }),
    ("an operation is deprecated", |it| {
        harmless(it.change(|_| true, |said| said["deprecated"] = json!(true)))
    }),
    ("a field has other words", |it| {
        harmless(it.change_field(ANSWERS, any, |schema, field| {
            schema["properties"][field]["description"] = json!("In other words.");
            schema["properties"][field]["examples"] = json!(["another"]);
        }))
    }),
    ("a path parameter has another name", |it| {
        let (path, _) = it.pick_operation(|_, place| place.0.contains('{'))?;
        let name = path.split(['{', '}']).nth(1)?.to_owned();
        let item = remove(&mut it.root["paths"], &path)?.to_string();
        let item = item.replace(&format!("\"{name}\""), "\"another\"");
        let path = path.replace(&name, "another");
        it.root["paths"][path] = serde_json::from_str(&item).ok()?;
        Some(BTreeSet::new())
    }),
    ("a schema has another name", |it| {
        let names: Vec<_> = it.root["components"]["schemas"].as_object()?.keys().cloned().collect();
        let name = it.pick(names)?;
        let text = it.root.to_string();
        let text = text.replace(&format!("schemas/{name}\""), "schemas/BrandNew\"");
        it.root = serde_json::from_str(&text).ok()?;
        let schemas = &mut it.root["components"]["schemas"];
        schemas["BrandNew"] = remove(schemas, &name)?;
        Some(BTreeSet::new())
    }),
    ("parameters are in another order", |it| {
        harmless(it.change(
            |said| said["parameters"][1].is_object(),
            |said| {
                if let Some(parameters) = said["parameters"].as_array_mut() {
                    parameters.reverse();
                }
            },
        ))
    }),
    ("a guard is gone", |it| {
        harmless(it.change(is_guarded, |said| said["security"] = json!([{}])))
    }),
];
