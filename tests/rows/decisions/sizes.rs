//! How large the answer to a check can be made by whoever sends the request.

use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckResponse;
use mcp_authz::envoy::proto::envoy::service::auth::v3::check_response::HttpResponse;
use prost::Message;
use serde_json::{Value, json};

use super::expectation;
use super::request;
use super::service::Service;
use super::table::Table;
use crate::harness::{Test, tests};

pub(super) fn tests() -> Vec<Test> {
    tests![
        a_denied_batch_is_answered_within_what_envoy_takes,
        what_is_handed_on_fits_into_what_envoy_takes
    ]
    .into()
}

/// `max_receive_message_length` of `envoy/envoy.yaml`. A longer answer is none to Envoy.
const ENVOY_TAKES: usize = 262_144;
/// The most elements that a batch can be configured to have.
const BATCH_MAX: usize = 1000;

/// The service of a table that answers in every form, with batches as large as they can be.
fn service() -> Service {
    let mut table = Table::named("local_replies.yaml");
    let largest = format!("batch_max: {BATCH_MAX}");
    table.config = table.config.replace("batch_max: 8", &largest);
    assert!(table.config.contains(&largest));
    Service::start(table)
}

fn asked(service: &Service, row: &Value) -> CheckResponse {
    let mut full = json!({
        "host": "mcp.example.com",
        "token": {"claims": {"sub": "alice", "aud": "https://mcp.example.com/mcp"}},
    });
    for (key, value) in row.as_object().unwrap() {
        full[key] = value.clone();
    }
    let response = service.check(&request::build(&full).check);
    assert!(
        response.encoded_len() <= ENVOY_TAKES,
        "{}",
        response.encoded_len()
    );
    response
}

fn denied(response: &CheckResponse) -> (i32, Value) {
    let Some(HttpResponse::DeniedResponse(denied)) = &response.http_response else {
        panic!("it is allowed");
    };
    let status = denied.status.as_ref().unwrap().code;
    (status, serde_json::from_str(&denied.body).unwrap())
}

/// So many calls that are denied, with ids of so many bytes.
fn batch(count: usize, id_bytes: usize) -> String {
    let call = |number: usize| {
        json!({
            "jsonrpc": "2.0", "id": format!("{number:0id_bytes$}"),
            "method": "tools/call", "params": {"name": "delete_note"},
        })
    };
    Value::Array((0..count).map(call).collect()).to_string()
}

fn a_denied_batch_is_answered_within_what_envoy_takes() {
    let service = service();
    for path in ["/tool/nothing", "/tool/reason", "/tool/rule"] {
        let answer = |count, id_bytes| {
            let row = json!({"path": path, "raw": batch(count, id_bytes)});
            denied(&asked(&service, &row))
        };
        // As ever, where there is room for it.
        let (status, body) = answer(100, 36);
        let answers = body.as_array().unwrap();
        assert_eq!((status, answers.len()), (200, 100), "{path}");
        // Each request is answered still, in few words.
        let (status, body) = answer(BATCH_MAX, 36);
        let answers = body.as_array().unwrap();
        assert_eq!((status, answers.len()), (200, BATCH_MAX), "{path}");
        let ids: Vec<&str> = answers
            .iter()
            .map(|one| one["id"].as_str().unwrap())
            .collect();
        assert!(ids.iter().enumerate().all(|(at, id)| id.parse() == Ok(at)));
        assert!(
            answers.iter().all(|one| one["error"]["code"].is_i64()),
            "{path}"
        );
        // There is no room for the ids alone.
        let (status, body) = answer(BATCH_MAX, 256);
        assert_eq!(status, 403, "{path}");
        assert_eq!(body["id"], Value::Null, "{path}");
        assert!(body["error"]["data"]["decision_id"].is_string(), "{path}");
    }
    service.stop();
}

/// Everything of a client that is handed on to whoever sees the answer: as long as Envoy's limit on
/// headers and ours on tokens let it be, and of characters that take the most room.
fn what_is_handed_on_fits_into_what_envoy_takes() {
    let service = service();
    let headers = |bytes: usize, name: &str| -> Vec<String> {
        let count = 30;
        let value = "\"".repeat(bytes / count);
        let header = |number| format!("{name}{number}: {value}");
        (0..count).map(header).collect()
    };
    // 16 KiB of token are 12 KiB of claims.
    let quotes = "\"".repeat(11_000 / 2);
    let token = json!({"claims": {
        "sub": quotes.clone(), "aud": "https://mcp.example.com/mcp", "org_id": "t",
    }});
    let row = json!({
        "path": "/tool/reason", "token": token,
        "call": {"method": "tools/list", "params": {}},
        "headers": headers(24 << 10, "x-quotes-"),
    });
    let response = asked(&service, &row);
    let facts = expectation::facts(&response);
    assert_eq!(facts["response_filter"], "list/tools");
    assert!(facts.contains_key("response_context"), "it can be filtered");
    assert!(
        response.encoded_len() > 60_000,
        "{}",
        response.encoded_len()
    );
    // More than is handed on: nothing is, and the list comes out empty.
    let row = json!({
        "path": "/tool/reason", "call": {"method": "tools/list", "params": {}},
        "headers": headers(400 << 10, "x-quotes-"),
    });
    let response = asked(&service, &row);
    let facts = expectation::facts(&response);
    assert!(!facts.contains_key("response_context"));
    // Names and URIs as long as they can be.
    for call in [
        json!({"method": "resources/read", "params": {"uri": format!("n:{}", "é".repeat(4000))}}),
        json!({"method": "m".repeat(256), "params": {}}),
        json!({"method": "tools/call", "params": {"name": "é".repeat(128)}}),
    ] {
        asked(&service, &json!({"path": "/tool/rule", "call": call}));
    }
    service.stop();
}
