//! Checks that a real Envoy 1.40.0 sent, one for each way it can be configured or surprised.
//!
//! `tests/data/checks/NAME.bin` is the message as it was on the wire, `NAME.txt` what we make of
//! it. To capture more, send requests through an Envoy to a server that keeps what it is sent.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mcp_authz::check::{Body, HttpRequest};
use mcp_authz::envoy::ServeSettings;
use mcp_authz::envoy::check_request::{ClientAddress, http_request};
use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckRequest;
use proptest::prelude::*;
use prost::Message;

#[test]
fn captured_checks_are_understood() {
    for path in captured() {
        let check = std::fs::read(&path).unwrap();
        let mut settings = ServeSettings::default().request;
        settings.source = ClientAddress::ExternalAddress;
        let noticed = http_request(&check, settings).map(|request| request.noticed);
        // Envoy held nothing back.
        assert_eq!(noticed.unwrap_or_default(), None, "{}", path.display());
        let understood = match http_request(&check, ServeSettings::default().request) {
            Ok(request) => text(&request),
            Err(fault) => format!("invalid: {fault}\n"),
        };
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(understood, expected, "{}", path.display());
    }
}

proptest! {
    /// Whatever the bytes say, they are refused or make a request that can be, and that a decoder
    /// made from the message's definition finds in them too.
    #[test]
    fn damaged_checks_do_no_harm(
        file in 0..CAPTURED,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = std::fs::read(&captured()[file]).unwrap();
        for (index, byte) in damages {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let settings = ServeSettings::default().request;
        let Ok(request) = http_request(&bytes, settings) else { return Ok(()) };
        let check = CheckRequest::decode(bytes.as_slice()).unwrap();
        let attributes = check.attributes.unwrap();
        let http = attributes.request.unwrap().http.unwrap();
        prop_assert_eq!(request.method, http.method);
        prop_assert_eq!(request.path, http.path);
        prop_assert_eq!(request.host, http.host);
        let body = match request.body {
            Body::Absent => b"",
            Body::Bytes(bytes) | Body::Lossy(bytes) => bytes,
        };
        prop_assert_eq!(body, [http.body.as_bytes(), &http.raw_body].concat());
        let received = usize::try_from(http.size);
        let is_whole = match request.body {
            Body::Absent => received.is_err() || received == Ok(0),
            Body::Bytes(body) | Body::Lossy(body) => received.is_ok_and(|size| size <= body.len()),
        };
        prop_assert!(request.truncated || is_whole, "{} of {}", body.len(), http.size);
        prop_assert_eq!(request.context.len(), attributes.context_extensions.len());
        for (name, value) in &request.context {
            prop_assert_eq!(&attributes.context_extensions[*name], value);
        }
        let listed = http.header_map.map_or(0, |map| map.headers.len());
        prop_assert!(request.headers.len() <= listed.max(http.headers.len()));
        prop_assert!(!request.method.is_empty() && request.method.is_ascii());
        prop_assert!(request.path.starts_with('/') || request.path == "*");
        prop_assert!(!request.host.is_empty() && !request.host.contains([',', '/', '@', ' ']));
        prop_assert!(request.headers.len() <= settings.headers_max);
        for (name, value) in &request.headers {
            prop_assert!(!name.is_empty() && !name.starts_with(':'));
            prop_assert!(!name.contains(|c: char| c.is_ascii_uppercase() || c.is_control()));
            prop_assert!(!value.contains(['\r', '\n', '\0']));
        }
    }
}

/// The captured messages, in order.
fn captured() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checks");
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), CAPTURED);
    paths
}

const CAPTURED: usize = 19;

fn text(request: &HttpRequest<'_>) -> String {
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
    let mut context = request.context.clone();
    context.sort_unstable();
    writeln!(text, "context {context:?}").unwrap();
    text
}
