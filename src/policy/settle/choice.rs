//! Which files of a team are tried, one after the other.

use std::sync::Arc;

use crate::policy::files::PolicyFiles;
use crate::policy::found::FoundFiles;
use crate::policy::good::{Good, GoodTeam, Grant};
use crate::policy::layer::Layer;
use crate::policy::load_error::LoadPolicyError;
use crate::policy::teams::{OnError, TeamSettings, TeamState};
use crate::yaml::Findings;

/// Which files of a team are tried.
pub(super) struct Choice<'c> {
    pub(super) team: &'c TeamSettings,
    /// What was found, if it can be read.
    pub(super) found: Option<Arc<PolicyFiles>>,
    /// What is tried now; none: its servers deny everything.
    pub(super) files: Option<Arc<PolicyFiles>>,
    /// Its last good files, if they were in force under the same name and grant.
    pub(super) good: Option<Arc<PolicyFiles>>,
    /// Its last good files, whatever the name and the grant: they tell what the team has changed.
    pub(super) last: Option<Arc<PolicyFiles>>,
    /// Why the files that were found are not tried any more.
    pub(super) refused: Option<LoadPolicyError>,
    pub(super) tests: Option<Findings>,
}

impl<'c> Choice<'c> {
    pub(super) fn first(team: &'c TeamSettings, found: &FoundFiles, good: &Good) -> Self {
        let grant = Grant::of(team);
        let named = good.teams.get(&team.name);
        let granted = named.filter(|good| good.grant == grant);
        // It may have had another name.
        let is_of_files = |good: &&GoodTeam| good.grant.files == grant.files;
        let known = named.into_iter().chain(good.teams.values());
        let known = known.into_iter().find(is_of_files);
        let files = |good: &GoodTeam| Arc::clone(&good.last.files);
        let mut choice = Choice {
            team,
            found: found.as_ref().ok().cloned(),
            files: None,
            good: granted.map(files),
            last: known.map(files),
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

    pub(super) fn refuse(&mut self, error: LoadPolicyError) {
        self.files = self.next();
        self.refused.get_or_insert(error);
    }

    /// Whether the files that are tried are others than were in force.
    pub(super) fn is_changed(&self) -> bool {
        self.files.is_some() && self.files != self.last
    }

    pub(super) fn state(&self) -> TeamState {
        match (&self.files, &self.refused) {
            (None, _) => TeamState::Denied,
            (Some(_), Some(_)) => TeamState::LastGood,
            (Some(_), None) => TeamState::InForce,
        }
    }

    /// The same files.
    pub(super) fn again(&self) -> Choice<'c> {
        Choice {
            team: self.team,
            found: self.found.clone(),
            files: self.files.clone(),
            good: self.good.clone(),
            last: self.last.clone(),
            refused: None,
            tests: None,
        }
    }

    /// The files that are tried where a change is refused.
    pub(super) fn without_change(&self) -> Choice<'c> {
        Choice {
            files: self.next(),
            ..self.again()
        }
    }
}

/// The layers of these global files and those that are tried of the teams.
pub(super) fn layers<'f>(global: &'f PolicyFiles, teams: &'f [Choice<'f>]) -> Vec<Layer<'f>> {
    let teams = teams.iter().map(|choice| {
        if let Some(files) = &choice.files {
            return Layer::of_team(choice.team, Some(&files.policy));
        }
        let last = choice.last.as_ref().or(choice.found.as_ref());
        Layer::denied(choice.team, last.map(|files| files.policy.as_slice()))
    });
    std::iter::once(Layer::global(&global.policy))
        .chain(teams)
        .collect()
}
