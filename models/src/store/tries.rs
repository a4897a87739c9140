use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    client::customize::CustomizableOperation,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            FinalizerInterceptorContextRef,
        },
        retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use tokio::time::{Instant, sleep};

use super::{Error, Store};
use crate::Ambient;

/// How often one thing is tried again, whoever does: the SDK a call that was throttled or lost, the
/// store a write that met another one.
const AGAIN: u32 = 8;

/// An attempt that has less time than this is not begun. DynamoDB answers within some
/// milliseconds, a new connection to it takes some tens.
const SHORTEST: Duration = Duration::from_millis(100);

/// The attempts at one thing: how many are left, and until when. Clones share them.
#[derive(Clone, Debug)]
pub struct Tries {
    end: Option<Instant>,
    left: Arc<AtomicU32>,
}

impl Store {
    /// The attempts at one thing, which end when this store does.
    pub fn tries(&self) -> Tries {
        Tries { end: self.1.end, left: Arc::new(AtomicU32::new(AGAIN)) }
    }
}

impl Tries {
    /// Wait before another attempt: "full jitter", so that those who lost together do not come
    /// back together (measured: without it, 64 tasks on one item made 70,000 conflicts). False,
    /// at once, when none is left or the time would be over.
    pub async fn back_off(&self, ambient: &Ambient) -> bool {
        let Some(left) = self.take() else { return false };
        let ceiling = 10_000_u64 << (AGAIN - left).min(6);
        let pause = u64::from_be_bytes(ambient.random()) % ceiling;
        let pause = Duration::from_micros(pause);
        let in_time = self.time_left().is_none_or(|time| pause + SHORTEST <= time);
        if in_time {
            sleep(pause).await;
        }
        in_time
    }

    /// This call, which the SDK tries again within what is left.
    pub(super) fn call<T, E, B>(
        &self,
        call: CustomizableOperation<T, E, B>,
    ) -> Result<CustomizableOperation<T, E, B>, Error> {
        if self.is_over() {
            return Err(Error::Unavailable("no time is left to ask the table".to_owned()));
        }
        Ok(call.interceptor(self.clone()))
    }

    /// How many there were before this one.
    fn take(&self) -> Option<u32> {
        let one_less = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok()
    }

    fn time_left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    fn is_over(&self) -> bool {
        self.time_left().is_some_and(|time| time < SHORTEST)
    }

    /// Half of the time is kept for another attempt, as long as that is worth one.
    fn fit_timeouts(&self, cfg: &mut ConfigBag) {
        let Some(time) = self.time_left() else { return };
        let known = cfg.load::<TimeoutConfig>().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let at_most = |limit: Duration, known: Option<Duration>| known.unwrap_or(limit).min(limit);
        let attempt = at_most((time / 2).max(SHORTEST), known.operation_attempt_timeout());
        let operation = at_most(time, known.operation_timeout());
        // The time to connect stays as it is: the SDK keeps its connections by that.
        let fitted = known.to_builder();
        let fitted = fitted.operation_attempt_timeout(attempt).operation_timeout(operation);
        cfg.interceptor_state().store_put(fitted.build());
    }

    fn fit_retries(&self, cfg: &mut ConfigBag) {
        let Some(known) = cfg.load::<RetryConfig>().cloned() else { return };
        let fitted = match self.time_left() {
            _ if self.is_over() || self.left.load(Ordering::Relaxed) == 0 => {
                known.with_max_attempts(1)
            }
            Some(time) => {
                let pause = known.max_backoff().min(time.saturating_sub(SHORTEST));
                known.with_max_backoff(pause)
            }
            None => return,
        };
        cfg.interceptor_state().store_put(fitted);
    }
}

impl Intercept for Tries {
    fn name(&self) -> &'static str {
        "Tries"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.fit_timeouts(cfg);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if cfg.load::<RequestAttempts>().is_some_and(|attempt| attempt.attempts() > 1) {
            self.take();
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.fit_retries(cfg);
        self.fit_timeouts(cfg);
        Ok(())
    }
}
