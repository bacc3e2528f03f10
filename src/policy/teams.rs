//! Which files are whose: those of the operator, and those of teams to whom a part is delegated.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the files of a policy are, and what happens where they cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPlaces {
    /// The global files: one, a directory or a glob.
    pub path: PathBuf,
    /// The teams, whose servers are disjoint.
    pub teams: Vec<TeamSettings>,
    /// Where the last good policy is kept for the next start.
    pub last_good: Option<LastGoodSettings>,
    /// Whether it is a candidate, which is evaluated and never enforced.
    pub is_candidate: bool,
}

impl PolicyPlaces {
    /// What the policy is called in the configuration, for log lines.
    #[must_use]
    pub fn key(&self) -> &'static str {
        if self.is_candidate {
            "candidate_policy"
        } else {
            "policy"
        }
    }
}

/// A policy in force without teams, which is not kept on disk.
impl<P: Into<PathBuf>> From<P> for PolicyPlaces {
    fn from(path: P) -> Self {
        PolicyPlaces {
            path: path.into(),
            teams: Vec::new(),
            last_good: None,
            is_candidate: false,
        }
    }
}

/// What the files of a team may speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamSettings {
    /// Its name, which prefixes the ids of its rules.
    pub name: String,
    /// Its files: one, a directory or a glob.
    pub files: PathBuf,
    /// The servers that its rules apply to. No other team has any of them.
    pub servers: Vec<String>,
    /// What its rules may do.
    pub effects: Vec<TeamEffect>,
    /// The classes that its rules and tables may name; none: any.
    pub classes: Option<Vec<String>>,
    /// The headers that its rules may set.
    pub headers: Vec<String>,
    /// The metadata that its rules may set.
    pub metadata: Vec<String>,
    /// The lints that its files may silence.
    pub silence: Vec<&'static str>,
    /// What is in force where its files cannot be used.
    pub on_error: OnError,
}

impl TeamSettings {
    /// A team whose rules may do everything on its servers but set headers and metadata, and silence
    /// no lints.
    #[must_use]
    pub fn new(name: &str, files: &Path, servers: &[&str]) -> Self {
        TeamSettings {
            name: name.to_owned(),
            files: files.to_owned(),
            servers: servers.iter().map(|&server| server.to_owned()).collect(),
            effects: TeamEffect::ALL.to_vec(),
            classes: None,
            headers: Vec::new(),
            metadata: Vec::new(),
            silence: Vec::new(),
            on_error: OnError::Keep,
        }
    }

    /// The id of one of its rules, as everything but its own files has it.
    #[must_use]
    pub fn id(&self, own: &str) -> String {
        format!("{}/{own}", self.name)
    }

    /// Whether a server is one of the team's.
    #[must_use]
    pub fn has(&self, server: &str) -> bool {
        self.servers.iter().any(|own| own == server)
    }
}

/// An effect that may be granted to a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamEffect {
    /// `allow`.
    Allow,
    /// `deny`.
    Deny,
    /// `require`.
    Require,
    /// `limit`.
    Limit,
}

impl TeamEffect {
    /// Every effect.
    pub const ALL: [TeamEffect; 4] = [
        TeamEffect::Allow,
        TeamEffect::Deny,
        TeamEffect::Require,
        TeamEffect::Limit,
    ];

    /// The word in a file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TeamEffect::Allow => "allow",
            TeamEffect::Deny => "deny",
            TeamEffect::Require => "require",
            TeamEffect::Limit => "limit",
        }
    }
}

/// What is in force where a team's files cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Its last good rules; without any, its servers deny everything.
    Keep,
    /// Its servers deny everything.
    Deny,
}

impl OnError {
    /// The word in a file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            OnError::Keep => "keep",
            OnError::Deny => "deny",
        }
    }
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

/// Where the last good policy is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGoodSettings {
    /// The directory.
    pub dir: PathBuf,
    /// How long after it was last known to be good a start may still use it.
    pub max_age: Duration,
}

impl LastGoodSettings {
    /// The default of `max_age`.
    pub const MAX_AGE: Duration = Duration::from_hours(24 * 7);
}
