use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::policy::files::{Owner, read_files};
use crate::policy::{Issuers, read};
use crate::yaml::Source;

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
    // Files that editors leave behind.
    for name in ["a.yml~", ".a.yml.swp", "4913", "#a.yml#"] {
        write(&directory, name, "nonsense");
    }
    std::os::unix::fs::symlink("user@host.1", directory.path().join(".#a.yml")).unwrap();
    let nested = directory.path().join("nested");
    std::fs::create_dir_all(nested.join("deeper/.git")).unwrap();
    for name in [
        "nested/c.yaml",
        "nested/deeper/d.yaml",
        "nested/deeper/.git/e.yaml",
    ] {
        write(&directory, name, &rule("r"));
    }
    let path = directory.path();
    assert_eq!(names(&path.join("*/c.yaml")), ["c.yaml"]);
    assert_eq!(
        names(&path.join("nested/*")),
        ["c.yaml"],
        "a directory is none"
    );
    assert_eq!(
        names(&path.join("**/*.yaml")),
        ["b.yaml", "c.yaml", "d.yaml"]
    );
    assert_eq!(names(&path.join("n*/**/*.yaml")), ["c.yaml", "d.yaml"]);
    assert_eq!(names(&path.join("./**/**/d.yaml")), ["d.yaml"]);
    assert_eq!(names(&path.join("notes.txt")), ["notes.txt"]);
    assert_eq!(names(path), ["a.yml", "b.yaml"]);
    assert_eq!(names(&path.join("*.y*ml")), ["a.yml", "b.yaml"]);
    assert_eq!(names(&path.join("?.yaml")), ["b.yaml"]);
}

