//! From the environment to the collaborators of a flow: each function reads the variables that its block of the template
//! sets, by the literal names that stand here and there.

use std::sync::Arc;
use std::time::Duration;

use domain::lookups::{System, Target};
use domain::msg_ack::ResponseCode;
use domain::participation::ProgramEventKey;
use domain::sync_request::{DacsRelease, ExceptionCode};
use flow::Transient;
use flow::dead_letters::DeadLetterKit;
use flow::derms_ack::DermsAcks;
use flow::file::{FileKit, FileToFile, Limits, OpenSheet, RejectStore, ToFileFlow};
use flow::ledger::Ledger;
use flow::lookups::LookupBook;
use flow::message::{BodyStore, MessageKit};
use flow::notices::OncePerWindow;
use flow::ports::{Clock, Depot, Notifier, Outlet, Queue, Source, Telemetry};
use flow::stage::{ProgramEvents, Stages};
use flow::status_answers::StatusAnswers;
use flow::sync_ack::SyncRequestAcks;
use flow::target::{Installations, Pacer, TargetClient};
use flow::to_derms::{Derms, SyncCalls};
use flow::watch::{WatchKit, WatchLimits};
use jiff::SignedDuration;

use crate::target::BaseUrl;
use crate::{
    BadVar, Clients, DynamoTable, EmfTelemetry, HttpTarget, S3Depot, S3Outlet, S3Source, SecretVault, SnsNotifier,
    SqsQueue, SystemClock, Vars,
};

/// A call to a neighbour ends after this; twice as long would not fit a message function's minute with its retries.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Builds the collaborators of one function.
pub struct Wiring<'a> {
    vars: &'a Vars,
    clients: &'a Clients,
    flow: &'static str,
    clock: Arc<dyn Clock>,
    ledger: Ledger,
    notifier: Arc<dyn Notifier>,
    publisher: Arc<dyn Notifier>,
}

impl<'a> Wiring<'a> {
    /// For the function of `flow`.
    ///
    /// # Errors
    /// [`BadVar`] for a variable that is missing or malformed; the same for every method here.
    pub fn new(flow: &'static str, vars: &'a Vars, clients: &'a Clients) -> Result<Self, BadVar> {
        let (technical, business) = (vars.text("TECHNICAL_TOPIC_ARN")?, vars.text("BUSINESS_TOPIC_ARN")?);
        let window = SignedDuration::from_mins(vars.number::<u32>("NOTICE_WINDOW_MINUTES")?.into());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ledger = Ledger::new(Arc::new(DynamoTable::new(clients, vars.text("LEDGER_TABLE")?)));
        let publisher: Arc<dyn Notifier> = Arc::new(SnsNotifier::new(clients, technical, business));
        let (inner, owner) = (publisher.clone(), owner(flow, &*clock));
        let notifier = OncePerWindow::new(inner, (ledger.clone(), flow), clock.clone(), window, owner);
        Ok(Self { vars, clients, flow, clock, ledger, notifier: Arc::new(notifier), publisher })
    }

