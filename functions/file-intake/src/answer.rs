//! What a request is answered, and what is said of it in the log.

use domain::json::Problem;
use flow::Transient;
use flow::ports::Link;
use flow::trigger::{HttpReply, HttpRequest};
use serde_json::json;

/// What a request came to.
pub(crate) struct Answered {
    /// What is answered.
    pub(crate) reply: HttpReply,
    /// The message key or the run, where it came so far.
    pub(crate) unit: String,
    /// In one word.
    pub(crate) outcome: &'static str,
    /// Why it came to nothing.
    pub(crate) reason: Option<String>,
}

impl Answered {
    /// 202: the file is stored; `outcome` says whether by this request.
    pub(crate) fn stored(key: String, outcome: &'static str, request: &HttpRequest) -> Self {
        Self { reply: HttpReply::accepted(&key, &request.correlation), unit: key, outcome, reason: None }
    }

    /// 200: how to upload the file.
    pub(crate) fn offered(key: String, link: &Link, request: &HttpRequest) -> Self {
        let body = json!({
            "messageKey": key,
            "correlationId": request.correlation,
            "method": "PUT",
            "url": link.url,
            "headers": link.headers,
            "expires": link.expires.to_string(),
        });
        Self { reply: uncached(HttpReply::json(200, &body)), unit: key, outcome: "offered", reason: None }
    }

    /// 302: where the file is.
    pub(crate) fn shown(run: &str, link: &Link) -> Self {
        let body = json!({ "url": link.url, "expires": link.expires.to_string() });
        let mut reply = uncached(HttpReply::json(302, &body));
        reply.headers.push(("location", link.url.clone()));
        Self { reply, unit: run.to_owned(), outcome: "shown", reason: None }
    }

    /// The problem, as it is sent.
    pub(crate) fn refused(problem: &Problem) -> Self {
        let reply = HttpReply::problem(problem);
        Self { reply, unit: String::new(), outcome: "refused", reason: Some(problem.to_string()) }
    }

    /// 503: to be sent again.
    pub(crate) fn failed(fault: &Transient, request: &HttpRequest) -> Self {
        let reply = HttpReply::unavailable(&request.correlation);
        Self { reply, unit: String::new(), outcome: "failed", reason: Some(fault.chain()) }
    }
}

/// A link is for whoever asked for it.
fn uncached(mut reply: HttpReply) -> HttpReply {
    reply.headers.push(("cache-control", "no-store".into()));
    reply
}

/// 404 with a reason.
pub(crate) fn not_found(detail: &'static str) -> Problem {
    Problem {
        kind: "urn:problem:not-found",
        title: "There is no such thing",
        status: 404,
        detail: detail.into(),
        errors: Vec::new(),
    }
}
