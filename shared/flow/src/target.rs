//! Calls to a neighbour: paced by the rate that all functions share, retried, never begun so late that they could
//! outlive the invocation.

mod installations;
mod pacer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use installations::{Connect, Installations, LOOKUPS, Routed};
pub use pacer::Pacer;

use crate::Transient;
use crate::lookups::LookupBook;
use crate::ports::{Answer, Audience, Call, Clock, Notice, Notifier, Target};

/// Calls made again at once, before the unit of work is handed back to its queue.
const QUICK_RETRIES: u32 = 3;

/// A neighbour, as the flows call it.
#[derive(Clone)]
pub struct TargetClient {
    name: Arc<str>,
    target: Arc<dyn Target>,
    pacer: Arc<Pacer>,
    clock: Arc<dyn Clock>,
    notifier: Arc<dyn Notifier>,
    timeout: Duration,
    told_of_refusal: Arc<AtomicBool>,
    installations: Option<Arc<Installations>>,
}

impl TargetClient {
    /// The neighbour `name` (`dacs`, `derms`, or as Targets calls it), whose calls end after `timeout`.
    #[must_use]
    pub fn new(
        name: &str,
        target: Arc<dyn Target>,
        pacer: Pacer,
        (clock, notifier): (Arc<dyn Clock>, Arc<dyn Notifier>),
        timeout: Duration,
    ) -> Self {
        let told_of_refusal = Arc::new(AtomicBool::new(false));
        let (name, pacer) = (Arc::from(name), Arc::new(pacer));
        Self { name, target, pacer, clock, notifier, timeout, told_of_refusal, installations: None }
    }

    /// The same neighbour, which has other installations too.
    #[must_use]
    pub fn beside(self, installations: Installations) -> Self {
        Self { installations: Some(Arc::new(installations)), ..self }
    }

    /// The same neighbour, with the same rate, for calls that end after `timeout`.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Makes `call`. Answers of 2xx and 4xx come back as they are, but for 401, 403, 408 and 429; the rest is retried
    /// a few times, and then transient (contracts.md §8). A pause that the neighbour asks for is waited for, if there is
    /// time, and is no failure.
    ///
    /// No call begins that could not end before `deadline`: a slow twin never acts after its lease.
    ///
    /// # Errors
    /// [`Transient`] when there was no usable answer. The neighbour may have acted all the same.
    pub async fn call(&self, call: &Call, deadline: Timestamp) -> Result<Answer, Transient> {
        self.call_repeatedly(call, deadline).await.map(|(answer, _)| answer)
    }

    /// The same, and whether the call was made more than once: then the neighbour may have acted before, and a refusal may
    /// only mean that (contracts.md §4, "On repeat").
    ///
    /// # Errors
    /// As [`TargetClient::call`].
    pub async fn call_repeatedly(&self, call: &Call, deadline: Timestamp) -> Result<(Answer, bool), Transient> {
        let (mut wait, mut retries, mut again) = (Duration::from_millis(200), 0, false);
        loop {
            match self.once(call, deadline).await? {
                Once::Answered(answer) => return Ok((answer, again)),
                // The next slot lies behind it.
                Once::Paused => {}
                Once::Failed(fault) if retries == QUICK_RETRIES => return Err(fault),
                Once::Failed(_) => {
                    retries += 1;
                    self.clock.sleep(jittered(wait, self.clock.now())).await;
                    wait *= 2;
                }
            }
            again = true;
        }
    }

    /// Reserves a slot for a call that is about to come, so that it does not wait for the ledger. Where `lookups` have several
    /// installations only the message says which one is called: nothing is reserved.
    ///
    /// What fails here, the call meets again, and says so.
    pub async fn make_ready(&self, lookups: &LookupBook, deadline: Timestamp) {
        let ready = async {
            if self.several(&*lookups.current().await?).is_some() {
                return Ok(());
            }
            self.pacer.make_ready(&*self.clock, self.latest(deadline)).await
        };
        if let Err(fault) = ready.await {
            tracing::debug!(neighbour = %self.name, fault = fault.chain(), "no slot was made ready");
        }
    }

    /// No call begins later.
    fn latest(&self, deadline: Timestamp) -> Timestamp {
        let timeout = SignedDuration::try_from(self.timeout).unwrap_or(SignedDuration::MAX);
        deadline.saturating_sub(timeout).unwrap_or(Timestamp::MIN)
    }

    /// One attempt; the error ends the attempts.
    async fn once(&self, call: &Call, deadline: Timestamp) -> Result<Once, Transient> {
        let latest = self.latest(deadline);
        self.pacer.slot(&*self.clock, latest).await?;
        if self.clock.now() > latest {
            return Err(Transient::new(format!("no time is left for a call to {}", self.name)));
        }
        let answer = match self.target.call(call, self.timeout).await {
            Ok(answer) => answer,
            Err(fault) => return Ok(Once::Failed(fault)),
        };
        let refused = Transient::new(format!("{} answered {} to {}", self.name, answer.status, call.path));
        match answer.status {
            401 | 403 => {
                self.tell_of_refusal(answer.status).await?;
                Err(refused)
            }
            429 | 503 => {
                let pause = answer.retry_after.unwrap_or(Duration::from_secs(1));
                self.pacer.push_back(&*self.clock, pause).await?;
                Ok(if answer.retry_after.is_some() { Once::Paused } else { Once::Failed(refused) })
            }
            408 | 500.. => Ok(Once::Failed(refused)),
            _ => Ok(Once::Answered(answer)),
        }
    }

    /// Refused credentials are for people, at once; once per instance is enough.
    async fn tell_of_refusal(&self, status: u16) -> Result<(), Transient> {
        if self.told_of_refusal.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let subject = format!("{} refuses our credentials", self.name);
        let text = format!(
            "{} answered {status} after the credentials had been renewed.\nCalls are retried; check the secret of this target.\n",
            self.name
        );
        self.notifier.notify(&Notice { audience: Audience::Technical, subject, text }).await
    }
}

/// What came of one attempt.
enum Once {
    /// An answer that the caller decides about.
    Answered(Answer),
    /// The neighbour said when to call again.
    Paused,
    /// No usable answer.
    Failed(Transient),
}

/// Between half and the whole of `wait`, by the clock's smallest digits: machines that failed together come back apart.
fn jittered(wait: Duration, now: Timestamp) -> Duration {
    let half = wait / 2;
    let spread = u64::try_from(now.subsec_nanosecond()).unwrap_or(0) % 1000;
    half + Duration::from_micros(u64::try_from(half.as_micros()).unwrap_or(0).saturating_mul(spread) / 1000)
}
