//! The policy in force: compiled, tested, kept, and replaced as a whole.

mod candidate;
mod kept;
mod status;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use super::context::CompileContext;
use super::difference::Surroundings;
use super::files::ReadPolicyError;
use super::found::{FoundPolicy, PolicyState};
use super::good::Good;
use super::last_good::{LastGood, TooOld};
use super::load_error::LoadPolicyError;
use super::settle::{Settled, SettledTeam, Settling};
use super::teams::{PolicyPlaces, TeamState};
use super::testing::ToolDefaults;
use crate::authz::{Policy, TrustedHints};
use crate::file::{self, START_TIME_MAX};

pub use status::{FailingPolicy, LastGoodStatus, ReloadStatus, TeamStatus};

/// The policy in force.
#[derive(Debug)]
pub struct PolicyStore {
    pub(super) places: PolicyPlaces,
    context: CompileContext,
    /// The hints for compiling and testing policies, which may differ from those of the context.
    hints: ArcSwap<TrustedHints>,
    /// The same for the defaults of arguments in tests.
    defaults: ArcSwap<ToolDefaults>,
    /// The files when the store was opened, so that a change since then is noticed.
    pub(super) opened: FoundPolicy,
    /// None where a candidate could not be used so far.
    current: ArcSwapOption<Policy>,
    /// The state of the files that the policy in force was compiled from.
    in_force: ArcSwap<PolicyState>,
    /// What each owner's files fall back to.
    good: Mutex<Good>,
    /// Where that is kept for the next start.
    last_good: Option<LastGood>,
    status: Mutex<ReloadStatus>,
}

/// How the attempts before a store were counted, and what was in force.
#[derive(Default)]
struct Before {
    successes: u64,
    failures: u64,
    good: Good,
    too_old: TooOld,
    teams: Vec<TeamStatus>,
}

impl PolicyStore {
    /// Reads and compiles a policy: a file, a directory or a glob, and the files of teams. If it cannot
    /// be used, the last good one that was kept on disk is taken, where it may be.
    ///
    /// # Errors
    /// If there is no usable policy to begin with.
    pub fn open(
        places: impl Into<PolicyPlaces>,
        context: CompileContext,
        now: Timestamp,
    ) -> Result<Self, LoadPolicyError> {
        let places = places.into();
        let looked = places.clone();
        let found = file::within(START_TIME_MAX, move || FoundPolicy::read(&looked));
        let found = found.unwrap_or_else(|cause| {
            let error = ReadPolicyError::of(&places.path, cause);
            FoundPolicy::unread(&places, error)
        });
        let mut before = Before::default();
        let last_good = places.last_good.clone().map(|settings| {
            let (last_good, good, too_old) = LastGood::open(settings, &places.path, now);
            before.good = good;
            before.too_old = too_old;
            last_good
        });
        let kept = AtomicBool::new(false);
        let store = Self::first((places, context), found, last_good, before, now, &kept)?;
        store.keep();
        Ok(store)
    }

    /// The policy, as its files were found, compiled against another configuration than that of
    /// this store. Its reloads are counted on from those of this one, which stays as it is, on disk
    /// too: [`PolicyStore::keep`] is for when the new one comes into force. `is_replaced` is queried
    /// between tests.
    ///
    /// # Errors
    /// When it cannot be used with that configuration, or is abandoned.
    pub fn next(
        &self,
        places: impl Into<PolicyPlaces>,
        context: CompileContext,
        found: FoundPolicy,
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<Self, LoadPolicyError> {
        let places = places.into();
        let status = self.status();
        // Global files that cannot be used refuse the configuration, which stays as it was.
        let good = Good {
            global: None,
            teams: self.good().teams.clone(),
        };
        let before = Before {
            successes: status.successes,
            failures: status.failures,
            good,
            too_old: TooOld::default(),
            teams: status.teams,
        };
        let last_good = places.last_good.clone();
        let last_good = last_good.map(|settings| LastGood::at(settings, &places.path));
        Self::first(
            (places, context),
            found,
            last_good,
            before,
            now,
            is_replaced,
        )
    }

    /// Whether it is of these files in this state, and compiled against this context.
    #[must_use]
    pub fn is_of(
        &self,
        places: &PolicyPlaces,
        context: &CompileContext,
        found: &FoundPolicy,
    ) -> bool {
        let own = CompileContext {
            hints: self.hints.load_full(),
            defaults: self.defaults.load_full(),
            ..self.context.clone()
        };
        self.places == *places && own == *context && **self.in_force.load() == found.state()
    }

    /// A store of a policy, after what was before it.
    fn first(
        (places, context): (PolicyPlaces, CompileContext),
        found: FoundPolicy,
        last_good: Option<LastGood>,
        before: Before,
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<Self, LoadPolicyError> {
        let settling = Settling {
            places: &places,
            context: &context,
            is_replaced,
            now,
        };
        let settled = settling.settle(&found, &before.good);
        let settled = settled.inspect_err(|_| before.too_old.tell(None))?;
        let is_denied = |team: &&SettledTeam| team.state == TeamState::Denied;
        for team in settled.teams.iter().filter(is_denied) {
            before.too_old.tell(Some(&team.name));
        }
        let mut status = ReloadStatus {
            revision: Arc::clone(settled.policy.revision()),
            applied: now,
            successes: before.successes.saturating_add(1),
            failures: before.failures,
            failing: None,
            teams: before.teams,
            last_good: LastGoodStatus::default(),
        };
        let Settled {
            policy,
            good,
            refused,
            teams,
        } = settled;
        status.take_teams(&teams, now);
        let in_force = state_in_force(&found, refused.as_ref());
        if let Some(error) = refused {
            let confirmed = before.good.global.map(|last| last.confirmed);
            status.restore(&error, confirmed, now);
        }
        Ok(PolicyStore {
            hints: ArcSwap::new(Arc::clone(&context.hints)),
            defaults: ArcSwap::new(Arc::clone(&context.defaults)),
            places,
            context,
            opened: found,
            current: ArcSwapOption::from_pointee(policy),
            in_force: ArcSwap::from_pointee(in_force),
            good: Mutex::new(good),
            last_good,
            status: Mutex::new(status),
        })
    }

    /// What the policy is called in the configuration.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.places.key()
    }

    /// The policy in force at this moment; one that denies everything where a candidate could not be
    /// used so far.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Policy> {
        self.usable().unwrap_or_default()
    }

