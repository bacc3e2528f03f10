//! The state of the running parts for operators: details of `/readyz` and sampled metrics.

mod state;
mod teams;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::config_record::ConfigRecord;
use super::parts::ServiceParts;
use super::{commands, pages};
use crate::admin::{Admin, Detail};
use crate::authn::Authenticator;
use crate::catalog::Catalog;
use crate::check::{Handoffs, LivePipeline, Pipeline};
use crate::file::Failing;
use crate::listen::HandshakeFault;
use crate::policy::PolicyStore;
use crate::telemetry::metrics::{ConfigTotals, KeyTotals, Metrics, PolicyTotals};
use crate::telemetry::notices::Notices;

pub(super) use state::notice;

pub(super) fn admin(parts: &ServiceParts) -> Admin {
    let mut details = vec![config_part(parts)];
    details.extend(parts_of_live(&parts.live));
    details.extend(parts.tls.clone().map(|tls| Detail {
        name: "tls",
        state: Box::new(move || json!({"failing": tls.failing()})),
    }));
    let (usage, config) = (Arc::clone(&parts.state.usage), Arc::clone(&parts.config));
    details.push(Detail {
        name: "state",
        state: Box::new(move || state::detail(&*usage, config.current().replicas)),
    });
    let notices = parts.notices.clone();
    details.push(Detail {
        name: "notices",
        state: Box::new(move || notices_detail(&notices)),
    });
    let (readiness, metrics) = (parts.readiness.clone(), parts.metrics.clone());
    let (pages, commands) = (pages::all(parts), commands::all(parts));
    let parts = parts.clone();
    let sample = move |metrics: &Metrics| sample(&parts, metrics);
    Admin::new(readiness, metrics, sample, details)
        .with_pages(pages)
        .with_commands(commands)
}

fn config_part(parts: &ServiceParts) -> Detail {
    let config = Arc::clone(&parts.config);
    Detail {
        name: "config",
        state: Box::new(move || config_detail(&config)),
    }
}

/// A part of the pipeline in force, and its entry in `/readyz`.
type LivePart = (&'static str, fn(&Pipeline) -> Value);

/// The parts of the pipeline in force. Parts that are not configured have no entry.
fn parts_of_live(live: &Arc<LivePipeline>) -> Vec<Detail> {
    let rows: [LivePart; 7] = [
        ("policy", |live| policy_detail(&live.policy)),
        ("keys", |live| keys_detail(&live.authenticator)),
        ("candidate_policy", |live| {
            let candidate = live.candidate.as_ref();
            candidate.map_or(Value::Null, |candidate| policy_detail(candidate))
        }),
        ("geoip", |live| {
            let countries = live.countries.as_ref();
            countries.map_or(Value::Null, |one| failing_detail(one.failing()))
        }),
        ("peers", |live| {
            let peers = Some(&live.peers).filter(|peers| peers.are_verified());
            peers.map_or(Value::Null, |peers| failing_detail(peers.failing()))
        }),
        ("tools", |live| tools_detail(&live.catalog)),
        ("handoff", |live| handoff_detail(&live.handoffs)),
    ];
    let detail = |(name, state): LivePart| {
        let live = Arc::clone(live);
        Detail {
            name,
            state: Box::new(move || state(&live.current())),
        }
    };
    rows.into_iter().map(detail).collect()
}

fn config_detail(config: &ConfigRecord) -> Value {
    let reloads = config.reloads();
    let failing = reloads
        .failing
        .map(|failing| json!({"since": failing.since.to_string(), "errors": failing.lines}));
    json!({
        "applied": reloads.applied.to_string(),
        "failing": failing,
        "restart_required": reloads.restart_required,
    })
}

fn failing_detail(failing: Option<Failing>) -> Value {
    json!({"failing": failing_value(failing)})
}

fn policy_detail(store: &PolicyStore) -> Value {
    let status = store.status();
    let failing = status
        .failing
        .as_ref()
        .map(|failing| json!({"since": failing.since.to_string(), "errors": failing.lines}));
    let mut detail = json!({
        "revision": &*status.revision,
        "applied": status.applied.to_string(),
        "rules": store.snapshot().rules().len(),
        "failing": failing,
    });
    teams::add_details(&mut detail, store, &status);
    detail
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
    let reloads = parts.config.reloads();
    metrics.config.set(&ConfigTotals {
        successes: reloads.successes,
        failures: reloads.failures,
        applied_unix_seconds: reloads.applied.as_second(),
        failing: reloads.failing.is_some(),
        restart_required: reloads.restart_required.len(),
    });
    sample_live(&parts.live.current(), metrics);
    if let Some(tls) = &parts.tls {
        metrics.files.set_failing("tls", tls.failing().is_some());
    }
    state::sample(&*parts.state.usage, metrics);
    for (noticed, total) in parts.notices.totals() {
        metrics.notices.set(noticed.name(), total);
    }
    for fault in HandshakeFault::ALL {
        let total = parts.handshakes_failed.total(fault);
        metrics
            .connections
            .set_handshakes_failed(fault.name(), total);
    }
    metrics
        .traces
        .set_lost(parts.spans_lost.load(Ordering::Relaxed));
    metrics
        .audit
        .set_lost(parts.losses.dropped().saturating_add(parts.losses.failed()));
}

fn sample_live(live: &Pipeline, metrics: &Metrics) {
    let status = live.policy.status();
    metrics.policy.set(&PolicyTotals {
        successes: status.successes,
        failures: status.failures,
        applied_unix_seconds: status.applied.as_second(),
        rules: live.policy.snapshot().rules().len(),
        failing: status.failing.is_some(),
    });
    teams::sample(&live.policy, &status, metrics);
    let files = &metrics.files;
    if let Some(candidate) = &live.candidate {
        let is_failing = candidate.status().failing.is_some();
        files.set_failing("candidate_policy", is_failing);
    }
    if let Some(countries) = &live.countries {
        files.set_failing("geoip", countries.failing().is_some());
    }
    if live.peers.are_verified() {
        files.set_failing("peers", live.peers.failing().is_some());
    }
    for one in live.catalog.overview() {
        if one.recorded.is_some() {
            metrics
                .lists
                .set_snapshot_failing(one.server, one.failing.is_some());
        }
    }
    for issuer in live.authenticator.issuers() {
        let keys = issuer.keys;
        let totals = KeyTotals {
            successes: keys.fetches.saturating_sub(keys.failures),
            failures: keys.failures,
            age: keys.age,
            usable: keys.is_usable,
        };
        metrics.keys.set(&issuer.issuer, &totals);
    }
    let keys = live.handoffs.status();
    metrics
        .handoff
        .set_keys(keys.successes, keys.failures, keys.failing.is_some());
    let tokens = live.authenticator.tokens_cached();
    metrics.keys.set_tokens_cached(tokens);
}
