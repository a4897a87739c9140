use models::{
    Timestamp,
    store::{Change, Entity},
};
use serde::de::DeserializeOwned;

#[cfg(feature = "events")]
use super::{Failure, Result, batch::Wire};
#[cfg(feature = "events")]
use crate::http::violations;

/// A file that has arrived (S3 `ObjectCreated`).
#[derive(Clone, Debug)]
pub struct ObjectCreated {
    /// The bucket's name.
    pub bucket: String,
    /// The key as it is, decoded.
    pub key: String,
    /// How many bytes it has.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// Which version of it, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// When it had arrived.
    pub time: Timestamp,
}

/// A message of a queue (SQS).
#[derive(Clone, Debug)]
pub struct QueueMessage<T> {
    /// The same when the message comes again.
    pub id: String,
    /// What it says.
    pub body: T,
    /// Its message group, in a queue that has them.
    pub group: Option<String>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// A record of a stream (Kinesis).
#[derive(Clone, Debug)]
pub struct StreamRecord<T> {
    /// What the order is kept within.
    pub partition_key: String,
    /// Its place in its shard; the same when the record comes again.
    pub sequence_number: String,
    /// What it says.
    pub data: T,
    /// When it had arrived, more or less.
    pub arrived_at: Timestamp,
}

/// An event that somebody has put on an event bus (EventBridge).
#[derive(Clone, Debug)]
pub struct CustomEvent<T> {
    /// The same when the event comes again.
    pub id: String,
    /// Who tells.
    pub source: String,
    /// What kind of event it is.
    pub detail_type: String,
    /// What it says.
    pub detail: T,
    /// When it was told.
    pub time: Option<Timestamp>,
}

/// A schedule says that it is time (EventBridge).
#[derive(Clone, Debug)]
pub struct Tick {
    /// The same when it comes again.
    pub id: String,
    /// The time that it is about.
    pub time: Option<Timestamp>,
}

/// What an event handler can take first.
pub trait Record: Sized + Send + 'static {
    /// Out of the record as it came.
    #[cfg(feature = "events")]
    #[doc(hidden)]
    fn read(wire: &Wire) -> Result<Self>;
}

impl Record for ObjectCreated {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Object { object, .. } = wire else { return Err(another("a file")) };
        Ok(object.clone())
    }
}

impl<E: Entity + 'static> Record for Change<E> {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Change { images, .. } = wire else { return Err(another("a change")) };
        images.read().map_err(|error| Failure::of("undecodable", error.to_string()))
    }
}

impl<T: DeserializeOwned + Send + 'static> Record for QueueMessage<T> {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Message { id, body, group, sent_at } = wire else {
            return Err(another("a message"));
        };
        let (id, group, sent_at) = (id.clone(), group.clone(), *sent_at);
        Ok(Self { id, body: decode(body.as_bytes())?, group, sent_at })
    }
}

impl<T: DeserializeOwned + Send + 'static> Record for StreamRecord<T> {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Stream { partition_key, sequence_number, data, arrived_at, .. } = wire else {
            return Err(another("a record of a stream"));
        };
        Ok(Self {
            partition_key: partition_key.clone(),
            sequence_number: sequence_number.clone(),
            data: decode(data)?,
            arrived_at: *arrived_at,
        })
    }
}

impl<T: DeserializeOwned + Send + 'static> Record for CustomEvent<T> {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Custom { id, source, detail_type, detail, time } = wire else {
            return Err(another("an event"));
        };
        Ok(Self {
            id: id.clone(),
            source: source.clone(),
            detail_type: detail_type.clone(),
            detail: decode(detail.get().as_bytes())?,
            time: *time,
        })
    }
}

impl Record for Tick {
    #[cfg(feature = "events")]
    fn read(wire: &Wire) -> Result<Self> {
        let Wire::Custom { id, time, .. } = wire else { return Err(another("a schedule")) };
        Ok(Self { id: id.clone(), time: *time })
    }
}

/// Listeners are found by their triggers, each of which is of one kind of record.
#[cfg(feature = "events")]
fn another(what: &str) -> Failure {
    Failure::of("undecodable", format!("the record is not {what}"))
}

/// serde's own sentence would quote the value, so the place and the rule are told. Only what fails
/// is read a second time for them.
#[cfg(feature = "events")]
fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    let error = match serde_json::from_slice(json) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error,
    };
    if !error.is_data() {
        return Err(Failure::of("undecodable", "it is not one JSON value"));
    }
    let mut json = serde_json::Deserializer::from_slice(json);
    let place = serde_path_to_error::deserialize::<_, T>(&mut json).err();
    let violation = place.as_ref().map(violations::of_decoding);
    let sentence = match violation {
        Some(whole) if whole.pointer.is_empty() => format!("the value {}", whole.message),
        Some(part) => format!("the value at `{}` {}", part.pointer, part.message),
        None => "it is not what the handler takes".to_owned(),
    };
    Err(Failure::of("undecodable", sentence))
}
