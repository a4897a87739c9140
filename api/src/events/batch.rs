//! From an event of AWS to the records in it, each with the handlers that listen to it.

use std::{borrow::Cow, fmt, sync::Arc};

use aws_lambda_events::{
    dynamodb, eventbridge::EventBridgeEvent, kinesis::KinesisEvent, kinesis::KinesisEventRecord,
    s3::S3Event, s3::S3EventRecord, sqs::SqsEvent, sqs::SqsMessage,
};
use lambda_runtime::Diagnostic;
use models::{Timestamp, store::Images};
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{Listener, ObjectCreated, Trigger};

/// What sends events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    S3,
    Kinesis,
    DynamoDb,
    Sqs,
    SqsFifo,
    EventBridge,
}

impl Source {
    /// As its records name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S3 => "aws:s3",
            Self::Kinesis => "aws:kinesis",
            Self::DynamoDb => "aws:dynamodb",
            Self::Sqs | Self::SqsFifo => "aws:sqs",
            Self::EventBridge => "aws:events",
        }
    }

    /// After so many failures a record is set aside. Lambda itself sends what S3 and EventBridge
    /// tell three times at most; the others would come until they are too old.
    pub(crate) fn most_failures(self) -> u32 {
        match self {
            Self::S3 | Self::EventBridge => 3,
            Self::Kinesis | Self::DynamoDb | Self::Sqs | Self::SqsFifo => 5,
        }
    }
}

/// The records of one event.
pub(crate) struct Batch {
    pub(crate) source: Source,
    pub(crate) records: Vec<Incoming>,
}

/// A record and what is to be done with it.
pub(crate) struct Incoming {
    /// What its source knows it by in an answer; empty where the source takes none.
    pub(crate) identifier: String,
    /// The same whenever the record comes: its source, and its id there.
    pub(crate) id: String,
    /// What the order is kept within, in a queue in order.
    pub(crate) group: Option<String>,
    /// The places of its listeners. None where it is of no interest.
    pub(crate) listeners: Arc<[usize]>,
    pub(crate) wire: Wire,
}

/// A record, taken out of its source's form.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Wire {
    Object(ObjectCreated),
    Change(Images),
    Message {
        id: String,
        body: String,
        group: Option<String>,
        sent_at: Option<Timestamp>,
    },
    Stream {
        partition_key: String,
        sequence_number: String,
        data: Vec<u8>,
        arrived_at: Timestamp,
    },
    Custom {
        id: String,
        source: String,
        detail_type: String,
        detail: Box<RawValue>,
        time: Option<Timestamp>,
    },
}

/// Why nothing was done with an event. It is an error of the invocation, so AWS acknowledges none
/// of the event's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not what its source sends.
    Malformed(String),
    /// Nobody has declared a handler for it.
    Undeclared(String),
    /// Records of a source that takes no list of them in an answer were not handled.
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        records: usize,
    },
    /// The failures that were to be replayed cannot be reached.
    Unreachable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the event is malformed: {why}"),
            Self::Undeclared(what) => write!(f, "no module has declared a handler for {what}"),
            Self::Failed { failed, records } => {
                write!(f, "{failed} of {records} records were not handled")
            }
            Self::Unreachable(why) => write!(f, "the failures cannot be reached: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Diagnostic {
    fn from(refused: Refused) -> Self {
        let error_type = match refused {
            Refused::Malformed(_) => "MalformedEvent",
            Refused::Undeclared(_) => "UndeclaredEvent",
            Refused::Failed { .. } => "RecordsFailed",
            Refused::Unreachable(_) => "FailuresUnreachable",
        };
        Self { error_type: error_type.to_owned(), error_message: refused.to_string() }
    }
}

/// As much of an event as tells who has sent it.
#[derive(Deserialize)]
pub(crate) struct Peek {
    #[serde(rename = "Records", default)]
    records: Option<First>,
    #[serde(default)]
    source: Option<Value>,
    #[serde(rename = "detail-type", default)]
    detail_type: Option<Value>,
    /// Not AWS's: the failures under this prefix are to be replayed.
    #[serde(default)]
    replay: Option<Value>,
}

/// The source of the first of some records; the others are not looked at.
struct First(Option<String>);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;

        impl<'de> Visitor<'de> for Records {
            type Value = First;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<First, A::Error> {
                #[derive(Deserialize)]
                struct Named {
                    #[serde(rename = "eventSource", alias = "EventSource", default)]
                    source: Option<String>,
                }
                let first = records.next_element::<Named>()?;
                while records.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first.and_then(|first| first.source)))
            }
        }

        deserializer.deserialize_seq(Records)
    }
}

