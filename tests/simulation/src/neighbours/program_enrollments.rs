use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use flow::ports::Answer;
use serde_json::{Value, json};

use crate::engine::Shared;
use crate::ports::plain;

/// A request about a device of this NIC id is one that DACS refuses.
pub const REFUSED_ASSET: &str = "nic-refused";

/// DACS's enrollments.
pub struct Enrollments {
    shared: Shared,
    /// By transaction: the call and the id that it got.
    taken: Mutex<BTreeMap<String, (String, String)>>,
}

impl Enrollments {
    /// None yet.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, taken: Mutex::default() }
    }

    /// The id that DACS gave to a request.
    #[must_use]
    pub fn taken(&self, transaction: &str) -> Option<String> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.get(transaction).map(|(_, id)| id.clone())
    }

    /// `enroll` and `unenroll` → 10589 on repeat; business errors come with 200 or 400.
    pub(super) fn enroll(&self, path: &str, body: &Value) -> Answer {
        let transaction = body.get("transactionId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let status = if self.shared.lock().dice.chance(50) { 200 } else { 400 };
        let error = |number: u32, message: &str| {
            let body = json!({ "status": "VAL-ERROR", "messageNumber": number, "message": message });
            plain(status, &body.to_string())
        };
        if body.to_string().contains(REFUSED_ASSET) {
            return error(20021, "the device is not known");
        }
        let said = format!("{path} {body}");
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, _)) = taken.get(&transaction) {
            if *before != said {
                self.shared.lock().violated(format!("DACS was sent request {transaction} again with other content"));
            }
            return error(10589, "this request exists");
        }
        let id = format!("EN-{transaction}");
        taken.insert(transaction, (said, id.clone()));
        plain(200, &json!({ "enrollmentId": id, "status": "PENDING" }).to_string())
    }
}
