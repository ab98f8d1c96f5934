//! A server on a free port of 127.0.0.1.

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Fault;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// `127.0.0.1:port`.
    pub address: String,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves `router`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(router: Router) -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        // Without it small answers wait for the peer's delayed acknowledgement; a stream that left already is well.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
        let serving = tokio::spawn(async move {
            // It ends with its task; accepting does not fail.
            axum::serve(listener, router).await.unwrap_or_default();
        });
        Ok(Self { address, serving })
    }

    /// `http://` and the address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