impl Peek {
    /// What is to be replayed, where the event is that and nothing else.
    pub(crate) fn replay(&self) -> Option<&str> {
        let alone = self.records.is_none() && self.source.is_none();
        self.replay.as_ref().filter(|_| alone).and_then(Value::as_str)
    }

    pub(crate) fn at(payload: &str) -> Result<Self, Refused> {
        serde_json::from_str(payload).map_err(malformed)
    }
}

/// serde's sentence may quote what somebody has sent.
fn malformed(error: serde_json::Error) -> Refused {
    let at = format!("line {}, column {}", error.line(), error.column());
    Refused::Malformed(format!("it is not of its source's form at {at}"))
}

/// Where records of the table's own stream come from, and who listens to what.
pub(crate) struct Declared<'a> {
    pub(crate) listeners: &'a [Listener],
    pub(crate) table: &'a str,
}

impl Declared<'_> {
    /// All records of an event, or none.
    pub(crate) fn read(&self, peek: &Peek, payload: &str) -> Result<Batch, Refused> {
        match &peek.records {
            Some(First(Some(source))) => match source.as_str() {
                "aws:s3" => self.objects(payload),
                "aws:kinesis" => self.stream(payload),
                "aws:dynamodb" => self.changes(payload),
                "aws:sqs" => self.messages(payload),
                other => Err(Refused::Undeclared(format!("events of `{other}`"))),
            },
            Some(First(None)) => {
                Err(Refused::Malformed("its first record names no source".to_owned()))
            }
            None if peek.source.is_some() && peek.detail_type.is_some() => self.custom(payload),
            None => Err(Refused::Undeclared("an event that names no source".to_owned())),
        }
    }

    /// Those who listen, or the sentence that nobody does.
    fn listening(
        &self,
        what: impl FnOnce() -> String,
        to: impl Fn(&Trigger) -> bool,
    ) -> Result<Arc<[usize]>, Refused> {
        let found: Arc<[_]> = self.places(to).collect();
        if found.is_empty() { Err(Refused::Undeclared(what())) } else { Ok(found) }
    }

    fn places(&self, to: impl Fn(&Trigger) -> bool) -> impl Iterator<Item = usize> {
        let listeners = self.listeners.iter().enumerate();
        listeners.filter(move |(_, listener)| to(&listener.trigger)).map(|(place, _)| place)
    }

    /// Those whose declared name fits best.
    fn named(
        &self,
        kind: &str,
        name: &str,
        declared: impl Fn(&Trigger) -> Option<&'static str>,
    ) -> Result<Arc<[usize]>, Refused> {
        let fitting = |trigger: &Trigger| declared(trigger).filter(|it| is_called(name, it));
        let best = self.listeners.iter().filter_map(|listener| fitting(&listener.trigger));
        let best = best.max_by_key(|declared| declared.len());
        self.listening(
            || format!("{kind} `{name}`"),
            |trigger| best.is_some() && fitting(trigger) == best,
        )
    }

    fn objects(&self, payload: &str) -> Result<Batch, Refused> {
        let event: S3Event = read(payload)?;
        let records = event.records.into_iter().map(|record| self.object(record));
        Ok(Batch { source: Source::S3, records: records.collect::<Result<_, _>>()? })
    }

    fn object(&self, record: S3EventRecord) -> Result<Incoming, Refused> {
        is_of(record.event_source.as_deref(), Source::S3)?;
        let name = needed(record.event_name, "eventName")?;
        let bucket = needed(record.s3.bucket.name, "s3.bucket.name")?;
        let object = record.s3.object;
        let key = decode_key(&needed(object.key, "s3.object.key")?)?;
        let listeners = self.listening(
            // A key is often a person's: its first folder says enough.
            || {
                let folder = key.split_once('/').map_or("", |(folder, _)| folder);
                format!("`{name}` in the bucket `{bucket}`, folder `{folder}`")
            },
            |trigger| match trigger {
                Trigger::ObjectCreated(prefix) => {
                    name.starts_with("ObjectCreated:") && key.starts_with(prefix)
                }
                _ => false,
            },
        )?;
        // One of them tells one writing of the object from the next.
        let written = object.version_id.as_deref().or(object.sequencer.as_deref());
        let id = format!("aws:s3/{bucket}/{key}/{}/{name}", written.unwrap_or_default());
        let object = ObjectCreated {
            bucket,
            key,
            size: object.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
            etag: object.e_tag.unwrap_or_default(),
            version_id: object.version_id,
            time: Timestamp::from_unix_millis(record.event_time.timestamp_millis()),
        };
        let wire = Wire::Object(object);
        Ok(Incoming { identifier: String::new(), id, group: None, listeners, wire })
    }

    fn stream(&self, payload: &str) -> Result<Batch, Refused> {
        let event: KinesisEvent = read(payload)?;
        let mut listening = None;
        let records = event.records.into_iter().map(|record| {
            is_of(record.event_source.as_deref(), Source::Kinesis)?;
            let name = last_part(record.event_source_arn.as_deref(), '/')?;
            let listeners = once(&mut listening, name, || {
                self.named("the stream", name, |trigger| match trigger {
                    Trigger::Stream(declared) => Some(declared),
                    _ => None,
                })
            })?;
            streamed(record, listeners)
        });
        Ok(Batch { source: Source::Kinesis, records: records.collect::<Result<_, _>>()? })
    }

    fn changes(&self, payload: &str) -> Result<Batch, Refused> {
        let event: dynamodb::Event = read(payload)?;
        let records = event.records.into_iter().map(|record| self.change(record));
        Ok(Batch { source: Source::DynamoDb, records: records.collect::<Result<_, _>>()? })
    }

    /// The stream tells of everything in the table, so a kind that nobody listens to is no mistake.
    fn change(&self, record: dynamodb::EventRecord) -> Result<Incoming, Refused> {
        is_of(record.event_source.as_deref(), Source::DynamoDb)?;
        // arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>
        let arn = needed(record.event_source_arn, "eventSourceARN")?;
        let table = arn.split(":table/").nth(1).and_then(|rest| rest.split('/').next());
        let is_listening = |trigger: &Trigger| matches!(trigger, Trigger::Change(_));
        if table != Some(self.table) || self.places(is_listening).next().is_none() {
            let table = table.unwrap_or(&arn);
            return Err(Refused::Undeclared(format!("changes of the table `{table}`")));
        }
        let identifier = needed(record.change.sequence_number, "dynamodb.SequenceNumber")?;
        let by_dynamodb = |it: &dynamodb::UserIdentity| {
            it.type_ == "Service" && it.principal_id == "dynamodb.amazonaws.com"
        };
        let expired =
            record.event_name == "REMOVE" && record.user_identity.as_ref().is_some_and(by_dynamodb);
        let told_at = record.change.approximate_creation_date_time.timestamp_millis();
        let images = Images::new(record.change.old_image, record.change.new_image, expired)
            .told_at(Timestamp::from_unix_millis(told_at));
        let listeners = self.listeners.iter().enumerate().filter(|(_, listener)| {
            let own = listener.marked && images.written_by() == Some(&listener.name);
            let Trigger::Change(kind) = listener.trigger else { return false };
            images.kind() == Some(kind) && !own
        });
        let listeners = listeners.map(|(place, _)| place).collect();
        let id = format!("aws:dynamodb/{}", filled(&record.event_id, "eventID")?);
        Ok(Incoming { identifier, id, group: None, listeners, wire: Wire::Change(images) })
    }

    fn messages(&self, payload: &str) -> Result<Batch, Refused> {
        let event: SqsEvent = read(payload)?;
        let mut source = Source::Sqs;
        let mut listening = None;
        let records = event.records.into_iter().map(|message| {
            is_of(message.event_source.as_deref(), Source::Sqs)?;
            let name = last_part(message.event_source_arn.as_deref(), ':')?;
            if name.ends_with(".fifo") {
                source = Source::SqsFifo;
            }
            let listeners = once(&mut listening, name, || {
                self.named("the queue", name, |trigger| match trigger {
                    Trigger::Message(declared) => Some(declared),
                    _ => None,
                })
            })?;
            sent(message, source, listeners)
        });
        let records = records.collect::<Result<_, _>>()?;
        Ok(Batch { source, records })
    }

    fn custom(&self, payload: &str) -> Result<Batch, Refused> {
        let event: EventBridgeEvent<Box<RawValue>> = read(payload)?;
        let (source, detail_type) = (event.source, event.detail_type);
        let listeners = if source == "aws.events" && detail_type == "Scheduled Event" {
            let rule = event.resources.as_ref().and_then(|resources| resources.first());
            let rule = last_part(rule.map(String::as_str), '/')?;
            self.scheduled(rule)?
        } else {
            self.listening(
                || format!("`{detail_type}` of `{source}`"),
                |trigger| match trigger {
                    Trigger::Custom(from, kind) => *from == source && *kind == detail_type,
                    _ => false,
                },
            )?
        };
        let id = needed(event.id, "id")?;
        let time = event.time.map(|time| Timestamp::from_unix_millis(time.timestamp_millis()));
        let record = Incoming {
            identifier: String::new(),
            id: format!("aws:events/{id}"),
            group: None,
            listeners,
            wire: Wire::Custom { id, source, detail_type, detail: event.detail, time },
        };
        Ok(Batch { source: Source::EventBridge, records: vec![record] })
    }

    /// A rule is named for the function that it is to call.
    fn scheduled(&self, rule: &str) -> Result<Arc<[usize]>, Refused> {
        let function = |listener: &Listener| {
            let scheduled = matches!(listener.trigger, Trigger::Schedule(_));
            let function = listener.name.rsplit('.').next().unwrap_or_default();
            scheduled && is_called(rule, function)
        };
        let listeners = self.listeners.iter().enumerate();
        let found: Arc<[_]> =
            listeners.filter(|(_, listener)| function(listener)).map(|(place, _)| place).collect();
        let what = || Refused::Undeclared(format!("the schedule `{rule}`"));
        if found.is_empty() { Err(what()) } else { Ok(found) }
    }
}

