//! Records each check exactly once: audit record, metrics and span fields.
//!
//! An observation that is dropped unfinished, because the client left or the deadline passed, is
//! recorded as cancelled, so no check goes without evidence.

mod refused;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

use super::conclude::Conclusion;
use super::decision::RequestDecision;
use super::described;
use super::dynamic_metadata::metadata;
use super::parse::{ParsedRequest, Rejection};
use super::pipeline::Pipeline;
use super::reason::Reason;
use super::rehearsal::rehearsed_reason;
use super::request::HttpRequest;
use super::response_context::{CONTEXT_FACT, FILTER_FACT};
use super::server::{CONTEXT_EXTENSION, Face, Server};
use super::session::word;
use super::verdict::{Outcome, Verdict};
use crate::audit::{self, Record, WouldBe};
use crate::authn::{AuthenticationFailure, FoundPeer};
use crate::authz::{Policy, Rehearsal, Subject};
use crate::mcp::{Header, LEGACY_REVISIONS};
use crate::telemetry;
use crate::telemetry::metrics::{BoundBy, RehearsalKind, Stage};
use crate::telemetry::notices::Noticed;
use crate::text::Text;

/// The evidence of one check in the making.
pub(super) struct Observation<'p> {
    pipeline: &'p Pipeline,
    /// The server that is meant, once it is known.
    server: Option<&'p Server>,
    record: Option<Box<Record>>,
    /// What the policy adds to the facts of an allow.
    assigned: Vec<(Arc<str>, Option<String>)>,
    started: Instant,
    /// When the last stage ended.
    lap: Instant,
}

impl<'p> Observation<'p> {
    pub(super) fn begin(
        pipeline: &'p Pipeline,
        request: &HttpRequest<'_>,
        policy_revision: &Arc<str>,
        now: Timestamp,
    ) -> Self {
        let started = Instant::now();
        let mut is_cut = false;
        let mut kept = |text| Record::text(text, &mut is_cut);
        let request_id = request.header("x-request-id").next().map(&mut kept);
        let path = kept(request.path_only());
        let http_method = Record::word(request.method, &["POST", "GET", "DELETE"], &mut is_cut);
        let record = Record {
            time: now,
            decision_id: decision_id(now),
            request_id,
            trace_id: telemetry::trace_id(),
            decision: Reason::Cancelled.decision().name(),
            reason: Reason::Cancelled.code(),
            detail: None,
            rules: Vec::new(),
            rules_indeterminate: Vec::new(),
            rules_near: Vec::new(),
            rules_origins: Vec::new(),
            policy_revision: Arc::clone(policy_revision),
            issuer: None,
            subject: None,
            key_id: None,
            audience: Vec::new(),
            unverified: None,
            agent: None,
            tenant: None,
            groups: Vec::new(),
            roles: Vec::new(),
            scopes: Vec::new(),
            // Who Envoy says it is, unless the peer has to prove it.
            peer: request
                .principal
                .filter(|_| !pipeline.peers.are_verified())
                .map(str::to_owned),
            source: request.source,
            http_method,
            path,
            status: None,
            server: None,
            method: None,
            name: None,
            class: None,
            batch: None,
            session: None,
            protocol_version: None,
            arguments: None,
            inner: None,
            shadow: None,
            candidate: None,
            is_cut,
            duration_seconds: 0.0,
        };
        Observation {
            pipeline,
            server: None,
            record: Some(Box::new(record)),
            assigned: Vec::new(),
            started,
            lap: started,
        }
    }

    pub(super) fn decision_id(&self) -> Uuid {
        self.record
            .as_ref()
            .map_or(Uuid::nil(), |record| record.decision_id)
    }

    /// Records how long a stage took that ends now and began where the last one ended.
    pub(super) fn stage(&mut self, stage: Stage) {
        let now = Instant::now();
        let took = now.duration_since(self.lap);
        self.pipeline.metrics.checks.record_stage(stage, took);
        self.lap = now;
    }

    /// Begins the next stage now: the time since the last one was spent on others.
    pub(super) fn waited(&mut self) {
        self.lap = Instant::now();
    }

    pub(super) fn server(&mut self, server: &'p Server) {
        self.server = Some(server);
        if let Some(record) = &mut self.record {
            record.server = Some(Arc::clone(&server.name));
        }
    }

    /// Records what is known of the request. What an earlier look at it recorded is forgotten.
    pub(super) fn parsed(&mut self, parsed: &ParsedRequest<'_>) {
        let Some(record) = &mut self.record else {
            return;
        };
        let is_cut = &mut record.is_cut;
        let refused = parsed.refused_method.as_deref();
        let refused = refused.map(|method| Record::text(method, is_cut));
        record.method = refused.map(Cow::Owned);
        let routing = parsed.routing.as_ref();
        let session = routing.and_then(|routing| routing.session);
        record.session = session.map(audit::SessionHash::of);
        let version = routing.and_then(|routing| routing.protocol_version);
        let revision = |text| Record::word(text, LEGACY_REVISIONS, is_cut);
        record.protocol_version = version.map(revision);
        let messages = parsed.messages();
        record.batch = (messages.len() > 1).then_some(messages.len());
        self.describe(parsed, 0);
    }

