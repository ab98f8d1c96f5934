//! DACS, the program system (contracts.md §4). One file per group of calls.

pub mod device_status;
pub mod enrollments;
pub mod inbox;
mod measurements;
pub mod participations;
pub mod program_events;
pub mod sync_requests;

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post};
use serde_json::{Value, json};

use crate::clock::locked;
use crate::problem::Problem;
use crate::{Config, Release, Shared, json_response};
use device_status::DeviceStatuses;
use enrollments::Enrollments;
use inbox::Inbox;
use participations::Participations;
use program_events::ProgramEvents;
use sync_requests::SyncRequests;

/// "Field invalid", and everything else nobody has a number for: REFUSED (contracts.md §4).
pub const REFUSED: i32 = 20023;

/// What DACS keeps.
#[derive(Debug)]
pub struct Dacs {
    release: Mutex<Release>,
    /// Outbound messages that await their acknowledgement.
    pub sync_requests: SyncRequests,
    /// Files that were delivered to it.
    pub inbox: Inbox,
    /// Program events, each one stage.
    pub program_events: ProgramEvents,
    /// Which devices are reserved for them, and what those did.
    pub participations: Participations,
    /// Requests for enrollments and unenrollments.
    pub enrollments: Enrollments,
    /// Answers to questions whether a device can be reached.
    pub device_statuses: DeviceStatuses,
}

impl Dacs {
    /// An empty DACS.
    pub fn new(config: &Config) -> Self {
        Self {
            release: Mutex::new(config.dacs_release),
            sync_requests: SyncRequests::new(config.create_unknown_sync_requests),
            inbox: Inbox::default(),
            program_events: ProgramEvents::default(),
            participations: Participations::default(),
            enrollments: Enrollments::default(),
            device_statuses: DeviceStatuses::default(),
        }
    }

    /// The books, as `GET /control/dacs` answers them.
    pub fn state(&self) -> Value {
        let mut state = self.sync_requests.state();
        if let Some(fields) = state.as_object_mut() {
            fields.insert("release".to_owned(), json!(self.release().to_string()));
            fields.insert("programEvents".to_owned(), self.program_events.state());
            fields.insert("participations".to_owned(), self.participations.state());
            fields.insert("enrollments".to_owned(), self.enrollments.state());
            fields.insert("deviceStatuses".to_owned(), self.device_statuses.state());
        }
        state
    }

    /// The release it behaves as.
    pub fn release(&self) -> Release {
        *locked(&self.release)
    }

    /// Behaves as `release` from now on.
    pub fn upgrade(&self, release: Release) {
        *locked(&self.release) = release;
    }

    /// Forgets the books; the settings stay.
    pub fn clear(&self) {
        self.sync_requests.clear();
        self.inbox.clear();
        self.program_events.clear();
        self.participations.clear();
        self.enrollments.clear();
        self.device_statuses.clear();
    }
}

/// What DACS answers.
pub fn routes() -> Router<Shared> {
    let events = "/dacs/rest/apis/cross/service/programEvent";
    let enrollments = "/dacs/rest/apis/cross/digitalAssets/programEnrollments";
    Router::new()
        .route("/dacs/health", get(health))
        .route(&format!("{events}/"), post(program_events::create))
        .route(&format!("{events}/lifecycle"), post(program_events::lifecycle))
        .route(&format!("{events}Participation/reserveDevice"), post(participations::reserve))
        .route(&format!("{events}Participation/postEventOutcome"), post(participations::outcomes))
        .route("/dacs/rest/apis/common/sync/syncRequest/{id}", patch(sync_requests::patch))
        .route(&format!("{enrollments}/postAcknowledgement"), post(sync_requests::post_acknowledgement))
        .route(&format!("{enrollments}/enroll"), post(enrollments::enroll))
        .route(&format!("{enrollments}/unenroll"), post(enrollments::unenroll))
        .route("/dacs/rest/apis/cross/digitalAssets/controllableDeviceStatus/response", post(device_status::response))
}

async fn health() -> Response {
    json_response(StatusCode::OK, &json!({"status": "UP"}))
}

/// Refuses a call that this release does not have yet.
pub fn since(sandbox: &Shared, release: Release) -> Result<(), Problem> {
    if sandbox.dacs.release() >= release {
        return Ok(());
    }
    let message = format!("DACS {} has no such call, it came with {release}.", sandbox.dacs.release());
    Err(Problem::new(StatusCode::NOT_FOUND, message))
}

/// `State` spelled once for the handlers of this module.
pub type Books = State<Shared>;
