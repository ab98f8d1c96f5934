//! The gate every call passes: counted, meets its faults, shows its credentials, is served; then
//! its answer leaves as the faults allow.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use crate::faults::{Act, Answer, Plan, System};
use crate::line::Scissors;
use crate::problem::Problem;
use crate::{Shared, auth};

/// Lets one call through.
pub async fn pass(
    State(sandbox): State<Shared>,
    ConnectInfo(line): ConnectInfo<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    let url = request.uri().to_string();
    let path = request.uri().path().to_owned();
    let Some(system) = System::of(&path) else {
        return written(next.run(request).await, &url);
    };
    let method = request.method().as_str().to_owned();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unknown path", MatchedPath::as_str);
    let route = format!("{method} {route}");
    let now = sandbox.clock.elapsed();
    sandbox.traffic.arrived(system, now);
    let plan = sandbox.faults.plan(system, &method, &path, now);
    let answer = served(&sandbox, system, plan, request, next).await;
    let result = match (&answer, plan.answer) {
        (None, _) => "hung up".to_owned(),
        (Some(it), Answer::Dropped) => format!("{} dropped", it.status().as_u16()),
        (Some(it), Answer::Half) => format!("{} half", it.status().as_u16()),
        (Some(it), _) => it.status().as_u16().to_string(),
    };
    sandbox.traffic.answered(system, route, result);
    let Some(answer) = answer else {
        line.cut();
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let answer = written(answer, &url);
    match plan.answer {
        Answer::Whole => answer,
        Answer::Dropped => {
            line.cut();
            answer
        }
        Answer::Half => half(answer).await,
        Answer::Trickled(pause) => trickled(answer, pause).await,
    }
}

/// The answer, or none when the connection is to be closed instead.
async fn served(sandbox: &Shared, system: System, plan: Plan, request: Request, next: Next) -> Option<Response> {
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    match plan.act {
        Act::HangUp => None,
        Act::Refuse { status, retry_after } => {
            drain(request.into_body()).await;
            Some(refused(status, retry_after))
        }
        Act::Serve => match auth::refuse(sandbox, system, request.headers()) {
            Some(refusal) => {
                drain(request.into_body()).await;
                Some(refusal)
            }
            None => Some(next.run(request).await),
        },
    }
}

fn refused(status: u16, retry_after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = Problem::new(status, "The sandbox was asked to fail here.").into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Reads a request to its end without keeping it: a client that is still sending would otherwise see
/// a broken connection instead of the refusal.
async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(_)) = chunks.next().await {}
}

/// A refusal with its document; everything else as it is.
fn written(response: Response, url: &str) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else {
        return response;
    };
    let mut document = problem.document(url);
    for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            document.headers_mut().insert(name, value.clone());
        }
    }
    document
}

async fn whole_body(body: Body) -> Bytes {
    axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default()
}

async fn half(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = whole_body(body).await;
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let first = bytes.slice(..bytes.len() / 2);
    let chunks = stream::once(async { Ok(first) }).chain(stream::once(async {
        // Lets the first half leave before the connection is closed.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    Response::from_parts(head, Body::from_stream(chunks))
}

async fn trickled(response: Response, pause: Duration) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = whole_body(body).await;
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let chunks = stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let chunk = rest.split_to(rest.len().min(8));
        Some((Ok::<Bytes, io::Error>(chunk), rest))
    });
    Response::from_parts(head, Body::from_stream(chunks))
}
