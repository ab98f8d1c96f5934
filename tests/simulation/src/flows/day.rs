//! The day of a DERMS: its events, what becomes of their stages, and what it says of them. Reservations and outcomes are
//! about these stages.

use domain::stage::StageStatus::{self, Canceled, Completed, InProgress, Scheduled};
use jiff::Timestamp;

use crate::engine::{Micros, seconds};
use crate::neighbours::UNSTOPPABLE;
use crate::schedule::Setting;

/// What the DERMS says of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nothing: DACS has it from before the platform.
    Unsaid,
    /// That it is Scheduled; so it stays.
    Stays,
    /// It begins.
    Runs,
    /// It begins and is completed.
    Ends,
    /// It is canceled, before it begins or after.
    Withdrawn,
    /// It was never said to be Scheduled.
    Headless,
    /// That it is Completed, but never that it began.
    Gap,
    /// DACS refuses its program.
    Closed,
    /// Its program is in no lookup.
    Unlisted,
    /// It has no program: it is not DACS's.
    NoProgram,
}

/// What is to be expected of reservations for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hope {
    /// All valid devices are reserved.
    Firm,
    /// None is: DACS never has the stage Scheduled.
    Never,
    /// Those that come while it is Scheduled.
    While,
}

/// A stage of a day.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its event.
    pub event: String,
    /// Its id.
    pub id: String,
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// What is said of it.
    pub life: Life,
    /// In order of what happens.
    pub said: Vec<StageStatus>,
    /// Where DACS has it from before the platform.
    pub before: Option<StageStatus>,
    /// Its whole event is canceled at some time.
    pub event_canceled: bool,
    /// Somebody will supply the predecessor that is missing.
    pub curable: bool,
}

/// A day of stages.
#[derive(Debug, Default)]
pub struct Day {
    /// In order of their events.
    pub stages: Vec<Stage>,
}

impl Stage {
    /// What is to be expected of reservations.
    #[must_use]
    pub fn hope(&self) -> Hope {
        match (self.life, self.before) {
            (Life::Stays, _) if !self.event_canceled => Hope::Firm,
            (Life::Unsaid, Some(Scheduled)) => Hope::Firm,
            (Life::Closed | Life::Unlisted | Life::NoProgram | Life::Unsaid, _) => Hope::Never,
            (Life::Headless, None) if !self.curable => Hope::Never,
            _ => Hope::While,
        }
    }

    /// Whether outcomes of it can be sent soon: it ends, or the platform does not know it.
    #[must_use]
    pub fn ends_soon(&self) -> bool {
        let is_scheduled = self.said.first() == Some(&Scheduled) && !self.is_refused();
        let stops = !self.id.contains(UNSTOPPABLE);
        match self.life {
            Life::Unsaid | Life::NoProgram | Life::Ends => true,
            Life::Withdrawn => stops,
            _ => self.event_canceled && is_scheduled && stops,
        }
    }

