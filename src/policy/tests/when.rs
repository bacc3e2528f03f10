//! `when`.

use super::*;
use crate::authz::Value;

/// The call is at 10:00 UTC on a Friday, 11:00 in Berlin and 15:30 in Kolkata.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn when_selects_times() {
    let since = |auth_time: Value<'static>, session: Option<&str>| {
        let mut call = SampleCall::default();
        call.subject.claims = object(&[("auth_time", auth_time)]);
        call.context.session_started = session.map(|session| session.parse().unwrap());
        call
    };
    let plain = SampleCall::default();
    // 09:50 UTC.
    let fresh = since(Value::Int(1_795_168_200), Some("2026-11-20T09:50:00Z"));
    let stale = since(Value::Float(1_795_168_199.0), Some("2026-11-20T09:49:59Z"));
    let odd = since(text("1795168200"), None);
    for (call, selectors, expected) in [
        (&plain, "when: {days: [fri], timezone: UTC}", "yes"),
        (&plain, "when: {days: [mon-thu, sun], timezone: UTC}", "no"),
        (&plain, "when: {days: [thu-sat], timezone: UTC}", "yes"),
        (&plain, "when: {days: sun-fri, timezone: UTC}", "yes"),
        (
            &plain,
            "when: {between: ['10:00', '11:00'], timezone: UTC}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['09:00', '10:00'], timezone: UTC}",
            "no",
        ),
        (
            &plain,
            "when: {between: ['18:00', '10:01'], timezone: UTC}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['10:01', '10:00'], timezone: UTC}",
            "no",
        ),
        (
            &plain,
            "when: {between: ['11:00', '11:01'], timezone: Europe/Berlin}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['15:30', '15:31'], timezone: Asia/Kolkata}",
            "yes",
        ),
        (
            &plain,
            "when: {not: {between: ['09:00', '18:00'], timezone: UTC}}",
            "no",
        ),
        (
            &plain,
            "when: {days: [fri], timezone: UTC, not: {between: ['09:00', '10:00']}}",
            "yes",
        ),
        (&plain, "when: {from: 2026-11-20T10:00:00Z}", "yes"),
        (&plain, "when: {from: '2026-11-20T10:00:00.001Z'}", "no"),
        (&plain, "when: {until: 2026-11-20T10:00:00Z}", "no"),
        (&plain, "when: {until: 2026-11-20T12:00:01+02:00}", "yes"),
        (&plain, "when: {auth_age_max: 10m}", "?"),
        (&fresh, "when: {auth_age_max: 10m}", "yes"),
        (&stale, "when: {auth_age_max: 10m}", "no"),
        (&stale, "when: {not: {auth_age_max: 10m}}", "yes"),
        (&odd, "when: {auth_age_max: 10m}", "?"),
        (&plain, "when: {session_age_max: 10m}", "?"),
        (&plain, "when: {not: {session_age_max: 10m}}", "?"),
        (&fresh, "when: {session_age_max: 10m}", "yes"),
        (&stale, "when: {session_age_max: 10m}", "no"),
        // A certain no decides before an unknown fact.
        (
            &plain,
            "when: {auth_age_max: 10m, days: [mon], timezone: UTC}",
            "no",
        ),
    ] {
        check(selectors, call, expected);
    }
}
