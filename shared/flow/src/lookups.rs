//! The domain value maps at run time: re-read without a redeploy, each run pinned to the versions that it began with,
//! and a broken new version refused while the last good one stays in use (contracts.md §7).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::lookups::{Lookups, parse};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Transient;
use crate::ledger::Ledger;
use crate::ports::{Audience, Clock, Key, Notice, Notifier, ObjectRef, Source, Write};

/// How long an instance trusts what it has seen.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// Stands for the version of a lookup that is not in the bucket: the one that ships with the code.
const SHIPPED: &str = "shipped";

/// By lookup name: the version that is used.
pub type Versions = BTreeMap<String, String>;

/// The lookups of one flow.
#[derive(Clone)]
pub struct LookupBook {
    inner: Arc<Inner>,
}

struct Inner {
    flow: &'static str,
    names: &'static [&'static str],
    bucket: String,
    source: Arc<dyn Source>,
    ledger: Ledger,
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    checked: Option<Timestamp>,
    known: Known,
    read: Option<(Versions, Arc<Lookups>)>,
}

/// What the ledger remembers, so that a cold start keeps the last good version too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// In use.
    good: Versions,
    /// Refused versions: people were told.
    refused: BTreeSet<String>,
}

impl LookupBook {
    /// The lookups `names` of `flow`, under `lookups/` in `bucket`.
    #[must_use]
    pub fn new(
        flow: &'static str,
        names: &'static [&'static str],
        (bucket, source): (String, Arc<dyn Source>),
        ledger: Ledger,
        (notifier, clock): (Arc<dyn Notifier>, Arc<dyn Clock>),
    ) -> Self {
        let cache = Mutex::default();
        Self { inner: Arc::new(Inner { flow, names, bucket, source, ledger, notifier, clock, cache }) }
    }

    /// The versions that a run beginning now is pinned to.
    ///
    /// # Errors
    /// [`Transient`] when bucket or ledger do not answer.
    pub async fn current_versions(&self) -> Result<Versions, Transient> {
        let mut cache = self.inner.cache.lock().await;
        let now = self.inner.clock.now();
        if cache.checked.is_none_or(|checked| now.duration_since(checked) > FRESH) {
            self.inner.look(&mut cache).await?;
            cache.checked = Some(now);
        }
        Ok(cache.known.good.clone())
    }

    /// The lookups at `versions`.
    ///
    /// # Errors
    /// [`Transient`] when the bucket does not answer.
    pub async fn at(&self, versions: &Versions) -> Result<Arc<Lookups>, Transient> {
        let mut cache = self.inner.cache.lock().await;
        if let Some((read, lookups)) = &cache.read
            && read == versions
        {
            return Ok(lookups.clone());
        }
        let mut lookups = Lookups::shipped();
        for (name, version) in versions.iter().filter(|(_, version)| *version != SHIPPED) {
            let bytes = self.inner.read(name, version).await?;
            let lookup = parse(name, &bytes).map_err(|e| Transient::because(format!("reading lookup {name}"), e))?;
            lookups.replace(lookup);
        }
        let lookups = Arc::new(lookups);
        cache.read = Some((versions.clone(), lookups.clone()));
        Ok(lookups)
    }

    /// The lookups as of now.
    ///
    /// # Errors
    /// As [`LookupBook::at`].
    pub async fn current(&self) -> Result<Arc<Lookups>, Transient> {
        let versions = self.current_versions().await?;
        self.at(&versions).await
    }
}

impl Inner {
    /// Looks which versions are there, and takes the new ones that can be read.
    async fn look(&self, cache: &mut Cache) -> Result<(), Transient> {
        let key = Key { partition: format!("{}#lookups", self.flow), sort: "lookups".into() };
        let stored = self.ledger.get::<Known>(&key).await?;
        if let Some(stored) = &stored {
            // What another instance has refused, and told people of, is not told again.
            cache.known = stored.value.clone();
        }
        let before = cache.known.clone();
        for name in self.names {
            self.take_newest(name, &mut cache.known).await?;
        }
        if cache.known != before {
            // Should another instance have written meanwhile, it has seen the same versions.
            self.ledger.commit(&[Write::put(key, &cache.known, stored.map(|stored| stored.rev), None)?]).await?;
        }
        Ok(())
    }

    async fn take_newest(&self, name: &str, known: &mut Known) -> Result<(), Transient> {
        let newest = ObjectRef { bucket: self.bucket.clone(), key: object_key(name), version: None };
        let version = match self.source.head(&newest).await? {
            Some(meta) => meta.version.unwrap_or(meta.etag),
            None => SHIPPED.to_owned(),
        };
        let refused = format!("{name}@{version}");
        if known.good.get(name) == Some(&version) || known.refused.contains(&refused) {
            return Ok(());
        }
        if version != SHIPPED
            && let Err(fault) = parse(name, &self.read(name, &version).await?)
        {
            let good = known.good.entry(name.to_owned()).or_insert_with(|| SHIPPED.to_owned());
            let text = format!(
                "Flow: {}\nLookup: {name}\nRefused version: {version}\nReason: {fault}\nStill in use: {good}\n\
                 Mend lookups/{name}.csv in the config bucket; a good version is taken within a minute.\n",
                self.flow
            );
            let subject = format!("Lookup {name}: a broken version was refused");
            self.notifier.notify(&Notice { audience: Audience::Business, subject, text }).await?;
            known.refused.insert(refused);
            return Ok(());
        }
        known.good.insert(name.to_owned(), version);
        Ok(())
    }

    async fn read(&self, name: &str, version: &str) -> Result<Vec<u8>, Transient> {
        let object =
            ObjectRef { bucket: self.bucket.clone(), key: object_key(name), version: Some(version.to_owned()) };
        let mut stream = self.source.read(&object, 0).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|e| Transient::because(format!("reading lookup {name}"), e))?);
        }
        Ok(bytes)
    }
}

fn object_key(name: &str) -> String {
    format!("lookups/{name}.csv")
}
