//! One rate per target, shared by all functions.
//!
//! One ledger item per target holds the instant from which slots are free. Whoever wants to call reserves a block of
//! slots by moving that instant, in one conditional write, and then paces itself through the block:
//!
//! ```text
//! ledger   next ──▶ max(next, now) + n/rate
//! caller        │ slot │ slot │ slot │ …   one call each
//! ```
//!
//! A lone caller with little to do reserves single slots; one that uses its blocks up gets larger ones, up to a tenth
//! of a second, so that a busy target costs about ten small writes a second per function and an idle one nothing.
//! `429` and `Retry-After` move the instant for everyone. Whoever has slept long for its slot looks whether they have
//! meanwhile: a slot that was reserved before a pause is not used in it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Transient;
use crate::ledger::{Committed, Ledger, Seen};
use crate::ports::{Clock, Key, Write};

/// Slots that lie further back than this are not used any more: that would be a burst.
const STALE: SignedDuration = SignedDuration::from_millis(50);

/// Whoever has waited for longer than this looks again before it calls.
const LONG: SignedDuration = SignedDuration::from_millis(500);

/// Hands out slots of one target.
pub struct Pacer {
    ledger: Ledger,
    key: Key,
    /// Names this instance, so that two writers never write the same item.
    owner: String,
    spacing: SignedDuration,
    largest_block: u32,
    block: Mutex<Block>,
}

/// The slots that this instance has reserved.
#[derive(Default)]
struct Block {
    next: Option<Timestamp>,
    left: u32,
    size: u32,
    /// The ledger's item as it was last seen, so that an undisputed reservation is one call.
    seen: Option<Seen<Rate>>,
    writes: u64,
}

/// The item of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rate {
    /// Slots are free from here on.
    next: Timestamp,
    /// The target asked not to be called before this.
    #[serde(default)]
    paused_until: Option<Timestamp>,
    /// Who moved it last, and its how-manieth write that was.
    by: String,
    write: u64,
}

impl Pacer {
    /// A pacer for `target` at `per_second` calls, 1 at least. `owner` is unique to this instance.
    #[must_use]
    pub fn new(ledger: Ledger, target: &str, per_second: u32, owner: String) -> Self {
        let per_second = per_second.max(1);
        let spacing = SignedDuration::from_nanos(1_000_000_000 / i64::from(per_second));
        let key = Key { partition: format!("target#{target}"), sort: "rate".into() };
        Self { ledger, key, owner, spacing, largest_block: (per_second / 10).max(1), block: Mutex::default() }
    }

    /// Returns when a call may be made, or at once if that is not before `latest`.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer, or there is no slot in time.
    pub async fn slot(&self, clock: &dyn Clock, latest: Timestamp) -> Result<(), Transient> {
        loop {
            let slot = {
                let mut block = self.block.lock().await;
                self.next_slot(&mut block, clock).await?
            };
            let wait = slot.duration_since(clock.now());
            if !wait.is_positive() {
                return Ok(());
            }
            if slot > latest {
                return Err(Transient::new(format!("{} is not to be called before {slot}", self.key.partition)));
            }
            clock.sleep(Duration::try_from(wait).unwrap_or_default()).await;
            if wait < LONG || !self.is_paused(clock).await? {
                return Ok(());
            }
        }
    }

    /// Whether the target has asked for a pause that still lasts.
    async fn is_paused(&self, clock: &dyn Clock) -> Result<bool, Transient> {
        let mut block = self.block.lock().await;
        block.seen = self.ledger.get(&self.key).await?;
        let until = block.seen.as_ref().and_then(|seen| seen.value.paused_until);
        let paused = until.is_some_and(|until| until > clock.now());
        if paused {
            block.left = 0;
        }
        Ok(paused)
    }

    /// Nobody gets a slot for the next `pause`.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn push_back(&self, clock: &dyn Clock, pause: Duration) -> Result<(), Transient> {
        let mut block = self.block.lock().await;
        block.left = 0;
        let until = clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.change(&mut block, |rate| {
            rate.next = rate.next.max(until);
            rate.paused_until = rate.paused_until.max(Some(until));
        })
        .await?;
        Ok(())
    }

    async fn next_slot(&self, block: &mut Block, clock: &dyn Clock) -> Result<Timestamp, Transient> {
        let now = clock.now();
        let oldest = now.saturating_sub(STALE).unwrap_or(now);
        if let Some(next) = block.next.filter(|next| block.left > 0 && *next >= oldest) {
            block.left -= 1;
            block.next = next.saturating_add(self.spacing).ok();
            return Ok(next);
        }
        // A block that was used up in time calls for a larger one.
        let used_up = block.left == 0 && block.next.is_some_and(|next| next >= oldest);
        block.size = if used_up { (block.size * 2).clamp(1, self.largest_block) } else { 1 };
        let slots = self.spacing.saturating_mul(i32::try_from(block.size).unwrap_or(i32::MAX));
        let begin = self
            .change(block, |rate| rate.next = rate.next.max(now).saturating_add(slots).unwrap_or(Timestamp::MAX))
            .await?
            .max(now);
        block.left = block.size - 1;
        block.next = begin.saturating_add(self.spacing).ok();
        Ok(begin)
    }

    /// Changes the target's item; where its instant was before.
    async fn change(&self, block: &mut Block, change: impl Fn(&mut Rate)) -> Result<Timestamp, Transient> {
        loop {
            let seen = block.seen.as_ref().map(|seen| seen.rev);
            let mut rate = block.seen.as_ref().map(|seen| seen.value.clone()).unwrap_or_default();
            let before = rate.next;
            block.writes += 1;
            (rate.by, rate.write) = (self.owner.clone(), block.writes);
            change(&mut rate);
            let write = Write::put(self.key.clone(), &rate, seen, None)?;
            if self.ledger.commit(&[write]).await? == Committed::Yes {
                block.seen = Some(Seen { value: rate, rev: seen.unwrap_or(0) + 1 });
                return Ok(before);
            }
            block.seen = self.ledger.get(&self.key).await?;
        }
    }
}
