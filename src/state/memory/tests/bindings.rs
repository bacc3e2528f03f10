//! Floods of sessions and tasks.

use super::{Memory, is_of, memory, names, session};
use crate::state::fixtures::{StoreAt as _, Who, at};
use crate::state::memory::lost::{Cost, Lost};
use crate::state::{Bind, BindingKey, BindingKind, Whose};

const DAY: i64 = 24 * 60 * 60;

fn task(id: &str) -> BindingKey {
    BindingKey::task("s", id)
}

#[test]
fn a_flood_of_ids_takes_nobodys_bindings() {
    let (alice, bob) = (Who::new("alice").of("other"), Who::new("bob"));
    let mallory = Who::new("mallory");
    for how in [Bind::IfFree, Bind::Anew] {
        for key in [session as fn(&str) -> BindingKey, task] {
            let memory = memory(100);
            // Mallory was there first.
            assert!(is_of(memory.bind_at(key("m"), mallory, how, 0), mallory));
            for (id, who) in [("a1", alice), ("a2", alice), ("b", bob)] {
                assert!(is_of(memory.bind_at(key(id), who, Bind::IfFree, 0), who));
            }
            for id in names("made-up", 150) {
                let bound = memory.bind_at(key(&id), mallory, how, 1);
                assert!(is_of(bound, mallory) || how == Bind::IfFree, "{bound:?}");
            }
            for (id, who) in [("a1", alice), ("a2", alice), ("b", bob)] {
                assert!(is_of(memory.whose_at(key(id), 2), who), "{id}");
            }
            // A subject with few bindings still finds room.
            for (id, who) in [("a3", alice), ("b2", bob)] {
                assert!(is_of(memory.bind_at(key(id), who, Bind::IfFree, 2), who));
            }
            let kind = key("a1").kind();
            assert_eq!(memory.bound(kind), 100);
            // Nobody can take the ids that Mallory made up and no longer owns.
            let takes = |id: &String| is_of(memory.bind_at(key(id), bob, Bind::IfFree, 3), bob);
            let bound = names("made-up", 150).filter(takes).count();
            assert!(how == Bind::IfFree || bound == 0, "{bound}");
            assert_eq!(memory.bound(kind), 100);
            assert!(!memory.has_ended_first_use(kind, at(3)));
            assert!(is_of(memory.whose_at(key("a1"), 4), alice));
        }
    }
}

#[test]
fn a_flood_of_subjects_takes_nobodys_bindings() {
    let (alice, bob) = (Who::new("alice").of("other"), Who::new("bob"));
    for how in [Bind::IfFree, Bind::Anew] {
        for key in [session as fn(&str) -> BindingKey, task] {
            let memory = memory(1000);
            let theirs = [("a", alice), ("b1", bob), ("b2", bob), ("b3", bob)];
            for (id, who) in theirs {
                assert!(is_of(memory.bind_at(key(id), who, Bind::IfFree, 0), who));
            }
            for id in names("sybil", 10_000) {
                let sybil = Who::new(&id);
                let bound = memory.bind_at(key(&id), sybil, how, 1);
                assert!(is_of(bound, sybil) || how == Bind::IfFree);
            }
            let mallory = Who::new("mallory");
            for (id, who) in theirs {
                assert!(!is_of(
                    memory.bind_at(key(id), mallory, Bind::IfFree, 2),
                    mallory
                ));
                assert!(is_of(memory.whose_at(key(id), 2), who), "{id}");
            }
            assert_eq!(memory.bound(key("a").kind()), 1000);
            // An issuer with few bindings finds room.
            let bound = memory.bind_at(key("a2"), alice, Bind::Anew, 3);
            assert!(is_of(bound, alice));
        }
    }
}

/// Sessions do not expire here, so a store fills up some day, and must carry on.
#[test]
fn bindings_unused_for_a_day_make_room_and_are_unknown() {
    let memory = memory(100);
    for id in names("old", 100) {
        let who = Who::new(&id);
        assert!(is_of(
            memory.bind_at(session(&id), who, Bind::IfFree, 0),
            who
        ));
    }
    let newcomer = Who::new("newcomer");
    let first = memory.bind_at(session("n"), newcomer, Bind::IfFree, DAY - 1);
    assert_eq!(first, Whose::Unknown);
    // Looking a binding up counts as use, whoever does it.
    assert!(is_of(
        memory.whose_at(session("old-0"), DAY),
        Who::new("old-0")
    ));
    let second = memory.bind_at(session("n"), newcomer, Bind::IfFree, DAY);
    assert!(is_of(second, newcomer));
    assert!(is_of(
        memory.whose_at(session("old-0"), DAY),
        Who::new("old-0")
    ));
    let lost = [session("old-1"), session("old-2")].map(|key| memory.whose_at(key, DAY));
    assert_eq!(lost[0], Whose::Unknown);
    assert!(is_of(lost[1], Who::new("old-2")));
    assert_eq!(memory.forgotten().sessions, 1);
    // Not even its owner has it any more, until the server issues it again.
    let owner = Who::new("old-1");
    let used = memory.bind_at(session("old-1"), owner, Bind::IfFree, DAY);
    assert_eq!(used, Whose::Unknown);
    let issued = memory.bind_at(session("old-1"), owner, Bind::Anew, DAY);
    assert!(is_of(issued, owner));
    assert_eq!(memory.bound(BindingKind::Session), 100);
}

