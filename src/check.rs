//! The pipeline: one described HTTP request in, one verdict out.
//!
//! This file orders the steps and is the only place that turns a fault of any step into a
//! [`Reason`]. What a step does is not here, nor how a verdict is put on the wire.

mod answer;
pub mod countries;
mod ending;
mod exchange;
mod fact;
mod handoff;
mod in_flight;
mod invalid;
mod judgement;
mod observe;
mod process;
mod read;
mod reason;
mod resume;
mod room;
mod server;
mod session;
mod tools;
mod turn;

use std::borrow::Cow;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

pub use crate::text::Text;
pub use crate::upstream::Obligations;
pub use ending::REMOVED;
pub use exchange::{AnswerHead, Attendance, BodyMode, Carried, Exchange, Output, Process};
pub use fact::Fact;
pub use handoff::{
    HandoffSettings, HandoffStatus, Handoffs, InvalidHandoffKeys, KeyFault, OPEN_FILTERS,
    RESPONSE_FILTERS, filtered_method,
};
pub use invalid::{InvalidCheck, StatedFact};
pub use judgement::PurposeSettings;
pub use process::AnswerExchange;
pub use reason::{DecisionKind, Reason};
pub use server::{
    DenySettings, DenyShape, Disclose, InvalidServer, Server, ServerSettings, Servers,
    SessionBinding, UnknownServer, UriForm,
};
pub use tools::Reader;
pub use turn::LongBodies;

use crate::audit::Audit;
use crate::authn::{
    AuthenticationError, Authenticator, Credentials, FoundPeer, Peers, device_posture, metadata,
};
use crate::authz::{self, Policy, Subject};
use crate::byte_class;
use crate::catalog::Catalog;
use crate::policy::PolicyStore;
use crate::state::{IdInUse, InFlight, State};
use crate::telemetry::metrics::{Metrics, Stage};
use crate::telemetry::notices::{Noticed, Notices};
use crate::upstream::{self};
use answer::Addressee;
use countries::Countries;
use ending::{Ending, failed, no_metadata, unauthenticated, unread};
use judgement::{Context, Judgement, Policies, VisibleHeaders};
use observe::Observation;
use read::Read;
use turn::Turn;

/// One HTTP request as the PEP describes it. Produced by [`crate::envoy`].
#[derive(Debug, Clone, Default)]
pub struct HttpRequest<'m> {
    /// The method, as sent.
    pub method: &'m str,
    /// `:path`, undecoded, with its query.
    pub path: &'m str,
    /// `:authority`, as sent.
    pub host: &'m str,
    /// Every header in order, names in lower case, without pseudo-headers. Values that were not
    /// UTF-8 are kept lossily; repeated headers are kept apart where the PEP kept them apart.
    pub headers: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    /// The body as it was buffered.
    pub body: Body<'m>,
    /// Whether the PEP says that the body was cut: by a header (`x-envoy-auth-partial-body: true`),
    /// or by a size that is not known or more than arrived.
    pub truncated: bool,
    /// Whether two headers of one name are two entries; otherwise they may have been joined by a
    /// comma.
    pub repeats_kept_apart: bool,
    /// The TCP peer of Envoy, or the client address Envoy proved (`x-envoy-external-address`).
    pub source: Option<IpAddr>,
    /// What Envoy calls its TLS peer, verified or not.
    pub principal: Option<&'m str>,
    /// The certificate of that peer: PEM, URL-encoded.
    pub certificate: Option<&'m str>,
    /// Envoy's per-route context extensions, each name once.
    pub context: Vec<(&'m str, &'m str)>,
    /// A mistake of the PEP's that shows in how it describes the request.
    pub noticed: Option<Noticed>,
}

/// The body of a described request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body<'m> {
    /// No body was sent, or none was buffered.
    #[default]
    Absent,
    /// The bytes as sent.
    Bytes(&'m [u8]),
    /// A string in which lost bytes were replaced: by `!` (Envoy without `pack_as_bytes`), or by
    /// U+FFFD (others).
    Lossy(&'m [u8]),
}

/// What the PEP is told to do.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Verdict {
    /// Forward, answer, or fail.
    pub outcome: Outcome,
    /// String facts about the decision for the PEP's log and later filters, in a fixed order.
    pub metadata: Vec<(Text, Text)>,
}

/// How the request ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Forward to the upstream with these header changes.
    Allow(Obligations),
    /// Do not forward: answer this. The status is never 0 and never 1xx.
    Answer(Answer),
    /// No decision could be made: answer this, as an error of the PDP.
    Fail(Answer),
}

/// A complete HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// Headers, lower-case names, values without control characters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; UTF-8, may be empty.
    pub body: String,
}

