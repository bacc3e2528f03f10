//! Places for as long as a request is open.

use uuid::Uuid;

use super::super::PlaceKey;
use super::super::fixtures::at;
use super::State;
use crate::authz::{CounterKey, OpenDemand, Opened};

fn demand(name: &str, most: u32) -> OpenDemand {
    OpenDemand {
        rule: name.into(),
        message: None,
        most,
        key: CounterKey::named(name),
    }
}

fn key(name: &str) -> PlaceKey {
    PlaceKey::of(&CounterKey::named(name))
}

fn request(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

async fn open(store: &dyn State, demands: &[OpenDemand], number: u128, seconds: i64) -> Opened {
    let opened = store.open(demands, request(number), at(seconds)).await;
    opened.unwrap()
}

const FULL: Opened = Opened::Full { first: 0 };

pub(super) async fn so_many_are_open_at_once_and_no_more(store: &dyn State) {
    let two = [demand("a", 2)];
    for (number, expected) in [(1, Opened::All), (2, Opened::All), (3, FULL)] {
        assert_eq!(open(store, &two, number, 0).await, expected, "{number}");
    }
    // Another counter is another.
    assert_eq!(open(store, &[demand("b", 1)], 3, 0).await, Opened::All);
    for number in [1, 2] {
        store.attend(&[key("a")], request(number));
    }
    assert_eq!(open(store, &two, 3, 99).await, FULL);
    // Whoever has no place gives none back, and whoever has one gives it back once.
    store.close(&[key("a")], request(9));
    assert_eq!(open(store, &two, 3, 99).await, FULL);
    store.close(&[key("a")], request(1));
    store.close(&[key("a")], request(1));
    assert_eq!(open(store, &two, 3, 99).await, Opened::All);
    assert_eq!(open(store, &two, 4, 99).await, FULL);
}

pub(super) async fn a_place_of_each_counter_is_taken_or_none(store: &dyn State) {
    assert_eq!(open(store, &[demand("b", 1)], 1, 0).await, Opened::All);
    let both = [demand("a", 1), demand("b", 1)];
    let second = Opened::Full { first: 1 };
    assert_eq!(open(store, &both, 2, 0).await, second);
    // Nothing was taken of the first.
    assert_eq!(open(store, &both[..1], 3, 0).await, Opened::All);
    // A batch may ask twice.
    let twice = |most| [demand("c", most), demand("c", most)];
    assert_eq!(open(store, &twice(1), 4, 0).await, second);
    assert_eq!(open(store, &twice(2), 4, 0).await, Opened::All);
    store.attend(&[key("c"), key("c")], request(4));
    assert_eq!(open(store, &[demand("c", 2)], 5, 99).await, FULL);
    store.close(&[key("c"), key("c")], request(4));
    assert_eq!(open(store, &twice(2), 5, 99).await, Opened::All);
}

pub(super) async fn a_place_whose_stream_does_not_begin_is_free_in_time(store: &dyn State) {
    let one = [demand("a", 1)];
    for (number, seconds, expected) in [(1, 0, Opened::All), (2, 9, FULL), (2, 10, Opened::All)] {
        let opened = open(store, &one, number, seconds).await;
        assert_eq!(opened, expected, "{number} at {seconds}");
    }
    // A stream that begins too late counts all the same, and ends its own place alone.
    store.attend(&[key("a")], request(1));
    store.attend(&[key("a")], request(2));
    store.close(&[key("a")], request(1));
    assert_eq!(open(store, &one, 3, 99).await, FULL);
    store.close(&[key("a")], request(2));
    assert_eq!(open(store, &one, 3, 99).await, Opened::All);
}

pub(super) async fn a_clock_that_is_set_back_keeps_no_place_for_longer(store: &dyn State) {
    let one = [demand("a", 1)];
    for (number, seconds, expected) in [
        (1, 100_000, Opened::All),
        (2, 0, FULL),
        (2, 9, FULL),
        (2, 10, Opened::All),
    ] {
        let opened = open(store, &one, number, seconds).await;
        assert_eq!(opened, expected, "{number} at {seconds}");
    }
}
