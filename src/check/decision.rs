//! From what a request asks for to one decision: every part is evaluated, all of it is allowed or
//! none, and what the decision needs of the state is read before and taken after.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::{SmallVec, smallvec};
use uuid::Uuid;

use super::session::Used;
use super::{Disclose, HttpRequest, Read, Reason, Server};
use crate::authn::FoundPeer;
use crate::authz::{
    self, AccessRequest, Action, ActionKind, Assigned, Count, Decision, Declared, Denial,
    Evaluation, Http, Opened, Policy, Readings, Rehearsal, Rehearsed, Resource, Rules, Subject,
    Taken, Takings, WindowDemand,
};
use crate::catalog::{Catalog, InputSchema, InvalidArguments, Standing};
use crate::mcp::Message;
use crate::state::{BindingKind, PlaceKey, State, StateUnavailable};

pub(super) type VisibleHeaders<'r> = Vec<(Cow<'r, str>, Cow<'r, str>)>;

/// Where clients say what a call is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurposeSettings {
    /// A header, in lower case.
    pub header: Option<String>,
    /// A key of `params._meta`.
    pub meta: Option<String>,
}

/// Everything a decision is made in, but for what is asked.
pub(super) struct Context<'c> {
    pub(super) request: &'c HttpRequest<'c>,
    pub(super) server: &'c Arc<Server>,
    pub(super) subject: &'c Arc<Subject>,
    /// The authority, in lower case.
    pub(super) host: &'c str,
    pub(super) headers: &'c VisibleHeaders<'c>,
    pub(super) catalog: &'c Catalog,
    pub(super) purpose: &'c PurposeSettings,
    pub(super) country: Option<&'c str>,
    pub(super) device: Option<&'c authz::Value<'static>>,
    pub(super) peer: &'c FoundPeer,
    pub(super) now: Timestamp,
    pub(super) decision_id: Uuid,
}

/// The policies of one decision.
#[derive(Clone, Copy)]
pub(super) struct Policies<'p> {
    pub(super) enforced: &'p Policy,
    /// Evaluated beside it.
    pub(super) candidate: Option<&'p Policy>,
}

/// The decision about all that a request asks for: all of it is allowed, or none.
#[derive(Default)]
pub(super) struct Judgement {
    /// None as long as nothing was evaluated, which allows nothing. Not [`Decision::Limit`] once
    /// it is settled.
    pub(super) decision: Option<Decision>,
    /// What the request uses is not the caller's, or in use; then there is no decision.
    pub(super) refusal: Option<Reason>,
    /// Where the arguments do not fit, if that is why it is denied.
    pub(super) misfit: Option<InvalidArguments>,
    /// Since when the caller has the session of the request.
    pub(super) session_started: Option<Timestamp>,
    /// What the request has bound to the caller.
    pub(super) bound: Vec<BindingKind>,
    /// The places that it has under limits on how many are open at once.
    pub(super) places: Vec<PlaceKey>,
    /// Whether there is one message, whatever it reaches.
    is_one: bool,
    /// Which target decided.
    pub(super) decisive: usize,
    /// The class of its tool.
    pub(super) class: Option<Arc<str>>,
    /// Of limits of several targets, where those of each after the first begin.
    joined: Vec<Joined>,
    pub(super) rules: Vec<Arc<str>>,
    pub(super) indeterminate: Vec<Arc<str>>,
    /// What the policy sets; of several targets, what all of them agree on.
    pub(super) assigned: Option<Assigned>,
    /// The headers that are the policy's to set.
    pub(super) owned_headers: Arc<[Arc<str>]>,
    /// What it would be with the shadow rules.
    pub(super) shadow: Option<Rehearsal>,
    /// What it would be with the candidate.
    pub(super) candidate: Option<Rehearsal>,
}

/// A target whose limits stand behind those of others.
struct Joined {
    /// The number of its first limit on how often.
    calls: usize,
    /// The number of its first limit on how many at once.
    places: usize,
    /// The number of the target.
    index: usize,
    /// The class of its tool.
    class: Option<Arc<str>>,
}

