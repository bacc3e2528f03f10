//! What every store does, by the traits that checks use it by.
//!
//! [`keeps_its_word`] is the whole of it. A store is tested by one test, which gives it a way to open
//! the store empty; what a store does besides, such as what it forgets first, it tests by itself.

mod clearing;
mod places;
mod sampled;

use std::time::Duration;

use super::fixtures::{Who, at, limited, limits, session, watched, windows};
use super::{Bind, Binding, BindingKey, State, StateSettings, Store, Whose, open};
use crate::authz::{Policy, Taken};

/// Tries a store, which is opened empty for each property.
pub(super) async fn keeps_its_word(fresh: impl Fn() -> Store) {
    clearing::a_subject_has_what_it_had_before_it_was_counted(&fresh()).await;
    clearing::only_exact_names_are_found(&fresh()).await;
    clearing::only_the_kinds_that_are_meant_are_forgotten(&fresh()).await;
    clearing::what_has_expired_is_not_told(&fresh()).await;
    let fresh = || fresh().state;
    buckets_empty_by_bursts_and_fill_at_their_rate(&*fresh()).await;
    a_clock_that_is_set_back_keeps_nobody_out(&*fresh()).await;
    all_limits_are_taken_from_or_none(&*fresh()).await;
    a_batch_takes_from_one_limit_as_often_as_it_asks(&*fresh()).await;
    tools_that_a_server_does_not_have_share_one_limit(&*fresh()).await;
    sampled::no_stretch_of_time_passes_more_than_the_rate_and_the_burst(&*fresh()).await;
    places::so_many_are_open_at_once_and_no_more(&*fresh()).await;
    places::a_place_of_each_counter_is_taken_or_none(&*fresh()).await;
    places::a_place_whose_stream_does_not_begin_is_free_in_time(&*fresh()).await;
    places::a_clock_that_is_set_back_keeps_no_place_for_longer(&*fresh()).await;
    windows_show_what_was_recorded(&*fresh()).await;
    sampled::windows_slide_within_their_stated_error(&*fresh()).await;
    tools_count_once_each_while_they_are_recent(&*fresh()).await;
    each_tool_that_a_server_does_not_have_was_tried(&*fresh()).await;
    who_is_first_owns_it_until_it_is_issued_anew(&*fresh()).await;
    many_are_bound_in_their_order_and_by_kind(&*fresh()).await;
    nothing_asked_is_nothing_done(&*fresh()).await;
}

async fn take(store: &dyn State, policy: &Policy, id: &str, seconds: i64) -> Taken {
    let limits = limits(policy, Who::new(id));
    store.take(&limits, at(seconds)).await.unwrap()
}

fn wait(seconds: u64) -> Taken {
    Taken::Exhausted {
        first: 0,
        retry_after: Duration::from_secs(seconds),
    }
}

async fn buckets_empty_by_bursts_and_fill_at_their_rate(store: &dyn State) {
    let two = limited(&["{calls: 2, per: 10s, by: [subject]}"]);
    let one_at_once = limited(&["{calls: 2, per: 10s, burst: 1, by: [subject]}"]);
    for (limit, id, seconds, expected) in [
        (&two, "a", 0, Taken::All),
        (&two, "a", 0, Taken::All),
        (&two, "a", 0, wait(5)),
        (&two, "b", 0, Taken::All),
        (&two, "a", 4, wait(1)),
        (&two, "a", 5, Taken::All),
        (&two, "a", 5, wait(5)),
        (&two, "a", 100, Taken::All),
        (&two, "a", 100, Taken::All),
        (&two, "a", 100, wait(5)),
        (&one_at_once, "c", 0, Taken::All),
        (&one_at_once, "c", 0, wait(5)),
        (&one_at_once, "c", 5, Taken::All),
    ] {
        let taken = take(store, limit, id, seconds).await;
        assert_eq!(taken, expected, "{id} at {seconds}");
    }
}

async fn a_clock_that_is_set_back_keeps_nobody_out(store: &dyn State) {
    let two = limited(&["{calls: 2, per: 10s, by: [subject]}"]);
    for (seconds, expected) in [
        (100, Taken::All),
        (100, Taken::All),
        (-86_400, wait(5)),
        (-86_395, Taken::All),
        (-86_395, wait(5)),
    ] {
        assert_eq!(take(store, &two, "a", seconds).await, expected, "{seconds}");
    }
}

