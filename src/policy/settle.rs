//! What comes into force of the files that were found, and whose fault it is where something does
//! not.
//!
//! The rules of a team apply to its own servers only, and no server has two teams. So what is decided
//! on a server depends on the global files and on those of its team, and on nobody else's: a test that
//! fails tells by its server whose change it may hold up.
//!
//! | what is wrong | who waits |
//! |---|---|
//! | something in a team's files, or a test beside them | the team |
//! | a global file or test, because of a team's change | the team |
//! | a global file or test, whatever the team's change | the global files, for all of them |
//! | a team's test, because of a global change | nobody: it is reported |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::compile::compile_layers;
use super::context::CompileContext;
use super::files::PolicyFiles;
use super::found::{FoundFiles, FoundPolicy};
use super::layer::{Layer, LayerFindings};
use super::load_error::LoadPolicyError;
use super::teams::{OnError, PolicyPlaces, TeamSettings};
use super::testing::Suite;
use crate::authz::Policy;
use crate::yaml::{Findings, Severity};

/// Files that were in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoodFiles {
    pub(super) files: Arc<PolicyFiles>,
    /// When they were last known to be what the operator or the team wanted.
    pub(super) confirmed: Timestamp,
}

/// The files of each owner that were in force last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Good {
    pub(super) global: Option<GoodFiles>,
    pub(super) teams: BTreeMap<String, GoodFiles>,
}

/// What is in force of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamState {
    /// Its files.
    InForce,
    /// Its last good files.
    LastGood,
    /// Nothing: its servers deny everything.
    Denied,
}

impl TeamState {
    /// Its name for operators.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TeamState::InForce => "in_force",
            TeamState::LastGood => "last_good",
            TeamState::Denied => "denied",
        }
    }
}

/// What came into force.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) policy: Policy,
    pub(super) good: Good,
    /// Why the global files that were found are not in force.
    pub(super) refused: Option<LoadPolicyError>,
    pub(super) teams: Vec<SettledTeam>,
}

/// What came into force of a team.
#[derive(Debug)]
pub(super) struct SettledTeam {
    pub(super) name: String,
    pub(super) state: TeamState,
    /// Why its files that were found are not in force.
    pub(super) refused: Option<LoadPolicyError>,
    /// The tests that fail although its files are in force.
    pub(super) tests: Option<Findings>,
}

/// What policies are settled against.
pub(super) struct Settling<'s> {
    pub(super) places: &'s PolicyPlaces,
    pub(super) context: &'s CompileContext,
    pub(super) is_replaced: &'s AtomicBool,
    pub(super) now: Timestamp,
}

