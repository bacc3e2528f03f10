//! The configuration in force, and what became of the last attempts to put one in force.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::config::Config;

/// The configuration in force, for everybody who looks at it later than at the start.
#[derive(Debug)]
pub(super) struct ConfigRecord {
    current: ArcSwap<Config>,
    reloads: Mutex<ConfigReloads>,
}

/// What became of the last attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigReloads {
    /// Since when the one in force is.
    pub(super) applied: Timestamp,
    /// How many were put in force, the first one included.
    pub(super) successes: u64,
    /// How many could not be.
    pub(super) failures: u64,
    /// The failure that the file in place still has.
    pub(super) failing: Option<FailingConfig>,
    /// The keys that the file sets otherwise than the process has them, until it is started again.
    pub(super) restart_required: Vec<&'static str>,
}

/// The file in place cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailingConfig {
    /// When that was first noticed.
    pub(super) since: Timestamp,
    /// One line for each thing that is wrong.
    pub(super) lines: Vec<String>,
}

impl ConfigRecord {
    /// The first configuration of the process.
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        ConfigRecord {
            current: ArcSwap::from_pointee(config),
            reloads: Mutex::new(ConfigReloads {
                applied: now,
                successes: 1,
                failures: 0,
                failing: None,
                restart_required: Vec::new(),
            }),
        }
    }

    /// The configuration in force at this moment.
    pub(super) fn current(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// What became of the last attempts.
    pub(super) fn reloads(&self) -> ConfigReloads {
        self.locked().clone()
    }

    /// Takes note of a configuration that is in force now, of which these keys are not.
    pub(super) fn applied(&self, config: Config, restart: Vec<&'static str>, now: Timestamp) {
        self.current.store(Arc::new(config));
        let mut reloads = self.locked();
        reloads.restart_required = restart;
        succeed(&mut reloads, now);
    }

    /// Takes note that the file says again what is in force.
    pub(super) fn confirmed(&self, now: Timestamp) {
        succeed(&mut self.locked(), now);
    }

    /// Takes note of one that cannot be used.
    pub(super) fn refused(&self, lines: Vec<String>, now: Timestamp) {
        let mut reloads = self.locked();
        reloads.failures = reloads.failures.saturating_add(1);
        let since = reloads
            .failing
            .as_ref()
            .map_or(now, |failing| failing.since);
        reloads.failing = Some(FailingConfig { since, lines });
    }

    fn locked(&self) -> MutexGuard<'_, ConfigReloads> {
        // It is whole after every step, so a panic elsewhere did not spoil it.
        self.reloads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn succeed(reloads: &mut ConfigReloads, now: Timestamp) {
    reloads.applied = now;
    reloads.successes = reloads.successes.saturating_add(1);
    reloads.failing = None;
}
