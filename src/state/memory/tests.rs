use std::time::Duration;

use proptest::prelude::*;

use super::bucket::CallBucket;
use super::*;
use crate::authz::{Limit, Policy};
use crate::state::fixtures::{StoreAt as _, Who, at, is_of, limited, session, watched};

mod bindings;
mod clearing;
mod model;

fn memory(most: usize) -> Memory {
    Memory::new(StateSettings {
        keys_max: most,
        bindings_max: most,
    })
}

/// Fresh made-up names.
fn names(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{prefix}-{number}"))
}

fn is_refused(taken: Taken) -> bool {
    matches!(taken, Taken::Exhausted { .. })
}

/// State that a flood must not change: an exhausted limit, a quarantine, and a window.
struct Watched {
    daily: Policy,
    windows: Policy,
}

impl Watched {
    const PROBER: [Option<u64>; 2] = [Some(12), Some(12)];

    fn new() -> Self {
        Watched {
            daily: limited(&["{calls: 3, per: 1d, by: [subject, tool]}"]),
            windows: watched(&[
                "denials: {more_than: 10, per: 10m, by: [subject]}",
                "calls: {more_than: 10, per: 1h, by: [subject]}",
            ]),
        }
    }

    /// Takes all that a subject may, and has it denied often.
    fn exhaust(&self, memory: &Memory, who: Who<'_>) {
        for _ in 0..3 {
            assert_eq!(memory.take_at(&self.daily, who, 0), Taken::All);
        }
        assert!(is_refused(memory.take_at(&self.daily, who, 0)));
        for _ in 0..12 {
            memory.record_at(&self.windows, who, 0);
        }
        self.assert_as_it_was(memory, who, 0);
    }

    fn assert_as_it_was(&self, memory: &Memory, who: Who<'_>, seconds: i64) {
        let taken = memory.take_at(&self.daily, who, seconds);
        assert!(is_refused(taken), "{who:?}: {taken:?}");
        assert_eq!(
            memory.read_at(&self.windows, who, seconds),
            Self::PROBER,
            "{who:?}"
        );
    }

    /// None of the subject's exhausted limits has room now, and no window shows less.
    fn assert_not_free(&self, memory: &Memory, who: Who<'_>, seconds: i64) {
        assert!(
            is_refused(memory.take_at(&self.daily, who, seconds)),
            "{who:?}"
        );
        let shown = memory.read_at(&self.windows, who, seconds);
        for (shown, was) in shown.into_iter().zip(Self::PROBER) {
            assert!(shown.is_none() || shown >= was, "{who:?}: {shown:?}");
        }
    }
}

#[test]
fn a_flood_of_tools_frees_nobodys_counters() {
    let memory = Memory::new(StateSettings::default());
    let watched = Watched::new();
    let (mallory, alice, bob) = (Who::new("mallory"), Who::new("alice"), Who::new("bob"));
    let alice = alice.of("other");
    for who in [mallory, alice, bob] {
        watched.exhaust(&memory, who);
    }
    let mut refused = 0;
    for tool in names("made-up", 100_100) {
        refused += usize::from(is_refused(memory.take_at(
            &watched.daily,
            mallory.with(&tool),
            1,
        )));
    }
    assert!(refused >= 100, "{refused}");
    assert!(memory.keys() <= StateSettings::default().keys_max);
    for who in [mallory, alice, bob] {
        watched.assert_as_it_was(&memory, who, 2);
        let quiet = Who { id: "quiet", ..who };
        assert_eq!(memory.read_at(&watched.windows, quiet, 2), [Some(0); 2]);
    }
    // A holder with few counters finds room at the flood's expense.
    for who in [alice, bob] {
        assert_eq!(memory.take_at(&watched.daily, who.with("u"), 3), Taken::All);
    }
    // The flood lost the counters that expire first, and they are unknown until then.
    let lost = memory.forgotten();
    assert_eq!((lost.limits, lost.windows), (0, 2));
    watched.assert_not_free(&memory, mallory, 3);
    assert_eq!(memory.read_at(&watched.windows, mallory, 3), [None, None]);
    let Taken::Exhausted { retry_after, .. } =
        memory.take_at(&watched.daily, mallory.with("never"), 3)
    else {
        panic!("it is free")
    };
    let hour = Duration::from_hours(1);
    assert!(retry_after > hour && retry_after < hour + Duration::from_mins(2));
    let later = 3 + 60 * 62;
    assert_eq!(
        memory.read_at(&watched.windows, mallory, later),
        [Some(0); 2]
    );
    let taken = memory.take_at(&watched.daily, mallory.with("never"), later);
    assert_eq!(taken, Taken::All);
}

