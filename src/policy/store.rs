//! The policy in force: compiled, tested, kept, and replaced as a whole.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::compile::compile;
use super::context::CompileContext;
use super::difference::Surroundings;
use super::files::{FilesState, FoundPolicy, ReadPolicyError, Sources, read_files, state_of};
use super::testing::{Suite, ToolDefaults};
use crate::authz::{Policy, TrustedHints};
use crate::file::{self, START_TIME_MAX};
use crate::yaml::Findings;

/// The policy in force.
#[derive(Debug)]
pub struct PolicyStore {
    pub(super) path: PathBuf,
    context: CompileContext,
    /// The hints for compiling and testing policies, which may differ from those of the context.
    hints: ArcSwap<TrustedHints>,
    /// The same for the defaults of arguments in tests.
    defaults: ArcSwap<ToolDefaults>,
    /// The state of the files when the store was opened, so that a change since then is noticed.
    pub(super) opened: FilesState,
    current: ArcSwap<Policy>,
    /// The state of the files that the policy in force was compiled from.
    in_force: ArcSwap<FilesState>,
    status: Mutex<ReloadStatus>,
}

/// The results of the attempts to load a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadStatus {
    /// The revision in force.
    pub revision: Arc<str>,
    /// Since when it is in force.
    pub applied: Timestamp,
    /// How many policies were put into force, including the first one.
    pub successes: u64,
    /// How many could not be.
    pub failures: u64,
    /// The failure of the current files, if they cannot be used.
    pub failing: Option<FailingPolicy>,
}

/// The current files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPolicy {
    /// When this was first noticed.
    pub since: Timestamp,
    /// One line for each fault; after the first hundred, only how many more there are.
    pub lines: Vec<String>,
}

/// Why a policy was not put into force.
#[derive(Debug, thiserror::Error)]
pub enum LoadPolicyError {
    /// Its files could not be read.
    #[error(transparent)]
    Read(#[from] ReadPolicyError),
    /// It has errors.
    #[error("the policy has {}", .0.total())]
    Invalid(Findings),
    /// It fails its tests.
    #[error("the policy fails its tests in {} place(s)", .0.len())]
    Tests(Findings),
    /// A newer policy superseded it.
    #[error("the policy was replaced while its tests ran")]
    Replaced,
}

impl LoadPolicyError {
    /// One line for each fault; after the first hundred, only how many more there are.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            LoadPolicyError::Read(_) | LoadPolicyError::Replaced => vec![self.to_string()],
            LoadPolicyError::Invalid(findings) | LoadPolicyError::Tests(findings) => {
                let mut lines = findings.first_lines(LINES_MAX);
                let beyond = findings.len().saturating_sub(lines.len());
                if beyond > 0 {
                    lines.push(format!("and {beyond} more"));
                }
                lines
            }
        }
    }
}

/// How many findings logs and readiness list.
const LINES_MAX: usize = 100;

impl PolicyStore {
    /// Reads and compiles the policy at `path`: a file, a directory or a glob.
    ///
    /// # Errors
    /// If there is no usable policy to begin with.
    pub fn open(
        path: PathBuf,
        context: CompileContext,
        now: Timestamp,
    ) -> Result<Self, LoadPolicyError> {
        let place = path.clone();
        let sources = file::within(START_TIME_MAX, move || read_files(&place));
        let sources = sources.unwrap_or_else(|cause| Err(ReadPolicyError::of(&path, cause)));
        let kept = AtomicBool::new(false);
        Self::first(path, context, sources, (0, 0), now, &kept)
    }

