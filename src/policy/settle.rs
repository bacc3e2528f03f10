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
//! | a team's test, and no earlier files tell whose change it is | nobody: it is reported |
//!
//! A global file with an unknown class is a team's fault only if the team's last files had that class.
//! A candidate is a draft of the operator, so what is wrong with it is never a team's fault.

mod choice;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::compile::compile_layers;
use super::context::CompileContext;
use super::files::PolicyFiles;
use super::found::FoundPolicy;
use super::good::{Good, GoodFiles, GoodTeam, Grant};
use super::layer::{Layer, LayerFindings, refuse_shared};
use super::load_error::LoadPolicyError;
use super::teams::{PolicyPlaces, TeamSettings, TeamState};
use super::testing::Suite;
use crate::authz::Policy;
use crate::yaml::{Findings, Severity};
use choice::{Choice, layers};

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
    /// Whether it has last good rules which do not count, because something else was granted then.
    pub(super) is_regranted: bool,
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
                for line in error.lines() {
                    tracing::error!("of the last good policy: {line}");
                }
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
        files_apart(global, found, &self.places.teams)?;
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

    /// Refuses the changes by which a global file becomes wrong: the removal of a class that one of its
    /// rules names. Whether there were any. A team of which no earlier files are known has removed
    /// nothing.
    fn refuse_breaking(
        &self,
        global: &Arc<PolicyFiles>,
        teams: &mut [Choice<'_>],
        findings: &LayerFindings,
    ) -> bool {
        let errors = findings.of(None).count(Severity::Error);
        for at in 0..teams.len() {
            let has_changed = |choice: &Choice<'_>| choice.is_changed() && choice.last.is_some();
            if self.places.is_candidate || !teams.get(at).is_some_and(has_changed) {
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
            // Nobody knows what the team has changed where no earlier files are known. Its own tests do
            // not deny its servers then: it may be the operator who has changed something.
            let mut against = Findings::new();
            if choice.is_changed() && !self.places.is_candidate {
                against.absorb(global);
            } else {
                failing.absorb(global);
            }
            if choice.is_changed() && choice.last.is_some() {
                against.absorb(own);
            } else {
                choice.tests = Some(own).filter(Findings::has_errors);
            }
            if against.has_errors() {
                choice.refuse(LoadPolicyError::Tests(against));
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
        let configured = |name: &String, _: &mut GoodTeam| {
            let mut teams = self.places.teams.iter();
            teams.any(|team| team.name == *name)
        };
        good.teams.retain(configured);
        for choice in &teams {
            if let (TeamState::InForce, Some(files)) = (choice.state(), &choice.files) {
                let team = GoodTeam {
                    grant: Grant::of(choice.team),
                    last: self.confirmed(files),
                };
                good.teams.insert(choice.team.name.clone(), team);
            }
        }
        let teams = teams.into_iter().map(|choice| SettledTeam {
            name: choice.team.name.clone(),
            state: choice.state(),
            is_regranted: choice.last.is_some() && choice.good.is_none(),
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

/// Refuses global files that are those of a team too, which would not be confined at all. The team
/// cannot be at fault: once its files are refused, nobody else would notice.
fn files_apart(
    global: &PolicyFiles,
    found: &FoundPolicy,
    teams: &[TeamSettings],
) -> Result<(), LoadPolicyError> {
    let mut findings = Findings::new();
    for (team, files) in teams.iter().zip(&found.teams) {
        let files = files.as_ref().map_or(&[][..], |files| &files.policy);
        for source in files {
            if global.policy.iter().any(|own| own.name == source.name) {
                let id = findings.add_source(source.clone());
                refuse_shared(id, team, &mut findings);
            }
        }
    }
    if findings.has_errors() {
        return Err(LoadPolicyError::Invalid(findings));
    }
    Ok(())
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
