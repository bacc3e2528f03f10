//! The table of metrics in `src/audit/README.md` against what `/metrics` says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mcp_authz::telemetry::metrics::{
    BoundBy, DecisionKind, ItemFate, KeyTotals, Metrics, PolicyTotals, RehearsalKind, Stage,
    ToolEvent,
};

use super::source::{code, files, text};

/// Name with labels, type and help of a metric.
type Row = (String, String, String);

#[test]
fn the_table_of_metrics_has_each_with_its_type_labels_and_help() {
    let shown = shown(&every_metric());
    assert_eq!(documented(), shown);
    // Each metric that is registered is among them.
    let mut registered = 0;
    for path in files("src/telemetry/metrics", "rs") {
        let code = code(&path);
        registered += code.matches("to.register(").count();
        registered += code.matches("to.register_with_unit(").count();
    }
    // The running version is registered with the registry.
    assert_eq!(shown.len(), registered + 1);
}

/// The rows of the table.
fn documented() -> BTreeSet<Row> {
    let readme = text("src/audit/README.md");
    let (_, table) = readme
        .split_once("| metric | type | help | more |")
        .unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().skip(2).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        (name, cells[1].to_owned(), cells[2].to_owned())
    });
    rows.collect()
}

/// The same from the text for Prometheus.
fn shown(metrics: &Metrics) -> BTreeSet<Row> {
    let text = metrics.text();
    let mut types = BTreeMap::new();
    let mut rows = BTreeSet::new();
    let mut last = ("", "");
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, help] => last = (name, help.trim_end_matches('.')),
            ["#", "TYPE", name, kind] => drop(types.insert(name.to_owned(), kind.to_owned())),
            ["#", ..] => {}
            _ => {
                let (name, help) = last;
                let kind = types[name];
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    _ => "",
                };
                let labels = labels(line);
                rows.insert((
                    format!("{name}{suffix}{labels}"),
                    kind.to_owned(),
                    help.to_owned(),
                ));
            }
        }
    }
    rows
}

/// The names of a sample's labels, in braces.
fn labels(sample: &str) -> String {
    let Some((_, labels)) = sample.split_once('{') else {
        return String::new();
    };
    let (labels, _) = labels.rsplit_once('}').unwrap();
    let names = labels
        .split("\",")
        .map(|label| label.split('=').next().unwrap());
    // Of a histogram, the bound of a bucket is no label of ours.
    let names: Vec<&str> = names.filter(|name| *name != "le").collect();
    if names.is_empty() {
        return String::new();
    }
    format!("{{{}}}", names.join(","))
}

/// Metrics of which each has a sample.
fn every_metric() -> Metrics {
    let metrics = Metrics::new();
    let checks = &metrics.checks;
    checks.record_decision("s", DecisionKind::Deny, "denied_by_rule");
    checks.record_difference(RehearsalKind::Shadow, "s", "allowed", "rate_limited");
    checks.record_shadow_rule("r");
    checks.record_stage(Stage::Total, Duration::from_micros(30));
    metrics
        .sessions
        .record_binding("s", "session", BoundBy::Issued);
    metrics.sessions.record_resumption_ignored("s");
    metrics.sessions.record_ids_forgotten(1);
    metrics.lists.record_tool("s", ToolEvent::Changed);
    metrics
        .lists
        .record_items("s", "tools", ItemFate::Visible, 1);
    metrics.lists.record_refusal("s", "encoded");
    metrics.lists.set_snapshot_failing("s", true);
    metrics.handoff.record_answer_expected();
    metrics.handoff.record_answer_begun();
    metrics.handoff.record_refusal("forged");
    metrics.handoff.set_keys(1, 1, true);
    metrics.policy.set(&PolicyTotals {
        successes: 1,
        failures: 1,
        applied_unix_seconds: 1,
        rules: 1,
        failing: true,
    });
    let keys = KeyTotals {
        successes: 1,
        failures: 1,
        age: Some(Duration::from_secs(1)),
        usable: true,
    };
    metrics.keys.set("https://idp.test", &keys);
    metrics.keys.set_tokens_cached(1);
    metrics.state.set_keys("counter", 1);
    metrics.state.set_forgotten("window", 1);
    metrics.state.set_first_use_ended("session", true);
    metrics.audit.set_lost(1);
    metrics.files.set_failing("tls", true);
    metrics.notices.set("server_by_host", 1);
    metrics
}
