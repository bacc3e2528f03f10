//! The configuration in force, and the outcome of the last attempts to change it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::config::Config;

/// The configuration in force, for code that runs after the start.
#[derive(Debug)]
pub(super) struct ConfigRecord {
    current: ArcSwap<Config>,
    reloads: Mutex<ConfigReloads>,
}

/// The outcome of the last attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigReloads {
    /// When the current configuration came into force.
    pub(super) applied: Timestamp,
    /// How many configurations came into force, the first one included.
    pub(super) successes: u64,
    /// How many were refused.
    pub(super) failures: u64,
    /// Why the present file is refused, if it is.
    pub(super) failing: Option<FailingConfig>,
    /// The changed keys that wait for a restart.
    pub(super) restart_required: Vec<&'static str>,
}

/// Why the present file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailingConfig {
    /// When that was first noticed.
    pub(super) since: Timestamp,
    /// One line for each finding.
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

    /// The outcome of the last attempts.
    pub(super) fn reloads(&self) -> ConfigReloads {
        self.locked().clone()
    }

    /// Records that a configuration came into force, except for these keys.
    pub(super) fn applied(&self, config: Config, restart: Vec<&'static str>, now: Timestamp) {
        self.current.store(Arc::new(config));
        let mut reloads = self.locked();
        reloads.restart_required = restart;
        succeed(&mut reloads, now);
    }

    /// Records that the file again holds the configuration in force.
    pub(super) fn confirmed(&self, now: Timestamp) {
        succeed(&mut self.locked(), now);
    }

    /// Records a refused configuration.
    pub(super) fn refused(&self, lines: Vec<String>, now: Timestamp) {
        let mut reloads = self.locked();
        reloads.failures = reloads.failures.saturating_add(1);
        // Another fault is not as old as the one before it.
        let same = reloads.failing.as_ref();
        let same = same.filter(|failing| failing.lines == lines);
        let since = same.map_or(now, |failing| failing.since);
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