/// Windows are recorded whatever they are about, so a holder's own must be evicted for them.
#[test]
fn a_flood_of_windows_leaves_its_callers_quarantine_in_place() {
    let by_tool = watched(&["calls: {more_than: 1, per: 1m, by: [subject, tool]}"]);
    let by_tool_for_long = watched(&["calls: {more_than: 1, per: 2d, by: [subject, tool]}"]);
    let watched = Watched::new();
    let (mallory, bob) = (Who::new("mallory"), Who::new("bob"));
    for (flood, own_stay) in [(&by_tool, true), (&by_tool_for_long, false)] {
        let memory = memory(200);
        watched.exhaust(&memory, mallory);
        watched.exhaust(&memory, bob);
        for tool in names("made-up", 1000) {
            memory.record_at(flood, mallory.with(&tool), 1);
        }
        assert!(memory.keys() <= 200);
        assert!(memory.forgotten().windows > 700);
        if own_stay {
            watched.assert_as_it_was(&memory, mallory, 2);
        } else {
            watched.assert_not_free(&memory, mallory, 2);
            assert_eq!(memory.read_at(&watched.windows, mallory, 2), [None, None]);
        }
        watched.assert_as_it_was(&memory, bob, 2);
        assert_eq!(memory.take_at(&watched.daily, bob.with("u"), 2), Taken::All);
        // The denials were in a window of ten minutes, so after it none would count.
        assert_eq!(memory.read_at(&watched.windows, mallory, 700)[0], Some(0));
        // The counters that the flood itself lost do not read as zero either.
        for tool in names("made-up", 1000) {
            assert_ne!(memory.read_at(flood, mallory.with(&tool), 3), [Some(0)]);
        }
    }
}

#[test]
fn a_flood_of_subjects_frees_nobodys_counters() {
    let watched = Watched::new();
    for early in [true, false] {
        let memory = memory(1000);
        let (alice, bob) = (Who::new("alice").of("other"), Who::new("bob"));
        let exhaust = || [alice, bob].map(|who| watched.exhaust(&memory, who));
        if early {
            exhaust();
        }
        for id in names("sybil", 10_000) {
            let sybil = Who::new(&id);
            memory.take_at(&watched.daily, sybil, 1);
            memory.record_at(&watched.windows, sybil, 1);
        }
        assert!(memory.keys() <= 1000);
        if early {
            for who in [alice, bob] {
                watched.assert_as_it_was(&memory, who, 2);
            }
        } else {
            // An issuer with few counters finds room.
            watched.exhaust(&memory, alice);
        }
        // None of the others is free, not even those for whom there was no room.
        for id in names("sybil", 10_000) {
            let sybil = Who::new(&id);
            let shown = memory.read_at(&watched.windows, sybil, 3);
            let is_right = |shown: &Option<u64>| *shown != Some(0);
            assert!(shown.iter().all(is_right), "{id}: {shown:?}");
        }
        let newcomer = Who::new("newcomer");
        assert!(is_refused(memory.take_at(&watched.daily, newcomer, 3)));
        let elsewhere = newcomer.of("third");
        assert_eq!(memory.take_at(&watched.daily, elsewhere, 3), Taken::All);
        assert_eq!(memory.read_at(&watched.windows, elsewhere, 3), [Some(0); 2]);
    }
}

/// Each kind of holder has its own room, however many holders of another kind there are.
#[test]
fn shared_counters_are_not_evicted() {
    let shared = [
        "{calls: 1, per: 2d, by: [server]}",
        "{calls: 1, per: 2d, by: [tool]}",
        "{calls: 1, per: 2d, by: [tenant]}",
        "{calls: 1, per: 2d, by: [agent]}",
    ];
    let floods = [
        "{calls: 1, per: 1d, by: [subject]}",
        "{calls: 1, per: 1d, by: [session]}",
        "{calls: 1, per: 1d, by: [agent]}",
        "{calls: 1, per: 1d, by: [tenant]}",
        "{calls: 1, per: 1d, by: [tool]}",
        "{calls: 1, per: 1d, by: [agent, tool]}",
        "{calls: 1, per: 1d, by: [server, tool]}",
    ];
    for flood in floods {
        let memory = memory(100);
        let flood = limited(&[flood]);
        let alice = Who::new("alice");
        // Whoever touches it first: here the flooding subject.
        let shared = shared.map(|limit| limited(&[limit]));
        for limit in &shared {
            assert_eq!(memory.take_at(limit, Who::new("mallory"), 0), Taken::All);
        }
        for name in names("made-up", 1000) {
            let mallory = Who {
                session: &name,
                agent: &name,
                tenant: &name,
                tool: &name,
                ..Who::new(&name)
            };
            memory.take_at(&flood, mallory, 1);
        }
        assert!(memory.keys() <= 100);
        for limit in &shared {
            assert!(is_refused(memory.take_at(limit, alice, 2)), "{limit:?}");
        }
        let free = limited(&["{calls: 1, per: 1h, by: [subject]}"]);
        let elsewhere = alice.of("other");
        assert_eq!(memory.take_at(&free, elsewhere, 3), Taken::All);
    }
}

