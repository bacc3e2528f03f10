//! What operators are told of what is remembered between requests.

use serde_json::{Value, json};

use super::CLOCK;
use crate::state::{BindingKind, Memory};
use crate::telemetry::metrics::Metrics;

const KINDS: [(BindingKind, &str); 2] = [
    (BindingKind::Session, "session"),
    (BindingKind::Task, "task"),
];

/// What is not as with one process, where there are more of them.
pub(super) fn notice(replicas: u32) -> Option<String> {
    (replicas > 1).then(|| {
        format!(
            "{replicas} replicas share no state: a session or task belongs to whoever uses it \
             first at each of them, `session_binding: strict` refuses what another one has seen \
             issued, and limits and windows let through up to {replicas} times as much"
        )
    })
}

/// The part of `/readyz`.
pub(super) fn detail(memory: &Memory, replicas: u32) -> Value {
    let now = CLOCK();
    let ended = KINDS.map(|(kind, word)| (word, memory.has_ended_first_use(kind, now)));
    let ended: Vec<&str> = ended
        .iter()
        .filter(|(_, ended)| *ended)
        .map(|(word, _)| *word)
        .collect();
    json!({
        "replicas": replicas,
        "notice": notice(replicas),
        "counters": memory.keys(),
        "sessions": memory.bound(BindingKind::Session),
        "tasks": memory.bound(BindingKind::Task),
        "first_use_ended": ended,
    })
}

pub(super) fn sample(memory: &Memory, metrics: &Metrics) {
    let now = CLOCK();
    metrics.set_state_keys("counter", memory.keys());
    for (kind, word) in KINDS {
        metrics.set_state_keys(word, memory.bound(kind));
        metrics.set_first_use_ended(word, memory.has_ended_first_use(kind, now));
    }
    let forgotten = memory.forgotten();
    for (kind, total) in [
        ("limit", forgotten.limits),
        ("window", forgotten.windows),
        ("session", forgotten.sessions),
        ("task", forgotten.tasks),
    ] {
        metrics.set_state_forgotten(kind, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Settings;

    #[test]
    fn replicas_are_told_of_where_there_are_some() {
        let memory = Memory::new(Settings::default());
        assert_eq!(detail(&memory, 1)["notice"], Value::Null);
        let three = detail(&memory, 3);
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
