use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Transient;

/// Who is told: the two kinds of error have two kinds of reader (domain.md, "Words").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// Those who keep the machinery running.
    Technical,
    /// Those who own the data.
    Business,
}

/// A message for people. It names files, runs and counts, never a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Who is told.
    pub audience: Audience,
    /// One line, at most 100 ASCII characters (SNS's limit for e-mail subjects).
    pub subject: String,
    /// The text: what happened, where it is, what to do.
    pub text: String,
}

/// Tells people.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Publishes `notice`.
    ///
    /// # Errors
    /// [`Transient`] when it could not be handed over.
    async fn notify(&self, notice: &Notice) -> Result<(), Transient>;
}
