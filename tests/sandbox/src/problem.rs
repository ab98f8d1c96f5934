//! Refusals as problem documents: "a 400 body is a problem document (message, HTTP status, URL)"
//! (contracts.md §4).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// One offending place and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Violation {
    /// Path of the field in the message, or line and column of a file.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Violation {
    /// A violation at `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// A refusal. The gate writes the document, because it knows the URL.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    number: Option<i32>,
    message: String,
    violations: Vec<Violation>,
    extra: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A refusal with a status and a sentence.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, number: None, message: message.into(), violations: Vec::new(), extra: Vec::new() }
    }

    /// 400: the message breaks the contract at these places.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [] => "The message is not valid.".to_owned(),
            [only] => format!("{}: {}", only.field, only.reason),
            [first, rest @ ..] => format!("{}: {} (and {} more)", first.field, first.reason, rest.len()),
        };
        Self { violations, ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    /// 400 at one place.
    pub fn at(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::invalid(vec![Violation::new(field, reason)])
    }

    /// The same with DACS's `messageNumber`.
    pub fn numbered(self, number: i32) -> Self {
        Self { number: Some(number), ..self }
    }

    /// The same with a member of the call's own.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.extra.push((name, value));
        self
    }

    /// The document for a call to `url`.
    pub fn document(&self, url: &str) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.message,
            "message": self.message,
            "instance": url,
        });
        if let Some(fields) = body.as_object_mut() {
            if let Some(number) = self.number {
                fields.insert("messageNumber".to_owned(), json!(number));
            }
            for (name, value) in &self.extra {
                fields.insert((*name).to_owned(), value.clone());
            }
            if !self.violations.is_empty() {
                fields.insert("errors".to_owned(), json!(self.violations));
            }
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
