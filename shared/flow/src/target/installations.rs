//! Several installations of a neighbour (contracts.md §7): the lookup Targets says where each is, Routing what is for which.
//!
//! The stack's parameters describe one. While Targets is empty it is the only one, and nothing is read or written here.
//!
//! **What has gone to an installation stays with it.** The choice is written down before the first call. Whoever delivers the
//! same attempt again finds it there, whatever Routing says by then, and whoever brings an acknowledgement finds where its
//! message went. An attempt of its own, with a corrected message, is chosen for anew.
//!
//! ```text
//! route#<flow>#<message>   route   { attempt, target }
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::lookups::{Lookups, Miss, Target};
use serde::{Deserialize, Serialize};

use super::TargetClient;
use crate::ledger::message::REMEMBERED;
use crate::ledger::{Committed, Ledger};
use crate::ports::{Key, Write};
use crate::{Failure, Rejected, Transient};

/// Makes the client of an installation.
pub type Connect = dyn Fn(&Target) -> Result<TargetClient, Transient> + Send + Sync;

/// The lookups that routing needs.
pub const LOOKUPS: &[&str] = &["Routing", "Targets"];

/// The installations of a neighbour beside the one that the stack's parameters describe.
pub struct Installations {
    connect: Box<Connect>,
    ledger: Ledger,
    /// Those that were called, each with the row that it was made of.
    known: Mutex<BTreeMap<String, (Target, TargetClient)>>,
}

impl Installations {
    /// Those that `connect` makes; where messages went is kept in `ledger`.
    #[must_use]
    pub fn new(ledger: Ledger, connect: Box<Connect>) -> Self {
        Self { connect, ledger, known: Mutex::default() }
    }

    fn client(&self, target: &Target) -> Result<TargetClient, Transient> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((row, client)) = known.get(&target.name)
            && row == target
        {
            return Ok(client.clone());
        }
        let client = (self.connect)(target)?;
        known.insert(target.name.clone(), (target.clone(), client.clone()));
        Ok(client)
    }
}

/// What is routed: a message of a flow, in one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// The flow, or what else it is.
    pub flow: &'a str,
    /// The message's key.
    pub key: &'a str,
    /// Names the attempt.
    pub attempt: &'a str,
}

impl Routed<'_> {
    fn place(flow: &str, key: &str) -> Key {
        Key { partition: format!("route#{flow}#{key}"), sort: "route".into() }
    }
}

/// Where a message went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Route {
    attempt: String,
    target: String,
}

impl TargetClient {
    /// The installation called `name`: by Targets, or, by the neighbour's own name, the one that the parameters describe.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when there is none.
    pub fn installation(&self, name: &str, lookups: &Lookups) -> Result<Self, Failure> {
        let Some(target) = lookups.target(name) else {
            let is_ours = name == &*self.name;
            let missing = || Rejected::new(name, Miss::new("Targets", name).to_string());
            return if is_ours { Ok(self.clone()) } else { Err(missing().into()) };
        };
        if target.kind.as_str() != &*self.name {
            let reason = format!("lookup Targets: \"{name}\" is no {}", self.name);
            return Err(Rejected::new(name, reason).into());
        }
        let installations = self.installations.as_ref();
        let installations = installations.ok_or_else(|| Transient::new(format!("{name} is not reached from here")))?;
        Ok(installations.client(target)?.within(self.timeout))
    }

    /// The installations beside this one, if there are any by `lookups`.
    pub(super) fn several(&self, lookups: &Lookups) -> Option<&Installations> {
        self.installations.as_deref().filter(|_| lookups.has_targets())
    }

    /// The installation that `choose` names, or the one that this attempt went to before.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the lookups have none.
    pub async fn routed(
        &self,
        routed: Routed<'_>,
        lookups: &Lookups,
        choose: impl for<'l> FnOnce(&'l Lookups) -> Result<&'l str, Miss>,
    ) -> Result<Self, Failure> {
        let choose = || choose(lookups).map_err(|miss| Rejected::new(routed.key, miss.to_string()));
        let Some(installations) = self.several(lookups) else {
            return self.installation(choose()?, lookups);
        };
        let (ledger, place) = (&installations.ledger, Routed::place(routed.flow, routed.key));
        let known = ledger.get::<Route>(&place).await?;
        if let Some(route) = known.as_ref().filter(|route| route.value.attempt == routed.attempt) {
            return self.installation(&route.value.target, lookups);
        }
        let chosen = self.installation(choose()?, lookups)?;
        let route = Route { attempt: routed.attempt.to_owned(), target: chosen.name.to_string() };
        let expires = self.clock.now().checked_add(REMEMBERED).ok();
        let write = Write::put(place, &route, known.map(|known| known.rev), expires)?;
        match ledger.commit(&[write]).await? {
            Committed::Yes => Ok(chosen),
            Committed::LostRace => Err(Transient::new("another invocation chose the way of the same message").into()),
        }
    }

    /// Which installation message `key` of `flow` went to, if there are several and it has gone.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn went_to(&self, flow: &str, key: &str, lookups: &Lookups) -> Result<Option<String>, Transient> {
        let Some(installations) = self.several(lookups) else {
            return Ok(None);
        };
        let route = installations.ledger.get::<Route>(&Routed::place(flow, key)).await?;
        Ok(route.map(|route| route.value.target))
    }
}
