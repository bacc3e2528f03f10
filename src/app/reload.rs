//! Puts another configuration in force when its file changes, or on request.
//!
//! All of it or nothing: if the process could not start with the new file, a file that it names, or
//! its policy, the configuration in force stays. The watch then covers the files that the refused
//! configuration names, and tries it again once one of them has changed.
//!
//! The configuration and its policy are put in force together, as one pipeline.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::CLOCK;
use super::config_record::ConfigRecord;
use super::error::{RunError, chain};
use super::part_tasks::PartTasks;
use super::parts::{Built, Core, FoundPolicies, Lasting, ServiceParts};
use super::status;
use crate::check::LivePipeline;
use crate::config::{self, Config, ConfigError};
use crate::file::{self, LOOK_TIME_MAX, Look, Looks, ReadError, Settled, Stamp, Watch, Watcher};
use crate::listen::Tls;
use crate::policy::{FoundPolicy, LoadPolicyError, PolicyState, PolicyStore, report_replaced};
use crate::telemetry::metrics::Metrics;
use crate::yaml::Findings;

/// How often the file is read: as often as a policy.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How many findings logs and readiness list.
const LINES_MAX: usize = 100;

/// The file of the first configuration.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: Arc<str>,
}

impl ConfigFile {
    /// Whether it can be watched: standard input and the pipe of a shell are read once.
    pub(super) fn can_be_read_again(&self) -> bool {
        !file::is_read_once(&self.path)
    }
}

/// Replaces the configuration in force.
pub(super) struct Reloader {
    path: PathBuf,
    /// The file of the configuration in force, as it was then.
    in_force: ConfigState,
    /// How many attempts were abandoned for newer ones.
    abandoned: u64,
    /// The configuration at the start, for the keys that are fixed.
    started: Arc<Config>,
    record: Arc<ConfigRecord>,
    core: Core,
    live: Arc<LivePipeline>,
    metrics: Metrics,
    /// Runs the tasks of parts.
    tasks: mpsc::Sender<PartTasks>,
    /// Is notified when recorded tools have been read.
    records: mpsc::Sender<()>,
}

/// What tells one state of the file from another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConfigState {
    text: Result<Arc<str>, String>,
    /// The states of the files that it names, unless it is in force: then each part watches its own.
    named: Vec<NamedState>,
    /// How many attempts were abandoned before it, so that an abandoned file that comes back counts as
    /// changed.
    after: u64,
}

impl ConfigState {
    fn of(text: Result<Arc<str>, String>) -> Self {
        ConfigState {
            text,
            named: Vec::new(),
            after: 0,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        self.text.as_ref().is_ok_and(|own| **own == *text)
    }

    /// Its text, and the states of its policies.
    fn compiled(&self) -> Self {
        let mut own = self.clone();
        own.named.retain(|it| matches!(it, NamedState::Policy(_)));
        own
    }
}

#[derive(Debug, Clone, PartialEq)]
enum NamedState {
    File(Result<Stamp, String>),
    Policy(PolicyState),
}

/// What a read of the file found.
pub(super) enum FoundConfig {
    /// The configuration in force.
    Same,
    /// Another one.
    Other(ConfigState, Box<Config>, FoundPolicies),
    /// None that can be used.
    Invalid(ConfigError),
}

impl Reloader {
    pub(super) fn new(
        file: ConfigFile,
        core: Core,
        parts: &ServiceParts,
        tasks: mpsc::Sender<PartTasks>,
        records: mpsc::Sender<()>,
    ) -> Self {
        Reloader {
            path: file.path,
            in_force: ConfigState::of(Ok(file.text)),
            abandoned: 0,
            started: parts.config.current(),
            record: Arc::clone(&parts.config),
            core,
            live: Arc::clone(&parts.live),
            metrics: parts.metrics.clone(),
            tasks,
            records,
        }
    }

    /// Watches the file until the channel of reload requests is closed.
    pub(super) async fn watch(self, asked: mpsc::Receiver<()>) {
        let settled = Settled::at(self.in_force.clone());
        let watcher = Watcher::new(self, Looks::new(LOOK_TIME_MAX), settled);
        watcher.run(LOOK_INTERVAL, asked).await;
    }

