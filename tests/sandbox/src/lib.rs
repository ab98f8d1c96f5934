//! DACS, Edge DERMS and OUAI as their neighbours see them: strict, in one process, with their state
//! and faults on demand over HTTP.
//!
//! This is an independent reading of `docs/contracts.md`. It shares no code with the flows and reads
//! every byte itself, so that a mistake in the flows cannot hide here. One module per system, one
//! file per group of calls; `README.md` lists the endpoints.

mod auth;
mod clock;
mod config;
mod control;
mod dacs;
mod derms;
pub mod digest;
mod faults;
mod gate;
mod line;
mod problem;
mod quantity;
mod records;
mod shape;
mod text;
mod traffic;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use config::{Config, Release, SCORE_PART_LIMIT};
pub use derms::score_rows::COLUMNS as SCORE_COLUMNS;
use problem::Problem;

/// Everything the sandbox knows.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) config: Config,
    pub(crate) clock: clock::Clock,
    pub(crate) order: clock::Order,
    pub(crate) faults: faults::Faults,
    pub(crate) traffic: traffic::Traffic,
    pub(crate) tokens: auth::Tokens,
    pub(crate) dacs: dacs::Dacs,
    pub(crate) derms: derms::Derms,
}

pub(crate) type Shared = Arc<Sandbox>;

/// A running sandbox.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    sandbox: Shared,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The books of DACS, as `GET /control/dacs` answers them.
    pub fn dacs(&self) -> Value {
        self.sandbox.dacs.state()
    }

    /// The books of DERMS, as `GET /control/derms` answers them.
    pub fn derms(&self) -> Value {
        self.sandbox.derms.state()
    }

    /// Stops: calls in progress have two seconds to end.
    ///
    /// # Errors
    /// When serving had failed.
    pub async fn stop(mut self) -> io::Result<()> {
        if self.stop.send(()).is_err() {
            return Ok(());
        }
        match tokio::time::timeout(Duration::from_secs(2), &mut self.task).await {
            Ok(Ok(result)) => result,
            Ok(Err(died)) => Err(io::Error::other(died)),
            Err(_) => {
                self.task.abort();
                Ok(())
            }
        }
    }
}

/// Serves on `listener` until the handle is stopped or the runtime ends.
///
/// # Errors
/// When the listener has no address.
pub fn serve(listener: TcpListener, config: Config) -> io::Result<Handle> {
    let address = listener.local_addr()?;
    let sandbox = Arc::new(Sandbox {
        clock: clock::Clock::start(),
        order: clock::Order::default(),
        faults: faults::Faults::new(config.seed),
        traffic: traffic::Traffic::default(),
        tokens: auth::Tokens::new(Duration::from_secs(config.token_seconds)),
        dacs: dacs::Dacs::new(&config),
        derms: derms::Derms::default(),
        config,
    });
    let service = router(&sandbox).into_make_service_with_connect_info::<line::Scissors>();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(line::Switchboard(listener), service).with_graceful_shutdown(async {
        if stopped.await.is_err() {
            // The handle was dropped: keep serving until the runtime ends.
            std::future::pending::<()>().await;
        }
    });
    let task = tokio::spawn(async move { server.await });
    Ok(Handle { address, sandbox, stop, task })
}

fn router(sandbox: &Shared) -> Router {
    Router::new()
        .route("/oauth/token", post(auth::token))
        .merge(dacs::routes())
        .merge(derms::routes())
        .merge(control::routes())
        .method_not_allowed_fallback(async || {
            let message = "There is no such method here.";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "There is no such path."))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(sandbox), gate::pass))
        .with_state(Arc::clone(sandbox))
}

/// Largest JSON message taken, in bytes.
const JSON_LIMIT: usize = 1024 * 1024;

/// The JSON message of a call.
pub(crate) async fn message(request: Request) -> Result<Value, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or("");
    if media_type(kind) != "application/json" {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The message must be application/json."));
    }
    let bytes = axum::body::to_bytes(request.into_body(), JSON_LIMIT).await.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The message could not be read to its end, or is over 1 MiB.")
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::at("(message)", error.to_string()))
}

/// A content type without its parameters, in lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    kind.trim().to_ascii_lowercase()
}

/// An answer in JSON.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
