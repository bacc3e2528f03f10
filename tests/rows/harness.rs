//! From tables to tests with names, and what every table must be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use mcp_authz::yaml::{self, Data, Findings, Node, Source};
use serde_json::Value;

/// What `tests/suite` or the unit tests read, by its name in `tests/data`.
const READ_ELSEWHERE: [&str; 5] = ["checks", "cli", "configs", "countries.mmdb", "envoy-shapes"];

/// The least number of rows, by the place of their tables, so that rows that are not found any more
/// are missed.
const LEAST: [(&str, usize); 7] = [
    ("configs-invalid", 12),
    ("decisions", 950),
    ("envoy-mistakes.yaml", 160),
    ("honest", 115),
    ("policies-invalid", 17),
    ("policies-suspect", 150),
    ("providers", 60),
];

/// Runs a row and says what is not as written, one line or more for each fault.
pub(crate) type Run = Box<dyn FnOnce() -> Vec<String> + Send>;

/// One file of rows.
pub(crate) struct Table {
    /// Below `tests/data`.
    pub(crate) file: PathBuf,
    pub(crate) rows: Vec<(String, Run)>,
}

/// A test that is no row: its name, and the function that panics where it fails.
pub(crate) type Test = (String, fn());

/// The tests of a module, named after their functions.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        [$((concat!(module_path!(), "::", stringify!($name)), $name as fn())),+]
            .map(|(name, test)| (name.trim_start_matches("rows::").to_owned(), test))
    };
}
pub(crate) use tests;

/// The folder of all tables.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The files of a folder of `tests/data` whose names end so, below `tests/data`, in order.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data().join(folder))
        .unwrap()
        .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Every row of the tables as a test, the tests beside them, and those of the tables themselves.
pub(crate) fn trials(tables: Vec<Table>, tests: Vec<Test>) -> Vec<Trial> {
    let mut faults = faults(&tables);
    faults.extend(lost(&tables));
    let mut trials = Vec::new();
    for Table { file, rows } in tables {
        let table = file.with_extension("");
        let table = table.to_str().unwrap().replace('/', "::");
        trials.extend(rows.into_iter().map(|(row, run)| {
            Trial::test(format!("{table}::{row}"), move || {
                let faults = run();
                if faults.is_empty() {
                    return Ok(());
                }
                Err(faults.join("\n").into())
            })
        }));
    }
    let example = trials.first().map(|trial| trial.name().to_owned());
    trials.push(Trial::test("tables_are_well_formed", move || {
        assert!(faults.is_empty(), "{faults:#?}");
        Ok(())
    }));
    trials.push(Trial::test("one_row_runs_alone", move || {
        one_row_runs_alone(&example.unwrap());
        Ok(())
    }));
    let own = tests![a_table_that_is_not_well_formed_is_found];
    for (name, test) in tests.into_iter().chain(own) {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    trials.sort_by(|one, other| one.name().cmp(other.name()));
    trials
}

/// Places with fewer rows than there were.
fn lost(tables: &[Table]) -> Vec<String> {
    let rows_at = |place: &str| -> usize {
        let own = tables.iter().filter(|table| table.file.starts_with(place));
        own.map(|table| table.rows.len()).sum()
    };
    let places = LEAST
        .iter()
        .filter(|(place, least)| rows_at(place) < *least);
    places
        .map(|(place, least)| format!("{place} has {} of {least} rows", rows_at(place)))
        .collect()
}

/// Files without rows, rows without a name of their own, and files that nobody reads.
fn faults(tables: &[Table]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut read = BTreeSet::new();
    for Table { file, rows } in tables {
        read.insert(file.clone());
        if rows.is_empty() {
            faults.push(format!("{} has no rows", file.display()));
        }
        let mut names = BTreeSet::new();
        for (name, _) in rows {
            if name.trim().is_empty() || name.contains("::") || !names.insert(name) {
                let file = file.display();
                faults.push(format!("{file}: `{name}` is not a name of one row"));
            }
        }
    }
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(data().join(&folder)).unwrap() {
            let file = folder.join(entry.unwrap().file_name());
            if READ_ELSEWHERE.iter().any(|other| Path::new(other) == file)
                || file.ends_with("README.md")
                || read.contains(&file)
                // What a table expects of a file stands beside it.
                || (file.extension().is_some_and(|kind| kind == "txt")
                    && read.contains(&file.with_extension("yaml")))
            {
                continue;
            }
            if data().join(&file).is_dir() {
                open.push(file);
            } else {
                faults.push(format!("{} is read by no test", file.display()));
            }
        }
    }
    faults
}

fn one_row_runs_alone(name: &str) {
    let run = |arguments: &[&str]| {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let ran = run(&["--exact", name]);
    assert!(ran.contains("1 passed; 0 failed; 0 ignored;"), "{ran}");
    let ran = run(&["--exact", name, "--skip", name, "--nocapture"]);
    assert!(ran.contains("0 passed; 0 failed; 0 ignored;"), "{ran}");
    let listed = run(&["--list"]);
    let line = format!("{name}: test");
    assert_eq!(listed.lines().filter(|found| *found == line).count(), 1);
}

fn a_table_that_is_not_well_formed_is_found() {
    let table = |file: &str, rows: &[&str]| {
        let run = || -> Run { Box::new(Vec::new) };
        let rows = rows.iter().map(|row| ((*row).to_owned(), run()));
        Table {
            file: file.into(),
            rows: rows.collect(),
        }
    };
    let whole = || {
        let folders = ["decisions", "providers", "honest/arguments", "honest", ""];
        let folders = folders.into_iter().chain(crate::invalid::FOLDERS);
        let folders = folders.chain([crate::suspect::FOLDER]);
        let files = folders.flat_map(|folder| files(folder, "yaml"));
        files.map(|file| table(file.to_str().unwrap(), &["a"]))
    };
    let one_each: Vec<Table> = whole().collect();
    assert_eq!(faults(&one_each), [""; 0]);
    assert!(lost(&one_each).contains(&"envoy-mistakes.yaml has 1 of 160 rows".to_owned()));
    let unread: Vec<Table> = whole()
        .filter(|table| !table.file.ends_with("lists.yaml"))
        .collect();
    assert_eq!(faults(&unread), ["decisions/lists.yaml is read by no test"]);
    for (rows, fault) in [
        (&[][..], "x.yaml has no rows"),
        (&["a", "b", "a"], "x.yaml: `a` is not a name of one row"),
        (&["a", " "], "x.yaml: ` ` is not a name of one row"),
        (&["a::b"], "x.yaml: `a::b` is not a name of one row"),
    ] {
        let tables: Vec<Table> = whole().chain([table("x.yaml", rows)]).collect();
        assert_eq!(faults(&tables), [fault]);
    }
}

/// Reads a YAML file of `tests/data` with the service's own reader.
pub(crate) fn read_yaml(file: &Path) -> Value {
    let mut findings = Findings::new();
    let source = findings.add_source(Source {
        name: file.display().to_string(),
        text: std::fs::read_to_string(data().join(file)).unwrap(),
    });
    let root = yaml::parse(source, &mut findings);
    assert!(!findings.has_errors(), "{}", findings.render(false));
    value(&root.unwrap())
}

fn value(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(truth) => (*truth).into(),
        Data::Int(number) => (*number).into(),
        Data::Float(number) => (*number).into(),
        Data::String(text) => text.clone().into(),
        Data::List(items) => items.iter().map(value).collect(),
        Data::Map(members) => members
            .iter()
            .map(|(key, member)| (key.as_str().unwrap().to_owned(), value(member)))
            .collect(),
    }
}
