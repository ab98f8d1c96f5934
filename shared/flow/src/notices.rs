//! One notice per cause and window, not one per message (decision 13).
//!
//! ```text
//! refused ─▶ told at once, and a window opens      kept      kept                window ends: "and 2 more", by watch
//!            ├──────────────────────────────────────┼─────────┼──────────────────┤
//! ```
//!
//! A cause is who is told, and under which subject: it names the flow and what happened. What comes while its window is
//! open is kept in the ledger, each in an item of its own, so that a thousand messages that fail at once do not wait for
//! each other. [`tell_the_rest`] tells them together when the window is over.
//!
//! ```text
//! <function>#notices   window#<cause>              until when it is open
//!                      kept#<cause>#<time>#<who>   one notice
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Transient;
use crate::ledger::message::group;
use crate::ledger::{Committed, Ledger, Seen, decode};
use crate::ports::{Audience, Clock, Key, Notice, Notifier, Write, over_for_all};

/// Kept notices are forgotten then, should nobody have told them.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many items are read at once.
const PAGE: u32 = 100;
/// So many writes go into one commit.
const COMMIT: usize = 25;
/// How often opening a window is tried again at once.
const RACES: u32 = 5;
/// So many kept notices are told in full; the others are counted.
const TOLD: usize = 20;

/// Tells people once per cause and window.
pub struct OncePerWindow {
    /// Who publishes.
    pub inner: Arc<dyn Notifier>,
    /// The ledger, and whose partition of it: the function's name.
    pub ledger: (Ledger, &'static str),
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long a window is; none: every notice is told at once.
    pub window: SignedDuration,
    /// Unique to this instance, so that two never write the same item.
    pub owner: String,
    state: State,
}

#[derive(Default)]
struct State {
    /// By cause: until when its window is known to be open.
    open: Mutex<BTreeMap<String, Timestamp>>,
    kept: AtomicU64,
}

/// The window of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    audience: Audience,
    subject: String,
    opened: Timestamp,
    until: Timestamp,
    /// The notice that opened it, until it is known to be told.
    first: Option<String>,
    owner: String,
}

/// A window, and whose it is.
enum Opened {
    /// Another's.
    Before(Window),
    /// The one that was opened for this notice.
    Now(Seen<Window>),
}

impl Opened {
    fn window(&self) -> &Window {
        match self {
            Self::Before(window) => window,
            Self::Now(window) => &window.value,
        }
    }
}

/// A notice that came while the window of its cause was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    text: String,
}

impl OncePerWindow {
    /// Tells by `inner`, once per cause and `window`.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Notifier>,
        ledger: (Ledger, &'static str),
        clock: Arc<dyn Clock>,
        window: SignedDuration,
        owner: String,
    ) -> Self {
        Self { inner, ledger, clock, window, owner, state: State::default() }
    }

    /// Whether the window of `cause` was open. If it was not, this notice opens it, and is told.
    async fn was_open(&self, cause: &str, notice: &Notice) -> Result<bool, Transient> {
        let now = self.clock.now();
        let mut open = self.state.open.lock().await;
        if open.get(cause).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let opened = self.open(cause, notice, now).await?;
        open.insert(cause.to_owned(), opened.window().until);
        drop(open);
        match opened {
            Opened::Before(_) => Ok(true),
            Opened::Now(window) => self.tell_first(cause, notice, window).await.map(|()| false),
        }
    }

    async fn open(&self, cause: &str, notice: &Notice, now: Timestamp) -> Result<Opened, Transient> {
        let window = Window {
            audience: notice.audience,
            subject: notice.subject.clone(),
            opened: now,
            until: now.saturating_add(self.window).unwrap_or(Timestamp::MAX),
            first: Some(notice.text.clone()),
            owner: self.owner.clone(),
        };
        let (ledger, function) = &self.ledger;
        let key = window_key(function, cause);
        for _ in 0..RACES {
            let seen = ledger.get::<Window>(&key).await?;
            let rev = seen.as_ref().map(|seen| seen.rev);
            if let Some(seen) = seen.filter(|seen| seen.value.until > now) {
                return Ok(Opened::Before(seen.value));
            }
            let write = Write::put(key.clone(), &window, rev, expires(now))?;
            if ledger.commit(&[write]).await? == Committed::Yes {
                return Ok(Opened::Now(Seen { value: window, rev: rev.unwrap_or(0) + 1 }));
            }
            // Whoever was first may have opened it, or closed the one that is over: then nobody would tell what is kept.
        }
        Err(Transient::new("opening the window of a notice: others keep changing it"))
    }

    async fn tell_first(&self, cause: &str, notice: &Notice, window: Seen<Window>) -> Result<(), Transient> {
        self.inner.notify(notice).await?;
        let (ledger, function) = &self.ledger;
        let told = Window { first: None, ..window.value };
        let write = Write::put(window_key(function, cause), &told, Some(window.rev), expires(told.opened))?;
        if let Err(fault) = ledger.commit(&[write]).await {
            // It is told again when the window is over, which is better than not at all.
            tracing::warn!(function, fault = fault.chain(), "a notice may be told twice");
        }
        Ok(())
    }