impl HttpRequest<'_> {
    /// The path without its query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path
            .split_once('?')
            .map_or(self.path, |(path, _)| path)
    }

    /// The authority in lower case.
    #[must_use]
    pub fn host_folded(&self) -> Cow<'_, str> {
        if self.host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(self.host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(self.host)
        }
    }

    /// The values of every header of this name, which is in lower case.
    pub fn header<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.headers
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| &**value)
    }

    /// The name of every header, in lower case.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| &**name)
    }

    /// What the route's context says under a name.
    #[must_use]
    pub fn context(&self, name: &str) -> Option<&str> {
        let named = self.context.iter().find(|(other, _)| *other == name);
        named.map(|(_, value)| *value)
    }
}

/// Decides about described requests. The edge depends on this and not on the [`Pipeline`], so
/// that it can be tested without one.
pub trait Decide: Send + Sync + 'static {
    /// Judges a request. Runs inside the span of the check; may be dropped at any await.
    fn decide(&self, request: HttpRequest<'_>) -> impl Future<Output = Verdict> + Send;

    /// Answers a check that describes no HTTP request. It is refused, never allowed.
    fn refuse(&self, fault: InvalidCheck) -> impl Future<Output = Verdict> + Send;
}

/// What the pipeline is made of.
#[derive(Debug)]
pub struct Pipeline {
    /// The guarded servers.
    pub servers: Servers,
    /// Who proves callers.
    pub authenticator: Arc<Authenticator>,
    /// The policy in force.
    pub policy: Arc<PolicyStore>,
    /// A policy that is evaluated beside it and never enforced.
    pub candidate: Option<Arc<PolicyStore>>,
    /// What is known of the servers' tools.
    pub catalog: Arc<Catalog>,
    /// What is remembered between requests.
    pub state: Arc<dyn State>,
    /// The ids of requests whose answers are looked at.
    pub in_flight: InFlight,
    /// Where clients say what a call is for.
    pub purpose: PurposeSettings,
    /// The header, in lower case, in which a trusted proxy says what it knows of the device.
    pub device_header: Option<String>,
    /// What the PEP is told beside each decision.
    pub facts: Vec<Fact>,
    /// Who TLS peers are.
    pub peers: Arc<Peers>,
    /// Where addresses are.
    pub countries: Option<Arc<Countries>>,
    /// Where evidence goes.
    pub audit: Audit,
    /// What is counted.
    pub metrics: Metrics,
    /// What is noticed of the PEP.
    pub notices: Notices,
    /// How what a check hands on to the answer is sealed.
    pub handoffs: Arc<Handoffs>,
    /// What bodies may be like.
    pub limits: Limits,
    /// How long bodies take turns.
    pub long_bodies: LongBodies,
    /// The time; read once per check.
    pub clock: fn() -> Timestamp,
}

/// The limits on bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// How deep a body may nest.
    pub json_depth_max: usize,
    /// How many values and keys a body may have.
    pub json_values_max: usize,
    /// The longest method, tool, prompt or task name, in bytes.
    pub name_bytes_max: usize,
    /// The longest resource URI, in bytes.
    pub uri_bytes_max: usize,
    /// How many resources and tasks one subscription may name.
    pub subscriptions_max: usize,
    /// The largest item of a list in an answer, in bytes. A larger one is hidden.
    pub list_item_bytes_max: usize,
    /// The most header fields that a request may have once those that the server is told are
    /// added, pseudo-headers not counted.
    pub headers_max: usize,
    /// The most bytes of their names and values, with the pseudo-headers.
    pub header_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 1 << 20,
            json_depth_max: 64,
            json_values_max: 20_000,
            name_bytes_max: 256,
            uri_bytes_max: 8 << 10,
            subscriptions_max: 256,
            list_item_bytes_max: 256 << 10,
            // Envoy takes 100 unless told otherwise, and counts four pseudo-headers.
            headers_max: 96,
            // What Envoy takes unless told otherwise.
            header_bytes_max: 60 << 10,
        }
    }
}

impl Decide for Pipeline {
    async fn decide(&self, request: HttpRequest<'_>) -> Verdict {
        let now = (self.clock)();
        let policy = self.policy.snapshot();
        let mut observation = Observation::begin(self, &request, policy.revision(), now);
        let ending = self.judge(&request, &policy, now, &mut observation).await;
        observation.finish(ending)
    }

    async fn refuse(&self, fault: InvalidCheck) -> Verdict {
        let now = (self.clock)();
        let policy = self.policy.snapshot();
        let nothing = HttpRequest::default();
        let observation = Observation::begin(self, &nothing, policy.revision(), now);
        tracing::warn!(%fault, "a check describes no request");
        let ending = unread(observation.decision_id(), Reason::from(fault));
        observation.finish(ending)
    }
}

