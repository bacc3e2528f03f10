//! What is forgotten where a subject is cleared, and what is not.

use std::collections::HashSet;

use super::super::fixtures::{Who, at, limited, limits, watched, windows};
use super::super::{Cleared, Clearing, CounterKind, State, Store};
use crate::authz::{Policy, Taken};

fn clearing(issuer: &str, subject: &str) -> Clearing {
    Clearing {
        issuer: issuer.into(),
        subject: subject.into(),
        only: None,
    }
}

async fn clear(store: &Store, clearing: &Clearing, seconds: i64) -> Cleared {
    store.clearing.clear(clearing, at(seconds)).await.unwrap()
}

fn forgotten(cleared: &Cleared) -> usize {
    cleared.counters.values().sum()
}

async fn is_taken(store: &dyn State, policy: &Policy, who: Who<'_>, seconds: i64) -> bool {
    let limits = limits(policy, who);
    store.take(&limits, at(seconds)).await.unwrap() == Taken::All
}

async fn record(store: &dyn State, policy: &Policy, who: Who<'_>, seconds: i64) {
    let windows = windows(policy, who);
    store.record(&windows, at(seconds)).await.unwrap();
}

async fn read(store: &dyn State, policy: &Policy, who: Who<'_>, seconds: i64) -> Vec<u64> {
    let windows = windows(policy, who);
    let readings = store.read(&windows, at(seconds)).await.unwrap();
    let read = windows.iter().map(|it| readings.reading(&it.window));
    read.map(Option::unwrap).collect()
}

/// Everything that is a subject's own is forgotten, and nothing else.
pub(super) async fn a_subject_has_what_it_had_before_it_was_counted(store: &Store) {
    let daily = limited(&["{calls: 1, per: 1d, by: [subject, agent, server, tool]}"]);
    let shared = limited(&["{calls: 3, per: 1d, by: [tenant]}"]);
    let watched = watched(&[
        "denials: {more_than: 10, per: 1h, by: [subject]}",
        "calls: {more_than: 10, per: 1h, by: [session]}",
        "distinct_tools: {more_than: 10, per: 1h, by: [subject, agent]}",
        "calls: {more_than: 10, per: 1h, by: [agent]}",
    ]);
    let state = &*store.state;
    let alice = Who::new("alice");
    // Others differ by name alone, by the issuer, or by capitals.
    let others = [
        Who::new("bob"),
        Who::new("alice").of("j"),
        Who::new("Alice"),
        Who::new("alice "),
        Who::new(""),
    ];
    for who in others.into_iter().chain([alice, alice.with("u")]) {
        assert!(is_taken(state, &daily, who, 0).await);
        assert!(!is_taken(state, &daily, who, 0).await);
        record(state, &watched, who, 0).await;
    }
    let elsewhere = Who {
        session: "another",
        agent: "other",
        ..alice
    };
    record(state, &watched, elsewhere, 0).await;
    assert!(is_taken(state, &shared, alice, 0).await);
    let before = read(state, &watched, others[0], 0).await;

    let cleared = clear(store, &clearing("i", "alice"), 1).await;
    // Two tools' limits, a window of denials, two sessions', two agents' tools.
    assert_eq!(forgotten(&cleared), 2 + 1 + 2 + 2);
    assert_eq!(cleared.unknown_until, None);
    assert_eq!(cleared.counters[&CounterKind::limit("limit-0")], 2);
    let by_agent = read(state, &watched, others[0], 1).await[3];
    assert_eq!(read(state, &watched, alice, 1).await, [0, 0, 1, by_agent]);
    assert_eq!(read(state, &watched, elsewhere, 1).await, [0, 0, 1, 1]);
    for who in [alice, alice.with("u")] {
        assert!(is_taken(state, &daily, who, 1).await);
    }
    for who in others {
        assert!(!is_taken(state, &daily, who, 1).await);
    }
    assert_eq!(read(state, &watched, others[0], 1).await, before);
    assert!(is_taken(state, &shared, alice, 1).await);
    assert!(is_taken(state, &shared, alice, 1).await);
    assert!(!is_taken(state, &shared, alice, 1).await);
    // It is counted from then on.
    assert!(!is_taken(state, &daily, alice, 1).await);
    assert_eq!(
        forgotten(&clear(store, &clearing("i", "alice"), 1).await),
        2
    );
}

/// Nothing is found under a name that is not exactly the subject's, however odd.
pub(super) async fn only_exact_names_are_found(store: &Store) {
    let daily = limited(&["{calls: 1, per: 1d, by: [subject]}"]);
    let long = "x".repeat(100_000);
    let odd = [
        "a\0b",
        "a",
        "\u{202e}evil",
        "'; --",
        "ünï",
        "i\0alice",
        &long,
    ];
    let state = &*store.state;
    for id in odd {
        assert!(is_taken(state, &daily, Who::new(id), 0).await);
    }
    for (issuer, id) in [("i", "A"), ("i", "a\0"), ("I", "a"), ("", "a"), ("i", "")] {
        let cleared = clear(store, &clearing(issuer, id), 0).await;
        assert_eq!(cleared, Cleared::default(), "{issuer} {id}");
    }
    for id in odd {
        assert!(!is_taken(state, &daily, Who::new(id), 0).await);
        assert_eq!(forgotten(&clear(store, &clearing("i", id), 0).await), 1);
        assert_eq!(forgotten(&clear(store, &clearing("i", id), 0).await), 0);
        assert!(is_taken(state, &daily, Who::new(id), 0).await);
    }
}

/// One rule's counts are forgotten alone.
pub(super) async fn only_the_kinds_that_are_meant_are_forgotten(store: &Store) {
    let two = limited(&[
        "{calls: 1, per: 1d, by: [subject]}",
        "{calls: 1, per: 1d, by: [subject, tool]}",
    ]);
    let watched = watched(&[
        "denials: {more_than: 10, per: 1h, by: [subject]}",
        "denials: {more_than: 10, per: 2h, by: [subject]}",
    ]);
    let (state, alice) = (&*store.state, Who::new("alice"));
    assert!(is_taken(state, &two, alice, 0).await);
    record(state, &watched, alice, 0).await;
    let hourly = CounterKind::window(&windows(&watched, alice)[0].window);
    let only = |kinds: &[CounterKind]| Clearing {
        only: Some(kinds.iter().copied().collect::<HashSet<_>>()),
        ..clearing("i", "alice")
    };
    assert_eq!(clear(store, &only(&[]), 0).await, Cleared::default());
    let cleared = clear(store, &only(&[hourly]), 0).await;
    assert_eq!(cleared.counters, [(hourly, 1)].into());
    assert_eq!(read(state, &watched, alice, 0).await, [0, 1]);
    let first = CounterKind::limit("limit-0");
    let cleared = clear(store, &only(&[first, hourly]), 0).await;
    assert_eq!(cleared.counters, [(first, 1)].into());
    assert!(!is_taken(state, &two, alice, 0).await);
}

/// A counter that has no effect any more is not counted as forgotten.
pub(super) async fn what_has_expired_is_not_told(store: &Store) {
    let daily = limited(&["{calls: 1, per: 1m, by: [subject]}"]);
    let watched = watched(&["denials: {more_than: 10, per: 1m, by: [subject]}"]);
    let (state, alice) = (&*store.state, Who::new("alice"));
    assert!(is_taken(state, &daily, alice, 0).await);
    record(state, &watched, alice, 0).await;
    let cleared = clear(store, &clearing("i", "alice"), 200).await;
    assert_eq!(cleared, Cleared::default());
}
