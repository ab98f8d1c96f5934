//! Against a neighbour on 127.0.0.1.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flow::Transient;
use flow::memory::ManualClock;
use flow::ports::{Answer, Call, FormPart, Method, Payload, Target};
use tokio::net::TcpListener;

use crate::neighbour::{Neighbour, answer};

use super::{BaseUrl, Credentials, HttpTarget, Vault, Web};

const PATIENCE: Duration = Duration::from_secs(5);

/// Gives `passwords` one after the other, the last one for ever.
struct Rotating(Mutex<Vec<Credentials>>);

#[async_trait]
impl Vault for Rotating {
    async fn credentials(&self) -> Result<Credentials, Transient> {
        let mut left = self.0.lock().unwrap();
        Ok(if left.len() > 1 { left.remove(0) } else { left[0].clone() })
    }
}

fn basic(password: &str) -> Credentials {
    Credentials::Basic { username: "platform".to_owned(), password: password.to_owned() }
}

fn oauth(neighbour: &Neighbour, secret: &str) -> Credentials {
    Credentials::Oauth {
        token_url: format!("{}/token", neighbour.url),
        client_id: "platform".to_owned(),
        client_secret: secret.to_owned(),
        scope: Some("derms/all".to_owned()),
    }
}

fn target(neighbour: &Neighbour, credentials: Vec<Credentials>, clock: &ManualClock) -> HttpTarget {
    let base: BaseUrl = format!("{}/api/", neighbour.url).parse().unwrap();
    let vault = Arc::new(Rotating(Mutex::new(credentials)));
    HttpTarget::new("derms", base, vault, Web::default(), Arc::new(clock.clone()))
}

fn post(payload: Payload) -> Call {
    Call { method: Method::Post, path: "/enroll".to_owned(), payload, correlation: "c-1".to_owned() }
}

