use smallvec::SmallVec;

use super::*;
use crate::state::binding::Owner;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn request(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn owner(name: &str) -> Owner {
    Owner::new("i", name)
}

fn key(id: &str) -> RequestKey {
    RequestKey::new("s", "session", None, id)
}

/// A list request, inspected in this way.
fn list(name: &str, look: u8, ids: &[&str]) -> RequestIds {
    RequestIds {
        owner: owner(name),
        look,
        awaited: ids.iter().map(|id| key(id)).collect(),
        others: SmallVec::new(),
    }
}

fn call(name: &str, ids: &[&str]) -> RequestIds {
    let list = list(name, 0, ids);
    RequestIds {
        others: list.awaited,
        awaited: SmallVec::new(),
        ..list
    }
}

/// Whether a request may use its ids; asserts that `is_in_use` agrees.
fn enter(
    in_flight: &InFlight,
    number: u128,
    ids: &RequestIds,
    seconds: i64,
) -> Result<usize, IdInUse> {
    let is_in_use = in_flight.is_in_use(ids, at(seconds));
    let entered = in_flight.enter(request(number), ids, at(seconds));
    assert_eq!(is_in_use, entered.is_err());
    entered
}

#[test]
fn an_id_is_kept_until_its_request_is_answered() {
    let in_flight = InFlight::new(10);
    assert!(in_flight.is_empty());
    assert_eq!(enter(&in_flight, 1, &list("alice", 1, &["7"]), 0), Ok(0));
    let again = call("alice", &["7"]);
    assert_eq!(enter(&in_flight, 2, &again, 1), Err(IdInUse));
    let both = RequestIds {
        others: SmallVec::from_slice(&[key("7")]),
        ..list("bob", 1, &["8"])
    };
    assert_eq!(enter(&in_flight, 2, &both, 1), Err(IdInUse));
    // Nothing of a refused request is recorded.
    assert_eq!(enter(&in_flight, 3, &list("alice", 2, &["8"]), 1), Ok(0));
    in_flight.leave(request(3));
    in_flight.leave(request(2));
    assert!(!in_flight.is_empty());
    in_flight.leave(request(1));
    assert!(in_flight.is_empty());
    assert_eq!(enter(&in_flight, 2, &again, 1), Ok(0));
    assert!(in_flight.is_empty());
}

#[test]
fn ids_of_other_sessions_servers_and_owners_are_distinct() {
    let in_flight = InFlight::new(10);
    enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
    for other in [
        RequestKey::new("s", "another", None, "7"),
        RequestKey::new("another", "session", None, "7"),
        RequestKey::new("ss", "ession", None, "7"),
        RequestKey::new("s", "session", Some(owner("alice")), "7"),
        RequestKey::new("s", "session", Some(owner("bob")), "7"),
    ] {
        let mut ids = call("alice", &[]);
        ids.others.push(other);
        assert_eq!(enter(&in_flight, 2, &ids, 0), Ok(0));
    }
}

#[test]
fn an_id_whose_response_is_never_seen_is_freed_in_time() {
    let in_flight = InFlight::new(10);
    enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
    let again = call("alice", &["7"]);
    for (after, entered) in [(599, Err(IdInUse)), (-5, Err(IdInUse)), (600, Ok(0))] {
        assert_eq!(enter(&in_flight, 2, &again, after), entered);
    }
}

#[test]
fn an_error_frees_an_id_soon() {
    let in_flight = InFlight::new(10);
    enter(&in_flight, 1, &list("alice", 1, &["7"]), 0).unwrap();
    in_flight.expire_soon(request(1), at(100));
    // A later call does not prolong it.
    in_flight.expire_soon(request(1), at(120));
    in_flight.expire_soon(request(2), at(120));
    let again = call("alice", &["7"]);
    assert_eq!(enter(&in_flight, 2, &again, 129), Err(IdInUse));
    assert_eq!(enter(&in_flight, 2, &again, 130), Ok(0));
    assert!(in_flight.is_empty());
    enter(&in_flight, 3, &list("alice", 1, &["9"]), 130).unwrap();
    in_flight.expire_soon(request(3), at(725));
    assert_eq!(enter(&in_flight, 4, &call("alice", &["9"]), 730), Ok(0));
}

#[test]
fn a_recently_used_id_cannot_be_the_id_of_a_list() {
    let in_flight = InFlight::new(10);
    let called = call("alice", &["7"]);
    let listed = list("alice", 1, &["7"]);
    assert_eq!(enter(&in_flight, 1, &called, 0), Ok(0));
    // A check that is made twice is not another request.
    assert_eq!(enter(&in_flight, 2, &called, 0), Ok(0));
    assert_eq!(enter(&in_flight, 3, &listed, 0), Err(IdInUse));
    assert_eq!(enter(&in_flight, 3, &listed, 9), Err(IdInUse));
    assert_eq!(enter(&in_flight, 3, &listed, 20), Ok(0));
    in_flight.leave(request(3));
    // Within a period that began before.
    assert_eq!(enter(&in_flight, 4, &call("bob", &["8"]), 100), Ok(0));
    assert_eq!(enter(&in_flight, 1, &called, 109), Ok(0));
    for seconds in [109, 118, 127] {
        assert_eq!(enter(&in_flight, 3, &listed, seconds), Err(IdInUse));
    }
    assert_eq!(enter(&in_flight, 3, &listed, 128), Ok(0));
    in_flight.leave(request(3));
    // Whatever the clock does, the id is freed in the end.
    assert_eq!(enter(&in_flight, 1, &called, 1_000_000), Ok(0));
    assert_eq!(enter(&in_flight, 3, &listed, 0), Err(IdInUse));
    assert_eq!(enter(&in_flight, 3, &listed, 9), Err(IdInUse));
    assert_eq!(enter(&in_flight, 3, &listed, 10), Err(IdInUse));
    assert_eq!(enter(&in_flight, 3, &listed, 20), Ok(0));
}

#[test]
fn a_request_that_is_checked_twice_has_its_id_until_both_are_answered() {
    let in_flight = InFlight::new(10);
    let listed = list("alice", 1, &["7"]);
    assert_eq!(enter(&in_flight, 1, &listed, 0), Ok(0));
    assert_eq!(enter(&in_flight, 2, &listed, 0), Ok(0));
    for other in [
        list("alice", 2, &["7"]),
        list("bob", 1, &["7"]),
        call("alice", &["7"]),
    ] {
        assert_eq!(enter(&in_flight, 3, &other, 0), Err(IdInUse));
    }
    in_flight.leave(request(2));
    assert_eq!(
        enter(&in_flight, 3, &call("alice", &["7"]), 0),
        Err(IdInUse)
    );
    in_flight.leave(request(1));
    assert_eq!(enter(&in_flight, 3, &call("alice", &["7"]), 0), Ok(0));
    assert!(in_flight.is_empty());
}

#[test]
fn a_late_check_does_not_age_ids() {
    let in_flight = InFlight::new(10);
    let called = |id, seconds| enter(&in_flight, 1, &call("alice", &[id]), seconds);
    assert_eq!(called("1", 0), Ok(0));
    assert_eq!(called("7", 9), Ok(0));
    assert_eq!(called("2", 10), Ok(0));
    // It began nine seconds ago.
    assert_eq!(called("3", 1), Ok(0));
    assert_eq!(called("4", 11), Ok(0));
    let listed = list("alice", 1, &["7"]);
    assert_eq!(enter(&in_flight, 2, &listed, 12), Err(IdInUse));
    assert_eq!(enter(&in_flight, 2, &listed, 20), Ok(0));
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_id() {
    let in_flight = InFlight::new(10);
    enter(&in_flight, 1, &list("alice", 1, &["7"]), 100_000).unwrap();
    enter(&in_flight, 2, &list("alice", 1, &["8"]), 100_001).unwrap();
    let again = call("alice", &["7"]);
    for (after, entered) in [(0, Err(IdInUse)), (599, Err(IdInUse)), (600, Ok(0))] {
        assert_eq!(enter(&in_flight, 3, &again, after), entered);
    }
    assert!(in_flight.is_empty());
}

#[test]
fn nobody_frees_an_id_with_many_more() {
    let in_flight = InFlight::new(4);
    enter(&in_flight, 0, &list("alice", 1, &["of alice"]), 0).unwrap();
    let listed = |number: u128, seconds| {
        let ids = list("mallory", 1, &[&number.to_string()]);
        enter(&in_flight, number, &ids, seconds)
    };
    for number in 1..4 {
        assert_eq!(listed(number, 0), Ok(0));
    }
    for number in 4..10 {
        assert_eq!(listed(number, 59), Err(IdInUse));
    }
    for id in ["1", "2", "3"] {
        let again = call("mallory", &[id]);
        assert_eq!(enter(&in_flight, 99, &again, 59), Err(IdInUse), "{id}");
    }
    // They are evicted once a response is unlikely, the oldest first.
    assert_eq!(listed(4, 60), Ok(1));
    assert_eq!(enter(&in_flight, 99, &call("mallory", &["1"]), 60), Ok(0));
    for (name, id) in [("mallory", "2"), ("mallory", "4"), ("alice", "of alice")] {
        let again = call(name, &[id]);
        assert_eq!(enter(&in_flight, 99, &again, 60), Err(IdInUse), "{id}");
    }
    // A batch counts by its ids.
    let batch = |ids| in_flight.enter(request(100), &list("mallory", 1, ids), at(60));
    assert_eq!(batch(&["5", "6", "7"]), Err(IdInUse));
    assert_eq!(batch(&["5", "6"]), Ok(0));
    assert_eq!(batch(&["8", "9", "10", "11", "12"]), Err(IdInUse));
}

#[test]
fn an_owner_whose_id_was_evicted_for_others_has_none_for_a_while() {
    let in_flight = InFlight::new(4);
    for number in 1..5 {
        let ids = list("mallory", 1, &[&number.to_string()]);
        assert_eq!(enter(&in_flight, number, &ids, 0), Ok(0));
    }
    assert_eq!(enter(&in_flight, 5, &list("bob", 1, &["7"]), 10), Ok(1));
    for ids in [call("mallory", &["1"]), list("mallory", 1, &["other"])] {
        for seconds in [10, 59] {
            assert_eq!(enter(&in_flight, 6, &ids, seconds), Err(IdInUse));
        }
    }
    for name in ["alice", "bob"] {
        let other = call(name, &["other"]);
        assert_eq!(enter(&in_flight, 6, &other, 10), Ok(0));
    }
    assert_eq!(enter(&in_flight, 6, &call("mallory", &["1"]), 60), Ok(0));
}

#[test]
fn the_subjects_of_one_issuer_take_no_room_from_those_of_another() {
    let in_flight = InFlight::new(100);
    let of_alice = list("alice", 1, &["of alice", "of alice too"]);
    assert_eq!(enter(&in_flight, 0, &of_alice, 0), Ok(0));
    let mut refused = 0;
    for number in 1..200_u128 {
        let ids = RequestIds {
            owner: Owner::new("other", &number.to_string()),
            ..list("", 1, &[&number.to_string()])
        };
        refused += usize::from(enter(&in_flight, number, &ids, 1).is_err());
    }
    assert_eq!(refused, 101);
    let again = call("alice", &["of alice"]);
    assert_eq!(enter(&in_flight, 300, &again, 2), Err(IdInUse));
    let more = list("alice", 1, &["more"]);
    assert_eq!(enter(&in_flight, 301, &more, 2), Ok(1));
    assert_eq!(enter(&in_flight, 302, &again, 2), Err(IdInUse));
}

#[test]
fn the_owner_with_the_most_recent_ids_makes_room() {
    let in_flight = InFlight::new(16);
    enter(&in_flight, 0, &call("alice", &["of alice"]), 0).unwrap();
    enter(&in_flight, 0, &call("bob", &["of bob", "of bob too"]), 0).unwrap();
    let mut forgotten = 0;
    let mut flood = |seconds| {
        for number in 0..100_u128 {
            let ids = call("mallory", &[&number.to_string()]);
            forgotten += enter(&in_flight, number, &ids, seconds).unwrap();
        }
        forgotten
    };
    assert_eq!(flood(0), 90);
    for (name, id) in [
        ("alice", "of alice"),
        ("bob", "of bob"),
        ("bob", "of bob too"),
    ] {
        let listed = list(name, 1, &[id]);
        assert_eq!(enter(&in_flight, 200, &listed, 9), Err(IdInUse), "{id}");
        let other = list(name, 1, &["other"]);
        assert!(!in_flight.is_in_use(&other, at(9)), "{id}");
    }
    // If some of an owner's ids were evicted, any id may be one of them.
    for id in (0..100).map(|id| id.to_string()) {
        let listed = list("mallory", 1, &[&id]);
        assert_eq!(enter(&in_flight, 200, &listed, 9), Err(IdInUse), "{id}");
    }
    // Nor do they take the room of awaited ids.
    let listed = list("mallory", 1, &["listed"]);
    assert_eq!(enter(&in_flight, 201, &listed, 10), Ok(0));
    flood(10);
    let again = call("mallory", &["listed"]);
    assert_eq!(enter(&in_flight, 202, &again, 10), Err(IdInUse));
}

#[test]
fn no_number_of_owners_frees_recent_ids() {
    let in_flight = InFlight::new(4);
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        enter(&in_flight, 0, &call(name, &[name]), 0).unwrap();
    }
    for name in names {
        let listed = list(name, 1, &[name]);
        assert_eq!(enter(&in_flight, 1, &listed, 9), Err(IdInUse), "{name}");
    }
}
