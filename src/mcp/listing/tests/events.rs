//! Event streams.

use super::properties::data;
use super::*;

#[test]
fn framing_passes_and_data_is_filtered() {
    let tools = r#"{"result":{"tools":[{"name":"hide"},{"name":"a"}]}}"#;
    let kept = r#"{"result":{"tools":[{"name":"a"}]}}"#;
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = [
            "\u{feff}: comment data: x",
            "",
            "id: 1",
            "data:",
            "",
            "id: 2",
            "data",
            "",
            "data: ",
            "data:  ",
            "",
            "",
            "event: message",
            "id: 3",
            &format!("data: {tools}"),
            ": data: {",
            "retry: 10",
            "dat: x",
            "datax: {",
            "Data: {",
            "",
            "data:{\"method\":\"notifications/progress\"}",
            "",
            &format!("data:{tools}"),
            "",
            "",
        ]
        .join(line_end);
        let (out, log) = pass(events(), &stream);
        let sent = stream.replace(tools, kept);
        if line_end == "\r" {
            // The upstream may still send the line feed of the last one.
            let whole = sent.replace('\r', "\r\n");
            assert_eq!(out, whole.strip_suffix('\n').unwrap());
        } else {
            assert_eq!(out, sent);
        }
        assert_eq!(log, ["tools hide", "tools a"].repeat(2));
    }
}

#[test]
fn lines_that_clients_read_differently_end_the_stream() {
    let hidden = r#"{"result":{"tools":[{"name":"hide"}]}}"#;
    for (before, line) in [
        ("", " data: "),
        ("", "\tdata: "),
        ("", "\u{a0}data: "),
        ("\n", "\u{feff}data: "),
        ("data", " : "),
        ("data", "\u{3000}: "),
        (": c", "\u{b}data: "),
        (": c", "\u{c}data: "),
        ("id: 1", "\u{1c}data: "),
        ("id: 1", "\u{1e}data: "),
        (": \u{c2}", "\u{85}data: "),
        ("event", "\u{2028}data: "),
        ("data: text", "\u{2029}\u{2029}data: "),
    ] {
        let stream = format!("{before}{line}{hidden}\n\n");
        let outcome = check(events(), &stream);
        assert_eq!(outcome.end, Err(Unreadable::AmbiguousLine), "{stream:?}");
        assert!(!outcome.out.contains("hide"), "{stream:?}");
    }
    // Text that clients trim before the data is refused as not JSON.
    for line in ["data: \u{b}", "data: \u{a0}", "data:\u{85}"] {
        let outcome = check(events(), format!("{line}{hidden}\n\n"));
        assert_eq!(outcome.end, Err(Unreadable::NotJson), "{line:?}");
    }
    // Other text is unchanged.
    let same = ": \u{2027}\u{e9}\u{1f}\nid: \u{c0}\ndata: x\u{2030}\n\n";
    assert_eq!(pass(events(), same).0, same);
}

#[test]
fn json_may_be_spread_over_lines() {
    let rows = [
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"hide\"},\ndata: {\"name\":\ndata: \"a\"}]}}\n\n",
            "data: {\"result\":{\"tools\":[\ndata: {\"name\":\ndata: \"a\"}]}}\n\n",
        ),
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"a\"}\r\ndata: ,{\r\nid: 7\r\ndata:\"name\":\r\n: c\r\ndata: \"hide\"}]}}\r\n\r\n",
            "data: {\"result\":{\"tools\":[{\"name\":\"a\"}\r\ndata: \r\nid: 7\r\ndata:\r\n: c\r\ndata: ]}}\r\n\r\n",
        ),
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"hide\"}\ndata\ndata: ,\ndata: {\"name\":\"a\"\nretry: 1\ndata:}]}}\n\n",
            "data: {\"result\":{\"tools\":[\ndata\ndata: \ndata: {\"name\":\"a\"\nretry: 1\ndata:}]}}\n\n",
        ),
        (
            "data: {\"result\":{\"tools\":[1\ndata: ,{\"name\":\"a\"}],\"x\":1\ndata: }}\n\n",
            "data: {\"result\":{\"tools\":[\ndata: {\"name\":\"a\"}],\"x\":1\ndata: }}\n\n",
        ),
        (
            "data: {\"result\":{\"tools\":{\"a\":\ndata: 1},\"cacheScope\":\ndata: [\ndata: ]}}\n\n",
            "data: {\"result\":{\"tools\":[]\ndata: ,\"cacheScope\":\ndata: \"private\"\ndata: }}\n\n",
        ),
    ];
    for (before, after) in rows {
        assert_eq!(pass(events(), before).0, after);
    }
    let same = "data: 12\ndata\n\ndata: [1\ndata: ]\n\n";
    assert_eq!(pass(events(), same).0, same);
}

