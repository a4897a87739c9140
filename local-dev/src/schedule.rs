//! What time does in the cloud, on request: a schedule is run, and failures are sent again.

use std::{path::Path, sync::Arc};

use api::events::{DeclarationsError, FailureStoreError, Refused, Replayed, Trigger};
use models::{Ambient, Timestamp, aws::Access};
use serde_json::{Value, json, value::to_raw_value};

use crate::{Function, Mailbox, function::CallError, laptop, reach::Reach};

/// Why a command about events has not done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScheduleError {
    /// No module declares it.
    #[error("no module has declared the schedule {0}; there are: {1}")]
    Unknown(String, String),
    /// The handler has failed.
    #[error("the schedule was not done: {0}")]
    Failed(#[from] CallError),
    /// Some failures are none the better for it.
    #[error("{}", stay(.0))]
    NotHandled(Replayed),
    /// The failures cannot be read.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nor those that nobody has asked for.
    #[error("the failures cannot be listed: {0}")]
    Unlisted(#[from] FailureStoreError),
    /// What modules say of their event handlers.
    #[error(transparent)]
    Declarations(#[from] DeclarationsError),
}

/// Run the schedule that is named for this function, as EventBridge would now or at another time.
pub(crate) async fn run(
    reach: &Reach,
    path: &Path,
    name: &str,
    at: Option<Timestamp>,
) -> Result<String, ScheduleError> {
    let names = names();
    if !names.iter().any(|known| known == name) {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(ScheduleError::Unknown(name.to_owned(), names));
    }
    let ambient = Ambient::system();
    let event = event(name, at.unwrap_or(ambient.now()), &ambient);
    let payload = to_raw_value(&event).expect("JSON can be written");
    function(reach, path)?.invoke(payload).await?;
    Ok(format!("Done: {name}\n"))
}

/// Send what is among the failures under this prefix again.
pub(crate) async fn replay(
    reach: &Reach,
    path: &Path,
    prefix: &str,
) -> Result<String, ScheduleError> {
    let function = function(reach, path)?;
    let outcome = function.events.replay(prefix, None).await?;
    match outcome {
        Replayed { left: 1.., .. } => Err(ScheduleError::NotHandled(outcome)),
        Replayed { ref failed, .. } if !failed.is_empty() => {
            Err(ScheduleError::NotHandled(outcome))
        }
        Replayed { replayed: 0, .. } => {
            let others = function.failures.list("").await?.len();
            Ok(format!("There is no failure under `{prefix}`, and {others} under other names.\n"))
        }
        Replayed { replayed, .. } => {
            Ok(format!("Handled {replayed} failures, all that there were under `{prefix}`.\n"))
        }
    }
}

/// What has become of which.
fn stay(outcome: &Replayed) -> String {
    let Replayed { replayed, failed, left } = outcome;
    let mut sentence = format!("{replayed} failures were handled");
    if !failed.is_empty() {
        let names = failed.join(", ");
        sentence += &format!("; {} have failed again and stay: {names}", failed.len());
    }
    if *left > 0 {
        sentence += &format!("; there was no time for {left}, which stay");
    }
    sentence
}

fn function(reach: &Reach, path: &Path) -> Result<Function, DeclarationsError> {
    let ambient = Ambient::system();
    let mailbox = Arc::new(Mailbox::of(Some(path), ambient.clone()));
    laptop::function(reach.settings.clone(), Some(path), mailbox, ambient)
}

/// The functions that schedules call.
fn names() -> Vec<String> {
    let modules = api::route_table();
    let listeners = modules.iter().flat_map(|module| module.listeners());
    let scheduled = listeners.filter(|it| matches!(it.trigger, Trigger::Schedule(_)));
    scheduled.filter_map(|it| it.name.rsplit('.').next().map(str::to_owned)).collect()
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>
fn event(name: &str, at: Timestamp, ambient: &Ambient) -> Value {
    let region = Access::embedded().region;
    let at = Timestamp::from_unix_millis(at.unix_seconds() * 1000);
    json!({
        "version": "0",
        "id": ambient.new_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": at.to_string().replace(".000Z", "Z"),
        "region": region,
        "resources": [format!("arn:aws:events:{region}:000000000000:rule/landline-local-{name}")],
        "detail": {},
    })
}

#[cfg(test)]
mod tests {
    use models::{Ambient, Timestamp};
    use serde_json::json;

    use super::event;

    /// The example of "Creating a rule that runs on a schedule" in EventBridge's guide, by its members.
    #[test]
    fn a_tick_is_as_event_bridge_sends_it() {
        let at = "2026-11-22T16:30:00.987Z".parse::<Timestamp>().unwrap();
        let ambient = Ambient::fixed(at, 7);
        let id = Ambient::fixed(at, 7).new_id();

        let tick = event("sweep_expired", at, &ambient);

        assert_eq!(
            tick,
            json!({
                "version": "0",
                "id": id,
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": "000000000000",
                "time": "2026-11-22T16:30:00Z",
                "region": "us-east-1",
                "resources": [
                    "arn:aws:events:us-east-1:000000000000:rule/landline-local-sweep_expired",
                ],
                "detail": {},
            }),
        );
    }
}
