use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use super::*;

mod durable;

fn record(reason: &'static str) -> Record {
    Record {
        time: "2026-11-20T10:00:00Z".parse().unwrap(),
        decision: "deny",
        reason,
        rules: vec![Arc::from("r1")],
        policy_revision: Arc::from("abc"),
        subject: Some(Arc::from("line\nbreak")),
        source: Some("10.0.0.1".parse().unwrap()),
        http_method: "POST".into(),
        path: "/mcp".into(),
        status: Some(200),
        method: Some("tools/call".into()),
        duration_seconds: 0.001,
        ..Record::default()
    }
}

/// Room for so many records.
fn records(records_max: usize) -> QueueLimits {
    QueueLimits {
        records_max,
        ..QueueLimits::default()
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

#[test]
fn what_waits_is_bounded_in_bytes_and_what_is_being_written_counts() {
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap();
    let limits = QueueLimits {
        bytes_max: 10_000,
        ..QueueLimits::default()
    };
    let (audit, thread) = Audit::start(Stuck(Arc::clone(&gate)), limits).unwrap();
    let mut line = Vec::new();
    record("denied_by_rule").write(&mut line);
    let fit = 10_000 / (line.len() + 1);
    // Whatever the writer has taken by then, no more fits than that.
    for _ in 0..1000 {
        audit.record(&record("denied_by_rule"));
    }
    let OpenQueue(queue) = &*audit.0;
    let waiting = queue.lock();
    let kept = 1000 - usize::try_from(audit.losses().dropped()).unwrap();
    assert_eq!(kept, fit);
    assert_eq!(
        waiting.lines.len() + waiting.writing,
        fit * (line.len() + 1)
    );
    assert!(
        waiting.lines.capacity() <= 10_000,
        "{}",
        waiting.lines.capacity()
    );
    drop(waiting);
    drop(held);
    // Once it is written there is room again.
    while queue.lock().writing > 0 || queue.lock().count > 0 {
        std::thread::yield_now();
    }
    let dropped = audit.losses().dropped();
    audit.record(&record("denied_by_rule"));
    assert_eq!(audit.losses().dropped(), dropped);
    drop(audit);
    thread.join().unwrap();
}

/// The line of a record, and whether it says that something was cut.
fn line(record: &Record) -> (String, bool) {
    let mut line = Vec::new();
    record.write(&mut line);
    let text = String::from_utf8(line).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let is_cut = read.get("cut").is_some();
    assert!(!is_cut || read["cut"] == true, "{text}");
    (text, is_cut)
}

/// A record in which everything is as long as can be.
fn largest(filler: &str) -> Record {
    let long = filler.repeat(20_000);
    let text = || Some(Arc::<str>::from(long.as_str()));
    let rules: Vec<Arc<str>> = (0..10_000)
        .map(|number| format!("{number}{}", filler.repeat(250)).into())
        .collect();
    let names = (0..1000).map(|number| (format!("{number}{long}").into(), Value::Null));
    let arguments = Arguments::brief(&Value::Map(names.collect()));
    let would_be = Some(WouldBe {
        decision: "deny",
        reason: "denied_by_rule",
        rules: rules.clone(),
        policy_revision: text(),
    });
    Record {
        request_id: Some(long.clone()),
        trace_id: Some(long.clone()),
        detail: Some(long.clone()),
        rules: rules.clone(),
        rules_indeterminate: rules.clone(),
        rules_near: rules.clone(),
        rules_origins: rules.clone(),
        policy_revision: long.as_str().into(),
        issuer: text(),
        subject: text(),
        key_id: text(),
        audience: rules.clone(),
        unverified: Some(Unverified {
            issuer: Some(long.clone()),
            key_id: Some(long.clone()),
        }),
        agent: text(),
        tenant: text(),
        groups: rules.clone(),
        roles: rules.clone(),
        scopes: rules.clone(),
        peer: Some(long.clone()),
        source: Some("2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()),
        http_method: long.clone().into(),
        path: long.clone(),
        server: text(),
        method: Some(long.clone().into()),
        name: text(),
        class: text(),
        batch: Some(1000),
        session: Some(SessionHash::of(&long)),
        protocol_version: Some(long.clone().into()),
        arguments: Some(arguments.clone()),
        inner: Some(InnerCall {
            name: long.as_str().into(),
            class: text(),
            arguments: Some(arguments.clone()),
            names: vec![long.as_str().into(); 256],
        }),
        shadow: would_be.clone(),
        candidate: would_be,
        ..record("denied_by_rule")
    }
}

#[test]
fn no_record_is_larger_than_it_may_be_whatever_is_in_it() {
    for filler in ["\u{1}", "\"", "x", "\u{7f}", "é", "語", "\u{1f600}"] {
        let record = largest(filler);
        let without = Record {
            arguments: Some(Arguments::of(&Value::Map(
                (0..1000)
                    .map(|number| (format!("{number}{filler}").into(), Value::Null))
                    .collect(),
            ))),
            inner: None,
            ..record.clone()
        };
        assert!(line(&without).0.len() < LINE_BYTES_MAX, "{filler:?}");
        let (text, is_cut) = line(&record);
        assert!(
            text.len() < LINE_BYTES_MAX,
            "{} bytes of {filler:?}",
            text.len()
        );
        assert!(is_cut);
        // Each field is there, in the order of the table.
        let places = Record::FIELDS.iter().map(|name| {
            let place = text.find(&format!("\"{name}\":"));
            place.unwrap_or_else(|| panic!("no {name}"))
        });
        assert!(places.is_sorted(), "{filler:?}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        for list in [
            "/rules",
            "/rules_indeterminate",
            "/aud",
            "/arguments/names",
            "/inner/arguments/names",
            "/shadow/rules",
        ] {
            let list = read.pointer(list).unwrap().as_array().unwrap();
            assert!(!list.is_empty(), "{filler:?}");
        }
    }
}

#[test]
fn a_record_says_when_it_is_cut_and_only_then() {
    let named = |count: usize, name: &str| Record {
        arguments: Some(Arguments::of(&Value::Map(
            (0..count)
                .map(|number| (format!("{number:02}{name}").into(), Value::Null))
                .collect(),
        ))),
        ..record("allowed")
    };
    let ruled = |count: usize| Record {
        rules: (0..count)
            .map(|number| format!("rule-{number:03}").into())
            .collect(),
        ..record("allowed")
    };
    let subject = |text: String| Record {
        subject: Some(text.into()),
        ..record("allowed")
    };
    for (what, record, expected) in [
        ("nothing", record("allowed"), false),
        ("few names", named(64, "name"), false),
        ("a name too many", named(65, "name"), true),
        ("a long name", named(1, &"x".repeat(254)), false),
        ("too long a name", named(1, &"x".repeat(255)), true),
        (
            "names that take much",
            named(64, &"\u{1}".repeat(252)),
            true,
        ),
        ("names that take too much", named(64, &"x".repeat(60)), true),
        ("many rules", ruled(139), false),
        ("too many rules", ruled(140), true),
        ("a long subject", subject("x".repeat(512)), false),
        ("too long a subject", subject("x".repeat(513)), true),
        (
            "what was cut before",
            Record {
                is_cut: true,
                ..record("allowed")
            },
            true,
        ),
    ] {
        assert_eq!(line(&record).1, expected, "{what}");
    }
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

/// A sink that fails once, within the second record.
struct FailsOnce(Shared, usize);

impl Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let FailsOnce(sink, room) = self;
        if *room == 0 {
            *room = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = bytes.len().min(*room);
        *room -= count;
        sink.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_written_and_what_is_lost_are_all_records() {
    let sink = Shared::default();
    let mut line = Vec::new();
    record("denied_by_rule").write(&mut line);
    let (audit, thread) =
        Audit::start(FailsOnce(sink.clone(), line.len() + 20), records(100)).unwrap();
    let losses = Arc::clone(audit.losses());
    for _ in 0..50 {
        audit.record(&record("denied_by_rule"));
    }
    // Whichever batches they made, one comes after the fault.
    while losses.failed() == 0 {
        std::thread::yield_now();
    }
    audit.record(&record("denied_by_rule"));
    drop(audit);
    thread.join().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let whole = text.lines().filter(|text| text.as_bytes() == line);
    let whole = u64::try_from(whole.count()).unwrap();
    assert!(whole >= 2, "one before it and one after it");
    assert_eq!(whole + losses.failed(), 51);
    assert_eq!(losses.dropped(), 0);
    assert_eq!(text.lines().count() as u64, whole + 1, "one half");
}

/// A non-blocking pipe that is read slowly: it has room for a few bytes every other time.
struct Crowded(Shared, bool);

impl Write for Crowded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Crowded(sink, is_full) = self;
        *is_full = !*is_full;
        if *is_full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        sink.write(&bytes[..bytes.len().min(100)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_without_room_is_waited_for_and_nothing_is_lost() {
    let sink = Shared::default();
    let (audit, thread) = Audit::start(Crowded(sink.clone(), false), records(8)).unwrap();
    let losses = Arc::clone(audit.losses());
    let mut line = Vec::new();
    record("denied_by_rule").write(&mut line);
    for _ in 0..2 {
        audit.record(&record("denied_by_rule"));
    }
    drop(audit);
    thread.join().unwrap();
    let text = sink.0.lock().unwrap().clone();
    line.push(b'\n');
    assert_eq!(text, line.repeat(2));
    assert_eq!((losses.failed(), losses.dropped()), (0, 0));
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
            unjudged: 3,
            reasons: [("too_large", 1), ("unsound", 2)].into(),
        },
        Event::ResponseRefused { reason: "encoded" },
        Event::session_bound("s"),
        Event::task_bound("t"),
    ] {
        audit.notice(&notice(event));
    }
    audit.notice(&Notice {
        decision_id: Some(uuid::Uuid::nil()),
        issuer: Some("i".into()),
        ..notice(Event::ResponseRefused { reason: "late" })
    });
    audit.notice(&Notice {
        subject: Some("s".repeat(513).into()),
        ..notice(Event::ResponseRefused { reason: "late" })
    });
    drop(audit);
    thread.join().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let cut = "x".repeat(256);
    let whole: Vec<String> = [
        r#""event":"tool_changed","name":"a\nb","digest":"sha256:1","digest_accepted":"sha256:2""#,
        &format!(r#""event":"tool_unclassified","name":"{cut}""#),
        r#""event":"list_filtered","list":"tools","visible":1,"hidden":2,"unjudged":3,"reasons":{"too_large":1,"unsound":2}"#,
        r#""event":"response_refused","reason":"encoded""#,
        r#""event":"session_bound","mcp.session.id":"043a718774c572bd""#,
        r#""event":"task_bound","task":"t""#,
        r#""event":"response_refused","reason":"late","decision_id":"00000000-0000-0000-0000-000000000000""#,
    ]
    .iter()
    .map(|event| format!(r#"{{"time":"2026-11-20T10:00:00Z",{event},"server":"github","#))
    .collect();
    let mut lines: Vec<&str> = text.lines().collect();
    let long = lines.pop().unwrap();
    let end = format!(r#""subject":"{}","cut":true}}"#, "s".repeat(512));
    assert!(long.ends_with(&end), "{long}");
    assert_eq!(lines.len(), whole.len());
    for (line, whole) in lines.iter().zip(&whole) {
        assert!(line.starts_with(whole.as_str()), "{line}\n{whole}");
        let cut = if line.contains(&cut) {
            r#","cut":true"#
        } else {
            ""
        };
        let end = format!(r#""subject":"alice"{cut}}}"#);
        assert!(line.ends_with(&end), "{line}");
    }
}

/// What an operator wrote is bounded as what clients write is.
#[test]
fn an_operators_words_are_bounded() {
    let sink = Shared::default();
    let (audit, thread) = Audit::start(sink.clone(), records(8)).unwrap();
    let notice = |event| Notice {
        time: "2026-11-20T10:00:00Z".parse().unwrap(),
        event,
        decision_id: None,
        server: None,
        issuer: Some("i".into()),
        subject: Some("alice".into()),
    };
    let long = "x".repeat(300);
    let peer = |text: &str| text.parse().unwrap();
    let mapped = peer("[::ffff:127.0.0.1]:9");
    let rules = ["r", "team/s"];
    audit.notice(&notice(Event::counts_cleared(
        mapped, "so\n", None, rules, 3,
    )));
    let (six, many) = (peer("[::1]:9"), [long.as_str(); 20]);
    audit.notice(&notice(Event::counts_cleared(
        six,
        &long,
        Some("r"),
        many,
        u64::MAX,
    )));
    drop(audit);
    thread.join().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let cut = "x".repeat(256);
    let listed = [cut.as_str(); 5].join("\",\"");
    let whole = [
        r#""event":"counts_cleared","client.address":"127.0.0.1","client.port":9,"reason":"so\n","rules":["r","team/s"],"forgotten":3,"issuer":"i","subject":"alice"}"#.to_owned(),
        format!(
            r#""event":"counts_cleared","client.address":"::1","client.port":9,"reason":"{cut}","rule":"r","rules":["{listed}"],"forgotten":18446744073709551615,"issuer":"i","subject":"alice","cut":true}}"#
        ),
    ];
    let whole: Vec<String> = whole
        .iter()
        .map(|event| format!(r#"{{"time":"2026-11-20T10:00:00Z",{event}"#))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), whole);
}
