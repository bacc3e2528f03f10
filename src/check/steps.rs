//! The steps of a check, in order.
//!
//! Only this file decides which step comes after which, and what ends a check early. What a step
//! does is in the file of that name.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use jiff::Timestamp;

use super::conclude::{Conclusion, failed, rejected, unauthenticated, unparsed};
use super::context::{self, RequestContext, visible_headers};
use super::endpoints;
use super::evidence::Observation;
use super::header_room;
use super::in_flight;
use super::invalid_check::InvalidCheck;
use super::parse::{ParsedRequest, glimpse, parse};
use super::pipeline::Pipeline;
use super::policies::Policies;
use super::reason::Reason;
use super::refusal_log;
use super::reply::{self, Addressee};
use super::request::{HttpRequest, path_is_plain};
use super::resume;
use super::server::{Face, FoundServer, Server};
use super::turn::{self, BodyTurn};
use super::verdict::{Decide, Verdict};
use crate::authn::{AuthenticationFailure, Credentials};
use crate::authz::{Policy, Subject};
use crate::state::IdInUse;
use crate::telemetry::metrics::Stage;
use crate::telemetry::notices::Noticed;

impl Decide for Pipeline {
    async fn decide(&self, request: &HttpRequest<'_>) -> Verdict {
        let now = (self.clock)();
        let policy = self.policy.snapshot();
        let mut observation = Observation::begin(self, request, policy.revision(), now);
        let conclusion = self.judge(request, &policy, now, &mut observation).await;
        observation.finish(conclusion)
    }

    async fn refuse(&self, fault: InvalidCheck) -> Verdict {
        let now = (self.clock)();
        let policy = self.policy.snapshot();
        let nothing = HttpRequest::default();
        let observation = Observation::begin(self, &nothing, policy.revision(), now);
        tracing::warn!(%fault, "a check describes no request");
        let conclusion = unparsed(observation.decision_id(), Reason::from(fault));
        observation.finish(conclusion)
    }
}