impl Policies<'_> {
    pub(super) fn each(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(self.enforced).chain(self.candidate)
    }

    fn demands(&self, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
        let mut demands = authz::demands(self.enforced, request);
        if let Some(candidate) = self.candidate {
            add_new(&mut demands, authz::demands(candidate, request));
        }
        demands
    }

    /// Whether some rule looks at what was counted, so that requests are recorded.
    fn have_windows(&self) -> bool {
        self.each().any(|policy| !policy.windows().is_empty())
    }

    fn events(&self, request: &AccessRequest<'_>, denied: bool) -> Vec<WindowDemand> {
        let mut events = authz::events(self.enforced, request, denied);
        if let Some(candidate) = self.candidate {
            add_new(&mut events, authz::events(candidate, request, denied));
        }
        events
    }

    /// What is recorded of a request that was recorded already and is denied after all.
    fn late_denial(&self, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
        let mut events = self.events(request, true);
        events.retain(|event| event.window.count == Count::Denials);
        events
    }
}

impl Context<'_> {
    /// Evaluates everything, takes what limits ask for, and remembers what happened. Of several
    /// parts each is remembered before the next is evaluated, so that windows show no less of them
    /// than of as many requests.
    ///
    /// Nothing is taken and nothing remembered of a request whose ids are in use, unless it is
    /// denied anyway.
    pub(super) async fn judge(
        &self,
        policies: Policies<'_>,
        state: &dyn State,
        read: &Read<'_>,
        is_id_in_use: bool,
    ) -> Result<Judgement, StateUnavailable> {
        let asks = asks(self, policies, read);
        let session = read.routing.as_ref().and_then(|routing| routing.session);
        let resources = asks.iter().map(|ask| ask.resource);
        let used = Used::of(self.server, self.subject, session, resources);
        let ages = policies.each().any(Policy::has_session_ages);
        let mut found = used.find(state, ages, self.now).await?;
        let mut judgement = Judgement {
            owned_headers: Arc::clone(policies.enforced.set_headers()),
            session_started: found.session_started,
            is_one: read.messages().len() <= 1,
            ..Judgement::default()
        };
        let in_turn =
            asks.len() > 1 && policies.have_windows() && found.refusal.is_none() && !is_id_in_use;
        let mut is_denied = false;
        if found.refusal.is_none() {
            for (index, ask) in asks.iter().enumerate() {
                let mut request = self.access_request(ask, read);
                request.context.session_started = found.session_started;
                let demands = policies.demands(&request);
                let readings = if demands.is_empty() {
                    Readings::default()
                } else {
                    state.read(&demands, self.now).await?
                };
                request.context.readings = Some(&readings);
                let denied = judgement.evaluate(index, policies, &request, || self.objection(ask));
                is_denied |= denied;
                if in_turn {
                    let events = policies.events(&request, denied);
                    self.record(state, &events).await?;
                }
            }
            if is_id_in_use && judgement.may_be_allowed() {
                judgement.refuse(Reason::IdInUse, 0);
                return Ok(judgement);
            }
            judgement.settle(state, self.decision_id, self.now).await?;
            let says_nothing = self.server.settings.deny.disclose == Disclose::Nothing;
            if says_nothing && !asks.iter().all(|ask| self.may_be_listed(ask)) {
                judgement.conceal();
            }
        }
        if judgement.is_allowed() {
            used.claim(&mut found, state, self.now).await?;
            judgement.bound = found.bound;
        }
        if let Some((reason, index)) = found.refusal {
            judgement.give_back(state, self.decision_id);
            judgement.refuse(reason, index);
        }
        if !policies.have_windows() {
            return Ok(judgement);
        }
        let denied = !judgement.is_allowed();
        for (index, ask) in asks.iter().enumerate() {
            let denied = denied && index == judgement.decisive;
            let events = match (in_turn, denied && !is_denied) {
                (true, true) => policies.late_denial(&self.access_request(ask, read)),
                (true, false) => continue,
                (false, _) => policies.events(&self.access_request(ask, read), denied),
            };
            self.record(state, &events).await?;
        }
        Ok(judgement)
    }

    async fn record(
        &self,
        state: &dyn State,
        events: &[WindowDemand],
    ) -> Result<(), StateUnavailable> {
        if events.is_empty() {
            return Ok(());
        }
        state.record(events, self.now).await
    }

    /// What speaks against a call besides the policy.
    fn objection(&self, ask: &Ask<'_>) -> Option<Objection> {
        if ask.standing.is_refused {
            return Some(Objection::ToolChanged);
        }
        let input = ask.standing.input.as_deref();
        let input = input.filter(|_| self.server.settings.check_arguments)?;
        let checked = input.check(ask.arguments);
        checked.err().map(Objection::ArgumentsInvalid)
    }

    /// Whether the caller may know of what is asked for, as far as the lists tell. What the policy
    /// hides from the caller it denies.
    fn may_be_listed(&self, ask: &Ask<'_>) -> bool {
        match ask.resource {
            Resource::Tool(name) => self.catalog.may_be_listed(&self.server.name, name),
            Resource::Server
            | Resource::Prompt(_)
            | Resource::Uri(_)
            | Resource::Template(_)
            | Resource::Task(_) => true,
        }
    }

    fn access_request<'a>(&'a self, ask: &'a Ask<'_>, read: &'a Read<'_>) -> AccessRequest<'a> {
        let routing = read.routing.as_ref();
        let spoken = routing.and_then(|routing| routing.protocol_version);
        AccessRequest {
            subject: self.subject,
            peer: self.peer.as_peer(),
            server: &self.server.name,
            action: ask.action,
            resource: ask.resource,
            arguments: ask.arguments,
            input: ask.input,
            meta: ask.meta,
            protocol_version: spoken.or(ask.proposed_version),
            session: routing.and_then(|routing| routing.session),
            source: self.request.source,
            http: Http {
                host: self.host,
                path: self.request.path_only(),
                headers: self.headers,
            },
            now: self.now,
            context: authz::Context {
                purpose: self.declared_purpose(ask.message),
                country: self.country,
                device: self.device,
                hints: ask.standing.hints,
                tool_is_unlisted: ask.standing.is_unlisted,
                uris: self.server.settings.uris,
                defaults: ask.standing.input.as_deref().map(InputSchema::defaults),
                ..authz::Context::default()
            },
        }
    }

    /// The purpose of a call. Said in two places it has to be the same.
    pub(super) fn declared_purpose<'a>(&'a self, message: Option<&'a Message<'_>>) -> Declared<'a> {
        let header = self.purpose.header.as_deref();
        let mut said = header
            .into_iter()
            .flat_map(|name| self.request.header(name));
        let by_header = match (said.next(), said.next()) {
            (None, _) => Declared::Nothing,
            (Some(purpose), None) if !purpose.contains(',') => Declared::As(purpose.trim()),
            (Some(_), _) => Declared::Unclear,
        };
        let meta = message.and_then(|message| message.meta.as_ref());
        let value = self
            .purpose
            .meta
            .as_deref()
            .and_then(|key| meta.and_then(|meta| meta.member(key)));
        let by_meta = value.map_or(Declared::Nothing, |value| {
            value.as_str().map_or(Declared::Unclear, Declared::As)
        });
        match (by_header, by_meta) {
            (Declared::Nothing, only) | (only, Declared::Nothing) => only,
            (one, other) if one == other => one,
            (_, _) => Declared::Unclear,
        }
    }
}

