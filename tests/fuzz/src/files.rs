//! The files of operators.

use std::io::{Error, ErrorKind};
use std::path::Path;

use mcp_authz::config;
use mcp_authz::envoy::bootstrap;
use mcp_authz::policy::testing::{SampleContext, Suite};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::{Data, Findings, Node, Source, parse};

fn source(data: &[u8]) -> Option<Source> {
    let text = std::str::from_utf8(data).ok()?.to_owned();
    Some(Source {
        name: "f.yaml".to_owned(),
        text,
    })
}

/// A tree's places are in its text, and there is a tree or a finding.
pub fn yaml(data: &[u8]) {
    let Some(source) = source(data) else { return };
    let text = source.text.clone();
    let mut findings = Findings::new();
    let id = findings.add_source(source);
    let tree = parse(id, &mut findings);
    assert_eq!(tree.is_some(), !findings.has_errors());
    if let Some(tree) = tree {
        check_places(&tree, &text);
    }
    show(&findings);
}

fn check_places(node: &Node, text: &str) {
    assert!(text.get(node.span.clone()).is_some(), "{:?}", node.span);
    match &node.data {
        Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::String(_) => {}
        Data::List(items) => items.iter().for_each(|item| check_places(item, text)),
        Data::Map(entries) => {
            let mut keys: Vec<&str> = Vec::new();
            for (key, value) in entries {
                check_places(key, text);
                check_places(value, text);
                keys.push(key.as_str().unwrap());
            }
            keys.sort_unstable();
            assert!(keys.is_sorted_by(|one, other| one != other));
        }
    }
}

fn show(findings: &Findings) {
    let lines = findings.to_lines();
    assert_eq!(lines.is_empty(), findings.render(false).is_empty());
}

pub(super) fn yaml_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        "a: &x [1, -2.5e3, ~, 'q''', \"\\u00e9\\n\"]\nb: *x\n? c\n: |-\n  text\n  more\nd: >+\n  folded\n\n".into(),
        "%YAML 1.2\n---\n{a: !!str 1, \"b\": [true, {c: 0x1f}], gr\u{fc}\u{df}e: \u{2028}}\n...\n".into(),
        "- - - a\n    - b\n-\n  x: y # comment\n".into(),
    ];
    seeds.extend(super::read_all("tests/data/policies-invalid", "yaml"));
    seeds
}

/// A policy compiles to the same each time, or says why not; so do its tests.
pub fn policy(data: &[u8]) {
    let Some(source) = source(data) else { return };
    let context = CompileContext::default();
    let compiled = compile(std::slice::from_ref(&source), &context);
    match (&compiled, compile(std::slice::from_ref(&source), &context)) {
        (Ok(one), Ok(other)) => assert_eq!(one.revision(), other.revision()),
        (Err(one), Err(other)) => {
            assert_eq!(one, &other);
            assert!(one.has_errors());
            show(one);
        }
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("compiles now and then"),
    }
    match Suite::read(std::slice::from_ref(&source), &SampleContext::default()) {
        Err(findings) => show(&findings),
        Ok(suite) => {
            if let Ok(policy) = &compiled {
                let report = suite.run(policy);
                show(&report.failures);
            }
        }
    }
}

pub(super) fn policy_seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::read_all("tests/data/policies-invalid", "yaml");
    seeds.push(super::read_one("envoy/policy.yaml"));
    seeds.push(super::read_one("envoy/policy_test.yaml"));
    seeds.push(super::read_one("tests/data/cli/good/policy.yaml"));
    seeds
}

/// There is a configuration or an error, and a configuration can be shown.
pub fn config(data: &[u8]) {
    let Some(source) = source(data) else { return };
    let base = Path::new("/nonexistent");
    let mut inspection = config::inspect(source.name, source.text, base);
    assert_eq!(
        inspection.config.is_some(),
        !inspection.findings.has_errors()
    );
    if let Some(config) = &inspection.config {
        assert!(config.effective().is_object());
        config::lint(&mut inspection, None, &config::RecordedNames::new());
    }
    show(&inspection.findings);
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::read_all("tests/data/configs", "yaml");
    seeds.extend(super::read_all("tests/data/configs-invalid", "yaml"));
    seeds
}

/// Whatever Envoy is told, its mistakes can be shown.
pub fn bootstrap(data: &[u8]) {
    let Some(source) = source(data) else { return };
    let read = |_: &Path| Err(Error::from(ErrorKind::NotFound));
    show(&bootstrap::inspect(vec![source], None, &read));
}

pub(super) fn bootstrap_seeds() -> Vec<Vec<u8>> {
    vec![
        super::read_one("envoy/envoy.yaml"),
        super::read_one("tests/data/envoy-shapes/istio.yaml"),
        super::read_one("tests/data/envoy-shapes/envoy-gateway.json"),
    ]
}