fn streamed(record: KinesisEventRecord, listeners: Arc<[usize]>) -> Result<Incoming, Refused> {
    let data = record.kinesis;
    let sequence_number = data.sequence_number;
    filled(&sequence_number, "kinesis.sequenceNumber")?;
    Ok(Incoming {
        identifier: sequence_number.clone(),
        id: format!("aws:kinesis/{}", needed(record.event_id, "eventID")?),
        group: None,
        listeners,
        wire: Wire::Stream {
            partition_key: data.partition_key,
            sequence_number,
            arrived_at: Timestamp::from_unix_millis(
                data.approximate_arrival_timestamp.timestamp_millis(),
            ),
            data: data.data.0,
        },
    })
}

fn sent(
    mut message: SqsMessage,
    source: Source,
    listeners: Arc<[usize]>,
) -> Result<Incoming, Refused> {
    let id = needed(message.message_id, "messageId")?;
    let mut group = message.attributes.remove("MessageGroupId");
    if source == Source::SqsFifo {
        group = Some(needed(group, "attributes.MessageGroupId")?);
    }
    let sent_at = message.attributes.get("SentTimestamp").and_then(|millis| millis.parse().ok());
    Ok(Incoming {
        identifier: id.clone(),
        id: format!("aws:sqs/{id}"),
        group: group.clone().filter(|_| source == Source::SqsFifo),
        listeners,
        wire: Wire::Message {
            id,
            body: needed(message.body, "body")?,
            group,
            sent_at: sent_at.map(Timestamp::from_unix_millis),
        },
    })
}