/// The subject sees its lost ids as unknown, and an id that nobody has used as free.
fn assert_free_and_lost(memory: &Memory, who: Who<'_>, lost: &[BindingKey], seconds: i64) {
    for key in lost {
        let found = memory.whose_for(who, *key, seconds);
        assert_eq!(found, Whose::Unknown, "{who:?}");
        let used = memory.bind_at(*key, who, Bind::IfFree, seconds);
        assert_eq!(used, Whose::Unknown, "{who:?}");
    }
    let new = BindingKey::session("elsewhere", &format!("{who:?} at {seconds}"));
    assert_eq!(memory.whose_for(who, new, seconds), Whose::Nobodys);
    assert!(is_of(memory.bind_at(new, who, Bind::IfFree, seconds), who));
}

#[test]
fn one_subject_does_not_end_first_use_for_anybody() {
    for (most, count) in [(60, 130), (60, 5000), (2000, 4100)] {
        let memory = memory(most);
        let mallory = Who::new("mallory");
        let mut now = 0;
        for id in names("session", count) {
            let bound = memory.bind_at(session(&id), mallory, Bind::Anew, now);
            assert!(is_of(bound, mallory));
            now += 1;
        }
        assert!(!memory.has_ended_first_use(BindingKind::Session, at(now)));
        // The ids that he lost last are not free, and those he lost long ago are.
        let lost = |number: usize| session(&format!("session-{number}"));
        let (latest, earliest) = (lost(count - most - 1), lost(0));
        assert_eq!(memory.whose_for(mallory, latest, now), Whose::Unknown);
        assert_eq!(memory.whose_for(mallory, earliest, now), Whose::Nobodys);
        for who in [Who::new("carol"), Who::new("carol").of("other")] {
            assert_free_and_lost(&memory, who, &[], now);
        }
        // His own first uses still work too.
        let newer = session("newer");
        assert!(is_of(
            memory.bind_at(newer, mallory, Bind::Anew, now),
            mallory
        ));
    }
}

/// Ids that others lost before or during a flood are not free, whatever the flood's issuer.
#[test]
fn a_flood_frees_only_its_own_ids() {
    let owners = [
        Who::new("alice"),
        Who::new("bob").of("other"),
        Who::new("late"),
    ];
    let [alice, bob, late] = owners;
    for many in [1, 3, 40] {
        let memory = memory(640);
        let keys = [session("a"), session("b"), session("l")];
        for (key, who) in [(keys[0], alice), (keys[1], bob)] {
            memory.bind_at(key, who, Bind::IfFree, 0);
        }
        let flood = |from: usize, to: usize, seconds: i64| {
            for number in from..to {
                let id = format!("mallory-{}", number % many);
                let key = session(&format!("made-up-{number}"));
                let mallory = Who::new(&id);
                let bound = memory.bind_at(key, mallory, Bind::Anew, seconds);
                assert!(is_of(bound, mallory));
            }
        };
        // A binding unused for a day is evicted first only if nobody has more than a few.
        flood(0, 640, 2 * DAY);
        memory.bind_at(keys[2], late, Bind::IfFree, 2 * DAY);
        flood(640, 10_000, 2 * DAY + 1);
        assert!(!memory.has_ended_first_use(BindingKind::Session, at(2 * DAY + 2)));
        for (key, who) in keys.into_iter().zip(owners) {
            let found = memory.whose_for(who, key, 2 * DAY + 2);
            assert!(is_of(found, who) || found == Whose::Unknown, "{found:?}");
            let taken = memory.bind_at(key, Who::new("thief"), Bind::IfFree, 2 * DAY + 2);
            assert!(is_of(taken, who) || taken == Whose::Unknown, "{taken:?}");
        }
        for who in [alice, bob, Who::new("carol")] {
            assert_free_and_lost(&memory, who, &[], 2 * DAY + 3);
        }
    }
}