    /// Puts a configuration in force, or records why it cannot.
    async fn apply(
        &mut self,
        state: &ConfigState,
        mut config: Config,
        found: FoundPolicies,
    ) -> Result<(), RunError> {
        // A restart, which they wait for, must not fail.
        if let Some(files) = config
            .tls
            .clone()
            .filter(|_| config.tls != self.started.tls)
        {
            Tls::load(files).await?;
        }
        let restart = config.keep_fixed(&self.started);
        let (core, refreshers) = self.build(state, &config, found).await?;
        self.begin_tasks(&config, (core.clone(), refreshers)).await;
        let lasting = Lasting::of(&self.live.current());
        self.live.replace(core.pipeline(&config, lasting));
        core.tell_policy(Some(&self.core));
        let before = std::mem::replace(&mut self.core, core).policy;
        // What was recorded of tools may have been read anew while the parts were built.
        self.records.try_send(()).unwrap_or_default();
        self.tell(&config, &restart);
        self.record.applied(config, restart, CLOCK());
        tell_access(before, Arc::clone(&self.core.policy));
        Ok(())
    }

    /// Builds the parts of a configuration. Gives up if the file or a policy that it names changes
    /// meanwhile, because the tests of a policy may take long and the change may be the mend.
    async fn build(
        &self,
        state: &ConfigState,
        config: &Config,
        found: FoundPolicies,
    ) -> Result<Built, RunError> {
        tracing::info!("the configuration has changed and is prepared");
        let (earlier, settings) = (self.core.clone(), config.clone());
        let replaced = Arc::new(AtomicBool::new(false));
        let is_replaced = Arc::clone(&replaced);
        let mut building =
            tokio::task::spawn_blocking(move || earlier.next(&settings, found, &is_replaced));
        let built = tokio::select! {
            built = &mut building => built,
            () = replaced_by_newer(&self.path, state) => {
                replaced.store(true, Ordering::Relaxed);
                building.await
            }
        };
        built.map_err(|error| RunError::System {
            what: "building the parts of a configuration did not finish",
            source: std::io::Error::other(error),
        })?
    }

    /// Starts the tasks of new parts, and waits a moment for the keys of new issuers, so that their
    /// callers are not refused meanwhile.
    async fn begin_tasks(&self, config: &Config, (core, refreshers): Built) {
        let tasks = PartTasks::of(&core, Some(&self.core), refreshers, &self.records);
        if self.tasks.send(tasks).await.is_err() {
            tracing::debug!("the process ends");
        }
        let tried = core.authenticator.tried();
        if tokio::time::timeout(config.authn.fetch_timeout, tried)
            .await
            .is_err()
        {
            tracing::debug!("the keys of a new issuer take their time");
        }
    }

    /// Logs what has changed, and drops the metrics of removed parts.
    fn tell(&self, config: &Config, restart: &[&'static str]) {
        let before = self.record.current();
        let change = before.change_to(config);
        tracing::info!("configuration in force: {change}");
        if !restart.is_empty() && restart != self.record.reloads().restart_required {
            tracing::warn!(
                keys = %restart.join(", "),
                "these keys of the configuration are fixed while the process runs; their changes \
                 wait for a restart"
            );
        }
        if before.replicas != config.replicas
            && let Some(notice) = status::notice(config.replicas)
        {
            tracing::warn!("{notice}");
        }
        // One whose keys come from elsewhere now counts from the beginning.
        for issuer in change.issuers.removed.iter().chain(&change.issuers.changed) {
            self.metrics.keys.forget(issuer);
        }
        for server in before.tools_snapshots.keys() {
            if !config.tools_snapshots.contains_key(server) {
                self.metrics.lists.forget_snapshot(server);
            }
        }
        for (file, is_named) in [
            ("candidate_policy", config.candidate_policy.is_some()),
            ("geoip", config.country_db_file.is_some()),
            ("peers", config.peers_ca_file.is_some()),
        ] {
            if !is_named {
                self.metrics.files.forget(file);
            }
        }
    }

    fn refuse(&self, error: &RunError) {
        let lines = lines(error);
        let head = chain(error);
        tracing::error!("{head}; the configuration in force stays");
        for line in lines.iter().filter(|line| **line != head) {
            tracing::error!("{line}");
        }
        self.record.refused(lines, CLOCK());
    }
}

impl Watch for Reloader {
    type Seen = ConfigState;
    type Found = FoundConfig;

