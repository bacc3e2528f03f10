//! The policy: read, compiled, kept and replaced as a whole.
//!
//! A check takes one [`PolicyStore::snapshot`] and keeps it, so no request sees two policies. A
//! file that cannot be used changes nothing: the last good policy stays in force, and
//! [`ReloadStatus`] says since when and why.

mod compile;
mod document;
mod files;
mod lint;
pub mod testing;
mod watch;
mod whose;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub use compile::{CompileContext, compile};
pub use files::{ReadPolicyError, read, read_all, read_tests};
pub use lint::{Declared, LINTS, LintContext, argument_servers, lint, scopes_of};
pub use watch::watch;
pub use whose::Issuers;

use crate::authz::{Policy, TrustedHints};
use crate::file::{self, START_TIME_MAX};
use crate::yaml::{Findings, Source};
use testing::ToolDefaults;
use watch::Seen;

/// The policy in force.
#[derive(Debug)]
pub struct PolicyStore {
    path: PathBuf,
    context: CompileContext,
    /// The hints that policies are compiled and tested with: those of the context may have changed.
    hints: ArcSwap<TrustedHints>,
    /// The same of the defaults that they are tested with.
    defaults: ArcSwap<ToolDefaults>,
    /// What the files were when the store was opened, so that a change since then is noticed.
    opened: Seen,
    current: ArcSwap<Policy>,
    status: Mutex<ReloadStatus>,
}

/// What became of the last attempts to take a policy into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadStatus {
    /// The revision in force.
    pub revision: Arc<str>,
    /// Since when it is in force.
    pub applied: Timestamp,
    /// How many policies were taken into force, the first one included.
    pub successes: u64,
    /// How many could not be.
    pub failures: u64,
    /// The failure that the files in place still have.
    pub failing: Option<Failing>,
}

/// The files in place cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// When that was first noticed.
    pub since: Timestamp,
    /// One line for each thing that is wrong; beyond the first hundred only how many there are.
    pub lines: Vec<String>,
}

/// Why a policy was not taken into force.
#[derive(Debug, thiserror::Error)]
pub enum LoadPolicyError {
    /// Its files could not be read.
    #[error(transparent)]
    Read(#[from] ReadPolicyError),
    /// It is wrong.
    #[error("the policy has {}", .0.total())]
    Invalid(Findings),
    /// It does not do what its tests want.
    #[error("the policy fails its tests in {} place(s)", .0.len())]
    Tests(Findings),
    /// A newer one is there, for which this one was given up.
    #[error("the policy was replaced while its tests ran")]
    Replaced,
}

impl LoadPolicyError {
    /// One line for each thing that is wrong; beyond the first hundred only how many there are.
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
    /// When there is no usable policy to begin with.
    pub fn open(
        path: PathBuf,
        context: CompileContext,
        now: Timestamp,
    ) -> Result<Self, LoadPolicyError> {
        let place = path.clone();
        let sources = file::within(START_TIME_MAX, move || read_files(&place));
        let sources = sources.unwrap_or_else(|cause| Err(ReadPolicyError::of(&path, cause)));
        let opened = watch::seen(&sources);
        let policy = compile_all(sources, &context, &AtomicBool::new(false))?;
        let status = ReloadStatus {
            revision: Arc::clone(policy.revision()),
            applied: now,
            successes: 1,
            failures: 0,
            failing: None,
        };
        let current = ArcSwap::from_pointee(policy);
        Ok(PolicyStore {
            path,
            hints: ArcSwap::new(Arc::clone(&context.hints)),
            defaults: ArcSwap::new(Arc::clone(&context.defaults)),
            context,
            opened,
            current,
            status: Mutex::new(status),
        })
    }

    /// The policy in force at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// What became of the last attempts.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        self.locked().clone()
    }

    /// Reads the files again and takes them into force, or keeps what is there.
    ///
    /// # Errors
    /// Why the policy in force stayed the same. The status says so too.
    pub fn reload(&self, now: Timestamp) -> Result<(), LoadPolicyError> {
        self.take(read_files(&self.path), now, &AtomicBool::new(false))
    }

    /// Compiles and tests from now on with what the records of tools say now: trusted annotations,
    /// and the defaults of arguments. Whether that is something else than before, so that the
    /// files are worth another look.
    pub fn set_recorded(&self, hints: TrustedHints, defaults: ToolDefaults) -> bool {
        let has_changed = **self.hints.load() != hints || **self.defaults.load() != defaults;
        if has_changed {
            self.hints.store(Arc::new(hints));
            self.defaults.store(Arc::new(defaults));
        }
        has_changed
    }

    /// Takes what was read of the files into force, or keeps what is there. Nothing is told of one
    /// that was given up for a newer one: `is_replaced`, asked between tests.
    fn take(
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
        match compile_all(sources, &context, is_replaced) {
            Ok(policy) => {
                let mut status = self.locked();
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

    /// Says that the files in place cannot be used.
    fn fail(&self, error: &LoadPolicyError, now: Timestamp) {
        // Many findings take their time, and whoever asks for the status must not wait for it.
        let lines = error.lines();
        let mut status = self.locked();
        status.failures = status.failures.saturating_add(1);
        let since = status.failing.as_ref().map_or(now, |failing| failing.since);
        status.failing = Some(Failing { since, lines });
    }

    fn locked(&self) -> MutexGuard<'_, ReloadStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of a policy, as read at one time.
#[derive(Debug)]
struct Files {
    policy: Vec<Source>,
    tests: Vec<Source>,
}

/// What reading the files gave.
type Sources = Result<Files, ReadPolicyError>;

fn read_files(path: &Path) -> Sources {
    Ok(Files {
        policy: read(path)?,
        tests: read_tests(path)?,
    })
}

/// Compiles a policy and runs its tests, as long as it is not replaced.
fn compile_all(
    sources: Sources,
    context: &CompileContext,
    is_replaced: &AtomicBool,
) -> Result<Policy, LoadPolicyError> {
    let files = sources?;
    let policy = compile(&files.policy, context).map_err(LoadPolicyError::Invalid)?;
    let samples = testing::SampleContext {
        servers: context.servers.clone(),
        issuer: context.issuer.clone(),
        hints: Arc::clone(&context.hints),
        uris: Arc::clone(&context.uris),
        defaults: Arc::clone(&context.defaults),
    };
    let suite = testing::Suite::read(&files.tests, &samples).map_err(LoadPolicyError::Invalid)?;
    let report = suite.run_while(&policy, || !is_replaced.load(Ordering::Relaxed));
    let report = report.ok_or(LoadPolicyError::Replaced)?;
    if report.failures.has_errors() {
        return Err(LoadPolicyError::Tests(report.failures));
    }
    Ok(policy)
}

#[cfg(test)]
mod tests;
