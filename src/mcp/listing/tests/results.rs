//! Results that are held back as a whole.

use super::*;
use crate::mcp::list_kind::ListKinds;

fn whole() -> ListingSettings {
    ListingSettings {
        lists: ListKinds::NONE,
        whole_results: true,
        ..settings()
    }
}

#[test]
fn a_result_is_kept_or_replaced() {
    for (text, out, log) in [
        (
            r#"{"id":1, "result": {"a": [1, {"b": "}"}]} , "x":2}"#,
            r#"{"id":1, "result": {"a": [1, {"b": "}"}]} , "x":2}"#,
            vec![r#"result {"a": [1, {"b": "}"}]}"#],
        ),
        (
            r#"{"result":{"a":"hide"},"id":1}"#,
            r#"{"result":{"x":1},"id":1}"#,
            vec![r#"result {"a":"hide"}"#],
        ),
        (
            r#"{"result":{"a":"hide"},"RESULT":{"b":"hide"}}"#,
            r#"{"result":{"x":1},"RESULT":{"x":1}}"#,
            vec![r#"result {"a":"hide"}"#, r#"result {"b":"hide"}"#],
        ),
        (
            r#"{"result":"hide"}"#,
            r#"{"result":{"x":1}}"#,
            vec![r#"result "hide""#],
        ),
        (r#"{"result":7}"#, r#"{"result":7}"#, vec!["result 7"]),
        (r#"{"result":[]}"#, r#"{"result":[]}"#, vec!["result []"]),
        (
            r#"{"id":1,"error":{"message":"hide"}}"#,
            r#"{"id":1,"error":{"message":"hide"}}"#,
            vec![],
        ),
        (
            r#"{"method":"x","params":{"result":{"a":"hide"}}}"#,
            r#"{"method":"x","params":{"result":{"a":"hide"}}}"#,
            vec![],
        ),
    ] {
        let outcome = check(whole(), text);
        assert_eq!(outcome.end, Ok(()), "{text}");
        assert_eq!(
            (outcome.out.as_str(), outcome.log),
            (out, log.iter().map(ToString::to_string).collect())
        );
    }
}

#[test]
fn a_result_in_events_is_replaced_within_its_lines() {
    let settings = ListingSettings {
        framing: Framing::EventStream,
        ..whole()
    };
    let text =
        "event: message\ndata: {\"id\":1,\ndata: \"result\":{\"a\":\ndata: \"hide\"}\ndata: }\n\n";
    let out = "event: message\ndata: {\"id\":1,\ndata: \"result\":\ndata: {\"x\":1}\ndata: }\n\n";
    let outcome = check(settings, text);
    assert_eq!((outcome.out.as_str(), outcome.end), (out, Ok(())));
}

#[test]
fn a_result_that_is_too_large_or_not_whole_is_not_let_out() {
    let large = format!(r#"{{"result":{{"a":"{}"}}}}"#, "x".repeat(300));
    let outcome = check(whole(), &large);
    assert_eq!(
        (outcome.out.as_str(), outcome.end),
        (r#"{"result":"#, Err(Unreadable::TooLarge))
    );
    let outcome = check(whole(), r#"{"result":{"a":"#);
    assert_eq!(
        (outcome.out.as_str(), outcome.end),
        (r#"{"result":"#, Err(Unreadable::Incomplete))
    );
    // Lines without data take room too, and none of it is let out.
    let settings = ListingSettings {
        framing: Framing::EventStream,
        ..whole()
    };
    let lines = format!(
        "data: {{\"result\":{{\ndata: \n{}data: }}}}\n\n",
        "data:\n".repeat(200)
    );
    let outcome = check(settings, &lines);
    assert_eq!(outcome.end, Err(Unreadable::TooLarge));
}