/// Floods with made-up names of tenants and agents, and floods of rehearsals.
#[test]
fn floods_of_other_kinds_touch_no_subject_of_their_issuer() {
    let floods = [
        ("{calls: 1, per: 1d, by: [tenant]}", false),
        ("{calls: 1, per: 1d, by: [tenant, tool]}", false),
        ("{calls: 1, per: 1d, by: [agent]}", false),
        ("{calls: 1, per: 1d, by: [subject]}", true),
        ("{calls: 1, per: 1d, by: [subject, tool]}", true),
        ("{calls: 1, per: 1d, by: [tenant]}", true),
        ("{calls: 1, per: 1d, by: [agent]}", true),
    ];
    let watched = Watched::new();
    for (flood, is_rehearsed) in floods {
        let memory = memory(1000);
        let flood = limited(&[flood]);
        let subjects = [Who::new("alice"), Who::new("mallory"), Who::new("late")];
        let [alice, mallory, late] = subjects;
        for who in [alice, mallory] {
            watched.exhaust(&memory, who);
        }
        for (number, name) in names("made-up", 5000).enumerate() {
            let made_up = Who {
                agent: &name,
                tenant: &name,
                tool: &name,
                ..mallory
            };
            let mut limits = crate::state::fixtures::limits(&flood, made_up);
            if is_rehearsed {
                for limit in &mut limits {
                    limit.key = limit.key.within("candidate");
                }
            }
            crate::state::fixtures::ready(memory.take(&limits, at(1)));
            if number == 4000 {
                watched.exhaust(&memory, late);
            }
        }
        assert!(memory.keys() <= 1000);
        for who in subjects {
            watched.assert_as_it_was(&memory, who, 2);
        }
    }
}

/// However many subjects arrive, whether they have one counter each, up to a few, or more.
#[test]
fn a_quarantine_outlasts_any_number_of_subjects_of_its_issuer() {
    let denials = watched(&["denials: {more_than: 10, per: 1h, by: [subject]}"]);
    let by_tool = limited(&["{calls: 1, per: 2d, by: [subject, tool]}"]);
    for each in [1, 15, 16, 17, 100] {
        let memory = memory(1024);
        let prober = Who::new("prober");
        for _ in 0..12 {
            memory.record_at(&denials, prober, 0);
        }
        for id in names("sybil", 10_000 / each + 100) {
            let sybil = Who::new(&id);
            memory.record_at(&denials, sybil, 1);
            for tool in names("t", each) {
                memory.take_at(&by_tool, sybil.with(&tool), 1);
            }
        }
        assert_eq!(memory.keys(), 1024);
        assert_eq!(memory.read_at(&denials, prober, 2), [Some(12)]);
    }
}

#[test]
fn expired_counters_make_room_first_whoever_holds_them() {
    let memory = memory(100);
    let short = limited(&["{calls: 60, per: 1m, by: [subject, tool]}"]);
    let long = limited(&["{calls: 1, per: 1d, by: [subject, tool]}"]);
    let (alice, bob) = (Who::new("alice"), Who::new("bob"));
    for tool in names("t", 60) {
        assert_eq!(memory.take_at(&long, alice.with(&tool), 0), Taken::All);
    }
    for tool in names("t", 40) {
        assert_eq!(memory.take_at(&short, bob.with(&tool), 0), Taken::All);
    }
    // Alice has the most, but Bob's full bucket is evicted.
    for tool in names("u", 40) {
        assert_eq!(memory.take_at(&long, bob.with(&tool), 10), Taken::All);
    }
    assert_eq!(memory.forgotten(), Forgotten::default());
    for tool in names("t", 60) {
        assert!(is_refused(memory.take_at(&long, alice.with(&tool), 11)));
    }
}