impl Judgement {
    pub(super) fn is_allowed(&self) -> bool {
        matches!(self.decision, Some(Decision::Allow(_)))
    }

    /// Whether it is allowed if its limits allow it.
    fn may_be_allowed(&self) -> bool {
        self.is_allowed() || matches!(self.decision, Some(Decision::Limit(_)))
    }

    /// Makes a challenge a denial: what is missing says that there is something to be had.
    fn conceal(&mut self) {
        if let Some(Decision::Challenge(challenge)) = &self.decision {
            self.decision = Some(Decision::Deny(Denial {
                reason: authz::DenialReason::DeniedByRule,
                rule: Some(Arc::clone(&challenge.rule)),
                message: None,
                retry_after: None,
            }));
        }
    }

    /// Gives back the places of a request that is not allowed after all.
    pub(super) fn give_back(&mut self, state: &dyn State, request: Uuid) {
        if !self.places.is_empty() {
            state.close(&std::mem::take(&mut self.places), request);
        }
    }

    /// Takes back whatever was decided: what is used there is not the caller's to use.
    pub(super) fn refuse(&mut self, reason: Reason, index: usize) {
        *self = Judgement {
            refusal: Some(reason),
            bound: std::mem::take(&mut self.bound),
            decisive: index,
            ..Judgement::default()
        };
    }

