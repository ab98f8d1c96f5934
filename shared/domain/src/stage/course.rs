//! What follows: one pure function.

use jiff::{SignedDuration, Timestamp};

use super::{Ground, StageStatus, Wanted, Wish};

/// How long is waited, and for what (contracts.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a predecessor that has not come ("held (default 10 minutes)"), and for a program system that says "not yet".
    pub hold: SignedDuration,
    /// IN_PROGRESS for a running reservation ("at most 60 s (parameter)").
    pub reservation_wait: SignedDuration,
    /// A predecessor that has not come is supplied as soon as the stage's end has passed ("automatic by parameter").
    pub supply_after_end: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let (hold, reservation_wait) = (SignedDuration::from_mins(10), SignedDuration::from_secs(60));
        Self { hold, reservation_wait, supply_after_end: false }
    }
}

/// All that decides what follows, the clock apart.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// What was asked for.
    pub wanted: &'a Wanted,
    /// What the program system is known to be in, and since when.
    pub applied: Option<(StageStatus, Timestamp)>,
    /// Its whole event is canceled, which asks for CANCELED as soon as the stage is SCHEDULED.
    pub event_canceled: bool,
    /// Until when devices are being reserved for it.
    pub reserving_until: Option<Timestamp>,
    /// The stage's end.
    pub end: Timestamp,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until somebody asks for something.
    Nothing,
    /// The program system is to be told this status: legal, and the next in order.
    Call(StageStatus),
    /// The same, of a stage that was never SCHEDULED here, after its hold: on cut-over day the program system knows it
    /// from before us (architecture.md §3). If it does not, the wish has waited in vain.
    CallUnseen(StageStatus),
    /// A predecessor has not come; look again then at the latest.
    Hold {
        /// The end of the hold.
        until: Timestamp,
    },
    /// Devices are being reserved for the stage; look again then at the latest.
    Reserving {
        /// The end of the wait.
        until: Timestamp,
    },
    /// These have waited for their predecessor in vain: they are refused, and go to the operator.
    InVain(Vec<StageStatus>),
}

impl Course<'_> {
    /// What follows at `now`.
    ///
    /// **Interpretation:** where IN_PROGRESS or COMPLETED and CANCELED are wanted at once, CANCELED goes last: the DERMS
    /// sends nothing for a stage after it has canceled it, so the other one happened before.
    #[must_use]
    pub fn next(&self, now: Timestamp, limits: &Limits) -> Next {
        let applied = self.applied.map(|(status, _)| status);
        let following = StageStatus::after(applied);
        if let Some(status) = following.iter().find(|status| self.wants(**status)) {
            return self.when_reserved(*status, now, limits);
        }
        let open: Vec<(StageStatus, &Wish)> = self.open().collect();
        let Some(since) = open.iter().map(|(_, wish)| wish.since).min() else { return Next::Nothing };
        let missing = following.first().copied();
        if limits.supply_after_end
            && now >= self.end
            && let Some(missing) = missing.filter(|missing| !self.is_turned_down(*missing))
        {
            return Next::Call(missing);
        }
        let until = later(since, limits.hold);
        if now < until {
            return Next::Hold { until };
        }
        let never_seen = applied.is_none() && !self.wanted.contains_key(&StageStatus::Scheduled);
        match open.first() {
            Some((earliest, _)) if never_seen => Next::CallUnseen(*earliest),
            _ => Next::InVain(self.overdue(now, limits)),
        }
    }

    /// The wishes whose hold is over, while their predecessor is missing.
    #[must_use]
    pub fn overdue(&self, now: Timestamp, limits: &Limits) -> Vec<StageStatus> {
        let overdue = self.open().filter(|(_, wish)| now >= later(wish.since, limits.hold));
        overdue.map(|(status, _)| status).collect()
    }

    /// What is still to be reached, in order.
    fn open(&self) -> impl Iterator<Item = (StageStatus, &Wish)> {
        let applied = self.applied.map(|(status, _)| status);
        let open = move |status: StageStatus, wish: &Wish| wish.refused.is_none() && status.reached(applied).is_none();
        self.wanted.iter().map(|(status, wish)| (*status, wish)).filter(move |(status, wish)| open(*status, wish))
    }

    fn wants(&self, status: StageStatus) -> bool {
        let asked = self.wanted.get(&status).is_some_and(|wish| wish.refused.is_none());
        asked || (status == StageStatus::Canceled && self.event_canceled && !self.is_turned_down(status))
    }

    /// Refused for what it is; a wish that only came too early is not.
    fn is_turned_down(&self, status: StageStatus) -> bool {
        self.wanted
            .get(&status)
            .and_then(|wish| wish.refused.as_ref())
            .is_some_and(|refused| refused.ground != Ground::Early)
    }

    /// IN_PROGRESS waits for a running reservation, counted from when it could have been told.
    fn when_reserved(&self, status: StageStatus, now: Timestamp, limits: &Limits) -> Next {
        let wish = self.wanted.get(&status).map(|wish| wish.since);
        if status == StageStatus::InProgress
            && let (Some(reserving), Some(wished), Some((_, applied))) = (self.reserving_until, wish, self.applied)
        {
            let until = reserving.min(later(wished.max(applied), limits.reservation_wait));
            if now < until {
                return Next::Reserving { until };
            }
        }
        Next::Call(status)
    }
}

fn later(instant: Timestamp, span: SignedDuration) -> Timestamp {
    instant.saturating_add(span).unwrap_or(Timestamp::MAX)
}