    /// The policy at `path`, as it was found, compiled against another configuration than that of
    /// this store. Its reloads are counted on from those of this one, which stays as it is.
    /// `is_replaced` is queried between tests.
    ///
    /// # Errors
    /// When it cannot be used with that configuration, or is abandoned.
    pub fn next(
        &self,
        path: PathBuf,
        context: CompileContext,
        found: FoundPolicy,
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<Self, LoadPolicyError> {
        let before = self.status();
        let counted = (before.successes, before.failures);
        Self::first(path, context, found.sources, counted, now, is_replaced)
    }

    /// Whether the policy in force is the one at `path`, as it was found, compiled against this.
    #[must_use]
    pub fn is_of(&self, path: &Path, context: &CompileContext, found: &FoundPolicy) -> bool {
        let own = CompileContext {
            hints: self.hints.load_full(),
            defaults: self.defaults.load_full(),
            ..self.context.clone()
        };
        self.path == path && own == *context && **self.in_force.load() == state_of(&found.sources)
    }

    /// A store of a policy, after so many that were taken into force and so many that were not.
    fn first(
        path: PathBuf,
        context: CompileContext,
        sources: Sources,
        (successes, failures): (u64, u64),
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<Self, LoadPolicyError> {
        let opened = state_of(&sources);
        let policy = compile_all(sources, &context, is_replaced)?;
        let status = ReloadStatus {
            revision: Arc::clone(policy.revision()),
            applied: now,
            successes: successes.saturating_add(1),
            failures,
            failing: None,
        };
        let current = ArcSwap::from_pointee(policy);
        let in_force = ArcSwap::from_pointee(opened.clone());
        Ok(PolicyStore {
            path,
            hints: ArcSwap::new(Arc::clone(&context.hints)),
            defaults: ArcSwap::new(Arc::clone(&context.defaults)),
            context,
            opened,
            current,
            in_force,
            status: Mutex::new(status),
        })
    }

    /// The policy in force at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// What is known of the servers besides the policies, for comparing two of them.
    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings {
            servers: self.context.servers.clone(),
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
    /// Why the policy in force stayed the same. The status reports it too.
    pub fn reload(&self, now: Timestamp) -> Result<(), LoadPolicyError> {
        self.take(read_files(&self.path), now, &AtomicBool::new(false))
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

    /// Puts the files that were read into force, or keeps the current policy. A policy that is
    /// abandoned for a newer one is not reported: `is_replaced` is queried between tests.
    pub(super) fn take(
        &self,
        sources: Sources,
        now: Timestamp,
        is_replaced: &AtomicBool,
    ) -> Result<(), LoadPolicyError> {
        let context = CompileContext {
            hints: self.hints.load_full(),
            defaults: self.defaults.load_full(),
            ..self.context.clone()
        };
        let state = state_of(&sources);
        match compile_all(sources, &context, is_replaced) {
            Ok(policy) => {
                let mut status = self.locked();
                self.in_force.store(Arc::new(state));
                status.revision = Arc::clone(policy.revision());
                status.applied = now;
                status.successes = status.successes.saturating_add(1);
                status.failing = None;
                self.current.store(Arc::new(policy));
                Ok(())
            }
            Err(LoadPolicyError::Replaced) => Err(LoadPolicyError::Replaced),
            Err(error) => {
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
        let since = status.failing.as_ref().map_or(now, |failing| failing.since);
        status.failing = Some(FailingPolicy { since, lines });
    }

    fn locked(&self) -> MutexGuard<'_, ReloadStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles a policy and runs its tests, unless it is superseded.
fn compile_all(
    sources: Sources,
    context: &CompileContext,
    is_replaced: &AtomicBool,
) -> Result<Policy, LoadPolicyError> {
    let files = sources?;
    let policy = compile(&files.policy, context).map_err(LoadPolicyError::Invalid)?;
    let suite = Suite::read(&files.tests, &context.samples()).map_err(LoadPolicyError::Invalid)?;
    let report = suite.run_while(&policy, || !is_replaced.load(Ordering::Relaxed));
    let report = report.ok_or(LoadPolicyError::Replaced)?;
    if report.failures.has_errors() {
        return Err(LoadPolicyError::Tests(report.failures));
    }
    Ok(policy)
}

#[cfg(test)]
mod tests;