impl Pipeline {
    async fn judge<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        policy: &Policy,
        now: Timestamp,
        observation: &mut Observation<'p>,
    ) -> Ending {
        let decision_id = observation.decision_id();
        if !path_is_plain(request.path_only()) {
            return unread(decision_id, Reason::AmbiguousPath);
        }
        if matches!(request.method, "GET" | "HEAD") && metadata::is_metadata(request.path) {
            return self.metadata(request, decision_id, observation);
        }
        let Ok(server) = self.servers.find(request) else {
            return unread(decision_id, Reason::UnknownServer);
        };
        observation.server(server);
        self.notice(request, now);
        let subject = self.subject(request, server, now, observation).await;
        observation.stage(Stage::Authenticate);
        let subject = match subject {
            Ok(subject) => subject,
            Err(error) => {
                // Whoever is refused costs no more than it takes to say so.
                let read = self.glimpse(request, server);
                observation.read(&read);
                observation.stage(Stage::Parse);
                return unauthenticated(&read.addressee(decision_id), server, error);
            }
        };
        observation.subject(&subject);
        let turn = self.turn(request, server, observation).await;
        let read = self.read(request, server);
        observation.read(&read);
        observation.stage(Stage::Parse);
        if turn.pause().await {
            observation.waited();
        }
        let to = read.addressee(decision_id);
        if let Some(fault) = &read.fault {
            return fault.ending(&to);
        }
        if !room::has_room(request, server, &subject, policy, &self.limits) {
            let reason = Reason::TooManyHeaders;
            return Ending::answer(reason, answer::rejected(&to, reason));
        }
        let asked = Asked {
            request,
            server,
            subject: &subject,
            policy,
            now,
        };
        let ending = self.evaluate(asked, &read, &to, observation).await;
        turn.pause().await;
        ending
    }

    /// Proves who is calling.
    async fn subject<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        server: &Server,
        now: Timestamp,
        observation: &mut Observation<'p>,
    ) -> Result<Arc<Subject>, AuthenticationError> {
        let mut proving = pin!(self.authenticate(request, server, now));
        let at_once = poll_fn(|cx| Poll::Ready(proving.as_mut().poll(cx))).await;
        if let Poll::Ready(subject) = at_once {
            return subject;
        }
        // For the record, should the check be given up meanwhile.
        observation.read(&self.glimpse(request, server));
        proving.await
    }

    /// Waits until a body may be read, if it is long.
    async fn turn<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        server: &Server,
        observation: &mut Observation<'p>,
    ) -> Turn<'p> {
        let turn = self.long_bodies.turn(request.body);
        if !turn::is_long(request.body) {
            return turn.await;
        }
        // For the record, should the check be given up meanwhile.
        observation.read(&self.glimpse(request, server));
        let turn = turn.await;
        observation.stage(Stage::Wait);
        turn
    }

    /// Judges what was read of a request whose caller is proved.
    async fn evaluate(
        &self,
        asked: Asked<'_>,
        read: &Read<'_>,
        to: &Addressee<'_>,
        observation: &mut Observation<'_>,
    ) -> Ending {
        let Asked {
            request,
            server,
            subject,
            policy,
            now,
        } = asked;
        let host = request.host_folded();
        let headers = visible_headers(request);
        let candidate = self.candidate.as_ref().map(|store| store.snapshot());
        let policies = Policies {
            enforced: policy,
            candidate: candidate.as_deref(),
        };
        let country = self.country(request, policies);
        let device = self.device(request, subject);
        let peer = self.peer(request, policies, now);
        observation.peer(&peer);
        let context = Context {
            request,
            server,
            subject,
            host: &host,
            headers: &headers,
            catalog: &self.catalog,
            purpose: &self.purpose,
            country: country.as_deref(),
            device: device.as_deref(),
            peer: &peer,
            now,
            decision_id: to.decision_id,
        };
        let ids = context.request_ids(read);
        let is_in_use = match &ids {
            Ok(ids) => ids
                .as_ref()
                .is_some_and(|ids| self.in_flight.is_in_use(ids, now)),
            Err(IdInUse) => true,
        };
        let judgement = context.judge(policies, &*self.state, read, is_in_use).await;
        observation.stage(Stage::Evaluate);
        let mut judgement = match judgement {
            Ok(judgement) => judgement,
            Err(error) => {
                tracing::error!(%error, "a request cannot be judged");
                return failed(to, Reason::StateUnavailable);
            }
        };
        let handoff = context.hand_over(&mut judgement, &*self.state, to, read);
        self.keep_ids(ids.ok().flatten().as_ref(), &context, &mut judgement);
        self.count_ignored(&context, read, &judgement);
        observation.judgement(&judgement, read);
        if let (Some(rehearsal), Some(candidate)) = (&judgement.candidate, &candidate) {
            observation.candidate(rehearsal, candidate.revision());
        }
        context.ending(judgement, handoff, to, read)
    }

    /// Takes note of what the PEP was told wrong.
    fn notice(&self, request: &HttpRequest<'_>, now: Timestamp) {
        if let Some(noticed) = request.noticed {
            self.notices.raise(noticed, now);
        }
        if self.servers.is_chosen_by_host(request) {
            self.notices.raise(Noticed::ServerByHost, now);
        }
    }

    /// The country of the source, where a rule asks for it.
    fn country(&self, request: &HttpRequest<'_>, policies: Policies<'_>) -> Option<String> {
        let countries = self.countries.as_ref()?;
        let is_asked_for = policies.each().any(Policy::has_countries);
        countries.country(request.source.filter(|_| is_asked_for)?)
    }

    /// Who the TLS peer is. It costs something to tell, so that is not known where no rule asks.
    fn peer(&self, request: &HttpRequest<'_>, policies: Policies<'_>, now: Timestamp) -> FoundPeer {
        let (principal, certificate) = (request.principal, request.certificate);
        let is_there = principal.is_some() || certificate.is_some();
        if is_there && !policies.each().any(Policy::has_peers) {
            return FoundPeer::Unknown;
        }
        self.peers.find(principal, certificate, now)
    }

    /// What the token says of the device, or a trusted proxy: said by both or twice, neither can
    /// be relied on.
    fn device<'a>(
        &self,
        request: &HttpRequest<'_>,
        subject: &'a Subject,
    ) -> Option<Cow<'a, authz::Value<'static>>> {
        let header = self.device_header.as_deref();
        let mut said = header.into_iter().flat_map(|name| request.header(name));
        match (subject.device.as_ref(), said.next(), said.next()) {
            (claim, None, _) => claim.map(Cow::Borrowed),
            (None, Some(text), None) => device_posture(text).map(Cow::Owned),
            (_, Some(_), _) => None,
        }
    }

    fn metadata<'p>(
        &'p self,
        request: &HttpRequest<'_>,
        decision_id: Uuid,
        observation: &mut Observation<'p>,
    ) -> Ending {
        let Ok(server) = self.servers.find_metadata(request) else {
            return no_metadata(decision_id);
        };
        observation.server(server);
        let document = server.metadata.document().to_owned();
        let mut answer = answer::json_answer(StatusCode::OK, document);
        answer
            .headers
            .push(("cache-control", "max-age=300".to_owned()));
        Ending::answer(Reason::Metadata, answer)
    }

    async fn authenticate(
        &self,
        request: &HttpRequest<'_>,
        server: &Server,
        now: Timestamp,
    ) -> Result<Arc<Subject>, AuthenticationError> {
        let credentials = Credentials::new(request.path, request.header("authorization"));
        self.authenticator
            .authenticate(&credentials, &server.audience, now)
            .await
    }
}

