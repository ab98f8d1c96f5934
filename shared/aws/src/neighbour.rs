//! For tests: a small server on 127.0.0.1 that speaks just enough HTTP/1.1.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server saw of a request: `POST /path`, the `Authorization` header, the whole text.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) authorization: String,
    pub(crate) text: String,
}

type Script = dyn Fn(&Seen, usize) -> String + Send + Sync;

pub(crate) struct Neighbour {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    serving: JoinHandle<()>,
}

impl Neighbour {
    /// Answers each request, by its number, with the head lines and body that `script` gives.
    pub(crate) async fn answering(script: impl Fn(&Seen, usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self { url, seen, serving }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.authorization.clone()).collect()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut connection: TcpStream, script: Arc<Script>, kept: Arc<Mutex<Vec<Seen>>>) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !whole(&text) {
        let read = connection.read(&mut buffer).await.unwrap();
        if read == 0 {
            return;
        }
        text.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let header = |name: &str| {
        let found = text.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        found.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let line = text.lines().next().unwrap().rsplit_once(' ').unwrap().0.to_owned();
    let seen = Seen { line, authorization: header("authorization:"), text: text.clone() };
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(seen.clone());
        kept.len()
    };
    let answer = script(&seen, number);
    connection.write_all(answer.as_bytes()).await.unwrap_or_default();
}

fn whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}
