use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::authz::{
    AccessRequest, Action, ActionKind, Context, CounterKey, Http, KeyPart, Peer, Policy, Resource,
    Subject, Value, events,
};

fn limit(calls: u32, seconds: u64, burst: u32) -> Limit {
    Limit {
        calls,
        per: Duration::from_secs(seconds),
        burst,
        by: Box::new([KeyPart::Subject]),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The counter of a subject's calls stands for any counter.
fn key(name: &str) -> CounterKey {
    static BY_SUBJECT: LazyLock<Policy> = LazyLock::new(|| counting("subject"));
    with_request(name, "t", |request| {
        let mut events = events(&BY_SUBJECT, request, false);
        events.pop().unwrap().key
    })
}

/// A policy that counts calls.
fn counting(by: &str) -> Policy {
    let calls = format!("{{more_than: 1, per: 1m, by: [{by}]}}");
    let source = crate::yaml::Source {
        name: "p".to_owned(),
        text: format!("rules: [{{id: r, effect: deny, why: {{calls: {calls}}}}}]"),
    };
    crate::policy::compile(&[source], &crate::policy::CompileContext::default()).unwrap()
}

fn with_request<T>(id: &str, tool: &str, then: impl FnOnce(&AccessRequest<'_>) -> T) -> T {
    let subject = Subject {
        issuer: "i".into(),
        id: id.into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Null,
        unknown: crate::authz::UnknownFacts::default(),
    };
    then(&AccessRequest {
        subject: &subject,
        peer: Peer::Absent,
        server: "s",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool(tool),
        arguments: None,
        input: None,
        meta: None,
        protocol_version: None,
        session: Some("1"),
        source: None,
        http: Http {
            host: "h",
            path: "/",
            headers: &[],
        },
        now: at(0),
        context: Context::default(),
    })
}

fn demand(name: &str, limit: &Limit) -> LimitDemand {
    LimitDemand {
        rule: "r".into(),
        message: None,
        limit: limit.clone(),
        key: key(name),
    }
}

fn wait(seconds: u64) -> Taken {
    Taken::Exhausted {
        first: 0,
        retry_after: Duration::from_secs(seconds),
    }
}

#[test]
fn a_bucket_empties_by_bursts_and_fills_at_its_rate() {
    let memory = Memory::new(Settings::default());
    let two_in_ten = limit(2, 10, 2);
    let one_at_once = limit(2, 10, 1);
    for (limit, name, seconds, expected) in [
        (&two_in_ten, "a", 0, Taken::All),
        (&two_in_ten, "a", 0, Taken::All),
        (&two_in_ten, "a", 0, wait(5)),
        (&two_in_ten, "b", 0, Taken::All),
        (&two_in_ten, "a", 4, wait(1)),
        (&two_in_ten, "a", 5, Taken::All),
        (&two_in_ten, "a", 5, wait(5)),
        (&two_in_ten, "a", 100, Taken::All),
        (&two_in_ten, "a", 100, Taken::All),
        (&two_in_ten, "a", 100, wait(5)),
        // The clock was set back by a day.
        (&two_in_ten, "a", -86_400, wait(5)),
        (&two_in_ten, "a", -86_395, wait(5)),
        (&one_at_once, "c", 0, Taken::All),
        (&one_at_once, "c", 0, wait(5)),
        (&one_at_once, "c", 5, Taken::All),
    ] {
        let taken = memory.take_all(&[demand(name, limit)], at(seconds));
        assert_eq!(taken, expected, "{name} at {seconds}");
    }
}

#[test]
fn all_limits_are_taken_from_or_none() {
    let memory = Memory::new(Settings::default());
    let (wide, narrow) = (limit(3, 60, 3), limit(1, 60, 1));
    let both = [demand("wide", &wide), demand("narrow", &narrow)];
    assert_eq!(memory.take_all(&both, at(0)), Taken::All);
    for _ in 0..5 {
        let exhausted = Taken::Exhausted {
            first: 1,
            retry_after: Duration::from_mins(1),
        };
        assert_eq!(memory.take_all(&both, at(0)), exhausted);
    }
    // One that is there twice is taken from twice.
    let twice = [demand("wide", &wide), demand("wide", &wide)];
    assert_eq!(memory.take_all(&twice, at(0)), Taken::All);
    assert_eq!(memory.take_all(&[demand("wide", &wide)], at(0)), wait(20));
    let thrice = [
        demand("new", &narrow),
        demand("new", &narrow),
        demand("other", &narrow),
    ];
    assert_ne!(memory.take_all(&thrice, at(0)), Taken::All);
    assert_eq!(
        memory.take_all(&[demand("new", &narrow)], at(0)),
        Taken::All
    );
    assert_eq!(
        memory.take_all(&[demand("other", &narrow)], at(0)),
        Taken::All
    );
}

#[test]
fn what_is_asked_about_is_remembered_longest() {
    let memory = Memory::new(Settings {
        keys_max: 32,
        ..Settings::default()
    });
    let once = limit(1, 3600, 1);
    assert_eq!(memory.take_all(&[demand("mine", &once)], at(0)), Taken::All);
    for other in 0..500 {
        let flood = demand(&format!("flood{other}"), &once);
        assert_eq!(memory.take_all(&[flood], at(0)), Taken::All);
        assert_eq!(memory.take_all(&[demand("mine", &once)], at(0)), wait(3600));
    }
    assert!(memory.keys() <= 32);
}

fn window(count: Count, seconds: u64) -> Window {
    Window {
        count,
        per: Duration::from_secs(seconds),
        by: Box::new([KeyPart::Subject]),
    }
}

fn window_demand(window: &Window, tool: Option<&str>) -> WindowDemand {
    WindowDemand {
        window: window.clone(),
        key: key("w"),
        tool: tool.map(Into::into),
    }
}

#[test]
fn tools_count_once_each_while_they_are_recent() {
    let memory = Memory::new(Settings::default());
    let tools = window(Count::DistinctTools, 64);
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
        let demand = window_demand(&tools, Some(tool));
        assert_eq!(memory.read_window(&demand, at(seconds)), seen, "{seconds}");
        memory.add_event(&demand, at(seconds));
    }
    for tool in 0..1000 {
        memory.add_event(&window_demand(&tools, Some(&tool.to_string())), at(124));
    }
    let last = window_demand(&tools, Some("999"));
    assert_eq!(memory.read_window(&last, at(124)), 101);
}

proptest! {
    /// Never less than what happened within the window, and never more than within a slot more.
    #[test]
    fn windows_slide_within_their_stated_error(
        per in 1_u64..1000,
        steps in prop::collection::vec(0_i64..60_000, 1..80),
    ) {
        let memory = Memory::new(Settings::default());
        let calls = window(Count::Calls, per);
        let demand = window_demand(&calls, None);
        let per_ms = i64::try_from(per * 1000).unwrap();
        let slot_ms = per_ms / 64 + 1;
        let mut now = 1_800_000_000_000_i64;
        let mut past: Vec<i64> = Vec::new();
        for step in steps {
            now += step;
            let seen = memory.read_window(&demand, Timestamp::from_millisecond(now).unwrap());
            let within = |age: i64| past.iter().filter(|then| now - **then <= age).count() as u64;
            prop_assert!(seen >= within(per_ms - 1), "{seen} {past:?} {now}");
            prop_assert!(seen <= within(per_ms + slot_ms), "{seen} {past:?} {now}");
            memory.add_event(&demand, Timestamp::from_millisecond(now).unwrap());
            past.push(now);
        }
    }

    /// In no stretch of time more than its calls and the burst.
    #[test]
    fn no_stretch_of_time_passes_more_than_the_rate_and_the_burst(
        calls in 1_u32..20,
        burst in 1_u32..20,
        steps in prop::collection::vec(0_i64..3_000, 1..200),
    ) {
        let bucket = Bucket::new(&limit(calls, 10, burst));
        let (mut full_at, mut now) = (i128::MIN, 0_i128);
        let mut passed: Vec<i128> = Vec::new();
        for step in steps {
            now += i128::from(step) * 1_000_000;
            if let Ok(after) = bucket.take(full_at, now) {
                full_at = after;
                passed.push(now);
            }
            for since in &passed {
                let count = passed.iter().filter(|then| *then >= since).count();
                let beyond = i128::try_from(count).unwrap() - i128::from(burst);
                prop_assert!(beyond * bucket.interval <= now - since, "{beyond} {passed:?}");
            }
        }
    }
}

/// What a store replies that waits for nothing.
fn ready<T>(mut reply: Reply<'_, T>) -> T {
    let waker = std::task::Waker::noop();
    match std::pin::Pin::new(&mut reply).poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(reply) => reply.unwrap(),
        std::task::Poll::Pending => panic!("memory waits for nothing"),
    }
}

fn session(id: &str) -> BindingKey {
    BindingKey::session("s", id)
}

fn owner(id: &str) -> Owner {
    Owner::new("i", id)
}

/// Who owns these, by a store.
fn owners(memory: &Memory, keys: &[BindingKey]) -> Vec<Option<Owner>> {
    let found = ready(memory.bindings(keys, at(0))).into_iter();
    found
        .map(|binding| binding.map(|binding| binding.owner))
        .collect()
}

#[test]
fn who_is_first_owns_it_until_it_is_issued_anew() {
    let memory = Memory::new(Settings::default());
    let key = [session("a")];
    assert_eq!(ready(memory.bindings(&key, at(0))), [None]);
    for (seconds, by, how, whose, since) in [
        (1, "alice", Bind::IfFree, "alice", 1),
        (2, "alice", Bind::IfFree, "alice", 1),
        (3, "bob", Bind::IfFree, "alice", 1),
        (4, "bob", Bind::Anew, "bob", 4),
        (5, "alice", Bind::IfFree, "bob", 4),
        (6, "bob", Bind::Anew, "bob", 6),
    ] {
        let expected = Binding {
            owner: owner(whose),
            since: at(since),
        };
        let bound = ready(memory.bind(&key, owner(by), how, at(seconds)));
        assert_eq!(bound, [expected], "at {seconds}");
        assert_eq!(ready(memory.bindings(&key, at(9))), [Some(expected)]);
    }
    assert_eq!(memory.sessions.lock().unwrap().len(), 1);
}

#[test]
fn many_are_bound_in_their_order_and_by_kind() {
    let memory = Memory::new(Settings::default());
    let keys = [
        session("a"),
        BindingKey::task("s", "a"),
        session("b"),
        session("a"),
    ];
    ready(memory.bind(&keys[1..2], owner("bob"), Bind::IfFree, at(0)));
    let bound = ready(memory.bind(&keys, owner("alice"), Bind::IfFree, at(1)));
    let bound: Vec<Owner> = bound.into_iter().map(|binding| binding.owner).collect();
    let (alice, bob) = (owner("alice"), owner("bob"));
    assert_eq!(bound, [alice, bob, alice, alice]);
    let elsewhere = [
        BindingKey::session("other", "a"),
        BindingKey::task("s", "b"),
    ];
    assert_eq!(owners(&memory, &elsewhere), [None, None]);
}

#[test]
fn who_floods_the_store_makes_room_by_what_is_theirs() {
    let memory = Memory::new(Settings {
        bindings_max: 8,
        ..Settings::default()
    });
    let alices = [session("a1"), session("a2")];
    let task = [BindingKey::task("s", "a")];
    ready(memory.bind(&alices, owner("alice"), Bind::IfFree, at(0)));
    ready(memory.bind(&task, owner("alice"), Bind::IfFree, at(0)));
    for number in 0..1000 {
        let made_up = [session(&format!("m{number}"))];
        for how in [Bind::IfFree, Bind::Anew] {
            let bound = ready(memory.bind(&made_up, owner("mallory"), how, at(1)));
            assert_eq!(bound[0].owner, owner("mallory"));
        }
    }
    assert_eq!(memory.sessions.lock().unwrap().len(), 8);
    assert_eq!(owners(&memory, &alices), [Some(owner("alice")); 2]);
    assert_eq!(owners(&memory, &task), [Some(owner("alice"))]);
    let last: Vec<_> = (993..1000)
        .map(|number| session(&format!("m{number}")))
        .collect();
    let mut expected = [Some(owner("mallory")); 7];
    expected[0] = None;
    assert_eq!(owners(&memory, &last), expected);
}

#[test]
fn of_owners_who_have_as_many_the_idle_one_makes_room() {
    let memory = Memory::new(Settings {
        bindings_max: 3,
        ..Settings::default()
    });
    let bind = |id: &str| ready(memory.bind(&[session(id)], owner(id), Bind::IfFree, at(0)));
    for id in ["a", "b", "c"] {
        bind(id);
    }
    // Asking is using, whoever asks.
    assert_eq!(owners(&memory, &[session("a")]), [Some(owner("a"))]);
    bind("d");
    let all = ["a", "b", "c", "d"].map(session);
    let left = owners(&memory, &all);
    assert_eq!(
        left,
        [Some(owner("a")), None, Some(owner("c")), Some(owner("d"))]
    );
}

proptest! {
    /// Never more than there is room for, and what was bound last is there.
    #[test]
    fn bindings_are_bounded_and_the_latest_is_kept(
        most in 1_usize..6,
        steps in prop::collection::vec((0_u8..12, 0_u8..4, any::<bool>(), any::<bool>()), 1..120),
    ) {
        let mut bound = Bound::new(most);
        for (key, by, asks, anew) in steps {
            let digest = short(&[key]);
            if asks {
                bound.find(digest);
                continue;
            }
            let new = Binding { owner: owner(&by.to_string()), since: at(0) };
            let how = if anew { Bind::Anew } else { Bind::IfFree };
            let now = bound.bind(digest, new, how);
            prop_assert!(!anew || now == new);
            prop_assert!(bound.len() <= most);
            prop_assert_eq!(bound.find(digest), Some(now));
        }
    }
}

/// What is recorded under one name is not read under another.
#[test]
fn keys_tell_apart_what_joins_to_the_same_text() {
    let by = counting("tool, subject");
    let of = |id: &str, tool: &str| with_request(id, tool, |request| events(&by, request, true));
    let first = of("ab", "c");
    assert_eq!(first.len(), 1);
    assert_ne!(first, of("a", "bc"));
    assert_eq!(first, of("ab", "c"));
    let key = &first.first().unwrap().key;
    assert_ne!(*key, key.within("candidate"));
}