#[test]
fn unreadable_policies_are_reported_in_one_line() {
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
        (
            "empty",
            format!(
                "no policy file at `{shown}/empty`: directories of a directory are not searched, \
                 which `{shown}/empty/**/*.yaml` does"
            ),
        ),
        ("*.yml", format!("no policy file at `{shown}/*.yml`")),
        (
            "latin1.yaml",
            format!("cannot read the policy `{shown}/latin1.yaml`: it is not UTF-8"),
        ),
        (
            "/dev/zero",
            "cannot read the policy `/dev/zero`: it is a device, not a regular file".to_owned(),
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

/// Ways in which a path that is named like a file is unreadable.
fn spoil(path: &Path, how: &str) {
    use std::os::unix::fs::symlink;
    match how {
        "a link to nothing" => symlink("gone", path).unwrap(),
        "symbolic links" => symlink(path.file_name().unwrap(), path).unwrap(),
        "a pipe" => {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }
        "a socket" => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        "a device" => symlink("/dev/zero", path).unwrap(),
        "a directory" => std::fs::create_dir(path).unwrap(),
        other => panic!("{other}"),
    }
}

const SPOILT: [&str; 6] = [
    "a link to nothing",
    "symbolic links",
    "a pipe",
    "a socket",
    "a device",
    "a directory",
];

/// A rule that is not read could be a deny.
#[test]
fn an_unreadable_path_named_like_a_policy_or_test_is_an_error() {
    for how in SPOILT {
        for name in ["deny.yaml", "deny.yml", "a_test.yaml", "a_test.yml"] {
            let directory = tempfile::tempdir().unwrap();
            write(&directory, "a.yaml", &rule("r"));
            let path = directory.path();
            spoil(&path.join(name), how);
            let is_test = name.starts_with("a_test");
            let mut places = vec![path.to_owned(), path.join("*.y*ml"), path.join("**/*.y*ml")];
            if is_test {
                places.push(path.join("a.yaml"));
            } else {
                places.extend([path.join("deny.*"), path.join("[a-d]*.y*ml")]);
            }
            for place in places {
                let error = read_files(Owner::Operator, &place).unwrap_err().to_string();
                let told = error.contains(how) && error.contains(name);
                assert!(told, "{how}, {name}, {}: {error}", place.display());
                // An unreadable test does not affect the policy itself, but an entry that `**`
                // cannot inspect could be a directory.
                if !place.ends_with("**/*.y*ml") {
                    assert_eq!(read(&place).is_ok(), is_test, "{how}, {name}");
                }
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("only.yaml");
        spoil(&path, how);
        if how == "a directory" {
            assert!(matches!(
                read(&path),
                Err(ReadPolicyError::EmptyDirectory(_))
            ));
        } else {
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(how), "{error}");
        }
    }
}

/// An unreadable path that leads to files could lead to a deny rule.
#[test]
fn a_glob_that_cannot_be_traversed_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::create_dir(path.join("good")).unwrap();
    write(&directory, "good/a.yaml", &rule("r"));
    write(&directory, "README", "a file on the way");
    for place in ["*/*.yaml", "**/*.yaml", "*/a.yaml"] {
        assert_eq!(names(&path.join(place)), ["a.yaml"], "{place}");
    }
    std::os::unix::fs::symlink("gone", path.join("broken")).unwrap();
    for place in [
        "*/*.yaml",
        "**/*.yaml",
        "*/a.yaml",
        "broken/*.yaml",
        "b*/a.yaml",
    ] {
        let error = read(&path.join(place)).unwrap_err().to_string();
        assert!(
            error.contains("broken`: it is a link to nothing"),
            "{place}: {error}"
        );
    }
    assert_eq!(names(&path.join("good/*.yaml")), ["a.yaml"]);
    // A link that leads back up is not followed for ever.
    std::fs::remove_file(path.join("broken")).unwrap();
    std::os::unix::fs::symlink(".", path.join("again")).unwrap();
    assert!(read(&path.join("**/*.yaml")).is_err());
}

/// A name that is not UTF-8 is still a name.
#[test]
fn a_glob_omits_no_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"deny-\xff.yaml");
    std::fs::write(directory.path().join(name), rule("r")).unwrap();
    assert_eq!(read(&directory.path().join("*.yaml")).unwrap().len(), 1);
    assert_eq!(read(directory.path()).unwrap().len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_policy_in_force() {
    for how in SPOILT {
        let directory = tempfile::tempdir().unwrap();
        write(&directory, "a.yaml", &rule("first"));
        write(&directory, "deny.yaml", &rule("second"));
        let path = directory.path().to_owned();
        let store = PolicyStore::open(path.clone(), context(), at(1)).unwrap();
        let spoilt = path.join("deny.yaml");
        std::fs::remove_file(&spoilt).unwrap();
        spoil(&spoilt, how);
        assert!(store.reload(at(2)).is_err(), "{how}");
        assert_eq!(store.snapshot().rules().len(), 2);
        let failing = store.status().failing.unwrap();
        assert!(failing.lines[0].contains(how), "{failing:?}");
        assert!(PolicyStore::open(path.clone(), context(), at(3)).is_err());
        // A file with the name repairs it, and so does removing the name.
        if how == "a directory" {
            std::fs::remove_dir(&spoilt).unwrap();
        } else {
            std::fs::remove_file(&spoilt).unwrap();
        }
        store.reload(at(4)).unwrap();
        assert_eq!(store.status().failing, None);
        assert_eq!(store.snapshot().rules().len(), 1);
    }
}

#[test]
fn a_broken_policy_changes_nothing_and_is_reported_until_it_is_repaired() {
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
        teams: Vec::new(),
        last_good: LastGoodStatus::default(),
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
    let failing = Some(FailingPolicy {
        since: at(3),
        lines,
    });
    let broken = ReloadStatus {
        failures: 2,
        failing,
        ..good.clone()
    };
    assert_eq!(
        store.status(),
        broken,
        "another fault is not as old as the first"
    );
    store.reload(at(4)).unwrap_err();
    assert_eq!(
        store.status().failing.unwrap().since,
        at(3),
        "the same fault"
    );
    assert!(Arc::ptr_eq(&first, &store.snapshot()));

    write(&directory, "p.yaml", &rule("second"));
    store.reload(at(4)).unwrap();
    let status = store.status();
    assert_ne!(status.revision, good.revision);
    let mended = ReloadStatus {
        revision: Arc::clone(store.snapshot().revision()),
        applied: at(4),
        successes: 2,
        failures: 3,
        failing: None,
        teams: Vec::new(),
        last_good: LastGoodStatus::default(),
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
fn a_policy_that_must_name_its_issuers_and_does_not_is_refused() {
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
        ..Issuers::default()
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
    assert!(refused.lines()[0].contains("any issuer that `notes` accepts"));
    allow("groups: [g], issuers: ['https://a.test']");
    let store = PolicyStore::open(path, context(true), at(1)).unwrap();
    let revision = Arc::clone(store.snapshot().revision());
    allow("groups: [g]");
    assert!(store.reload(at(2)).is_err());
    assert_eq!(*store.snapshot().revision(), revision, "the good one stays");
    assert!(store.status().failing.is_some());
}
