//! The shipped configuration of Envoy, and what `validate --envoy` finds in changes of it. The tests
//! of this folder and the rows of `tests/data/envoy-mistakes.yaml` share this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_authz::envoy::bootstrap::{self, Expected, ExpectedHosts};
use mcp_authz::envoy::check_request::ClientAddress;
use mcp_authz::yaml::{Findings, Source};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub(crate) fn shipped() -> String {
    fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap()
}

pub(crate) fn expected() -> Expected {
    Expected {
        listen: "127.0.0.1:9001".parse().unwrap(),
        servers: vec!["notes".to_owned()],
        hosts: vec![ExpectedHosts {
            server: "notes".to_owned(),
            hosts: ["mcp.example.com", "*.mcp.example.com"]
                .map(str::to_owned)
                .into(),
            is_bound: false,
        }],
        string_body: false,
        body_bytes_max: 1 << 20,
        headers_max: 96,
        header_bytes_max: 60 << 10,
        streams_max: 1024,
        fetch_wait: Duration::from_secs(2),
        peers: false,
        client_address: ClientAddress::Peer,
        token_headers: Vec::new(),
        set_headers: Vec::new(),
    }
}

pub(crate) fn inspect(name: &str, text: String, expected: &Expected) -> Findings {
    let source = Source {
        name: name.to_owned(),
        text,
    };
    let none = |path: &Path| panic!("{} is asked for", path.display());
    bootstrap::inspect(vec![source], Some(expected), &none)
}

/// Where a finding stands and what it says.
pub(crate) fn lines(findings: &Findings) -> String {
    findings.to_lines().join("\n")
}
