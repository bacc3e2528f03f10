//! What is kept on disk of the policy in force.

use jiff::Timestamp;

use super::PolicyStore;

impl PolicyStore {
    /// Whether what is in force is kept on disk.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.last_good.is_some()
    }

    /// Notes that what is in force is still what its owners want, so that a later start may use it.
    /// Files that cannot be used now are not noted.
    pub fn confirm(&self, now: Timestamp) {
        if self.last_good.is_none() {
            return;
        }
        let status = self.status();
        let mut good = self.good();
        if status.failing.is_none()
            && let Some(global) = &mut good.global
        {
            global.confirmed = now;
        }
        for team in status.teams.iter().filter(|team| team.failing.is_none()) {
            if let Some(good) = good.teams.get_mut(&team.name) {
                good.last.confirmed = now;
            }
        }
        drop(good);
        self.keep();
    }

    /// Keeps on disk what is in force, or is about to be, for a start with files that cannot be used.
    /// Where that fails, an older one is removed.
    pub fn keep(&self) {
        let Some(last_good) = &self.last_good else {
            return;
        };
        let good = self.good().clone();
        let result = last_good.save(&good);
        let mut status = self.locked();
        if let Err(error) = &result
            && status.last_good.failing.as_ref() != Some(error)
        {
            tracing::error!("the last good policy cannot be kept: {error}");
        }
        status.last_good.failing = result.err();
    }
}
