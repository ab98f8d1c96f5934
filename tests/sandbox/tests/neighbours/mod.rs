//! A started sandbox and the two credentials its callers need.
#![allow(dead_code, reason = "each test file uses its part of it")]

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use sandbox::{Config, Handle};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub struct Neighbours {
    pub handle: Handle,
    pub http: Client,
    pub token: String,
}

pub fn config() -> Config {
    Config::new(("platform", "client-secret"), ("platform", "password"))
}

pub async fn start() -> Neighbours {
    start_with(config()).await
}

pub async fn start_with(config: Config) -> Neighbours {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handle = sandbox::serve(listener, config).unwrap();
    let mut neighbours = Neighbours { handle, http: Client::new(), token: String::new() };
    neighbours.renew().await;
    neighbours
}

impl Neighbours {
    pub async fn renew(&mut self) {
        let answer = self
            .http
            .post(format!("{}/oauth/token", self.handle.url()))
            .basic_auth("platform", Some("client-secret"))
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await
            .unwrap();
        let body: Value = answer.json().await.unwrap();
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.handle.url())
    }

    pub fn as_dacs(&self, call: RequestBuilder) -> RequestBuilder {
        call.bearer_auth(&self.token)
    }

    pub fn as_derms(&self, call: RequestBuilder) -> RequestBuilder {
        call.basic_auth("platform", Some("password"))
    }

    pub async fn health(&self) -> reqwest::Result<Response> {
        let call = self.http.get(self.url("/dacs/health"));
        self.as_dacs(call).send().await
    }

    pub async fn patch(&self, id: &str, body: &Value) -> (u16, Value) {
        let path = format!("/dacs/rest/apis/common/sync/syncRequest/{id}");
        let call = self.http.patch(self.url(&path)).json(body);
        read(self.as_dacs(call).send().await.unwrap()).await
    }

    pub async fn post_acknowledgement(&self, body: &Value) -> (u16, Value) {
        let path = "/dacs/rest/apis/cross/digitalAssets/programEnrollments/postAcknowledgement";
        let call = self.http.post(self.url(path)).json(body);
        read(self.as_dacs(call).send().await.unwrap()).await
    }

    pub async fn enroll(&self, body: &Value) -> (u16, Value) {
        let call = self.http.post(self.url("/derms/enroll")).json(body);
        read(self.as_derms(call).send().await.unwrap()).await
    }

    pub async fn ack(&self, body: &Value) -> (u16, Value) {
        let call = self.http.post(self.url("/derms/acks")).json(body);
        read(self.as_derms(call).send().await.unwrap()).await
    }

    pub async fn scores(&self, file: &str, part: u64, last: bool, csv: String) -> (u16, Value) {
        let envelope = json!({"scoreFileId": file, "part": part, "last": last});
        let form = Form::new()
            .part("envelope", Part::text(envelope.to_string()).mime_str("application/json").unwrap())
            .part("scores", Part::text(csv).mime_str("text/csv").unwrap());
        let call = self.http.post(self.url("/derms/device_scores"));
        read(self.as_derms(call).multipart(form).send().await.unwrap()).await
    }

    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let call = self.http.post(self.url(&format!("/control/{path}")));
        let (status, answer) = read(call.json(body).send().await.unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn set(&self, path: &str, body: &Value) -> Value {
        let call = self.http.put(self.url(&format!("/control/{path}")));
        let (status, answer) = read(call.json(body).send().await.unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn books(&self, path: &str) -> Value {
        let call = self.http.get(self.url(&format!("/control/{path}")));
        let (status, answer) = read(call.send().await.unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn fault(&self, rule: &Value) -> Value {
        self.control("faults", rule).await
    }
}

pub async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The fields that a problem document names.
pub fn named(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array();
    errors.map(|list| list.iter().filter_map(|it| it["field"].as_str()).collect()).unwrap_or_default()
}
