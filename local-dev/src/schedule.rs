//! What time does in the cloud, on request: a schedule is run, and failures are sent again.

use std::{path::Path, sync::Arc};

use api::events::{DeclarationsError, Refused, Trigger};
use models::{Ambient, aws::Access};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    Function, Mailbox, laptop,
    mapping::{CallError, invoke},
    reach::Reach,
};

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
    #[error("{0} failures were not handled; they stay")]
    NotHandled(usize),
    /// The failures cannot be read.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What modules say of their event handlers.
    #[error(transparent)]
    Declarations(#[from] DeclarationsError),
}

/// Run the schedule that is named for this function, now, as EventBridge would.
pub(crate) async fn run(reach: &Reach, path: &Path, name: &str) -> Result<String, ScheduleError> {
    let names = names();
    if !names.iter().any(|known| known == name) {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(ScheduleError::Unknown(name.to_owned(), names));
    }
    let ambient = Ambient::system();
    let payload = to_raw_value(&event(name, &ambient)).expect("JSON can be written");
    invoke(&function(reach, path)?, payload).await?;
    Ok(format!("Done: {name}\n"))
}

/// Send what is among the failures under this prefix again.
pub(crate) async fn replay(
    reach: &Reach,
    path: &Path,
    prefix: &str,
) -> Result<String, ScheduleError> {
    let replayed = function(reach, path)?.events.replay(prefix, None).await?;
    match replayed.failed.len() + replayed.left {
        0 => Ok(format!("Handled {} failures, all that there were.\n", replayed.replayed)),
        stay => Err(ScheduleError::NotHandled(stay)),
    }
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
fn event(name: &str, ambient: &Ambient) -> Value {
    let region = Access::embedded().region;
    let seconds = ambient.now().unix_seconds() * 1000;
    let now = models::Timestamp::from_unix_millis(seconds).to_string().replace(".000Z", "Z");
    json!({
        "version": "0",
        "id": ambient.new_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": now,
        "region": region,
        "resources": [format!("arn:aws:events:{region}:000000000000:rule/landline-local-{name}")],
        "detail": {},
    })
}
