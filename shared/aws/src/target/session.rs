use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flow::Transient;
use flow::ports::Clock;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{Credentials, Vault, Web, body};

/// The most of a token endpoint's answer that is read.
const MOST_TOKEN: usize = 64 * 1024;
/// A token is renewed this long before it ends, or at nine tenths of a shorter life.
const MARGIN: Duration = Duration::from_secs(60);

/// The right to call, as it was granted last.
#[derive(Clone)]
pub(super) struct Authorization {
    /// The `Authorization` header.
    pub(super) header: HeaderValue,
    /// Which grant this is, to tell a refusal of it from a refusal of the one before.
    pub(super) serial: u64,
    /// When it is to be renewed; `None` when only a refusal will tell.
    until: Option<Timestamp>,
}

/// Whether there is something to call with.
pub(super) enum Admission {
    /// This.
    Granted(Authorization),
    /// The token endpoint refuses us, and says why.
    Refused(String),
}

#[derive(Default)]
struct State {
    credentials: Option<Credentials>,
    authorization: Option<Authorization>,
    serial: u64,
}

/// The session with one neighbour: the secret and the token, read when they are first needed and renewed by one call
/// while the others wait.
pub(super) struct Session {
    name: &'static str,
    vault: Arc<dyn Vault>,
    web: Web,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Session {
    pub(super) fn new(name: &'static str, vault: Arc<dyn Vault>, web: Web, clock: Arc<dyn Clock>) -> Self {
        Self { name, vault, web, clock, state: Mutex::default() }
    }

    /// What to call with. `refused` is the serial of an authorization that the neighbour just refused: secret and token
    /// are then read anew, unless another call has done so meanwhile.
    pub(super) async fn authorization(&self, refused: Option<u64>) -> Result<Admission, Transient> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(current) = &state.authorization
            && Some(current.serial) != refused
            && current.until.is_none_or(|until| now < until)
        {
            return Ok(Admission::Granted(current.clone()));
        }
        state.authorization = None;
        if refused.is_some() {
            state.credentials = None;
        }
        if let Some(known) = state.credentials.clone()
            && let Grant::Given(header, until) = self.grant(&known, now).await?
        {
            return Ok(state.granted(header, until));
        }
        let fresh = self.vault.credentials().await?;
        state.credentials = Some(fresh.clone());
        match self.grant(&fresh, now).await? {
            Grant::Given(header, until) => Ok(state.granted(header, until)),
            Grant::Refused(reason) => {
                state.credentials = None;
                Ok(Admission::Refused(reason))
            }
        }
    }

    async fn grant(&self, credentials: &Credentials, now: Timestamp) -> Result<Grant, Transient> {
        match credentials {
            Credentials::Basic { username, password } => {
                Ok(Grant::Given(secret_header(&basic(username, password))?, None))
            }
            Credentials::Oauth { token_url, client_id, client_secret, scope } => {
                let client = basic(&form_encoded(client_id), &form_encoded(client_secret));
                self.token(token_url, &client, scope.as_deref(), now).await
            }
        }
    }

    async fn token(&self, url: &str, client: &str, scope: Option<&str>, now: Timestamp) -> Result<Grant, Transient> {
        let doing = || format!("getting a token for {}", self.name);
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.map(|scope| ("scope", scope)));
        let request = self.web.client()?.post(url).header(ACCEPT, "application/json");
        let response = request
            .header(AUTHORIZATION, secret_header(client)?)
            .form(&form)
            .send()
            .await
            .map_err(|fault| Transient::because(doing(), fault.without_url()))?;
        let status = response.status().as_u16();
        let text =
            body(response, MOST_TOKEN).await.map_err(|fault| Transient::because(doing(), fault.without_url()))?;
        match status {
            200 => {
                let token: Token = serde_json::from_slice(&text)
                    .map_err(|_| Transient::because(doing(), "the answer holds no access_token"))?;
                let header = secret_header(&format!("Bearer {}", token.access_token))?;
                Ok(Grant::Given(header, token.until(now)))
            }
            400 | 401 | 403 => Ok(Grant::Refused(refusal(status, &text))),
            _ => Err(Transient::because(doing(), format!("the token endpoint answered {status}"))),
        }
    }
}

impl State {
    fn granted(&mut self, header: HeaderValue, until: Option<Timestamp>) -> Admission {
        self.serial += 1;
        let authorization = Authorization { header, serial: self.serial, until };
        self.authorization = Some(authorization.clone());
        Admission::Granted(authorization)
    }
}

enum Grant {
    Given(HeaderValue, Option<Timestamp>),
    Refused(String),
}

/// The answer of a token endpoint (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<u64>,
}

impl Token {
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let life = Duration::from_secs(self.expires_in?);
        let used = life.saturating_sub(MARGIN.min(life / 10));
        now.checked_add(used).ok()
    }
}

/// Why, in the issuer's word for it (RFC 6749 §5.2) and nothing else of its answer.
fn refusal(status: u16, text: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        error: String,
    }
    let word = serde_json::from_slice::<Problem>(text).map(|problem| problem.error).unwrap_or_default();
    let word: String = word.chars().filter(|letter| letter.is_ascii_graphic()).take(60).collect();
    format!("the token endpoint refused our credentials with status {status} {word}").trim_end().to_owned()
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

const FORM: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// A header that is left out of every debug output.
fn secret_header(value: &str) -> Result<HeaderValue, Transient> {
    let mut header = HeaderValue::from_str(value)
        .map_err(|_| Transient::new("writing credentials into a header, which cannot hold them"))?;
    header.set_sensitive(true);
    Ok(header)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
