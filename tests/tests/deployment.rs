//! deploy/template.yaml and the code: the one is held against the other.

mod sources;

use saphyr_parser::{Event, Parser, Tag};
use serde_json::{Map, Value, json};

/// The template, with CloudFormation's short forms written out (`!Ref x` is `{"Ref": "x"}`) and
/// every scalar as text.
fn template() -> Value {
    let text = include_str!("../../deploy/template.yaml");
    let mut events = Parser::new_from_str(text).map(|event| event.expect("the template is YAML").0);
    value(&mut events).expect("the template is not empty")
}

/// What the next events make; `None` at the end of the list or map around it.
fn value<'a>(events: &mut dyn Iterator<Item = Event<'a>>) -> Option<Value> {
    match events.next()? {
        Event::Scalar(text, _, _, tag) => Some(tagged(tag.as_deref(), text.into_owned().into())),
        Event::SequenceStart(_, tag) => {
            let items = std::iter::from_fn(|| value(events)).collect();
            Some(tagged(tag.as_deref(), Value::Array(items)))
        }
        Event::MappingStart(_, tag) => {
            let mut map = Map::new();
            while let Some(key) = value(events) {
                let key = key.as_str().expect("every key is text").to_owned();
                let known = map.insert(key, value(events).expect("every key has a value"));
                assert_eq!(known, None, "a key stands there twice");
            }
            Some(tagged(tag.as_deref(), Value::Object(map)))
        }
        Event::Alias(_) => panic!("CloudFormation takes no aliases"),
        Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd | Event::StreamEnd => None,
        Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => value(events),
    }
}

fn tagged(tag: Option<&Tag>, value: Value) -> Value {
    match tag.map(|tag| tag.suffix.as_str()) {
        None => value,
        Some("Ref") => json!({ "Ref": value }),
        Some(function) => json!({ format!("Fn::{function}"): value }),
    }
}

/// The properties of a resource that has this type.
fn properties(name: &str, kind: &str) -> Value {
    let resource = template()["Resources"][name].take();
    assert_eq!(resource["Type"], kind, "{name}");
    resource["Properties"].clone()
}

