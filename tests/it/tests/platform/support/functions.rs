//! The deployed functions: their configuration, their roles, and starting them by hand.

use it::repo;
use serde_json::{Value, json};

use super::{Keys, Platform};

impl Platform {
    /// The deployed function's configuration.
    pub async fn function(&self, flow: &str) -> Value {
        self.lambda(flow, reqwest::Method::GET, String::new()).await
    }

    /// Deploys a function with other variables.
    pub async fn set_variables(&self, flow: &str, variables: &Value) {
        let body = json!({"Environment": {"Variables": variables}});
        self.lambda(flow, reqwest::Method::PUT, body.to_string()).await;
    }

    /// Starts a function with its example trigger, as its schedule does, and waits until it has answered.
    pub async fn start(&self, service: &str) {
        let event = repo::text(format!("events/{service}/trigger.json"));
        let function = self.facts["functions"][service].as_str().unwrap();
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.fact("endpoint"));
        let request = self.web.post(url).header("authorization", self.signed("lambda")).body(event);
        let answer = request.send().await.unwrap();
        let (status, fault) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
        assert!(status.is_success() && !fault, "{service}: {status} {}", answer.text().await.unwrap());
    }

    /// Keys with which to act as a function, by its own role.
    pub async fn assume_role_of(&self, flow: &str) -> Keys {
        let function = self.function(flow).await;
        let form = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", function["Role"].as_str().unwrap()),
            ("RoleSessionName", flow),
        ];
        let request = self.web.post(self.fact("endpoint")).header("authorization", self.signed("sts")).form(&form);
        let answer = request.send().await.unwrap().text().await.unwrap();
        let between = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{answer}"));
            rest.split('<').next().unwrap().to_owned()
        };
        let session = Some(between("SessionToken"));
        Keys { id: between("AccessKeyId"), secret: between("SecretAccessKey"), session }
    }

    async fn lambda(&self, flow: &str, method: reqwest::Method, body: String) -> Value {
        let function = self.facts["functions"][flow].as_str().unwrap();
        let url = format!("{}/2015-03-31/functions/{function}/configuration", self.fact("endpoint"));
        let request = self.web.request(method, url).header("authorization", self.signed("lambda")).body(body);
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    /// The root's signature, which the emulator does not check: Lambda and STS need no SDK here.
    fn signed(&self, service: &str) -> String {
        let scope = format!("{}/20260101/us-east-1/{service}/aws4_request", self.root().id);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00")
    }
}
