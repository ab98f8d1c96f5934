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
//! A lone caller with little to do reserves single slots; one that uses its blocks up gets larger ones, of five calls or
//! a twentieth of a second, so that a busy target costs ten to twenty small writes a second and an idle one nothing. What
//! is left of a block when there is nothing more to call is lost, hence no larger ones.
//!
//! **The limit holds in any second**, wherever it begins. Calls start late now and then, never early, and those of one
//! second are joined by the late ones of the second before: so slots are 2 % further apart than the limit says, and one
//! that was missed by more than [`STALE`] is not used any more.
//!
//! **Made ready.** Who knows that a call is coming may reserve its slot ahead, while the ledger is at work on something else.
//! It lies in the block like any other: a call that comes too late for it reserves another, and a pause voids it. It is
//! nothing to do while another neighbour is called: that takes longer than a slot keeps, and slots that kept longer would be
//! used all at once as soon as a slow neighbour answers.
//!
//! **A pause** (`429` and `Retry-After`) moves the instant for everyone, and voids the slots before it, whoever has
//! reserved them. A block that begins some time after it was reserved is not begun without another look into the ledger: there
//! may be a pause by then.

use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Transient;
use crate::ledger::{Committed, Ledger, Seen};
use crate::ports::{Clock, Key, Write};

/// Slots that lie further back than this are not used any more: that would be a burst.
const STALE: SignedDuration = SignedDuration::from_millis(25);
/// Of a hundred calls that the limit allows, so many are made.
const USED: i64 = 98;
/// So long before a block begins that was waited for, the ledger is looked at.
const LOOK: SignedDuration = SignedDuration::from_millis(20);

/// Hands out slots of one target.
pub struct Pacer {
    ledger: Ledger,
    key: Key,
    /// Names this instance, so that two writers never write the same item.
    owner: String,
    spacing: SignedDuration,
    largest_block: u32,
    block: Mutex<Block>,
    /// No call begins before.
    paused_until: Lock<Timestamp>,
}

/// The slots that this instance has reserved.
#[derive(Default)]
struct Block {
    next: Option<Timestamp>,
    left: u32,
    size: u32,
    /// When it was reserved: of a pause that was asked for since, the ledger knows.
    reserved: Timestamp,
    /// The ledger's item as it was last seen, so that an undisputed reservation is one call.
    seen: Option<Seen<Rate>>,
    writes: u64,
}

/// The item of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rate {
    /// Slots are free from here on.
    next: Timestamp,
    /// Slots before are void: the target has asked for a pause.
    #[serde(default)]
    paused_until: Timestamp,
    /// Who moved it last, and its how-manieth write that was.
    by: String,
    write: u64,
}

impl Pacer {
    /// A pacer for `target` at `per_second` calls, 1 at least. `owner` is unique to this instance.
    #[must_use]
    pub fn new(ledger: Ledger, target: &str, per_second: u32, owner: String) -> Self {
        let per_second = per_second.max(1);
        let spacing = SignedDuration::from_nanos(100 * 1_000_000_000 / (USED * i64::from(per_second)));
        let key = Key { partition: format!("target#{target}"), sort: "rate".into() };
        let paused_until = Lock::new(Timestamp::UNIX_EPOCH);
        let largest_block = (per_second / 20).max(5).min(per_second / 10).max(1);
        Self { ledger, key, owner, spacing, largest_block, block: Mutex::default(), paused_until }
    }

    /// Returns when a call may be made, which is not after `latest`.
    ///
    /// # Errors
    /// [`Transient`] when there is no slot until then, or the ledger does not answer.
    pub async fn slot(&self, clock: &dyn Clock, latest: Timestamp) -> Result<(), Transient> {
        loop {
            let (slot, is_first, reserved) = {
                let mut block = self.block.lock().await;
                let slot = self.next_slot(&mut block, clock, latest).await?;
                (slot, block.left + 1 == block.size, block.reserved)
            };
            if slot > latest {
                return Err(self.too_late(slot));
            }
            let begin = slot.saturating_sub(LOOK).unwrap_or(slot);
            if is_first && begin > reserved {
                until(clock, begin).await;
                let rate = self.ledger.get::<Rate>(&self.key).await?;
                self.hear_of_pause(rate.map(|rate| rate.value.paused_until).unwrap_or_default());
            }
            until(clock, slot).await;
            // The first slot of a block is used however late it has become, unless a pause has voided it: where looking
            // takes long, or timers are late, no call would ever be made otherwise.
            let now = if is_first { slot } else { clock.now() };
            if self.is_usable(slot, now) {
                return Ok(());
            }
        }
    }

