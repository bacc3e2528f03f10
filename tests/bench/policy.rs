//! What policies cost: to load, and to decide by, with few rules and with many.
//!
//! `cargo bench --bench policy`. Budgets, on one core: loading 10 000 rules takes less than a
//! second; a decision by 10 000 rules of which few match takes at most 1.2 times one by 10.

use std::fmt::Write as _;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use mcp_authz::authz::{
    self, AccessRequest, Action, ActionKind, Context, Http, Policy, Resource, Subject, Value,
};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;

const RULES: [usize; 4] = [10, 100, 1000, 10_000];

fn main() {
    divan::main();
}

/// Rules of which two are about the call: each team may use its own tools, with a rate and a
/// condition.
fn source(rules: usize) -> Source {
    let mut text = String::from("rules:\n");
    for team in 0..rules.div_ceil(2) {
        let written = writeln!(
            text,
            "- {{id: allow-{team}, effect: allow, who: {{groups: [team-{team}]}}, what: {{servers: [github], tools: [tool-{team}]}}}}\n\
             - {{id: deny-{team}, effect: deny, what: {{servers: [github], tools: [tool-{team}]}}, if: has(args.owner) && args.owner == \"evil\"}}"
        );
        assert!(written.is_ok());
    }
    Source {
        name: "bench".to_owned(),
        text,
    }
}

fn load(source: &Source) -> Policy {
    let compiled = compile(std::slice::from_ref(source), &CompileContext::default());
    let Ok(policy) = compiled else {
        // The text is ours.
        std::process::abort()
    };
    policy
}

#[divan::bench(args = RULES, sample_count = 10)]
fn load_rules(bencher: Bencher<'_, '_>, rules: usize) {
    let source = source(rules);
    bencher.bench_local(|| load(black_box(&source)));
}

#[divan::bench(args = RULES, sample_count = 50, sample_size = 2000)]
fn decide_one_of(bencher: Bencher<'_, '_>, rules: usize) {
    let policy = load(&source(rules));
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
    };
    let arguments = Value::Map(vec![("owner".into(), Value::String("acme".into()))]);
    let request = AccessRequest {
        subject: &subject,
        peer: None,
        server: "github",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool("tool-1"),
        arguments: Some(&arguments),
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
    bencher.bench_local(|| authz::evaluate(black_box(&policy), black_box(&request)));
}