async fn enroll(target: &HttpTarget) -> Answer {
    target.call(&post(Payload::Json(Bytes::from_static(b"{}"))), PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_call_carries_credentials_correlation_and_json() {
    let neighbour = Neighbour::answering(|_, _| answer(202, "", "taken")).await;
    let target = target(&neighbour, vec![basic("p")], &ManualClock::default());
    let expected = Answer { status: 202, retry_after: None, body: Bytes::from_static(b"taken") };
    assert_eq!(enroll(&target).await, expected);
    let seen = neighbour.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.line, "POST /api/enroll");
    assert_eq!(seen.authorization, "Basic cGxhdGZvcm06cA==");
    for part in ["x-correlation-id: c-1\r\n", "content-type: application/json\r\n", "\r\n\r\n{}"] {
        assert!(seen.text.contains(part), "{part} in {}", seen.text);
    }
}

#[tokio::test]
async fn a_refused_password_is_read_again_once_and_the_call_repeated() {
    let neighbour = Neighbour::answering(|seen, _| {
        let new = seen.authorization == "Basic cGxhdGZvcm06bmV3"; // platform:new
        answer(if new { 200 } else { 401 }, "", "")
    })
    .await;
    let target = target(&neighbour, vec![basic("old"), basic("new")], &ManualClock::default());
    assert_eq!(enroll(&target).await.status, 200);
    assert_eq!(enroll(&target).await.status, 200);
    assert_eq!(neighbour.lines().len(), 3);
}

#[tokio::test]
async fn a_refusal_of_renewed_credentials_is_the_answer() {
    let neighbour = Neighbour::answering(|_, _| answer(403, "", "no")).await;
    let target = target(&neighbour, vec![basic("p")], &ManualClock::default());
    assert_eq!(enroll(&target).await.status, 403);
    assert_eq!(neighbour.lines().len(), 2);
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_ends() {
    let neighbour = Neighbour::answering(|seen, number| match seen.line.as_str() {
        "POST /token" => answer(200, "", &format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#)),
        _ => answer(200, "", ""),
    })
    .await;
    let clock = ManualClock::default();
    let target = target(&neighbour, vec![oauth(&neighbour, "s")], &clock);
    enroll(&target).await;
    clock.advance(Duration::from_secs(3539));
    enroll(&target).await;
    clock.advance(Duration::from_secs(1));
    enroll(&target).await;
    let enroll = "POST /api/enroll";
    assert_eq!(neighbour.lines(), ["POST /token", enroll, enroll, "POST /token", enroll]);
    assert_eq!(neighbour.authorizations()[1..3], ["Bearer t1", "Bearer t1"]);
    assert_eq!(neighbour.authorizations()[4], "Bearer t4");
    let asked = neighbour.seen.lock().unwrap()[0].text.clone();
    assert!(asked.ends_with("grant_type=client_credentials&scope=derms%2Fall"), "{asked}");
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_call_repeated() {
    let neighbour = Neighbour::answering(|seen, number| match seen.line.as_str() {
        "POST /token" => answer(200, "", &format!(r#"{{"access_token":"t{number}"}}"#)),
        _ if seen.authorization == "Bearer t3" => answer(200, "", ""),
        _ => answer(401, "", ""),
    })
    .await;
    let target = target(&neighbour, vec![oauth(&neighbour, "s")], &ManualClock::default());
    assert_eq!(enroll(&target).await.status, 200);
    assert_eq!(neighbour.lines(), ["POST /token", "POST /api/enroll", "POST /token", "POST /api/enroll"]);
}

#[tokio::test]
async fn a_refused_client_is_answered_with_401_and_the_issuers_word() {
    let neighbour = Neighbour::answering(|_, _| answer(400, "", r#"{"error":"invalid_client"}"#)).await;
    let target = target(&neighbour, vec![oauth(&neighbour, "s")], &ManualClock::default());
    let refused = enroll(&target).await;
    assert_eq!(refused.status, 401);
    assert!(String::from_utf8_lossy(&refused.body).ends_with("status 400 invalid_client"));
    assert_eq!(neighbour.lines(), ["POST /token"]);
}

#[tokio::test]
async fn a_client_secret_changed_meanwhile_is_read_again() {
    let neighbour = Neighbour::answering(|seen, number| match (seen.line.as_str(), number) {
        ("POST /token", 3) => answer(401, "", ""),
        ("POST /token", _) => answer(200, "", r#"{"access_token":"t","expires_in":100}"#),
        _ => answer(200, "", ""),
    })
    .await;
    let clock = ManualClock::default();
    let target = target(&neighbour, vec![oauth(&neighbour, "old"), oauth(&neighbour, "new")], &clock);
    enroll(&target).await;
    clock.advance(Duration::from_secs(90));
    assert_eq!(enroll(&target).await.status, 200);
    assert_ne!(neighbour.authorizations()[2], neighbour.authorizations()[3]);
}

#[tokio::test]
async fn calls_refused_together_renew_once() {
    let neighbour = Neighbour::answering(|seen, number| match seen.line.as_str() {
        "POST /token" => answer(200, "", &format!(r#"{{"access_token":"t{number}"}}"#)),
        _ if seen.authorization == "Bearer t1" => answer(401, "", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let target = target(&neighbour, vec![oauth(&neighbour, "s")], &ManualClock::default());
    let (first, second, third) = tokio::join!(enroll(&target), enroll(&target), enroll(&target));
    assert_eq!([first.status, second.status, third.status], [200, 200, 200]);
    assert_eq!(neighbour.lines().iter().filter(|line| *line == "POST /token").count(), 2);
}

#[tokio::test]
async fn retry_after_and_at_most_one_mebibyte_come_with_the_answer() {
    let large = "x".repeat(1024 * 1024 + 1);
    let neighbour = Neighbour::answering(move |_, _| answer(429, "retry-after: 7\r\n", &large)).await;
    let target = target(&neighbour, vec![basic("p")], &ManualClock::default());
    let busy = enroll(&target).await;
    assert_eq!((busy.status, busy.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(busy.body.len(), 1024 * 1024);
}

#[tokio::test]
async fn no_answer_in_time_is_transient_and_so_is_a_broken_one() {
    let slow = Neighbour::answering(|_, _| "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned()).await;
    let broken = target(&slow, vec![basic("p")], &ManualClock::default());
    let fault = broken.call(&post(Payload::Empty), PATIENCE).await.unwrap_err();
    assert!(fault.chain().starts_with("calling derms: "), "{}", fault.chain());
    assert!(!fault.chain().contains("/enroll"), "{}", fault.chain());

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: BaseUrl = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let vault = Arc::new(Rotating(Mutex::new(vec![basic("p")])));
    let target = HttpTarget::new("derms", base, vault, Web::default(), Arc::new(ManualClock::default()));
    let fault = target.call(&post(Payload::Empty), Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(fault.chain(), "calling derms, no answer within 50 ms");
}

#[tokio::test]
async fn a_form_is_sent_part_by_part() {
    let neighbour = Neighbour::answering(|_, _| answer(200, "", "")).await;
    let target = target(&neighbour, vec![basic("p")], &ManualClock::default());
    let part = |name, file_name: Option<&str>, content_type, bytes: &'static str| FormPart {
        name,
        file_name: file_name.map(str::to_owned),
        content_type,
        bytes: Bytes::from_static(bytes.as_bytes()),
    };
    let parts = vec![
        part("meta", None, "application/json", r#"{"stage":"s-1"}"#),
        part("file", Some("devices.csv"), "text/csv", "a,b\n1,2\n"),
    ];
    target.call(&post(Payload::Form(parts)), PATIENCE).await.unwrap();
    let seen = neighbour.seen.lock().unwrap()[0].text.clone();
    for line in [
        "Content-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"stage\":\"s-1\"}\r\n",
        "Content-Disposition: form-data; name=\"file\"; filename=\"devices.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n1,2\n\r\n",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
}

#[test]
fn a_base_url_is_http_without_query() {
    for url in ["https://dacs.example/api/", "http://127.0.0.1:8080"] {
        assert!(url.parse::<BaseUrl>().is_ok(), "{url}");
    }
    for url in ["", "dacs.example", "ftp://dacs.example", "https://dacs.example/?x=1", "https://u:p@dacs.example"] {
        assert!(url.parse::<BaseUrl>().is_err(), "{url}");
    }
}
