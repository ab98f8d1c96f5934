//! What the routes answer. Ours are problem documents (RFC 9457) and small JSON objects; what the gateway answers before
//! our code is reached is `{"message"}`.

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, Response, ResponseBuilder, Responses, ResponsesBuilder};
use utoipa::{PartialSchema, ToSchema};

/// The media type of a problem document.
const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

/// 202: stored, and it will reach an end.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "described, never made")]
struct Accepted {
    /// What makes two messages the same: sent again under it, a message is recognised.
    message_key: String,
    /// Always ACCEPTED.
    #[schema(pattern = "^ACCEPTED$")]
    status: String,
    /// The sender's `X-Correlation-Id`, or the one that was given to the request.
    correlation_id: String,
}

/// A refusal (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct Problem {
    /// What kind of refusal this is, for programs.
    #[schema(rename = "type")]
    kind: String,
    /// The same for people.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What can be said of this one request; nothing of what the sender wrote.
    detail: String,
    /// Every offending member, at most 10,000 of them; absent when the refusal is not about members.
    errors: Option<Vec<FieldFault>>,
    /// Of a 503: the request, in our log.
    #[schema(rename = "correlationId")]
    correlation_id: Option<String>,
}

/// One thing wrong with a message.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct FieldFault {
    /// RFC 6901 pointer to the member; empty for the message as a whole.
    pointer: String,
    /// Why it is refused, to be read after the pointer.
    reason: String,
}

/// What the gateway answers by itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct GatewayAnswer {
    /// In the gateway's words.
    message: Option<String>,
}

/// What became of a message, and of each of its records.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct MsgAck {
    #[schema(rename = "MsgAck")]
    ack: MsgAckContent,
}

/// The acknowledgement itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "described, never made")]
struct MsgAckContent {
    /// Of the message as a whole: FAILURE if a record failed technically, else ERROR if one failed, else SUCCESS.
    #[schema(pattern = "^(SUCCESS|ERROR|FAILURE)$")]
    ack_type: String,
    /// When it was made, UTC.
    #[schema(rename = "whenISO")]
    when: String,
    responses: MsgAckResponses,
}

/// The list, one level further down.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct MsgAckResponses {
    /// The first is about the message as a whole, the others about its records, in their order.
    response: Vec<MsgAckResponse>,
}

/// What became of one record.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "described, never made")]
struct MsgAckResponse {
    /// The record's id; of the first, the correlation id of the request, since a list has no id of its own.
    id: String,
    /// The id that the program system gave, EXISTS where it had the request already, or the reason of the failure; of the
    /// first, `delivered=…;failed=…`.
    value: String,
    #[schema(pattern = "^(SUCCESS|ERROR|FAILURE)$")]
    response_code: String,
    /// When, UTC.
    #[schema(rename = "responseTimeISO")]
    response_time: String,
}

/// How to upload a file: one PUT of at most 5 GB, to S3 itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "described, never made")]
struct UploadOffer {
    /// What the file is called.
    message_key: String,
    /// The request's correlation id, which the file will carry.
    correlation_id: String,
    /// Always PUT.
    #[schema(pattern = "^PUT$")]
    method: String,
    /// Where to.
    url: String,
    /// Exactly these headers go with it, by lower-case name; they are signed.
    headers: std::collections::BTreeMap<String, String>,
    /// Until when it may be begun.
    expires: String,
}

/// Where a reject file is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made")]
struct RejectLink {
    /// The same as the header Location; asked without a token.
    url: String,
    /// Until when it may be asked.
    expires: String,
}

/// The schemas of answers, by name.
pub(crate) fn schemas() -> Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)> {
    vec![
        ("Accepted".into(), Accepted::schema()),
        ("FieldFault".into(), FieldFault::schema()),
        ("GatewayAnswer".into(), GatewayAnswer::schema()),
        ("MsgAck".into(), MsgAck::schema()),
        ("MsgAckContent".into(), MsgAckContent::schema()),
        ("MsgAckResponse".into(), MsgAckResponse::schema()),
        ("MsgAckResponses".into(), MsgAckResponses::schema()),
        ("Problem".into(), Problem::schema()),
        ("RejectLink".into(), RejectLink::schema()),
        ("UploadOffer".into(), UploadOffer::schema()),
    ]
}