impl Settling<'_> {
    /// Decides what comes into force. Global files that cannot be used are replaced by the last good
    /// ones where there are any.
    ///
    /// # Errors
    /// If there are no global files that can be used.
    pub(super) fn settle(
        &self,
        found: &FoundPolicy,
        good: &Good,
    ) -> Result<Settled, LoadPolicyError> {
        let global = match &found.global {
            Ok(files) => match self.attempt(files, found, good) {
                Ok(mut settled) => {
                    settled.good.global = Some(self.confirmed(files));
                    return Ok(settled);
                }
                Err(LoadPolicyError::Replaced) => return Err(LoadPolicyError::Replaced),
                Err(error) => error,
            },
            Err(error) => LoadPolicyError::Read(Arc::clone(error)),
        };
        let is_found = |last: &&GoodFiles| found.global.as_ref().ok() == Some(&last.files);
        let Some(last) = good.global.as_ref().filter(|last| !is_found(last)) else {
            return Err(global);
        };
        match self.attempt(&last.files, found, good) {
            Ok(settled) => Ok(Settled {
                refused: Some(global),
                ..settled
            }),
            Err(LoadPolicyError::Replaced) => Err(LoadPolicyError::Replaced),
            Err(error) => {
                tracing::error!("the last good policy cannot be used either: {error}");
                Err(global)
            }
        }
    }

    /// The policy of these global files and as many of the teams' as can be used with them.
    fn attempt(
        &self,
        global: &Arc<PolicyFiles>,
        found: &FoundPolicy,
        good: &Good,
    ) -> Result<Settled, LoadPolicyError> {
        let tests = [Layer::global(&global.tests)];
        let suite = Suite::read_layers(&tests, &self.context.samples());
        let suite = suite.map_err(LoadPolicyError::Invalid)?;
        let teams = self.places.teams.iter().zip(&found.teams);
        let teams = teams.map(|(team, found)| Choice::first(team, found, good));
        let mut teams: Vec<Choice<'_>> = teams.collect();
        loop {
            let policy = match compile_layers(&layers(global, &teams), self.context) {
                Ok(policy) => policy,
                Err(findings) => {
                    if refuse_broken(&mut teams, &findings)
                        || self.refuse_breaking(global, &mut teams, &findings)
                    {
                        continue;
                    }
                    return Err(LoadPolicyError::Invalid(findings.into_findings()));
                }
            };
            let is_refused = self.refuse_failing(&policy, &suite, &mut teams)?;
            if !is_refused {
                return Ok(self.settled(policy, teams, good));
            }
        }
    }

    /// Refuses the changes by which a global file becomes wrong, such as the removal of a class that
    /// one of its rules names. Whether there were any.
    fn refuse_breaking(
        &self,
        global: &Arc<PolicyFiles>,
        teams: &mut [Choice<'_>],
        findings: &LayerFindings,
    ) -> bool {
        let errors = findings.of(None).count(Severity::Error);
        for at in 0..teams.len() {
            if !teams.get(at).is_some_and(Choice::is_changed) {
                continue;
            }
            let without: Vec<Choice<'_>> = (0..)
                .zip(teams.iter())
                .map(|(index, choice)| {
                    if index == at {
                        choice.without_change()
                    } else {
                        choice.again()
                    }
                })
                .collect();
            let fewer = match compile_layers(&layers(global, &without), self.context) {
                Ok(_) => true,
                Err(other) => other.of(None).count(Severity::Error) < errors,
            };
            if let Some(choice) = teams.get_mut(at).filter(|_| fewer) {
                choice.refuse(LoadPolicyError::Invalid(findings.of(None)));
                return true;
            }
        }
        false
    }

    /// Refuses the changes that fail a test. Whether there were any.
    fn refuse_failing(
        &self,
        policy: &Policy,
        suite: &Suite,
        teams: &mut [Choice<'_>],
    ) -> Result<bool, LoadPolicyError> {
        let has_team = |server: &str| self.places.teams.iter().any(|team| team.has(server));
        let mut failing = self.run(suite, policy, |server| !has_team(server))?;
        let mut is_refused = false;
        for choice in teams {
            let Some(files) = choice.files.clone() else {
                // Nothing is known of what the team's rules would say.
                continue;
            };
            let team = choice.team;
            let global = self.run(suite, policy, |server| team.has(server))?;
            let own = [Layer::of_team(team, Some(&files.tests))];
            let own = match Suite::read_layers(&own, &self.context.samples()) {
                Ok(own) => self.run(&own, policy, |_| true)?,
                Err(wrong) => wrong,
            };
            if !choice.is_changed() {
                failing.absorb(global);
                choice.tests = Some(own).filter(Findings::has_errors);
            } else if global.has_errors() || own.has_errors() {
                let mut both = global;
                both.absorb(own);
                choice.refuse(LoadPolicyError::Tests(both));
                is_refused = true;
            }
        }
        if failing.has_errors() {
            return Err(LoadPolicyError::Tests(failing));
        }
        Ok(is_refused)
    }

    /// What fails of the tests about some servers.
    fn run(
        &self,
        suite: &Suite,
        policy: &Policy,
        is_asked: impl Fn(&str) -> bool,
    ) -> Result<Findings, LoadPolicyError> {
        let is_wanted = || !self.is_replaced.load(Ordering::Relaxed);
        let report = suite.run_of(policy, is_wanted, is_asked);
        Ok(report.ok_or(LoadPolicyError::Replaced)?.failures)
    }

    fn settled(&self, policy: Policy, teams: Vec<Choice<'_>>, good: &Good) -> Settled {
        let mut good = good.clone();
        let configured = |name: &String, _: &mut GoodFiles| {
            let mut teams = self.places.teams.iter();
            teams.any(|team| team.name == *name)
        };
        good.teams.retain(configured);
        for choice in &teams {
            if let (TeamState::InForce, Some(files)) = (choice.state(), &choice.files) {
                let files = self.confirmed(files);
                good.teams.insert(choice.team.name.clone(), files);
            }
        }
        let teams = teams.into_iter().map(|choice| SettledTeam {
            name: choice.team.name.clone(),
            state: choice.state(),
            refused: choice.refused,
            tests: choice.tests,
        });
        Settled {
            policy,
            good,
            refused: None,
            teams: teams.collect(),
        }
    }

    fn confirmed(&self, files: &Arc<PolicyFiles>) -> GoodFiles {
        GoodFiles {
            files: Arc::clone(files),
            confirmed: self.now,
        }
    }
}

/// Which files of a team are tried.
struct Choice<'c> {
    team: &'c TeamSettings,
    /// What is tried now; none: its servers deny everything.
    files: Option<Arc<PolicyFiles>>,
    /// Its last good files.
    good: Option<Arc<PolicyFiles>>,
    /// Why the files that were found are not tried any more.
    refused: Option<LoadPolicyError>,
    tests: Option<Findings>,
}

