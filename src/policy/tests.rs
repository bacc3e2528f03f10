use std::path::Path;

use tempfile::TempDir;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn context() -> CompileContext {
    CompileContext {
        has_countries: true,
        servers: Some(["notes".to_owned()].into()),
        rules_max: 10,
        cel_bytes_max: 100,
        ..CompileContext::default()
    }
}

fn rule(id: &str) -> String {
    format!("rules: [{{id: {id}, effect: deny, what: {{servers: [notes]}}}}]\n")
}

fn write(directory: &TempDir, name: &str, text: &str) {
    std::fs::write(directory.path().join(name), text).unwrap();
}

fn names(path: &Path) -> Vec<String> {
    let read = read(path).unwrap();
    let name = |source: Source| Path::new(&source.name).file_name().unwrap().to_owned();
    read.into_iter()
        .map(|source| name(source).into_string().unwrap())
        .collect()
}

#[test]
fn a_policy_is_a_file_a_directory_or_a_glob() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yml", ".hidden.yaml", "notes.txt"] {
        write(&directory, name, &rule("r"));
    }
    std::fs::create_dir(directory.path().join("nested.yaml")).unwrap();
    let path = directory.path();
    assert_eq!(names(&path.join("notes.txt")), ["notes.txt"]);
    assert_eq!(names(path), ["a.yml", "b.yaml"]);
    assert_eq!(names(&path.join("*.y*ml")), ["a.yml", "b.yaml"]);
    assert_eq!(names(&path.join("?.yaml")), ["b.yaml"]);
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let shown = path.display();
    std::fs::write(path.join("latin1.yaml"), b"message: \xe9").unwrap();
    std::fs::create_dir(path.join("empty")).unwrap();
    let rows = [
        (
            "none.yaml",
            format!("no policy file at `{shown}/none.yaml`"),
        ),
        ("empty", format!("no policy file at `{shown}/empty`")),
        ("*.yml", format!("no policy file at `{shown}/*.yml`")),
        (
            "latin1.yaml",
            format!(
                "cannot read the policy `{shown}/latin1.yaml`: stream did not contain valid UTF-8"
            ),
        ),
        (
            "/dev/zero",
            "the policy `/dev/zero` is neither a file nor a directory".to_owned(),
        ),
        (
            "[.yaml",
            format!("`{shown}/[.yaml` is not a path or glob: invalid range pattern"),
        ),
    ];
    for (name, expected) in rows {
        assert_eq!(read(&path.join(name)).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_broken_policy_changes_nothing_and_is_told_until_it_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "p.yaml", &rule("first"));
    let path = directory.path().join("p.yaml");
    let store = PolicyStore::open(path.clone(), context(), at(1)).unwrap();
    let first = store.snapshot();
    let good = ReloadStatus {
        revision: Arc::clone(first.revision()),
        applied: at(1),
        successes: 1,
        failures: 0,
        failing: None,
    };
    assert_eq!(store.status(), good);

    write(&directory, "p.yaml", "rules: [{id: first}]\n");
    assert!(store.reload(at(2)).is_err());
    write(&directory, "p.yaml", "rules: [{id: first, efect: deny}]\n");
    let error = store.reload(at(3)).unwrap_err();
    assert_eq!(error.to_string(), "the policy has 2 errors");
    let shown = path.display();
    let lines = vec![
        format!("{shown}:1:9: error: `effect` is missing"),
        format!("{shown}:1:21: error: unknown key `efect` (did you mean `effect`?)"),
    ];
    let failing = Some(Failing {
        since: at(2),
        lines,
    });
    let broken = ReloadStatus {
        failures: 2,
        failing,
        ..good.clone()
    };
    assert_eq!(store.status(), broken);
    assert!(Arc::ptr_eq(&first, &store.snapshot()));

    write(&directory, "p.yaml", &rule("second"));
    store.reload(at(4)).unwrap();
    let status = store.status();
    assert_ne!(status.revision, good.revision);
    let mended = ReloadStatus {
        revision: Arc::clone(store.snapshot().revision()),
        applied: at(4),
        successes: 2,
        failures: 2,
        failing: None,
    };
    assert_eq!(status, mended);
}

#[test]
fn a_thousand_findings_are_not_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "- {id: r, effect: deny}\n".repeat(1000);
    write(&directory, "p.yaml", &format!("rules:\n{rules}"));
    let path = directory.path().join("p.yaml");
    let context = CompileContext {
        rules_max: 10_000,
        ..context()
    };
    let error = PolicyStore::open(path, context, at(1)).unwrap_err();
    let lines = error.lines();
    assert_eq!(lines.len(), 101);
    assert!(lines[100].starts_with("and "), "{}", lines[100]);
}

#[test]
fn a_policy_that_does_not_say_whose_names_it_means_is_not_taken_where_it_has_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    let issuers = |are_strict| Issuers {
        names: vec!["https://a.test".to_owned(), "https://b.test".to_owned()],
        of_servers: [(
            "notes".to_owned(),
            vec!["https://a.test".to_owned(), "https://b.test".to_owned()],
        )]
        .into(),
        are_strict,
    };
    let context = |are_strict| CompileContext {
        issuers: Arc::new(issuers(are_strict)),
        ..context()
    };
    let allow = |who: &str| {
        let rule = format!("{{id: r, effect: allow, who: {{{who}}}, what: {{servers: [notes]}}}}");
        write(&directory, "policy.yaml", &format!("rules: [{rule}]\n"));
    };
    allow("groups: [g]");
    assert!(PolicyStore::open(path.clone(), context(false), at(1)).is_ok());
    let refused = PolicyStore::open(path.clone(), context(true), at(1)).unwrap_err();
    assert!(refused.lines()[0].contains("any issuer that `notes` takes"));
    allow("groups: [g], issuers: ['https://a.test']");
    let store = PolicyStore::open(path, context(true), at(1)).unwrap();
    let revision = Arc::clone(store.snapshot().revision());
    allow("groups: [g]");
    assert!(store.reload(at(2)).is_err());
    assert_eq!(*store.snapshot().revision(), revision, "the good one stays");
    assert!(store.status().failing.is_some());
}
