//! From an event of AWS to its records, each with the handlers that were declared for it.

use std::{borrow::Cow, sync::Arc};

use aws_lambda_events::{
    dynamodb, eventbridge::EventBridgeEvent, kinesis::KinesisEventRecord, s3::S3EventRecord,
    sqs::SqsMessage,
};
use models::{Timestamp, store::Images};
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::{
    Listener, ObjectCreated, Refused, Trigger,
    batch::{Batch, Incoming, Source, Wire},
    event::{Event, Records},
};

/// Where records of the table's own stream come from, and who listens to what.
pub(crate) struct Declared<'a> {
    pub(crate) listeners: &'a [Listener],
    pub(crate) table: &'a str,
}

impl Declared<'_> {
    /// All records of an event, or none.
    pub(crate) fn records(&self, event: Event) -> Result<Batch, Refused> {
        match event {
            Event::Records(Records::S3(records)) => self.objects(records),
            Event::Records(Records::Kinesis(records)) => self.stream(records),
            Event::Records(Records::DynamoDb(records)) => self.changes(records),
            Event::Records(Records::Sqs(records)) => self.messages(records),
            Event::Records(Records::Of(other)) => {
                Err(Refused::Undeclared(format!("events of `{other}`")))
            }
            Event::Records(Records::Unnamed) => {
                Err(Refused::Malformed("its first record names no source".to_owned()))
            }
            Event::Custom(event) => self.custom(event),
            Event::Replay(_) => Err(Refused::Undeclared("a replay within another".to_owned())),
        }
    }

    /// Those who listen, or the sentence that nobody does.
    fn listening(
        &self,
        what: impl FnOnce() -> String,
        listens: impl Fn(&Listener) -> bool,
    ) -> Result<Arc<[usize]>, Refused> {
        let found: Arc<[_]> = self.places(listens).collect();
        if found.is_empty() { Err(Refused::Undeclared(what())) } else { Ok(found) }
    }

    fn places(&self, listens: impl Fn(&Listener) -> bool) -> impl Iterator<Item = usize> {
        let listeners = self.listeners.iter().enumerate();
        listeners.filter(move |(_, listener)| listens(listener)).map(|(place, _)| place)
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
            |listener| best.is_some() && fitting(&listener.trigger) == best,
        )
    }

    fn objects(&self, records: Vec<S3EventRecord>) -> Result<Batch, Refused> {
        let records = records.into_iter().map(|record| self.object(record));
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
            |listener| match listener.trigger {
                Trigger::ObjectCreated(prefix) => {
                    name.starts_with("ObjectCreated:") && key.starts_with(prefix)
                }
                _ => false,
            },
        )?;
        let wire = Wire::Object {
            object: ObjectCreated {
                bucket,
                key,
                size: object.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
                etag: object.e_tag.unwrap_or_default(),
                version_id: object.version_id,
                time: Timestamp::from_unix_millis(record.event_time.timestamp_millis()),
            },
            event_name: name,
            // It tells one writing of the object from the next.
            sequencer: needed(object.sequencer, "s3.object.sequencer")?,
        };
        Ok(Incoming { listeners, wire })
    }

    fn stream(&self, records: Vec<KinesisEventRecord>) -> Result<Batch, Refused> {
        let mut listening = None;
        let records = records.into_iter().map(|record| {
            is_of(record.event_source.as_deref(), Source::Kinesis)?;
            // arn:aws:kinesis:<region>:<account>:stream/<stream>, and /consumer/.. behind it where
            // the mapping has a consumer of its own.
            let arn = record.event_source_arn.as_deref().unwrap_or_default();
            let name = arn.split(":stream/").nth(1).and_then(|rest| rest.split('/').next());
            let name = filled(name.unwrap_or_default(), "eventSourceARN")?;
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

    fn changes(&self, records: Vec<dynamodb::EventRecord>) -> Result<Batch, Refused> {
        let records = records.into_iter().map(|record| self.change(record));
        Ok(Batch { source: Source::DynamoDb, records: records.collect::<Result<_, _>>()? })
    }

    /// The stream tells of everything in the table, so a kind that nobody listens to is no mistake.
    fn change(&self, record: dynamodb::EventRecord) -> Result<Incoming, Refused> {
        is_of(record.event_source.as_deref(), Source::DynamoDb)?;
        // arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>
        let arn = needed(record.event_source_arn, "eventSourceARN")?;
        let table = arn.split(":table/").nth(1).and_then(|rest| rest.split('/').next());
        let is_listening = |listener: &Listener| matches!(listener.trigger, Trigger::Change(_));
        if table != Some(self.table) || self.places(is_listening).next().is_none() {
            let table = table.unwrap_or(&arn);
            return Err(Refused::Undeclared(format!("changes of the table `{table}`")));
        }
        let sequence_number = needed(record.change.sequence_number, "dynamodb.SequenceNumber")?;
        let by_dynamodb = |it: &dynamodb::UserIdentity| {
            it.type_ == "Service" && it.principal_id == "dynamodb.amazonaws.com"
        };
        let expired =
            record.event_name == "REMOVE" && record.user_identity.as_ref().is_some_and(by_dynamodb);
        let told_at = record.change.approximate_creation_date_time.timestamp_millis();
        let images = Images::new(record.change.old_image, record.change.new_image, expired)
            .told_at(Timestamp::from_unix_millis(told_at));
        let listeners = self.places(|listener| {
            let own = listener.marked && images.written_by() == Some(&*listener.name);
            let Trigger::Change(kind) = listener.trigger else { return false };
            images.kind() == Some(kind) && !own
        });
        let listeners = listeners.collect();
        let event_id = needed(Some(record.event_id), "eventID")?;
        Ok(Incoming { listeners, wire: Wire::Change { images, event_id, sequence_number } })
    }

    fn messages(&self, messages: Vec<SqsMessage>) -> Result<Batch, Refused> {
        let mut source = Source::Sqs;
        let mut listening = None;
        let records = messages.into_iter().map(|message| {
            is_of(message.event_source.as_deref(), Source::Sqs)?;
            let name = last_part(message.event_source_arn.as_deref(), ':', "eventSourceARN")?;
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

    fn custom(&self, event: EventBridgeEvent<Box<RawValue>>) -> Result<Batch, Refused> {
        let (source, detail_type) = (event.source, event.detail_type);
        let listeners = if source == "aws.events" && detail_type == "Scheduled Event" {
            let rule = event.resources.as_ref().and_then(|resources| resources.first());
            let rule = last_part(rule.map(String::as_str), '/', "resources")?;
            self.scheduled(rule)?
        } else {
            self.listening(
                || format!("`{detail_type}` of `{source}`"),
                |listener| match listener.trigger {
                    Trigger::Custom(from, kind) => from == source && kind == detail_type,
                    _ => false,
                },
            )?
        };
        let id = needed(event.id, "id")?;
        let time = event.time.map(|time| Timestamp::from_unix_millis(time.timestamp_millis()));
        let wire = Wire::Custom { id, source, detail_type, detail: event.detail, time };
        Ok(Batch { source: Source::EventBridge, records: vec![Incoming { listeners, wire }] })
    }

    /// A rule is named for the function that it is to call.
    fn scheduled(&self, rule: &str) -> Result<Arc<[usize]>, Refused> {
        let is_its_own = |listener: &Listener| {
            let function = listener.name.rsplit('.').next().unwrap_or_default();
            matches!(listener.trigger, Trigger::Schedule(_)) && is_called(rule, function)
        };
        self.listening(|| format!("the schedule `{rule}`"), is_its_own)
    }
}

fn streamed(record: KinesisEventRecord, listeners: Arc<[usize]>) -> Result<Incoming, Refused> {
    let data = record.kinesis;
    let arrived_at = data.approximate_arrival_timestamp.timestamp_millis();
    let wire = Wire::Stream {
        event_id: needed(record.event_id, "eventID")?,
        partition_key: needed(Some(data.partition_key), "kinesis.partitionKey")?,
        sequence_number: needed(Some(data.sequence_number), "kinesis.sequenceNumber")?,
        data: data.data.0,
        arrived_at: Timestamp::from_unix_millis(arrived_at),
    };
    Ok(Incoming { listeners, wire })
}

fn sent(
    mut message: SqsMessage,
    source: Source,
    listeners: Arc<[usize]>,
) -> Result<Incoming, Refused> {
    let mut group = message.attributes.remove("MessageGroupId");
    if source == Source::SqsFifo {
        group = Some(needed(group, "attributes.MessageGroupId")?);
    }
    let sent_at = message.attributes.get("SentTimestamp").and_then(|millis| millis.parse().ok());
    let wire = Wire::Message {
        id: needed(message.message_id, "messageId")?,
        body: needed(message.body, "body")?,
        group,
        sent_at: sent_at.map(Timestamp::from_unix_millis),
    };
    Ok(Incoming { listeners, wire })
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

fn last_part<'a>(arn: Option<&'a str>, mark: char, name: &str) -> Result<&'a str, Refused> {
    filled(arn.and_then(|arn| arn.rsplit(mark).next()).unwrap_or_default(), name)
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
