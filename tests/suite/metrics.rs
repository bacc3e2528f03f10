//! The table of metrics in src/telemetry/README.md, held against what `/metrics` gives.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use mcp_authz::telemetry::metrics::{
    BoundBy, ConfigTotals, DecisionKind, ItemFate, KeyTotals, Metrics, PolicyTotals, RehearsalKind,
    Stage, ToolEvent,
};

use super::source::{code, files, root, text};

const README: &str = "src/telemetry/README.md";
const HEAD: &str = "| metric | type | meaning |\n|---|---|---|\n";

/// Every metric with one series at least: one without any is not encoded.
fn moved() -> Metrics {
    let metrics = Metrics::new();
    let Metrics {
        checks,
        sessions,
        lists,
        handoff,
        config,
        policy,
        keys,
        state,
        audit,
        traces,
        connections,
        files,
        notices,
        ..
    } = &metrics;
    checks.record_decision("s", DecisionKind::Allow, "allowed");
    checks.record_difference(RehearsalKind::Shadow, "s", "allowed", "denied");
    checks.record_shadow_rule("r");
    checks.record_stage(Stage::Total, Duration::from_micros(1));
    sessions.record_binding("s", "session", BoundBy::Issued);
    sessions.record_resumption_ignored("s");
    sessions.record_ids_forgotten(1);
    lists.record_tool("s", ToolEvent::Changed);
    lists.record_items("s", "tools", ItemFate::Visible, 1);
    lists.record_refusal("s", "encoded");
    lists.set_snapshot_failing("s", true);
    traces.set_lost(1);
    connections.set_handshakes_failed("not_tls", 1);
    handoff.record_response_expected();
    handoff.record_response_begun();
    handoff.record_refusal("forged");
    handoff.set_keys(1, 1, true);
    config.set(&ConfigTotals {
        successes: 1,
        failures: 1,
        applied_unix_seconds: 1,
        failing: true,
        restart_required: 1,
    });
    policy.set(&PolicyTotals {
        successes: 1,
        failures: 1,
        applied_unix_seconds: 1,
        rules: 1,
        failing: true,
    });
    policy.set_team("t", true, true);
    policy.set_last_good(true, true);
    keys.set(
        "i",
        &KeyTotals {
            successes: 1,
            failures: 1,
            age: Some(Duration::from_secs(1)),
            usable: true,
        },
    );
    keys.set_tokens_cached(1);
    state.set_keys("counter", 1);
    state.set_forgotten("limit", 1);
    state.set_first_use_ended("session", true);
    audit.set_lost(1);
    files.set_failing("tls", true);
    notices.set("context_forged", 1);
    metrics
}

/// The labels of the first series of a metric.
fn labels(encoded: &str, sample: &str) -> String {
    let series = encoded.lines().find_map(|line| {
        let rest = line.strip_prefix(sample)?;
        rest.starts_with(['{', ' ']).then_some(rest)
    });
    let series = series.unwrap_or_else(|| panic!("no series of {sample}"));
    let Some((pairs, _)) = series
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
    else {
        return String::new();
    };
    let names = pairs.split(',').map(|pair| pair.split_once('=').unwrap().0);
    let names: Vec<&str> = names.filter(|name| *name != "le").collect();
    if names.is_empty() {
        return String::new();
    }
    format!("{{{}}}", names.join(","))
}

/// The table as the process would write it.
fn table() -> (usize, String) {
    let encoded = moved().text();
    let mut help = BTreeMap::new();
    let mut rows = String::from(HEAD);
    let mut count = 0;
    for line in encoded.lines() {
        if let Some((name, text)) = line
            .strip_prefix("# HELP ")
            .and_then(|of| of.split_once(' '))
        {
            help.insert(name, text.trim_end_matches('.'));
        }
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|of| of.split_once(' '))
        else {
            continue;
        };
        let (suffix, sample) = match kind {
            "counter" => ("_total", "_total"),
            "info" => ("_info", "_info"),
            "histogram" => ("", "_bucket"),
            _ => ("", ""),
        };
        let labels = labels(&encoded, &format!("{name}{sample}"));
        let meaning = help[name];
        writeln!(rows, "| `{name}{suffix}{labels}` | {kind} | {meaning} |").unwrap();
        count += 1;
    }
    (count, rows)
}

/// `UPDATE_EXPECTED=1` rewrites the table.
#[test]
fn the_table_of_metrics_says_what_the_process_exposes() {
    let (_, expected) = table();
    let document = text(README);
    let (before, rest) = document.split_once(HEAD).expect("a table of metrics");
    let end = rest.find("\n\n").unwrap() + 1;
    let (rows, after) = rest.split_at(end);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(root().join(README), format!("{before}{expected}{after}")).unwrap();
        return;
    }
    assert_eq!(format!("{HEAD}{rows}"), expected, "{README}");
}

#[test]
fn every_registered_metric_is_in_the_table() {
    let sources = files("src/telemetry/metrics", "rs");
    let mut registrations = code(&root().join("src/telemetry/metrics.rs"))
        .matches("registry.register(\"")
        .count();
    for path in sources {
        let code = code(&path);
        registrations += code.matches("to.register(").count();
        registrations += code.matches("to.register_with_unit(").count();
    }
    assert_eq!(table().0, registrations, "`moved` leaves a metric out");
}