impl Pipeline {
    /// Takes a request through the steps, up to the one that concludes it.
    async fn judge<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        policy: &Policy,
        now: Timestamp,
        observation: &mut Observation<'p>,
    ) -> Conclusion {
        let decision_id = observation.decision_id();
        if !path_is_plain(request.path_only()) {
            return unparsed(decision_id, Reason::AmbiguousPath);
        }
        if endpoints::is_metadata(request) {
            return endpoints::metadata(self, request, observation);
        }
        let Ok(FoundServer { server, face }) = self.servers.find(request) else {
            observation.unknown_server(request);
            return unparsed(decision_id, Reason::UnknownServer);
        };
        observation.server(server);
        if endpoints::is_preflight(request) {
            return endpoints::preflight(observation);
        }
        self.notice(request, now);
        let asked = (&**server, &*face);
        let subject = self.subject(request, asked, now, observation).await;
        observation.stage(Stage::Authenticate);
        let subject = match subject {
            Ok(subject) => subject,
            Err(failure) => {
                // A caller who is not authenticated costs no more than it takes to say so.
                let parsed = glimpse(request, server, &self.limits);
                observation.parsed(&parsed);
                observation.unauthenticated(&failure, &face, &request.host_folded());
                observation.stage(Stage::Parse);
                refusal_log::tell(&self.notices, &server.name, &failure, now);
                return unauthenticated(&parsed.addressee(decision_id), &face, &failure);
            }
        };
        observation.subject(&subject);
        let turn = self.turn(request, server, observation).await;
        let parsed = parse(request, server, &self.limits);
        observation.parsed(&parsed);
        observation.stage(Stage::Parse);
        if turn.pause().await {
            observation.waited();
        }
        let to = parsed.addressee(decision_id);
        if let Some(rejection) = &parsed.rejection {
            observation.rejected(rejection);
            return rejected(rejection, &to);
        }
        if !header_room::has_room(request, server, &subject, policy, &self.limits) {
            let reason = Reason::TooManyHeaders;
            return Conclusion::reply(reason, reply::rejected(&to, reason));
        }
        let proven = ProvenRequest {
            request,
            server,
            face: &face,
            subject: &subject,
            policy,
            now,
        };
        let conclusion = self.evaluate(proven, &parsed, &to, observation).await;
        turn.pause().await;
        conclusion
    }

    /// Proves who is calling.
    async fn subject<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        (server, face): (&Server, &Face),
        now: Timestamp,
        observation: &mut Observation<'p>,
    ) -> Result<Arc<Subject>, Box<AuthenticationFailure>> {
        let mut proving = pin!(self.authenticate(request, server, face, now));
        let at_once = poll_fn(|cx| Poll::Ready(proving.as_mut().poll(cx))).await;
        if let Poll::Ready(subject) = at_once {
            return subject;
        }
        // For the record, should the check be given up meanwhile.
        observation.parsed(&glimpse(request, server, &self.limits));
        proving.await
    }

    async fn authenticate(
        &self,
        request: &HttpRequest<'_>,
        server: &Server,
        face: &Face,
        now: Timestamp,
    ) -> Result<Arc<Subject>, Box<AuthenticationFailure>> {
        let place = &server.settings.token;
        let values = request.header(place.header_name());
        let credentials = Credentials::at(place, request.path, values);
        let authenticated = self
            .authenticator
            .authenticate(&credentials, &face.audience, now)
            .await?;
        Ok(server.with_scope_names(authenticated.subject))
    }

    /// Waits until a body may be parsed, if it is long.
    async fn turn<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        server: &Server,
        observation: &mut Observation<'p>,
    ) -> BodyTurn<'p> {
        let turn = self.long_bodies.turn(request.body);
        if !turn::is_long(request.body) {
            return turn.await;
        }
        // For the record, should the check be given up meanwhile.
        observation.parsed(&glimpse(request, server, &self.limits));
        let turn = turn.await;
        observation.stage(Stage::Wait);
        turn
    }

    /// Decides about a parsed request whose caller is proven.
    async fn evaluate(
        &self,
        proven: ProvenRequest<'_>,
        parsed: &ParsedRequest<'_>,
        to: &Addressee<'_>,
        observation: &mut Observation<'_>,
    ) -> Conclusion {
        let ProvenRequest {
            request,
            server,
            face,
            subject,
            policy,
            now,
        } = proven;
        let candidate = self.candidate.as_ref().and_then(|store| store.usable());
        let policies = Policies {
            enforced: policy,
            candidate: candidate.as_deref(),
        };
        let country = context::country(self.countries.as_deref(), request, policies);
        let device = context::device(self.device_header.as_deref(), request, subject);
        let peer = context::peer(&self.peers, request, policies, now);
        observation.peer(&peer);
        let context = RequestContext {
            request,
            server,
            face,
            subject,
            host: &request.host_folded(),
            headers: &visible_headers(request, server, &parsed.corrections),
            catalog: &self.catalog,
            purpose: &self.purpose,
            country: country.as_deref(),
            device: device.as_deref(),
            peer: &peer,
            now,
            decision_id: to.decision_id,
        };
        let ids = context.request_ids(parsed);
        let is_in_use = match &ids {
            Ok(ids) => ids
                .as_ref()
                .is_some_and(|ids| self.in_flight.is_in_use(ids, now)),
            Err(IdInUse) => true,
        };
        let decided = context
            .decide(policies, &*self.state, parsed, is_in_use)
            .await;
        observation.stage(Stage::Evaluate);
        let mut decided = match decided {
            Ok(decided) => decided,
            Err(error) => {
                tracing::error!(%error, "a request cannot be decided");
                return failed(to, Reason::StateUnavailable);
            }
        };
        let prepared = match context.prepare(&mut decided, &*self.state, parsed).await {
            Ok(prepared) => prepared,
            Err(fault) => {
                observation.decided(&decided, parsed, policy);
                return failed(to, Reason::from(fault));
            }
        };
        let handoff = context.hand_over(&mut decided, &*self.state, to, parsed);
        in_flight::keep_ids(self, ids.ok().flatten().as_ref(), &context, &mut decided);
        if decided.is_allowed() && resume::is_ignored(request, server, parsed.era) {
            self.tell_ignored_resumption(server);
        }
        observation.decided(&decided, parsed, policy);
        if let (Some(rehearsal), Some(candidate)) = (&decided.candidate, &candidate) {
            observation.candidate(rehearsal, candidate.revision());
        }
        context.conclude(decided, prepared, handoff, to)
    }

    /// Counts a stream that is not resumed, and tells operators of the first one of each server: what
    /// the server sent in the meantime is lost, also the response to a call that the client polls
    /// for.
    fn tell_ignored_resumption(&self, server: &Server) {
        let sessions = &self.metrics.sessions;
        sessions.record_resumption_ignored(&server.name);
        if !server.settings.resume && self.notices.is_first_resumption(&server.name) {
            tracing::warn!(
                server = &*server.name,
                "a client asked to resume a stream, and got a new one: what the server sent meanwhile \
                 is lost, also the response to a call whose stream broke off or is polled for. If the \
                 server gives the events of a stream to its session alone, set `resume: on`"
            );
        }
    }

    /// Reports what the request shows of mistakes in the PEP's configuration.
    fn notice(&self, request: &HttpRequest<'_>, now: Timestamp) {
        if let Some(noticed) = request.noticed {
            self.notices.raise(noticed, now);
        }
        if self.servers.is_chosen_by_host(request) {
            self.notices.raise(Noticed::ServerByHost, now);
        }
    }
}

/// A request whose caller is proven, with the policy and the time of its check.
#[derive(Clone, Copy)]
struct ProvenRequest<'a> {
    request: &'a HttpRequest<'a>,
    server: &'a Arc<Server>,
    face: &'a Face,
    subject: &'a Arc<Subject>,
    policy: &'a Policy,
    now: Timestamp,
}
