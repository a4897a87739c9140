//! The records of an event, each with the handlers that listen to it.

use std::sync::Arc;

use models::{Timestamp, store::Images};
use serde_json::value::RawValue;

use super::ObjectCreated;

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
    /// The places of its listeners. None where it is of no interest.
    pub(crate) listeners: Arc<[usize]>,
    pub(crate) wire: Wire,
}

/// A record, taken out of its source's form.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Wire {
    Object {
        object: ObjectCreated,
        event_name: String,
        sequencer: String,
    },
    Change {
        images: Images,
        event_id: String,
        sequence_number: String,
    },
    Message {
        id: String,
        body: String,
        group: Option<String>,
        sent_at: Option<Timestamp>,
    },
    Stream {
        event_id: String,
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

impl Wire {
    /// What its source knows it by in an answer; empty where the source takes none.
    pub(crate) fn identifier(&self) -> &str {
        match self {
            Self::Change { sequence_number, .. } | Self::Stream { sequence_number, .. } => {
                sequence_number
            }
            Self::Message { id, .. } => id,
            Self::Object { .. } | Self::Custom { .. } => "",
        }
    }

    /// What the order is kept within, in a queue in order.
    pub(crate) fn group(&self) -> Option<&str> {
        match self {
            Self::Message { group, .. } => group.as_deref(),
            _ => None,
        }
    }

    /// The same whenever the record comes: its source, and its id there.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Object { object, event_name, sequencer } => {
                let ObjectCreated { bucket, key, .. } = object;
                format!("aws:s3/{bucket}/{key}/{sequencer}/{event_name}")
            }
            Self::Change { event_id, .. } => format!("aws:dynamodb/{event_id}"),
            Self::Message { id, .. } => format!("aws:sqs/{id}"),
            Self::Stream { event_id, .. } => format!("aws:kinesis/{event_id}"),
            Self::Custom { id, .. } => format!("aws:events/{id}"),
        }
    }
}
