//! Taking a changed policy into force.
//!
//! The files are compared by content, not by notification: that works the same on local disks,
//! network volumes and Kubernetes volumes. A change is taken up only after two looks in a row
//! found the same content, because a file caught half-written could be a valid policy with its
//! last deny rules missing.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{LoadPolicyError, PolicyStore, read, read_tests};

/// How often the files are looked at: twice this is well within a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Watches the policy's files until the process ends, and reloads at once when told to.
///
/// `clock` gives the time that the reload's status shows.
pub async fn watch(
    store: Arc<PolicyStore>,
    mut reload_now: mpsc::Receiver<()>,
    clock: fn() -> jiff::Timestamp,
) {
    let mut looks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watched = Watched {
        taken: None,
        last: None,
    };
    watched.taken = look(&store).await;
    watched.last.clone_from(&watched.taken);
    loop {
        let due = tokio::select! {
            _ = looks.tick() => {
                let seen = look(&store).await;
                watched.is_due(seen)
            }
            asked = reload_now.recv() => {
                if asked.is_none() {
                    return;
                }
                watched.last = look(&store).await;
                watched.taken.clone_from(&watched.last);
                true
            }
        };
        if due {
            reload(&store, clock).await;
        }
    }
}

/// What was seen of the files; `None` inside stands for files that cannot be read.
type Seen = Option<Vec<u8>>;

struct Watched {
    /// The content that was last taken up, good or not.
    taken: Seen,
    /// The content at the last look.
    last: Seen,
}

impl Watched {
    fn is_due(&mut self, seen: Seen) -> bool {
        let settled = seen == self.last;
        let changed = seen != self.taken;
        self.last = seen;
        if settled && changed {
            self.taken.clone_from(&self.last);
        }
        settled && changed
    }
}

async fn look(store: &Arc<PolicyStore>) -> Seen {
    let path = store.path.clone();
    let digest = tokio::task::spawn_blocking(move || {
        // A mended test is a change too: the policy may have waited for it.
        let mut files = read(&path).ok()?;
        files.extend(read_tests(&path).ok()?);
        Some(digest(&files))
    });
    digest
        .await
        .ok()
        .flatten()
        .map(|digest| digest.as_ref().to_vec())
}

fn digest(files: &[crate::yaml::Source]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in files.iter().flat_map(|file| [&file.name, &file.text]) {
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish()
}

async fn reload(store: &Arc<PolicyStore>, clock: fn() -> jiff::Timestamp) {
    let loading = Arc::clone(store);
    let result = tokio::task::spawn_blocking(move || loading.reload(clock())).await;
    match result {
        Ok(Ok(())) => {
            tracing::info!(revision = %store.status().revision, "policy in force");
        }
        Ok(Err(error)) => report(store, &error),
        Err(error) => tracing::error!(%error, "the policy reload did not finish"),
    }
}

fn report(store: &PolicyStore, error: &LoadPolicyError) {
    let revision = store.status().revision;
    tracing::error!(%revision, "{error}; the policy in force stays");
    for line in error.lines() {
        tracing::error!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Seen {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn a_change_is_taken_up_once_and_only_when_it_has_settled() {
        let mut watched = Watched {
            taken: seen("a"),
            last: seen("a"),
        };
        let steps = [
            (seen("a"), false),
            (seen(""), false),
            (seen("b"), false),
            (seen("b"), true),
            (seen("b"), false),
            (None, false),
            (None, true),
            (None, false),
            (seen("b"), false),
            (seen("b"), true),
        ];
        for (step, (now, due)) in steps.into_iter().enumerate() {
            assert_eq!(watched.is_due(now), due, "step {step}");
        }
    }
}
