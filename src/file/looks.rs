//! Work on a file system that may give no answer: a network volume that is away.
//!
//! A thread that waits for one cannot be ended. So it is given up: its result is never taken, and the
//! next look starts beside it, a few times. The threads serve nothing else, or are few of a pool that
//! does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::ReadError;

/// How long a look may take.
pub const LOOK_TIME_MAX: Duration = Duration::from_secs(5);
/// How long reading a file at the start may take.
pub const START_TIME_MAX: Duration = Duration::from_secs(10);

/// How many looks that do not end the next one follows at once.
const STUCK_AT_ONCE: usize = 3;
/// How long a further one waits; twice as long after each, up to [`LONG_PAUSE`].
const PAUSE: Duration = Duration::from_secs(5);
/// As many looks at one thing that do not end are many.
const MANY: usize = 16;
/// The same on threads that are shared, of which the runtime has 512.
const MANY_SHARED: usize = 8;
/// How long a further one waits behind many; twice as long after each, up to [`PAUSE_MAX`]. They
/// may never end though the file system works again, so there is always another one.
const LONG_PAUSE: Duration = Duration::from_mins(10);
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// Looks at one watched thing, one at a time.
#[derive(Debug)]
pub struct Looks {
    time_max: Duration,
    /// Whether the runtime's threads for blocking work are used.
    is_shared: bool,
    state: Arc<Mutex<LookState>>,
}

#[derive(Debug, Default)]
struct LookState {
    /// Looks whose threads have not ended.
    running: usize,
    /// Those of them that were there when a look last succeeded. They may never end, and say
    /// nothing of the file system as it is now.
    outlived: usize,
    /// When the last one began.
    begun: Option<Instant>,
}

impl LookState {
    /// How long after the end of the last look's time the next one may begin; none: at once.
    fn pause(&self, many: usize, is_urgent: bool) -> Option<Duration> {
        let stuck = self.running.saturating_sub(self.outlived);
        if stuck == 0 {
            return None;
        }
        if let Some(more) = self.running.checked_sub(many) {
            return Some(doubled(LONG_PAUSE, more).min(PAUSE_MAX));
        }
        let more = stuck.checked_sub(STUCK_AT_ONCE)?;
        (!is_urgent).then(|| doubled(PAUSE, more).min(LONG_PAUSE))
    }
}

fn doubled(pause: Duration, times: usize) -> Duration {
    let times = u32::try_from(times).unwrap_or(u32::MAX);
    pause.saturating_mul(2_u32.saturating_pow(times))
}

/// Held by a thread as long as it works.
struct LookPlace(Arc<Mutex<LookState>>);

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
    /// Behind three that have hung since a look last succeeded a further one waits, longer each
    /// time; an urgent one does not. Behind sixteen in all, eight on shared threads, both wait, from
    /// ten minutes up to a day, unless the last look succeeded. `None`: for that it was not begun,
    /// which says nothing of what is looked at.
    ///
    /// # Errors
    /// [`ReadError::Hangs`] when it was given up.
    pub async fn look<T: Send + 'static>(
        &self,
        is_urgent: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, ReadError> {
        let Some(place) = self.place(is_urgent) else {
            return Ok(None);
        };
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
            Ok(Ok(found)) => {
                let mut state = lock(&self.state);
                state.outlived = state.running;
                Ok(Some(found))
            }
            Ok(Err(_)) => Err(unfinished()),
            Err(_) => Err(ReadError::Hangs(self.time_max)),
        }
    }

    fn place(&self, is_urgent: bool) -> Option<LookPlace> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let many = if self.is_shared { MANY_SHARED } else { MANY };
        if let Some(pause) = state.pause(many, is_urgent) {
            let begun = state.begun?;
            if now.saturating_duration_since(begun) < self.time_max.saturating_add(pause) {
                return None;
            }
        }
        state.running = state.running.saturating_add(1);
        state.begun = Some(now);
        Some(LookPlace(Arc::clone(&self.state)))
    }

    /// Begins as many urgent looks that hang until what is returned is dropped, on a paused clock.
    #[cfg(test)]
    pub(crate) async fn hang(&self, count: usize) -> Vec<mpsc::Sender<()>> {
        let mut ends = Vec::new();
        for _ in 0..count {
            let before = lock(&self.state).running;
            let (end, ended) = mpsc::channel::<()>();
            let work = move || assert!(ended.recv().is_err());
            // Timers are rounded up to the next millisecond, and work on shared threads keeps the
            // clock from going there by itself.
            let over = tokio::time::advance(self.time_max + Duration::from_millis(1));
            let (hung, ()) = tokio::join!(self.look(true, work), over);
            assert!(matches!(hung, Err(ReadError::Hangs(_))), "{hung:?}");
            assert_eq!(lock(&self.state).running, before + 1);
            ends.push(end);
        }
        ends
    }
}

