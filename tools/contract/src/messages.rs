//! The messages that the platform takes, one entry each: a new message flow is one more. Route, scope, schema, examples
//! and answers follow from the flow's name, its reader and its `events/` folder.

use domain::aggregator::Aggregator;
use domain::derms_message::DermsMessage;
use domain::device_status::{DeviceStatusAck, StatusCheck};
use domain::enrollment_request::EnrollmentRequest;
use domain::enrollment_sync::EnrollmentSync;
use domain::event_opt_out::EventOptOut;
use domain::event_status::EventStatus;
use domain::json::{Told, outline};
use domain::program_rules::ProgramRules;
use domain::sync_ack::SyncAck;
use domain::unavailability::Unavailability;

/// One message flow.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    /// The flow's name: `POST /v1/<source>/<subject>`, scope `<source>/<subject>`.
    pub(crate) flow: &'static str,
    /// What it is, without a full stop.
    pub(crate) title: &'static str,
    /// What its reader asks for.
    pub(crate) outline: fn() -> Vec<Told>,
    /// What the door refuses beyond what a schema can say, and beyond what it refuses of every message; a list that goes on
    /// after "…, and".
    pub(crate) beyond: &'static str,
    /// More words for a place of the message, by its pointer; an item of a list is item 0.
    pub(crate) notes: &'static [(&'static str, &'static str)],
    /// Keywords for the object at a place: what holds between members and a schema can say.
    pub(crate) rules: &'static [(&'static str, &'static str)],
    /// What the door answers beside what every door may answer: status, and the name of the answer.
    pub(crate) answers: &'static [(&'static str, &'static str)],
}

/// What most messages have beside name, title and reader: nothing.
const PLAIN: Message =
    Message { flow: "", title: "", outline: Vec::new, beyond: "", notes: &[], rules: &[], answers: QUEUED };

/// A message is stored and queued, and known when it comes again.
const QUEUED: &[(&str, &str)] = &[("200", "Done"), ("202", "Accepted"), ("409", "Overtaken"), ("422", "KeyUsed")];

/// Why an acknowledgement is negative.
const REASON: (&str, &str) = ("/message", "Why not, for people");

