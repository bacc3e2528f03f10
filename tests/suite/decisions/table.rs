//! A table file as written, read with the service's own YAML reader.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mcp_authz::yaml::{self, Data, Findings, Node, Source};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Returned;

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(skip)]
    pub(super) file: String,
    /// What the table is about, for the reader.
    #[serde(rename = "about")]
    _about: String,
    /// The text of `mcp-authz.yaml`.
    pub(super) config: String,
    /// The text of `policy.yaml`.
    pub(super) policy: String,
    /// The text of `candidate.yaml`.
    pub(super) candidate: Option<String>,
    /// The text of `tools.json`.
    pub(super) tools: Option<String>,
    /// Whether what is remembered between requests cannot be reached.
    #[serde(default)]
    pub(super) state_is_away: bool,
    /// What servers have issued before the first row.
    #[serde(default)]
    pub(super) issued: Vec<Issued>,
    /// What every request of the table has unless its row says otherwise.
    #[serde(default)]
    request: Value,
    pub(super) rows: Vec<Row>,
}

/// A session or a task that was issued to a subject of `es256`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issued {
    pub(super) server: String,
    pub(super) session: Option<String>,
    pub(super) task: Option<String>,
    pub(super) subject: String,
}

/// One request and what it comes to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    /// By server: tools that pass by in a list before the request.
    #[serde(default)]
    pub(super) listed: BTreeMap<String, Vec<Value>>,
    /// What the audit says of them, in its order.
    #[serde(default)]
    pub(super) noticed: Vec<Value>,
    /// The row's own part; after reading, the whole request.
    #[serde(default)]
    pub(super) request: Value,
    pub(super) expect: Expect,
    /// What the upstream answers, and what becomes of that.
    pub(super) answer: Option<Returned>,
}

/// What a row must come to. What is left out is not compared, beyond what holds for every row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) decision: String,
    pub(super) reason: String,
    /// The status of the answer; left out where there is none.
    pub(super) status: Option<u16>,
    /// The rule that Envoy's metadata names.
    pub(super) rule: Option<String>,
    /// Headers of the answer; `null` where one must be absent.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    /// A part of the answer's JSON; `null` where a member must be absent.
    pub(super) body: Option<Value>,
    /// The whole body.
    pub(super) text: Option<String>,
    /// The id of the answer as JSON text, or those of a batch.
    pub(super) id: Option<Ids>,
    #[serde(default)]
    pub(super) upstream: Upstream,
    /// A part of the audit record.
    pub(super) audit: Option<Value>,
    /// A part of Envoy's dynamic metadata.
    pub(super) metadata: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Ids {
    One(String),
    Batch(Vec<String>),
}

/// Header changes for the upstream.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    /// Headers that are set; `null` where one must not be.
    #[serde(default)]
    pub(super) set: BTreeMap<String, Option<String>>,
    /// All headers that are removed, in any order.
    pub(super) removed: Option<BTreeSet<String>>,
}

impl Table {
    /// Every table, by the name of its file.
    pub(super) fn all() -> Vec<Table> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/decisions");
        let mut paths: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
            .collect();
        paths.sort();
        assert!(!paths.is_empty());
        paths.iter().map(|path| Table::read(path)).collect()
    }

    /// The table of that name.
    pub(super) fn named(file: &str) -> Table {
        let mut tables = Table::all();
        tables.retain(|table| table.file == file);
        tables.pop().unwrap()
    }

    fn read(path: &Path) -> Table {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut table: Table = serde_json::from_value(read_yaml(path))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        table.file = file;
        let mut names = BTreeSet::new();
        for row in &mut table.rows {
            assert!(
                names.insert(row.name.clone()),
                "{}: `{}` twice",
                table.file,
                row.name
            );
            let mut request = table.request.clone();
            overlay(&mut request, &row.request);
            row.request = request;
        }
        table
    }
}

/// Puts a row's request over the table's. Members of `token` and `envoy` are put over each other
/// one by one, and so are claims; anything else replaces what was there. A body in whatever form
/// replaces the body.
fn overlay(request: &mut Value, row: &Value) {
    let Value::Object(row) = row else { return };
    if !request.is_object() {
        *request = Value::Object(Map::new());
    }
    let request = request.as_object_mut().unwrap();
    if BODIES.iter().any(|form| row.contains_key(*form)) {
        request.retain(|key, _| !BODIES.contains(&key.as_str()));
    }
    if row.contains_key("authorization") {
        request.remove("token");
    }
    for (key, value) in row {
        match request.get_mut(key) {
            Some(old) if old.is_object() && !BODIES.contains(&key.as_str()) => deepen(old, value),
            Some(_) | None => {
                request.insert(key.clone(), value.clone());
            }
        }
    }
}

fn deepen(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                deepen(old.entry(key).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new.clone(),
    }
}

/// Reads a YAML file with the service's own reader.
pub(crate) fn read_yaml(path: &Path) -> Value {
    let mut findings = Findings::new();
    let source = findings.add_source(Source {
        name: path.display().to_string(),
        text: std::fs::read_to_string(path).unwrap(),
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

/// The ways to write a body.
pub(super) const BODIES: [&str; 5] = ["call", "notify", "body", "raw", "hex"];
