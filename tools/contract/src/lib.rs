//! The published contract: `docs/openapi.json`, and `events/<flow>/schema.json` of every message flow. Both are made of what
//! the doors' own readers ask for (`domain::json::outline`), so nothing in them is written a second time.
//!
//! ```text
//! readers ─ outline ─▶ schema ─┬─▶ docs/openapi.json            routes, answers, examples of events/
//!                              └─▶ events/<flow>/schema.json    the same schema, standing alone
//! ```
//!
//! A new message flow is one entry in `messages.rs`; `make contract` writes the files.

mod answers;
mod examples;
mod messages;
mod routes;
mod schema;

use std::path::PathBuf;

use domain::json::Told;
use messages::{MESSAGES, Message};
use schema::Named;
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApiBuilder, ServerBuilder, Tag};

/// What the document says before its routes.
const ABOUT: &str = include_str!("about.md");

/// A file of the repository, as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where, below the repository's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Written {
    fn json(path: String, value: &Value) -> Self {
        Self { path, text: format!("{value:#}\n") }
    }

    /// Where it is on this machine.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        examples::root().join(&self.path)
    }
}

/// Every file that is made of the readers.
#[must_use]
pub fn files() -> Vec<Written> {
    let mut files = vec![Written::json("docs/openapi.json".into(), &document())];
    files.extend(
        MESSAGES
            .iter()
            .map(|message| Written::json(format!("events/{}/schema.json", message.flow), &standing_alone(message))),
    );
    files
}

/// What the reader of each message flow asks for, by the flow's name.
#[must_use]
pub fn outlines() -> Vec<(&'static str, Vec<Told>)> {
    MESSAGES.iter().map(|message| (message.flow, (message.outline)())).collect()
}

/// The OpenAPI document.
#[must_use]
pub fn document() -> Value {
    let mut named = Named::new();
    let paths = routes::all(&mut named);
    named.extend(answers::schemas());
    let components = answers::responses()
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, response)| components.response(name, response));
    let components = components
        .schemas_from_iter(named)
        .parameter("Correlation", routes::correlation())
        .security_scheme(routes::TOKEN, token());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".into());
    let info = InfoBuilder::new()
        .title("Demand-response flows between a program system, a DERMS and an analytics engine")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let server = ServerBuilder::new().url("https://api.invalid").description(Some("The output ApiUrl of the stack"));
    let tags = [("dacs", "What the program system sends"), ("derms", "What the DERMS sends, and what it may fetch")];
    let document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([server.build()]))
        .tags(Some(tags.map(|(name, what)| {
            let mut tag = Tag::new(name);
            tag.description = Some(what.into());
            tag
        })))
        .paths(paths)
        .components(Some(components.build()))
        .build();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for message in MESSAGES {
        let schema = format!("/components/schemas/{}", routes::pascal(message.flow));
        if let Some(schema) = document.pointer_mut(&schema) {
            add_rules(schema, message);
        }
    }
    document
}

/// The schema of one message with all that it refers to.
fn standing_alone(message: &Message) -> Value {
    let mut named = Named::new();
    let mut schema = serde_json::to_value(routes::of_message(message, &mut named)).unwrap_or_default();
    add_rules(&mut schema, message);
    let mut whole = Map::new();
    let (path, _) = routes::place(message.flow);
    whole.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("$id".into(), json!(format!("urn:schema:{}", message.flow)));
    if let Value::Object(members) = schema {
        whole.extend(members);
    }
    whole.insert("description".into(), json!(format!("POST {path}. {}", routes::beyond(message))));
    let definitions = serde_json::to_value(named).unwrap_or_default();
    whole.insert("$defs".into(), definitions);
    schema::standing_alone(whole.into())
}

/// Adds to the objects of a schema what holds between their members.
fn add_rules(schema: &mut Value, message: &Message) {
    for (place, rule) in message.rules {
        let path = place.split('/').skip(1).fold(String::new(), |path, name| match name {
            "0" => path + "/items",
            name => path + "/properties/" + name,
        });
        let rule: Map<String, Value> = serde_json::from_str(rule).unwrap_or_default();
        if let Some(Value::Object(object)) = schema.pointer_mut(&path) {
            object.extend(rule);
        }
    }
}

fn token() -> SecurityScheme {
    let scopes = MESSAGES.iter().map(|message| (routes::place(message.flow).1, message.title.to_owned()));
    let files = domain::posted_file::Subject::ALL.map(|subject| {
        let name = subject.as_str();
        (format!("derms/{name}"), format!("Files of {}", name.replace('-', " ")))
    });
    let rejects = ("derms/rejects".to_owned(), "What was rejected of the DERMS's files".to_owned());
    let scopes = Scopes::from_iter(scopes.chain(files).chain([rejects]));
    let flow = Flow::ClientCredentials(ClientCredentials::new("https://token.invalid/oauth2/token", scopes));
    let about = "Client credentials of the stack's own issuer (its output TokenUrl), or tokens of the utility's own. One scope \
                 for each subject.";
    SecurityScheme::OAuth2(OAuth2::with_description([flow], about))
}