    pub(super) fn subject(&mut self, subject: &Subject) {
        let Some(record) = &mut self.record else {
            return;
        };
        record.issuer = Some(Arc::clone(&subject.issuer));
        record.subject = Some(Arc::clone(&subject.id));
        record.agent.clone_from(&subject.agent);
        record.tenant.clone_from(&subject.tenant);
        if self.pipeline.audit_settings.groups {
            let unknown = subject.unknown;
            for (kept, known, is_unknown) in [
                (&mut record.groups, &subject.groups, unknown.groups),
                (&mut record.roles, &subject.roles, unknown.roles),
                (&mut record.scopes, &subject.scopes, unknown.scopes),
            ] {
                // A part would read as the whole.
                if !is_unknown {
                    kept.clone_from(known);
                }
            }
        }
    }

    /// Records what of the request names no server: the context extension of its route, or its host.
    pub(super) fn unknown_server(&mut self, request: &HttpRequest<'_>) {
        let Some(record) = &mut self.record else {
            return;
        };
        let servers = &self.pipeline.servers;
        let named = request.context(CONTEXT_EXTENSION);
        let named = named.filter(|name| servers.by_name(name).is_none());
        let kept = named.unwrap_or(request.host);
        let kept = Record::text(kept, &mut record.is_cut);
        record.detail = Some(match named {
            Some(_) => {
                // Routes are the operator's; a host is whatever a client sends.
                let notices = &self.pipeline.notices;
                notices.raise(Noticed::UnknownServerNamed, record.time);
                format!("context extension {CONTEXT_EXTENSION}: {kept}")
            }
            None => format!("host: {kept}"),
        });
    }

    /// Records why the caller is not authenticated at this host, and what the token says of itself.
    pub(super) fn unauthenticated(
        &mut self,
        failure: &AuthenticationFailure,
        face: &Face,
        host: &str,
    ) {
        if let Some(record) = &mut self.record {
            refused::describe(record, failure, (face, host));
        }
    }

    /// Records the version that a rejected request asks for, or the header that it is rejected for.
    pub(super) fn rejected(&mut self, rejection: &Rejection) {
        if let (Some(record), Rejection::Message(refusal)) = (&mut self.record, rejection) {
            let version = refusal.requested_version();
            let version = version.filter(|version| !version.is_empty());
            let header = refusal.header().map(Header::as_str);
            record.detail = version.or(header).map(str::to_owned);
        }
    }

    /// Records who the TLS peer has proved to be, where it has to.
    pub(super) fn peer(&mut self, peer: &FoundPeer) {
        if let Some(record) = &mut self.record
            && self.pipeline.peers.are_verified()
        {
            record.peer = peer.name().map(Cow::into_owned);
        }
    }

    /// Records what decided; of several targets, the one that did.
    pub(super) fn decided(
        &mut self,
        decided: &RequestDecision,
        parsed: &ParsedRequest<'_>,
        policy: &Policy,
    ) {
        if decided.decisive > 0 {
            self.describe(parsed, decided.decisive);
        }
        if let Some(assigned) = &decided.assigned {
            self.assigned.clone_from(&assigned.metadata);
        }
        let server = self
            .record
            .as_ref()
            .and_then(|record| record.server.as_deref());
        for kind in &decided.bound {
            let metrics = &self.pipeline.metrics;
            metrics.sessions.record_binding(
                server.unwrap_or_default(),
                word(*kind),
                BoundBy::FirstUse,
            );
        }
        let Some(record) = &mut self.record else {
            return;
        };
        record.rules.clone_from(&decided.rules);
        record.rules_origins = policy.origins(&decided.rules);
        record
            .rules_indeterminate
            .clone_from(&decided.indeterminate);
        let near = decided.near_misses.iter();
        record.rules_near = near
            .map(|miss| format!("{}: {}", miss.rule, miss.selector).into())
            .collect();
        described::classify(record, parsed, decided);
        if let Some(detail) = described::detail(decided) {
            record.detail = Some(detail);
        }
        let shadow = decided.shadow.as_ref();
        record.shadow = shadow
            .filter(|shadow| !shadow.shadow.is_empty())
            .map(|shadow| would_be(shadow, &shadow.shadow, None));
    }

    /// Records what the candidate would decide.
    pub(super) fn candidate(&mut self, rehearsal: &Rehearsal, revision: &Arc<str>) {
        if let Some(record) = &mut self.record {
            let revision = Some(Arc::clone(revision));
            record.candidate = Some(would_be(rehearsal, &rehearsal.rules, revision));
        }
    }