    /// Whether it never becomes a program event, although it is said to be Scheduled.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.life, Life::Closed | Life::Unlisted | Life::NoProgram)
    }

    /// Its program as the DERMS says it.
    #[must_use]
    pub fn program(&self) -> Option<&'static str> {
        match self.life {
            Life::NoProgram => None,
            Life::Unlisted => Some("NOWHERE"),
            Life::Closed => Some("CLOSED"),
            _ => Some("SUMMER"),
        }
    }

    /// Where DACS may have it when all is said; `None` in it: nowhere.
    #[must_use]
    pub fn ends_as(&self) -> Vec<Option<StageStatus>> {
        let stops = !self.id.contains(UNSTOPPABLE);
        let mut ends = match self.life {
            Life::Unsaid => return vec![self.before],
            Life::Headless if self.before.is_some() => vec![self.goes_on_from_before()],
            Life::Headless | Life::Closed | Life::Unlisted | Life::NoProgram => return vec![None],
            Life::Stays | Life::Gap => vec![Some(Scheduled)],
            Life::Runs => vec![Some(InProgress)],
            Life::Ends => vec![Some(Completed)],
            Life::Withdrawn if stops || self.said.len() == 2 => vec![Some(Canceled)],
            Life::Withdrawn => vec![Some(Canceled), Some(InProgress)],
        };
        if self.event_canceled {
            ends.retain(|end| end.is_some_and(StageStatus::is_final));
            ends.push(Some(Canceled));
            if !stops {
                ends.push(Some(InProgress));
            }
            if self.life == Life::Headless {
                ends.extend([self.before, self.goes_on_from_before()]);
            }
        }
        ends
    }

    /// What is said of it, one after the other, as far as DACS takes it.
    fn goes_on_from_before(&self) -> Option<StageStatus> {
        self.said.iter().fold(self.before, |is, status| {
            let stops = *status != Canceled || is != Some(InProgress) || !self.id.contains(UNSTOPPABLE);
            if StageStatus::after(is).contains(status) && stops { Some(*status) } else { is }
        })
    }
}

/// Plans the stages of one event.
pub fn event(setting: &mut Setting, number: usize) -> Vec<Stage> {
    let event = format!("E-{number}");
    let (stages, canceled) = (setting.dice.count(1, 4), setting.dice.chance(25));
    (0..stages).map(|stage| plan(setting, &event, stage, canceled)).collect()
}

fn plan(setting: &mut Setting, event: &str, number: usize, event_canceled: bool) -> Stage {
    let dice = &mut setting.dice;
    let (life, said): (Life, &[StageStatus]) = match dice.below(40) {
        0..=2 => (Life::Unsaid, &[]),
        3..=10 => (Life::Stays, &[Scheduled]),
        11..=15 => (Life::Runs, &[Scheduled, InProgress]),
        16..=24 => (Life::Ends, &[Scheduled, InProgress, Completed]),
        25..=27 => (Life::Withdrawn, &[Scheduled, Canceled]),
        28..=30 => (Life::Withdrawn, &[Scheduled, InProgress, Canceled]),
        31 => (Life::Headless, &[InProgress, Completed]),
        32 => (Life::Headless, &[InProgress]),
        33 => (Life::Headless, &[Completed]),
        34 => (Life::Headless, &[Canceled]),
        35..=36 => (Life::Gap, &[Scheduled, Completed]),
        37 => (Life::Closed, &[Scheduled]),
        38 => (Life::Unlisted, &[Scheduled]),
        _ => (Life::NoProgram, &[Scheduled]),
    };
    let before = match (life, dice.below(4)) {
        (Life::Unsaid, 0) | (Life::Headless, 1) => Some(InProgress),
        (Life::Unsaid, _) | (Life::Headless, 0) => Some(Scheduled),
        _ => None,
    };
    let curable = matches!(life, Life::Headless | Life::Gap) && before.is_none() && !event_canceled && dice.chance(50);
    let mark = if dice.chance(10) { format!("-{UNSTOPPABLE}") } else { String::new() };
    let id = format!("{event}.{number}{mark}");
    let mut stage = Stage {
        event: event.to_owned(),
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        said: said.to_vec(),
        id,
        life,
        before,
        event_canceled,
        curable,
    };
    // Reservations for it are given up at its end.
    let lasts = seconds(if stage.hope() == Hope::Never { 1800 } else { 4 * 3600 });
    (stage.start, stage.end) = times(setting, lasts);
    if let Some(before) = before {
        setting.neighbours.dacs.events.has_from_before(&stage.id, before);
    }
    stage
}

fn times(setting: &Setting, lasts: Micros) -> (Timestamp, Timestamp) {
    let core = setting.shared.lock();
    let at = |micros: Micros| core.instant(i64::try_from(micros).unwrap_or(0));
    (at(lasts.saturating_sub(seconds(600))), at(lasts))
}
