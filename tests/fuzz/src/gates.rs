//! What a check says of a request, and who it says is calling.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3 as theirs;
use jiff::Timestamp;
use mcp_authz::authn::{
    Audience, Authenticator, AuthnSettings, Credentials, IssuerSettings, KeySourceSettings,
};
use mcp_authz::check::Body;
use mcp_authz::envoy::ServeSettings;
use mcp_authz::envoy::check_request::{ClientAddress, http_request};
use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckRequest;
use prost::Message;
use tokio::runtime::{Builder, Runtime};

/// A check is refused, or makes a request that can be and that a decoder made from the message's
/// definition finds in it too.
pub fn check(data: &[u8]) {
    let mut settings = ServeSettings::default().request;
    let by_peer = http_request(data, settings);
    settings.source = ClientAddress::ExternalAddress;
    let by_header = http_request(data, settings);
    // The address of the client is one more thing that can be wrong.
    assert!(by_peer.is_ok() || by_header.is_err());
    let Ok(request) = by_peer else { return };
    let check = CheckRequest::decode(data).unwrap();
    let attributes = check.attributes.unwrap();
    let http = attributes.request.unwrap().http.unwrap();
    // This one reads more, and may refuse what we never look at.
    if let Ok(check) = theirs::CheckRequest::decode(data) {
        let http = check.attributes.unwrap().request.unwrap().http.unwrap();
        assert_eq!(
            (request.method, request.path, request.host),
            (&*http.method, &*http.path, &*http.host)
        );
    }
    assert_eq!(request.method, http.method);
    assert_eq!(request.path, http.path);
    assert_eq!(request.host, http.host);
    let body = match request.body {
        Body::Absent => b"",
        Body::Bytes(bytes) | Body::Lossy(bytes) => bytes,
    };
    assert_eq!(body, [http.body.as_bytes(), &http.raw_body].concat());
    assert_eq!(request.context.len(), attributes.context_extensions.len());
    for (name, value) in &request.context {
        assert_eq!(&attributes.context_extensions[*name], value);
    }
    let listed = http.header_map.unwrap_or_default().headers;
    assert!(request.headers.len() <= listed.len().max(http.headers.len()));
    for (name, value) in &request.headers {
        // Envoy gives names in lower case, and others are made so.
        let is_it = |key: &str, own: &str| key.eq_ignore_ascii_case(name) && own == &**value;
        let mut joined = http.headers.iter();
        let is_given = listed.iter().any(|one| {
            let raw = String::from_utf8_lossy(&one.raw_value);
            is_it(&one.key, &one.value) || is_it(&one.key, &raw)
        });
        assert!(is_given || joined.any(|(key, own)| is_it(key, own)));
        assert!(!name.contains(|c: char| c.is_ascii_uppercase() || c.is_control()));
        assert!(!name.is_empty() && !name.starts_with(':'));
        assert!(!value.contains(['\r', '\n', '\0']));
    }
    assert!(!request.method.is_empty() && request.method.is_ascii());
    assert!(request.path.starts_with('/') || request.path == "*");
    assert!(!request.host.is_empty() && !request.host.contains([',', '/', '@', ' ']));
}

pub(super) fn check_seeds() -> Vec<Vec<u8>> {
    super::read_all("tests/data/checks", "bin")
}

/// A path, then `Authorization` headers, one a line: nobody is believed, since nothing that is made
/// up is signed by the issuer for this audience at this time.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let path = lines.next().unwrap_or_default();
    let credentials = Credentials::new(path, lines);
    let gate = &*GATE;
    let now = Timestamp::from_second(SIGNED_AT).unwrap();
    let audience = Audience {
        accepted: vec!["https://h/mcp".to_owned()],
        issuers: None,
    };
    let asked = gate
        .authenticator
        .authenticate(&credentials, &audience, now);
    let outcome = gate.runtime.block_on(asked);
    assert!(outcome.is_err(), "{text:?} is believed");
}

/// An authenticator that has the key of its one issuer.
struct Gate {
    runtime: Runtime,
    authenticator: Authenticator,
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let mut issuer = IssuerSettings::new("joe");
    issuer.source = KeySourceSettings::File(keys_file());
    let settings = AuthnSettings {
        issuers: vec![issuer],
        fetch_wait: Duration::from_millis(1),
        ..AuthnSettings::default()
    };
    let (authenticator, refreshers) = Authenticator::new(&settings, Arc::default()).unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for refresher in refreshers {
        runtime.spawn(refresher.run(std::future::pending()));
    }
    runtime.block_on(authenticator.ready());
    Gate {
        runtime,
        authenticator,
    }
});

/// The public key of RFC 7515 Appendix A.3, whose private key is there for everybody to read.
fn keys_file() -> PathBuf {
    super::root().join("tests/fuzz/seeds/jwks.json")
}

/// 2011-03-22T18:43:00Z, a little before the token of RFC 7515 Appendix A.3 expires.
const SIGNED_AT: i64 = 1_300_819_380 - 600;

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLCJzdWIiOiJhIiwiYXVkIjoiaHR0cHM6Ly9oL21jcCIsImV4cCI6MTMwMDgxOTM4MH0.";
    [
        format!("/mcp\nBearer {signed}"),
        format!("/mcp?a=b\nbearer {unsigned}"),
        format!("/mcp\nBearer {signed}\nBearer {unsigned}"),
        format!("/mcp?access_token={signed}"),
        "/mcp\nBasic dTpw".to_owned(),
        "/mcp\nBearer a.b.c, Bearer d".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
