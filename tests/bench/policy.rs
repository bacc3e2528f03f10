//! What policies cost: to load, and to decide by, with few rules and with many.

use std::fmt::Write as _;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use mcp_authz::authz::{
    self, AccessRequest, Action, ActionKind, Context, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, Value,
};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;

const RULES: [usize; 4] = [10, 100, 1000, 10_000];

/// How many rules are about the call of `tool-1` by `team-1`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Matching {
    /// None: they are about other teams and tools.
    None,
    /// An allow, and a deny as far as its last condition.
    One,
    /// All of them.
    All,
}

/// Whether rules have an expression.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Cel {
    Unused,
    Used,
}

/// A policy where each team may use its own tool, unless the call is for somebody evil.
pub(super) fn rules(count: usize, matching: Matching, cel: Cel) -> String {
    let (may, must_not) = match cel {
        Cel::Used => (
            r#", if: args.owner.startsWith("a") || args.draft == false"#,
            r#"if: has(args.owner) && args.owner == "evil""#,
        ),
        Cel::Unused => ("", "who: {groups: [evil]}"),
    };
    let first = if matching == Matching::None { 2 } else { 1 };
    let mut text = String::from("rules:\n");
    for number in 0..count.div_ceil(2) {
        let team = if matching == Matching::All {
            1
        } else {
            number + first
        };
        writeln!(
            text,
            "- {{id: allow-{number}, effect: allow, who: {{groups: [team-{team}]}}, what: {{servers: [github], tools: [tool-{team}]}}{may}}}\n\
             - {{id: deny-{number}, effect: deny, what: {{servers: [github], tools: [tool-{team}]}}, {must_not}}}"
        )
        .unwrap();
    }
    text
}

fn source(text: String) -> Source {
    Source {
        name: "bench".to_owned(),
        text,
    }
}

fn load(source: &Source) -> Policy {
    let compiled = compile(std::slice::from_ref(source), &CompileContext::default());
    compiled.unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

/// Budget: 100 µs for a rule.
#[divan::bench(args = RULES, sample_count = 10)]
fn load_rules(bencher: Bencher<'_, '_>, count: usize) {
    let source = source(rules(count, Matching::One, Cel::Used));
    bencher.bench_local(|| load(black_box(&source)));
}

fn decide(bencher: Bencher<'_, '_>, count: usize, matching: Matching, cel: Cel) {
    let policy = load(&source(rules(count, matching, cel)));
    let subject = Subject {
        issuer: "https://idp.test".into(),
        id: "alice".into(),
        agent: None,
        groups: vec!["team-1".into()],
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Map(Vec::new()),
        unknown: UnknownFacts::default(),
    };
    let arguments = Value::Map(vec![
        ("owner".into(), Value::String("acme".into())),
        ("draft".into(), Value::Bool(false)),
    ]);
    let request = AccessRequest {
        subject: &subject,
        peer: Peer::Absent,
        server: "github",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool("tool-1"),
        arguments: Some(&arguments),
        input: None,
        meta: None,
        protocol_version: None,
        session: None,
        source: None,
        http: Http {
            host: "localhost",
            path: "/mcp",
            headers: &[],
        },
        now: Timestamp::UNIX_EPOCH,
        context: Context::default(),
    };
    let decided = authz::evaluate(&policy, &request).decision;
    let is_allowed = matches!(decided, authz::Decision::Allow(_));
    assert_eq!(is_allowed, matching != Matching::None, "{decided:?}");
    bencher.bench_local(|| authz::evaluate(black_box(&policy), black_box(&request)));
}

/// Budget: 300 ns, 0 allocations, and by 10 000 rules at most 1.2 times as long as by 10.
#[divan::bench(args = RULES)]
fn none_matches(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::None, Cel::Unused);
}

/// Budget: 300 ns, 0 allocations, and by 10 000 rules at most 1.2 times as long as by 10.
#[divan::bench(args = RULES)]
fn none_matches_cel(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::None, Cel::Used);
}

/// Budget: 500 ns, and by 10 000 rules at most 1.2 times as long as by 10.
#[divan::bench(args = RULES)]
fn one_matches(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::One, Cel::Unused);
}

/// Budget: 2 µs, and by 10 000 rules at most 1.2 times as long as by 10.
#[divan::bench(args = RULES)]
fn one_matches_cel(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::One, Cel::Used);
}

/// Budget: 100 ns for a rule.
#[divan::bench(args = RULES)]
fn all_match(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::All, Cel::Unused);
}

/// Budget: 1 µs for a rule.
#[divan::bench(args = RULES)]
fn all_match_cel(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, Matching::All, Cel::Used);
}