#[test]
fn framing_counts_towards_an_items_size() {
    let comment = format!(": {}\n", "c".repeat(300));
    let (out, log) = pass(
        events(),
        format!(
            "data: {{\"result\":{{\"tools\":[\n{comment}data:{{\"name\":\"a\"\n{comment}data: }}]}}}}\n\n"
        ),
    );
    assert_eq!(
        out,
        format!("data: {{\"result\":{{\"tools\":[\n{comment}data:\n{comment}data: ]}}}}\n\n")
    );
    assert_eq!(log, ["tools: an item is too large"]);
}

#[test]
fn bytes_pass_at_once() {
    let stream = b"\xef\xbb\xbf: ping\r\ndata: {\"id\":1,\"result\":{\"a\":\"b\xc3\xa9\",\"tools\":[ {\"name\":\"a\"} ], \"n\":12}}\r\n\r\n";
    let mut listing = Listing::new(events());
    let mut sent = 0;
    let mut held_max = 0;
    for (count, byte) in stream.iter().enumerate() {
        let mut input = std::slice::from_ref(byte);
        while !input.is_empty() {
            if let ListingStep::Item(_) = listing.read(&mut input).unwrap() {
                listing.settle(true);
            }
        }
        sent += listing.take_output().len();
        held_max = held_max.max(count + 1 - sent);
        let is_in_item = stream[count..].starts_with(b"\"a\"}") || sent <= count;
        assert!(is_in_item || sent == count + 1);
    }
    assert_eq!(sent, stream.len());
    // The item without its last byte.
    assert_eq!(held_max, br#"{"name":"a""#.len());
}

#[test]
fn data_that_is_not_a_message_is_forwarded() {
    for stream in [
        "event: endpoint\ndata: /messages?id=1\n\n",
        "data: \ndata\ndata: \t pong\ndata: {\"result\":{\"tools\":[{\"name\":\"hide\"}]}}\n\n",
        "data: 1\ndata: 5\n\ndata: \"text\n\ndata: {}\n\n",
    ] {
        let outcome = check(events(), stream);
        assert_eq!((outcome.out.as_str(), outcome.end), (stream, Ok(())));
    }
}

#[test]
fn data_that_is_not_json_ends_the_stream() {
    for (stream, fault) in [
        ("data: [DONE]\n\n", Unreadable::NotJson),
        ("data: {\"a\":\"b\ndata: c\"}\n\n", Unreadable::NotJson),
        ("data: {\"a\":tr\ndata: ue}\n\n", Unreadable::NotJson),
        ("data: [1.\ndata: 5]\n\n", Unreadable::NotJson),
        ("data: [1\ndata: 5]\n\n", Unreadable::NotJson),
        ("data: {}\ndata: {}\n\n", Unreadable::TrailingData),
        ("data: {\"a\":1\n\ndata: }\n\n", Unreadable::Incomplete),
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"hide\"\n\n",
            Unreadable::Incomplete,
        ),
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"hide\"}",
            Unreadable::Incomplete,
        ),
        ("data: \u{feff}{}\n\n", Unreadable::Bom),
    ] {
        let outcome = check(events(), stream);
        assert_eq!(outcome.end, Err(fault), "{stream}");
        assert!(!outcome.out.contains("hide"));
        assert!(
            !outcome.out.ends_with("\n\n"),
            "a broken event is not forwarded whole"
        );
    }
}

#[test]
fn a_stream_may_end_anywhere_but_in_a_json_text() {
    for same in [
        "",
        "\n",
        ": c",
        "data",
        "data: ",
        "data: {}",
        "data: 12",
        "data: {}\r",
        "id: 1\ndata: {}\n",
    ] {
        assert_eq!(pass(events(), same), (same.to_owned(), vec![]));
    }
}

#[test]
fn an_abandoned_stream_ends_with_an_event() {
    let message = r#"{"error":{}}"#;
    for (stream, before) in [
        ("", ""),
        (": c\n\n", ": c\n\n"),
        ("id: 1", "id: 1"),
        (
            "data: {\"result\":{\"tools\":[{\"name\":\"hide\"",
            "data: {\"result\":{\"tools\":[",
        ),
        ("data: {\"a\":1\r", "data: {\"a\":1\r"),
        ("data: {}\r\r", "data: {}\r\n\r"),
    ] {
        let (mut listing, outcome) = filter(events(), [stream.as_bytes()]);
        assert_eq!(outcome.out, before);
        listing.abandon(message);
        let out = String::from_utf8(listing.take_output()).unwrap();
        assert_eq!(out, format!("\n\ndata: {message}\n\n"));
        let whole = format!("{before}{out}");
        assert_eq!(data(&whole).last().unwrap(), message, "{whole}");
        assert!(listing.read(&mut b"data: {}\n\n".as_slice()).is_err());
        listing.abandon(message);
        assert_eq!(listing.take_output(), b"");
    }
    let mut listing = Listing::new(events());
    listing.abandon("{\n}");
    assert_eq!(listing.take_output(), b"\n\ndata: {\ndata: }\n\n");
    assert_eq!(listing.finish(), Err(Unreadable::Abandoned));
}
