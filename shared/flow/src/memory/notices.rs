use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::Transient;
use crate::ports::{Notice, Notifier};

/// Keeps what people were told.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    told: Arc<Mutex<Vec<Notice>>>,
}

impl Notices {
    /// Everything so far, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Notice> {
        lock(&self.told).clone()
    }
}

#[async_trait]
impl Notifier for Notices {
    async fn notify(&self, notice: &Notice) -> Result<(), Transient> {
        lock(&self.told).push(notice.clone());
        Ok(())
    }
}
