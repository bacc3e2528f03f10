//! Floods of sessions and tasks.

use super::{is_of, memory, names, session};
use crate::state::fixtures::{Asked as _, Who, at};
use crate::state::memory::lost::Lost;
use crate::state::{Bind, BindingKey, BindingKind, Whose};

const DAY: i64 = 24 * 60 * 60;

fn task(id: &str) -> BindingKey {
    BindingKey::task("s", id)
}

#[test]
fn a_flood_of_ids_takes_nothing_of_anybodys() {
    let (alice, bob) = (Who::new("alice").of("other"), Who::new("bob"));
    let mallory = Who::new("mallory");
    for how in [Bind::IfFree, Bind::Anew] {
        for key in [session as fn(&str) -> BindingKey, task] {
            let memory = memory(100);
            // He was there first.
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
            // Whoever has little still finds room.
            for (id, who) in [("a3", alice), ("b2", bob)] {
                assert!(is_of(memory.bind_at(key(id), who, Bind::IfFree, 2), who));
            }
            let kind = key("a1").kind();
            assert_eq!(memory.bound(kind), 100);
            // What he made up and does not have is nobody's to take.
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
fn a_flood_of_subjects_takes_nothing_of_anybodys() {
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
            // An issuer that has little finds room.
            let bound = memory.bind_at(key("a2"), alice, Bind::Anew, 3);
            assert!(is_of(bound, alice));
        }
    }
}

/// Sessions do not end here, so a store is full some day, and goes on.
#[test]
fn what_nobody_used_for_a_day_makes_room_and_is_nobodys() {
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
    // Asking is using, whoever asks.
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
    // It is not even its owner's any more, until the server issues it again.
    let owner = Who::new("old-1");
    let used = memory.bind_at(session("old-1"), owner, Bind::IfFree, DAY);
    assert_eq!(used, Whose::Unknown);
    let issued = memory.bind_at(session("old-1"), owner, Bind::Anew, DAY);
    assert!(is_of(issued, owner));
    assert_eq!(memory.bound(BindingKind::Session), 100);
}

#[test]
fn where_too_much_is_forgotten_first_use_ends() {
    let memory = memory(10);
    let robot = Who::new("robot");
    for id in names("session", 20) {
        memory.bind_at(session(&id), robot, Bind::Anew, 0);
    }
    let (alice, kind) = (Who::new("alice").of("other"), BindingKind::Session);
    assert!(!memory.has_ended_first_use(kind, at(0)));
    assert_eq!(memory.whose_at(session("new"), 0), Whose::Nobodys);
    memory.bind_at(session("one more"), robot, Bind::Anew, 0);
    assert!(memory.has_ended_first_use(kind, at(0)));
    for id in ["new", "session-0", "session-5"] {
        let used = memory.bind_at(session(id), alice, Bind::IfFree, 1);
        assert_eq!(used, Whose::Unknown, "{id}");
    }
    assert!(is_of(
        memory.bind_at(session("new"), alice, Bind::Anew, 1),
        alice
    ));
    // Tasks are others.
    assert_eq!(memory.whose_at(task("new"), 1), Whose::Nobodys);
    let later = 30 * DAY + 1;
    assert!(!memory.has_ended_first_use(kind, at(later)));
    assert_eq!(memory.whose_at(session("newer"), later), Whose::Nobodys);
    assert_eq!(memory.forgotten().sessions, 12);
}

#[test]
fn fingerprints_are_bounded() {
    let mut lost = Lost::new(10);
    for number in 0_u128..100 {
        lost.add(number.to_le_bytes(), i64::try_from(number).unwrap(), 100);
        assert!(lost.len() <= 10);
    }
    assert!(lost.is_full(100));
    assert!(lost.has(u128::MAX.to_le_bytes(), 100));
    assert!(!lost.is_full(89 + 30 * DAY) && lost.has(95_u128.to_le_bytes(), 89 + 30 * DAY));
    assert!(!lost.has(u128::MAX.to_le_bytes(), 89 + 30 * DAY));
    lost.remove(95_u128.to_le_bytes());
    assert!(!lost.has(95_u128.to_le_bytes(), 89 + 30 * DAY));
}
