//! `MsgAck`, the acknowledgement that the DERMS takes and gives (contracts.md §3, documented by the vendor):
//!
//! ```json
//! {"MsgAck": {"ackType": "SUCCESS", "whenISO": "2026-07-01T18:00:00.000Z", "responses": {"response": [
//!     {"id": "M-1", "value": "delivered=1;failed=0", "responseCode": "SUCCESS",
//!      "responseTimeISO": "2026-07-01T18:00:00.000Z", "dacsMessageId": "00000000000001"}]}}}
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::json::{BODY_LIMIT, Document, Grammar, Object, Problem, Text};
use crate::time::Instant;

/// How a message, or one record of it, fared. Wire names in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResponseCode {
    /// All fine.
    Success,
    /// Processed; at least one record failed on business grounds.
    Error,
    /// A technical fault; nothing usable was done.
    Failure,
}

impl ResponseCode {
    /// As it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Failure => "FAILURE",
        }
    }

    /// Neither an error nor a failure.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Success
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code that the contract does not know; reads after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of {0}")]
pub struct UnknownCode(pub &'static str);

impl FromStr for ResponseCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "SUCCESS" => Ok(Self::Success),
            "ERROR" => Ok(Self::Error),
            "FAILURE" => Ok(Self::Failure),
            _ => Err(UnknownCode("SUCCESS, ERROR, FAILURE")),
        }
    }
}

impl Text for ResponseCode {
    const GRAMMAR: Grammar = Grammar::Codes(&["SUCCESS", "ERROR", "FAILURE"]);
}

/// An acknowledgement: of a message as a whole, and of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsgAck {
    /// `ackType`: of the message as a whole.
    pub ack_type: ResponseCode,
    /// `whenISO`: when it was made. Always there in ours; a neighbour that leaves it out is understood all the same.
    pub when: Option<Instant>,
    /// In ours, the first is the envelope's own (see [`MsgAck::new`]).
    pub responses: Vec<Response>,
}

/// What became of one record. Only the code is needed to understand an answer: the vendor's own acknowledgements leave
/// `id` and `value` out where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The record's key: `recordId`, the `messageId` of a request, a stage id, a device id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id given by the receiver, or the reason of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How it fared.
    pub response_code: ResponseCode,
    /// When, UTC to the millisecond.
    #[serde(rename = "responseTimeISO", skip_serializing_if = "Option::is_none", serialize_with = "iso_millis")]
    pub response_time: Option<Instant>,
    /// The program system's id of the message answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dacs_message_id: Option<String>,
}

/// What the first response says: of the message as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The sender's id of its message.
    pub message_id: &'a str,
    /// The program system's id of the message, where it has one.
    pub dacs_message_id: Option<&'a str>,
    /// How the message as a whole fared.
    pub ack_type: ResponseCode,
    /// Records taken.
    pub delivered: u64,
    /// Records not taken.
    pub failed: u64,
}

impl MsgAck {
    /// An acknowledgement made at `when` (contracts.md §3: "The first response is always the envelope's own: `id` =
    /// `messageId`, `value` = `delivered=…;failed=…`"), followed by the records given.
    #[must_use]
    pub fn new(envelope: Envelope<'_>, when: Instant, records: Vec<Response>) -> Self {
        let mut responses = Vec::with_capacity(records.len() + 1);
        responses.push(Response {
            id: Some(envelope.message_id.to_owned()),
            value: Some(format!("delivered={};failed={}", envelope.delivered, envelope.failed)),
            response_code: envelope.ack_type,
            response_time: Some(when),
            dacs_message_id: envelope.dacs_message_id.map(str::to_owned),
        });
        responses.extend(records);
        Self { ack_type: envelope.ack_type, when: Some(when), responses }
    }

    /// As bad as the worst that it says, of the message as a whole or of a record.
    #[must_use]
    pub fn worst(&self) -> ResponseCode {
        self.responses.iter().map(|response| response.response_code).fold(self.ack_type, ResponseCode::max)
    }

    /// The reasons that it gives, together.
    #[must_use]
    pub fn reasons(&self) -> String {
        let negative = self.responses.iter().filter(|response| !response.response_code.is_success());
        let said = negative.filter_map(|response| response.value.as_deref());
        said.filter(|value| !value.starts_with("delivered=")).collect::<Vec<_>>().join("; ")
    }

    /// Reads an acknowledgement. Order and unknown members don't matter; `ackType` and every `responseCode` must be
    /// there, and what is there must be well-formed.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        Document::parse(body)?.read(|root| root.required_object("MsgAck", read_ack))
    }
}

fn read_ack(ack: &Object<'_, '_>) -> Option<MsgAck> {
    let ack_type = ack.required("ackType");
    let when = ack.optional("whenISO");
    let responses = ack.object("responses", |list| list.objects("response", read_response));
    Some(MsgAck { ack_type: ack_type?, when, responses: responses.unwrap_or_default() })
}

fn read_response(response: &Object<'_, '_>) -> Option<Response> {
    let id = response.text("id", BODY_LIMIT);
    let value = response.text("value", BODY_LIMIT);
    let code = response.required("responseCode");
    let response_time = response.optional("responseTimeISO");
    let dacs_message_id = response.text("dacsMessageId", BODY_LIMIT);
    Some(Response {
        id: id.map(str::to_owned),
        value: value.map(str::to_owned),
        response_code: code?,
        response_time,
        dacs_message_id: dacs_message_id.map(str::to_owned),
    })
}

