//! Credentials: OAuth client credentials for DACS, HTTP Basic for DERMS.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use axum::extract::{RawForm, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::clock::locked;
use crate::faults::System;
use crate::{Shared, json_response};

/// The tokens that were given out.
#[derive(Debug)]
pub struct Tokens(Mutex<Issued>);

#[derive(Debug)]
struct Issued {
    next: u64,
    lifetime: Duration,
    expiry: HashMap<String, Duration>,
}

impl Tokens {
    /// No token yet; each will live for `lifetime`.
    pub fn new(lifetime: Duration) -> Self {
        Self(Mutex::new(Issued { next: 1, lifetime, expiry: HashMap::new() }))
    }

    /// A new token and its lifetime in seconds.
    pub fn issue(&self, now: Duration) -> (String, u64) {
        let mut issued = locked(&self.0);
        let token = format!("sandbox-token-{}", issued.next);
        issued.next = issued.next.saturating_add(1);
        let lifetime = issued.lifetime;
        issued.expiry.retain(|_, expiry| *expiry > now);
        issued.expiry.insert(token.clone(), now.saturating_add(lifetime));
        (token, lifetime.as_secs())
    }

    /// Whether DACS still takes this token.
    pub fn takes(&self, token: &str, now: Duration) -> bool {
        locked(&self.0).expiry.get(token).is_some_and(|expiry| *expiry > now)
    }

    /// Revokes all tokens and returns how many there were.
    pub fn revoke(&self) -> usize {
        let mut issued = locked(&self.0);
        let number = issued.expiry.len();
        issued.expiry.clear();
        number
    }

    /// Lifetime of the tokens to come.
    pub fn live_for(&self, lifetime: Duration) {
        locked(&self.0).lifetime = lifetime;
    }
}

/// `POST /oauth/token`, RFC 6749 §4.4: client by Basic header or by form.
pub async fn token(State(sandbox): State<Shared>, headers: HeaderMap, RawForm(form): RawForm) -> Response {
    let form = String::from_utf8_lossy(&form).into_owned();
    let field = |name: &str| {
        form.split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| unescape(value))
    };
    if field("grant_type").as_deref() != Some("client_credentials") {
        return oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let config = &sandbox.config;
    let by_header = basic(&headers).map(|(user, pass)| (unescape(&user), unescape(&pass)));
    let client = by_header.or_else(|| Some((field("client_id")?, field("client_secret")?)));
    if client != Some((config.client_id.clone(), config.client_secret.clone())) {
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let (token, seconds) = sandbox.tokens.issue(sandbox.clock.elapsed());
    json_response(StatusCode::OK, &json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds}))
}

fn oauth_error(status: StatusCode, error: &str) -> Response {
    json_response(status, &json!({ "error": error }))
}

/// The answer to a call without good credentials; none when they are good.
pub fn refuse(sandbox: &Shared, system: System, headers: &HeaderMap) -> Option<Response> {
    let config = &sandbox.config;
    let (good, challenge) = match system {
        System::Oauth => (true, ""),
        System::Dacs => {
            let token = authorization(headers).and_then(|it| it.strip_prefix("Bearer "));
            let now = sandbox.clock.elapsed();
            (token.is_some_and(|it| sandbox.tokens.takes(it, now)), "Bearer error=\"invalid_token\"")
        }
        System::Derms => {
            let user = basic(headers);
            (user == Some((config.username.clone(), config.password.clone())), "Basic realm=\"derms\"")
        }
    };
    if good {
        return None;
    }
    let problem = crate::problem::Problem::new(StatusCode::UNAUTHORIZED, "Credentials are missing, wrong or expired.");
    Some(([(header::WWW_AUTHENTICATE, challenge)], problem).into_response())
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = authorization(headers)?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Undoes `application/x-www-form-urlencoded`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|it| it.map(char::from));
                let value = match digits {
                    [Some(high), Some(low)] => u8::from_str_radix(&format!("{high}{low}"), 16).ok(),
                    _ => None,
                };
                bytes.push(value.unwrap_or(b'%'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