    /// The kit of a file flow that takes its files in order of arrival.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn file_kit(&self, lookups: &'static [&'static str]) -> Result<FileKit, BadVar> {
        Ok(FileKit {
            flow: self.flow,
            in_order: true,
            ledger: self.ledger.clone(),
            source: self.source(),
            rejects: self.rejects()?,
            queue: self.queue()?,
            notifier: self.notifier.clone(),
            telemetry: self.telemetry(),
            clock: self.clock.clone(),
            lookups: self.lookups(lookups)?,
            limits: Limits { retry: self.retry_limit()?, ..Limits::default() },
        })
    }

    /// A file → file flow that understands its header by `open`.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn to_file_flow(&self, lookups: &'static [&'static str], open: OpenSheet) -> Result<ToFileFlow, BadVar> {
        let mut kit = self.file_kit(lookups)?;
        kit.limits.hold_rows = self.vars.number("HOLD_ROWS")?;
        kit.limits.hold_percent = self.vars.number("HOLD_PERCENT")?;
        let inbox = self.vars.text("INBOX_BUCKET")?;
        let outlet = self.outlet(&inbox);
        Ok(ToFileFlow { kit, to_file: FileToFile::into_inbox(open, inbox, outlet) })
    }

    /// The kit of a message flow.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn message_kit(&self, lookups: &'static [&'static str]) -> Result<MessageKit, BadVar> {
        let bucket = self.vars.text("BODIES_BUCKET")?;
        Ok(MessageKit {
            flow: self.flow,
            ledger: self.ledger.clone(),
            bodies: BodyStore { outlet: self.outlet(&bucket), source: self.source(), bucket },
            queue: self.queue()?,
            notifier: self.notifier.clone(),
            telemetry: self.telemetry(),
            clock: self.clock.clone(),
            lookups: self.lookups(lookups)?,
            retry_limit: self.retry_limit()?,
        })
    }

    /// What dead letters are dealt with by; `lookups` has [`flow::sync_ack::LOOKUPS`].
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn dead_letter_kit(&self, lookups: &'static [&'static str]) -> Result<DeadLetterKit, BadVar> {
        let (clients, stack, lookups) = (self.clients.clone(), self.vars.text("STACK")?, self.lookups(lookups)?);
        Ok(DeadLetterKit {
            ledger: self.ledger.clone(),
            notifier: self.notifier.clone(),
            telemetry: self.telemetry(),
            clock: self.clock.clone(),
            queues: Box::new(move |flow| Arc::new(SqsQueue::of_flow(&clients, &stack, flow))),
            acks: self.sync_request_acks(&lookups)?,
            checks: self.status_answers(&lookups)?,
            derms: self.derms_acks()?,
            retry_limit: self.retry_limit()?,
        })
    }

    /// What the duties of `watch` work with.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn watch_kit(&self, lookups: &'static [&'static str]) -> Result<WatchKit, BadVar> {
        let hours = SignedDuration::from_hours(self.vars.number::<u32>("HOLD_LIMIT_HOURS")?.into());
        let derms_ack = SignedDuration::from_mins(self.vars.number::<u32>("DERMS_ACK_LIMIT_MINUTES")?.into());
        let ouai_ack = SignedDuration::from_mins(self.vars.number::<u32>("OUAI_ACK_LIMIT_MINUTES")?.into());
        Ok(WatchKit {
            ledger: self.ledger.clone(),
            notifier: self.notifier.clone(),
            publisher: self.publisher.clone(),
            telemetry: self.telemetry(),
            clock: self.clock.clone(),
            lookups: self.lookups(lookups)?,
            rejects: self.rejects()?,
            limits: WatchLimits { hold: hours, derms_ack, ouai_ack },
        })
    }

    /// The DERMS.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn derms(&self) -> Result<TargetClient, BadVar> {
        let base = self.vars.parsed("DERMS_URL", "an http or https URL")?;
        Ok(self.target(System::Derms, base, self.vars.text("DERMS_SECRET")?, self.vars.number("DERMS_RATE")?))
    }

    /// Acknowledging to the DERMS.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn derms_acks(&self) -> Result<DermsAcks, BadVar> {
        Ok(DermsAcks { derms: self.derms()? })
    }

    /// DACS.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn dacs(&self) -> Result<TargetClient, BadVar> {
        let base = self.vars.parsed("DACS_URL", "an http or https URL")?;
        Ok(self.target(System::Dacs, base, self.vars.text("DACS_SECRET")?, self.vars.number("DACS_RATE")?))
    }

    /// Calls to DACS that one instance makes side by side at most.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn dacs_concurrency(&self) -> Result<usize, BadVar> {
        self.vars.number("DACS_CALLS")
    }

    /// Devices in one call to DACS at most.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn devices_per_call(&self) -> Result<usize, BadVar> {
        self.vars.number("DEVICES_PER_CALL")
    }

    /// By which id DACS knows a stage.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn program_event_key(&self) -> Result<ProgramEventKey, BadVar> {
        self.vars.parsed("PROGRAM_EVENT_KEY", "stage or event")
    }

    /// Acknowledging DACS's sync requests; `lookups` has [`flow::sync_ack::LOOKUPS`].
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn sync_request_acks(&self, lookups: &LookupBook) -> Result<SyncRequestAcks, BadVar> {
        Ok(SyncRequestAcks {
            dacs: self.dacs()?,
            release: self.dacs_release()?,
            exception: self.exception_code()?,
            lookups: lookups.clone(),
        })
    }

    /// Messages to the DERMS; `lookups` has those of the flow's messages.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn to_derms(&self, lookups: &LookupBook) -> Result<Derms, BadVar> {
        Ok(Derms { target: self.derms()?, lookups: lookups.clone() })
    }

    /// The calls of a flow whose messages the DERMS acknowledges; `lookups` has [`flow::sync_ack::LOOKUPS`] and those of the
    /// message.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn sync_calls<M>(&self, lookups: &LookupBook) -> Result<SyncCalls<M>, BadVar> {
        Ok(SyncCalls::new(self.to_derms(lookups)?, self.sync_request_acks(lookups)?))
    }

    /// Answering DACS's status checks; `lookups` has DacsMessages.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn status_answers(&self, lookups: &LookupBook) -> Result<StatusAnswers, BadVar> {
        Ok(StatusAnswers { dacs: self.dacs()?, lookups: lookups.clone() })
    }

    /// Bringing stages through their life in DACS; `lookups` has [`flow::stage::ProgramEvents::LOOKUPS`].
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn stages(&self, lookups: &LookupBook) -> Result<Stages, BadVar> {
        let limits = domain::stage::Limits {
            hold: SignedDuration::from_secs(self.vars.number::<u32>("STATUS_HOLD_SECONDS")?.into()),
            reservation_wait: SignedDuration::from_secs(self.vars.number::<u32>("RESERVATION_WAIT_SECONDS")?.into()),
            supply_after_end: self.vars.parsed("SUPPLY_PREDECESSOR", "true or false")?,
        };
        let program_events =
            ProgramEvents { dacs: self.dacs()?, release: self.dacs_release()?, lookups: lookups.clone() };
        Ok(Stages::new(self.ledger.clone(), self.clock.clone(), program_events, limits))
    }

    /// What a refusal of an event status by DACS is to the DERMS.
    ///
    /// # Errors
    /// [`BadVar`]
    pub fn event_status_refusal(&self) -> Result<ResponseCode, BadVar> {
        self.vars.parsed("EVENT_STATUS_REFUSAL", "ERROR or FAILURE")
    }

    fn dacs_release(&self) -> Result<DacsRelease, BadVar> {
        self.vars.parsed("DACS_RELEASE", "a release such as 25.4")
    }

    fn exception_code(&self) -> Result<ExceptionCode, BadVar> {
        let (name, wanted) = ("DACS_EXCEPTION_NUMBER", "a message number of at most five digits");
        let category = self.vars.parsed("DACS_EXCEPTION_CATEGORY", wanted)?;
        let number = self.vars.parsed(name, wanted)?;
        ExceptionCode::new(category, number).map_err(|_| BadVar::Malformed { name, wanted })
    }

    /// The neighbour that the variables describe, and those of the lookup Targets (IAM: `target#<system>*` in the ledger, and
    /// secrets that begin with the parameter `TargetSecrets` and the system).
    fn target(&self, system: System, base: BaseUrl, secret: String, rate: u32) -> TargetClient {
        let dial = Dial {
            clients: self.clients.clone(),
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
            notifier: self.notifier.clone(),
            owner: owner(self.flow, &*self.clock),
        };
        let (name, ledger) = (system.as_str(), self.ledger.clone());
        let default = dial.client(name, (system, name), (base, secret), rate);
        let connect = move |target: &Target| {
            let base: BaseUrl =
                target.url.parse().map_err(|fault| Transient::because("reading lookup Targets", fault))?;
            let rate_key = format!("{name}#{}", target.name);
            Ok(dial.client(&target.name, (system, &rate_key), (base, target.secret.clone()), target.rate))
        };
        default.beside(Installations::new(ledger, Box::new(connect)))
    }

    fn lookups(&self, names: &'static [&'static str]) -> Result<LookupBook, BadVar> {
        let config = (self.vars.text("CONFIG_BUCKET")?, self.source());
        let ports = (self.notifier.clone(), self.clock.clone());
        Ok(LookupBook::new(self.flow, names, config, self.ledger.clone(), ports))
    }

    fn retry_limit(&self) -> Result<SignedDuration, BadVar> {
        Ok(SignedDuration::from_hours(self.vars.number::<u32>("RETRY_LIMIT_HOURS")?.into()))
    }

    /// A bucket through which others bring and fetch objects.
    #[must_use]
    pub fn depot(&self, bucket: &str) -> Arc<dyn Depot> {
        Arc::new(S3Depot::new(self.clients, bucket, self.clock.clone()))
    }

    /// Reads from the buckets that the role allows.
    #[must_use]
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::new(S3Source::new(self.clients))
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Time.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn rejects(&self) -> Result<RejectStore, BadVar> {
        let bucket = self.vars.text("REJECTS_BUCKET")?;
        Ok(RejectStore { outlet: self.outlet(&bucket), source: self.source(), bucket })
    }

    fn outlet(&self, bucket: &str) -> Arc<dyn Outlet> {
        Arc::new(S3Outlet::new(self.clients, bucket))
    }

    fn queue(&self) -> Result<Arc<dyn Queue>, BadVar> {
        Ok(Arc::new(SqsQueue::new(self.clients, self.vars.text("QUEUE_URL")?)))
    }

    /// Log line and metrics.
    #[must_use]
    pub fn telemetry(&self) -> Arc<dyn Telemetry> {
        Arc::new(EmfTelemetry::stdout(self.clock.clone()))
    }
}

/// Makes clients of neighbours.
struct Dial {
    clients: Clients,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    notifier: Arc<dyn Notifier>,
    owner: String,
}

impl Dial {
    /// The installation `name` of a system, whose rate is kept under `rate_key`.
    fn client(
        &self,
        name: &str,
        (system, rate_key): (System, &str),
        (base, secret): (BaseUrl, String),
        rate: u32,
    ) -> TargetClient {
        let vault = Arc::new(SecretVault::new(&self.clients, secret));
        let http = HttpTarget::new(system.as_str(), base, vault, self.clients.web.clone(), self.clock.clone());
        let pacer = Pacer::new(self.ledger.clone(), rate_key, rate, self.owner.clone());
        let ports = (self.clock.clone(), self.notifier.clone());
        TargetClient::new(name, Arc::new(http), pacer, ports, CALL_TIMEOUT)
    }
}

/// Unique to this process: two writers of one item never look alike.
fn owner(flow: &str, clock: &dyn Clock) -> String {
    format!("{flow}#{}#{}", std::process::id(), clock.now())
}