fn read<T: DeserializeOwned>(payload: &str) -> Result<T, Refused> {
    serde_json::from_str(payload).map_err(malformed)
}

/// The listeners of the name before, where it is the same: all records of an event come from one.
fn once(
    known: &mut Option<(String, Arc<[usize]>)>,
    name: &str,
    find: impl FnOnce() -> Result<Arc<[usize]>, Refused>,
) -> Result<Arc<[usize]>, Refused> {
    if let Some((last, listeners)) = known
        && last == name
    {
        return Ok(listeners.clone());
    }
    let listeners = find()?;
    *known = Some((name.to_owned(), listeners.clone()));
    Ok(listeners)
}

/// Names are made unique at AWS by what stands before them: `<stack>-<name>`.
fn is_called(name: &str, declared: &str) -> bool {
    name.strip_suffix(declared).is_some_and(|before| before.is_empty() || before.ends_with('-'))
}

fn is_of(named: Option<&str>, source: Source) -> Result<(), Refused> {
    if named == Some(source.name()) {
        return Ok(());
    }
    Err(Refused::Malformed(format!("a record among those of {} is not", source.name())))
}

/// AWS takes an empty identifier in an answer for the failure of all records, so none is let in.
fn needed(value: Option<String>, name: &str) -> Result<String, Refused> {
    let value = value.unwrap_or_default();
    filled(&value, name)?;
    Ok(value)
}

fn filled<'a>(value: &'a str, name: &str) -> Result<&'a str, Refused> {
    if value.is_empty() {
        return Err(Refused::Malformed(format!("a record has no `{name}`")));
    }
    Ok(value)
}

fn last_part(arn: Option<&str>, mark: char) -> Result<&str, Refused> {
    let name = arn.and_then(|arn| arn.rsplit(mark).next()).unwrap_or_default();
    filled(name, "eventSourceARN")
}

/// Keys come as in a form: `a b` is `a+b` (S3 User Guide, "Event message structure").
fn decode_key(key: &str) -> Result<String, Refused> {
    let bytes = key.as_bytes();
    let is_encoded = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let all = bytes.iter().enumerate().all(|(at, byte)| *byte != b'%' || is_encoded(at));
    let spaced = if key.contains('+') { Cow::Owned(key.replace('+', " ")) } else { key.into() };
    let decoded = percent_decode_str(&spaced).decode_utf8();
    match decoded {
        Ok(decoded) if all => Ok(decoded.into_owned()),
        _ => Err(Refused::Malformed("a key is not form-encoded".to_owned())),
    }
}
