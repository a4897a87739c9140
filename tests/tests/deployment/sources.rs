//! Where events come from: what modules listen to is sent to the events function. Of changes and
//! schedules there is more to say, and the tests beside these do.

use api::{
    events::{CustomEvent, ObjectCreated, QueueMessage, StreamRecord, Trigger},
    http::Module,
};

use super::*;

/// What nothing in a template sends to the events function, of what these modules listen to.
fn unsent(template: &Value, modules: &[Module]) -> Vec<String> {
    let listeners = modules.iter().flat_map(|module| module.listeners());
    let unsent = listeners.filter_map(|listener| match listener.trigger {
        Trigger::Message(queue) => {
            let is_sent = is_mapped(template, "AWS::SQS::Queue", "QueueName", queue);
            (!is_sent).then(|| format!("the queue {queue}"))
        }
        Trigger::Stream(stream) => {
            let is_sent = is_mapped(template, "AWS::Kinesis::Stream", "Name", stream);
            (!is_sent).then(|| format!("the stream {stream}"))
        }
        Trigger::ObjectCreated(prefix) => {
            (!is_notified(template, prefix)).then(|| format!("files under {prefix}"))
        }
        Trigger::Custom(source, kind) => {
            (!is_ruled(template, source, kind)).then(|| format!("{kind} of {source}"))
        }
        Trigger::Change(_) | Trigger::Schedule(_) => None,
    });
    unsent.collect()
}

fn of_type<'a>(template: &'a Value, kind: &str) -> Vec<(&'a String, &'a Value)> {
    let resources = template["Resources"].as_object().expect("resources by name").iter();
    let found = resources.filter(|(_, resource)| resource["Type"] == kind);
    found.map(|(name, resource)| (name, &resource["Properties"])).collect()
}

fn arn(name: &str) -> Value {
    json!({ "Fn::GetAtt": format!("{name}.Arn") })
}

/// Whether a queue or stream of this name, behind that of the stack, has a mapping to the function.
fn is_mapped(template: &Value, kind: &str, property: &str, declared: &str) -> bool {
    let mut sources = of_type(template, kind).into_iter().filter(|(_, source)| {
        let name = &source[property];
        let name = name.as_str().or(name["Fn::Sub"].as_str()).unwrap_or_default();
        name == declared || name.ends_with(&format!("-{declared}"))
    });
    let mappings = of_type(template, "AWS::Lambda::EventSourceMapping");
    sources.any(|(source, _)| {
        mappings.iter().any(|(_, mapping)| {
            mapping["EventSourceArn"] == arn(source)
                && mapping["FunctionName"] == json!({ "Ref": "EventsFunction" })
        })
    })
}

fn is_notified(template: &Value, declared: &str) -> bool {
    let notifies = |configuration: &Value| {
        let rules = configuration["Filter"]["S3Key"]["Rules"].as_array().into_iter().flatten();
        configuration["Event"] == "s3:ObjectCreated:*"
            && configuration["Function"] == arn("EventsFunction")
            && rules.clone().all(|rule| {
                rule["Name"] == "prefix"
                    && rule["Value"].as_str().is_some_and(|prefix| declared.starts_with(prefix))
            })
    };
    of_type(template, "AWS::S3::Bucket").iter().any(|(_, bucket)| {
        let told = bucket["NotificationConfiguration"]["LambdaConfigurations"].as_array();
        told.into_iter().flatten().any(notifies)
    })
}

fn is_ruled(template: &Value, source: &str, kind: &str) -> bool {
    of_type(template, "AWS::Events::Rule").iter().any(|(_, rule)| {
        let has = |member: &str, value: &str| {
            rule["EventPattern"][member].as_array().is_some_and(|all| all.contains(&json!(value)))
        };
        let mut targets = rule["Targets"].as_array().into_iter().flatten();
        has("source", source)
            && has("detail-type", kind)
            && targets.any(|target| target["Arn"] == arn("EventsFunction"))
    })
}

