//! The state of the running parts for operators: readiness details and sampled metrics.

mod state;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::parts::ServiceParts;
use crate::admin::{Admin, Detail};
use crate::authn::Authenticator;
use crate::catalog::Catalog;
use crate::check::Handoffs;
use crate::file::Failing;
use crate::policy::PolicyStore;
use crate::telemetry::metrics::{KeyTotals, Metrics, PolicyTotals};
use crate::telemetry::notices::Notices;

pub(super) use state::notice;

pub(super) fn admin(parts: &ServiceParts) -> Admin {
    let policy = Arc::clone(&parts.core.policy);
    let authenticator = Arc::clone(&parts.core.authenticator);
    let candidate = parts.core.candidate.clone().map(|candidate| Detail {
        name: "candidate_policy",
        state: Box::new(move || policy_detail(&candidate)),
    });
    let mut details = vec![
        Detail {
            name: "policy",
            state: Box::new(move || policy_detail(&policy)),
        },
        Detail {
            name: "keys",
            state: Box::new(move || keys_detail(&authenticator)),
        },
    ];
    details.extend(candidate);
    details.extend(parts.tls.clone().map(|tls| Detail {
        name: "tls",
        state: Box::new(move || json!({"failing": tls.failing()})),
    }));
    details.extend(parts.core.countries.clone().map(|countries| Detail {
        name: "geoip",
        state: Box::new(move || json!({"failing": failing_value(countries.failing())})),
    }));
    let peers = Arc::clone(&parts.core.peers);
    details.extend(peers.are_verified().then(|| Detail {
        name: "peers",
        state: Box::new(move || json!({"failing": failing_value(peers.failing())})),
    }));
    let catalog = Arc::clone(&parts.core.catalog);
    details.push(Detail {
        name: "tools",
        state: Box::new(move || tools_detail(&catalog)),
    });
    let (usage, replicas) = (Arc::clone(&parts.state.usage), parts.replicas);
    details.push(Detail {
        name: "state",
        state: Box::new(move || state::detail(&*usage, replicas)),
    });
    let handoffs = Arc::clone(&parts.core.handoffs);
    details.push(Detail {
        name: "handoff",
        state: Box::new(move || handoff_detail(&handoffs)),
    });
    let notices = parts.notices.clone();
    details.push(Detail {
        name: "notices",
        state: Box::new(move || notices_detail(&notices)),
    });
    let (readiness, metrics) = (parts.readiness.clone(), parts.metrics.clone());
    let parts = parts.clone();
    let sample = move |metrics: &Metrics| sample(&parts, metrics);
    Admin::new(readiness, metrics, sample, details)
}

fn policy_detail(store: &PolicyStore) -> Value {
    let status = store.status();
    let failing = status
        .failing
        .map(|failing| json!({"since": failing.since.to_string(), "errors": failing.lines}));
    json!({
        "revision": &*status.revision,
        "applied": status.applied.to_string(),
        "rules": store.snapshot().rules().len(),
        "failing": failing,
    })
}

fn failing_value(failing: Option<Failing>) -> Value {
    failing.map_or(
        Value::Null,
        |failing| json!({"since": failing.since.to_string(), "error": failing.error}),
    )
}

fn tools_detail(catalog: &Catalog) -> Value {
    let servers = catalog.overview().into_iter().map(|one| {
        json!({
            "server": one.server,
            "recorded": one.recorded,
            "seen": one.seen,
            "changed": one.changed,
            "failing": failing_value(one.failing),
        })
    });
    Value::Array(servers.collect())
}

fn handoff_detail(handoffs: &Handoffs) -> Value {
    let status = handoffs.status();
    let failing = failing_value(status.failing);
    json!({"keys": status.keys, "shared": status.is_shared, "failing": failing})
}

fn notices_detail(notices: &Notices) -> Value {
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let standing = notices.standing().into_iter().map(|one| {
        json!({
            "notice": one.noticed.name(),
            "text": one.noticed.text(),
            "count": one.count,
            "first": text(one.first),
            "last": text(one.last),
        })
    });
    Value::Array(standing.collect())
}

fn keys_detail(authenticator: &Authenticator) -> Value {
    let mut issuers: Vec<_> = authenticator.issuers().collect();
    issuers.sort_by(|left, right| left.issuer.cmp(&right.issuer));
    let issuers = issuers.into_iter().map(|issuer| {
        let keys = issuer.keys;
        json!({
            "issuer": &*issuer.issuer,
            "usable": keys.is_usable,
            "keys": keys.keys,
            "skipped": keys.skipped,
            "age_seconds": keys.age.map(|age| age.as_secs()),
            "failing": keys.failing,
        })
    });
    Value::Array(issuers.collect())
}

fn sample(parts: &ServiceParts, metrics: &Metrics) {
    let status = parts.core.policy.status();
    metrics.policy.set(&PolicyTotals {
        successes: status.successes,
        failures: status.failures,
        applied_unix_seconds: status.applied.as_second(),
        rules: parts.core.policy.snapshot().rules().len(),
        failing: status.failing.is_some(),
    });
    if let Some(candidate) = &parts.core.candidate {
        let is_failing = candidate.status().failing.is_some();
        metrics.files.set_failing("candidate_policy", is_failing);
    }
    if let Some(tls) = &parts.tls {
        metrics.files.set_failing("tls", tls.failing().is_some());
    }
    if let Some(countries) = &parts.core.countries {
        metrics
            .files
            .set_failing("geoip", countries.failing().is_some());
    }
    if parts.core.peers.are_verified() {
        metrics
            .files
            .set_failing("peers", parts.core.peers.failing().is_some());
    }
    for one in parts.core.catalog.overview() {
        if one.recorded.is_some() {
            metrics
                .lists
                .set_snapshot_failing(one.server, one.failing.is_some());
        }
    }
    for issuer in parts.core.authenticator.issuers() {
        let keys = issuer.keys;
        let totals = KeyTotals {
            successes: keys.fetches.saturating_sub(keys.failures),
            failures: keys.failures,
            age: keys.age,
            usable: keys.is_usable,
        };
        metrics.keys.set(&issuer.issuer, &totals);
    }
    state::sample(&*parts.state.usage, metrics);
    let keys = parts.core.handoffs.status();
    metrics
        .handoff
        .set_keys(keys.successes, keys.failures, keys.failing.is_some());
    for (noticed, total) in parts.notices.totals() {
        metrics.notices.set(noticed.name(), total);
    }
    metrics
        .keys
        .set_tokens_cached(parts.core.authenticator.tokens_cached());
    metrics
        .audit
        .set_lost(parts.losses.dropped().saturating_add(parts.losses.failed()));
}
