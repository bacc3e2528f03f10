//! Taking changed records into force.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::Catalog;

/// How often the files are looked at: a change is in force after two looks that found the same.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Catalog {
    /// Reads records again when they change, and all of them at once when asked to, until nobody
    /// can ask any more. `clock` gives the time since when one is failing; `reloaded` is called
    /// whenever they were read.
    pub async fn watch(
        self: Arc<Self>,
        mut asked: mpsc::Receiver<()>,
        clock: fn() -> Timestamp,
        reloaded: impl Fn(&Self) + Send,
    ) {
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = Watched::default();
        loop {
            let is_asked = tokio::select! {
                _ = looks.tick() => false,
                asked = asked.recv() => match asked {
                    Some(()) => true,
                    None => return,
                },
            };
            if !watched.is_due(self.look().await, is_asked) {
                continue;
            }
            let catalog = Arc::clone(&self);
            let reload = tokio::task::spawn_blocking(move || catalog.reload(clock()));
            match reload.await {
                Ok(()) => reloaded(&self),
                Err(error) => tracing::error!(%error, "reading recorded tools did not finish"),
            }
        }
    }

    /// What tells one state of the files from another, in an order that stays.
    async fn look(&self) -> Vec<Option<Seen>> {
        let mut seen = Vec::new();
        for known in self.servers.values() {
            if let Some(path) = &known.path {
                seen.push(look(path).await);
            }
        }
        seen
    }
}

/// What was seen of the files; nothing before the first look, so that what changed between the
/// start and then is taken up too.
#[derive(Debug, Default)]
struct Watched {
    /// At the last time they were read.
    taken: Vec<Option<Seen>>,
    /// At the last look.
    last: Vec<Option<Seen>>,
}

impl Watched {
    /// Whether the files are to be read: when that was asked for, or once they have changed and
    /// settled.
    fn is_due(&mut self, seen: Vec<Option<Seen>>, is_asked: bool) -> bool {
        let is_settled = seen == self.last;
        self.last = seen;
        let is_due = is_asked || (is_settled && self.last != self.taken);
        if is_due {
            self.taken.clone_from(&self.last);
        }
        is_due
    }
}

/// The length of a file and when it changed.
type Seen = (u64, Duration);

/// None if it is not there.
async fn look(path: &Path) -> Option<Seen> {
    let found = tokio::fs::metadata(path).await.ok()?;
    let changed = found.modified().ok()?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((found.len(), since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_once_they_have_changed_and_settled() {
        let mut watched = Watched::default();
        let at = |second| vec![Some((1, Duration::from_secs(second))), None];
        for (step, (seen, is_asked, is_due)) in [
            (at(1), false, false),
            (at(1), false, true),
            (at(1), false, false),
            (at(2), false, false),
            (at(3), false, false),
            (at(3), false, true),
            (vec![None, None], false, false),
            (vec![None, None], false, true),
            (at(4), true, true),
            (at(4), false, false),
            (at(4), true, true),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(watched.is_due(seen, is_asked), is_due, "step {step}");
        }
        let mut nothing = Watched::default();
        assert!(!nothing.is_due(Vec::new(), false) && !nothing.is_due(Vec::new(), false));
    }
}
