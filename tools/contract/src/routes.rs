//! The routes as operations of the OpenAPI document.

use domain::json::{BODY_LIMIT, DEPTH_LIMIT, outline};
use domain::posted_file::{PostedFile, Subject};
use serde_json::{Value, json};
use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, HttpMethod, PathItem, Paths, PathsBuilder, Ref, RefOr, Required, Schema};
use utoipa::openapi::{example::ExampleBuilder, security::SecurityRequirement};

use crate::answers::of_route;
use crate::examples;
use crate::messages::{MESSAGES, Message};
use crate::schema::{self, Named};

/// The name of the security scheme.
pub(crate) const TOKEN: &str = "token";

/// The largest form, in bytes.
const FORM_LIMIT: usize = 4 << 20;

/// Every route, its schemas added to `named`.
pub(crate) fn all(named: &mut Named) -> Paths {
    let mut paths = PathsBuilder::new();
    for message in MESSAGES {
        let (path, scope) = place(message.flow);
        let schema = of_message(message, named);
        named.insert(pascal(message.flow), schema);
        paths = paths.path(path, PathItem::new(HttpMethod::Post, message_route(message, &scope)));
    }
    for subject in Subject::ALL {
        let name = subject.as_str();
        let told = outline(|document| PostedFile::from_document(subject, document));
        let envelope = schema::of(&told, &[("/recordCount", "Rows that the file should have")], named);
        named.insert(envelope_name(subject), envelope);
        let (post, upload) = (posted(subject), to_upload(subject));
        paths = paths
            .path(format!("/v1/derms/{name}"), PathItem::new(HttpMethod::Post, post))
            .path(format!("/v1/derms/{name}/uploads"), PathItem::new(HttpMethod::Post, upload));
    }
    paths.path("/v1/derms/rejects/{run}", PathItem::new(HttpMethod::Get, rejects())).build()
}

/// The schema of a message, without what holds between members.
pub(crate) fn of_message(message: &Message, named: &mut Named) -> RefOr<Schema> {
    let mut schema = schema::of(&(message.outline)(), message.notes, named);
    match &mut schema {
        RefOr::T(Schema::Object(object)) => object.title = Some(message.title.to_owned()),
        RefOr::T(Schema::Array(list)) => list.title = Some(message.title.to_owned()),
        _ => {}
    }
    schema
}

/// Path and scope of a message flow.
pub(crate) fn place(flow: &str) -> (String, String) {
    let mut parts = flow.splitn(3, '-');
    let (source, subject) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    (format!("/v1/{source}/{subject}"), format!("{source}/{subject}"))
}

/// `dacs-derms-program-rules` as `DacsDermsProgramRules`.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or(("", word));
        first.to_uppercase() + rest
    });
    words.collect()
}

/// What every message is refused for beyond its schema, and this one.
pub(crate) fn beyond(message: &Message) -> String {
    let more =
        if message.beyond.is_empty() { "and members that occur twice".to_owned() } else { message.beyond.to_owned() };
    let twice = if message.beyond.is_empty() { "" } else { "members that occur twice, " };
    format!(
        "Members not named here are ignored; an optional member may be null, and blank where it is text. Beyond the schema \
         the door refuses: bodies over {BODY_LIMIT} bytes, nesting deeper than {DEPTH_LIMIT} levels, {twice}{more}."
    )
}

fn operation(id: &str, title: &str, scope: &str) -> OperationBuilder {
    let sender = scope.split('/').next().unwrap_or_default();
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(title))
        .tag(sender)
        .security(SecurityRequirement::new(TOKEN, [scope]))
        .parameter_ref(Ref::new("#/components/parameters/Correlation"))
}

fn message_route(message: &Message, scope: &str) -> Operation {
    let examples = examples::of(message.flow).into_iter().map(|(name, value)| {
        let example: RefOr<_> = ExampleBuilder::new().value(Some(value)).build().into();
        (name, example)
    });
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(pascal(message.flow))));
    let content = content.examples_from_iter(examples).build();
    operation(message.flow, message.title, scope)
        .description(Some(beyond(message)))
        .request_body(Some(json_body(content)))
        .responses(of_route(message.answers))
        .build()
}

fn json_body(content: utoipa::openapi::Content) -> RequestBody {
    RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", content).build()
}

fn envelope_name(subject: Subject) -> String {
    pascal(subject.as_str()) + "Envelope"
}

fn scope(subject: Subject) -> String {
    format!("derms/{}", subject.as_str())
}