impl Drop for LookPlace {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.running = state.running.saturating_sub(1);
        state.outlived = state.outlived.min(state.running);
    }
}

/// What is locked is whole after every step, so a panic elsewhere did not spoil it.
fn lock(state: &Mutex<LookState>) -> MutexGuard<'_, LookState> {
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
        assert_eq!(looks.look(false, || 1).await.unwrap(), Some(1));
        let (end, work) = hanging(2);
        tokio::time::pause();
        let given_up = looks.look(false, work).await;
        assert!(matches!(given_up, Err(ReadError::Hangs(LOOK_TIME_MAX))));
        tokio::time::resume();
        assert_eq!(running(&looks), 1);
        assert_eq!(looks.look(false, || 3).await.unwrap(), Some(3), "beside it");
        drop(end);
        left(&looks, 0).await;
        assert_eq!(looks.look(false, || 4).await.unwrap(), Some(4));
    }

    #[tokio::test]
    async fn looks_that_hang_become_rare() {
        let looks = Looks::new(LOOK_TIME_MAX);
        tokio::time::pause();
        let start = Instant::now();
        let mut ends = Vec::new();
        let mut begun = Vec::new();
        while ends.len() < MANY + 2 {
            let (end, work) = hanging(0);
            // Not begun is no finding.
            if let Err(error) = looks.look(false, work).await {
                assert!(matches!(error, ReadError::Hangs(_)), "{error}");
                ends.push(end);
                begun.push(start.elapsed().as_secs());
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // Each is told of when its five seconds are over.
        assert_eq!(begun.get(..5), Some(&[5, 11, 17, 27, 42][..]));
        let pauses: Vec<u64> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(pauses[8..], [325, 605, 605, 605, 605, 605, 605, 605, 1205]);
        assert_eq!(running(&looks), ends.len());
    }

    #[tokio::test]
    async fn behind_many_that_hang_there_is_still_another_look_now_and_then() {
        for (looks, many) in [
            (Looks::new(LOOK_TIME_MAX), MANY),
            (Looks::shared(LOOK_TIME_MAX), MANY_SHARED),
        ] {
            tokio::time::pause();
            let mut ends = looks.hang(many).await;
            for is_urgent in [false, true] {
                assert_eq!(looks.look(is_urgent, || 0).await.unwrap(), None);
            }
            tokio::time::advance(LONG_PAUSE).await;
            ends.extend(looks.hang(1).await);
            tokio::time::advance(LONG_PAUSE).await;
            assert_eq!(looks.look(true, || 0).await.unwrap(), None);
            tokio::time::advance(LONG_PAUSE).await;
            tokio::time::resume();
            // Where one succeeds, those that still hang are no reason to wait.
            for number in 0..3 {
                assert_eq!(
                    looks.look(false, move || number).await.unwrap(),
                    Some(number)
                );
            }
            assert_eq!(running(&looks), many + 1);
            tokio::time::pause();
            ends.extend(looks.hang(1).await);
            assert_eq!(looks.look(true, || 0).await.unwrap(), None);
            tokio::time::resume();
            drop(ends);
            left(&looks, 0).await;
            assert_eq!(looks.look(false, || 5).await.unwrap(), Some(5));
        }
    }

    #[test]
    fn a_pause_ends_within_a_day() {
        let state = LookState {
            running: usize::MAX,
            ..LookState::default()
        };
        assert_eq!(state.pause(MANY, true), Some(PAUSE_MAX));
    }

    #[tokio::test]
    async fn looks_that_succeed_do_not_wait_for_those_before_that_still_hang() {
        let looks = Looks::new(LOOK_TIME_MAX);
        tokio::time::pause();
        let mut ends = looks.hang(STUCK_AT_ONCE).await;
        assert_eq!(looks.look(false, || 0).await.unwrap(), None);
        tokio::time::advance(PAUSE).await;
        tokio::time::resume();
        for number in 0..3 {
            assert_eq!(
                looks.look(false, move || number).await.unwrap(),
                Some(number)
            );
        }
        // It hangs again: three are begun at once, as at first.
        tokio::time::pause();
        ends.extend(looks.hang(STUCK_AT_ONCE).await);
        assert_eq!(looks.look(false, || 0).await.unwrap(), None);
        tokio::time::resume();
        // Ended looks count once.
        ends.drain(..=STUCK_AT_ONCE);
        left(&looks, STUCK_AT_ONCE - 1).await;
        assert_eq!(lock(&looks.state).outlived, STUCK_AT_ONCE - 1);
    }

    #[tokio::test]
    async fn what_is_urgent_does_not_wait_behind_those_that_hang() {
        let looks = Looks::new(LOOK_TIME_MAX);
        tokio::time::pause();
        let _ends = looks.hang(STUCK_AT_ONCE).await;
        tokio::time::resume();
        assert_eq!(looks.look(false, || 1).await.unwrap(), None);
        assert_eq!(looks.look(true, || 1).await.unwrap(), Some(1));
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
