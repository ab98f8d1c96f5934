//! The sandbox as a process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn start(extra: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(["--listen", "127.0.0.1:0"])
        .args(["--client-id", "platform", "--client-secret", "s"])
        .args(["--username", "platform", "--password", "p"])
        .args(extra)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn it_says_in_one_line_where_it_listens_and_stops_when_asked() {
    for signal in ["TERM", "INT"] {
        let mut child = start(&["--digest", "--dacs-release", "25.4"]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let address = said["listening"].as_str().unwrap();
        let books = reqwest::get(format!("http://{address}/control/dacs"));
        let books: Value = books.await.unwrap().json().await.unwrap();
        assert_eq!(books["release"], "25.4");
        let id = child.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(kill.unwrap().success());
        assert!(child.wait().unwrap().success());
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}