fn posted(subject: Subject) -> Operation {
    let name = subject.as_str();
    let file = ObjectBuilder::new().schema_type(Type::String).content_media_type("text/csv");
    let file = file.description(Some("The file, also gzipped or zipped; its flow judges it"));
    let form = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("envelope", Ref::from_schema_name(envelope_name(subject)))
        .property("file", file)
        .required("envelope")
        .required("file");
    let encoding = |kind: &str| EncodingBuilder::new().content_type(Some(kind)).build();
    let content = ContentBuilder::new().schema(Some(form)).example(Some(example_of(subject)));
    let content =
        content.encoding("envelope", encoding("application/json")).encoding("file", encoding("text/csv")).build();
    let body = RequestBodyBuilder::new().required(Some(Required::True)).content("multipart/form-data", content).build();
    let description = format!(
        "The object is stored once as `{name}/<messageId>.csv` in the DERMS's outbox, its envelope with it, and its flows \
         take it from there. The form has two parts: the envelope, of type application/json or of that name, and the file. At \
         most {FORM_LIMIT} bytes in all; larger files are uploaded. A `messageId` has no segment `.` or `..`; without one the \
         file is known by a hash of envelope and content."
    );
    operation(&format!("post-{name}"), &format!("A file of {}", name.replace('-', " ")), &scope(subject))
        .description(Some(description))
        .request_body(Some(body))
        .responses(of_route(&[("202", "Accepted"), ("415", "NotAForm"), ("422", "KeyUsed")]))
        .build()
}

fn to_upload(subject: Subject) -> Operation {
    let name = subject.as_str();
    let envelope = ContentBuilder::new().schema(Some(Ref::from_schema_name(envelope_name(subject))));
    let content = envelope.example(example_of(subject).get("envelope").cloned()).build();
    let description = format!(
        "For files over {FORM_LIMIT} bytes: the answer is a request, signed for 15 minutes, by which the file is PUT to S3 \
         itself. Here the envelope must have a `messageId`. 202: this file is stored already. S3 answers 412 where a file of \
         this `messageId` is stored already, 403 where the link has expired or its headers differ."
    );
    operation(
        &format!("upload-{name}"),
        &format!("A link to upload a file of {}", name.replace('-', " ")),
        &scope(subject),
    )
    .description(Some(description))
    .request_body(Some(json_body(content)))
    .responses(of_route(&[("200", "Offered"), ("202", "Accepted"), ("422", "KeyUsed")]))
    .build()
}

/// A form as it would be posted.
fn example_of(subject: Subject) -> Value {
    let reservation = json!({
        "drmsInstanceId": "DRMS-1", "messageId": "RES-20260701-1", "eventId": "4011", "stageId": "4011-1",
        "eventStartDateTime": "2026-07-01T14:00:00-04:00", "eventEndDateTime": "2026-07-01T16:00:00-04:00",
        "programCode": "SUMMER-TSTAT", "recordCount": 1,
    });
    match subject {
        Subject::DeviceReservation => json!({
            "envelope": reservation,
            "file": "recordId,nicId,headEndSystemId\n1,00:1A:22:00:00:01,ACME-HES\n",
        }),
        Subject::DeviceOutcome => json!({
            "envelope": {"drmsInstanceId": "DRMS-1", "messageId": "OUT-20260701-1"},
            "file": "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
                     servicePointId,headEndSystemId,nicId,outcome\n",
        }),
        Subject::NetworkLocation => json!({
            "envelope": {"messageId": "NET-20260701-1", "recordCount": 1},
            "file": "servicePointId,transformerId,feederId,substationId,syncFlag,changeDateTime\n\
                     SP1,T1,F1,S1,F1IC,2026-07-01T00:00:00Z\n",
        }),
    }
}

fn rejects() -> Operation {
    let run = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{20}$"));
    let run = parameter("run", ParameterIn::Path, run).required(Required::True);
    let run = run.description(Some("The run, as an acknowledgement names it")).build();
    let file = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["reasons", "rows"]));
    let file = parameter("file", ParameterIn::Query, file).required(Required::False);
    let file =
        file.description(Some("reasons (also when absent): line, column, reason; rows: the rows themselves")).build();
    operation("rejects", "What was rejected of a file of the DERMS", "derms/rejects")
        .description(Some("A link to the file, good for 5 minutes. Runs are known for 30 days after their end."))
        .parameter(run)
        .parameter(file)
        .responses(of_route(&[("302", "Moved"), ("404", "NotFound")]))
        .build()
}

fn parameter(name: &str, place: ParameterIn, schema: ObjectBuilder) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).schema(Some(schema))
}

/// The sender's correlation id.
pub(crate) fn correlation() -> Parameter {
    let id = ObjectBuilder::new().schema_type(Type::String);
    let header = parameter("x-correlation-id", ParameterIn::Header, id).required(Required::False);
    header.description(Some("Goes with the message to its target and back: 1 to 128 printable ASCII characters without a space; one is given \
                 where none or another comes")).build()
}