    /// Evaluates one target, and says whether it is denied or challenged. An objection refuses
    /// whatever the policy says, unless it denies anyway: its reason says more, but for arguments
    /// that it could not evaluate. What nobody would allow is not objected to, as that may cost
    /// something.
    fn evaluate(
        &mut self,
        index: usize,
        policies: Policies<'_>,
        request: &AccessRequest<'_>,
        object: impl FnOnce() -> Option<Objection>,
    ) -> bool {
        let objection = LazyCell::new(object);
        let (mut evaluation, shadow) = authz::evaluate_beside_shadow(policies.enforced, request);
        let denied = match &evaluation.decision {
            Decision::Deny(denial) => Some(denial.reason),
            Decision::Allow(_) | Decision::Challenge(_) | Decision::Limit(_) => None,
        };
        if let Some(objection) = objected(&objection, denied) {
            evaluation.decision = Decision::Deny(objection.denial());
            evaluation.rules.clear();
            if let (Objection::ArgumentsInvalid(misfit), None) = (objection, &self.misfit) {
                self.misfit = Some(misfit.clone());
            }
        }
        let is_denied = matches!(
            evaluation.decision,
            Decision::Deny(_) | Decision::Challenge(_)
        );
        self.add(index, evaluation);
        let refuse = |mut rehearsal: Rehearsal| {
            let denied = match &rehearsal.outcome {
                Rehearsed::Deny(reason) => Some(*reason),
                Rehearsed::Allow | Rehearsed::Limit(_) | Rehearsed::Challenge { .. } => None,
            };
            if let Some(objection) = objected(&objection, denied) {
                rehearsal.outcome = Rehearsed::Deny(objection.reason());
            }
            rehearsal
        };
        if let Some(rehearsal) = shadow {
            add_rehearsal(&mut self.shadow, refuse(rehearsal), self.is_one);
        }
        if let Some(candidate) = policies.candidate {
            let rehearsal = authz::rehearse(candidate, request, Rules::Enforced);
            add_rehearsal(&mut self.candidate, refuse(rehearsal), self.is_one);
        }
        is_denied
    }

