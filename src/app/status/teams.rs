//! What operators are told of the policies of teams, and of the last good policy on disk.

use serde_json::{Value, json};

use crate::policy::{FailingPolicy, PolicyStore, ReloadStatus, TeamState, TeamStatus};
use crate::telemetry::metrics::Metrics;

/// Adds what there is to tell. Without teams and `state_dir` there is nothing.
pub(super) fn add_details(detail: &mut Value, store: &PolicyStore, status: &ReloadStatus) {
    let Some(members) = detail.as_object_mut() else {
        return;
    };
    if !status.teams.is_empty() {
        let teams = status.teams.iter().map(team).collect();
        members.insert("teams".to_owned(), Value::Array(teams));
    }
    if store.is_kept() {
        let last_good = json!({
            "in_force": status.last_good.is_in_force,
            "confirmed": status.last_good.confirmed.map(|at| at.to_string()),
            "failing": status.last_good.failing,
        });
        members.insert("last_good".to_owned(), last_good);
    }
}

fn team(status: &TeamStatus) -> Value {
    json!({
        "team": status.name,
        "rules": status.state.word(),
        "failing": status.failing.as_ref().map(failing),
        "failing_tests": status.failing_tests.as_ref().map(failing),
    })
}

fn failing(failing: &FailingPolicy) -> Value {
    json!({"since": failing.since.to_string(), "errors": failing.lines})
}

pub(super) fn sample(store: &PolicyStore, status: &ReloadStatus, metrics: &Metrics) {
    metrics
        .policy
        .keep_teams(|name| status.teams.iter().any(|team| team.name == name));
    for team in &status.teams {
        let is_failing = team.failing.is_some();
        let is_denied = team.state == TeamState::Denied;
        metrics.policy.set_team(&team.name, is_failing, is_denied);
    }
    if store.is_kept() {
        let is_unkept = status.last_good.failing.is_some();
        let is_in_force = status.last_good.is_in_force;
        metrics.policy.set_last_good(is_in_force, is_unkept);
    }
}
