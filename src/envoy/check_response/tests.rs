use super::*;

use http::StatusCode;
use prost::Message;
use prost_types::value::Kind;

use super::super::proto::envoy::service::auth::v3::check_response::HttpResponse;
use super::super::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse};

/// What Envoy makes of the bytes.
fn check_response(verdict: &Verdict) -> CheckResponse {
    let mut message = Vec::new();
    put_check_response(verdict, &mut message);
    let response = CheckResponse::decode(message.as_slice()).unwrap();
    let again = response.encode_to_vec();
    assert_eq!(
        again.len(),
        message.len(),
        "nothing is written that is not read"
    );
    response
}

fn denied_response(answer: LocalReply) -> DeniedHttpResponse {
    match check_response(&verdict(Outcome::Reply(answer))).http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied,
        other => panic!("not denied: {other:?}"),
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    Verdict {
        outcome,
        metadata: Vec::new(),
    }
}

fn answer(status: u16) -> LocalReply {
    LocalReply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: "{}".to_owned(),
    }
}

fn code(response: &CheckResponse) -> i32 {
    response.status.as_ref().unwrap().code
}

fn denied_status(status: u16) -> (i32, i32) {
    let response = check_response(&verdict(Outcome::Reply(answer(status))));
    let Some(HttpResponse::DeniedResponse(denied)) = &response.http_response else {
        panic!("not denied: {response:?}");
    };
    (code(&response), denied.status.as_ref().unwrap().code)
}

fn failed_status(status: u16) -> (i32, i32) {
    let response = check_response(&verdict(Outcome::Fail(answer(status))));
    let Some(HttpResponse::ErrorResponse(failed)) = &response.http_response else {
        panic!("not failed: {response:?}");
    };
    (code(&response), failed.status.as_ref().unwrap().code)
}

fn set_and_removed(set: &[(&'static str, &str)], remove: &[&str]) -> (Vec<String>, Vec<String>) {
    let text = |text: &&str| Text::from((*text).to_owned());
    let set = set.iter().map(|(name, value)| (text(name), text(value)));
    let set = set.collect();
    let remove = remove.iter().map(text).collect();
    let response = check_response(&verdict(Outcome::Allow(Obligations { set, remove })));
    let Some(HttpResponse::OkResponse(changes)) = response.http_response else {
        panic!("not allowed");
    };
    let names = changes
        .headers
        .into_iter()
        .map(|option| option.header.unwrap().key)
        .collect();
    (names, changes.headers_to_remove)
}

#[test]
fn an_allow_overwrites_and_removes() {
    let response = check_response(&Verdict {
        outcome: Outcome::Allow(Obligations {
            set: vec![("x-mcp-authz-subject".into(), "alice".into())],
            remove: vec!["authorization".into()],
        }),
        metadata: vec![
            ("reason".into(), "allowed".into()),
            ("rule".into(), "a".into()),
        ],
    });
    assert_eq!(code(&response), 0);
    let Some(HttpResponse::OkResponse(changes)) = response.http_response else {
        panic!("not allowed");
    };
    assert_eq!(changes.headers_to_remove, ["authorization"]);
    let [option] = changes.headers.as_slice() else {
        panic!("{:?}", changes.headers)
    };
    assert_eq!(option.append_action, 2);
    let header = option.header.as_ref().unwrap();
    assert_eq!(
        (header.key.as_str(), header.value.as_str()),
        ("x-mcp-authz-subject", "alice")
    );
    assert!(header.raw_value.is_empty());
    let facts = response.dynamic_metadata.unwrap().fields;
    let rule = Kind::StringValue("a".to_owned());
    assert_eq!((facts.len(), facts["rule"].kind.as_ref()), (2, Some(&rule)));
}

#[test]
fn no_denial_and_no_failure_has_code_0() {
    for status in 100..=999 {
        let expected = if status == 401 { 16 } else { 7 };
        assert_eq!(denied_status(status).0, expected, "{status}");
        assert_eq!(failed_status(status).0, 14, "{status}");
    }
}

#[test]
fn a_status_that_envoy_would_not_survive_is_replaced() {
    for status in [200, 202, 204, 400, 401, 403, 413, 415, 429, 503, 599] {
        assert_eq!(denied_status(status).1, i32::from(status));
    }
    for status in [100, 101, 199, 201, 302, 399, 600, 999] {
        assert_eq!(denied_status(status).1, 403, "{status}");
    }
    for status in [500, 503, 599] {
        assert_eq!(failed_status(status).1, i32::from(status));
    }
    for status in [100, 200, 302, 403, 600] {
        assert_eq!(failed_status(status).1, 503, "{status}");
    }
}

#[test]
fn a_denial_has_its_headers_and_body() {
    let denied = denied_response(answer(403));
    let header = denied.headers[0].header.as_ref().unwrap();
    assert_eq!(
        (header.key.as_str(), header.value.as_str()),
        ("content-type", "application/json")
    );
    assert_eq!(denied.body, "{}");
}

#[test]
fn no_facts_are_no_metadata() {
    assert_eq!(
        check_response(&verdict(Outcome::Reply(answer(403)))).dynamic_metadata,
        None
    );
}

#[test]
fn no_header_is_both_set_and_removed() {
    let (set, removed) =
        set_and_removed(&[("x-a", "1")], &["X-A", "x-b", "X-B", ":path", "host", ""]);
    assert_eq!(
        (set, removed),
        (vec!["x-a".to_owned()], vec!["x-b".to_owned()])
    );
}

#[test]
fn a_trusted_header_that_cannot_be_set_is_removed() {
    let (set, removed) = set_and_removed(&[("x-a", "1\r\n"), ("x-b", ""), ("x-c", "1")], &["x-a"]);
    assert_eq!(
        (set, removed),
        (
            vec!["x-c".to_owned()],
            vec!["x-a".to_owned(), "x-b".to_owned()]
        )
    );
}

#[test]
fn a_header_of_an_answer_that_cannot_be_sent_is_not() {
    let headers = vec![
        ("x-a", "1\r\nx-b: 2".to_owned()),
        ("content-length", "9".to_owned()),
    ];
    assert_eq!(
        denied_response(LocalReply {
            headers,
            ..answer(403)
        })
        .headers,
        []
    );
}

#[test]
fn a_header_is_settable_if_it_can_do_no_harm() {
    for (name, value) in [
        ("x-a", "1"),
        ("www-authenticate", "Bearer realm=\"a b\", x=1"),
    ] {
        assert!(is_settable(name, value), "{name}: {value}");
    }
    for (name, value) in [
        ("x-a", ""),
        ("x-a", " "),
        ("x-a", " 1"),
        ("x-a", "1 "),
        ("x-a", "1\r\nx-b: 2"),
        ("x-a", "1\0"),
        ("x-a", "1\t2"),
        ("x-a", "caf\u{e9}"),
        ("", "1"),
        ("X-A", "1"),
        ("x a", "1"),
        ("x-a:", "1"),
        (":path", "/admin"),
        (":status", "200"),
        ("host", "evil.test"),
        ("content-length", "0"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "h2c"),
    ] {
        assert!(!is_settable(name, value), "{name}: {value:?}");
    }
}