mod template {
    use std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
    };

    use api::{
        Settings,
        events::{Trigger, stream_filter},
    };
    use auth::{Roles, SessionRules};
    use local_dev::Function;
    use serde_json::{Value, json};
    use tests::{World, call_store};

    use super::{properties, template};

    const SECRET: &str =
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:landline/signing-key-AbCdEf";

    const PUBLIC_KEY: &str = r"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA5oOVfI9dXmS5UfYAR6LMi2ee/Z3uH6ajswopdSxuS+4=\n-----END PUBLIC KEY-----";

    /// What the store that local-dev embeds says of the table that the code has made in it.
    async fn describe(world: &World, operation: &str) -> Value {
        let store = world.connection();
        call_store(&store, operation, &json!({ "TableName": store.table })).await
    }

    #[tokio::test]
    async fn has_the_table_that_the_code_makes() {
        let world = World::new().await;

        let made = describe(&world, "DescribeTable").await["Table"].take();
        let ttl = describe(&world, "DescribeTimeToLive").await["TimeToLiveDescription"].take();

        let table = properties("Table", "AWS::DynamoDB::Table");
        assert_eq!(table["KeySchema"], made["KeySchema"], "{made}");
        assert_eq!(table["AttributeDefinitions"], made["AttributeDefinitions"], "{made}");
        assert_eq!(table["BillingMode"], made["BillingModeSummary"]["BillingMode"], "{made}");
        assert_eq!(table["LocalSecondaryIndexes"], made["LocalSecondaryIndexes"], "{made}");
        let index = |table: &Value| {
            let indexes = table["GlobalSecondaryIndexes"].as_array().expect("a list").iter();
            let parts = ["IndexName", "KeySchema", "Projection"];
            indexes.map(|index| parts.map(|part| index[part].clone())).collect::<Vec<_>>()
        };
        assert_eq!(index(&table), index(&made), "{made}");
        let stream = json!({ "StreamViewType": made["StreamSpecification"]["StreamViewType"] });
        assert_eq!(table["StreamSpecification"], stream, "{made}");
        assert_eq!(made["StreamSpecification"]["StreamEnabled"], true, "{made}");
        assert_eq!(ttl["TimeToLiveStatus"], "ENABLED", "{ttl}");
        assert_eq!(
            table["TimeToLiveSpecification"],
            json!({ "AttributeName": ttl["AttributeName"], "Enabled": "true" }),
        );
    }

    #[test]
    fn keeps_the_table_and_its_past() {
        let table = template()["Resources"]["Table"].take();

        assert_eq!(table["DeletionPolicy"], "Retain");
        assert_eq!(table["UpdateReplacePolicy"], "Retain");
        let recovery = &table["Properties"]["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], "true");
    }

    #[test]
    fn sets_what_the_function_reads_and_nothing_else() {
        let asked = RefCell::new(BTreeSet::new());
        let nothing = Settings::from_env(|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        });
        assert!(nothing.is_err());
        // What the program reads beside the settings: how much it logs.
        let program = include_str!("../../api/src/program.rs");
        let mut read = asked.into_inner();
        read.extend(program.split('"').filter(|text| is_ours(text)).map(str::to_owned));
        read.retain(|name| is_ours(name));

        let set = |function| names(environment(function));
        assert_eq!(set("Function"), read);

        let asked = RefCell::new(BTreeSet::new());
        let note = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            None
        };
        assert!(Settings::failures_from_env(note).is_err());
        assert!(Settings::receivers_from_env(note).is_err());
        read.extend(asked.into_inner().into_iter().filter(|name| is_ours(name)));
        assert_eq!(set("EventsFunction"), read);
    }

    fn names(environment: Vec<(String, Value)>) -> BTreeSet<String> {
        environment.into_iter().map(|(name, _)| name).collect()
    }

    /// A change that nobody lets through reaches no handler; one that nobody handles costs.
    #[test]
    fn lets_the_changes_through_that_somebody_handles() {
        let mapping = properties("EventsOfTable", "AWS::Lambda::EventSourceMapping");
        let filters = mapping["FilterCriteria"]["Filters"].as_array().expect("a list").iter();
        let patterns = filters.map(|filter| {
            let pattern = filter["Pattern"].as_str().expect("text");
            serde_json::from_str::<Value>(pattern).expect("JSON")
        });
        let patterns = patterns.collect::<Vec<_>>();

        assert_eq!(patterns, stream_filter(&api::route_table()));
        assert!(patterns.len() <= 5, "a mapping takes no more");
        assert_eq!(mapping["EventSourceArn"], json!({ "Fn::GetAtt": "Table.StreamArn" }));
        assert_eq!(mapping["StartingPosition"], "TRIM_HORIZON", "nothing is lost at the start");
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert_eq!(mapping["BisectBatchOnFunctionError"], "true");
        assert_eq!(mapping["ParallelizationFactor"], "1", "an account's messages are in order");
        let failures = json!({ "Fn::GetAtt": "Failures.Arn" });
        assert_eq!(mapping["DestinationConfig"]["OnFailure"]["Destination"], failures);
        // The app sets a record aside after five failures, so it has to come more often than that.
        let number = |name: &str| mapping[name].as_str().and_then(|it| it.parse::<u32>().ok());
        assert!(number("MaximumRetryAttempts") > Some(5));
        assert!(number("MaximumRecordAgeInSeconds") < Some(24 * 60 * 60), "the stream has a day");
    }

    /// A laptop calls the events function as often, with as much, and for as long.
    #[test]
    fn calls_the_events_function_as_a_laptop_does() {
        let function = properties("EventsFunction", "AWS::Serverless::Function");
        let invoked = properties("EventsInvoked", "AWS::Lambda::EventInvokeConfig");
        let mapping = properties("EventsOfTable", "AWS::Lambda::EventSourceMapping");

        let timeout = Function::TIMEOUT.as_secs();
        assert_eq!(function["Timeout"], timeout.to_string());
        // Lambda calls again after a minute and after two more; a lease has ended by then.
        assert!(timeout < 180, "{timeout} s");
        assert_eq!(invoked["MaximumRetryAttempts"], Function::MAXIMUM_RETRY_ATTEMPTS.to_string());
        assert_eq!(mapping["BatchSize"], Function::BATCH_SIZE.to_string());
        assert_eq!(mapping["MaximumRetryAttempts"], Function::MAXIMUM_RECORD_RETRIES.to_string());
        assert_eq!((Function::MAXIMUM_RETRY_ATTEMPTS, Function::BATCH_SIZE), (2, 25));
    }

    /// The schedules that modules declare: the name of the rule, and its expression.
    fn schedules() -> BTreeSet<(String, String)> {
        let modules = api::route_table();
        let listeners = modules.iter().flat_map(|module| module.listeners());
        let schedules = listeners.filter_map(|listener| {
            let Trigger::Schedule(expression) = listener.trigger else { return None };
            let function = listener.name.rsplit('.').next().expect("a name has parts");
            Some((format!("${{AWS::StackName}}-{function}"), expression.to_owned()))
        });
        schedules.collect()
    }

    /// What there is of a type, by name.
    fn all_of(kind: &str) -> BTreeMap<String, Value> {
        let resources = template()["Resources"].take();
        let resources = resources.as_object().expect("resources by name").iter();
        let found = resources.filter(|(_, resource)| resource["Type"] == kind);
        found.map(|(name, it)| (name.clone(), it["Properties"].clone())).collect()
    }

    /// What EventBridge has events of others go through is no schedule.
    fn schedule_rules() -> BTreeMap<String, Value> {
        let mut rules = all_of("AWS::Events::Rule");
        rules.retain(|_, rule| rule["EventPattern"].is_null());
        rules
    }

    /// Each schedule has a rule that is named for its function, and there is no other rule.
    #[test]
    fn has_a_rule_for_each_schedule() {
        let rules = schedule_rules().into_values().map(|rule| {
            assert_eq!(rule["State"], "ENABLED");
            let [target] = rule["Targets"].as_array().expect("a list").as_slice() else {
                panic!("it has one target: {rule}");
            };
            assert_eq!(target["Arn"], json!({ "Fn::GetAtt": "EventsFunction.Arn" }));
            assert_eq!(target["Input"], Value::Null, "the app reads the whole event");
            assert!(target["RetryPolicy"].is_object(), "{rule}");
            let undelivered = json!({ "Fn::GetAtt": "SchedulesUndelivered.Arn" });
            assert_eq!(target["DeadLetterConfig"]["Arn"], undelivered);
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            (text(&rule["Name"]["Fn::Sub"]), text(&rule["ScheduleExpression"]))
        });

        assert_eq!(rules.collect::<BTreeSet<_>>(), schedules());
    }

    /// The function is called by these rules and no others, and what does not reach it is kept for
    /// these and no others.
    #[test]
    fn lets_each_rule_call_the_function_and_keep_what_does_not_reach_it() {
        let arn = |name: &String| json!({ "Fn::GetAtt": format!("{name}.Arn") });
        let rules: Vec<_> = schedule_rules().keys().map(arn).collect();
        assert!(!rules.is_empty());

        let mut permissions: Vec<_> = all_of("AWS::Lambda::Permission").into_values().collect();
        permissions.retain(|it| it["Principal"] == "events.amazonaws.com");
        let policy = properties("SchedulesUndeliveredPolicy", "AWS::SQS::QueuePolicy");
        let [allow, deny] =
            policy["PolicyDocument"]["Statement"].as_array().expect("a list").as_slice()
        else {
            panic!("{policy}");
        };

        let called: Vec<_> = permissions.iter().map(|it| it["SourceArn"].clone()).collect();
        assert_eq!(called, rules);
        for permission in permissions {
            assert_eq!(permission["Action"], "lambda:InvokeFunction");
            assert_eq!(permission["FunctionName"], json!({ "Ref": "EventsFunction" }));
        }
        let queue = "SchedulesUndelivered".to_owned();
        assert_eq!(properties(&queue, "AWS::SQS::Queue")["SqsManagedSseEnabled"], "true");
        assert_eq!(policy["Queues"], json!([{ "Ref": queue }]));
        assert_eq!(
            *allow,
            json!({
                "Sid": "SchedulesOfThisStack",
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": arn(&queue),
                "Condition": { "ArnEquals": { "aws:SourceArn": rules } },
            }),
        );
        assert_eq!(deny["Effect"], "Deny");
        assert_eq!(deny["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
    }

    /// Each way in which something may wait, fail or be lost has an alarm.
    #[test]
    fn tells_of_all_that_goes_wrong() {
        let by = |name: &str, value: &str| json!([{ "Name": name, "Value": { "Ref": value } }]);
        let of_function = by("FunctionName", "EventsFunction");
        let of_mapping = by("EventSourceMappingUUID", "EventsOfTable");
        let lambda = json!("AWS/Lambda");
        let own = json!({ "Fn::Sub": "Landline/${AWS::StackName}" });
        for (name, namespace, metric, dimensions, threshold, periods) in [
            ("EventsAreLate", &lambda, "IteratorAge", &of_function, "900000", "1"),
            ("EventsFail", &lambda, "Errors", &of_function, "0", "3"),
            (
                "EventsAreGivenUp",
                &lambda,
                "OnFailureDestinationDeliveredEventCount",
                &of_mapping,
                "0",
                "1",
            ),
            ("AsyncEventsAreGivenUp", &lambda, "AsyncEventsDropped", &of_function, "0", "1"),
            ("FailuresAreLost", &lambda, "DestinationDeliveryFailures", &of_function, "0", "1"),
            ("MailIsNotTaken", &own, "MailWaits", &Value::Null, "1", "1"),
            ("EventsAreSetAside", &own, "RecordsSetAside", &Value::Null, "0", "1"),
        ] {
            let alarm = properties(name, "AWS::CloudWatch::Alarm");

            assert_eq!(&alarm["Namespace"], namespace, "{name}");
            assert_eq!(alarm["MetricName"], metric, "{name}");
            assert_eq!(&alarm["Dimensions"], dimensions, "{name}");
            assert_eq!(alarm["Threshold"], threshold, "{name}");
            assert_eq!(alarm["EvaluationPeriods"], periods, "{name}");
            assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{name}");
            assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
            assert_eq!(alarm["AlarmActions"], whoever_is_told(), "{name}");
            let period = if name == "MailIsNotTaken" { "3600" } else { "300" };
            assert_eq!(alarm["Period"], period, "{name}");
            let statistic = if name == "EventsAreLate" { "Maximum" } else { "Sum" };
            assert_eq!(alarm["Statistic"], statistic, "{name}");
        }
    }

    fn whoever_is_told() -> Value {
        json!({ "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopic" }], { "Ref": "AWS::NoValue" }] })
    }

    #[test]
    fn tells_of_schedules_that_do_not_reach_the_function() {
        let alarm = properties("SchedulesAreUndelivered", "AWS::CloudWatch::Alarm");

        let queue = json!({ "Fn::GetAtt": "SchedulesUndelivered.QueueName" });
        assert_eq!(alarm["Dimensions"], json!([{ "Name": "QueueName", "Value": queue }]));
        assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible");
        assert_eq!(alarm["Threshold"], "0");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
        assert_eq!(alarm["AlarmActions"], whoever_is_told());
    }

    #[test]
    fn allows_the_events_function_what_it_calls_and_no_more() {
        let allowed = allowed("EventsRole");
        let mut store = called_by_the_store();
        store.extend(called_by_the_sweep());

        let actions = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<BTreeSet<_>>();
        let stream = ["DescribeStream", "GetRecords", "GetShardIterator"];
        let stream = stream.map(|name| format!("dynamodb:{name}")).into();
        let table = json!({ "Fn::GetAtt": "Table.Arn" });
        let identity = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/";
        let domain = json!({ "Fn::Select": ["1", { "Fn::Split":
            ["@", { "Fn::Sub": "${MailFrom}@" }] }] });
        assert_eq!(
            allowed,
            [
                (store, table),
                (actions(&["dynamodb:Query"]), json!({ "Fn::Sub": "${Table.Arn}/index/byLookup" })),
                (stream, json!({ "Fn::GetAtt": "Table.StreamArn" })),
                // It has no resource that could be named.
                (actions(&["dynamodb:ListStreams"]), json!("*")),
                (
                    actions(&["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]),
                    json!({ "Fn::Sub": "${Failures.Arn}/*" }),
                ),
                (actions(&["s3:ListBucket"]), json!({ "Fn::GetAtt": "Failures.Arn" })),
                (
                    actions(&["ses:SendEmail"]),
                    json!([
                        { "Fn::Sub": format!("{identity}${{MailFrom}}") },
                        { "Fn::Sub": [format!("{identity}${{Domain}}"), { "Domain": domain }] },
                    ]),
                ),
                (
                    actions(&["logs:CreateLogStream", "logs:PutLogEvents"]),
                    json!({ "Fn::GetAtt": "EventsLogs.Arn" }),
                ),
            ],
        );
    }

    /// What tells of failures, and of mails that wait, reads the app's own words.
    #[test]
    fn counts_what_is_set_aside_and_mails_that_wait() {
        for (name, source) in [
            ("RecordsSetAside", include_str!("../../api/src/events/attempt.rs")),
            ("MailWaits", include_str!("../../api/src/platform/outbox/mod.rs")),
        ] {
            let filter = properties(name, "AWS::Logs::MetricFilter");
            let pattern = filter["FilterPattern"].as_str().expect("text");
            let words = pattern.split('"').nth(1).expect("a quoted text");

            // With any `LogLevel` that a team may choose.
            let said = source.split("error!(").skip(1).any(|said| {
                said.split(')').next().is_some_and(|said| said.ends_with(&format!("\"{words}\"")))
            });
            assert!(said, "{name}");
            let metric = &filter["MetricTransformations"][0];
            assert_eq!(metric["MetricName"], name);
            assert_eq!(metric["MetricNamespace"]["Fn::Sub"], "Landline/${AWS::StackName}");
        }
    }

    #[test]
    fn has_no_parameter_that_the_guide_does_not_name() {
        let guide = include_str!("../../docs/deploying.md");
        let parameters = template()["Parameters"].take();

        for name in parameters.as_object().expect("parameters by name").keys() {
            assert!(guide.contains(&format!("`{name}`")), "{name}");
        }
    }

    /// A parameter that is left alone must be one that the function takes, blank ones included.
    #[test]
    fn starts_the_function_with_the_parameters_as_they_are() {
        let parameters = template()["Parameters"].take();
        let environment = environment("EventsFunction");
        let find = |wanted: &str| {
            let (_, value) = environment.iter().find(|(name, _)| name == wanted)?;
            let default = &parameters[value["Ref"].as_str().unwrap_or_default()]["Default"];
            Some(match (wanted, default.as_str()) {
                (_, Some(default)) => default.to_owned(),
                ("LANDLINE_SIGNING_KEY", None) => {
                    let reference = value["Fn::Sub"].as_str().expect("a text with a name in it");
                    reference.replace("${SigningKeySecret}", SECRET)
                }
                ("LANDLINE_PUBLIC_KEYS", None) => PUBLIC_KEY.to_owned(),
                ("LANDLINE_ISSUER", None) => issuer(value),
                (_, None) => "made-by-cloudformation".to_owned(),
            })
        };
        let lambda = |name: &str| name.starts_with("AWS_").then(|| "512".to_owned());

        let settings = Settings::from_env(|name| match name {
            "AWS_CA_BUNDLE" => None,
            name if name.starts_with("AWS_ENDPOINT_URL_") => None,
            name => find(name).or_else(|| lambda(name)),
        });

        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.auth.issuer, "https://abc.execute-api.eu-central-1.amazonaws.com");
        assert_eq!(settings.auth.audience, "landline");
        assert_eq!(settings.auth.sessions, SessionRules::default());
        let admin = Roles::from([("admin".to_owned(), vec!["admin".to_owned()])]);
        assert_eq!(settings.auth.roles, admin);
        assert!(settings.auth.signing.in_hand().is_none(), "the key stays where it is kept");
        assert_eq!(settings.web.cors_origins, [""; 0]);
        assert_eq!(settings.web.base_path, "");
    }

    /// The URL that API Gateway gives, when nobody says another.
    fn issuer(value: &Value) -> String {
        let [condition, blank, given] = value["Fn::If"].as_array().expect("a choice").as_slice()
        else {
            panic!("{value}");
        };
        assert_eq!(condition, "IssuerIsApiUrl");
        assert_eq!(given, &json!({ "Ref": "Issuer" }));
        assert_eq!(template()["Outputs"]["ApiUrl"]["Value"], *blank, "that is where the API is");
        let url = blank["Fn::Sub"].as_str().expect("a text with names in it");
        url.replace("${Api}", "abc")
            .replace("${AWS::Region}", "eu-central-1")
            .replace("${AWS::URLSuffix}", "amazonaws.com")
    }

    #[test]
    fn allows_what_the_store_calls_and_no_more() {
        let allowed = allowed("FunctionRole");

        let index = template()["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"][0]
            ["IndexName"]
            .take();
        let index = format!("${{Table.Arn}}/index/{}", index.as_str().expect("the index's name"));
        let query = ["dynamodb:Query".to_owned()];
        let logs = ["logs:CreateLogStream", "logs:PutLogEvents"].map(str::to_owned);
        assert_eq!(
            allowed,
            [
                (called_by_the_store(), json!({ "Fn::GetAtt": "Table.Arn" })),
                (query.into(), json!({ "Fn::Sub": index })),
                (called_for_the_signing_key(), json!({ "Ref": "SigningKeySecret" })),
                (logs.into(), json!({ "Fn::GetAtt": "FunctionLogs.Arn" })),
            ],
        );
    }

    /// What a role allows: actions and on what. A policy that is there on a condition counts.
    fn allowed(role: &str) -> Vec<(BTreeSet<String>, Value)> {
        let role = properties(role, "AWS::IAM::Role");
        assert_eq!(role["ManagedPolicyArns"], Value::Null);
        let mut allowed = Vec::new();
        for policy in role["Policies"].as_array().expect("policies of its own") {
            let policy = policy["Fn::If"].get(1).unwrap_or(policy);
            for statement in policy["PolicyDocument"]["Statement"].as_array().expect("a list") {
                let actions = statement["Action"].as_array().expect("a list").iter();
                let actions = actions.map(|action| action.as_str().expect("text").to_owned());
                assert_eq!(statement["Effect"], "Allow");
                allowed.push((actions.collect(), statement["Resource"].clone()));
            }
        }
        allowed
    }

    /// The permissions for every call in the store's sources, but for those that make the table,
    /// which the template does in the cloud, and those of the sweep, which is no request.
    fn called_by_the_store() -> BTreeSet<String> {
        let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/src/store");
        let mut permissions = BTreeSet::new();
        for file in fs::read_dir(store).expect("the store has a folder") {
            let path = file.expect("it can be listed").path();
            let others = ["table.rs", "walk.rs"].iter().any(|other| path.ends_with(other));
            if path.extension().is_none_or(|end| end != "rs") || others {
                continue;
            }
            let source = fs::read_to_string(path).expect("it can be read");
            let source: String = source.split_whitespace().collect();
            permissions.extend(called_in(&source));
            // In a transaction the permission is that of each write in it.
            let parts = ["ConditionCheck", "Delete", "Get", "Put", "Update"];
            let parts = parts.iter().filter(|part| source.contains(&format!("{part}::builder()")));
            permissions.extend(parts.map(|part| format!("dynamodb:{part}Item")));
        }
        permissions
    }

    fn called_by_the_sweep() -> BTreeSet<String> {
        let source = include_str!("../../models/src/store/walk.rs").split_whitespace();
        let called = called_in(&source.collect::<String>());
        let expected = ["dynamodb:DeleteItem", "dynamodb:Scan"].map(str::to_owned);
        assert_eq!(called, expected.into());
        called
    }

    /// The permissions for the calls in a source that has no white space.
    fn called_in(source: &str) -> BTreeSet<String> {
        let calls = source.split("client.").skip(1).filter_map(|rest| rest.split_once('('));
        calls.filter_map(|(call, _)| permission(call)).collect()
    }

    /// The permission for the call to Secrets Manager. The template's key is no parameter of SSM's.
    fn called_for_the_signing_key() -> BTreeSet<String> {
        let source = include_str!("../../auth/src/kept_key.rs");
        assert_eq!(source.matches("client.").count(), 2, "one of SSM and one of Secrets Manager");
        assert!(source.contains("client.get_secret_value()"));
        ["secretsmanager:GetSecretValue".to_owned()].into()
    }

    /// `put_item` needs `dynamodb:PutItem`.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
    fn permission(call: &str) -> Option<String> {
        let is_a_name = call.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !is_a_name || call.starts_with("transact_") {
            return None;
        }
        let words =
            call.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
        Some(format!("dynamodb:{}", words.collect::<String>()))
    }

    #[test]
    fn leaves_every_answer_to_the_app() {
        let resources = template()["Resources"].take();
        let resources = resources.as_object().expect("resources by name");
        let of_type = |kind: &str| {
            let found = resources.values().filter(|resource| resource["Type"] == kind);
            found.map(|resource| resource["Properties"].clone()).collect::<Vec<_>>()
        };

        assert_eq!(
            of_type("AWS::ApiGatewayV2::Route"),
            [json!({
                "ApiId": { "Ref": "Api" },
                "RouteKey": "$default",
                "Target": { "Fn::Sub": "integrations/${ApiIntegration}" },
            })],
        );
        assert_eq!(
            of_type("AWS::ApiGatewayV2::Api"),
            [json!({ "Name": { "Ref": "AWS::StackName" }, "ProtocolType": "HTTP" })],
        );
        assert_eq!(of_type("AWS::ApiGatewayV2::Stage")[0]["StageName"], "$default");
        assert_eq!(of_type("AWS::ApiGatewayV2::Integration")[0]["PayloadFormatVersion"], "2.0");
        assert_eq!(of_type("AWS::Serverless::Function").len(), 2, "one for requests");
    }

    /// A function's environment, the part of both included: names, and values as the template has
    /// them.
    fn environment(function: &str) -> Vec<(String, Value)> {
        let function = properties(function, "AWS::Serverless::Function");
        let both = template()["Globals"]["Function"].take();
        let variables = [both, function]
            .into_iter()
            .filter_map(|it| Some(it["Environment"]["Variables"].as_object()?.clone()));
        variables.flatten().collect()
    }

    fn is_ours(name: &str) -> bool {
        name.starts_with("LANDLINE_")
    }
}
