//! `why`.

use std::time::Duration;

use super::*;
use crate::authz::{Context, Count, Declared, KeyPart, Readings, Window};

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn why_selects_purposes_and_behaviour() {
    let by = "per: 1m, by: [subject]";
    let window = |count| Window {
        count,
        per: Duration::from_mins(1),
        by: Box::new([KeyPart::Subject]),
        of: None,
        lacking: Box::default(),
    };
    let mut readings = Readings::default();
    readings.insert(window(Count::Calls), 2);
    readings.insert(window(Count::Denials), 2);
    readings.insert(window(Count::DistinctTools), 2);
    let plain = SampleCall::default();
    let read = SampleCall {
        context: Context {
            readings: Some(&readings),
            purpose: Declared::As("support"),
            ..Context::default()
        },
        ..SampleCall::default()
    };
    let unclear = SampleCall {
        context: Context {
            purpose: Declared::Unclear,
            ..Context::default()
        },
        ..SampleCall::default()
    };
    for (call, selectors, expected) in [
        (&plain, "why: {purposes: [support]}".to_owned(), "no"),
        (
            &plain,
            "why: {not: {purposes: [support]}}".to_owned(),
            "yes",
        ),
        (&unclear, "why: {purposes: [support]}".to_owned(), "?"),
        (&read, "why: {purposes: [sales, support]}".to_owned(), "yes"),
        (&read, "why: {purposes: [Support]}".to_owned(), "no"),
        // The current call is the third.
        (
            &read,
            format!("why: {{calls: {{more_than: 2, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{calls: {{more_than: 3, {by}}}}}"),
            "no",
        ),
        (
            &read,
            format!("why: {{not: {{calls: {{more_than: 3, {by}}}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{denials: {{more_than: 1, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{denials: {{more_than: 2, {by}}}}}"),
            "no",
        ),
        (
            &read,
            format!("why: {{distinct_tools: {{more_than: 1, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{distinct_tools: {{more_than: 2, {by}}}}}"),
            "no",
        ),
        (
            &plain,
            format!("why: {{denials: {{more_than: 1, {by}}}}}"),
            "?",
        ),
        // There is no tenant or session to count by.
        (
            &read,
            "why: {calls: {more_than: 0, per: 1m, by: [tenant]}}".to_owned(),
            "?",
        ),
        (
            &read,
            "why: {calls: {more_than: 0, per: 1m, by: [session]}}".to_owned(),
            "?",
        ),
        (
            &read,
            format!("why: {{purposes: [x], denials: {{more_than: 1, {by}}}}}"),
            "no",
        ),
    ] {
        check(&selectors, call, expected);
    }
}