async fn all_limits_are_taken_from_or_none(store: &dyn State) {
    let wide = "{calls: 3, per: 1m, by: [subject]}";
    let both = limited(&[wide, "{calls: 1, per: 1m, by: [server]}"]);
    assert_eq!(take(store, &both, "a", 0).await, Taken::All);
    for _ in 0..5 {
        let exhausted = Taken::Exhausted {
            first: 1,
            retry_after: Duration::from_mins(1),
        };
        assert_eq!(take(store, &both, "a", 0).await, exhausted);
    }
    // A limit that appears twice is taken from twice.
    let wide = limited(&[wide]);
    let once = limits(&wide, Who::new("a"));
    let twice = [once.clone(), once].concat();
    assert_eq!(store.take(&twice, at(0)).await, Ok(Taken::All));
    assert_eq!(take(store, &wide, "a", 0).await, wait(20));
    // A refused request leaves nothing behind.
    let other = limits(
        &limited(&["{calls: 1, per: 1h, by: [tool]}"]),
        Who::new("b"),
    );
    let new = limits(&wide, Who::new("new"));
    let too_many = [new.clone(), other.clone(), other.clone()].concat();
    assert_ne!(store.take(&too_many, at(0)).await, Ok(Taken::All));
    assert_eq!(store.take(&other, at(0)).await, Ok(Taken::All));
    let thrice = [new.clone(), new.clone(), new].concat();
    assert_eq!(store.take(&thrice, at(0)).await, Ok(Taken::All));
}

async fn a_batch_takes_from_one_limit_as_often_as_it_asks(store: &dyn State) {
    let policy = limited(&["{calls: 40, per: 1h, by: [subject]}"]);
    for many in [10, 40] {
        let id = format!("{many} at once");
        let batch = vec![limits(&policy, Who::new(&id)); many].concat();
        for _ in 0..40 / many {
            assert_eq!(store.take(&batch, at(0)).await, Ok(Taken::All));
        }
        let taken = store.take(&batch, at(0)).await.unwrap();
        assert!(matches!(taken, Taken::Exhausted { first: 0, .. }), "{id}");
    }
    let batch = vec![limits(&policy, Who::new("a")); 41].concat();
    let taken = store.take(&batch, at(0)).await.unwrap();
    assert!(matches!(taken, Taken::Exhausted { first: 40, .. }));
    assert_eq!(take(store, &policy, "a", 0).await, Taken::All);
}

/// The caller `mallory` with a tool that the server does not have.
fn unlisted(tool: &str) -> Who<'_> {
    Who {
        tool_is_unlisted: true,
        ..Who::new("mallory").with(tool)
    }
}

async fn tools_that_a_server_does_not_have_share_one_limit(store: &dyn State) {
    let by_tool = limited(&["{calls: 3, per: 1d, by: [subject, tool]}"]);
    let mut taken = 0;
    for tool in 0..100 {
        let tool = tool.to_string();
        let limits = limits(&by_tool, unlisted(&tool));
        taken += usize::from(store.take(&limits, at(0)).await == Ok(Taken::All));
    }
    assert_eq!(taken, 3);
    // One that the server has is counted by itself, and so is another caller.
    let bob = Who {
        id: "bob",
        ..unlisted("0")
    };
    for who in [Who::new("mallory"), bob] {
        let limits = limits(&by_tool, who);
        assert_eq!(store.take(&limits, at(1)).await, Ok(Taken::All));
    }
}

async fn windows_show_what_was_recorded(store: &dyn State) {
    let policy = watched(&[
        "calls: {more_than: 1, per: 64s, by: [subject]}",
        "denials: {more_than: 1, per: 128s, by: [subject]}",
    ]);
    let (alice, bob) = (Who::new("alice"), Who::new("bob"));
    let all = windows(&policy, alice);
    for (seconds, expected) in [
        (0, [0, 0]),
        (10, [1, 1]),
        (63, [2, 2]),
        (74, [2, 3]),
        (127, [2, 4]),
        (500, [0, 0]),
    ] {
        let readings = store.read(&all, at(seconds)).await.unwrap();
        let shown = all.iter().map(|demand| readings.reading(&demand.window));
        let expected = expected.map(Some);
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{seconds}");
        store.record(&all, at(seconds)).await.unwrap();
    }
    let bobs = windows(&policy, bob);
    let readings = store.read(&bobs, at(500)).await.unwrap();
    assert_eq!(readings.reading(&bobs[0].window), Some(0));
}

