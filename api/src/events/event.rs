//! An event as it came, read in one go: whoever sends its first record sends them all.

use std::fmt;

use aws_lambda_events::{
    dynamodb::EventRecord, eventbridge::EventBridgeEvent, kinesis::KinesisEventRecord,
    s3::S3EventRecord, sqs::SqsMessage,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::Refused;

/// An event, in the form of its source.
pub(crate) enum Event {
    Records(Records),
    Custom(EventBridgeEvent<Box<RawValue>>),
    /// Not AWS's: the failures under this prefix are to be replayed.
    Replay(String),
}

/// A list of records from one source.
pub(crate) enum Records {
    S3(Vec<S3EventRecord>),
    Kinesis(Vec<KinesisEventRecord>),
    DynamoDb(Vec<EventRecord>),
    Sqs(Vec<SqsMessage>),
    /// Of a source that is not handled here.
    Of(String),
    /// Of nobody knows what.
    Unnamed,
}

impl Event {
    pub(crate) fn read(payload: &str) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        struct Outline {
            #[serde(rename = "Records", default)]
            records: Option<Records>,
            #[serde(default)]
            source: Option<IgnoredAny>,
            #[serde(rename = "detail-type", default)]
            detail_type: Option<IgnoredAny>,
            #[serde(default)]
            replay: Option<Value>,
        }
        let outline: Outline = serde_json::from_str(payload).map_err(malformed)?;
        match outline {
            Outline { records: Some(records), .. } => Ok(Self::Records(records)),
            Outline { source: Some(_), detail_type: Some(_), .. } => {
                serde_json::from_str(payload).map(Self::Custom).map_err(malformed)
            }
            Outline { source: None, replay: Some(Value::String(prefix)), .. } => {
                Ok(Self::Replay(prefix))
            }
            _ => Err(Refused::Undeclared("an event that names no source".to_owned())),
        }
    }
}

/// serde's sentence may quote what somebody has sent.
fn malformed(error: serde_json::Error) -> Refused {
    let at = format!("line {}, column {}", error.line(), error.column());
    Refused::Malformed(format!("it is not of its source's form at {at}"))
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Records;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Records, A::Error> {
                #[derive(Deserialize)]
                struct Named {
                    #[serde(rename = "eventSource", alias = "EventSource", default)]
                    source: Option<String>,
                }
                let Some(first) = records.next_element::<&RawValue>()? else {
                    return Ok(Records::Unnamed);
                };
                let Named { source } = parsed(first)?;
                match source.as_deref() {
                    Some("aws:s3") => all(first, records).map(Records::S3),
                    Some("aws:kinesis") => all(first, records).map(Records::Kinesis),
                    Some("aws:dynamodb") => all(first, records).map(Records::DynamoDb),
                    Some("aws:sqs") => all(first, records).map(Records::Sqs),
                    _ => {
                        while records.next_element::<IgnoredAny>()?.is_some() {}
                        Ok(source.map_or(Records::Unnamed, Records::Of))
                    }
                }
            }
        }

        deserializer.deserialize_seq(List)
    }
}

fn all<'de, T: DeserializeOwned, A: SeqAccess<'de>>(
    first: &RawValue,
    mut others: A,
) -> Result<Vec<T>, A::Error> {
    let mut records = vec![parsed(first)?];
    while let Some(record) = others.next_element()? {
        records.push(record);
    }
    Ok(records)
}

/// The first record, read a second time. What is wrong with it is told at its end.
fn parsed<T: DeserializeOwned, E: Error>(first: &RawValue) -> Result<T, E> {
    serde_json::from_str(first.get()).map_err(|_| E::custom("the first record"))
}
