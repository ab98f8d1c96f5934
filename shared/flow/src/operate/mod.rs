//! What a person may do: see what waits for somebody, look at runs and messages, and decide about them. Each decision is
//! one conditional write, so that two people, or a person and a function, cannot undo each other.

mod messages;
mod runs;
#[cfg(test)]
mod tests;

pub use messages::Messages;
pub use runs::Runs;
pub(crate) use runs::{discard, discarded};

use crate::Transient;
use crate::ledger::open::Open;
use crate::ledger::{Ledger, decode};

/// How many items are read at once.
const PAGE: u32 = 100;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such run or message.
    #[error("there is no {0}")]
    Unknown(String),
    /// It is in another state.
    #[error("{what} is {state}; {wanted}")]
    State {
        /// The run or message.
        what: String,
        /// Its state, in one word.
        state: &'static str,
        /// Which ones this can be done to.
        wanted: &'static str,
    },
    /// A newer message of the same order was delivered since.
    #[error("message {newer} of the same order was delivered after message {key}; force it to send it all the same")]
    Overtaken {
        /// The message.
        key: String,
        /// The newer one.
        newer: String,
    },
    /// Somebody else changed it at the same time.
    #[error("{0} was changed at the same time; look at it again")]
    Changed(String),
    /// The machinery failed.
    #[error(transparent)]
    Transient(#[from] Transient),
}

impl Refused {
    fn state(what: String, state: &'static str, wanted: &'static str) -> Self {
        Self::State { what, state, wanted }
    }
}

/// What of `flow` waits for a person or an answer: by what it waits for, the oldest first.
///
/// # Errors
/// [`Transient`] when the ledger does not answer.
pub async fn open(ledger: &Ledger, flow: &str) -> Result<Vec<Open>, Transient> {
    let (mut open, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ledger.list(&Open::partition(flow), after.as_deref(), PAGE).await?;
        for item in &page {
            open.push(decode::<Open>(item)?.value);
        }
        match page.last() {
            Some(last) => after = Some(last.key.sort.clone()),
            None => return Ok(open),
        }
    }
}
