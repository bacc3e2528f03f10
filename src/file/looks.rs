//! Work on a file system that may give no answer: a network volume that is away.
//!
//! Nothing can end a thread that waits for one. So it is given up: its result is never taken, and
//! the next look starts beside it, a few times. The threads are nobody else's, or few of those that
//! are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ReadError;

/// How long a look may take.
pub const LOOK_TIME_MAX: Duration = Duration::from_secs(5);
/// How long reading a file at the start may take.
pub const START_TIME_MAX: Duration = Duration::from_secs(10);

/// How many looks that do not end the next one follows at once.
const STUCK_AT_ONCE: usize = 3;
/// How long a further one waits; twice as long after each.
const PAUSE: Duration = Duration::from_secs(5);
/// The most looks at one thing that do not end.
const STUCK_MAX: usize = 16;
/// The same on threads that are shared, of which the runtime has 512.
const STUCK_SHARED_MAX: usize = 8;

/// Looks at one watched thing, one at a time.
#[derive(Debug)]
pub struct Looks {
    time_max: Duration,
    /// Whether the runtime's threads for blocking work are used.
    is_shared: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Looks whose threads have not ended.
    running: usize,
    /// When the last one began.
    begun: Option<Instant>,
}

/// Held by a thread as long as it works.
struct Place(Arc<Mutex<State>>);

impl Looks {
    /// Looks that are given up after this time.
    #[must_use]
    pub fn new(time_max: Duration) -> Self {
        Looks {
            time_max,
            is_shared: false,
            state: Arc::default(),
        }
    }

    /// The same on the runtime's threads for blocking work: few of them, and a clock that tests
    /// pause waits for them.
    #[must_use]
    pub fn shared(time_max: Duration) -> Self {
        Looks {
            is_shared: true,
            ..Looks::new(time_max)
        }
    }

    /// Does the work on a thread of its own. After [`Looks::new`]'s time, or when this is dropped,
    /// it is given up: it may go on, but its result is not taken.
    ///
    /// Behind three that have not ended a further one waits, longer each time; one that is asked
    /// for does not. There are never more than sixteen, eight on shared threads.
    ///
    /// # Errors
    /// [`ReadError::Hangs`] when it was given up, or was not begun because others hang.
    pub async fn look<T: Send + 'static>(
        &self,
        is_asked: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let hangs = || ReadError::Hangs(self.time_max);
        let place = self.place(is_asked).ok_or_else(hangs)?;
        let (done, result) = oneshot::channel();
        let work = move || {
            let found = work();
            drop(place);
            if done.send(found).is_err() {
                tracing::debug!("a look that was given up has ended");
            }
        };
        if self.is_shared {
            drop(tokio::task::spawn_blocking(work));
        } else {
            thread::Builder::new()
                .name("files".to_owned())
                .spawn(work)?;
        }
        match tokio::time::timeout(self.time_max, result).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) => Err(unfinished()),
            Err(_) => Err(hangs()),
        }
    }

    fn place(&self, is_asked: bool) -> Option<Place> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let most = if self.is_shared {
            STUCK_SHARED_MAX
        } else {
            STUCK_MAX
        };
        if state.running >= most {
            return None;
        }
        if let Some(doublings) = state.running.checked_sub(STUCK_AT_ONCE) {
            let doublings = u32::try_from(doublings).unwrap_or(u32::MAX);
            let pause = PAUSE.saturating_mul(2_u32.saturating_pow(doublings));
            let since = state
                .begun
                .map(|begun| now.saturating_duration_since(begun));
            let is_due = since.is_none_or(|since| since >= self.time_max.saturating_add(pause));
            if !is_due && !is_asked {
                return None;
            }
        }
        state.running = state.running.saturating_add(1);
        state.begun = Some(now);
        Some(Place(Arc::clone(&self.state)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.running = state.running.saturating_sub(1);
    }
}

/// What is locked is whole after every step, so a panic elsewhere did not spoil it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unfinished() -> ReadError {
    ReadError::Other(std::io::Error::other("reading it did not finish"))
}

