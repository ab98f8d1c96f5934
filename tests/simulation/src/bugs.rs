//! Bugs that are planted on purpose, to prove that the simulation bites. Each is switched on in the simulated ports and
//! queues, so that the code of the flows stays as it is: what the flow asked for is done as a flow with that bug would do
//! it.

use crate::flows::FlowId;

/// One deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Skip the claim, ignore the fence: a conditional write is written whatever the revision.
    IgnoreTheRevision,
    /// A conflict is taken for success, and nothing is written.
    SwallowTheConflict,
    /// Items are read as they were one write ago.
    ReadStaleItems,
    /// The queue's message is deleted before it is worked on.
    AckTooEarly,
    /// Failed messages of a batch are deleted with the others.
    AckTheWholeBatch,
    /// A message that is handed back is deleted.
    HandBackByDeleting,
    /// A checkpoint is never written.
    DropTheCheckpoint,
    /// A call without an answer counts as done.
    SilenceIsSuccess,
    /// Every 4xx of a target counts as done.
    EveryRefusalIsDone,
    /// A pause that the target asked for is not heard.
    IgnoreRetryAfter,
    /// The second upload for a key gets the id of the first.
    ReuseTheUploadId,
    /// The parts of an upload are visible before it is finished.
    ShowHalfAFile,
    /// An object is read in its newest version, not in the one that the run is about.
    ReadTheNewestVersion,
    /// Messages are queued without their group.
    ForgetTheGroup,
    /// The door says 202 before the message is queued, and one in four is not.
    AcceptBeforeQueueing,
    /// Rejected rows are not written.
    LoseRejectedRows,
    /// People are not told.
    TellNobody,
    /// After a stream broke, or an attempt died, an object is read from its start again.
    ResumeFromTheStart,
    /// Of the writes that belong together, the last ones are not made, one time in four.
    TearTheTransaction,
    /// A call of a target counts as done when it is sent, and is carried out a few seconds later.
    CheckpointBeforeTheCall,
    /// A cancel of a whole event is not remembered.
    ForgetTheCancel,
    /// A status is not held for its predecessor.
    ForgetToHold,
    /// `watch` does not write down what it has reported.
    ReportEveryRound,
    /// `error-handler` gives up without telling the source.
    GiveUpInSilence,
    /// `error-handler` does not put back into the queue what may still succeed.
    DropTheLetter,
}

impl Bug {
    /// In whose schedules it is hunted; `None`: in all of the flows.
    #[must_use]
    pub fn flow(self) -> Option<FlowId> {
        match self {
            Self::ReportEveryRound => Some(FlowId::Watch),
            Self::GiveUpInSilence | Self::DropTheLetter => Some(FlowId::ErrorHandler),
            _ => None,
        }
    }

    /// All of them.
    pub const ALL: &[Self] = &[
        Self::IgnoreTheRevision,
        Self::SwallowTheConflict,
        Self::ReadStaleItems,
        Self::AckTooEarly,
        Self::AckTheWholeBatch,
        Self::HandBackByDeleting,
        Self::DropTheCheckpoint,
        Self::SilenceIsSuccess,
        Self::EveryRefusalIsDone,
        Self::IgnoreRetryAfter,
        Self::ReuseTheUploadId,
        Self::ShowHalfAFile,
        Self::ReadTheNewestVersion,
        Self::ForgetTheGroup,
        Self::AcceptBeforeQueueing,
        Self::LoseRejectedRows,
        Self::TellNobody,
        Self::ResumeFromTheStart,
        Self::TearTheTransaction,
        Self::CheckpointBeforeTheCall,
        Self::ForgetTheCancel,
        Self::ForgetToHold,
        Self::ReportEveryRound,
        Self::GiveUpInSilence,
        Self::DropTheLetter,
    ];
}
