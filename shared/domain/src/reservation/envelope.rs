//! The stage that a reservation file is for.

use crate::envelope::{JsonPart, Metadata, Source, from_metadata, to_metadata};
use crate::ids::{DrmsInstanceId, EventId, MessageId, ProgramCode, StageId};
use crate::json::{Document, Problem};
use crate::layout::HeaderFault;
use crate::time::Instant;

/// What comes with a reservation file beside its rows (contracts.md §6): `drmsInstanceId, messageId, eventId, stageId,
/// eventStartDateTime, eventEndDateTime` "(the *stage's* times), optional `programCode, recordCount`".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The DERMS that sends it, and gets the acknowledgement.
    pub drms_instance_id: DrmsInstanceId,
    /// What the acknowledgement calls the file.
    pub message_id: MessageId,
    /// The event.
    pub event_id: EventId,
    /// The one stage of the event that all devices are held for.
    pub stage_id: StageId,
    /// Start of the stage.
    pub start: Instant,
    /// End of the stage, exclusive; after its start.
    pub end: Instant,
    /// The program of the stage.
    pub program_code: Option<ProgramCode>,
    /// How many rows the file should have.
    pub record_count: Option<u64>,
}

impl Envelope {
    /// Reads the envelope from an object's metadata.
    ///
    /// # Errors
    ///
    /// Everything that is missing or wrong: it rejects the file ("No `stageId` → file rejected, FAILURE ack").
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, HeaderFault> {
        from_metadata(metadata, |stored| Self::read(stored))
    }

    /// Reads the envelope from the JSON part of a post.
    ///
    /// # Errors
    ///
    /// Every fault, as a [`Problem`].
    pub fn from_json(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|object| Self::read(&mut JsonPart(object)))
    }

    /// The metadata under which the object is stored.
    #[must_use]
    pub fn to_metadata(&self) -> Metadata {
        let (start, end) = (self.start.to_string(), self.end.to_string());
        let count = self.record_count.map(|count| count.to_string());
        to_metadata([
            ("drmsInstanceId", Some(self.drms_instance_id.as_str())),
            ("messageId", Some(self.message_id.as_str())),
            ("eventId", Some(self.event_id.as_str())),
            ("stageId", Some(self.stage_id.as_str())),
            ("eventStartDateTime", Some(&start)),
            ("eventEndDateTime", Some(&end)),
            ("programCode", self.program_code.as_ref().map(ProgramCode::as_str)),
            ("recordCount", count.as_deref()),
        ])
    }

    pub(crate) fn read(source: &mut impl Source) -> Option<Self> {
        let drms_instance_id = source.required("drmsInstanceId");
        let message_id = source.required("messageId");
        let event_id = source.required("eventId");
        let stage_id = source.required("stageId");
        let start = source.required::<Instant>("eventStartDateTime");
        let end = source.required::<Instant>("eventEndDateTime");
        let program_code = source.optional("programCode");
        let record_count = source.count("recordCount");
        if start.zip(end).is_some_and(|(start, end)| end <= start) {
            source.fault("eventEndDateTime", "is not after the start");
        }
        Some(Self {
            drms_instance_id: drms_instance_id?,
            message_id: message_id?,
            event_id: event_id?,
            stage_id: stage_id?,
            start: start?,
            end: end?,
            program_code,
            record_count,
        })
    }
}
