//! Checks that a real Envoy 1.40.0 sent, one for each way it can be configured or surprised.
//!
//! `tests/data/checks/NAME.bin` is the message as it was on the wire, `NAME.txt` what we make of
//! it. To capture more, send requests through an Envoy to a server that keeps what it is sent.

use std::fmt::Write;
use std::path::Path;

use mcp_authz::check::{Body, HttpRequest};
use mcp_authz::envoy::Settings;
use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckRequest;
use mcp_authz::envoy::request::http_request;
use prost::Message;

#[test]
fn captured_checks_are_understood() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checks");
    let mut names: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 19);
    for path in names {
        let check = CheckRequest::decode(std::fs::read(&path).unwrap().as_slice()).unwrap();
        let understood = match http_request(check, Settings::default().request) {
            Ok(request) => text(&request),
            Err(fault) => format!("invalid: {fault}\n"),
        };
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(understood, expected, "{}", path.display());
    }
}

fn text(request: &HttpRequest) -> String {
    let mut text = format!("{} {} at {}\n", request.method, request.path, request.host);
    for (name, value) in &request.headers {
        writeln!(text, "{name}: {value}").unwrap();
    }
    let body = match &request.body {
        Body::Absent => "absent".to_owned(),
        Body::Bytes(bytes) => format!("bytes {}", bytes.escape_ascii()),
        Body::Lossy(bytes) => format!("lossy {}", bytes.escape_ascii()),
    };
    writeln!(text, "body {body}").unwrap();
    writeln!(text, "truncated {}", request.truncated).unwrap();
    writeln!(text, "source {:?}", request.source).unwrap();
    writeln!(text, "principal {:?}", request.principal).unwrap();
    let mut context: Vec<_> = request.context.iter().collect();
    context.sort();
    writeln!(text, "context {context:?}").unwrap();
    text
}