async fn tools_count_once_each_while_they_are_recent(store: &dyn State) {
    let policy = watched(&["distinct_tools: {more_than: 3, per: 64s, by: [subject]}"]);
    let read = async |tool: &str, seconds| {
        let demand = windows(&policy, Who::new("a").with(tool));
        let readings = store.read(&demand, at(seconds)).await.unwrap();
        readings.reading(&demand[0].window)
    };
    let record = async |tool: &str, seconds| {
        let demand = windows(&policy, Who::new("a").with(tool));
        store.record(&demand, at(seconds)).await.unwrap();
    };
    for (seconds, tool, seen) in [
        (0, "a", 1),
        (1, "a", 1),
        (2, "b", 2),
        (3, "a", 2),
        (60, "c", 3),
        (67, "d", 3),
        (68, "a", 3),
        (124, "c", 3),
    ] {
        assert_eq!(read(tool, seconds).await, Some(seen), "{seconds}");
        record(tool, seconds).await;
    }
    for tool in 0..1000 {
        record(&tool.to_string(), 124).await;
    }
    // No rule can name more than a hundred.
    assert!(read("999", 124).await > Some(100));
}

async fn each_tool_that_a_server_does_not_have_was_tried(store: &dyn State) {
    let policy = watched(&["distinct_tools: {more_than: 3, per: 1h, by: [subject]}"]);
    for tool in 0..50 {
        let demand = windows(&policy, unlisted(&tool.to_string()));
        store.record(&demand, at(0)).await.unwrap();
    }
    let demand = windows(&policy, unlisted("another"));
    let readings = store.read(&demand, at(1)).await.unwrap();
    assert_eq!(readings.reading(&demand[0].window), Some(51));
}

async fn who_is_first_owns_it_until_it_is_issued_anew(store: &dyn State) {
    let key = [session("a")];
    let carol = Who::new("carol").owner();
    let found = store.bindings(&key, carol, at(0)).await.unwrap();
    assert_eq!(found, [Whose::Nobodys]);
    for (seconds, by, how, whose, since) in [
        (1, "alice", Bind::IfFree, "alice", 1),
        (2, "alice", Bind::IfFree, "alice", 1),
        (3, "bob", Bind::IfFree, "alice", 1),
        (4, "bob", Bind::Anew, "bob", 4),
        (5, "alice", Bind::IfFree, "bob", 4),
        (6, "bob", Bind::Anew, "bob", 6),
    ] {
        let expected = Whose::Of(Binding {
            owner: Who::new(whose).owner(),
            since: at(since),
            is_issued: whose == "bob",
        });
        let owner = Who::new(by).owner();
        let bound = store.bind(&key, owner, how, at(seconds)).await.unwrap();
        assert_eq!(bound, [expected], "at {seconds}");
        for asking in [owner, carol] {
            let found = store.bindings(&key, asking, at(9)).await.unwrap();
            assert_eq!(found, [expected]);
        }
    }
}

async fn many_are_bound_in_their_order_and_by_kind(store: &dyn State) {
    let keys = [
        session("a"),
        BindingKey::task("s", "a"),
        session("b"),
        session("a"),
    ];
    let (alice, bob) = (Who::new("alice").owner(), Who::new("bob").owner());
    let bobs = store.bind(&keys[1..2], bob, Bind::IfFree, at(0)).await;
    assert_eq!(bobs.unwrap().len(), 1);
    let bound = store.bind(&keys, alice, Bind::IfFree, at(1)).await.unwrap();
    let owners = bound.into_iter().map(|whose| match whose {
        Whose::Of(binding) => Some(binding.owner),
        Whose::Nobodys | Whose::Unknown => None,
    });
    let expected = [alice, bob, alice, alice].map(Some);
    assert_eq!(owners.collect::<Vec<_>>(), expected);
    let elsewhere = [
        BindingKey::session("other", "a"),
        BindingKey::task("s", "b"),
    ];
    let free = store.bindings(&elsewhere, alice, at(2)).await.unwrap();
    assert_eq!(free, [Whose::Nobodys; 2]);
}

async fn nothing_asked_is_nothing_done(store: &dyn State) {
    let owner = Who::new("a").owner();
    assert_eq!(store.take(&[], at(0)).await, Ok(Taken::All));
    assert!(store.read(&[], at(0)).await.is_ok());
    assert_eq!(store.record(&[], at(0)).await, Ok(()));
    assert_eq!(store.bindings(&[], owner, at(0)).await, Ok(Vec::new()));
    let bound = store.bind(&[], owner, Bind::Anew, at(0)).await;
    assert_eq!(bound, Ok(Vec::new()));
}

#[tokio::test]
async fn memory_keeps_its_word() {
    keeps_its_word(|| open(StateSettings::default())).await;
}
