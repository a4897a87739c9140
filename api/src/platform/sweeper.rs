//! The sweeper: what has expired does not lie in the table for days.

use models::{platform::sweep::Sweep, store::Store};
use tracing::{info, warn};

use crate::{
    events::{self, Tick},
    http::Module,
};

pub(crate) fn module() -> Module {
    Module::new("sweeper").every("rate(1 hour)", sweep_expired)
}

/// Go on with the sweep. It deletes at once, and not with the tick's mark, so a tick that comes
/// again sweeps on.
async fn sweep_expired(_: Tick, store: Store) -> events::Result {
    let swept = Sweep::run(&store).await?;
    info!(swept.pages, swept.deleted, swept.is_round, "expired things were deleted");
    if swept.abandoned > 0 {
        warn!(swept.abandoned, "messages are overdue");
    }
    Ok(())
}
