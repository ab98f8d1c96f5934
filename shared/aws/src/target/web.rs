use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flow::Transient;
use reqwest::Client;
use reqwest::redirect::Policy;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than servers and load balancers usually do, so that a call does not go
/// into one that is being closed.
const IDLE: Duration = Duration::from_secs(20);

/// The HTTP client for neighbours, one pool for all of them. It is built at its first call, because it then reads the
/// root certificates: a function that makes no call should not pay for them.
#[derive(Debug, Clone, Default)]
pub struct Web(Arc<OnceLock<Client>>);

impl Web {
    /// # Errors
    /// [`Transient`] when it cannot be built, for example without root certificates.
    pub(crate) fn client(&self) -> Result<&Client, Transient> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let built = Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            // A redirect is an answer like another: credentials do not follow it elsewhere.
            .redirect(Policy::none())
            .user_agent(concat!("demand-response/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|fault| Transient::because("building the HTTP client", fault))?;
        Ok(self.0.get_or_init(|| built))
    }
}
