//! Faults on demand: rules that are set over HTTP, tried in order against each call.
//!
//! Whether a rule with a percentage hits is a function of the seed, the rule and the number of the
//! call among those the rule matched, so the same calls meet the same faults again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::locked;

/// What is asked for, and whom it concerns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Only calls to this system; all systems when absent.
    #[serde(default)]
    pub system: Option<System>,
    /// Only calls with this method, in capitals.
    #[serde(default)]
    pub method: Option<String>,
    /// Only calls whose path begins so.
    #[serde(default)]
    pub path: Option<String>,
    /// Ends after so many hits; without end when absent.
    #[serde(default)]
    pub count: Option<u64>,
    /// Leaves the first so many matching calls alone.
    #[serde(default)]
    pub skip: u64,
    /// How many of a hundred matching calls are hit; all when absent.
    #[serde(default = "hundred")]
    pub percent: u64,
    /// What happens to a call that is hit.
    pub fault: Fault,
}

fn hundred() -> u64 {
    100
}

/// One neighbour, as its paths begin.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// The token service of DACS.
    Oauth,
    /// The program system.
    Dacs,
    /// The event system.
    Derms,
}

impl System {
    /// The neighbour that answers at `path`; none for the control API.
    pub fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1) {
            Some("oauth") => Some(Self::Oauth),
            Some("dacs") => Some(Self::Dacs),
            Some("derms") => Some(Self::Derms),
            _ => None,
        }
    }
}

/// What can go wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Fault {
    /// This status instead of acting.
    Error {
        /// HTTP status, 100 to 999.
        status: u16,
        /// Seconds in a `Retry-After` header.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// Waits before acting.
    Latency {
        /// How long, in milliseconds.
        millis: u64,
    },
    /// Closes the connection without acting.
    Down,
    /// Acts, then lets the answer's body trickle.
    Slow {
        /// Pause before every 8 bytes of the body, in milliseconds.
        millis: u64,
    },
    /// 429 for calls beyond the limit, counted per second of the sandbox's clock.
    RateLimit {
        /// Calls that pass in one second.
        per_second: u64,
        /// Seconds in the `Retry-After` header.
        #[serde(default)]
        retry_after_seconds: u64,
    },
    /// Acts, then closes the connection without a byte of the answer.
    DropAnswer,
    /// Acts, sends the head and half of the body, then closes the connection.
    PartialAnswer,
}

/// What is done to one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Wait first.
    pub delay: Duration,
    /// Then act, or not.
    pub act: Act,
    /// Then answer, more or less.
    pub answer: Answer,
}

/// Whether the call is acted on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// As usual.
    Serve,
    /// Not at all, this status instead.
    Refuse {
        /// HTTP status.
        status: u16,
        /// Seconds in a `Retry-After` header.
        retry_after: Option<u64>,
    },
    /// Not at all, the connection is closed.
    HangUp,
}

/// How the answer leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// As it is.
    Whole,
    /// Not at all.
    Dropped,
    /// Half of it.
    Half,
    /// Eight bytes at a time with this pause.
    Trickled(Duration),
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults(Mutex<Rules>);

#[derive(Debug)]
struct Rules {
    seed: u64,
    next: u64,
    rules: BTreeMap<u64, InForce>,
}

#[derive(Debug)]
struct InForce {
    rule: Rule,
    matched: u64,
    hits: u64,
    second: u64,
    passed: u64,
}

impl Faults {
    /// No rule, draws by `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rules { seed, next: 1, rules: BTreeMap::new() }))
    }

    /// Puts a rule in force and returns its number.
    pub fn add(&self, rule: Rule) -> u64 {
        let mut rules = locked(&self.0);
        let id = rules.next;
        rules.next = id.saturating_add(1);
        let entry = InForce { rule, matched: 0, hits: 0, second: 0, passed: 0 };
        rules.rules.insert(id, entry);
        id
    }

    /// Takes a rule out; `false` when there was none.
    pub fn remove(&self, id: u64) -> bool {
        locked(&self.0).rules.remove(&id).is_some()
    }

    /// Takes all rules out, starts numbering afresh, and draws by `seed` if one is given.
    pub fn clear(&self, seed: Option<u64>) {
        let mut rules = locked(&self.0);
        rules.seed = seed.unwrap_or(rules.seed);
        rules.next = 1;
        rules.rules.clear();
    }

    /// The rules with how many calls they matched and hit.
    pub fn state(&self) -> Value {
        let rules = locked(&self.0);
        let list: Vec<Value> = rules
            .rules
            .iter()
            .map(|(id, entry)| json!({"id": id, "rule": entry.rule, "matched": entry.matched, "hits": entry.hits}))
            .collect();
        json!({"seed": rules.seed, "rules": list})
    }

    /// What is done to one call that arrived at `now` (time since the start).
    pub fn plan(&self, system: System, method: &str, path: &str, now: Duration) -> Plan {
        let mut rules = locked(&self.0);
        let seed = rules.seed;
        let mut plan = Plan { delay: Duration::ZERO, act: Act::Serve, answer: Answer::Whole };
        for (id, entry) in &mut rules.rules {
            if entry.concerns(system, method, path) && entry.hits_next(seed, *id, now) {
                entry.apply(&mut plan);
                if plan.act != Act::Serve {
                    break;
                }
            }
        }
        plan
    }
}

impl InForce {
    fn concerns(&self, system: System, method: &str, path: &str) -> bool {
        let rule = &self.rule;
        rule.system.is_none_or(|it| it == system)
            && rule.method.as_deref().is_none_or(|it| it == method)
            && rule.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
            && rule.count.is_none_or(|count| self.hits < count)
    }

    fn hits_next(&mut self, seed: u64, id: u64, now: Duration) -> bool {
        self.matched = self.matched.saturating_add(1);
        if self.matched <= self.rule.skip {
            return false;
        }
        if let Fault::RateLimit { per_second, .. } = self.rule.fault {
            if now.as_secs() != self.second {
                self.second = now.as_secs();
                self.passed = 0;
            }
            if self.passed < per_second {
                self.passed = self.passed.saturating_add(1);
                return false;
            }
        } else if draw(seed, id, self.matched) >= self.rule.percent {
            return false;
        }
        self.hits = self.hits.saturating_add(1);
        true
    }

    fn apply(&self, plan: &mut Plan) {
        match &self.rule.fault {
            Fault::Error { status, retry_after_seconds } => {
                plan.act = Act::Refuse { status: *status, retry_after: *retry_after_seconds };
            }
            Fault::RateLimit { retry_after_seconds, .. } => {
                plan.act = Act::Refuse { status: 429, retry_after: Some(*retry_after_seconds) };
            }
            Fault::Latency { millis } => {
                plan.delay = plan.delay.saturating_add(Duration::from_millis(*millis));
            }
            Fault::Down => plan.act = Act::HangUp,
            Fault::Slow { millis } => plan.answer = Answer::Trickled(Duration::from_millis(*millis)),
            Fault::DropAnswer => plan.answer = Answer::Dropped,
            Fault::PartialAnswer => plan.answer = Answer::Half,
        }
    }
}

/// A number below 100, spread evenly (the finaliser of splitmix64).
fn draw(seed: u64, rule: u64, call: u64) -> u64 {
    let mut z = seed
        .wrapping_add(rule.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(call.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % 100
}
