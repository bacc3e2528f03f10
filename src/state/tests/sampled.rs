//! What holds whatever is asked, of sampled questions: always the same ones.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::fixtures::{Who, limited, limits, watched, windows};
use super::State;
use crate::authz::Taken;

/// How many questions of a kind.
const SAMPLES: usize = 64;
/// When the first is asked, in milliseconds.
const BEGIN: i64 = 1_800_000_000_000;

fn samples<T>(strategy: impl Strategy<Value = T>) -> impl Iterator<Item = T> {
    let mut runner = TestRunner::deterministic();
    let sample = move || strategy.new_tree(&mut runner).unwrap().current();
    std::iter::repeat_with(sample).take(SAMPLES)
}

fn at_millisecond(now: i64) -> Timestamp {
    Timestamp::from_millisecond(now).unwrap()
}

/// In no stretch of time more than its calls and the burst.
pub(super) async fn no_stretch_of_time_passes_more_than_the_rate_and_the_burst(store: &dyn State) {
    let steps = prop::collection::vec(0_i64..3_000, 1..100);
    for (number, (calls, burst, steps)) in samples((1_i64..20, 1_i64..20, steps)).enumerate() {
        let limit = format!("{{calls: {calls}, per: 10s, burst: {burst}, by: [subject]}}");
        let demands = limits(&limited(&[&limit]), Who::new(&number.to_string()));
        let mut now = BEGIN;
        let mut passed: Vec<i64> = Vec::new();
        for step in steps {
            now += step;
            if store.take(&demands, at_millisecond(now)).await == Ok(Taken::All) {
                passed.push(now);
            }
            for since in &passed {
                let count = passed.iter().filter(|then| *then >= since).count();
                let beyond = i64::try_from(count).unwrap() - burst;
                assert!(
                    beyond * 10_000 <= calls * (now - since),
                    "{limit} {passed:?}"
                );
            }
        }
        assert!(!passed.is_empty());
    }
}

/// Never less than what happened within a window, and never more than within a slot more.
pub(super) async fn windows_slide_within_their_stated_error(store: &dyn State) {
    let steps = prop::collection::vec(0_i64..60_000, 1..80);
    for (number, (per, steps)) in samples((1_i64..1000, steps)).enumerate() {
        let policy = watched(&[&format!(
            "calls: {{more_than: 1, per: {per}s, by: [subject]}}"
        )]);
        let demands = windows(&policy, Who::new(&number.to_string()));
        let (per, slot) = (per * 1000, per * 1000 / 64 + 1);
        let mut now = BEGIN;
        let mut past: Vec<i64> = Vec::new();
        for step in steps {
            now += step;
            let readings = store.read(&demands, at_millisecond(now)).await.unwrap();
            let seen = readings.reading(&demands[0].window).unwrap();
            let within = |age: i64| past.iter().filter(|then| now - **then <= age).count() as u64;
            assert!(seen >= within(per - 1), "{seen} {past:?} {now}");
            assert!(seen <= within(per + slot), "{seen} {past:?} {now}");
            store.record(&demands, at_millisecond(now)).await.unwrap();
            past.push(now);
        }
    }
}
