//! Writes that take turns, each for a limited time: a file system that hangs holds up nothing, and what
//! is late never replaces what is newer.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::file;

/// The most writes that wait for their turn, one that hangs included.
const WAITING_MAX: usize = 2;

/// The turns of one file. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    turn: Mutex<()>,
    newest: AtomicU64,
    waiting: AtomicUsize,
}

impl Turns {
    /// Does a write after those before it, unless a newer one has come meanwhile.
    ///
    /// # Errors
    /// That of the write, or that there is no result after so much time.
    pub(super) fn take(
        &self,
        time_max: Duration,
        write: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let Turns(shared) = self;
        let number = shared.newest.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        if shared.waiting.fetch_add(1, Ordering::SeqCst) >= WAITING_MAX {
            shared.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err("earlier writes still hang".to_owned());
        }
        let own = Arc::clone(shared);
        let written = file::within(time_max, move || {
            let turn = own.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let is_newest = own.newest.load(Ordering::SeqCst) == number;
            let written = if is_newest { write() } else { Ok(()) };
            drop(turn);
            own.waiting.fetch_sub(1, Ordering::SeqCst);
            written
        });
        written.unwrap_or_else(|_| Err(format!("there is no result after {time_max:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(30);

    #[test]
    fn a_write_that_hangs_is_given_up_and_replaces_nothing_newer() {
        let turns = Turns::default();
        let (written, order) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let of = |name: &'static str| {
            let written = written.clone();
            move || written.send(name).map_err(|error| error.to_string())
        };
        let first = of("first");
        let hangs = turns.take(SOON, move || {
            assert!(ended.recv().is_err());
            first()
        });
        assert!(hangs.is_err());
        assert!(turns.take(SOON, of("second")).is_err());
        assert_eq!(
            turns.take(LATE, of("third")),
            Err("earlier writes still hang".to_owned())
        );
        drop(end);
        while turns.0.waiting.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(turns.take(LATE, of("fourth")), Ok(()));
        drop(written);
        assert_eq!(order.iter().collect::<Vec<_>>(), ["first", "fourth"]);
    }

    #[test]
    fn the_error_of_a_write_is_told() {
        let failed = Turns::default().take(LATE, || Err("full".to_owned()));
        assert_eq!(failed, Err("full".to_owned()));
    }
}
