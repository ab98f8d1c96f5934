use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::lock;
use crate::Transient;
use crate::ports::{Answer, Call, Target};

/// How a scripted neighbour answers one call.
type Script = dyn Fn(&Call) -> Result<Answer, Transient> + Send + Sync;

/// A neighbour that answers as a closure says, and keeps every call in order of arrival.
#[derive(Clone)]
pub struct Targets {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Targets {
    /// A neighbour that answers by `script`. `Err` is a call without an answer; the script decides for itself whether
    /// the neighbour acted before the answer was lost.
    pub fn new(script: impl Fn(&Call) -> Result<Answer, Transient> + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), calls: Arc::default() }
    }

    /// A neighbour that answers every call with `status` and `body`.
    pub fn answering(status: u16, body: impl Into<Bytes>) -> Self {
        let answer = Answer { status, retry_after: None, body: body.into() };
        Self::new(move |_| Ok(answer.clone()))
    }

    /// The calls so far, those without an answer included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }
}

#[async_trait]
impl Target for Targets {
    async fn call(&self, call: &Call, _timeout: Duration) -> Result<Answer, Transient> {
        lock(&self.calls).push(call.clone());
        (self.script)(call)
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").field("calls", &lock(&self.calls).len()).finish_non_exhaustive()
    }
}
