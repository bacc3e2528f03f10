//! A table file as written, read with the service's own YAML reader.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::response::Returned;
use crate::harness::{files, read_yaml};

/// The folders of tables.
const FOLDERS: [&str; 2] = ["decisions", "providers"];

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(skip)]
    pub(super) file: String,
    /// Where it is in `tests/data`.
    #[serde(skip)]
    pub(super) folder: &'static str,
    /// What the table is about, for the reader.
    #[serde(rename = "about")]
    _about: String,
    /// The text of `mcp-authz.yaml`; what a recipe leaves to be said, if there is one.
    #[serde(default)]
    pub(super) config: String,
    /// The heading of a recipe in `src/config/providers.md`, whose `issuers` and `servers` it has.
    pub(super) recipe: Option<String>,
    /// The key that the issuers of the recipe sign with.
    #[serde(default = "rs256")]
    pub(super) key: String,
    /// What they say of it besides what it is.
    #[serde(default)]
    pub(super) jwk: Map<String, Value>,
    /// The other keys in their set.
    #[serde(default)]
    pub(super) more_keys: Vec<Value>,
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
    #[serde(skip)]
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

/// What runs alone: one request or several, of which each may depend on those before it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// A row as written that has steps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sequence {
    name: String,
    /// Put over the table's request, and under that of each step.
    #[serde(default)]
    request: Value,
    steps: Vec<Step>,
}

/// One request and what it comes to; a row without steps is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) name: String,
    /// By server: tools that pass by in a list before the request.
    #[serde(default)]
    pub(super) listed: BTreeMap<String, Vec<Value>>,
    /// What the audit says of them, in its order.
    #[serde(default)]
    pub(super) noticed: Vec<Value>,
    /// The step's own part; after reading, the whole request.
    #[serde(default)]
    pub(super) request: Value,
    pub(super) expect: Expect,
    /// The response of the upstream, and what becomes of it.
    pub(super) response: Option<Returned>,
}

/// What a request must come to. What is left out is not compared, beyond what holds for every row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) decision: String,
    pub(super) reason: String,
    /// The status of the reply; left out where there is none.
    pub(super) status: Option<u16>,
    /// The rule that Envoy's metadata names.
    pub(super) rule: Option<String>,
    /// Headers of the reply; `null` where one must be absent.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    /// A part of the reply's JSON; `null` where a member must be absent.
    pub(super) body: Option<Value>,
    /// The whole body.
    pub(super) text: Option<String>,
    /// The id of the reply as JSON text, or those of a batch.
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

fn rs256() -> String {
    "rs256".to_owned()
}

impl Table {
    /// Every table, by the name of its file.
    pub(super) fn all() -> Vec<Table> {
        let folders = FOLDERS.into_iter();
        let files = folders.flat_map(|folder| files(folder, "yaml"));
        files.map(|file| Table::read(&file)).collect()
    }

    /// The table of that name.
    pub(super) fn named(file: &str) -> Table {
        Table::read(&Path::new("decisions").join(file))
    }

    fn read(path: &Path) -> Table {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = FOLDERS.into_iter().find(|folder| path.starts_with(folder));
        let mut written = read_yaml(path);
        let rows = written.as_object_mut().unwrap().remove("rows");
        let mut table: Table =
            serde_json::from_value(written).unwrap_or_else(|error| panic!("{file}: {error}"));
        let rows = rows.as_ref().and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            let read = Row::read(row, &table.request);
            let row = read.unwrap_or_else(|error| panic!("{file}: {}: {error}", row["name"]));
            table.rows.push(row);
        }
        table.file = file;
        table.folder = folder.unwrap();
        table
    }
}

impl Row {
    fn read(row: &Value, request: &Value) -> Result<Row, serde_json::Error> {
        let mut sequence = if row.get("steps").is_some() {
            Sequence::deserialize(row)?
        } else {
            let step = Step::deserialize(row)?;
            Sequence {
                name: step.name.clone(),
                request: Value::Null,
                steps: vec![step],
            }
        };
        let mut names = BTreeSet::new();
        for step in &mut sequence.steps {
            let is_new = names.insert(step.name.clone());
            assert!(is_new, "{}: `{}` twice", sequence.name, step.name);
            let mut whole = request.clone();
            overlay(&mut whole, &sequence.request);
            overlay(&mut whole, &step.request);
            step.request = whole;
        }
        assert!(!names.is_empty(), "{}: no steps", sequence.name);
        Ok(Row {
            name: sequence.name,
            steps: sequence.steps,
        })
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

/// The ways to write a body.
pub(super) const BODIES: [&str; 5] = ["call", "notify", "body", "raw", "hex"];