/// The answers that routes share, by name.
pub(crate) fn responses() -> Vec<(&'static str, Response)> {
    let ours = |what: &str| problem(what).build();
    let gateways = |what: &str| response(what).content(JSON, of("GatewayAnswer")).build();
    let either = |what: &str| problem(what).content(JSON, of("GatewayAnswer")).build();
    let result = ObjectBuilder::new().schema_type(Type::Object).build();
    let done = response("Done before with the same body: the result that it had then");
    let accepted = response("Stored: it reaches an end, and is never lost");
    let offer = response("How to upload the file").content(JSON, of("UploadOffer")).header("cache-control", no_store());
    let moved = response("The file is there").content(JSON, of("RejectLink")).header("cache-control", no_store());
    let location = HeaderBuilder::new().description(Some("The file, to be asked without a token"));
    let location = location.schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
    let retry = HeaderBuilder::new().description(Some("Seconds after which to send it again"));
    let retry = retry.schema(Some(ObjectBuilder::new().schema_type(Type::Integer))).build();
    let answered =
        response("All are done, well or not: one response for each, in their order, after one about the list");
    let in_part = "Those that are done have their responses; each other one is acknowledged by a `MsgAck` of its own to the \
                   DERMS's `/acks`";
    vec![
        ("Answered", answered.content(JSON, of("MsgAck")).build()),
        ("AnsweredInPart", response(in_part).content(JSON, of("MsgAck")).build()),
        ("Done", done.content(JSON, ContentBuilder::new().schema(Some(result)).build()).build()),
        ("Accepted", accepted.content(JSON, of("Accepted")).build()),
        ("Offered", offer.build()),
        ("Moved", moved.header("location", location).build()),
        ("Invalid", ours("Refused; every offending member is named, and nothing was taken")),
        ("Unauthorized", gateways("No token, or one that is not good; the gateway answers")),
        ("Forbidden", gateways("The token has not the scope of the route; the gateway answers")),
        ("NotFound", ours("There is no such thing")),
        ("Overtaken", ours("A newer message of the same order has been delivered since this one was first sent")),
        ("TooLarge", either("Too large: by our limits, or by the gateway's, which answers by itself")),
        ("NotAForm", ours("The body is no form")),
        ("KeyUsed", ours("Another body is known under the same key, unfinished or done")),
        ("TooMany", gateways("More requests than the API lets in; the gateway answers. Send it again")),
        ("Failed", gateways("The function failed or did not answer in time; the gateway answers. Send it again")),
        (
            "NotNow",
            problem("Not stored; send it again")
                .content(JSON, of("GatewayAnswer"))
                .header("retry-after", retry)
                .build(),
        ),
    ]
}

/// The answers of a route: those that every route may give, and its own, by status and name.
pub(crate) fn of_route(own: &[(&str, &str)]) -> Responses {
    let shared = [
        ("400", "Invalid"),
        ("401", "Unauthorized"),
        ("403", "Forbidden"),
        ("413", "TooLarge"),
        ("429", "TooMany"),
        ("500", "Failed"),
        ("503", "NotNow"),
    ];
    let all = shared.iter().chain(own).fold(ResponsesBuilder::new(), |responses, (status, name)| {
        responses.response(*status, Ref::from_response_name(*name))
    });
    all.build()
}

/// Every answer of ours carries the correlation id.
fn response(what: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(what)
}

fn problem(what: &str) -> ResponseBuilder {
    response(what).content(PROBLEM, of("Problem"))
}

fn of(schema: &str) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn no_store() -> utoipa::openapi::header::Header {
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([json!("no-store")]));
    HeaderBuilder::new().schema(Some(text)).build()
}