impl Serialize for MsgAck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Root<'a> {
            #[serde(rename = "MsgAck")]
            ack: Ack<'a>,
        }
        #[derive(Serialize)]
        struct Ack<'a> {
            #[serde(rename = "ackType")]
            ack_type: ResponseCode,
            #[serde(rename = "whenISO", skip_serializing_if = "Option::is_none", serialize_with = "iso_millis")]
            when: Option<Instant>,
            responses: List<'a>,
        }
        #[derive(Serialize)]
        struct List<'a> {
            response: &'a [Response],
        }
        let responses = List { response: &self.responses };
        Root { ack: Ack { ack_type: self.ack_type, when: self.when, responses } }.serialize(serializer)
    }
}

fn iso_millis<S: Serializer>(time: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Instant::iso_millis).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = r#"{"MsgAck":{"ackType":"ERROR","whenISO":"2026-07-01T18:00:00.000Z","responses":{"response":[{"id":"M-1","value":"delivered=1;failed=1","responseCode":"ERROR","responseTimeISO":"2026-07-01T18:00:00.000Z","dacsMessageId":"10000000000001"},{"id":"D2","value":"no such service point","responseCode":"ERROR"}]}}}"#;

    #[test]
    fn the_first_response_is_the_envelopes_own() {
        let envelope = Envelope {
            message_id: "M-1",
            dacs_message_id: Some("10000000000001"),
            ack_type: ResponseCode::Error,
            delivered: 1,
            failed: 1,
        };
        let refused = Response {
            id: Some("D2".to_owned()),
            value: Some("no such service point".to_owned()),
            response_code: ResponseCode::Error,
            response_time: None,
            dacs_message_id: None,
        };
        let ack = MsgAck::new(envelope, "2026-07-01T13:00:00-05:00".parse().unwrap(), vec![refused]);
        assert_eq!(serde_json::to_string(&ack).unwrap(), SAMPLE);
        assert_eq!(MsgAck::parse(SAMPLE.as_bytes()).unwrap(), ack);
    }

    #[test]
    fn an_ack_is_as_bad_as_its_worst_response_and_gives_all_reasons() {
        let ack = MsgAck::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!((ack.worst(), ack.reasons().as_str()), (ResponseCode::Error, "no such service point"));
        let good = MsgAck { ack_type: ResponseCode::Success, when: None, responses: Vec::new() };
        assert_eq!((good.worst(), good.reasons().as_str()), (ResponseCode::Success, ""));
    }

    #[test]
    fn an_ack_is_understood_in_any_order_and_with_members_we_dont_know() {
        let body =
            r#"{"x":1,"MsgAck":{"responses":{"response":[{"y":2,"responseCode":"SUCCESS"}]},"ackType":"SUCCESS"}}"#;
        let ack = MsgAck::parse(body.as_bytes()).unwrap();
        assert_eq!((ack.ack_type, ack.when, ack.responses.len()), (ResponseCode::Success, None, 1));
        assert!(MsgAck::parse(br#"{"MsgAck":{"ackType":"FAILURE"}}"#).unwrap().responses.is_empty());
    }

    #[test]
    fn an_ack_that_cannot_be_understood_says_where() {
        let refused = |body: &str| MsgAck::parse(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("{}"), "400 The message is not valid: /MsgAck is required");
        assert_eq!(
            refused(
                r#"{"MsgAck":{"ackType":"OK","whenISO":"2026-07-01T18:00:00","responses":{"response":[{"id":"1"}]}}}"#
            ),
            "400 The message is not valid: /MsgAck/ackType is not one of SUCCESS, ERROR, FAILURE; \
             /MsgAck/whenISO has no offset from UTC (such as -05:00, or Z); \
             /MsgAck/responses/response/0/responseCode is required"
        );
    }

    fn any_code() -> impl Strategy<Value = ResponseCode> {
        prop::sample::select(vec![ResponseCode::Success, ResponseCode::Error, ResponseCode::Failure])
    }

    prop_compose! {
        fn any_response()(
            id in prop::option::of("[!-~]{1,20}"),
            value in prop::option::of("\\PC{0,20}[a-z]"),
            response_code in any_code(),
            millis in prop::option::of(0_i64..4_000_000_000_000),
            dacs_message_id in prop::option::of("[0-9]{14}"),
        ) -> Response {
            let response_time = millis.map(|millis| Instant::from_unix_millis(millis).unwrap());
            Response { id, value, response_code, response_time, dacs_message_id }
        }
    }

    proptest! {
        #[test]
        fn an_ack_reads_back_as_it_was_printed(
            ack_type in any_code(),
            millis in 0_i64..4_000_000_000_000,
            responses in prop::collection::vec(any_response(), 0..5),
        ) {
            let ack = MsgAck { ack_type, when: Some(Instant::from_unix_millis(millis).unwrap()), responses };
            prop_assert_eq!(MsgAck::parse(&serde_json::to_vec(&ack).unwrap()), Ok(ack));
        }
    }
}
