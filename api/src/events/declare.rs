#[cfg(feature = "events")]
use std::future::ready;
use std::sync::Arc;

#[cfg(feature = "events")]
use futures_util::future::BoxFuture;
#[cfg(feature = "events")]
use http::request::Parts;
use models::store::{Change, Entity, Images};

use super::{CustomEvent, Handler, ObjectCreated, QueueMessage, Record, StreamRecord, Tick};
#[cfg(feature = "events")]
use super::{Result, batch::Wire};
use crate::http::Module;

/// An event handler and what it listens to.
#[derive(Clone)]
pub struct Listener {
    /// Its module and its function: `orders.charge_card`. Marks and failures are kept under it.
    pub name: Arc<str>,
    /// What it listens to.
    pub trigger: Trigger,
    /// What it says it writes.
    pub outputs: Vec<Output>,
    /// Whether its writes carry its name, so that they do not come back to it.
    pub marked: bool,
    /// Whether it is called for what is new alone; see [`Module::on_created`].
    pub only_created: bool,
    #[cfg(feature = "events")]
    pub(crate) run: Run,
}

/// Makes what extractors read, for a handler that has any.
#[cfg(feature = "events")]
pub(crate) type NewParts<'a> = dyn Fn() -> Parts + Sync + 'a;

#[cfg(feature = "events")]
pub(crate) type Run = Arc<
    dyn for<'a> Fn(&'a Wire, &'a NewParts<'a>, &'a crate::Services) -> BoxFuture<'a, Result>
        + Send
        + Sync,
>;

