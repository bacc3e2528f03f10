use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use super::*;

fn record(reason: &'static str) -> Record {
    Record {
        time: "2026-11-20T10:00:00Z".parse().unwrap(),
        decision_id: uuid::Uuid::nil(),
        request_id: None,
        trace_id: None,
        decision: "deny",
        reason,
        rules: vec![Arc::from("r1")],
        rules_indeterminate: Vec::new(),
        policy_revision: Arc::from("abc"),
        issuer: None,
        subject: Some(Arc::from("line\nbreak")),
        agent: None,
        tenant: None,
        peer: None,
        source: Some("10.0.0.1".parse().unwrap()),
        http_method: "POST".into(),
        path: "/mcp".into(),
        status: Some(200),
        server: None,
        method: Some("tools/call".into()),
        name: None,
        class: None,
        batch: None,
        session: None,
        protocol_version: None,
        arguments: None,
        shadow: None,
        candidate: None,
        is_cut: false,
        duration_seconds: 0.001,
    }
}

/// Room for so many records.
fn records(records_max: usize) -> Limits {
    Limits {
        records_max,
        ..Limits::default()
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_record_is_one_line_whatever_the_client_sent() {
    let sink = Shared::default();
    let (audit, thread) = Audit::start(sink.clone(), records(8)).unwrap();
    audit.record(&record("denied_by_rule"));
    drop(audit);
    thread.join().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"time":"2026-11-20T10:00:00Z","decision_id":"00000000-0000-0000-0000-000000000000","#,
            r#""decision":"deny","reason":"denied_by_rule","rules":["r1"],"policy_revision":"abc","#,
            r#""subject":"line\nbreak","client.address":"10.0.0.1","http.request.method":"POST","#,
            r#""url.path":"/mcp","http.response.status_code":200,"mcp.method.name":"tools/call","#,
            r#""duration_seconds":0.001}"#,
            "\n"
        )
    );
}

/// A sink that takes nothing before it is let go.
struct Stuck(Arc<Mutex<()>>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(self.0.lock().unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_queue_drops_and_counts() {
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap();
    let (audit, thread) = Audit::start(Stuck(Arc::clone(&gate)), records(2)).unwrap();
    for _ in 0..1000 {
        audit.record(&record("denied_by_rule"));
    }
    let dropped = audit.losses().dropped();
    drop(held);
    // Two wait in the queue, and the writer holds at most one batch of those it took before.
    assert!((1..=998).contains(&dropped), "{dropped}");
    drop(audit);
    thread.join().unwrap();
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_sink_is_counted_and_ends_nothing() {
    let (audit, thread) = Audit::start(Broken, records(8)).unwrap();
    let losses = Arc::clone(audit.losses());
    audit.record(&record("denied_by_rule"));
    drop(audit);
    thread.join().unwrap();
    assert_eq!(losses.failed(), 1);
}

#[test]
fn arguments_leave_names_and_a_digest_that_ignores_member_order() {
    let text = |text: &'static str| Value::String(Cow::Borrowed(text));
    let one = Value::Map(vec![
        ("b".into(), text("secret")),
        ("a".into(), Value::List(vec![Value::Int(1), Value::Null])),
    ]);
    let two = Value::Map(vec![
        ("a".into(), Value::List(vec![Value::Int(1), Value::Null])),
        ("b".into(), text("secret")),
    ]);
    let other = Value::Map(vec![("a".into(), text("secret"))]);
    assert_eq!(Arguments::of(&one), Arguments::of(&two));
    assert_ne!(Arguments::of(&one).digest, Arguments::of(&other).digest);
    assert!(Arguments::of(&one).names.iter().eq(["a", "b"]));
    // The digest of {"a":[1,null],"b":"secret"}, by any SHA-256 tool.
    let expected = hex_of(br#"{"a":[1,null],"b":"secret"}"#);
    assert_eq!(Arguments::of(&one).digest.to_string(), expected);
}

fn hex_of(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let hex: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", hex.concat())
}

use crate::authz::Value;

#[test]
fn a_notice_is_a_line_of_its_own_kind() {
    let sink = Shared::default();
    let (audit, thread) = Audit::start(sink.clone(), records(8)).unwrap();
    let long = "x".repeat(300);
    let notice = |event| Notice {
        time: "2026-11-20T10:00:00Z".parse().unwrap(),
        event,
        decision_id: None,
        server: Some("github".into()),
        issuer: None,
        subject: Some("alice".into()),
    };
    for event in [
        Event::tool_changed("a\nb", "sha256:1".into(), "sha256:2".into()),
        Event::tool_unclassified(&long),
        Event::ListFiltered {
            list: "tools",
            visible: 1,
            hidden: 2,
            unjudged: 0,
        },
        Event::AnswerRefused { reason: "encoded" },
        Event::session_bound("s"),
        Event::task_bound("t"),
    ] {
        audit.notice(&notice(event));
    }
    audit.notice(&Notice {
        decision_id: Some(uuid::Uuid::nil()),
        issuer: Some("i".into()),
        ..notice(Event::AnswerRefused { reason: "late" })
    });
    drop(audit);
    thread.join().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let cut = "x".repeat(256);
    let whole: Vec<String> = [
        r#""event":"tool_changed","name":"a\nb","digest":"sha256:1","digest_accepted":"sha256:2""#,
        &format!(r#""event":"tool_unclassified","name":"{cut}""#),
        r#""event":"list_filtered","list":"tools","visible":1,"hidden":2,"unjudged":0"#,
        r#""event":"answer_refused","reason":"encoded""#,
        r#""event":"session_bound","mcp.session.id":"043a718774c572bd""#,
        r#""event":"task_bound","task":"t""#,
        r#""event":"answer_refused","reason":"late","decision_id":"00000000-0000-0000-0000-000000000000""#,
    ]
    .iter()
    .map(|event| format!(r#"{{"time":"2026-11-20T10:00:00Z",{event},"server":"github","#))
    .collect();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), whole.len());
    for (line, whole) in lines.iter().zip(&whole) {
        assert!(line.starts_with(whole.as_str()), "{line}\n{whole}");
        assert!(line.ends_with(r#""subject":"alice"}"#), "{line}");
    }
}