#[test]
fn all_of_several_limits_find_room_or_none_is_taken_from() {
    let one = "{calls: 1, per: 1h, by: [subject]}";
    let both = limited(&[one, "{calls: 1, per: 1h, by: [server]}"]);
    let memory = memory(1);
    for seconds in 0..3 {
        let Taken::Exhausted { first, .. } = memory.take_at(&both, Who::new("a"), seconds) else {
            panic!("there is no room for two")
        };
        assert_eq!((first, memory.keys()), (1, 0));
    }
    // Nothing was taken from the first.
    assert_eq!(
        memory.take_at(&limited(&[one]), Who::new("a"), 5),
        Taken::All
    );
    assert_eq!(memory.forgotten(), Forgotten::default());
}

#[test]
fn rehearsals_never_evict_enforced_counters() {
    let memory = memory(100);
    let by_tool = limited(&["{calls: 1, per: 1d, by: [subject, tool]}"]);
    let (alice, bob) = (Who::new("alice"), Who::new("bob").of("other"));
    let rehearse = |who: Who<'_>| {
        let limits = crate::state::fixtures::limits(&by_tool, who);
        let aside: Vec<LimitDemand> = limits
            .into_iter()
            .map(|limit| LimitDemand {
                key: limit.key.within("candidate"),
                ..limit
            })
            .collect();
        crate::state::fixtures::ready(memory.take(&aside, at(1)))
    };
    for tool in names("t", 95) {
        assert_eq!(memory.take_at(&by_tool, alice.with(&tool), 0), Taken::All);
    }
    let tried = names("t", 1000).filter(|tool| rehearse(bob.with(tool)) == Taken::All);
    assert_eq!(tried.count(), 5);
    // Enforced counters take the room of rehearsals, though they have more already.
    for tool in names("u", 5) {
        assert_eq!(memory.take_at(&by_tool, alice.with(&tool), 2), Taken::All);
    }
    assert!(is_refused(rehearse(bob.with("t-0"))));
    assert_eq!(
        memory.read_at(&Watched::new().windows, alice, 2),
        [Some(0); 2]
    );
    for tool in names("t", 95) {
        assert!(is_refused(memory.take_at(&by_tool, alice.with(&tool), 3)));
    }
}

#[test]
fn tools_that_a_server_does_not_have_take_the_room_of_one() {
    let memory = memory(1000);
    let by_tool = limited(&["{calls: 3, per: 1d, by: [subject, tool]}"]);
    let probing = watched(&["distinct_tools: {more_than: 3, per: 1h, by: [subject]}"]);
    for tool in names("made-up", 100) {
        let unlisted = Who {
            tool_is_unlisted: true,
            ..Who::new("mallory").with(&tool)
        };
        memory.take_at(&by_tool, unlisted, 0);
        memory.record_at(&probing, unlisted, 0);
    }
    assert_eq!(memory.keys(), 2);
}

#[test]
fn keys_distinguish_names_that_join_to_the_same_text() {
    let by = watched(&["calls: {more_than: 1, per: 1m, by: [subject, tool]}"]);
    let key = |id: &str, tool: &str| {
        let windows = crate::state::fixtures::windows(&by, Who::new(id).with(tool));
        windows[0].key.clone()
    };
    assert_ne!(key("ab", "c"), key("a", "bc"));
    assert_eq!(key("ab", "c"), key("ab", "c"));
    assert_ne!(key("ab", "c"), key("ab", "c").within("candidate"));
    let unlisted = Who {
        tool_is_unlisted: true,
        ..Who::new("ab").with("")
    };
    let unlisted = &crate::state::fixtures::windows(&by, unlisted)[0].key;
    assert_ne!(*unlisted, key("ab", ""));
}

fn limit(calls: u32, seconds: u64, burst: u32) -> Limit {
    Limit {
        calls,
        per: Duration::from_secs(seconds),
        burst,
        by: Box::new([crate::authz::KeyPart::Subject]),
    }
}

proptest! {
    /// No period passes more than its calls and the burst.
    #[test]
    fn no_stretch_of_time_passes_more_than_the_rate_and_the_burst(
        calls in 1_u32..20,
        burst in 1_u32..20,
        steps in prop::collection::vec(0_i64..3_000, 1..200),
    ) {
        let bucket = CallBucket::new(&limit(calls, 10, burst));
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
