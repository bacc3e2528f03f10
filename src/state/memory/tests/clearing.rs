//! Clearing a subject in memory: many counters, others that count meanwhile, and evictions.

use super::*;
use crate::authz::LimitDemand;
use crate::state::clearing::{Cleared, Clearing, CounterKind};
use crate::state::fixtures::{limits, ready};

fn clear(memory: &Memory, subject: &str, only: Option<&[CounterKind]>, seconds: i64) -> Cleared {
    let clearing = Clearing {
        issuer: "i".into(),
        subject: subject.into(),
        only: only.map(|kinds| kinds.iter().copied().collect()),
    };
    ready(memory.clear(&clearing, at(seconds)))
}

fn forgotten(cleared: &Cleared) -> usize {
    cleared.counters.values().sum()
}

fn by_tool() -> Policy {
    limited(&["{calls: 1, per: 1d, by: [subject, tool]}"])
}

#[test]
fn thousands_of_counters_are_forgotten_and_no_trace_of_them_stays() {
    let (memory, daily) = (memory(10_000), by_tool());
    let (alice, bob) = (Who::new("alice"), Who::new("bob"));
    for count in [0, 1, 63, 64, 65, 128, 3000] {
        for tool in names("t", count) {
            assert_eq!(memory.take_at(&daily, alice.with(&tool), 0), Taken::All);
        }
        assert_eq!(forgotten(&clear(&memory, "alice", None, 0)), count);
        assert_eq!(memory.keys(), 0, "{count}");
    }
    for who in [alice, bob] {
        for tool in names("t", 200) {
            assert_eq!(memory.take_at(&daily, who.with(&tool), 0), Taken::All);
        }
    }
    let other = CounterKind::limit("another");
    assert_eq!(forgotten(&clear(&memory, "alice", Some(&[other]), 0)), 0);
    assert_eq!(memory.keys(), 400);
    let own = CounterKind::limit("limit-0");
    assert_eq!(forgotten(&clear(&memory, "alice", Some(&[own]), 0)), 200);
    assert_eq!(memory.keys(), 200);
    assert!(is_refused(memory.take_at(&daily, bob.with("t-0"), 0)));
}

#[test]
fn rehearsed_counts_are_forgotten_too() {
    let (memory, daily) = (memory(100), by_tool());
    let rehearsed: Vec<LimitDemand> = limits(&daily, Who::new("alice"))
        .into_iter()
        .map(|demand| LimitDemand {
            key: demand.key.within("candidate"),
            ..demand
        })
        .collect();
    assert_eq!(ready(memory.take(&rehearsed, at(0))), Taken::All);
    assert!(is_refused(ready(memory.take(&rehearsed, at(0)))));
    assert_eq!(forgotten(&clear(&memory, "alice", None, 0)), 1);
    assert_eq!(ready(memory.take(&rehearsed, at(0))), Taken::All);
}

/// Two operators at once, while the subject goes on: each count is told by one of them.
#[test]
fn clears_and_counts_at_once_lose_nothing() {
    let (memory, daily) = (memory(100_000), by_tool());
    let alice = Who::new("alice");
    let (most, rounds) = (500, 20);
    let taken = std::sync::atomic::AtomicUsize::new(0);
    let told = std::thread::scope(|threads| {
        let counting = threads.spawn(|| {
            for tool in (0..rounds).flat_map(|_| names("t", most)) {
                if memory.take_at(&daily, alice.with(&tool), 0) == Taken::All {
                    taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
        let clearing: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let mut told = 0;
                    for _ in 0..50 {
                        told += forgotten(&clear(&memory, "alice", None, 0));
                        std::thread::yield_now();
                    }
                    told
                })
            })
            .collect();
        counting.join().unwrap();
        let told = clearing.into_iter().map(|thread| thread.join().unwrap());
        told.sum::<usize>()
    });
    let rest = forgotten(&clear(&memory, "alice", None, 0));
    assert_eq!(told + rest, taken.into_inner());
    assert_eq!(memory.keys(), 0);
}

#[test]
fn what_was_evicted_is_forgotten_where_all_is_cleared() {
    let memory = memory(200);
    let watched = Watched::new();
    let flood = watched_for_long();
    let (mallory, bob) = (Who::new("mallory"), Who::new("bob"));
    for who in [mallory, bob] {
        watched.exhaust(&memory, who);
    }
    for tool in names("made-up", 1000) {
        memory.record_at(&flood, mallory.with(&tool), 1);
    }
    watched.assert_not_free(&memory, mallory, 2);
    // One rule alone does not end that missing counts are unknown, and the answer says so.
    let one = clear(
        &memory,
        "mallory",
        Some(&[CounterKind::limit("limit-0")]),
        2,
    );
    assert!(!one.had_evictions);
    assert!(one.unknown_until.is_some_and(|until| until > at(2)));
    watched.assert_not_free(&memory, mallory, 2);
    let all = clear(&memory, "mallory", None, 2);
    assert!(all.had_evictions && forgotten(&all) > 0);
    assert_eq!(all.unknown_until, None);
    assert_eq!(
        memory.read_at(&watched.windows, mallory, 2),
        [Some(0), Some(0)]
    );
    assert_eq!(memory.take_at(&watched.daily, mallory, 2), Taken::All);
    watched.assert_as_it_was(&memory, bob, 2);
    let again = clear(&memory, "mallory", None, 2);
    assert!(!again.had_evictions);
}

fn watched_for_long() -> Policy {
    watched(&["calls: {more_than: 1, per: 2d, by: [subject, tool]}"])
}
