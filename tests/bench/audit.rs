//! Evidence: what a check pays for its record, and what the writer does.

use std::io::sink;

use divan::{Bencher, black_box};
use jiff::Timestamp;
use mcp_authz::audit::{Arguments, Audit, QueueLimits, Record, SessionHash};
use mcp_authz::authz::Value;
use uuid::Uuid;

fn record() -> Record {
    let arguments = Value::Map(vec![
        ("owner".into(), Value::String("acme".into())),
        ("repo".into(), Value::String("widgets".into())),
        ("message".into(), Value::String("m".repeat(200).into())),
    ]);
    Record {
        time: Timestamp::UNIX_EPOCH,
        decision_id: Uuid::nil(),
        request_id: Some("5f8ad2f6-0a54-4bd7-8b34-f5a4e3a0d6c1".to_owned()),
        decision: "allow",
        reason: "allowed",
        rules: vec!["allow-1".into()],
        policy_revision: "91e2810aa7c4aaa4".into(),
        issuer: Some("https://idp.test".into()),
        subject: Some("user-1".into()),
        agent: Some("cli".into()),
        tenant: Some("acme".into()),
        source: Some([10, 1, 2, 3].into()),
        http_method: "POST".into(),
        path: "/github/mcp".to_owned(),
        server: Some("github".into()),
        method: Some("tools/call".into()),
        name: Some("tool-1".into()),
        class: Some("unclassified".into()),
        session: Some(SessionHash::of("8a5f6f3e-54c8-4f1c-b8a5-2b1a1c5c2e11")),
        protocol_version: Some("2025-11-25".into()),
        arguments: Some(Arguments::of(&arguments)),
        duration_seconds: 0.000_012,
        ..Record::default()
    }
}

/// What a check pays for its record. The writer has nothing to wait for, and rests.
///
/// Budget: 1 µs, 1 allocation.
#[divan::bench(sample_count = 100, sample_size = 200)]
fn hand_over(bencher: Bencher<'_, '_>) {
    let (audit, _writer) = Audit::start(sink(), QueueLimits::default()).unwrap();
    let record = record();
    bencher.bench_local(|| audit.record(black_box(&record)));
    assert_eq!(audit.losses().dropped(), 0, "records were dropped");
}