    /// A denial outweighs a challenge, and a challenge an allow; challenges and limits add up.
    fn add(&mut self, index: usize, evaluation: Evaluation) {
        add_new(&mut self.rules, evaluation.rules);
        add_new(&mut self.indeterminate, evaluation.indeterminate);
        match &mut self.assigned {
            Some(assigned) => assigned.join(evaluation.assigned),
            None => self.assigned = Some(evaluation.assigned),
        }
        match (&mut self.decision, evaluation.decision) {
            (Some(Decision::Deny(_)), _)
            | (
                Some(Decision::Allow(_) | Decision::Limit(_) | Decision::Challenge(_)),
                Decision::Allow(_),
            )
            | (Some(Decision::Challenge(_)), Decision::Limit(_)) => {}
            (Some(Decision::Limit(all)), Decision::Limit(more)) => {
                self.joined.push(Joined {
                    calls: all.takings().calls.len(),
                    places: all.takings().places.len(),
                    index,
                    class: evaluation.class,
                });
                all.join(more, self.is_one);
            }
            (Some(Decision::Challenge(all)), Decision::Challenge(more)) => {
                add_new(&mut all.scopes, more.scopes);
                add_new(&mut all.missing, more.missing);
                if all.acr_values.is_empty() {
                    all.acr_values = more.acr_values;
                }
                all.max_age = match (all.max_age, more.max_age) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            (None, decision)
            | (Some(Decision::Allow(_)), decision @ Decision::Limit(_))
            | (
                Some(Decision::Allow(_) | Decision::Limit(_)),
                decision @ (Decision::Challenge(_) | Decision::Deny(_)),
            )
            | (Some(Decision::Challenge(_)), decision @ Decision::Deny(_)) => {
                self.decision = Some(decision);
                self.class = evaluation.class;
                self.decisive = index;
            }
        }
    }

    /// Takes what limits ask for: of the policy in force first, then, kept apart from it, of what
    /// is only rehearsed.
    async fn settle(
        &mut self,
        state: &dyn State,
        request: Uuid,
        now: Timestamp,
    ) -> Result<(), StateUnavailable> {
        let mut enforced = Vec::new();
        if let Some(Decision::Limit(pending)) = self
            .decision
            .take_if(|decision| matches!(decision, Decision::Limit(_)))
        {
            enforced.extend(pending.takings().rules().cloned());
            let (joined, decision) = match take(state, pending.takings(), request, now).await? {
                Took::All(places) => {
                    self.places = places;
                    (None, pending.settle(Taken::All))
                }
                Took::NoPlace(first) => {
                    (self.joined_at(|it| it.places, first), pending.refuse(first))
                }
                Took::NoCall(first, taken) => {
                    (self.joined_at(|it| it.calls, first), pending.settle(taken))
                }
            };
            if let Some((index, class)) = joined {
                self.decisive = index;
                self.class = class;
            }
            self.decision = Some(decision);
        }
        if let Some(Decision::Deny(denial)) = &self.decision
            && denial.reason == authz::DenialReason::RateLimited
        {
            self.rules = denial.rule.iter().cloned().collect();
        }
        let is_allowed = self.is_allowed();
        if let Some(shadow) = &mut self.shadow
            && let Rehearsed::Limit(takings) = &shadow.outcome
        {
            shadow.outcome = if is_allowed {
                let own = takings.aside(&enforced, "shadow");
                rehearsed(take(state, &own, request, now).await?, &mut self.places)
            } else {
                Rehearsed::Deny(authz::DenialReason::RateLimited)
            };
        }
        if let Some(candidate) = &mut self.candidate
            && let Rehearsed::Limit(takings) = &candidate.outcome
        {
            let mut own = takings.aside(&[], "candidate");
            if !is_allowed {
                // Nobody would see when it ends.
                own.places.clear();
            }
            candidate.outcome = rehearsed(take(state, &own, request, now).await?, &mut self.places);
        }
        Ok(())
    }

    /// The target that a limit belongs to, and the class of its tool; none if it is the first.
    fn joined_at(
        &self,
        begin: impl Fn(&Joined) -> usize,
        limit: usize,
    ) -> Option<(usize, Option<Arc<str>>)> {
        let joined = self.joined.iter().rfind(|joined| begin(joined) <= limit)?;
        Some((joined.index, joined.class.clone()))
    }
}

/// The objection that counts, where the policy alone denies for this reason or not at all.
fn objected<O: FnOnce() -> Option<Objection>>(
    objection: &LazyCell<Option<Objection>, O>,
    denied: Option<authz::DenialReason>,
) -> Option<&Objection> {
    match denied {
        None => objection.as_ref(),
        // Arguments that a client can put right say more than that no rule could read them.
        Some(authz::DenialReason::Indeterminate) => objection
            .as_ref()
            .filter(|objection| matches!(objection, Objection::ArgumentsInvalid(_))),
        Some(_) => None,
    }
}

/// What became of an attempt to take all that limits are asked for.
enum Took {
    /// All of it, with these places.
    All(Vec<PlaceKey>),
    /// Nothing: the limit of this number on how many are open at once has no place.
    NoPlace(usize),
    /// Nothing: the limit of this number on how often has no room.
    NoCall(usize, Taken),
}

/// Places are taken first, since they alone can be given back.
async fn take(
    state: &dyn State,
    takings: &Takings,
    request: Uuid,
    now: Timestamp,
) -> Result<Took, StateUnavailable> {
    let mut places = Vec::new();
    if !takings.places.is_empty() {
        if let Opened::Full { first } = state.open(&takings.places, request, now).await? {
            return Ok(Took::NoPlace(first));
        }
        places.extend(
            takings
                .places
                .iter()
                .map(|demand| PlaceKey::of(&demand.key)),
        );
    }
    if takings.calls.is_empty() {
        return Ok(Took::All(places));
    }
    let taken = state.take(&takings.calls, now).await;
    if taken != Ok(Taken::All) && !places.is_empty() {
        state.close(&places, request);
    }
    Ok(match taken? {
        Taken::All => Took::All(places),
        taken @ Taken::Exhausted { first, .. } => Took::NoCall(first, taken),
    })
}

/// What a rehearsal comes to; the places that it has taken are added to those of the request.
fn rehearsed(took: Took, places: &mut Vec<PlaceKey>) -> Rehearsed {
    match took {
        Took::All(own) => {
            places.extend(own);
            Rehearsed::Allow
        }
        Took::NoPlace(_) | Took::NoCall(..) => Rehearsed::Deny(authz::DenialReason::RateLimited),
    }
}

fn add_rehearsal(all: &mut Option<Rehearsal>, more: Rehearsal, is_one: bool) {
    let Some(all) = all else {
        *all = Some(more);
        return;
    };
    add_new(&mut all.rules, more.rules);
    add_new(&mut all.shadow, more.shadow);
    match (&mut all.outcome, more.outcome) {
        (Rehearsed::Limit(all), Rehearsed::Limit(more)) => all.join(more, is_one),
        (Rehearsed::Challenge { scope }, Rehearsed::Challenge { scope: more }) => *scope |= more,
        (old, new) if weight(&new) > weight(old) => *old = new,
        _ => {}
    }
}

fn weight(outcome: &Rehearsed) -> u8 {
    match outcome {
        Rehearsed::Allow => 0,
        Rehearsed::Limit(_) => 1,
        Rehearsed::Challenge { .. } => 2,
        Rehearsed::Deny(_) => 3,
    }
}

/// The reason that a rehearsed decision would have.
pub(super) fn rehearsed_reason(outcome: &Rehearsed) -> Reason {
    match outcome {
        Rehearsed::Allow | Rehearsed::Limit(_) => Reason::Allowed,
        Rehearsed::Deny(reason) => Reason::from(*reason),
        Rehearsed::Challenge { scope: true } => Reason::InsufficientScope,
        Rehearsed::Challenge { scope: false } => Reason::StepUpRequired,
    }
}

/// Adds what is not there yet. Neither list repeats anything.
fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
        return;
    }
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// What speaks against a call, whatever the policy says.
enum Objection {
    /// The definition of the tool is not the accepted one.
    ToolChanged,
    /// The arguments do not fit it.
    ArgumentsInvalid(InvalidArguments),
}

