mod credentials;
mod retry_after;
mod session;
mod web;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flow::Transient;
use flow::ports::{Answer, Call, Clock, FormPart, Method, Payload, Target};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, StatusCode};

pub use credentials::{Credentials, SecretVault, Vault};
use session::{Admission, Authorization, Session};
pub use web::Web;

/// The most of an answer's body that is read.
const MOST_BODY: usize = 1024 * 1024;

/// Where a neighbour's API begins: `http` or `https`, without query, kept without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is not a [`BaseUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an http or https URL without query")]
pub struct NotABaseUrl;

impl FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        let url = reqwest::Url::parse(text).map_err(|_| NotABaseUrl)?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(NotABaseUrl);
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

/// A neighbour's API over HTTP, called with the credentials of a [`Vault`] (contracts.md §8: renewed once when they are
/// refused).
///
/// ```text
/// call ── authorization cached? ──no──▶ secret ─▶ token ──┐
///              │ yes                                       │
///              ▼                                           ▼
///           request ◀──────────────────────────────────────┘
///              │ 401 or 403, the first time: forget secret and token, once more from the top
///              ▼
///           answer, whatever its status
/// ```
///
/// When the token endpoint refuses a secret that was just read, the answer is a 401 that says so, made here.
pub struct HttpTarget {
    name: &'static str,
    base: BaseUrl,
    web: Web,
    session: Session,
    clock: Arc<dyn Clock>,
}

impl HttpTarget {
    /// The neighbour called `name` in log lines, below `base`.
    pub fn new(name: &'static str, base: BaseUrl, vault: Arc<dyn Vault>, web: Web, clock: Arc<dyn Clock>) -> Self {
        let session = Session::new(name, vault, web.clone(), Arc::clone(&clock));
        Self { name, base, web, session, clock }
    }

    async fn attempts(&self, call: &Call) -> Result<Answer, Transient> {
        let first = match self.session.authorization(None).await? {
            Admission::Granted(authorization) => authorization,
            Admission::Refused(reason) => return Ok(refusal(reason)),
        };
        let answer = self.once(call, &first).await?;
        if !matches!(answer.status, 401 | 403) {
            return Ok(answer);
        }
        match self.session.authorization(Some(first.serial)).await? {
            Admission::Granted(renewed) => self.once(call, &renewed).await,
            Admission::Refused(reason) => Ok(refusal(reason)),
        }
    }

    async fn once(&self, call: &Call, authorization: &Authorization) -> Result<Answer, Transient> {
        let response = self
            .request(call)?
            .header(AUTHORIZATION, authorization.header.clone())
            .send()
            .await
            .map_err(|fault| self.fault(fault))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after::read(value, self.clock.now()));
        let body = body(response, MOST_BODY).await.map_err(|fault| self.fault(fault))?;
        Ok(Answer { status, retry_after, body: body.into() })
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, Transient> {
        let method = match call.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Put => reqwest::Method::PUT,
        };
        let request = self
            .web
            .client()?
            .request(method, format!("{}{}", self.base.0, call.path))
            .header(ACCEPT, "application/json")
            .header("x-correlation-id", correlation(&call.correlation));
        Ok(match &call.payload {
            Payload::Empty => request,
            Payload::Json(json) => request.header(CONTENT_TYPE, "application/json").body(json.clone()),
            Payload::Form(parts) => request.multipart(self.form(parts)?),
        })
    }

    fn form(&self, parts: &[FormPart]) -> Result<Form, Transient> {
        let mut form = Form::new();
        for part in parts {
            let length = u64::try_from(part.bytes.len()).unwrap_or(u64::MAX);
            let mut body = Part::stream_with_length(part.bytes.clone(), length)
                .mime_str(part.content_type)
                .map_err(|fault| self.fault(fault))?;
            if let Some(name) = &part.file_name {
                body = body.file_name(name.clone());
            }
            form = form.part(part.name, body);
        }
        Ok(form)
    }

    /// Without the URL: its path may carry ids.
    fn fault(&self, fault: reqwest::Error) -> Transient {
        Transient::because(format!("calling {}", self.name), fault.without_url())
    }
}

#[async_trait]
impl Target for HttpTarget {
    async fn call(&self, call: &Call, timeout: Duration) -> Result<Answer, Transient> {
        tokio::time::timeout(timeout, self.attempts(call)).await.unwrap_or_else(|_| {
            Err(Transient::new(format!("calling {}, no answer within {} ms", self.name, timeout.as_millis())))
        })
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").field("name", &self.name).field("base", &self.base).finish_non_exhaustive()
    }
}

/// The answer in place of the neighbour's when there is nothing to call it with.
fn refusal(reason: String) -> Answer {
    Answer { status: StatusCode::UNAUTHORIZED.as_u16(), retry_after: None, body: reason.into() }
}

/// A correlation id as a header value: what a header cannot hold is left out.
fn correlation(id: &str) -> HeaderValue {
    let visible: String = id.chars().filter(char::is_ascii_graphic).collect();
    HeaderValue::from_str(&visible).unwrap_or(HeaderValue::from_static(""))
}

/// At most `most` bytes of a body; the rest is left unread, which ends the connection.
async fn body(mut response: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < most {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        let room = most - body.len();
        body.extend(chunk.iter().take(room));
    }
    Ok(body)
}