/// What is judged: by which rules, of whom, and when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    request: &'a HttpRequest<'a>,
    server: &'a Arc<Server>,
    subject: &'a Arc<Subject>,
    policy: &'a Policy,
    now: Timestamp,
}

/// Whether a path can be read in one way only. Servers and proxies differ about everything that
/// is refused here, and a path must not choose the rules (`src/mcp/README.md`, rule 21).
#[must_use]
pub fn path_is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() & !matches!(byte, b'%' | b';' | b'\\' | b'#');
    let dots = |segment: &str| matches!(segment, "." | "..");
    path.starts_with('/')
        && byte_class::all(path.as_bytes(), b'/', plain)
        && !path.as_bytes().windows(2).any(|pair| pair == b"//")
        && !path.split('/').any(dots)
}

/// Headers as a policy may see them: without credentials and without what only this service
/// writes, repeated ones joined (RFC 9110 §5.2).
fn visible_headers<'r>(request: &'r HttpRequest<'_>) -> VisibleHeaders<'r> {
    const HIDDEN: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "dpop"];
    let mut visible: VisibleHeaders<'_> = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        if HIDDEN.contains(&&**name) || name.starts_with(upstream::OWN_PREFIX) {
            continue;
        }
        match visible.iter_mut().find(|(other, _)| other == name) {
            Some((_, joined)) => {
                let joined = joined.to_mut();
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => visible.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
    }
    visible
}
