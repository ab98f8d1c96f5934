use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flow::Transient;
use flow::ports::{Answer, Call, Method, Payload, Target};

use super::Wire;
use crate::bugs::Bug;
use crate::engine::{Micros, Op, Port, seconds, sleep_until};
use crate::faults::Fault;
use crate::flows::FlowId;

/// What a neighbour does with a call that reached it. It began at `begun`, and takes effect now.
pub trait Neighbour: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Acts, and answers.
    fn act(&self, call: &Call, begun: Micros) -> Answer;

    /// Whether it is down now.
    fn is_down(&self) -> bool;

    /// It said 429: nobody should call before `until`.
    fn throttled_until(&self, until: Micros);
}

/// A neighbour's API.
///
/// A call that is on its way is never held up beyond its timeout: a process that stood still between the check of its
/// deadline and the socket could act after its lease, and no protocol could prevent that but one that the neighbour
/// takes part in. The window is one instruction wide; a slow twin therefore stands still at our own services only.
#[derive(Clone)]
pub struct SimTarget {
    /// The line.
    pub wire: Wire,
    /// Who is called.
    pub neighbour: Arc<dyn Neighbour>,
}

#[async_trait]
impl Target for SimTarget {
    async fn call(&self, call: &Call, timeout: Duration) -> Result<Answer, Transient> {
        if self.wire.shared.has_bug(Bug::GiveUpInSilence) && self.wire.shared.lock().is_of(FlowId::ErrorHandler) {
            return Ok(plain(200, "{}"));
        }
        let answer = self.answer(call, timeout).await;
        let bug = self.wire.shared.lock().bug;
        match (bug, answer) {
            (Some(Bug::SilenceIsSuccess), Err(_)) => Ok(plain(200, "{}")),
            (Some(Bug::EveryRefusalIsDone), Ok(answer))
                if (400..500).contains(&answer.status) && answer.status != 429 =>
            {
                Ok(plain(200, "{}"))
            }
            (Some(Bug::IgnoreRetryAfter), Ok(mut answer)) => {
                answer.retry_after = None;
                Ok(answer)
            }
            (_, answer) => answer,
        }
    }
}

impl SimTarget {
    async fn answer(&self, call: &Call, timeout: Duration) -> Result<Answer, Transient> {
        let name = self.neighbour.name();
        let verb = verb(call);
        let op = self.wire.op(Port::Target(name), verb, || about(call));
        let told = Op { port: op.port, verb, about: op.about.clone(), until: None };
        let begun = self.wire.shared.lock().now;
        let limit = begun.saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        let fate = self.wire.gate(op).await;
        let silent = || Transient::new(format!("{name} does not answer"));
        if self.neighbour.is_down() {
            self.tell(&told, "is down");
            return Ok(plain(503, ""));
        }
        match fate.fault {
            Some(Fault::TargetError) => {
                self.tell(&told, "answers 500, has not acted");
                Ok(plain(500, ""))
            }
            Some(Fault::TargetTimeout) => {
                self.wait(limit).await;
                self.tell(&told, "does not answer, has not acted");
                Err(silent())
            }
            Some(Fault::TargetActedUnheard) => self.unheard(call, begun, limit, &told).await,
            Some(Fault::TargetThrottles) => Ok(self.throttle(&told)),
            Some(Fault::TargetRefusesUs) => {
                self.tell(&told, "answers 401");
                Ok(plain(401, ""))
            }
            Some(Fault::TargetSlow) if self.wire.shared.lock().now > limit => {
                self.tell(&told, "acts after the timeout");
                self.neighbour.act(call, begun);
                Err(silent())
            }
            Some(Fault::CrashAfterCall) => {
                self.tell(&told, "acts, the caller dies");
                self.neighbour.act(call, begun);
                self.wire.die().await
            }
            Some(Fault::PartialAnswer) => {
                let mut answer = self.neighbour.act(call, begun);
                answer.body.truncate(answer.body.len() / 2);
                self.tell(&told, "acts, the answer breaks off");
                // A refusal without its number would be another refusal: the connection tells that it broke off.
                if answer.status < 400 { Ok(answer) } else { Err(Transient::new("the answer broke off")) }
            }
            _ if self.wire.shared.has_bug(Bug::CheckpointBeforeTheCall) => Ok(self.act_later(call)),
            _ => {
                let answer = self.neighbour.act(call, begun);
                let text = format!("   -> {} {}", answer.status, String::from_utf8_lossy(&answer.body));
                self.wire
                    .shared
                    .lock()
                    .tell_of_call(&told, text.get(..text.floor_char_boundary(120)).unwrap_or_default());
                Ok(answer)
            }
        }
    }

