//! The measurements, one module each, and what all of them stand on.

pub mod cold;
pub mod cost;
pub mod files;
pub mod idle;
pub mod kills;
pub mod library;
pub mod messages;
pub mod rate;
pub mod zip;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use sandbox::{Config, Handle};
use serde_json::json;
use tokio::net::TcpListener;

use crate::Fault;
use crate::aws::{Aws, Stored, locked};
use crate::function::{Binaries, Surroundings};
use crate::server::Server;
use crate::targets::Targets;

/// What is measured, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The functions.
    pub binaries: Binaries,
    /// This program, to be started again for a plain read.
    pub bench: PathBuf,
    /// The size of the large files, in bytes.
    pub size: u64,
    /// How often each thing is measured.
    pub rounds: usize,
    /// How many cold starts.
    pub starts: usize,
    /// How often the function of a large file is killed.
    pub kills: u64,
    /// How many messages.
    pub messages: u64,
    /// Of which flows; all of them, if none is named.
    pub flows: Vec<String>,
    /// Records of the files that are held to a rate.
    pub records: u64,
    /// The same in simulated time.
    pub simulated: u64,
    /// How long a file function may take, as in the template; what was killed is given again after this and ten seconds.
    pub timeout: Duration,
    /// What was killed is given again at once under the same request id, as a repeated asynchronous invocation has it:
    /// no lease has to run out.
    pub retry_at_once: bool,
    /// Whether progress is shown.
    pub shows_progress: bool,
}

impl Setup {
    /// A bar of `steps`.
    #[must_use]
    pub fn progress(&self, what: &'static str, steps: u64) -> ProgressBar {
        if !self.shows_progress {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg:<24} {wide_bar} {pos}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(steps).with_style(style).with_message(what)
    }
}

/// The world around a function.
pub struct Stage {
    /// AWS.
    pub aws: Arc<Aws>,
    /// What the function is told of it.
    pub surroundings: Surroundings,
    /// DERMS and DACS that cost nothing, unless the sandbox plays.
    pub targets: Option<Targets>,
    /// The sandbox, where books matter.
    pub sandbox: Option<Handle>,
    _server: Server,
}

impl Stage {
    /// With neighbours that answer after `after` and keep nothing.
    ///
    /// # Errors
    /// When a stub cannot be started.
    pub async fn with_targets(after: Duration) -> Result<Self, Fault> {
        let targets = Targets::start(after).await?;
        let url = targets.server.url();
        Self::new(&url, Some(targets), None).await
    }

    /// With the sandbox, which keeps digests of device scores.
    ///
    /// # Errors
    /// When a stub cannot be started.
    pub async fn with_sandbox() -> Result<Self, Fault> {
        let config = Config { digest: true, ..Config::new(("bench", "bench"), ("bench", "bench")) };
        let sandbox = sandbox::serve(TcpListener::bind("127.0.0.1:0").await?, config)?;
        let url = sandbox.url();
        Self::new(&url, None, Some(sandbox)).await
    }

    async fn new(neighbours: &str, targets: Option<Targets>, sandbox: Option<Handle>) -> Result<Self, Fault> {
        let aws = Arc::new(Aws::default());
        aws.set_secret("derms", &json!({ "kind": "basic", "username": "bench", "password": "bench" }).to_string());
        let token_url = format!("{neighbours}/oauth/token");
        let dacs = json!({ "kind": "oauth", "tokenUrl": token_url, "clientId": "bench", "clientSecret": "bench" });
        aws.set_secret("dacs", &dacs.to_string());
        give_lookups(&aws)?;
        let program = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";
        locked(&aws.objects).give("config", "lookups/Program.csv", Stored::Held(program.into()));
        let types = "key,value\nTHERMOSTAT,THERMOSTAT\n";
        locked(&aws.objects).give("config", "lookups/AssetType.csv", Stored::Held(types.into()));
        locked(&aws.objects).digest_only("dacs-inbox");
        let server = aws.start().await?;
        let surroundings = Surroundings {
            aws: server.url(),
            derms: format!("{neighbours}/derms"),
            dacs: format!("{neighbours}/dacs"),
            rate: 50,
            calls: 10,
        };
        Ok(Self { aws, surroundings, targets, sandbox, _server: server })
    }

    /// Puts an object where functions read.
    #[must_use]
    pub fn give(&self, bucket: &str, key: &str, stored: Stored) -> String {
        locked(&self.aws.objects).give(bucket, key, stored)
    }
}

/// The lookups of the repository, as a deployment puts them into the config bucket.
fn give_lookups(aws: &Aws) -> Result<(), Fault> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/lookups");
    for file in fs::read_dir(&folder)? {
        let file = file?;
        let key = format!("lookups/{}", file.file_name().to_string_lossy());
        let bytes = Bytes::from(fs::read(file.path())?);
        locked(&aws.objects).give("config", &key, Stored::Held(bytes));
    }
    Ok(())
}