/// Does the work on a thread of its own and waits for it, for this long at most.
///
/// # Errors
/// [`ReadError::Hangs`] when it takes longer.
pub fn within<T: Send + 'static>(
    time_max: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    let (done, result) = mpsc::channel();
    thread::Builder::new()
        .name("files".to_owned())
        .spawn(move || done.send(work()).is_ok())?;
    result.recv_timeout(time_max).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => ReadError::Hangs(time_max),
        mpsc::RecvTimeoutError::Disconnected => unfinished(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work that hangs until the sender goes, and then gives this.
    fn hanging(result: u32) -> (mpsc::Sender<()>, impl FnOnce() -> u32 + Send + 'static) {
        let (end, ended) = mpsc::channel::<()>();
        (end, move || {
            assert!(ended.recv().is_err());
            result
        })
    }

    fn running(looks: &Looks) -> usize {
        lock(&looks.state).running
    }

    /// Waits in real time for threads to end.
    async fn left(looks: &Looks, count: usize) {
        while running(looks) > count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_given_up_and_its_result_is_never_taken() {
        let looks = Looks::new(LOOK_TIME_MAX);
        assert_eq!(looks.look(false, || 1).await.unwrap(), 1);
        let (end, work) = hanging(2);
        tokio::time::pause();
        let given_up = looks.look(false, work).await;
        assert!(matches!(given_up, Err(ReadError::Hangs(LOOK_TIME_MAX))));
        tokio::time::resume();
        assert_eq!(running(&looks), 1);
        assert_eq!(looks.look(false, || 3).await.unwrap(), 3, "beside it");
        drop(end);
        left(&looks, 0).await;
        assert_eq!(looks.look(false, || 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn looks_that_hang_become_rare_and_end_at_a_number() {
        let looks = Looks::new(LOOK_TIME_MAX);
        tokio::time::pause();
        let start = Instant::now();
        let mut ends = Vec::new();
        let mut begun = Vec::new();
        while ends.len() < STUCK_MAX {
            let (end, work) = hanging(0);
            let before = running(&looks);
            assert!(looks.look(false, work).await.is_err());
            if running(&looks) > before {
                ends.push(end);
                begun.push(start.elapsed().as_secs());
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // Each is told of when its five seconds are over.
        assert_eq!(begun.get(..5), Some(&[5, 11, 17, 27, 42][..]));
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        for is_asked in [false, true] {
            assert!(looks.look(is_asked, || 0).await.is_err());
            assert_eq!(running(&looks), STUCK_MAX);
        }
        ends.pop();
        tokio::time::resume();
        left(&looks, STUCK_MAX - 1).await;
        assert_eq!(looks.look(false, || 5).await.unwrap(), 5);
        drop(ends);
        left(&looks, 0).await;
    }

    #[tokio::test]
    async fn what_is_asked_for_does_not_wait_behind_those_that_hang() {
        let looks = Looks::new(LOOK_TIME_MAX);
        tokio::time::pause();
        let mut ends = Vec::new();
        for _ in 0..STUCK_AT_ONCE {
            let (end, work) = hanging(0);
            assert!(looks.look(false, work).await.is_err());
            ends.push(end);
        }
        tokio::time::resume();
        assert!(looks.look(false, || 1).await.is_err());
        assert_eq!(looks.look(true, || 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn work_that_panics_leaves_no_place_taken() {
        let looks = Looks::new(LOOK_TIME_MAX);
        let failed = looks.look(false, || assert!(ends_badly())).await;
        assert!(matches!(failed, Err(ReadError::Other(_))), "{failed:?}");
        left(&looks, 0).await;
    }

    fn ends_badly() -> bool {
        false
    }

    #[test]
    fn what_hangs_at_the_start_is_an_error() {
        let (end, work) = hanging(1);
        let failed = within(Duration::from_millis(1), work);
        assert!(matches!(failed, Err(ReadError::Hangs(_))), "{failed:?}");
        drop(end);
        assert_eq!(within(START_TIME_MAX, || 2).unwrap(), 2);
    }
}