    fn look(&self) -> Look<ConfigState, FoundConfig> {
        let (path, in_force, after) = (self.path.clone(), self.in_force.clone(), self.abandoned);
        Box::new(move |is_due| {
            let (state, found) = match config::read(&path) {
                Ok(read) if in_force.is_text(&read) => (in_force, FoundConfig::Same),
                Ok(read) => other(&path, read, after),
                Err(error) => {
                    let state = ConfigState::of(Err(chain(&error)));
                    (state, FoundConfig::Invalid(error))
                }
            };
            is_due(state).then_some(found)
        })
    }

    fn unanswered(&self, error: &ReadError) -> ConfigState {
        ConfigState::of(Err(error.to_string()))
    }

    async fn take(&mut self, found: FoundConfig) {
        match found {
            FoundConfig::Same => {
                self.record.confirmed(CLOCK());
                tracing::info!("configuration in force: nothing to apply");
            }
            FoundConfig::Invalid(error) => self.refuse(&error.into()),
            FoundConfig::Other(state, config, found) => {
                match self.apply(&state, *config, found).await {
                    Ok(()) => self.in_force = state,
                    Err(RunError::Policy(error @ LoadPolicyError::Replaced)) => {
                        self.abandoned = self.abandoned.saturating_add(1);
                        tracing::info!(
                            "the configuration is given up: {error}; the newer one is next"
                        );
                    }
                    Err(error) => self.refuse(&error),
                }
            }
        }
    }

    async fn fail(&mut self, error: ReadError) {
        let error = ConfigError::Read {
            path: self.path.clone(),
            source: error,
        };
        self.refuse(&error.into());
    }
}

/// Logs whose access has changed with another configuration, which is in force already.
fn tell_access(before: Arc<PolicyStore>, after: Arc<PolicyStore>) {
    if Arc::ptr_eq(&before, &after) {
        return;
    }
    // Beside the reload, which a newer configuration waits for.
    let _beside = tokio::task::spawn_blocking(move || {
        report_replaced([&before, &after], CLOCK());
    });
}

/// Ready once two consecutive reads have found the same new text of the file, or of a policy that it
/// names.
async fn replaced_by_newer(path: &Path, state: &ConfigState) {
    let after = state.after;
    let looks = Looks::new(LOOK_TIME_MAX);
    let mut settled = Settled::at(state.compiled());
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let path = path.to_owned();
        let look = move || match config::read(&path) {
            Ok(read) => other(&path, read, after).0.compiled(),
            Err(error) => ConfigState::of(Err(chain(&error))),
        };
        if let Ok(Some(seen)) = looks.look(false, look).await
            && settled.is_due(seen, false)
        {
            return;
        }
    }
}

/// A configuration that is not in force, with its policy files, after this many abandoned attempts.
fn other(path: &Path, text: String, after: u64) -> (ConfigState, FoundConfig) {
    let mut state = ConfigState {
        after,
        ..ConfigState::of(Ok(text.as_str().into()))
    };
    let config = match config::decode_file(path, text) {
        Ok(config) => config,
        Err(error) => return (state, FoundConfig::Invalid(error)),
    };
    let found = FoundPolicies {
        policy: FoundPolicy::read(&config.policy_places()),
        candidate: config.candidate_places().as_ref().map(FoundPolicy::read),
    };
    let policies = std::iter::once(&found.policy).chain(&found.candidate);
    state
        .named
        .extend(policies.map(|found| NamedState::Policy(found.state())));
    let stamps = config.files().into_iter().map(|path| {
        let stamp = file::stamp(&path).map_err(|error| error.to_string());
        NamedState::File(stamp)
    });
    state.named.extend(stamps);
    let found = FoundConfig::Other(state.clone(), Box::new(config), found);
    (state, found)
}

/// One line for each finding.
fn lines(error: &RunError) -> Vec<String> {
    if let RunError::Config(ConfigError::Invalid(findings)) = error {
        return finding_lines(findings);
    }
    let mut lines = vec![chain(error)];
    if let RunError::Policy(policy) = error {
        let more = policy.lines().into_iter();
        lines.extend(more.filter(|line| *line != policy.to_string()));
    }
    lines
}

fn finding_lines(findings: &Findings) -> Vec<String> {
    let mut lines = findings.first_lines(LINES_MAX);
    let beyond = findings.len().saturating_sub(lines.len());
    if beyond > 0 {
        lines.push(format!("and {beyond} more"));
    }
    lines
}
