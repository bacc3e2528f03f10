//! Conditions, each as the `if` of a deny and of an allow, with what `validate` says of it.
//! `tests/data/conditions/README.md` tells how to read the data.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use mcp_authz::policy::{CompileContext, DeclaredArguments, Issuers, LintContext, compile, lint};
use mcp_authz::yaml::{Findings, Severity, Source};
use serde_json::{Value, json};

use crate::harness::{Run, Table, files, read_yaml};

/// The lints about conditions: only these are compared.
const LINTS: [&str; 13] = [
    "absent-passes",
    "arguments-everywhere",
    "conversion-in-deny",
    "fallible-deny",
    "literal-scope",
    "negated-allow",
    "spelled-text",
    "unanchored-regex",
    "unescaped-dot",
    "unknown-argument",
    "unknown-tool",
    "uri-in-expression",
    "uri-never-normal",
];

pub(crate) fn tables() -> Vec<Table> {
    files("conditions", "yaml").into_iter().map(table).collect()
}

fn table(file: PathBuf) -> Table {
    let Value::Array(rows) = read_yaml(&file) else {
        panic!("{}", file.display());
    };
    let rows = rows.into_iter().map(|row| {
        let name = row["row"].as_str().unwrap().to_owned();
        let run: Run = Box::new(move || run(&row));
        (name, run)
    });
    let rows = rows.collect();
    Table { file, rows }
}

/// What is not as a row says.
fn run(row: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let effects = ["deny", "allow"];
    let named = effects.iter().filter(|effect| row.get(**effect).is_some());
    let is_both = row.get("both").is_some() || named.count() == 0;
    for effect in effects {
        let expected = match row.get(effect) {
            Some(expected) => expected,
            None if is_both => row.get("both").unwrap_or(&Value::Null),
            None => continue,
        };
        let found = findings(row, effect);
        if !is_as_expected(&found, expected) {
            faults.push(format!(
                "as {effect} it is expected to be {expected}, but has {found:#?}"
            ));
        }
    }
    faults
}

/// Whether each finding is as written, in their order. `silence: …` gives the reason for none.
fn is_as_expected(found: &[String], expected: &Value) -> bool {
    let expected: Vec<&str> = match expected.as_array() {
        Some(all) => all.iter().map(|text| text.as_str().unwrap()).collect(),
        None => expected.as_str().into_iter().collect(),
    };
    let expected: Vec<&str> = expected
        .into_iter()
        .filter(|text| !text.starts_with("silence: "))
        .collect();
    let is_found = |(found, expected): (&String, &&str)| {
        let (kind, part) = expected.split_once(": ").unwrap();
        found.starts_with(&format!("{kind}: ")) && found.contains(part)
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(is_found)
}

/// The findings about one rule with a condition, as `KIND: MESSAGE (HELP)`.
fn findings(row: &Value, effect: &str) -> Vec<String> {
    let default = json!({"servers": ["github"], "methods": ["tools/call"]});
    let what = row.get("what").unwrap_or(&default);
    let mut rule = json!({"id": "rule", "effect": effect, "if": row["if"]});
    if !what.is_null() {
        rule["what"] = what.clone();
    }
    if let Some(who) = row.get("who") {
        rule["who"] = who.clone();
    } else if effect == "allow" {
        rule["who"] = json!({"groups": ["engineering"]});
        if what.is_null() {
            rule["what"] = json!({"servers": ["github", "files"]});
        }
    }
    if let Some(place) = row.get("where") {
        rule["where"] = place.clone();
    }
    let policy = json!({
        "tools": {
            "github": {"read": ["get_*"], "destructive": ["delete_repository", "merge_*"]},
            "files": {"read": ["read_*"], "write": ["write_file"]},
        },
        "rules": [rule],
    });
    let source = Source {
        name: "p".to_owned(),
        text: policy.to_string(),
    };
    let sources = [source];
    match compile(&sources, &compile_context()) {
        Ok(policy) => texts(&lint(&sources, &policy, &lint_context())),
        Err(findings) => texts(&findings),
    }
}

fn texts(findings: &Findings) -> Vec<String> {
    let all = findings.sorted().into_iter();
    let all = all.filter(|finding| finding.lint.is_none_or(|lint| LINTS.contains(&lint)));
    let text = |finding: &mcp_authz::yaml::Finding| {
        let kind = match finding.severity {
            Severity::Error => "error",
            Severity::Warning | Severity::Note => finding.lint.unwrap_or("note"),
        };
        let help = finding.help.as_deref().unwrap_or_default();
        format!("{kind}: {} ({help})", finding.message)
    };
    all.map(text).collect()
}

fn issuers() -> Arc<Issuers> {
    let issuer = "https://idp.example.com".to_owned();
    let of = |server: &str| (server.to_owned(), vec![issuer.clone()]);
    Arc::new(Issuers {
        names: vec![issuer.clone()],
        of_servers: HashMap::from([of("github"), of("files")]),
        ..Issuers::default()
    })
}

fn compile_context() -> CompileContext {
    CompileContext {
        servers: Some(vec!["github".to_owned(), "files".to_owned()]),
        issuers: issuers(),
        ..CompileContext::default()
    }
}

/// `github` is recorded, `files` is not.
fn lint_context() -> LintContext<'static> {
    let declared = |names: &[&str]| {
        let names = names.iter();
        let properties = names.map(|name| ((*name).to_owned(), DeclaredArguments::Anything));
        DeclaredArguments::Properties(properties.collect())
    };
    let arguments = declared(&[
        "owner", "repo", "force", "amount", "labels", "due", "items", "opts", "url",
    ]);
    let tools = ["get_issue", "delete_repository", "merge_pr"].map(str::to_owned);
    let of_tools = tools.iter().map(|tool| (tool.clone(), arguments.clone()));
    LintContext {
        arguments: BTreeMap::from([("github".to_owned(), of_tools.collect())]),
        tools: BTreeMap::from([("github".to_owned(), tools.to_vec())]),
        issuers: issuers(),
        peers_are_verified: true,
        ..LintContext::default()
    }
}