/// All of them, in the order of contracts.md §2.
pub(crate) const MESSAGES: &[Message] = &[
    Message {
        flow: "dacs-derms-program-rules",
        title: "A program and its rules, as the program system sends them",
        outline: || outline(ProgramRules::from_document),
        beyond: "days that do not exist, time zones that IANA does not list, an end before its start, a shortest event \
                 that is longer than the longest, and a rule listed twice from the same day",
        notes: &[
            ("/programId", "Messages of one program are kept in order"),
            ("/rules", "All that are associated, future ones too, and the one that was disassociated"),
            ("/rules/0/action", "What happened to the rule; absent where nothing did"),
            ("/rules/0/cycleFrequency", "By lookup CycleFrequency"),
            ("/rules/0/weekStart", "By lookup AllowEventDays"),
            ("/rules/0/participationLimit", "Successful participations per cycle at most"),
            ("/rules/0/participationDuration", "Successful participations together per cycle at most"),
            ("/rules/0/allowedEventDays", "By lookup AllowEventDays"),
        ],
        ..PLAIN
    },
    Message {
        flow: "dacs-derms-aggregators",
        title: "An aggregator, as the program system sends it",
        outline: || outline(Aggregator::from_document),
        beyond: "days that do not exist, time zones that IANA does not list, an end before its start, and members whose \
                 names speak of a secret, wherever they stand: what the door takes is kept, so it takes references only",
        notes: &[
            ("/aggregatorId", "Messages of one aggregator are kept in order"),
            ("/headEndSystem", "By lookup HeadEndSystem"),
        ],
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-enrollment-request",
        title: "Requests for enrollment or unenrollment, as the DERMS sends them",
        outline: || outline(EnrollmentRequest::from_list),
        beyond: "and what is wrong with the list as a whole: that it is none, and entries without a readable messageId. \
                 Everything else that the schema asks for is asked of each request by itself: one that is not as it should be \
                 has an ERROR with the reason in its own response, and the rest are taken",
        notes: &[
            ("/0/messageId", "What makes two requests the same; the program system's transactionId"),
            ("/0/action", "ENROLL when absent"),
            ("/0/unenrollReason", "By lookup UnenrollReason; required where action is UNENROLL, and stands only there"),
            ("/0/drmsInstanceId", "The DERMS installation that sends it"),
            (
                "/0/programInfo/startDateTimeISO",
                "The program system gets the day that this is in the location's time zone",
            ),
            ("/0/assetInfo/assetList/0/assetType", "By lookup AssetType"),
            ("/0/assetInfo/assetList/0/make", "With model, the specification by lookup AssetSpec; neither or both"),
            ("/0/assetInfo/assetList/0/headEndSystem", "By lookup HeadEndSystem"),
        ],
        rules: &[("", r#"{"minItems": 1, "maxItems": 1000}"#)],
        answers: &[("200", "Answered"), ("202", "AnsweredInPart")],
    },
    Message {
        flow: "dacs-derms-enrollment-sync",
        title: "Enrollment synchronization, as the program system sends it",
        outline: || outline(EnrollmentSync::from_document),
        beyond: "days that do not exist, an end before its start, a device listed twice or two active ones at one \
                 address, and replacements that are not ACTIVE or whose old device is not listed as REMOVED",
        notes: &[
            (
                "/sendDetails/action",
                "When absent: UNENROLL for status INACTIVE, REPLACE where a device has replacesDeviceId, else ENROLL",
            ),
            ("/sendDetails/subscriptionInfo/subscriptionId", "Messages of one subscription are kept in order"),
            ("/sendDetails/locationInfo/controllableDevices", "The complete state after the change"),
        ],
        rules: ENROLLMENT_RULES,
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-enrollment-ack",
        title: "Acknowledgement of an enrollment synchronization, as the DERMS sends it",
        outline: || outline(SyncAck::with_devices),
        beyond: "and a device told of more than once",
        notes: &[
            ("/dacsMessageId", "The syncRequestId of the message that is answered"),
            REASON,
            ("/devices", "Head-end registration device by device, as far as it is known"),
            ("/devices/0/message", "Why not, for people"),
        ],
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-event-status",
        title: "Status of an event and its stages, as the DERMS sends it",
        outline: || outline(EventStatus::from_document),
        beyond: "days that do not exist, an end that is not after its start, a stage listed twice, and no stage where the \
                 event has no status. Codes that no lookup has are not the door's: they are answered in the \
                 acknowledgement",
        notes: &[
            ("/messageId", "What makes two messages the same; the acknowledgement's first response carries it"),
            ("/drmsInstanceId", "The DERMS installation that sends it"),
            ("/eventType", "ECONOMIC, EMERGENCY, RELIABILITY or DEVICE_TEST, as the lookup EventType spells them"),
            (
                "/status",
                "Of the event as a whole: CANCELED cancels every stage of it that is not final, listed or not, and \
                 those that come later; any other changes nothing",
            ),
            ("/cancelReason", "Why it is canceled, for people; the program system gets the first 254 bytes"),
            ("/stages", "May be empty where the event has a status"),
            ("/stages/0/stageId", "Each stage once in a message"),
            ("/stages/0/programCode", "A stage without a program is not the program system's"),
            (
                "/stages/0/status",
                "SCHEDULED, IN_PROGRESS, COMPLETED or CANCELED, as the lookup EventStatus spells them",
            ),
            ("/stages/0/endDateTime", "After the start"),
            ("/stages/0/cancelReason", "Why it is canceled, for people; the program system gets the first 254 bytes"),
        ],
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-program-rules-ack",
        title: "Acknowledgement of a program's rules, as the DERMS sends it",
        outline: || outline(SyncAck::from_document),
        notes: &[("/dacsMessageId", "The syncRequestId of the message about the program that is answered"), REASON],
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-aggregators-ack",
        title: "Acknowledgement of an aggregator's set-up, as the DERMS sends it",
        outline: || outline(SyncAck::from_document),
        notes: &[("/dacsMessageId", "The syncRequestId of the message about the aggregator that is answered"), REASON],
        ..PLAIN
    },
    Message {
        flow: "dacs-derms-device-status-check",
        title: "Whether a device can be reached, as the program system asks",
        outline: || outline(StatusCheck::from_document),
        notes: &[
            ("/sendDetails/communicationId", "What makes two messages the same; the answer carries it"),
            ("/sendDetails/deviceInfo/headEndSystem", "By lookup HeadEndSystem"),
            ("/sendDetails/deviceInfo/nicid", "Messages of one device are kept in order"),
        ],
        ..PLAIN
    },
    Message {
        flow: "derms-dacs-device-status-ack",
        title: "Whether a device can be reached, as the DERMS answers",
        outline: || outline(DeviceStatusAck::from_document),
        notes: &[("/dacsMessageId", "The communicationId of the status check that is answered")],
        ..PLAIN
    },
    Message {
        flow: "dacs-derms-event-opt-out",
        title: "A device that is withdrawn from a stage, as the program system sends it",
        outline: || outline(EventOptOut::from_document),
        beyond: "days that do not exist",
        notes: &[
            ("/communicationId", "What makes two messages the same"),
            ("/externalIdentifier", "The stage"),
            ("/headEndSystem", "By lookup HeadEndSystem"),
            ("/nicId", "Messages of one device are kept in order"),
        ],
        ..PLAIN
    },
    Message {
        flow: "dacs-derms-customer-unavailability",
        title: "A time in which a device is not to be reserved, as the program system sends it",
        outline: || outline(Unavailability::from_document),
        beyond: "days that do not exist, and an end that is not after its start",
        notes: &[
            ("/communicationId", "With the action, what makes two messages the same"),
            ("/headEndSystem", "By lookup HeadEndSystem"),
            ("/nicId", "Messages of one device are kept in order"),
        ],
        ..PLAIN
    },
];

/// A program has one of its three names; devices are at a service point; an action fits the status.
const ENROLLMENT_RULES: &[(&str, &str)] = &[
    (
        "/sendDetails/subscriptionInfo",
        r#"{"anyOf": [
            {"required": ["programId"], "properties": {"programId": {"type": "string", "pattern": "[^ \\t\\n\\f\\r]"}}},
            {"required": ["programCode"], "properties": {"programCode": {"type": "string", "pattern": "[^ \\t\\n\\f\\r]"}}},
            {"required": ["programExternalIdentifier"],
             "properties": {"programExternalIdentifier": {"type": "string", "pattern": "[^ \\t\\n\\f\\r]"}}}
        ]}"#,
    ),
    (
        "/sendDetails/locationInfo",
        r#"{"if": {"required": ["controllableDevices"],
                   "properties": {"controllableDevices": {"type": "array", "minItems": 1}}},
            "then": {"required": ["servicePointId"],
                     "properties": {"servicePointId": {"type": "string", "pattern": "[^ \\t\\n\\f\\r]"}}}}"#,
    ),
    (
        "/sendDetails",
        r#"{"allOf": [
            {"if": {"required": ["action"], "properties": {"action": {"const": "REPLACE"}}},
             "then": {"required": ["locationInfo"], "properties": {"locationInfo": {"type": "object"}}}},
            {"if": {"required": ["action"], "properties": {"action": {"enum": ["ENROLL", "REPLACE"]}}},
             "then": {"properties": {"subscriptionInfo": {"properties": {"status": {"const": "ACTIVE"}}}}}},
            {"if": {"required": ["action"], "properties": {"action": {"const": "UNENROLL"}}},
             "then": {"properties": {"subscriptionInfo": {"properties": {"status": {"const": "INACTIVE"}}}}}}
        ]}"#,
    ),
];