    async fn keep(&self, cause: &str, notice: &Notice) -> Result<(), Transient> {
        let (ledger, function) = &self.ledger;
        let now = self.clock.now();
        let number = self.state.kept.fetch_add(1, Ordering::Relaxed);
        let who = group(&format!("{}-{number}", self.owner));
        let sort = format!("{}{:020}#{who}", kept_prefix(cause), now.as_millisecond());
        let key = Key { partition: partition(function), sort };
        let write = Write::put(key, &Kept { text: notice.text.clone() }, None, expires(now))?;
        ledger.commit(&[write]).await.map(|_| ())
    }
}

#[async_trait]
impl Notifier for OncePerWindow {
    async fn notify(&self, notice: &Notice) -> Result<(), Transient> {
        if self.window.is_zero() {
            return self.inner.notify(notice).await;
        }
        let cause = cause(notice);
        if self.was_open(&cause, notice).await? { self.keep(&cause, notice).await } else { Ok(()) }
    }
}

/// Tells what `function` has kept and whose window is over: one notice per cause.
///
/// # Errors
/// [`Transient`] when ledger or notifier do not answer; the rest is told the next time.
pub async fn tell_the_rest(
    ledger: &Ledger,
    function: &str,
    notifier: &dyn Notifier,
    now: Timestamp,
) -> Result<(), Transient> {
    let windows = ledger.list(&partition(function), Some(WINDOWS), PAGE).await?;
    for item in windows.iter().take_while(|item| item.key.sort.starts_with(WINDOWS)) {
        let window = decode::<Window>(item)?;
        if over_for_all(window.value.until) <= now {
            let cause = item.key.sort.strip_prefix(WINDOWS).unwrap_or_default();
            close(ledger, function, (cause, &window), notifier).await?;
        }
    }
    Ok(())
}

async fn close(
    ledger: &Ledger,
    function: &str,
    (cause, window): (&str, &Seen<Window>),
    notifier: &dyn Notifier,
) -> Result<(), Transient> {
    let prefix = kept_prefix(cause);
    let mut texts: Vec<String> = window.value.first.iter().cloned().collect();
    let mut deletes = Vec::new();
    let (mut count, mut after) = (texts.len(), prefix.clone());
    loop {
        let page = ledger.list(&partition(function), Some(&after), PAGE).await?;
        let kept: Vec<_> = page.iter().take_while(|item| item.key.sort.starts_with(&prefix)).collect();
        for item in &kept {
            count += 1;
            if texts.len() < TOLD {
                texts.push(decode::<Kept>(item)?.value.text);
            }
            deletes.push(Write::Delete { key: item.key.clone(), seen: item.rev });
        }
        match kept.last() {
            Some(last) if u32::try_from(kept.len()).is_ok_and(|found| found == PAGE) => {
                after.clone_from(&last.key.sort);
            }
            _ => break,
        }
    }
    if count > 0 {
        notifier.notify(&summary(&window.value, count, &texts)).await?;
    }
    // The window goes last: should this be cut off, what is left is told again the next time.
    deletes.push(Write::Delete { key: window_key(function, cause), seen: window.rev });
    let (first, last) = deletes.split_at(deletes.len().saturating_sub(COMMIT));
    for some in first.chunks(COMMIT * COMMIT) {
        try_join_all(some.chunks(COMMIT).map(|writes| ledger.commit(writes))).await?;
    }
    ledger.commit(last).await.map(|_| ())
}

fn summary(window: &Window, count: usize, texts: &[String]) -> Notice {
    let mut text = format!("{count} more of this kind since {}.\n", window.opened.strftime("%FT%TZ"));
    for kept in texts {
        text.push_str("\n----\n");
        text.push_str(kept);
    }
    if count > texts.len() {
        text.push_str(&format!("\n----\nand {} that are not shown here.\n", count - texts.len()));
    }
    Notice { audience: window.audience, subject: format!("{} ({count} more)", window.subject), text }
}

/// What sort keys of windows begin with.
const WINDOWS: &str = "window#";

fn partition(function: &str) -> String {
    format!("{function}#notices")
}

fn window_key(function: &str, cause: &str) -> Key {
    Key { partition: partition(function), sort: format!("{WINDOWS}{cause}") }
}

fn kept_prefix(cause: &str) -> String {
    format!("kept#{cause}#")
}

/// Who is told, and under which subject, as part of a sort key.
fn cause(notice: &Notice) -> String {
    let audience = match notice.audience {
        Audience::Technical => "technical",
        Audience::Business => "business",
    };
    group(&format!("{audience}:{}", notice.subject))
}

fn expires(now: Timestamp) -> Option<Timestamp> {
    now.checked_add(REMEMBERED).ok()
}

#[cfg(test)]
mod tests;
