use std::path::Path;

use super::*;

fn context() -> CompileContext {
    let servers = Some(vec!["github".to_owned(), "files".to_owned()]);
    CompileContext {
        servers,
        ..CompileContext::default()
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn lines(text: &str, context: &CompileContext) -> Vec<String> {
    match compile(&[source("p.yaml", text)], context) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}

/// `UPDATE_EXPECTED=1` rewrites the expectations.
#[test]
fn invalid_policies_are_refused_with_their_exact_findings() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policies-invalid");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let actual = lines(&text, &context()).join("\n") + "\n";
        let expected = path.with_extension("txt");
        if update {
            std::fs::write(&expected, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(actual, expected, "{}", path.display());
        assert!(actual.len() > 1, "{} is not invalid", path.display());
        seen += 1;
    }
    assert!(seen >= 11, "only {seen} files");
}