/// What an event handler listens to. A name of a queue, a stream or a schedule is the last part of
/// its name at AWS: `orders` is the queue `orders` and the queue `app-prod-orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Files that arrive under this prefix, in whichever bucket tells this function.
    ObjectCreated(&'static str),
    /// Changes of what is of this kind in the table.
    Change(&'static str),
    /// Messages of this queue; one in order has `.fifo` at its end.
    Message(&'static str),
    /// Records of this Kinesis stream.
    Stream(&'static str),
    /// A schedule expression of EventBridge; its rule is named for the handler's function.
    Schedule(&'static str),
    /// Events of EventBridge, by `source` and `detail-type`.
    Custom(&'static str, &'static str),
}

/// What an event handler writes, where that may be listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Things of this kind, in the table.
    Kind(&'static str),
    /// Files under this prefix.
    Objects(&'static str),
}

/// Event handlers. Beside the routes they weigh nothing: the `api` program does not link them.
impl Module {
    /// Handle each file that arrives under a prefix (S3 `ObjectCreated`).
    #[must_use]
    pub fn on_object_created<H, A>(self, prefix: &'static str, handler: H) -> Self
    where
        H: Handler<ObjectCreated, A>,
    {
        self.listen(Trigger::ObjectCreated(prefix), handler)
    }

    /// Handle each change of an entity in the table, deletions too (DynamoDB Streams). The handler
    /// must say what it writes itself: [`writing`](Self::writing).
    #[must_use]
    pub fn on_change<E: Entity + 'static, H, A>(self, handler: H) -> Self
    where
        H: Handler<Change<E>, A>,
    {
        let listening = self.listen(Trigger::Change(E::KIND), handler);
        listening.calling_for(|change| !change.is_end_of_tombstone())
    }

    /// The same for what is new and nothing else, also where something was before that is deleted
    /// or has expired. The function is not even started for other changes, if no handler wants
    /// them: what is written once and soon deleted, such as a message, costs half.
    #[must_use]
    pub fn on_created<E: Entity + 'static, H, A>(self, handler: H) -> Self
    where
        H: Handler<Change<E>, A>,
    {
        let listening = self.listen(Trigger::Change(E::KIND), handler);
        listening.of_the_last(|listener| listener.only_created = true).calling_for(Images::is_new)
    }

    /// Handle each message of a queue, whose body is the JSON of a `T` (SQS).
    #[must_use]
    pub fn on_message<T, H, A>(self, queue: &'static str, handler: H) -> Self
    where
        QueueMessage<T>: Record,
        H: Handler<QueueMessage<T>, A>,
    {
        self.listen(Trigger::Message(queue), handler)
    }

    /// Handle each record of a stream, whose data is the JSON of a `T` (Kinesis).
    #[must_use]
    pub fn on_stream<T, H, A>(self, stream: &'static str, handler: H) -> Self
    where
        StreamRecord<T>: Record,
        H: Handler<StreamRecord<T>, A>,
    {
        self.listen(Trigger::Stream(stream), handler)
    }

    /// Do something again and again, by a schedule expression: `rate(1 hour)`,
    /// `cron(0 3 * * ? *)`. The rule at AWS is named for the function, in the end.
    #[must_use]
    pub fn every<H, A>(self, schedule: &'static str, handler: H) -> Self
    where
        H: Handler<Tick, A>,
    {
        self.listen(Trigger::Schedule(schedule), handler)
    }

    /// Handle each event of this `source` and `detail-type`, whose detail is a `T` (EventBridge).
    #[must_use]
    pub fn on_event<T, H, A>(
        self,
        source: &'static str,
        detail_type: &'static str,
        handler: H,
    ) -> Self
    where
        CustomEvent<T>: Record,
        H: Handler<CustomEvent<T>, A>,
    {
        self.listen(Trigger::Custom(source, detail_type), handler)
    }

    /// Say that the handler before this writes `E`s. One that listens to changes may write nothing
    /// else, and what would trigger itself, round other handlers too, is refused at the start.
    ///
    /// # Panics
    /// Without a handler before it.
    #[must_use]
    pub fn writing<E: Entity>(self) -> Self {
        self.of_the_last(|listener| listener.outputs.push(Output::Kind(E::KIND)))
    }

    /// Say that the handler before this makes files under a prefix, which must not be one that it
    /// listens to.
    ///
    /// # Panics
    /// Without a handler before it.
    #[must_use]
    pub fn writing_objects(self, prefix: &'static str) -> Self {
        self.of_the_last(|listener| listener.outputs.push(Output::Objects(prefix)))
    }

    /// Let the handler before this write what it listens to: its writes carry its name, and are not
    /// handed to it. What it deletes without a tombstone carries nothing, and comes back to it, once.
    ///
    /// # Panics
    /// Without a handler before it.
    #[must_use]
    pub fn marked(self) -> Self {
        self.of_the_last(|listener| listener.marked = true)
    }

    fn of_the_last(mut self, change: impl FnOnce(&mut Listener)) -> Self {
        change(self.listeners.last_mut().expect("an event handler stands before this"));
        self
    }

    /// Call the handler before this for these changes alone; the others are done without it.
    #[cfg_attr(not(feature = "events"), expect(unused_variables, reason = "it is not linked"))]
    fn calling_for(self, wanted: fn(&Images) -> bool) -> Self {
        #[cfg(feature = "events")]
        return self.of_the_last(|listener| {
            let run = listener.run.clone();
            listener.run = Arc::new(move |wire, parts, services| match wire {
                Wire::Change { images, .. } if !wanted(images) => Box::pin(ready(Ok(()))),
                _ => run(wire, parts, services),
            });
        });
        #[cfg(not(feature = "events"))]
        self
    }

    #[cfg_attr(not(feature = "events"), expect(unused_variables, reason = "it is not linked"))]
    fn listen<R: Record, H: Handler<R, A>, A>(mut self, trigger: Trigger, handler: H) -> Self {
        let function = std::any::type_name::<H>().rsplit("::").next().unwrap_or_default();
        self.listeners.push(Listener {
            name: format!("{}.{function}", self.name()).into(),
            trigger,
            outputs: Vec::new(),
            marked: false,
            only_created: false,
            #[cfg(feature = "events")]
            run: Arc::new(move |wire, parts, services| {
                let handler = handler.clone();
                Box::pin(async move { handler.handle(R::read(wire)?, parts, services).await })
            }),
        });
        self
    }

    /// Its event handlers.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }
}