    /// The same; `None` where a candidate could not be used so far.
    #[must_use]
    pub fn usable(&self) -> Option<Arc<Policy>> {
        self.current.load_full()
    }

    /// What is known of the servers besides the policies, for comparing two of them.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        Surroundings {
            servers: self.context.servers.clone(),
            closed: self.context.closed.as_ref().clone(),
            hints: self.hints.load_full(),
            uris: Arc::clone(&self.context.uris),
            ..Surroundings::default()
        }
    }

    /// The results of the last attempts.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        self.locked().clone()
    }

    /// Reads the files again and puts them into force, or keeps the current policy.
    ///
    /// # Errors
    /// Why the global files in force stayed the same. The status reports it too, and what became of
    /// the files of teams.
    pub fn reload(&self, now: Timestamp) -> Result<(), LoadPolicyError> {
        let found = FoundPolicy::read(&self.places);
        self.take(&found, now, &AtomicBool::new(false))
    }

    /// Compiles and tests from now on with the current records of tools: trusted annotations, and
    /// the defaults of arguments. Returns whether they changed, so that the files should be read
    /// again.
    pub fn set_recorded(&self, hints: TrustedHints, defaults: ToolDefaults) -> bool {
        let has_changed = **self.hints.load() != hints || **self.defaults.load() != defaults;
        if has_changed {
            self.hints.store(Arc::new(hints));
            self.defaults.store(Arc::new(defaults));
        }
        has_changed
    }

    /// Puts the files that were found into force, or keeps the current policy. A policy that is
    /// abandoned for a newer one is not reported: `is_replaced` is queried between tests.
    pub(super) fn take(
        &self,
        found: &FoundPolicy,
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<(), LoadPolicyError> {
        let context = CompileContext {
            hints: self.hints.load_full(),
            defaults: self.defaults.load_full(),
            ..self.context.clone()
        };
        let mut good = self.good().clone();
        if self.places.teams.is_empty() {
            // Nothing else could come into force either.
            good.global = None;
        }
        let settling = Settling {
            places: &self.places,
            context: &context,
            is_replaced,
            now,
        };
        match settling.settle(found, &good) {
            Ok(settled) => self.apply(settled, found, now),
            Err(LoadPolicyError::Replaced) => Err(LoadPolicyError::Replaced),
            Err(error) => {
                self.fail(&error, now);
                Err(error)
            }
        }
    }

    fn apply(
        &self,
        settled: Settled,
        found: &FoundPolicy,
        now: Timestamp,
    ) -> Result<(), LoadPolicyError> {
        let Settled {
            policy,
            good,
            refused,
            teams,
        } = settled;
        // A policy that takes something back must not be followed by a start with the older one.
        *self.good() = good;
        self.keep();
        // It is in force before anybody is told.
        let revision = Arc::clone(policy.revision());
        self.current.store(Some(Arc::new(policy)));
        let mut status = self.locked();
        status.take_teams(&teams, now);
        let is_same = status.revision == revision;
        if is_same && refused.is_none() && teams.iter().any(|team| team.refused.is_some()) {
            status.failures = status.failures.saturating_add(1);
        } else if refused.is_none() || !is_same {
            status.revision = revision;
            status.applied = now;
            status.successes = status.successes.saturating_add(1);
        }
        if refused.is_none() {
            status.failing = None;
            status.last_good.is_in_force = false;
            status.last_good.confirmed = None;
        }
        let in_force = state_in_force(found, refused.as_ref());
        self.in_force.store(Arc::new(in_force));
        drop(status);
        match refused {
            None => Ok(()),
            Some(error) => {
                self.fail(&error, now);
                Err(error)
            }
        }
    }

    /// Reports that the current files cannot be used.
    pub(super) fn fail(&self, error: &LoadPolicyError, now: Timestamp) {
        // Formatting many findings takes time, and readers of the status must not wait for it.
        let lines = error.lines();
        let mut status = self.locked();
        status.failures = status.failures.saturating_add(1);
        status.fail(lines, now);
    }

    fn good(&self) -> MutexGuard<'_, Good> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self) -> MutexGuard<'_, ReloadStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in force of the files that were found: where the global ones are not, no files are.
fn state_in_force(found: &FoundPolicy, refused: Option<&LoadPolicyError>) -> PolicyState {
    refused.map_or_else(
        || found.state(),
        |error| PolicyState::unanswered(&error.to_string()),
    )
}

#[cfg(test)]
mod tests;
