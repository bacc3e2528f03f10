//! Policies and configurations that say something else than their author means, each as
//! `validate` sees it: an error, a warning, or a sentence why silence is right.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::harness::{Run, Table, files, read_yaml};

/// The folder of such tables.
pub(crate) const FOLDER: &str = "policies-suspect";

const CONFIG: &str = r"
listen: 127.0.0.1:9001
issuers:
- issuer: https://idp.example.com
  jwks_uri: https://idp.example.com/keys
  #idp
- issuer: https://other.example.com
  jwks_uri: https://other.example.com/keys
servers:
- name: github
  match: {hosts: [github.example.com], path: /mcp}
  resource: https://github.example.com/mcp
  issuers: [https://idp.example.com]
  tools_snapshot: github.json
  silence: [unchecked-arguments, unrecorded-by-pattern]
- name: files
  match: {hosts: [files.example.com]}
  resource: https://files.example.com/mcp
  issuers: [https://other.example.com]
policy: policy
";

const POLICY: &str = r"
silence: [untested-rule, fallible-deny]
tools:
  github:
    read: [get_*, list_*, search_*]
    write: [create_issue, merge_pr, pay, edit_issue]
    danger: [delete_repository]
  files:
    read: [read_file]
rules:
- {id: base, effect: allow, who: {groups: [engineering]}, what: {servers: [github], classes: [read]}}
- {id: limited, effect: limit, what: {servers: [github], classes: [danger]}, limit: {calls: 5, per: 1m, by: [subject]}}
";

const TOOLS: &str = r##"{"tools": [
{"name": "get_issue", "inputSchema": {"type": "object", "properties": {"owner": {"type": "string"}, "number": {"type": "integer"},
  "repo": {"type": "object", "properties": {"name": {"type": "string"}, "visibility": {"enum": ["public", "private"]}}}}}},
{"name": "list_repos", "inputSchema": {"type": "object", "properties": {"owner": {"type": "string"}}}},
{"name": "search_code", "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}}},
{"name": "get_file", "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}}},
{"name": "create_issue", "inputSchema": {"type": "object", "properties": {"title": {"type": "string"}, "labels": {"type": "array", "items": {"type": "string"}}}}},
{"name": "merge_pr", "inputSchema": {"type": "object", "properties": {"number": {"type": "integer"}, "force": {"type": "boolean"}}}},
{"name": "pay", "inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]},
  "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}},
{"name": "edit_issue", "inputSchema": {"type": "object", "$defs": {"level": {"enum": ["low", "high"]}}, "properties": {
  "state": {"type": "string", "enum": ["open", "closed"]}, "private": {"type": "boolean"}, "count": {"type": "integer"},
  "priority": {"enum": [1, 2, 3]}, "labels": {"type": "array", "items": {"enum": ["bug", "docs"]}},
  "milestone": {"type": "object", "properties": {"title": {"type": "string"}}},
  "fields": {"type": "array", "items": {"type": "object", "properties": {"key": {"type": "string"}, "kind": {"enum": ["text", "date"]}}}},
  "extra": {"type": "object", "additionalProperties": true, "properties": {"mode": {"enum": ["fast", "slow"]}}},
  "either": {"anyOf": [{"enum": ["yes", "no"]}, {"type": "integer"}]},
  "level": {"$ref": "#/$defs/level"}}}},
{"name": "delete_repository", "annotations": {"destructiveHint": true}, "inputSchema": {"type": "object", "properties": {"owner": {"type": "string"}, "name": {"type": "string"}}}}
]}"##;

const SAMPLE: &str = r#"{"iss": "https://idp.example.com", "sub": "u-1", "aud": "x", "azp": "cli",
"groups": ["engineering"], "department": {"name": "research"}, "employee_type": "internal", "org_id": "acme"}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    rows: Vec<Row>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// Rules behind those of every row, as YAML; `tools` of more servers are in `policy`.
    #[serde(default)]
    rules: String,
    /// The whole policy instead.
    policy: Option<String>,
    /// Whether rules without tests are told, as they are by default.
    #[serde(default)]
    untested: bool,
    /// Tests of the policy, as YAML.
    #[serde(default)]
    tests: String,
    /// What is behind the configuration.
    #[serde(default)]
    config: String,
    /// What an issuer has more.
    #[serde(default)]
    issuer: String,
    /// A text of the configuration, and what stands there instead.
    #[serde(default)]
    replace: Vec<(String, String)>,
    /// The sample token of the issuer.
    sample: Option<String>,
    /// More files of the policy.
    #[serde(default)]
    files: Vec<(String, String)>,
    /// Parts of the findings, each of one; with its lint or `error`.
    #[serde(default)]
    says: Vec<String>,
    /// Why nothing is said.
    silence: Option<String>,
}

pub(crate) fn tables() -> Vec<Table> {
    let tables = files(FOLDER, "yaml").into_iter().map(|file| {
        let File { rows, .. } = serde_json::from_value(read_yaml(&file)).unwrap();
        let rows = rows.into_iter().map(|row| {
            let name = row.name.clone();
            let run: Run = Box::new(move || run(&row));
            (name, run)
        });
        Table {
            file: file.clone(),
            rows: rows.collect(),
        }
    });
    tables.collect()
}

fn run(row: &Row) -> Vec<String> {
    let found = validate(row);
    let Row { says, silence, .. } = row;
    if says.is_empty() == silence.is_none() {
        return vec!["say either what is found, or why nothing is".to_owned()];
    }
    let mut faults: Vec<String> = says
        .iter()
        .filter(|part| !found.iter().any(|line| line.contains(*part)))
        .map(|part| format!("expected `{part}` in {found:#?}"))
        .collect();
    if silence.is_some() && !found.is_empty() {
        faults.push(format!("expected nothing, found {found:#?}"));
    }
    faults
}

/// The findings, as `error: …` and `warning[lint]: … (help)`; notes too, which are not silence.
fn validate(row: &Row) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let mut config = CONFIG.replace("#idp", &row.issuer) + &row.config;
    for (from, to) in &row.replace {
        assert!(config.contains(from), "no `{from}`");
        config = config.replace(from, to);
    }
    write("mcp-authz.yaml", &config);
    write("github.json", TOOLS);
    write("sample.json", row.sample.as_deref().unwrap_or(SAMPLE));
    let policy = row.policy.clone();
    let mut policy = policy.unwrap_or_else(|| format!("{POLICY}{}", row.rules));
    if row.untested {
        policy = policy.replace("untested-rule, ", "");
    }
    write("policy/rules.yaml", &policy);
    if !row.tests.is_empty() {
        write("policy/rules_test.yaml", &format!("tests:\n{}", row.tests));
    }
    for (name, text) in &row.files {
        write(name, text);
    }
    findings(directory.path())
}

fn findings(directory: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(["validate", "--format", "json", "--config", "mcp-authz.yaml"])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    let line = |finding: &serde_json::Value| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let lint = finding["lint"].as_str().map(|lint| format!("[{lint}]"));
        let lint = lint.unwrap_or_default();
        let (severity, message, help) = (text("severity"), text("message"), text("help"));
        format!("{severity}{lint}: {message} ({help})")
    };
    let found = report["findings"].as_array().unwrap();
    found.iter().map(line).collect()
}
