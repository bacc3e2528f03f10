//! The files of all owners, as one look found them.

use std::path::Path;
use std::sync::Arc;

use super::files::{Owner, PolicyFiles, ReadPolicyError, Sources, read_files};
use super::teams::PolicyPlaces;

/// The files of one owner, or why they cannot be read.
pub(super) type FoundFiles = Result<Arc<PolicyFiles>, Arc<ReadPolicyError>>;

/// The files of a policy and its tests as one look found them, for [`PolicyStore::next`] to take.
///
/// [`PolicyStore::next`]: super::PolicyStore::next
#[derive(Debug, Clone)]
pub struct FoundPolicy {
    pub(super) global: FoundFiles,
    /// In the order of the teams.
    pub(super) teams: Vec<FoundFiles>,
}

impl FoundPolicy {
    /// Reads the files of a policy, and of its tests. May take as long as the file system does.
    #[must_use]
    pub fn read(places: &PolicyPlaces) -> Self {
        Self::read_by(places, read_files)
    }

    pub(super) fn read_by(places: &PolicyPlaces, read: impl Fn(Owner, &Path) -> Sources) -> Self {
        let found = |owner, path: &Path| read(owner, path).map(Arc::new).map_err(Arc::new);
        let teams = places.teams.iter();
        FoundPolicy {
            global: found(Owner::Operator, &places.path),
            teams: teams.map(|team| found(Owner::Team, &team.files)).collect(),
        }
    }

    /// None of the files could be read.
    pub(super) fn unread(places: &PolicyPlaces, error: ReadPolicyError) -> Self {
        let error = Arc::new(error);
        FoundPolicy {
            global: Err(Arc::clone(&error)),
            teams: places
                .teams
                .iter()
                .map(|_| Err(Arc::clone(&error)))
                .collect(),
        }
    }

    /// What tells this state of the files from another.
    #[must_use]
    pub fn state(&self) -> PolicyState {
        PolicyState {
            global: state_of(&self.global),
            teams: self.teams.iter().map(state_of).collect(),
        }
    }
}

/// The digest of the files, or why they cannot be read.
pub(super) type FilesState = Result<Vec<u8>, String>;

/// What tells one state of a policy's files from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyState {
    global: FilesState,
    teams: Vec<FilesState>,
}

impl PolicyState {
    /// No look gave an answer.
    pub(super) fn unanswered(error: &str) -> Self {
        PolicyState {
            global: Err(error.to_owned()),
            teams: Vec::new(),
        }
    }
}

fn state_of(files: &FoundFiles) -> FilesState {
    match files {
        Ok(files) => Ok(files.digest()),
        Err(error) => Err(error.to_string()),
    }
}

/// What earlier looks found, to tell the files of an owner that are still being written from those
/// of the others: an owner that never comes to rest holds up nobody else.
#[derive(Debug)]
pub(super) struct Looked {
    /// What the last look found.
    last: PolicyState,
    /// What has settled.
    settled: FoundPolicy,
}

impl Looked {
    pub(super) fn at(found: FoundPolicy) -> Self {
        Looked {
            last: found.state(),
            settled: found,
        }
    }

    /// Takes what a look found, and gives for each owner what two looks in a row have found.
    pub(super) fn settle(&mut self, found: &FoundPolicy) -> FoundPolicy {
        let state = found.state();
        if state.global == self.last.global {
            self.settled.global.clone_from(&found.global);
        }
        let owners = self.settled.teams.iter_mut().zip(&found.teams);
        for (at, (settled, found)) in owners.enumerate() {
            if state.teams.get(at) == self.last.teams.get(at) {
                settled.clone_from(found);
            }
        }
        self.last = state;
        self.settled.clone()
    }
}