    /// Counts what would be decided otherwise, and forgets a candidate that agrees.
    fn compare(&self, record: &mut Record, reason: Reason) {
        let metrics = &self.pipeline.metrics;
        let server = record.server.as_deref().unwrap_or_default();
        if let Some(shadow) = &record.shadow {
            for rule in &shadow.rules {
                metrics.checks.record_shadow_rule(rule);
            }
        }
        for (by, other) in [
            (RehearsalKind::Shadow, &record.shadow),
            (RehearsalKind::Candidate, &record.candidate),
        ] {
            if let Some(other) = other.as_ref().filter(|other| other.reason != reason.code()) {
                metrics
                    .checks
                    .record_difference(by, server, reason.code(), other.reason);
            }
        }
        record
            .candidate
            .take_if(|candidate| candidate.reason == reason.code());
    }

    fn describe(&mut self, parsed: &ParsedRequest<'_>, decisive: usize) {
        if let Some(record) = &mut self.record {
            described::describe(record, parsed, decisive);
        }
    }

    /// Ends the check: records it and gives the verdict to the PEP.
    pub(super) fn finish(mut self, conclusion: Conclusion) -> Verdict {
        let Some(mut record) = self.record.take() else {
            return Verdict {
                outcome: conclusion.outcome,
                metadata: Vec::new(),
            };
        };
        record.decision = conclusion.reason.decision().name();
        record.reason = conclusion.reason.code();
        record.status = match &conclusion.outcome {
            Outcome::Allow(_) => None,
            Outcome::Reply(reply) | Outcome::Fail(reply) => Some(reply.status.as_u16()),
        };
        self.compare(&mut record, conclusion.reason);
        let mut metadata = metadata(&self.pipeline.facts, &record, conclusion.rule.as_ref());
        if let Outcome::Allow(_) = &conclusion.outcome {
            let assigned = std::mem::take(&mut self.assigned).into_iter();
            metadata.extend(
                assigned.filter_map(|(name, value)| Some((Text::Shared(name), value?.into()))),
            );
            if let Some(handover) = conclusion.handoff {
                if handover.is_filtered() {
                    self.pipeline.metrics.handoff.record_response_expected();
                    self.pipeline.notices.response_expected(record.time);
                }
                metadata.push((FILTER_FACT.into(), handover.code.into()));
                let sealed = self.pipeline.handoffs.seal(&handover.context, record.time);
                metadata.push((CONTEXT_FACT.into(), sealed.into()));
            }
        }
        self.emit(record, conclusion.reason);
        Verdict {
            outcome: conclusion.outcome,
            metadata,
        }
    }

    fn emit(&self, mut record: Box<Record>, reason: Reason) {
        let took = self.started.elapsed();
        record.duration_seconds = took.as_secs_f64();
        let metrics = &self.pipeline.metrics;
        metrics.checks.record_stage(Stage::Total, took);
        match self.server {
            Some(server) => server.count(metrics, reason),
            None => metrics
                .checks
                .record_decision("", reason.decision(), reason.code()),
        }
        let server = record.server.as_deref().unwrap_or_default();
        telemetry::record_decision(&telemetry::Ended {
            decision: record.decision,
            reason: record.reason,
            server,
            method: record.method.as_deref().unwrap_or_default(),
            decision_id: record.decision_id,
        });
        self.pipeline.audit.record(&record);
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.emit(record, Reason::Cancelled);
        }
    }
}

fn would_be(rehearsal: &Rehearsal, rules: &[Arc<str>], revision: Option<Arc<str>>) -> WouldBe {
    let reason = rehearsed_reason(&rehearsal.outcome);
    WouldBe {
        decision: reason.decision().name(),
        reason: reason.code(),
        rules: rules.to_vec(),
        policy_revision: revision,
    }
}

/// The id of a decision. Unique, and in the order of time: a UUID of version 7 (RFC 9562 §5.7). It
/// counts from 1970, so that a clock that is before is taken to be there.
fn decision_id(now: Timestamp) -> Uuid {
    thread_local! {
        static CONTEXT: ContextV7 = const { ContextV7::new() };
    }
    let seconds = u64::try_from(now.as_second()).ok();
    let nanoseconds = seconds.and_then(|_| u32::try_from(now.subsec_nanosecond()).ok());
    let (seconds, nanoseconds) = (seconds.unwrap_or(0), nanoseconds.unwrap_or(0));
    CONTEXT.with(|context| Uuid::new_v7(uuid::Timestamp::from_unix(context, seconds, nanoseconds)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn decisions_have_ids_of_their_own_at_any_time() {
        let mut seen = HashSet::new();
        for second in [
            -62_135_596_800,
            -1,
            0,
            1,
            1_795_000_000,
            4_000_000_000,
            253_402_207_200,
        ] {
            for nanosecond in [0, 1, 999_999_999] {
                let now = Timestamp::new(second, nanosecond).unwrap();
                for _ in 0..100 {
                    let id = decision_id(now);
                    assert_eq!(id.get_version_num(), 7);
                    assert!(seen.insert(id), "{now}");
                }
            }
        }
        let now = Timestamp::new(253_402_207_200, 7_000_000).unwrap();
        let (seconds, _) = decision_id(now).get_timestamp().unwrap().to_unix();
        assert_eq!(seconds, 253_402_207_200);
    }
}
