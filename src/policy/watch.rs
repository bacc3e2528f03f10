//! Taking a changed policy into force.
//!
//! The files are compared by content, not by notification: that works the same on local disks,
//! network volumes and Kubernetes volumes. A change is taken up only after two looks in a row
//! found the same content, because a file caught half-written could be a valid policy with its
//! last deny rules missing.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{LoadPolicyError, PolicyStore, Sources, read_files};

/// How often the files are looked at: twice this is well within a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Watches the policy's files until nobody can ask for a reload any more, and reloads at once when
/// asked to.
///
/// `clock` gives the time that the reload's status shows.
pub async fn watch(
    store: Arc<PolicyStore>,
    mut reload_now: mpsc::Receiver<()>,
    clock: fn() -> jiff::Timestamp,
) {
    let mut looks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watched = Watched::new(store.opened.clone());
    loop {
        let is_asked = tokio::select! {
            _ = looks.tick() => false,
            asked = reload_now.recv() => match asked {
                Some(()) => true,
                None => return,
            },
        };
        let Some((seen, sources)) = look(&store).await else {
            continue;
        };
        // What was looked at is what is taken: read again, it might be another half-written file.
        if watched.is_due(seen, is_asked) {
            take(&store, sources, clock).await;
        }
    }
}

/// The digest of the files, or why they cannot be read.
pub(super) type Seen = Result<Vec<u8>, String>;

/// What tells one state of the files from another.
pub(super) fn seen(sources: &Sources) -> Seen {
    match sources {
        Ok(files) => {
            let mut context = Context::new(&SHA256);
            // A mended test is a change too: the policy may have waited for it.
            let all = files.policy.iter().chain(&files.tests);
            for part in all.flat_map(|file| [&file.name, &file.text]) {
                context.update(&part.len().to_le_bytes());
                context.update(part.as_bytes());
            }
            Ok(context.finish().as_ref().to_vec())
        }
        Err(error) => Err(error.to_string()),
    }
}

struct Watched {
    /// The content that was last taken up, good or not.
    taken: Seen,
    /// The content at the last look.
    last: Seen,
}

impl Watched {
    fn new(seen: Seen) -> Self {
        Watched {
            taken: seen.clone(),
            last: seen,
        }
    }

    /// Whether what is seen now is to be taken up: when that was asked for, or once it has changed
    /// and settled.
    fn is_due(&mut self, seen: Seen, is_asked: bool) -> bool {
        let settled = seen == self.last;
        let changed = seen != self.taken;
        self.last = seen;
        let is_due = is_asked || (settled && changed);
        if is_due {
            self.taken.clone_from(&self.last);
        }
        is_due
    }
}

async fn look(store: &Arc<PolicyStore>) -> Option<(Seen, Sources)> {
    let path = store.path.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let sources = read_files(&path);
        (seen(&sources), sources)
    });
    match looked.await {
        Ok(looked) => Some(looked),
        Err(error) => {
            tracing::error!(%error, "looking at the policy did not finish");
            None
        }
    }
}

async fn take(store: &Arc<PolicyStore>, sources: Sources, clock: fn() -> jiff::Timestamp) {
    let taking = Arc::clone(store);
    let result = tokio::task::spawn_blocking(move || taking.take(sources, clock())).await;
    match result {
        Ok(Ok(())) => tracing::info!(
            revision = %store.status().revision,
            rules = store.snapshot().rules().len(),
            "policy in force"
        ),
        Ok(Err(error)) => report(store, &error),
        Err(error) => tracing::error!(%error, "the policy reload did not finish"),
    }
}

fn report(store: &PolicyStore, error: &LoadPolicyError) {
    let revision = store.status().revision;
    match error {
        LoadPolicyError::Read(_) => {
            tracing::error!(%revision, "{error}; the policy in force stays");
        }
        LoadPolicyError::Invalid(_) | LoadPolicyError::Tests(_) => {
            tracing::error!(%revision, "{error}; the policy in force stays");
            for line in error.lines() {
                tracing::error!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of a file with this text; `!` before it makes it why it cannot be read.
    fn content(text: &str) -> Seen {
        match text.strip_prefix('!') {
            Some(cause) => Err(cause.to_owned()),
            None => Ok(text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn a_change_is_taken_up_once_and_only_when_it_has_settled() {
        let mut watched = Watched::new(content("a"));
        let steps = [
            (content("a"), false),
            (content(""), false),
            (content("b"), false),
            (content("b"), true),
            (content("b"), false),
            (content("!gone"), false),
            (content("!gone"), true),
            (content("!gone"), false),
            (content("!denied"), false),
            (content("!denied"), true),
            (content("b"), false),
            (content("b"), true),
            // Back where it was before anybody took it up.
            (content("c"), false),
            (content("b"), false),
            (content("b"), false),
        ];
        for (step, (now, due)) in steps.into_iter().enumerate() {
            assert_eq!(watched.is_due(now, false), due, "step {step}");
        }
    }

    #[test]
    fn what_is_asked_for_is_taken_up_at_once_and_not_again() {
        let mut watched = Watched::new(content("a"));
        let steps = [
            (content("a"), true, true),
            (content("b"), true, true),
            (content("b"), false, false),
            (content("c"), false, false),
            (content("c"), true, true),
            (content("c"), false, false),
        ];
        for (step, (now, asked, due)) in steps.into_iter().enumerate() {
            assert_eq!(watched.is_due(now, asked), due, "step {step}");
        }
    }
}