fn listening() -> Vec<Module> {
    vec![
        Module::new("orders")
            .on_message("orders", async |_: QueueMessage<Value>| Ok(()))
            .on_stream("activity", async |_: StreamRecord<Value>| Ok(()))
            .on_object_created("uploads/new/", async |_: ObjectCreated| Ok(()))
            .on_event("shop", "order.paid", async |_: CustomEvent<Value>| Ok(())),
    ]
}

#[test]
fn that_modules_listen_to_reach_the_function() {
    assert_eq!(unsent(&template(), &api::route_table()), Vec::<String>::new());
}

/// So that a team is told which one it has left out.
#[test]
fn that_do_not_reach_it_are_named() {
    let all = ["the queue orders", "the stream activity", "files under uploads/new/"];
    let all = [&all[..], &["order.paid of shop"]].concat();
    assert_eq!(unsent(&template(), &listening()), all);

    let function = json!({ "Ref": "EventsFunction" });
    let mapping = |source: &str| {
        json!({
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": { "EventSourceArn": arn(source), "FunctionName": function },
        })
    };
    let uploads = |prefix: &str| {
        json!([{
            "Event": "s3:ObjectCreated:*",
            "Function": arn("EventsFunction"),
            "Filter": { "S3Key": { "Rules": [{ "Name": "prefix", "Value": prefix }] } },
        }])
    };
    let mut template = json!({ "Resources": {
        "Orders": {
            "Type": "AWS::SQS::Queue",
            "Properties": { "QueueName": { "Fn::Sub": "${AWS::StackName}-orders" } },
        },
        "OrdersMapped": mapping("Orders"),
        "Activity": { "Type": "AWS::Kinesis::Stream", "Properties": { "Name": "activity" } },
        "ActivityMapped": mapping("Activity"),
        "Files": { "Type": "AWS::S3::Bucket", "Properties": {
            "NotificationConfiguration": { "LambdaConfigurations": uploads("uploads/") },
        } },
        "Paid": { "Type": "AWS::Events::Rule", "Properties": {
            "EventPattern": { "source": ["shop"], "detail-type": ["order.paid"] },
            "Targets": [{ "Id": "events", "Arn": arn("EventsFunction") }],
        } },
    } });
    assert_eq!(unsent(&template, &listening()), Vec::<String>::new());

    for (pointer, instead) in [
        ("/Orders/Properties/QueueName/Fn::Sub", json!("${AWS::StackName}-reorders")),
        ("/ActivityMapped/Properties/FunctionName/Ref", json!("Function")),
        (
            "/Files/Properties/NotificationConfiguration/LambdaConfigurations",
            uploads("uploads/old/"),
        ),
        ("/Paid/Properties/EventPattern/detail-type", json!(["order.refunded"])),
    ] {
        let place = format!("/Resources{pointer}");
        *template.pointer_mut(&place).expect("it is there") = instead;
    }
    assert_eq!(unsent(&template, &listening()), all);
}

/// Without the first, Lambda takes a batch for done; without the others, a record that never succeeds
/// holds up a stream, and is lost in the end.
#[test]
fn report_partial_failures_and_lose_nothing() {
    let template = template();
    let mappings = of_type(&template, "AWS::Lambda::EventSourceMapping");
    assert!(!mappings.is_empty());
    for (name, mapping) in mappings {
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
        let source = mapping["EventSourceArn"]["Fn::GetAtt"].as_str().unwrap_or_default();
        let queue = source.strip_suffix(".Arn").map(|source| &template["Resources"][source]);
        if let Some(queue) = queue.filter(|queue| queue["Type"] == "AWS::SQS::Queue") {
            let redrive = &queue["Properties"]["RedrivePolicy"];
            let received =
                redrive["maxReceiveCount"].as_str().and_then(|it| it.parse::<u32>().ok());
            assert!(received > Some(5), "{name}");
            continue;
        }
        assert_eq!(mapping["BisectBatchOnFunctionError"], "true", "{name}");
        assert!(mapping["MaximumRecordAgeInSeconds"].is_string(), "{name}");
        assert_eq!(
            mapping["DestinationConfig"]["OnFailure"]["Destination"],
            arn("Failures"),
            "{name}"
        );
    }
}
