//! How much memory the conditions of one owner's rules may take.
//!
//! Each owner has a part of its own, so that what is too large is the fault of one.

/// Of the global files, in bytes.
const GLOBAL_MAX: usize = 256 << 20;
/// Of a team.
const TEAM_MAX: usize = 64 << 20;
/// Of all teams together: where they are many, each may take less.
const TEAMS_MAX: usize = 1 << 30;

/// What is left for the conditions of one owner.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The longest condition, as it is written.
    pub(super) cel_bytes_max: usize,
    max: usize,
    left: usize,
    /// Whether more was asked for than was left.
    pub(super) is_spent: bool,
}

impl Budget {
    /// Of the global files, or of one of so many teams.
    pub(crate) fn new(cel_bytes_max: usize, of_teams: Option<usize>) -> Self {
        let max = of_teams.map_or(GLOBAL_MAX, |teams| {
            let share = TEAMS_MAX.checked_div(teams).unwrap_or(TEAM_MAX);
            share.min(TEAM_MAX)
        });
        Budget {
            cel_bytes_max,
            max,
            left: max,
            is_spent: false,
        }
    }

    /// Takes some of it. The message if there is not as much left.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        if let Some(left) = self.left.checked_sub(bytes) {
            self.left = left;
            return Ok(());
        }
        self.is_spent = true;
        Err(format!(
            "up to here, the conditions of these files take more than {} MiB of memory",
            self.max >> 20
        ))
    }
}
