//! Records that somebody waits for.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;

/// What a sink was asked for, in order: the number of lines of each write, or a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Write(usize),
    Flush,
}

/// A sink that tells what it was asked for, and fails as it is told.
#[derive(Clone, Default)]
struct Watched {
    asked: Arc<Mutex<Vec<Asked>>>,
    /// As long as it is shut, the sink takes nothing.
    is_shut: Arc<AtomicBool>,
    flush_fails: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
}

impl Watched {
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> usize {
        let asked = self.asked();
        let lines = asked.iter().map(|asked| match asked {
            Asked::Write(lines) => *lines,
            Asked::Flush => 0,
        });
        lines.sum()
    }

    fn flushes(&self) -> usize {
        let asked = self.asked();
        asked.iter().filter(|asked| **asked == Asked::Flush).count()
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.is_shut.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        assert!(!self.is_broken.load(Ordering::Relaxed), "it is broken");
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        self.asked.lock().unwrap().push(Asked::Write(lines));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.asked.lock().unwrap().push(Asked::Flush);
        if self.flush_fails.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// Polls a future once, which has to wait.
macro_rules! begin {
    ($future:expr) => {
        assert!(
            $future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        )
    };
}

#[tokio::test]
async fn a_record_is_durable_once_it_is_written_and_flushed() {
    let sink = Watched::default();
    let (audit, thread) = Audit::start(sink.clone(), records(8)).unwrap();
    assert_eq!(audit.record_durably(&record("allowed")).await, Ok(()));
    assert_eq!(sink.asked(), [Asked::Write(1), Asked::Flush]);
    // The others are not flushed.
    audit.record(&record("allowed"));
    drop(audit);
    thread.join().unwrap();
    assert_eq!(
        sink.asked(),
        [Asked::Write(1), Asked::Flush, Asked::Write(1)]
    );
}

#[tokio::test]
async fn what_the_sink_refuses_is_not_durable() {
    let broken = Audit::start(Broken, records(8)).unwrap();
    let nothing: Box<dyn Write + Send> = Box::new(&mut [][..]);
    let ended = Audit::start(nothing, records(8)).unwrap();
    let sink = Watched::default();
    sink.flush_fails.store(true, Ordering::Relaxed);
    let unflushed = Audit::start(sink.clone(), records(8)).unwrap();
    for (audit, _thread) in [broken, ended, unflushed] {
        let outcome = audit.record_durably(&record("allowed")).await;
        assert_eq!(outcome, Err(NotDurable::SinkFailed));
        assert_eq!((audit.losses().failed(), audit.losses().dropped()), (1, 0));
    }
}

#[tokio::test]
async fn a_sink_that_recovers_is_durable_again() {
    let sink = Watched::default();
    let (audit, _thread) = Audit::start(sink.clone(), records(8)).unwrap();
    for fails in [true, false, true, false] {
        sink.flush_fails.store(fails, Ordering::Relaxed);
        let outcome = audit.record_durably(&record("allowed")).await;
        assert_eq!(outcome.is_err(), fails, "{outcome:?}");
    }
    assert_eq!((audit.losses().failed(), sink.lines()), (2, 4));
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let sink = Watched::default();
    let is_shut = Arc::clone(&sink.is_shut);
    is_shut.store(true, Ordering::Relaxed);
    let (audit, thread) = Audit::start(sink, records(2)).unwrap();
    while audit.losses().dropped() == 0 {
        audit.record(&record("denied_by_rule"));
    }
    let outcome = pin!(audit.record_durably(&record("allowed")))
        .poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(outcome, std::task::Poll::Ready(Err(NotDurable::QueueFull)));
    assert_eq!(audit.losses().dropped(), 2);
    is_shut.store(false, Ordering::Relaxed);
    drop(audit);
    thread.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_sink_that_blocks_gives_up_in_its_own_time() {
    let sink = Watched::default();
    let is_shut = Arc::clone(&sink.is_shut);
    is_shut.store(true, Ordering::Relaxed);
    let (audit, thread) = Audit::start(sink.clone(), records(8)).unwrap();
    let reached = record("allowed");
    let waiting = audit.record_durably(&reached);
    let outcome = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(outcome.is_err(), "{outcome:?}");
    is_shut.store(false, Ordering::Relaxed);
    // It is written all the same, and what nobody waits for is kept no longer.
    assert_eq!(audit.record_durably(&reached).await, Ok(()));
    assert_eq!(sink.lines(), 2);
    let OpenQueue(queue) = &*audit.0;
    assert_eq!(queue.lock().receipts.len(), 0);
    drop(audit);
    thread.join().unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_writer_that_ends_hears_of_it() {
    let sink = Watched::default();
    sink.is_broken.store(true, Ordering::Relaxed);
    let is_shut = Arc::clone(&sink.is_shut);
    is_shut.store(true, Ordering::Relaxed);
    let (audit, thread) = Audit::start(sink, records(8)).unwrap();
    let reached = record("allowed");
    let mut first = pin!(audit.record_durably(&reached));
    begin!(first);
    let OpenQueue(queue) = &*audit.0;
    while queue.lock().writing == 0 {
        std::thread::yield_now();
    }
    // The writer has the first, and not the second.
    let mut second = pin!(audit.record_durably(&reached));
    begin!(second);
    is_shut.store(false, Ordering::Relaxed);
    assert_eq!(first.await, Err(NotDurable::Closed));
    assert_eq!(second.await, Err(NotDurable::Closed));
    assert!(thread.join().is_err(), "it panicked");
    let outcome = audit.record_durably(&reached).await;
    assert_eq!(outcome, Err(NotDurable::Closed));
    assert_eq!(audit.losses().failed(), 1);
}

#[tokio::test]
async fn many_wait_at_once_and_share_a_flush() {
    const MANY: usize = 2000;
    let sink = Watched::default();
    let is_shut = Arc::clone(&sink.is_shut);
    is_shut.store(true, Ordering::Relaxed);
    let (audit, thread) = Audit::start(sink.clone(), records(MANY)).unwrap();
    let mut checks = JoinSet::new();
    for _ in 0..MANY {
        let audit = audit.clone();
        checks.spawn(async move { audit.record_durably(&record("allowed")).await });
    }
    // Each hands its record over and waits.
    tokio::task::yield_now().await;
    let OpenQueue(queue) = &*audit.0;
    while queue.lock().count < MANY / 2 {
        tokio::task::yield_now().await;
    }
    is_shut.store(false, Ordering::Relaxed);
    let outcomes = checks.join_all().await;
    assert_eq!(outcomes, vec![Ok(()); MANY]);
    assert_eq!(sink.lines(), MANY);
    assert!(sink.flushes() < MANY / 2, "{}", sink.flushes());
    drop(audit);
    thread.join().unwrap();
}

/// The queue is large enough to let lines gather, and does not while one is waited for.
#[tokio::test]
async fn waiting_records_among_others_are_all_answered() {
    let sink = Watched::default();
    let (audit, thread) = Audit::start(sink.clone(), QueueLimits::default()).unwrap();
    for round in 0..200 {
        audit.record(&record("denied_by_rule"));
        assert_eq!(
            audit.record_durably(&record("allowed")).await,
            Ok(()),
            "{round}"
        );
    }
    assert_eq!(sink.lines(), 400);
    drop(audit);
    thread.join().unwrap();
}
