//! What mcp-authz recorded about a request, read from its standard output in a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

/// How long a record may lag behind the answer that it is about.
const LAG: Duration = Duration::from_millis(1500);

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The audit file, and how much of it belongs to earlier rows.
pub(crate) struct AuditLog {
    path: PathBuf,
    read: usize,
}

/// A decision and its reason; empty where nothing says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) decision: String,
    pub(crate) reason: String,
}

impl AuditLog {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            read: 0,
        }
    }

    /// Forgets what has been recorded so far; the next record is about what comes now.
    pub(crate) fn mark(&mut self) {
        self.read = self.text().len();
    }

    /// The record since the mark that is about `method` and `name`, either of which may be empty
    /// for any, waited for if need be. Where there is none the answer's own words count.
    pub(crate) async fn judgement(&self, method: &str, name: &str, answer: &Value) -> Judgement {
        let deadline = Instant::now() + LAG;
        loop {
            if let Some(record) = self.record(method, name) {
                return judged(&record);
            }
            if Instant::now() >= deadline {
                return judged(answer);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn text(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap_or_default()
    }

    /// The last record since the mark that mentions each word. Other requests of the same client,
    /// such as its GET stream, are recorded in between.
    fn record(&self, method: &str, name: &str) -> Option<Value> {
        let text = self.text();
        let lines = text
            .get(self.read..)?
            .split_inclusive(|byte| *byte == b'\n');
        let complete = lines.filter(|line| line.ends_with(b"\n"));
        let mut records = complete.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let about = |record: &Value| {
            find(record, "decision").is_some()
                && [method, name]
                    .iter()
                    .all(|word| word.is_empty() || mentions(record, word))
        };
        records.rfind(about)
    }
}

/// The one place that knows the names: in a record, in a JSON-RPC error's data and in a result's
/// `_meta` alike.
fn judged(value: &Value) -> Judgement {
    let text = |name| {
        find(value, name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Judgement {
        decision: text("decision"),
        reason: text("reason"),
    }
}

/// The first member called `name`, with any prefix ending in `.` or `/`, at any depth.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => {
            let direct = members
                .iter()
                .find(|(key, _)| key.rsplit(['.', '/']).next() == Some(name));
            direct
                .map(|(_, member)| member)
                .or_else(|| members.values().find_map(|member| find(member, name)))
        }
        Value::Array(elements) => elements.iter().find_map(|element| find(element, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether some string in `value` is exactly `word`.
fn mentions(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Object(members) => members.values().any(|member| mentions(member, word)),
        Value::Array(elements) => elements.iter().any(|element| mentions(element, word)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
