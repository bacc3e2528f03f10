//! Calls inside calls count once where they are counted alike.

use super::*;
use crate::authz::ValuePath;
use crate::mcp::{IndirectTool, InnerForm, InnerPaths};

/// `outer` makes one call, `outers` makes several.
pub(super) fn tools() -> Arc<[IndirectTool]> {
    let path = |text: &str| ValuePath::of_argument(text).unwrap();
    let tool = |tool: &str, calls: Option<ValuePath>| IndirectTool {
        tool: tool.to_owned(),
        inner: Some(InnerPaths {
            calls,
            server: None,
            name: path("name"),
            arguments: path("arguments"),
            form: InnerForm::Object,
        }),
        results: None,
    };
    Arc::from([tool("outer", None), tool("outers", Some(path("calls")))])
}

fn outer(id: usize, inner: &str) -> Value {
    let mut call = call(id, "outer");
    call["params"]["arguments"] = json!({"name": inner});
    call
}

fn outers(id: usize, inner: &[&str]) -> Value {
    let calls: Vec<Value> = inner.iter().map(|name| json!({"name": name})).collect();
    let mut call = call(id, "outers");
    call["params"]["arguments"] = json!({"calls": calls});
    call
}

#[tokio::test]
async fn a_window_counts_an_outer_call_with_its_first_inner_one() {
    let policy = policy(&[
        ALL,
        "{id: no, effect: deny, what: {tools: [no]}}",
        "{id: calls, effect: deny, what: {tools: [none]}, why: {calls: {more_than: 9, per: 1h, by: [subject]}}}",
        "{id: denials, effect: deny, what: {tools: [none]}, why: {denials: {more_than: 9, per: 1h, by: [subject]}}}",
    ]);
    for (body, calls, denials) in [
        (call(1, "a"), 1, 0),
        (outer(1, "a"), 1, 0),
        (outer(1, "no"), 1, 1),
        (call(1, "outer"), 1, 1),
        (outers(1, &["a"]), 1, 0),
        (outers(1, &["a", "b", "c"]), 3, 0),
        (outers(1, &["a", "no", "no"]), 3, 2),
        (json!([outer(1, "a"), outer(2, "no"), call(3, "a")]), 3, 1),
    ] {
        let state = Watched::new();
        enforce(&policy, &state, &body).await;
        let counted = (state.counted(Count::Calls), state.counted(Count::Denials));
        assert_eq!(counted, (calls, denials), "{body}");
    }
}

#[tokio::test]
async fn windows_by_tool_count_both_calls() {
    let policy = policy(&[
        ALL,
        "{id: calls, effect: deny, what: {tools: [none]}, why: {calls: {more_than: 9, per: 1h, by: [subject, tool]}}}",
    ]);
    let state = Watched::new();
    enforce(&policy, &state, &outers(1, &["a", "b", "a"])).await;
    let counted = ["outers", "a", "b"].map(|tool| state.counted_of(Count::Calls, tool));
    assert_eq!(counted, [1, 2, 1]);
}

/// The calls are read before any of them is counted, as those of one request are.
#[tokio::test]
async fn a_window_sees_an_outer_call_and_its_inner_one_as_one() {
    let policy = policy(&[
        ALL,
        "{id: few, effect: deny, why: {calls: {more_than: 2, per: 1h, by: [subject]}}}",
    ]);
    let state = Watched::new();
    for _ in 0..2 {
        assert!(enforce(&policy, &state, &outer(1, "a")).await.is_allowed());
    }
    let third = enforce(&policy, &state, &outer(1, "a")).await;
    assert_eq!(denial(&third), (DENIED, Some("few"), 0));
    let state = Watched::new();
    let three = enforce(&policy, &state, &outers(1, &["a", "b", "c"])).await;
    assert_eq!(denial(&three), (DENIED, Some("few"), 3));
}

#[tokio::test]
async fn a_limit_counts_an_outer_call_with_its_first_inner_one() {
    let limited = |tools: &str, calls: usize| {
        policy(&[
            ALL,
            &format!(
                "{{id: few, effect: limit, what: {{tools: [{tools}]}}, limit: {{calls: {calls}, per: 1d, by: [subject]}}}}"
            ),
        ])
    };
    let rate = DenialReason::RateLimited;
    for (tools, body, takes, decisive) in [
        ("'*'", outer(1, "a"), 1, 0),
        ("outer", outer(1, "a"), 1, 0),
        ("a", outer(1, "a"), 1, 1),
        ("'*'", outers(1, &["a", "b"]), 2, 2),
        ("'*'", json!([outer(1, "a"), outer(2, "b")]), 2, 2),
        ("'*'", json!([outer(1, "a"), call(2, "b")]), 2, 2),
        // What one outer call has taken is not taken for the calls inside another.
        ("outer, a", json!([outer(1, "a"), outers(2, &["a"])]), 2, 3),
    ] {
        let enough = limited(tools, takes);
        let decided = enforce(&enough, &Watched::new(), &body).await;
        assert!(decided.is_allowed(), "{tools} {body}");
        if takes > 1 {
            let few = limited(tools, takes - 1);
            let decided = enforce(&few, &Watched::new(), &body).await;
            assert_eq!(denial(&decided), (rate, Some("few"), decisive), "{body}");
        } else {
            let state = Watched::new();
            assert!(enforce(&enough, &state, &body).await.is_allowed());
            let again = enforce(&enough, &state, &body).await;
            assert_eq!(denial(&again), (rate, Some("few"), decisive), "{body}");
        }
    }
}

#[tokio::test]
async fn shadow_rules_and_candidates_count_alike() {
    let shadowed = policy(&[
        ALL,
        "{id: few, effect: limit, mode: shadow, what: {methods: [tools/call]}, limit: {calls: 1, per: 1d, by: [subject]}}",
    ]);
    let candidate = policy(&[
        ALL,
        "{id: few, effect: limit, what: {methods: [tools/call]}, limit: {calls: 1, per: 1d, by: [subject]}}",
    ]);
    let state = Watched::new();
    let policies = Policies {
        enforced: &shadowed,
        candidate: Some(&candidate),
    };
    for expected in [Rehearsed::Allow, Rehearsed::Deny(DenialReason::RateLimited)] {
        let decided = judge(policies, &state, &outer(1, "a")).await;
        for rehearsal in [decided.shadow, decided.candidate] {
            assert_eq!(rehearsal.unwrap().outcome, expected);
        }
    }
}
