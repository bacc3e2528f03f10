//! Files that were in force, which those that cannot be used fall back to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::files::PolicyFiles;
use super::teams::TeamSettings;

/// What is delegated to a team: its last good rules count only under the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) files: String,
    servers: BTreeSet<String>,
    effects: BTreeSet<String>,
    classes: Option<BTreeSet<String>>,
}

impl Grant {
    pub(super) fn of(team: &TeamSettings) -> Self {
        let files = std::path::absolute(&team.files).unwrap_or_else(|_| team.files.clone());
        let classes = team.classes.as_ref();
        Grant {
            files: files.display().to_string(),
            servers: team.servers.iter().cloned().collect(),
            effects: team.effects.iter().map(|it| it.word().to_owned()).collect(),
            classes: classes.map(|classes| classes.iter().cloned().collect()),
        }
    }
}

/// Files of a team that were in force, and under which grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoodTeam {
    pub(super) grant: Grant,
    pub(super) last: GoodFiles,
}

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
    pub(super) teams: BTreeMap<String, GoodTeam>,
}
