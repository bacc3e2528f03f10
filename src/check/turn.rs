//! Lets long bodies take turns, so that they do not hold up other checks.
//!
//! Parsing a body and deciding about it is synchronous, and the worker that does it serves nobody
//! else meanwhile. An ordinary body takes microseconds, the largest milliseconds. So at least one
//! worker is kept free of long bodies where there are two; the rest of the bodies wait in the order
//! in which they came. Between two long bodies a worker serves everything else that is ready. A
//! check waits until the deadline of the PEP; one that is given up leaves the queue.

use std::num::NonZero;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::request::Body;

/// The places at which long bodies are worked on.
#[derive(Debug)]
pub struct LongBodies {
    places: Semaphore,
}

/// The place of one body; none if it is short and needs none. Dropping it gives the place to the
/// next in line.
#[must_use]
#[derive(Debug)]
pub(super) struct BodyTurn<'t> {
    place: Option<SemaphorePermit<'t>>,
}

impl LongBodies {
    /// Places for a process with so many workers: all but one of them, and at least one.
    #[must_use]
    pub fn new(workers: NonZero<usize>) -> Self {
        let places = workers.get().saturating_sub(1).max(1);
        LongBodies {
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Waits for the turn of a body. A short one does not wait.
    pub(super) async fn turn(&self, body: Body<'_>) -> BodyTurn<'_> {
        let place = if is_long(body) {
            // INVARIANT: never closed.
            self.places.acquire().await.ok()
        } else {
            None
        };
        BodyTurn { place }
    }
}

impl BodyTurn<'_> {
    /// Lets the worker serve what else is ready before it goes on with a long body, or with the
    /// next one: to be called before the place is given up, since the next in line is ready too.
    /// Whether it did.
    pub(super) async fn pause(&self) -> bool {
        let is_long = self.place.is_some();
        if is_long {
            tokio::task::yield_now().await;
        }
        is_long
    }
}

/// Whether a body takes long enough to have to wait for its turn.
pub(super) fn is_long(body: Body<'_>) -> bool {
    match body {
        Body::Absent => false,
        Body::Bytes(body) | Body::Lossy(body) => body.len() > BYTES_WITHOUT_A_TURN,
    }
}

/// What is read in some tens of microseconds, or in a millisecond and a half if it has as many keys
/// as it can.
const BYTES_WITHOUT_A_TURN: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    const LONG: &[u8] = &[b' '; BYTES_WITHOUT_A_TURN + 1];
    const SHORT: &[u8] = &[b' '; BYTES_WITHOUT_A_TURN];

    fn places(workers: usize) -> usize {
        let bodies = LongBodies::new(NonZero::new(workers).unwrap());
        bodies.places.available_permits()
    }

    #[test]
    fn one_worker_is_left_free_where_there_are_two() {
        assert_eq!([1, 2, 3, 16].map(places), [1, 1, 2, 15]);
        assert_eq!(places(usize::MAX), Semaphore::MAX_PERMITS);
    }

    /// What was done in which order, on one thread as each worker is.
    type Done = Arc<Mutex<Vec<String>>>;

    async fn check(bodies: Arc<LongBodies>, body: &'static [u8], name: String, done: Done) {
        let turn = bodies.turn(Body::Bytes(body)).await;
        done.lock().unwrap().push(format!("{name} read"));
        turn.pause().await;
        done.lock().unwrap().push(format!("{name} judged"));
        turn.pause().await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_short_body_waits_for_no_more_than_one_long_one() {
        let bodies = Arc::new(LongBodies::new(NonZero::<usize>::MIN));
        let done = Done::default();
        let mut checks = tokio::task::JoinSet::new();
        for number in 0..5 {
            let name = format!("long {number}");
            checks.spawn(check(Arc::clone(&bodies), LONG, name, Arc::clone(&done)));
        }
        let name = "short".to_owned();
        checks.spawn(check(Arc::clone(&bodies), SHORT, name, Arc::clone(&done)));
        checks.join_all().await;
        let done = done.lock().unwrap();
        let (first, rest) = done.split_at(3);
        assert_eq!(first, ["long 0 read", "short read", "short judged"]);
        let long = rest.iter().filter(|step| step.ends_with("read"));
        let long: Vec<_> = long.map(String::as_str).collect();
        let expected = ["long 1 read", "long 2 read", "long 3 read", "long 4 read"];
        assert_eq!(long, expected, "in the order in which they came");
    }

    /// A task that becomes ready between two long bodies runs before the second.
    #[tokio::test(flavor = "current_thread")]
    async fn what_comes_meanwhile_is_served_between_two_long_bodies() {
        let bodies = Arc::new(LongBodies::new(NonZero::<usize>::MIN));
        let done = Done::default();
        let mut checks = tokio::task::JoinSet::new();
        for number in 0..2 {
            let name = format!("long {number}");
            checks.spawn(check(Arc::clone(&bodies), LONG, name, Arc::clone(&done)));
        }
        // Ready only once the first was read.
        let (seen, late) = (Arc::clone(&done), Arc::clone(&done));
        checks.spawn(async move {
            while seen.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            late.lock().unwrap().push("late".to_owned());
        });
        checks.join_all().await;
        let done = done.lock().unwrap();
        let place = |step: &str| done.iter().position(|one| one == step).unwrap();
        assert!(place("late") < place("long 1 read"), "{done:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_that_is_given_up_leaves_the_queue() {
        let bodies = LongBodies::new(NonZero::<usize>::MIN);
        let first = bodies.turn(Body::Bytes(LONG)).await;
        {
            let mut given_up = std::pin::pin!(bodies.turn(Body::Bytes(LONG)));
            let poll =
                std::future::poll_fn(|cx| std::task::Poll::Ready(given_up.as_mut().poll(cx)));
            assert!(poll.await.is_pending());
        }
        drop(first);
        let next = bodies.turn(Body::Bytes(LONG)).await;
        assert!(next.place.is_some());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_short_body_takes_no_place() {
        let bodies = LongBodies::new(NonZero::<usize>::MIN);
        let _long = bodies.turn(Body::Bytes(LONG)).await;
        for body in [Body::Absent, Body::Bytes(SHORT), Body::Lossy(SHORT)] {
            assert!(bodies.turn(body).await.place.is_none());
        }
    }
}