impl Objection {
    fn reason(&self) -> authz::DenialReason {
        match self {
            Objection::ToolChanged => authz::DenialReason::ToolChanged,
            Objection::ArgumentsInvalid(_) => authz::DenialReason::ArgumentsInvalid,
        }
    }

    fn denial(&self) -> Denial {
        Denial {
            reason: self.reason(),
            rule: None,
            message: None,
            retry_after: None,
        }
    }
}

/// One thing that a request asks for.
struct Ask<'a> {
    action: Action<'a>,
    resource: Resource<'a>,
    arguments: Option<&'a authz::Value<'a>>,
    input: Option<&'a authz::Value<'a>>,
    meta: Option<&'a authz::Value<'a>>,
    proposed_version: Option<&'a str>,
    message: Option<&'a Message<'a>>,
    /// What is known of the tool, if it is one.
    standing: Standing,
}

fn asks<'a>(
    context: &Context<'a>,
    policies: Policies<'_>,
    read: &'a Read<'_>,
) -> SmallVec<[Ask<'a>; 1]> {
    let standing = |resource: Resource<'_>| {
        let (catalog, server) = (context.catalog, &context.server.name);
        match resource {
            Resource::Tool(name) => {
                let mut standing = catalog.standing(server, name);
                let is_named = || {
                    policies
                        .each()
                        .any(|policy| policy.names_tool(server, name))
                };
                standing.is_unlisted = standing.is_unlisted && !is_named();
                standing
            }
            Resource::Server
            | Resource::Prompt(_)
            | Resource::Uri(_)
            | Resource::Template(_)
            | Resource::Task(_) => Standing::of_none(catalog.hints(server)),
        }
    };
    if read.payload.is_none() {
        let action = Action {
            method: context.request.method,
            authorized_as: None,
            kind: ActionKind::Open,
        };
        let resource = Resource::Server;
        return smallvec![Ask {
            action,
            resource,
            arguments: None,
            input: None,
            meta: None,
            proposed_version: None,
            message: None,
            standing: standing(resource),
        }];
    }
    let messages = read.messages().iter();
    messages
        .flat_map(|message| {
            message.targets().into_iter().map(move |target| Ask {
                action: target.action,
                resource: target.resource,
                arguments: target.arguments,
                input: target.input,
                meta: target.meta,
                proposed_version: message.proposed_version.as_deref(),
                message: Some(message),
                standing: standing(target.resource),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