    /// Reserves a slot for a call that is about to come, unless one is left: that call does not wait for the ledger. Nor is
    /// another one reserved where the last one was not used in time: who comes late once comes late again.
    ///
    /// # Errors
    /// As [`Pacer::slot`].
    pub async fn make_ready(&self, clock: &dyn Clock, latest: Timestamp) -> Result<(), Transient> {
        let mut block = self.block.lock().await;
        if block.left == 0 {
            self.reserve(&mut block, clock, latest).await?;
        }
        Ok(())
    }

    /// Nobody gets a slot for the next `pause`, and those that lie in it are void.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn push_back(&self, clock: &dyn Clock, pause: Duration) -> Result<(), Transient> {
        let until = clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.hear_of_pause(until);
        let mut block = self.block.lock().await;
        if block.seen.as_ref().is_none_or(|seen| seen.value.paused_until < until) {
            self.move_to(&mut block, |rate| (rate.next.max(until), rate.paused_until.max(until))).await?;
        }
        Ok(())
    }

    fn too_late(&self, slot: Timestamp) -> Transient {
        Transient::new(format!("{} is not to be called before {slot}", self.key.partition))
    }

    async fn next_slot(&self, block: &mut Block, clock: &dyn Clock, latest: Timestamp) -> Result<Timestamp, Transient> {
        let (next, slot) = match self.left(block, clock.now()) {
            Some(next) => (next, next),
            // However long the ledger took, the first slot of a block is used: otherwise a slow one would never let a call go.
            None => {
                let next = self.reserve(block, clock, latest).await?;
                (next, next.max(clock.now()))
            }
        };
        block.left = block.left.saturating_sub(1);
        block.next = next.saturating_add(self.spacing).ok();
        Ok(slot)
    }

    /// The next slot of this instance's own, if a call at `now` can still use it.
    fn left(&self, block: &Block, now: Timestamp) -> Option<Timestamp> {
        block.next.filter(|next| block.left > 0 && self.is_usable(*next, now))
    }

    /// Reserves a block, which begins at the slot that is returned.
    async fn reserve(&self, block: &mut Block, clock: &dyn Clock, latest: Timestamp) -> Result<Timestamp, Transient> {
        let now = clock.now();
        // Others have taken all slots until then, and the instant never goes back: one that nobody uses is not taken.
        if let Some(taken) = block.seen.as_ref().map(|seen| seen.value.next).filter(|next| *next > latest) {
            return Err(self.too_late(taken));
        }
        // A block that was used up in time calls for a larger one.
        let used_up = block.left == 0 && block.next.is_some_and(|next| self.is_usable(next, now));
        block.size = if used_up { (block.size * 2).clamp(1, self.largest_block) } else { 1 };
        let slots = self.spacing.saturating_mul(i32::try_from(block.size).unwrap_or(i32::MAX));
        let reserve =
            |rate: &Rate| (rate.next.max(now).saturating_add(slots).unwrap_or(Timestamp::MAX), rate.paused_until);
        let begin = self.move_to(block, reserve).await?.max(now);
        block.left = block.size;
        block.next = Some(begin);
        block.reserved = clock.now();
        Ok(begin)
    }

    /// Whether a call of this slot may begin at `now`, or later.
    fn is_usable(&self, slot: Timestamp, now: Timestamp) -> bool {
        let oldest = now.saturating_sub(STALE).unwrap_or(now);
        let paused_until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        slot >= oldest && slot >= paused_until
    }

    fn hear_of_pause(&self, until: Timestamp) {
        let mut known = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = until.max(*known);
    }

    /// Moves the target's instant, and the end of its pause; where the instant was before.
    async fn move_to(
        &self,
        block: &mut Block,
        to: impl Fn(&Rate) -> (Timestamp, Timestamp),
    ) -> Result<Timestamp, Transient> {
        loop {
            let free = Rate::default();
            let known = block.seen.as_ref().map_or(&free, |seen| &seen.value);
            let (before, (next, paused_until)) = (known.next, to(known));
            block.writes += 1;
            let rate = Rate { next, paused_until, by: self.owner.clone(), write: block.writes };
            let seen = block.seen.as_ref().map(|seen| seen.rev);
            let write = Write::put(self.key.clone(), &rate, seen, None)?;
            if self.ledger.commit(&[write]).await? == Committed::Yes {
                block.seen = Some(Seen { value: rate, rev: seen.unwrap_or(0) + 1 });
                return Ok(before);
            }
            block.seen = self.ledger.get(&self.key).await?;
            if let Some(seen) = &block.seen {
                self.hear_of_pause(seen.value.paused_until);
            }
        }
    }
}

async fn until(clock: &dyn Clock, instant: Timestamp) {
    let wait = instant.duration_since(clock.now());
    if wait.is_positive() {
        clock.sleep(Duration::try_from(wait).unwrap_or_default()).await;
    }
}
