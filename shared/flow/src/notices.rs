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
use crate::ports::{Audience, Clock, Key, Notice, Notifier, Write};

/// Kept notices are forgotten then, should nobody have told them.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A window is over for everybody this long after its end, whatever their clocks say.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// So many items are read at once.
const PAGE: u32 = 100;
/// So many writes go into one commit.
const COMMIT: usize = 25;
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

    /// Whether the window of `cause` is open, and not by this notice.
    async fn is_open(&self, cause: &str, notice: &Notice) -> Result<bool, Transient> {
        let now = self.clock.now();
        let mut open = self.state.open.lock().await;
        if open.get(cause).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let (ledger, function) = &self.ledger;
        let key = window_key(function, cause);
        let seen = ledger.get::<Window>(&key).await?;
        if let Some(seen) = seen.as_ref().filter(|seen| seen.value.until > now) {
            open.insert(cause.to_owned(), seen.value.until);
            return Ok(true);
        }
        let window = Window {
            audience: notice.audience,
            subject: notice.subject.clone(),
            opened: now,
            until: now.saturating_add(self.window).unwrap_or(Timestamp::MAX),
            first: Some(notice.text.clone()),
            owner: self.owner.clone(),
        };
        let rev = seen.map(|seen| seen.rev);
        let write = Write::put(key.clone(), &window, rev, expires(now))?;
        if ledger.commit(&[write]).await? == Committed::LostRace {
            return Ok(true);
        }
        open.insert(cause.to_owned(), window.until);
        drop(open);
        self.inner.notify(notice).await?;
        let told = Window { first: None, ..window };
        let write = Write::put(key, &told, Some(rev.unwrap_or(0) + 1), expires(now))?;
        if let Err(fault) = ledger.commit(&[write]).await {
            // It is told again when the window is over, which is better than not at all.
            tracing::warn!(function, fault = fault.chain(), "a notice may be told twice");
        }
        Ok(false)
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
        if self.is_open(&cause, notice).await? { self.keep(&cause, notice).await } else { Ok(()) }
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
        if window.value.until.saturating_add(SKEW).is_ok_and(|over| over <= now) {
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
    let mut deletes = vec![Write::Delete { key: window_key(function, cause), seen: window.rev }];
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
    // Should this be cut off, what is left is told again with the next window of its cause.
    for some in deletes.chunks(COMMIT * COMMIT) {
        try_join_all(some.chunks(COMMIT).map(|writes| ledger.commit(writes))).await?;
    }
    Ok(())
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::memory::World;

    const FUNCTION: &str = "dacs-derms-enrollment-sync";

    fn world() -> World {
        World::new("2026-07-01T10:00:00Z".parse().unwrap())
    }

    fn gathering(world: &World, owner: &str, minutes: i64) -> OncePerWindow {
        let (inner, clock) = (Arc::new(world.notices.clone()), Arc::new(world.clock.clone()));
        let window = SignedDuration::from_mins(minutes);
        OncePerWindow::new(inner, (world.ledger(), FUNCTION), clock, window, owner.into())
    }

    fn refused(message: &str) -> Notice {
        let subject = format!("{FUNCTION}: a message was refused");
        Notice { audience: Audience::Business, subject, text: format!("Message: {message}\n") }
    }

    async fn rest(world: &World) {
        tell_the_rest(&world.ledger(), FUNCTION, &world.notices, world.clock.now()).await.unwrap();
    }

    fn subjects(world: &World) -> Vec<String> {
        world.notices.all().into_iter().map(|notice| notice.subject).collect()
    }

    #[tokio::test]
    async fn the_first_of_a_cause_is_told_at_once_and_the_others_together_when_its_window_is_over() {
        let world = world();
        let (one, two) = (gathering(&world, "one", 15), gathering(&world, "two", 15));
        for message in ["m1", "m2"] {
            one.notify(&refused(message)).await.unwrap();
        }
        two.notify(&refused("m3")).await.unwrap();
        assert_eq!(world.notices.all(), [refused("m1")]);
        world.clock.advance(Duration::from_secs(15 * 60));
        rest(&world).await;
        assert_eq!(world.notices.all().len(), 1, "somebody's clock may be behind");
        world.clock.advance(Duration::from_secs(60));
        rest(&world).await;
        rest(&world).await;
        let told = world.notices.all();
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].subject, format!("{FUNCTION}: a message was refused (2 more)"));
        assert!(told[1].text.contains("m2") && told[1].text.contains("m3") && !told[1].text.contains("m1"));
        assert_eq!(world.table.items(), vec![], "nothing is left");
    }

    #[tokio::test]
    async fn one_of_a_kind_is_told_once_and_the_next_after_the_window_at_once() {
        let world = world();
        let one = gathering(&world, "one", 15);
        one.notify(&refused("m1")).await.unwrap();
        world.clock.advance(Duration::from_secs(16 * 60));
        one.notify(&refused("m2")).await.unwrap();
        assert_eq!(world.notices.all(), [refused("m1"), refused("m2")]);
        world.clock.advance(Duration::from_secs(17 * 60));
        rest(&world).await;
        assert_eq!(world.notices.all().len(), 2);
    }

    #[tokio::test]
    async fn other_causes_and_other_recipients_do_not_wait() {
        let world = world();
        let one = gathering(&world, "one", 15);
        let failed = Notice { subject: format!("{FUNCTION}: a message was failed"), ..refused("m2") };
        let technical = Notice { audience: Audience::Technical, ..refused("m3") };
        for notice in [&refused("m1"), &failed, &technical] {
            one.notify(notice).await.unwrap();
        }
        assert_eq!(world.notices.all(), [refused("m1"), failed, technical]);
    }

    #[tokio::test]
    async fn a_thousand_of_a_kind_are_two_notices_of_which_the_second_is_not_endless() {
        let world = world();
        let one = gathering(&world, "one", 15);
        for n in 0..1000 {
            one.notify(&refused(&format!("m{n}"))).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(16 * 60));
        rest(&world).await;
        let told = world.notices.all();
        assert_eq!(subjects(&world)[1], format!("{FUNCTION}: a message was refused (999 more)"));
        assert_eq!(told[1].text.matches("Message: ").count(), TOLD);
        assert!(told[1].text.contains("and 979 that are not shown"));
        assert_eq!(world.table.items(), vec![]);
    }

    #[tokio::test]
    async fn without_a_window_every_notice_is_told_at_once_and_nothing_is_written() {
        let world = world();
        let one = gathering(&world, "one", 0);
        for message in ["m1", "m2"] {
            one.notify(&refused(message)).await.unwrap();
        }
        assert_eq!(world.notices.all(), [refused("m1"), refused("m2")]);
        assert_eq!(world.table.items(), vec![]);
    }

    struct Deaf;

    #[async_trait]
    impl Notifier for Deaf {
        async fn notify(&self, _: &Notice) -> Result<(), Transient> {
            Err(Transient::new("nobody hears"))
        }
    }

    #[tokio::test]
    async fn a_first_notice_that_could_not_be_told_is_told_when_the_window_is_over() {
        let world = world();
        let deaf = OncePerWindow { inner: Arc::new(Deaf), ..gathering(&world, "one", 15) };
        deaf.notify(&refused("m1")).await.unwrap_err();
        // Whoever was told of the fault tries again.
        deaf.notify(&refused("m1")).await.unwrap();
        world.clock.advance(Duration::from_secs(16 * 60));
        rest(&world).await;
        assert!(world.notices.all().remove(0).text.contains("m1"));
    }
}
