//! Configurations and policies that are refused, with their exact findings: `NAME.yaml` and
//! `NAME.txt`. `UPDATE_EXPECTED=1` rewrites the findings.

use std::path::Path;

use mcp_authz::config;
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;

use crate::harness::{Run, Table, data, files};

/// The folders of such pairs.
pub(crate) const FOLDERS: [&str; 2] = ["configs-invalid", "policies-invalid"];

pub(crate) fn tables() -> Vec<Table> {
    let [configs, policies] = FOLDERS;
    [folder(configs, config), folder(policies, policy)]
        .into_iter()
        .flatten()
        .collect()
}

/// A table of one row for each file.
fn folder(folder: &str, findings: fn(&str, String) -> Vec<String>) -> Vec<Table> {
    let files = files(folder, "yaml").into_iter();
    let tables = files.map(|file| {
        let path = file.clone();
        let run: Run = Box::new(move || run(&path, findings));
        let rows = vec![("findings".to_owned(), run)];
        Table { file, rows }
    });
    tables.collect()
}

fn run(file: &Path, findings: fn(&str, String) -> Vec<String>) -> Vec<String> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(data().join(file)).unwrap();
    let actual = findings(name, text).join("\n") + "\n";
    assert!(actual.len() > 1, "it is not invalid");
    let expected = data().join(file).with_extension("txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&expected, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap_or_default();
    if actual == expected {
        return Vec::new();
    }
    vec![format!("expected\n{expected}\ngot\n{actual}")]
}

fn config(name: &str, text: String) -> Vec<String> {
    match config::decode(name.to_owned(), text, Path::new("")) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}

fn policy(_: &str, text: String) -> Vec<String> {
    let context = CompileContext {
        servers: Some(vec!["github".to_owned(), "files".to_owned()]),
        ..CompileContext::default()
    };
    let source = Source {
        name: "p.yaml".to_owned(),
        text,
    };
    match compile(&[source], &context) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}
