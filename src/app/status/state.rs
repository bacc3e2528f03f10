//! The state of the store for operators.

use serde_json::{Value, json};

use crate::app::clock::CLOCK;
use crate::state::{BindingUsage, StoreUsage, Usage};
use crate::telemetry::metrics::Metrics;

/// How several replicas differ from one process.
pub(crate) fn notice(replicas: u32) -> Option<String> {
    (replicas > 1).then(|| {
        format!(
            "{replicas} replicas share no state: a session or task belongs to whoever uses it \
             first at each of them, `session_binding: strict` refuses what another one has seen \
             issued, and limits and windows let through up to {replicas} times as much"
        )
    })
}

/// Its entry in `/readyz`.
pub(super) fn detail(store: &dyn Usage, replicas: u32) -> Value {
    let usage = store.usage(CLOCK());
    let ended = kinds(&usage).filter(|(_, kind)| kind.has_ended_first_use);
    let ended: Vec<&str> = ended.map(|(word, _)| word).collect();
    json!({
        "replicas": replicas,
        "notice": notice(replicas),
        "counters": usage.counters,
        "sessions": usage.sessions.bound,
        "tasks": usage.tasks.bound,
        "first_use_ended": ended,
    })
}

pub(super) fn sample(store: &dyn Usage, metrics: &Metrics) {
    let usage = store.usage(CLOCK());
    metrics.state.set_keys("counter", usage.counters);
    for (word, kind) in kinds(&usage) {
        metrics.state.set_keys(word, kind.bound);
        metrics
            .state
            .set_first_use_ended(word, kind.has_ended_first_use);
    }
    let forgotten = usage.forgotten;
    for (kind, total) in [
        ("limit", forgotten.limits),
        ("window", forgotten.windows),
        ("session", forgotten.sessions),
        ("task", forgotten.tasks),
    ] {
        metrics.state.set_forgotten(kind, total);
    }
}

fn kinds(usage: &StoreUsage) -> impl Iterator<Item = (&'static str, BindingUsage)> {
    [("session", usage.sessions), ("task", usage.tasks)].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{self, StateSettings};

    #[test]
    fn replicas_are_told_of_where_there_are_some() {
        let store = state::open(StateSettings::default()).usage;
        assert_eq!(detail(&*store, 1)["notice"], Value::Null);
        let three = detail(&*store, 3);
        let notice = three["notice"].as_str().unwrap();
        assert!(
            notice.starts_with("3 replicas share no state: "),
            "{notice}"
        );
        assert_eq!(
            (
                &three["replicas"],
                &three["counters"],
                &three["first_use_ended"]
            ),
            (&json!(3), &json!(0), &json!([]))
        );
    }
}
