//! Envoy's messages: what a check is read from and what is answered.

use bytes::Bytes;
use divan::{Bencher, black_box};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::google::protobuf::Timestamp;
use mcp_authz::envoy::{ServeSettings, check_request, check_response};
use prost::Message;

use super::service::Service;
use super::{body, check};

/// What Envoy sends for a POST of a client of revision 2025-11-25 with all that Envoy adds.
pub(super) fn message(token: &str, session: &str, body: &[u8]) -> Bytes {
    let length = body.len().to_string();
    let authorization = format!("Bearer {token}");
    let headers = [
        (":authority", "mcp.test"),
        (":path", "/github/mcp"),
        (":method", "POST"),
        (":scheme", "https"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("authorization", &authorization),
        ("mcp-session-id", session),
        ("mcp-protocol-version", "2025-11-25"),
        ("user-agent", "node"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "*"),
        ("content-length", &length),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-external-address", "10.1.2.3"),
        ("x-request-id", "5f8ad2f6-0a54-4bd7-8b34-f5a4e3a0d6c1"),
        ("x-envoy-auth-partial-body", "false"),
    ];
    let header = |(key, value): (&str, &str)| core::HeaderValue {
        key: key.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..Default::default()
    };
    let http = auth::attribute_context::HttpRequest {
        id: "8327495834758".to_owned(),
        method: "POST".to_owned(),
        path: "/github/mcp".to_owned(),
        host: "mcp.test".to_owned(),
        scheme: "https".to_owned(),
        size: i64::try_from(body.len()).unwrap(),
        protocol: "HTTP/2".to_owned(),
        raw_body: body.to_vec(),
        header_map: Some(core::HeaderMap {
            headers: headers.map(header).to_vec(),
        }),
        ..Default::default()
    };
    let attributes = auth::AttributeContext {
        source: Some(peer("10.1.2.3", 51_842)),
        destination: Some(peer("10.0.0.1", 443)),
        request: Some(auth::attribute_context::Request {
            time: Some(Timestamp {
                seconds: 1_795_168_800,
                nanos: 123_456_000,
            }),
            http: Some(http),
        }),
        context_extensions: [("mcp_server".to_owned(), "github".to_owned())].into(),
        metadata_context: Some(core::Metadata::default()),
        route_metadata_context: Some(core::Metadata::default()),
        ..Default::default()
    };
    let check = auth::CheckRequest {
        attributes: Some(attributes),
    };
    check.encode_to_vec().into()
}

fn peer(address: &str, port: u32) -> auth::attribute_context::Peer {
    let socket = core::SocketAddress {
        address: address.to_owned(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..Default::default()
    };
    let address = core::Address {
        address: Some(core::address::Address::SocketAddress(socket)),
    };
    auth::attribute_context::Peer {
        address: Some(address),
        ..Default::default()
    }
}

fn example() -> Bytes {
    message(&"t".repeat(700), check::SESSION, &body::call("acme", 600))
}

/// Budget: 1.5 µs, 3 allocations.
#[divan::bench]
fn describe_request(bencher: Bencher<'_, '_>) {
    let message = example();
    let settings = ServeSettings::default().request;
    bencher.bench_local(|| {
        let request = check_request::http_request(black_box(&message), settings);
        black_box(request.unwrap());
    });
}

/// Budget: 1 µs, 1 allocation.
#[divan::bench(args = check::DECISIONS)]
fn encode_response(bencher: Bencher<'_, '_>, owner: &str) {
    let service = Service::start(&check::policy());
    let message = check::Callers::new(1, owner).next();
    let request = check_request::http_request(&message, ServeSettings::default().request).unwrap();
    let verdict = service.decide(&request);
    bencher.bench_local(|| {
        let mut answer = Vec::with_capacity(2 << 10);
        check_response::put_check_response(black_box(&verdict), &mut answer);
        answer
    });
}
