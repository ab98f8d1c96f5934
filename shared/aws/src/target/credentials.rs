use std::fmt;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use flow::Transient;
use serde::Deserialize;

use crate::Clients;

/// What a neighbour knows us by, as it stands in Secrets Manager:
///
/// ```json
/// {"kind": "oauth", "tokenUrl": "https://…", "clientId": "…", "clientSecret": "…", "scope": "…"}
/// {"kind": "basic", "username": "…", "password": "…"}
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Credentials {
    /// The client credentials grant (RFC 6749 §4.4).
    Oauth {
        /// Where tokens are issued.
        token_url: String,
        /// Our id there.
        client_id: String,
        /// Our secret there.
        client_secret: String,
        /// The scopes asked for, separated by spaces; the issuer's own default when absent.
        scope: Option<String>,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Our name.
        username: String,
        /// Our password.
        password: String,
    },
}

impl Credentials {
    /// Reads the text of a secret. What is wrong is said without repeating anything of it.
    fn read(text: &str) -> Result<Self, &'static str> {
        serde_json::from_str(text).map_err(|_| "it is neither of the two documents that credentials are written as")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Where credentials are kept.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Reads them as they are now.
    ///
    /// # Errors
    /// [`Transient`] when they cannot be read, or are malformed: somebody will mend them.
    async fn credentials(&self) -> Result<Credentials, Transient>;
}

/// One secret of Secrets Manager.
///
/// IAM: `secretsmanager:GetSecretValue` on that secret.
#[derive(Debug, Clone)]
pub struct SecretVault {
    client: Client,
    secret: String,
}

impl SecretVault {
    /// The secret with this name or ARN.
    pub fn new(clients: &Clients, secret: impl Into<String>) -> Self {
        Self { client: clients.secrets.clone(), secret: secret.into() }
    }
}

#[async_trait]
impl Vault for SecretVault {
    async fn credentials(&self) -> Result<Credentials, Transient> {
        let doing = || format!("reading the secret {}", self.secret);
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .send()
            .await
            .map_err(|fault| Transient::because(doing(), fault))?;
        let text = answer.secret_string().ok_or_else(|| Transient::because(doing(), "it is not a text"))?;
        Credentials::read(text).map_err(|wrong| Transient::because(doing(), wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_from_the_secret_of_the_template() {
        let oauth = r#"{"kind":"oauth","tokenUrl":"https://id.example/token","clientId":"platform","clientSecret":"s","scope":"dacs/all"}"#;
        let expected = Credentials::Oauth {
            token_url: "https://id.example/token".to_owned(),
            client_id: "platform".to_owned(),
            client_secret: "s".to_owned(),
            scope: Some("dacs/all".to_owned()),
        };
        assert!(Credentials::read(oauth) == Ok(expected));
        let basic = r#"{"kind":"basic","username":"platform","password":"p"}"#;
        let expected = Credentials::Basic { username: "platform".to_owned(), password: "p".to_owned() };
        assert!(Credentials::read(basic) == Ok(expected));
    }

    #[test]
    fn a_malformed_secret_is_not_repeated_and_credentials_are_never_printed() {
        let wrong = Credentials::read(r#"{"kind":"basic","username":"platform","password":["hunter2"]}"#);
        assert!(!format!("{wrong:?}").contains("hunter2"));
        let right = Credentials::read(r#"{"kind":"basic","username":"platform","password":"hunter2"}"#).unwrap();
        assert_eq!(format!("{right:?}"), "…");
    }
}
