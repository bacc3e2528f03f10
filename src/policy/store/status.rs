//! What is told of the attempts to load a policy.

use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::load_error::{LoadPolicyError, finding_lines};
use crate::policy::settle::SettledTeam;
use crate::policy::teams::TeamState;

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
    /// The failure of the current global files, if they cannot be used.
    pub failing: Option<FailingPolicy>,
    /// What is in force of each team.
    pub teams: Vec<TeamStatus>,
    /// The policy that is kept on disk.
    pub last_good: LastGoodStatus,
}

/// The current files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPolicy {
    /// When this was first noticed.
    pub since: Timestamp,
    /// One line for each fault; after the first hundred, only how many more there are.
    pub lines: Vec<String>,
}

/// What is in force of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamStatus {
    /// Its name.
    pub name: String,
    /// Which of its rules are in force.
    pub state: TeamState,
    /// The failure of its current files, if they cannot be used.
    pub failing: Option<FailingPolicy>,
    /// The tests that fail although its files are in force: a global change has broken them, or no
    /// earlier files tell whose change it was.
    pub failing_tests: Option<FailingPolicy>,
}

/// The policy that is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastGoodStatus {
    /// Whether the global files in force are those from disk, because the current ones cannot be used.
    pub is_in_force: bool,
    /// When those were last known to be good.
    pub confirmed: Option<Timestamp>,
    /// Why the policy in force is not kept.
    pub failing: Option<String>,
}

impl ReloadStatus {
    /// The global files cannot be used.
    pub(super) fn fail(&mut self, lines: Vec<String>, now: Timestamp) {
        self.failing = Some(failing(self.failing.as_ref(), lines, now));
    }

    /// The global files could not be used at the start, and those from disk are in force.
    pub(super) fn restore(
        &mut self,
        error: &LoadPolicyError,
        confirmed: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.last_good.is_in_force = true;
        self.last_good.confirmed = confirmed;
        let lines = error.lines();
        tracing::error!(
            confirmed = confirmed.map(|at| at.to_string()),
            "{error}; the last good policy is in force"
        );
        tell_lines(error, &lines);
        self.fail(lines, now);
    }

    /// Takes over what came into force of teams, and logs what is new of it.
    pub(super) fn take_teams(&mut self, teams: &[SettledTeam], now: Timestamp) {
        let before = std::mem::take(&mut self.teams);
        for settled in teams {
            let before = before.iter().find(|team| team.name == settled.name);
            let files = settled.refused.as_ref().map(LoadPolicyError::lines);
            let earlier = before.and_then(|team| team.failing.as_ref());
            let tests = settled.tests.as_ref().map(finding_lines);
            let earlier_tests = before.and_then(|team| team.failing_tests.as_ref());
            let team = TeamStatus {
                name: settled.name.clone(),
                state: settled.state,
                failing: files.map(|lines| failing(earlier, lines, now)),
                failing_tests: tests.map(|lines| failing(earlier_tests, lines, now)),
            };
            if before != Some(&team) {
                tell_team(&team, before, settled);
            }
            self.teams.push(team);
        }
    }
}

fn failing(earlier: Option<&FailingPolicy>, lines: Vec<String>, now: Timestamp) -> FailingPolicy {
    // Another fault is not as old as the one before it.
    let earlier = earlier.filter(|failing| failing.lines == lines);
    let since = earlier.map_or(now, |failing| failing.since);
    FailingPolicy { since, lines }
}

fn tell_team(team: &TeamStatus, before: Option<&TeamStatus>, settled: &SettledTeam) {
    let name = &*team.name;
    if let Some(error) = &settled.refused {
        let stays = match team.state {
            TeamState::Denied if settled.is_regranted => {
                "its servers deny everything, because its last good rules were in force under another \
                 name or grant"
            }
            TeamState::Denied => "its servers deny everything",
            TeamState::LastGood | TeamState::InForce => "its last good rules are in force",
        };
        tracing::error!(team = name, "team `{name}`: {error}; {stays}");
        let lines = team.failing.as_ref().map(|failing| &failing.lines);
        tell_lines(error, lines.map_or(&[], Vec::as_slice));
    } else if before.is_some_and(|before| before.failing.is_some()) {
        tracing::info!(team = name, "team `{name}`: its files are in force again");
    }
    let is_news = before.map(|before| &before.failing_tests) != Some(&team.failing_tests);
    if let Some(tests) = team.failing_tests.as_ref().filter(|_| is_news) {
        tracing::warn!(
            team = name,
            "team `{name}`: tests of the team fail, which no change of its own files has caused as \
             far as is known; its rules are in force"
        );
        for line in &tests.lines {
            tracing::warn!("{line}");
        }
    }
}

fn tell_lines(error: &LoadPolicyError, lines: &[String]) {
    let is_told = |line: &&String| **line != error.to_string();
    for line in lines.iter().filter(is_told) {
        tracing::error!("{line}");
    }
}
