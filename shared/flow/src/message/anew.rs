//! The next attempt of a message that has ended otherwise than well.

use crate::Transient;
use crate::ledger::message::Message;
use crate::ledger::open::Open;
use crate::ledger::{Committed, Ledger, Seen};
use crate::ports::Write;

/// Writes `next` over `known`, which waits for nobody any more. `None`: somebody else changed it meanwhile.
///
/// # Errors
/// [`Transient`] when the ledger does not answer.
pub(super) async fn begin(
    ledger: &Ledger,
    flow: &str,
    known: &Seen<Message>,
    next: Message,
) -> Result<Option<Seen<Message>>, Transient> {
    let mut writes = vec![Write::put(Message::key(flow, &next.key), &next, Some(known.rev), None)?];
    if let Some(open) = Open::of_message(&known.value) {
        writes.extend(open.closing(ledger, flow).await?);
    }
    let committed = ledger.commit(&writes).await?;
    Ok((committed == Committed::Yes).then_some(Seen { value: next, rev: known.rev + 1 }))
}