    async fn unheard(&self, call: &Call, begun: Micros, limit: Micros, told: &Op) -> Result<Answer, Transient> {
        self.neighbour.act(call, begun);
        let with_500 = self.wire.shared.lock().dice.chance(40);
        if with_500 {
            self.tell(told, "acts and answers 502");
            return Ok(plain(502, ""));
        }
        self.tell(told, "acts, the answer is lost");
        self.wait(limit).await;
        Err(Transient::new("the answer was lost"))
    }

    fn throttle(&self, told: &Op) -> Answer {
        let mut core = self.wire.shared.lock();
        let pause = core.dice.between(1, 30);
        let until = core.now + seconds(pause);
        core.tell_of_call(told, &format!("   *** answers 429, Retry-After {pause}"));
        drop(core);
        self.neighbour.throttled_until(until);
        Answer { retry_after: Some(Duration::from_secs(pause)), ..plain(429, "") }
    }

    fn act_later(&self, call: &Call) -> Answer {
        let (neighbour, shared, call) = (self.neighbour.clone(), self.wire.shared.clone(), call.clone());
        let mut core = self.wire.shared.lock();
        let at = core.now + core.dice.between(seconds(1), seconds(20));
        core.script("late call", async move {
            sleep_until(&shared, at).await;
            neighbour.act(&call, at);
        });
        plain(202, "")
    }

    async fn wait(&self, until: Micros) {
        self.wire.gate(Op { port: Port::Clock, verb: "wait", about: String::new(), until: Some(until) }).await;
    }

    fn tell(&self, told: &Op, what: &str) {
        self.wire.shared.lock().tell_of_call(told, &format!("   *** {what}"));
    }
}

/// An answer without headers.
#[must_use]
pub fn plain(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn verb(call: &Call) -> &'static str {
    match (call.method, call.path.as_str()) {
        (Method::Put, path) if path.starts_with("/programs/") => "PUT program",
        (Method::Put, _) => "PUT aggregator",
        (Method::Post, "/status_check") => "POST /status_check",
        (Method::Post, "/event_opt_out") => "POST /event_opt_out",
        (Method::Post, "/device_unavailability") => "POST /device_unavailability",
        (Method::Post, path) if path.ends_with("enroll") && path.len() > 8 => "POST programEnrollments",
        (Method::Post, path) if path.ends_with("/response") => "POST device status",
        (Method::Post, "/enroll") => "POST /enroll",
        (Method::Post, "/device_scores") => "POST /device_scores",
        (Method::Post, "/acks") => "POST /acks",
        (Method::Post, path) if path.ends_with("/programEvent/") => "POST programEvent",
        (Method::Post, path) if path.ends_with("/lifecycle") => "POST lifecycle",
        (Method::Post, path) if path.ends_with("/reserveDevice") => "POST reserveDevice",
        (Method::Post, path) if path.ends_with("/postEventOutcome") => "POST postEventOutcome",
        (Method::Get, _) => "GET health",
        (Method::Patch, _) => "PATCH syncRequest",
        _ => "POST postAcknowledgement",
    }
}

fn about(call: &Call) -> String {
    let bytes = match &call.payload {
        Payload::Empty => return call.path.clone(),
        Payload::Json(bytes) => bytes.clone(),
        Payload::Form(parts) => parts.first().map(|part| part.bytes.clone()).unwrap_or_default(),
    };
    let text = String::from_utf8_lossy(&bytes);
    text.get(..text.floor_char_boundary(110)).unwrap_or_default().to_owned()
}
