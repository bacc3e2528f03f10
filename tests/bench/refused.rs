//! Bodies of 1 MiB that are made to cost the most: what a request with one costs that no token is
//! sent with, or one that is badly signed, and what it costs to read one to its end.

use bytes::Bytes;
use divan::{Bencher, black_box};
use jsonwebtoken::Algorithm;
use mcp_authz::envoy::ServeSettings;
use mcp_authz::envoy::check_request::http_request;
use mcp_authz::mcp::{DecodeOptions, Refusal, decode};

use super::service::Service;
use super::{check, envoy, issuer};

const BYTES: usize = 1 << 20;
const BODIES: [&str; 8] = [
    "keys that fold",
    "keys in capitals",
    "short keys",
    "small objects",
    "small arrays",
    "empty objects",
    "long strings",
    "floats",
];

/// A call of which the arguments are of one kind and as many as fit.
fn body(kind: &str) -> Vec<u8> {
    let (open, close) = if kind.contains("keys") {
        ("{", "}")
    } else {
        (r#"{"list":["#, "]}")
    };
    let head = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"tool-1","arguments":{open}"#
    );
    let tail = format!("{close}}}}}");
    let mut body = head;
    for number in 0.. {
        let item = match kind {
            "keys that fold" => format!("\"ẞİ{number:x}\":0,"),
            "keys in capitals" => format!("\"ABCD{number:X}\":0,"),
            "short keys" => format!("\"{number:x}\":0,"),
            "small objects" => r#"{"a":1},"#.to_owned(),
            "small arrays" => "[[[1]]],".to_owned(),
            "empty objects" => "{},".to_owned(),
            "long strings" => format!("\"{}\",", "x".repeat(10_000)),
            _ => format!("{}.5e1,", number % 1_000_000),
        };
        if body.len() + item.len() + tail.len() > BYTES {
            break;
        }
        body.push_str(&item);
    }
    body.pop();
    body.push_str(&tail);
    body.into_bytes()
}

/// The whole check, which ends without a look at most of the body.
fn refused(bencher: Bencher<'_, '_>, kind: &str, token: &str) {
    let service = Service::start(&check::policy());
    let message = envoy::message(token, check::SESSION, &body(kind));
    let settings = ServeSettings::default().request;
    bencher
        .with_inputs(|| Bytes::clone(&message))
        .bench_local_refs(|message| {
            let request = http_request(black_box(message), settings).unwrap();
            drop(black_box(service.decide(&request)));
        });
    service.assert_nothing_lost();
}

/// Budget: 15 µs, and 10 µs of it for a request of any size.
#[divan::bench(args = BODIES, sample_count = 100, sample_size = 20)]
fn without_a_token(bencher: Bencher<'_, '_>, kind: &str) {
    refused(bencher, kind, "");
}

/// Budget: 120 µs, most of it for the signature.
#[divan::bench(args = BODIES, sample_count = 100, sample_size = 20)]
fn badly_signed(bencher: Bencher<'_, '_>, kind: &str) {
    let token = issuer::token(Algorithm::ES256, "user-1", "team-1");
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (first, rest) = signature.split_at(20);
    let (second, rest) = rest.split_at(20);
    refused(bencher, kind, &format!("{message}.{second}{first}{rest}"));
}

/// Of a caller: read until there are too many values.
///
/// Budget: 3 ms.
#[divan::bench(args = BODIES, sample_count = 50, sample_size = 1)]
fn read_as_far_as_allowed(bencher: Bencher<'_, '_>, kind: &str) {
    let body = body(kind);
    let options = DecodeOptions::default();
    let read = || decode(black_box(&body), &options).map(drop);
    assert!(read().is_ok() || read().unwrap_err().refusal == Refusal::TooManyValues);
    bencher.bench_local(read);
}

/// What it would cost without a limit on values, as it did before there was one, whoever asked.
///
/// Budget: none, it is there to compare.
#[divan::bench(args = BODIES, sample_count = 20, sample_size = 1)]
fn read_to_the_end(bencher: Bencher<'_, '_>, kind: &str) {
    let body = body(kind);
    let options = DecodeOptions {
        json_values_max: usize::MAX,
        ..DecodeOptions::default()
    };
    assert!(decode(&body, &options).is_ok());
    bencher.bench_local(|| decode(black_box(&body), &options).is_ok());
}
