use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::set::Acceptable;
use super::*;
use crate::authn::fixtures::{P256, jwks};

const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;
const TIMEOUT: Duration = Duration::from_secs(3);
const WAIT: Duration = Duration::from_millis(300);

/// A source whose fetches end when the test says so.
struct Scripted {
    started: Arc<AtomicUsize>,
    outcomes: mpsc::UnboundedReceiver<Result<KeySet, FetchError>>,
}

impl FetchKeys for Scripted {
    async fn fetch(&mut self) -> Result<KeySet, FetchError> {
        self.started.fetch_add(1, Ordering::SeqCst);
        match self.outcomes.recv().await {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

/// A running actor. Time is paused and moves only by [`Bench::pass`].
struct Bench {
    keys: Arc<IssuerKeys>,
    started: Arc<AtomicUsize>,
    outcomes: mpsc::UnboundedSender<Result<KeySet, FetchError>>,
    reload: mpsc::Sender<()>,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
}

impl Bench {
    fn new() -> Self {
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let started = Arc::new(AtomicUsize::new(0));
        let source = Scripted {
            started: Arc::clone(&started),
            outcomes: receiver,
        };
        let times = FetchTimes {
            timeout: TIMEOUT,
            wait: WAIT,
        };
        let (mut refresher, keys) =
            Refresher::new("i".into(), source, KeySettings::default(), times);
        let (reload, asked) = mpsc::channel(1);
        refresher.asked = Some(asked);
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(refresher.run(async {
            stopped.await.ok();
        }));
        Self {
            keys: Arc::new(keys),
            started,
            outcomes,
            reload,
            stop: Some(stop),
            tasks,
        }
    }

    /// An actor that has the key `k1`.
    async fn loaded() -> Self {
        let bench = Self::new();
        bench.answer(Ok(set(&["k1"]))).await;
        bench
    }

    /// Lets every task run until all wait. The yielding keeps paused time from moving by itself.
    async fn settle(&self) {
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
    }

    async fn answer(&self, outcome: Result<KeySet, FetchError>) {
        self.outcomes.send(outcome).unwrap();
        self.settle().await;
    }

    async fn pass(&self, time: Duration) {
        self.settle().await;
        tokio::time::advance(time).await;
        self.settle().await;
    }

    fn fetches(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    fn current(&self) -> Result<usize, AuthenticationError> {
        self.keys.current().map(|keys| keys.len())
    }

    /// So many requests with a token of that key id, each a task.
    async fn ask(
        &self,
        id: &'static str,
        count: usize,
    ) -> JoinSet<Result<usize, AuthenticationError>> {
        let mut requests = JoinSet::new();
        for _ in 0..count {
            let keys = Arc::clone(&self.keys);
            requests.spawn(async move {
                keys.candidates(Some(id), ES256)
                    .await
                    .map(|found| found.len())
            });
        }
        self.settle().await;
        requests
    }
}

fn set(ids: &[&str]) -> KeySet {
    let keys: Vec<_> = ids
        .iter()
        .map(|id| P256.jwk(&json!({ "kid": id })))
        .collect();
    let acceptable = Acceptable {
        keys_max: 100,
        json_depth_max: 64,
        workloads: false,
    };
    KeySet::parse(jwks(&keys).as_bytes(), acceptable).unwrap()
}

const DOWN: FetchError = FetchError::Status(500, None);

async fn answers(
    requests: JoinSet<Result<usize, AuthenticationError>>,
) -> Vec<Result<usize, AuthenticationError>> {
    requests.join_all().await
}

#[tokio::test(start_paused = true)]
async fn there_are_no_keys_until_the_first_fetch_succeeds() {
    let bench = Bench::new();
    bench.settle().await;
    assert_eq!(bench.current(), Err(AuthenticationError::KeysUnavailable));
    let asked = answers(bench.ask("k1", 1).await).await;
    assert_eq!(asked, [Err(AuthenticationError::KeysUnavailable)]);
    bench.answer(Err(DOWN)).await;
    assert_eq!(bench.current(), Err(AuthenticationError::KeysUnavailable));
    assert_eq!(
        bench.keys.health().failing,
        Some("http status 500".to_owned())
    );
    bench.pass(Duration::from_millis(1250)).await;
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    bench.keys.loaded().await;
    assert_eq!(bench.current(), Ok(2));
    assert_eq!(
        bench.keys.health(),
        KeyHealth {
            is_usable: true,
            was_loaded: true,
            keys: 2,
            skipped: 0,
            age: Some(Duration::ZERO),
            fetches: 2,
            failures: 1,
            failing: None,
        }
    );
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_ahead_of_need() {
    let bench = Bench::loaded().await;
    bench.pass(Duration::from_secs(269)).await;
    assert_eq!(bench.fetches(), 1);
    bench.pass(Duration::from_secs(31)).await;
    assert_eq!(bench.fetches(), 2);
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    assert_eq!(bench.current(), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_stampede_for_an_unknown_key_makes_one_fetch() {
    let bench = Bench::loaded().await;
    let requests = bench.ask("k2", 100).await;
    assert_eq!(bench.fetches(), 2);
    bench.answer(Ok(set(&["k2"]))).await;
    assert_eq!(answers(requests).await, vec![Ok(1); 100]);
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn known_keys_do_not_wait_for_a_fetch() {
    let bench = Bench::loaded().await;
    let waiting = bench.ask("k2", 1).await;
    assert_eq!(answers(bench.ask("k1", 1).await).await, [Ok(1)]);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_cause_one_fetch_per_interval() {
    let bench = Bench::loaded().await;
    let first = bench.ask("k2", 1).await;
    bench.answer(Ok(set(&["k1"]))).await;
    assert_eq!(answers(first).await, [Err(AuthenticationError::UnknownKey)]);
    bench.pass(Duration::from_millis(9999)).await;
    let throttled = answers(bench.ask("k2", 100).await).await;
    assert_eq!(throttled, vec![Err(AuthenticationError::UnknownKey); 100]);
    assert_eq!(bench.fetches(), 2);
    bench.pass(Duration::from_millis(1)).await;
    let next = bench.ask("k2", 1).await;
    assert_eq!(bench.fetches(), 3);
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    assert_eq!(answers(next).await, [Ok(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_too_early_is_followed_by_another() {
    let bench = Bench::loaded().await;
    bench.pass(Duration::from_mins(5)).await;
    assert_eq!(bench.fetches(), 2);
    let requests = bench.ask("k2", 2).await;
    assert_eq!(bench.fetches(), 2);
    bench.answer(Ok(set(&["k1"]))).await;
    assert_eq!(bench.fetches(), 3);
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    assert_eq!(answers(requests).await, [Ok(1), Ok(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_without_those_who_asked_for_it() {
    let bench = Bench::loaded().await;
    drop(bench.ask("k2", 1).await);
    bench.answer(Ok(set(&["k2"]))).await;
    assert_eq!(answers(bench.ask("k2", 1).await).await, [Ok(1)]);
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_told_and_the_fetch_goes_on() {
    let bench = Bench::loaded().await;
    let early = bench.ask("k2", 2).await;
    bench.pass(WAIT / 2).await;
    let late = bench.ask("k2", 1).await;
    bench.pass(WAIT / 2).await;
    assert_eq!(
        answers(early).await,
        [Err(AuthenticationError::KeysUnavailable); 2]
    );
    assert_eq!(late.len(), 1, "it came later and waits on");
    bench.pass(WAIT / 2).await;
    assert_eq!(
        answers(late).await,
        [Err(AuthenticationError::KeysUnavailable)]
    );
    assert_eq!(bench.fetches(), 2, "all of them asked for one");
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    assert_eq!(answers(bench.ask("k2", 1).await).await, [Ok(1)]);
    assert_eq!(bench.fetches(), 2);
}

/// A fetch that had begun and the one after it do not get a full wait each.
#[tokio::test(start_paused = true)]
async fn the_wait_is_for_both_fetches_together() {
    let bench = Bench::loaded().await;
    bench.pass(Duration::from_mins(5)).await;
    assert_eq!(bench.fetches(), 2, "one is under way");
    let asked = bench.ask("k2", 1).await;
    bench.pass(WAIT / 2).await;
    bench.answer(Ok(set(&["k1"]))).await;
    assert_eq!(bench.fetches(), 3, "another follows it");
    bench.pass(WAIT / 2).await;
    assert_eq!(
        answers(asked).await,
        [Err(AuthenticationError::KeysUnavailable)]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_of_an_unreachable_issuer_is_not_denied() {
    let bench = Bench::loaded().await;
    let requests = bench.ask("k2", 2).await;
    bench.answer(Err(DOWN)).await;
    let unavailable = Err(AuthenticationError::KeysUnavailable);
    assert_eq!(answers(requests).await, [unavailable, unavailable]);
    assert_eq!(answers(bench.ask("k2", 1).await).await, [unavailable]);
    assert_eq!(answers(bench.ask("k1", 1).await).await, [Ok(1)]);
    assert_eq!(bench.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn stale_keys_serve_up_to_the_cap_and_then_recover() {
    let bench = Bench::loaded().await;
    let stale_max = KeySettings::default().stale_max;
    // Every fetch from here on runs into the timeout, as nothing answers it.
    bench.pass(stale_max).await;
    assert_eq!(bench.current(), Ok(1));
    bench.pass(Duration::from_millis(1)).await;
    assert_eq!(bench.current(), Err(AuthenticationError::KeysUnavailable));
    let asked = answers(bench.ask("k1", 1).await).await;
    assert_eq!(asked, [Err(AuthenticationError::KeysUnavailable)]);
    let health = bench.keys.health();
    assert_eq!(
        (health.is_usable, health.was_loaded, health.keys),
        (false, true, 1)
    );
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    bench.pass(Duration::from_secs(10)).await;
    assert_eq!(bench.current(), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_set_without_usable_keys_keeps_the_old_ones() {
    let bench = Bench::loaded().await;
    let requests = bench.ask("k2", 1).await;
    bench
        .answer(Err(FetchError::KeySet(set::InvalidKeySet::NoUsableKey {
            skipped: 1,
        })))
        .await;
    assert_eq!(
        answers(requests).await,
        [Err(AuthenticationError::KeysUnavailable)]
    );
    assert_eq!(bench.current(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_without_an_answer_ends() {
    let bench = Bench::new();
    bench.pass(TIMEOUT).await;
    let health = bench.keys.health();
    assert_eq!((health.fetches, health.failures), (1, 1));
    assert_eq!(
        health.failing,
        Some("no answer within `fetch_timeout`".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_sooner_and_ever_less_often() {
    let bench = Bench::new();
    bench.answer(Err(DOWN)).await;
    for (attempt, pause) in [1250, 2500, 5000, 10_000, 10_000].into_iter().enumerate() {
        bench.pass(Duration::from_millis(pause - 1)).await;
        assert_eq!(bench.fetches(), attempt + 1);
        bench.pass(Duration::from_millis(1)).await;
        assert_eq!(bench.fetches(), attempt + 2);
        bench.answer(Err(DOWN)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_told_to() {
    let mut bench = Bench::loaded().await;
    bench.stop.take().unwrap().send(()).unwrap();
    bench.tasks.join_next().await.unwrap().unwrap();
    let asked = answers(bench.ask("k2", 1).await).await;
    assert_eq!(asked, [Err(AuthenticationError::KeysUnavailable)]);
    assert_eq!(bench.current(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_reload_has_the_keys_fetched_now() {
    let bench = Bench::loaded().await;
    assert_eq!(bench.fetches(), 1);
    bench.reload.send(()).await.unwrap();
    bench.answer(Ok(set(&["k1", "k2"]))).await;
    assert_eq!((bench.fetches(), bench.current()), (2, Ok(2)));
}