#[test]
fn many_subjects_of_one_issuer_do_not_end_first_use_for_another() {
    let memory = memory(64);
    let (alice, kind) = (Who::new("alice").of("other"), BindingKind::Session);
    // Hers is idle when others need room, and is evicted.
    memory.bind_at(session("a"), alice, Bind::IfFree, 0);
    for issuer in ["other", "p", "q"] {
        for id in names(issuer, 21) {
            memory.bind_at(session(&id), Who::new(&id).of(issuer), Bind::IfFree, 1);
        }
    }
    memory.bind_at(session("b"), Who::new("bob").of("other"), Bind::Anew, DAY);
    assert_eq!(memory.whose_for(alice, session("a"), DAY), Whose::Unknown);
    for id in names("sybil", 1000) {
        let sybil = Who::new(&id);
        let bound = memory.bind_at(session(&id), sybil, Bind::Anew, DAY);
        assert!(is_of(bound, sybil));
    }
    assert!(memory.has_ended_first_use(kind, at(DAY)));
    let lost = [session("a")];
    assert_free_and_lost(&memory, alice, &lost, DAY + 1);
    assert_free_and_lost(&memory, Who::new("carol").of("third"), &lost, DAY + 1);
    // To the subjects of the flood's issuer nothing is free, but issued ids are theirs.
    let carol = Who::new("carol");
    for id in ["new", "sybil-500", "sybil-900", "a"] {
        let found = memory.whose_for(carol, session(id), DAY + 1);
        assert_eq!(found, Whose::Unknown, "{id}");
        let used = memory.bind_at(session(id), carol, Bind::IfFree, DAY + 1);
        assert_eq!(used, Whose::Unknown, "{id}");
    }
    let issued = memory.bind_at(session("new"), carol, Bind::Anew, DAY + 1);
    assert!(is_of(issued, carol));
    // Tasks are separate.
    assert_eq!(
        memory.whose_for(carol, task("new"), DAY + 1),
        Whose::Nobodys
    );
    let later = 31 * DAY + 1;
    assert!(!memory.has_ended_first_use(kind, at(later)));
    let found = memory.whose_for(carol, session("newer"), later);
    assert_eq!(found, Whose::Nobodys);
}

#[test]
fn fingerprints_are_bounded_and_last_a_month() {
    let id = |number: u128| number.to_le_bytes();
    let party = |name: &str, issuer: &str| Who::new(name).of(issuer).owner().party();
    let (robot, other) = (party("robot", "i"), party("other", "j"));
    let mut lost = Lost::new(10);
    for number in 0..100 {
        let used = i64::try_from(number).unwrap();
        let cost = lost.add(id(number), &robot, used, 100);
        assert_eq!(cost == Cost::Freed, number >= 10);
        assert!(lost.len() <= 10);
    }
    assert!(!lost.has_ended(100) && !lost.has(id(89), &other, 100));
    assert!(lost.has(id(90), &other, 100) && lost.has(id(95), &robot, 94 + 30 * DAY));
    assert!(!lost.has(id(95), &robot, 95 + 30 * DAY));
    lost.remove(id(95));
    assert!(!lost.has(id(95), &robot, 100));
    // An owner with one keeps it, and expired ids make room at nobody's cost.
    assert_eq!(lost.add(id(200), &other, 100, 100), Cost::None);
    assert_eq!(lost.add(id(201), &robot, 200, 200), Cost::Freed);
    assert!(lost.has(id(200), &robot, 200));
    let later = 99 + 30 * DAY;
    assert_eq!(lost.add(id(202), &robot, later, later), Cost::None);
    assert_eq!(lost.len(), 3);
    // An id that has expired already is not remembered.
    assert_eq!(lost.add(id(203), &robot, 0, later), Cost::None);
    assert_eq!(lost.len(), 3);
}

#[test]
fn where_nobody_has_lost_more_than_one_first_use_ends_for_the_issuer() {
    let id = |number: u128| number.to_le_bytes();
    let mut lost = Lost::new(3);
    let names: Vec<String> = names("s", 5).collect();
    let party = |number: usize| Who::new(&names[number]).owner().party();
    for (number, used) in [(0_u8, 50), (1, 20), (2, 40)] {
        let cost = lost.add(id(number.into()), &party(number.into()), used, 60);
        assert_eq!(cost, Cost::None);
    }
    let other = Who::new("o").of("j").owner().party();
    assert_eq!(lost.add(id(3), &party(3), 30, 60), Cost::Ended);
    // Of the four, the one that expires at 20 is dropped.
    for (asking, at, expected) in [
        (party(4), 19 + 30 * DAY, true),
        (party(4), 20 + 30 * DAY, false),
        (other, 60, false),
    ] {
        assert_eq!(lost.has(id(9), &asking, at), expected, "{at}");
    }
    // An id that expires sooner than all others is itself not remembered.
    assert_eq!(lost.add(id(4), &party(4), 10, 60), Cost::Ended);
    assert!(!lost.has(id(4), &other, 60) && lost.has(id(3), &other, 60));
    // Another issuer finds room at the expense of the largest one.
    assert_eq!(lost.add(id(5), &other, 10, 60), Cost::Ended);
    assert!(lost.has(id(5), &other, 60) && !lost.has(id(6), &other, 60));
}
