//! What `validate --envoy` finds in the shipped configuration of Envoy with one mistake in it.

use std::path::Path;

use mcp_authz::envoy::check_request::ClientAddress;
use mcp_authz::yaml::{Finding, Severity};
use serde::Deserialize;

use crate::harness::{Run, Table, read_yaml};
use shipped::{expected, inspect, lines, shipped};

#[path = "../suite/envoy_files/shipped.rs"]
mod shipped;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    replace: String,
    #[serde(default)]
    with: String,
    replace_too: Option<String>,
    #[serde(default)]
    with_too: String,
    /// How the error begins, or the warning.
    says: Option<String>,
    warns: Option<String>,
    /// What stands at its place.
    at: String,
    /// How many findings there are besides.
    #[serde(default)]
    also: usize,
    servers: Option<u8>,
    #[serde(default)]
    follows: bool,
    peers: Option<bool>,
    address: Option<String>,
    token_header: Option<String>,
    /// Whether Envoy refuses it itself, for the end-to-end tests.
    #[serde(rename = "refused")]
    _refused: Option<bool>,
}

pub(crate) fn tables() -> [Table; 1] {
    let file = Path::new("envoy-mistakes.yaml");
    let File { rows, .. } = serde_json::from_value(read_yaml(file)).unwrap();
    let rows = rows.into_iter().map(|row| {
        let name = row.name.clone();
        let run: Run = Box::new(move || run(&row));
        (name, run)
    });
    [Table {
        file: file.to_owned(),
        rows: rows.collect(),
    }]
}

/// The shipped file with the changes of a row.
fn changed(row: &Row) -> String {
    let mut text = shipped();
    let too = row.replace_too.as_ref().map(|from| (from, &row.with_too));
    for (from, to) in [(&row.replace, &row.with)].into_iter().chain(too) {
        assert!(text.contains(from), "not in envoy.yaml: {from}");
        text = text.replacen(from, to, 1);
    }
    assert_ne!(text, shipped());
    text
}

fn run(row: &Row) -> Vec<String> {
    let mut expected = expected();
    if row.servers.is_some() {
        expected.servers.push("other".to_owned());
    }
    for hosts in &mut expected.hosts {
        hosts.is_bound = row.follows;
    }
    expected.peers = row.peers.is_some();
    expected.token_headers.extend(row.token_header.clone());
    if row.address.is_some() {
        expected.client_address = ClientAddress::ExternalAddress;
    }
    let findings = inspect("envoy.yaml", changed(row), &expected);
    let (severity, says) = match (&row.says, &row.warns) {
        (Some(says), None) => (Severity::Error, says),
        (None, Some(says)) => (Severity::Warning, says),
        _ => panic!("says or warns"),
    };
    let all = findings.sorted();
    let is_it = |finding: &&&Finding| {
        let text = findings.text(finding.source);
        let at = text.get(finding.span.start..).unwrap();
        finding.severity == severity && finding.message.starts_with(says) && at.starts_with(&row.at)
    };
    if all.iter().filter(is_it).count() == 1 && all.len() == row.also + 1 {
        return Vec::new();
    }
    vec![lines(&findings)]
}
