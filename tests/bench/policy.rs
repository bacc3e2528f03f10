//! What policies cost: to load, and to decide by, with few rules and with many.

use std::fmt::Write as _;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use mcp_authz::authz::{
    self, AccessRequest, Action, ActionKind, Context, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, Value,
};
use mcp_authz::policy::difference::{Difference, Surroundings};
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

/// Rules over some servers, of every kind.
fn mixed(count: usize, servers: usize, is_new: bool) -> String {
    let mut text = String::from("rules:\n");
    for number in 0..count {
        let (server, team) = (number % servers, number % 97);
        let other = if is_new && number % 50 == 0 {
            "other-"
        } else {
            ""
        };
        let tool = format!("tool-{}", number / servers % 25);
        let rest = match number % 10 {
            0 => format!(
                "effect: deny, who: {{groups: [{other}guests-{team}]}}, what: {{servers: [s{server}], tools: [{tool}], arguments: {{name: prod}}}}"
            ),
            1 => format!(
                "effect: limit, what: {{servers: [s{server}], tools: [{tool}]}}, limit: {{calls: {}, per: 1m, by: [subject]}}",
                team + 1
            ),
            2 => format!(
                "effect: require, what: {{servers: [s{server}], tools: [{tool}]}}, needs: {{scopes: [\"s:{team}\"]}}"
            ),
            3 => format!(
                "effect: allow, who: {{groups: [{other}team-{team}]}}, what: {{servers: [s{server}], tools: [\"tool-1*\"]}}, when: {{days: [mon-fri], between: [\"0{}:00\", \"18:00\"], timezone: UTC}}",
                team % 10
            ),
            4 => format!(
                "effect: allow, who: {{groups: [{other}team-{team}]}}, what: {{servers: [s{server}], tools: [{tool}]}}, where: {{networks: [10.{team}.0.0/16]}}"
            ),
            5 => format!(
                "effect: allow, who: {{groups: [{other}team-{team}]}}, what: {{servers: [s{server}], tools: [{tool}]}}, if: args.n > {team}"
            ),
            _ => format!(
                "effect: allow, who: {{groups: [{other}team-{team}, staff-{number}]}}, what: {{servers: [s{server}], tools: [{tool}]}}"
            ),
        };
        writeln!(text, "- {{id: r{number}, {rest}}}").unwrap();
    }
    text
}

/// Budget: 1 s.
#[divan::bench(args = [40], sample_count = 3)]
fn difference_of_1000(bencher: Bencher<'_, '_>, servers: usize) {
    let [old, new] = [false, true].map(|is_new| load(&source(mixed(1000, servers, is_new))));
    let around = Surroundings::default();
    let of = || Difference::of([&old, &new], [&around; 2], Timestamp::UNIX_EPOCH, &[]);
    let found = of();
    assert!(
        found.unknown.is_empty() && found.changes(),
        "{:?}",
        found.unknown
    );
    bencher.bench_local(|| black_box(of()));
}
