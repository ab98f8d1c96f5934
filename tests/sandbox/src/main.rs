//! The sandbox as a process: says where it listens, serves until SIGTERM or SIGINT.

use std::io::Write;

use clap::Parser;
use sandbox::{Config, Release};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// DACS, Edge DERMS and OUAI as strict neighbours in one process.
///
/// Prints one JSON line {"listening":"127.0.0.1:PORT"} when ready. DACS answers under /dacs (bearer
/// token from /oauth/token), DERMS under /derms (HTTP Basic), state and faults under /control.
#[derive(Debug, Parser)]
#[command(name = "sandbox")]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// OAuth client id that DACS takes.
    #[arg(long)]
    client_id: String,
    /// OAuth client secret that DACS takes.
    #[arg(long)]
    client_secret: String,
    /// User name that DERMS takes.
    #[arg(long)]
    username: String,
    /// Password that DERMS takes.
    #[arg(long)]
    password: String,
    /// Lifetime of a token in seconds.
    #[arg(long, default_value_t = 3600)]
    token_seconds: u64,
    /// Seed of the fault draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Release of DACS; before 25.10 it has no postAcknowledgement.
    #[arg(long, default_value = "25.10")]
    dacs_release: Release,
    /// DACS takes acknowledgements of sync requests it was not told of before.
    #[arg(long)]
    create_unknown_sync_requests: bool,
    /// Largest CSV part of a device score call, in bytes (contract: 4 MiB, some slack by default).
    #[arg(long, default_value_t = sandbox::SCORE_PART_LIMIT)]
    score_part_limit: usize,
    /// Keep counts and digests of device scores instead of their rows, for very large files.
    #[arg(long)]
    digest: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(&arguments.listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let handle = sandbox::serve(listener, config(arguments))?;
    let mut out = std::io::stdout();
    writeln!(out, "{{\"listening\":\"{}\"}}", handle.address())?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.stop().await
}

fn config(arguments: Arguments) -> Config {
    Config {
        token_seconds: arguments.token_seconds,
        seed: arguments.seed,
        dacs_release: arguments.dacs_release,
        create_unknown_sync_requests: arguments.create_unknown_sync_requests,
        score_part_limit: arguments.score_part_limit,
        digest: arguments.digest,
        ..Config::new((&arguments.client_id, &arguments.client_secret), (&arguments.username, &arguments.password))
    }
}