impl<'c> Choice<'c> {
    fn first(team: &'c TeamSettings, found: &FoundFiles, good: &Good) -> Self {
        let good = good.teams.get(&team.name);
        let mut choice = Choice {
            team,
            files: None,
            good: good.map(|good| Arc::clone(&good.files)),
            refused: None,
            tests: None,
        };
        match found {
            Ok(files) => choice.files = Some(Arc::clone(files)),
            Err(error) => choice.refuse(LoadPolicyError::Read(Arc::clone(error))),
        }
        choice
    }

    /// What is tried where the files that are tried now are refused.
    fn next(&self) -> Option<Arc<PolicyFiles>> {
        let keeps = self.team.on_error == OnError::Keep && self.refused.is_none();
        let good = self.good.clone().filter(|_| keeps);
        good.filter(|good| self.files.as_ref() != Some(good))
    }

    fn refuse(&mut self, error: LoadPolicyError) {
        self.files = self.next();
        self.refused.get_or_insert(error);
    }

    /// Whether the files that are tried are others than were in force.
    fn is_changed(&self) -> bool {
        self.files.is_some() && self.files != self.good
    }

    fn state(&self) -> TeamState {
        match (&self.files, &self.refused) {
            (None, _) => TeamState::Denied,
            (Some(_), Some(_)) => TeamState::LastGood,
            (Some(_), None) => TeamState::InForce,
        }
    }

    /// The same files.
    fn again(&self) -> Choice<'c> {
        Choice {
            team: self.team,
            files: self.files.clone(),
            good: self.good.clone(),
            refused: None,
            tests: None,
        }
    }

    /// The files that are tried where a change is refused.
    fn without_change(&self) -> Choice<'c> {
        Choice {
            files: self.next(),
            ..self.again()
        }
    }
}

fn layers<'f>(global: &'f PolicyFiles, teams: &'f [Choice<'f>]) -> Vec<Layer<'f>> {
    let teams = teams.iter().map(|choice| {
        let files = choice.files.as_ref().map(|files| files.policy.as_slice());
        Layer::of_team(choice.team, files)
    });
    std::iter::once(Layer::global(&global.policy))
        .chain(teams)
        .collect()
}

/// Refuses the files that have errors themselves. Whether there were any.
fn refuse_broken(teams: &mut [Choice<'_>], findings: &LayerFindings) -> bool {
    let mut is_refused = false;
    for choice in teams {
        let own = findings.of(Some(choice.team));
        if own.has_errors() {
            choice.refuse(LoadPolicyError::Invalid(own));
            is_refused = true;
        }
    }
    is_refused
}

#[cfg(test)]
mod tests;
