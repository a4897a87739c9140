//! Threads beside those of the API, for each kind of work its own: what blocks one kind holds up no
//! other. They are started when they are first needed, and there for all of the process: a test that
//! starts a store should not pay for threads.

use std::{io, sync::LazyLock};

use tokio::runtime::{Builder, Runtime};

/// Of all embedded stores. The database blocks its threads.
pub(crate) static STORE: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| build("embedded-store", 2));

/// Of what reads the store's file: the pollers and the bucket.
pub(crate) static BESIDE: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| build("beside-store", 2));

/// Of event handlers, which are somebody else's code and may compute for long, or block for ever: each
/// call has a thread of this one's for blocking, of which there are up to 512. These two do no more
/// than watch sockets and clocks for them.
pub(crate) static HANDLERS: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| build("event-handlers", 2));

fn build(name: &str, threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()
}
