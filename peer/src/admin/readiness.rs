//! Whether a node is ready to serve, and if not, what it waits for.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The named conditions that must hold before a node is ready. Clones share them.
///
/// The lock is a short one and never held across a wait.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// Why each condition does not hold; `None` where it does.
    conditions: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

/// One condition, for the part of the node that it is about.
#[derive(Clone, Debug)]
pub struct Condition {
    name: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// Adds a condition, which does not hold yet.
    pub fn condition(&self, name: &'static str) -> Condition {
        self.set(name, Some("starting".into()));
        Condition { name, readiness: self.clone() }
    }

    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Option::is_none)
    }

    fn set(&self, name: &'static str, waiting_for: Option<String>) {
        self.lock().insert(name, waiting_for);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        // One insert can't leave the map half changed, so it is as good after a panic elsewhere.
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.lock();
        for (name, waiting_for) in conditions.iter() {
            match waiting_for {
                None => writeln!(f, "ok   {name}")?,
                Some(why) => writeln!(f, "wait {name}: {why}")?,
            }
        }
        let ready = conditions.values().all(Option::is_none);
        writeln!(f, "{}", if ready { "ready" } else { "not ready" })
    }
}

impl Condition {
    /// The condition holds now.
    pub fn holds(&self) {
        self.readiness.set(self.name, None);
    }

    /// The condition does not hold, and why.
    pub fn waits(&self, why: impl Into<String>) {
        self.readiness.set(self.name, Some(why.into()));
    }
}
