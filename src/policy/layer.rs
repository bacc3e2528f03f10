//! A policy in layers: the global files, and those of each team.

use super::teams::TeamSettings;
use crate::authz::{About, Effect, Mode, Rule, What};
use crate::yaml::{Findings, Source, SourceId};

/// The id of the rule by which the servers of a team without usable files deny everything, below the
/// name of the team.
const DENIAL: &str = "no-usable-policy";
/// What its callers are told.
const DENIAL_MESSAGE: &str =
    "The access rules of this server cannot be used at the moment, so everything is denied.";

/// Files of one owner.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'f> {
    /// The team; none: the operator.
    pub team: Option<&'f TeamSettings>,
    /// The files; none: there are none that can be used.
    pub files: Option<&'f [Source]>,
    /// Where there are none: the files that were the team's last, for the names of its classes.
    pub last: Option<&'f [Source]>,
}

impl<'f> Layer<'f> {
    /// The files of the operator.
    #[must_use]
    pub fn global(files: &'f [Source]) -> Self {
        Layer {
            team: None,
            files: Some(files),
            last: None,
        }
    }

    /// The files of a team, if they can be used.
    #[must_use]
    pub fn of_team(team: &'f TeamSettings, files: Option<&'f [Source]>) -> Self {
        Layer {
            team: Some(team),
            files,
            last: None,
        }
    }

    /// A team whose servers deny everything. Rules of others may name the classes in its last files.
    #[must_use]
    pub fn denied(team: &'f TeamSettings, last: Option<&'f [Source]>) -> Self {
        Layer {
            team: Some(team),
            files: None,
            last,
        }
    }

    pub(super) fn sources(&self) -> &'f [Source] {
        self.files.unwrap_or_default()
    }

    /// The files, or those that were the team's last.
    pub(super) fn known(&self) -> &'f [Source] {
        self.files.or(self.last).unwrap_or_default()
    }

    /// The rule that stands for the rules of a team that has no usable files.
    pub(super) fn denial(&self) -> Option<Rule> {
        let team = self.team.filter(|_| self.files.is_none())?;
        let servers = team.servers.iter().map(|server| server.as_str().into());
        Some(Rule {
            id: team.id(DENIAL).into(),
            effect: Effect::Deny,
            mode: Mode::Enforce,
            who: None,
            what: Some(What {
                servers: Some(servers.collect()),
                ..What::default()
            }),
            when: None,
            place: None,
            why: None,
            expression: None,
            set: None,
            message: Some(DENIAL_MESSAGE.into()),
            about: About::default(),
        })
    }
}

/// Refuses a file that is one of a team and of somebody else.
pub(super) fn refuse_shared(file: SourceId, team: &TeamSettings, findings: &mut Findings) {
    let message = format!("the file is one of the team `{}` too", team.name);
    let help = "`policy` and `policies` have to name different files";
    findings.error_at(file, 0..0, message, help);
}

/// The findings in files of several owners.
#[derive(Debug, Default)]
pub struct LayerFindings {
    pub(super) all: Findings,
    /// The files, with the name of the team of each.
    owners: Vec<(SourceId, Option<String>)>,
}

impl LayerFindings {
    /// All of them.
    #[must_use]
    pub fn into_findings(self) -> Findings {
        self.all
    }

    /// Takes a file of a layer in.
    pub(super) fn add(&mut self, layer: &Layer<'_>, source: &Source) -> SourceId {
        let id = self.all.add_source(source.clone());
        if let Some(team) = layer.team {
            self.all.set_team(id, &team.name);
        }
        self.owners
            .push((id, layer.team.map(|team| team.name.clone())));
        id
    }

    /// The findings in the files of a team, or in the global ones.
    #[must_use]
    pub fn of(&self, team: Option<&TeamSettings>) -> Findings {
        let name = team.map(|team| &team.name);
        let is_own = |id: SourceId| {
            let mut owners = self.owners.iter();
            owners.any(|(own, owner)| *own == id && owner.as_ref() == name)
        };
        self.all.in_sources(is_own)
    }
}
