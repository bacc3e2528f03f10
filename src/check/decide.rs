//! Decides about a parsed request. Every target is evaluated, and either all of them are allowed or
//! none. The state is read before the evaluation, and limits are taken from it after.

use std::ops::{Deref, DerefMut};

use uuid::Uuid;

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::merge::add_new;
use super::objection::Objection;
use super::parse::ParsedRequest;
use super::policies::Policies;
use super::reason::Reason;
use super::server::Disclose;
use super::session::{FoundBindings, UsedBindings};
use super::targets::{DecisionTarget, targets};
use crate::authz::{self, AccessRequest, Http, Readings, Resource, Value, Window, WindowDemand};
use crate::catalog::InputSchema;
use crate::mcp::{InnerFault, Nesting};
use crate::state::{State, StateUnavailable};

/// A decision on its way. If the check is given up or the store fails, it gives its places back:
/// nobody would see when the request ends.
struct Unfinished<'s> {
    decided: RequestDecision,
    state: &'s dyn State,
    request: Uuid,
}

impl Unfinished<'_> {
    /// Leaves the decision its places.
    fn finish(mut self) -> RequestDecision {
        std::mem::take(&mut self.decided)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.decided.give_back(self.state, self.request);
    }
}

impl Deref for Unfinished<'_> {
    type Target = RequestDecision;

    fn deref(&self) -> &RequestDecision {
        &self.decided
    }
}

impl DerefMut for Unfinished<'_> {
    fn deref_mut(&mut self) -> &mut RequestDecision {
        &mut self.decided
    }
}

/// What of a decided request was counted already.
struct Counting<'c> {
    /// Each target was counted in its turn.
    in_turn: bool,
    /// Some of them as denied.
    is_denied: bool,
    /// The target that the request is denied for, if it is.
    denied: Option<usize>,
    /// The windows that do not count that, target by target.
    uncounted: &'c [Vec<Window>],
}

/// What is to be recorded of an outer call together with its first inner call: the two count as one
/// wherever they are counted alike.
#[derive(Default)]
struct Unrecorded(Vec<WindowDemand>);

impl Unrecorded {
    /// What is to be recorded now, after one more target.
    fn of(&mut self, nesting: Nesting<'_>, events: Vec<WindowDemand>) -> Vec<WindowDemand> {
        match nesting {
            Nesting::Outer => {
                self.0 = events;
                Vec::new()
            }
            Nesting::FirstInner => {
                let mut all = std::mem::take(&mut self.0);
                add_new(&mut all, events);
                all
            }
            Nesting::None | Nesting::Unreadable(_) | Nesting::Inner => events,
        }
    }
}

impl RequestContext<'_> {
    /// Evaluates every target, takes what limits ask for, and records what happened. Where there
    /// are several targets, each is recorded before the next is evaluated, so that windows count
    /// them as they would count as many requests.
    ///
    /// Nothing is taken and nothing recorded for a request whose ids are in use, unless it is
    /// denied anyway.
    pub(super) async fn decide(
        &self,
        policies: Policies<'_>,
        state: &dyn State,
        parsed: &ParsedRequest<'_>,
        is_id_in_use: bool,
    ) -> Result<RequestDecision, StateUnavailable> {
        let targets = targets(self, policies, parsed);
        let session = parsed.routing.as_ref().and_then(|routing| routing.session);
        let resources = targets.iter().map(|target| target.resource);
        let used = UsedBindings::of(self.server, self.subject, session, resources);
        let mut found = used.find(state, policies.have_ages(), self.now).await?;
        let is_one = parsed.messages().len() <= 1;
        let decided = RequestDecision::new(policies.enforced, found.session_started, is_one);
        let mut decided = Unfinished {
            decided,
            state,
            request: self.decision_id,
        };
        let in_turn = targets.len() > 1
            && policies.have_windows()
            && found.refusal.is_none()
            && !is_id_in_use;
        let mut is_denied = false;
        // The windows that a denial is not counted in, target by target.
        let mut uncounted: Vec<Vec<Window>> = Vec::new();
        let mut unrecorded = Unrecorded::default();
        if found.refusal.is_none() {
            for (index, target) in targets.iter().enumerate() {
                let numbered = (index, target);
                let denied = self
                    .evaluate_target(&mut decided, numbered, parsed, &found, policies, state)
                    .await?;
                is_denied |= denied.is_some();
                if in_turn {
                    let request = self.access_request(target, parsed);
                    let events = policies.events(&request, denied.as_deref());
                    self.record(state, &unrecorded.of(target.nesting, events))
                        .await?;
                }
                uncounted.push(denied.unwrap_or_default());
            }
            self.refuse_other_params(&mut decided, parsed, &targets);
            if is_id_in_use && decided.may_be_allowed() {
                decided.refuse(Reason::IdInUse, 0);
            }
            if decided.refusal.is_some() {
                return Ok(decided.finish());
            }
            decided.settle(state, self.decision_id, self.now).await?;
            if self.conceals(&decided, &targets) {
                decided.conceal();
            }
        }
        if decided.is_allowed() {
            used.claim(&mut found, state, self.now).await?;
            decided.bound = found.bound;
        }
        if let Some((reason, index)) = found.refusal {
            decided.give_back(state, self.decision_id);
            decided.refuse(reason, index);
        }
        if !policies.have_windows() {
            return Ok(decided.finish());
        }
        let denied = (!decided.is_allowed()).then_some(decided.decisive);
        let counting = Counting {
            in_turn,
            is_denied,
            denied,
            uncounted: &uncounted,
        };
        self.count(&targets, parsed, &counting, policies, state)
            .await?;
        Ok(decided.finish())
    }

    /// Records what was not recorded target by target.
    async fn count(
        &self,
        targets: &[DecisionTarget<'_>],
        parsed: &ParsedRequest<'_>,
        counting: &Counting<'_>,
        policies: Policies<'_>,
        state: &dyn State,
    ) -> Result<(), StateUnavailable> {
        let mut unrecorded = Unrecorded::default();
        for (index, target) in targets.iter().enumerate() {
            let denied = counting.denied == Some(index);
            let request = self.access_request(target, parsed);
            let events = match (counting.in_turn, denied && !counting.is_denied) {
                (true, true) => policies.late_denial(&request),
                (true, false) => continue,
                (false, _) => {
                    let uncounted = counting.uncounted.get(index);
                    let uncounted = uncounted.map_or(&[][..], Vec::as_slice);
                    let events = policies.events(&request, denied.then_some(uncounted));
                    unrecorded.of(target.nesting, events)
                }
            };
            self.record(state, &events).await?;
        }
        Ok(())
    }

    /// Whether the caller must not know of something that is asked for. What no rule allows is in no
    /// list either.
    fn conceals(&self, decided: &RequestDecision, targets: &[DecisionTarget<'_>]) -> bool {
        let is_hidden = |target| !self.may_be_listed(target);
        self.says_nothing() && (decided.lacks_grant() || targets.iter().any(is_hidden))
    }

    /// Evaluates one target. If it is denied or challenged, the windows that do not count that.
    async fn evaluate_target(
        &self,
        decided: &mut RequestDecision,
        (index, target): (usize, &DecisionTarget<'_>),
        parsed: &ParsedRequest<'_>,
        found: &FoundBindings,
        policies: Policies<'_>,
        state: &dyn State,
    ) -> Result<Option<Vec<Window>>, StateUnavailable> {
        let mut request = self.access_request(target, parsed);
        request.context.session_started = found.session_started;
        let readings = self.read(state, &policies.demands(&request)).await?;
        request.context.readings = Some(&readings);
        request.context.is_entailed = self
            .is_entailed(target, &request, found, policies.enforced, state)
            .await?;
        let is_denied = decided.evaluate(index, policies, &request, target.nesting, || {
            self.objection(target)
        });
        Ok(is_denied.then(|| authz::uncounted(policies.enforced, &request)))
    }

    /// What is counted of these windows.
    pub(super) async fn read(
        &self,
        state: &dyn State,
        demands: &[WindowDemand],
    ) -> Result<Readings, StateUnavailable> {
        if demands.is_empty() {
            return Ok(Readings::default());
        }
        state.read(demands, self.now).await
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
    fn objection(&self, target: &DecisionTarget<'_>) -> Option<Objection> {
        if let Some(refusal) = target.standing.refusal {
            return Some(Objection::Tool(refusal));
        }
        if let Nesting::Unreadable(fault) = target.nesting {
            return Some(Objection::InnerCallInvalid(fault.clone()));
        }
        let input = target.standing.input.as_deref();
        if let Some(fault) = input.and_then(|input| self.defaulted(target, input)) {
            return Some(Objection::InnerCallInvalid(fault));
        }
        let input = input.filter(|_| self.server.settings.check_arguments)?;
        let checked = input.check(target.arguments);
        checked.err().map(Objection::ArgumentsInvalid)
    }

    /// Whether an outer call leaves out the arguments of the inner one where its tool declares others
    /// as their default.
    fn defaulted(&self, target: &DecisionTarget<'_>, input: &InputSchema) -> Option<InnerFault> {
        if target.nesting != Nesting::Outer {
            return None;
        }
        let name = target.resource.name()?;
        let mut known = self.server.settings.indirect.as_deref()?.iter();
        let paths = known.find(|one| one.is_meant_by(name))?.inner.as_ref()?;
        let sent = target
            .arguments
            .map(|sent| authz::argument(sent, &paths.arguments));
        let is_left_out = match sent {
            None | Some(Ok(None | Some(Value::Null))) => true,
            // No arguments, as JSON text.
            Some(Ok(Some(value))) => value.as_str() == Some(""),
            Some(Err(_)) => false,
        };
        let default = authz::argument(input.defaults(), &paths.arguments);
        let is_nothing = match default {
            Ok(default) => default.is_none_or(|default| match default {
                Value::Map(members) => members.is_empty(),
                Value::Null => true,
                Value::Bool(_)
                | Value::Int(_)
                | Value::Uint(_)
                | Value::Float(_)
                | Value::String(_)
                | Value::Unsound(_)
                | Value::List(_) => false,
            }),
            Err(_) => false,
        };
        let is_one = paths.calls.is_none();
        (is_one && is_left_out && !is_nothing).then(|| InnerFault::defaulted(paths))
    }

    /// Whether a denied client learns nothing.
    fn says_nothing(&self) -> bool {
        self.server.settings.deny.disclose == Disclose::Nothing
    }

    /// Whether the caller may know of what is asked for, as far as the lists tell. What the policy
    /// hides from the caller it denies.
    fn may_be_listed(&self, target: &DecisionTarget<'_>) -> bool {
        match target.resource {
            Resource::Tool(name) => self.catalog.may_be_listed(&self.server.name, name),
            Resource::Server
            | Resource::Prompt(_)
            | Resource::Uri(_)
            | Resource::Template(_)
            | Resource::Task(_) => true,
        }
    }

    fn access_request<'a>(
        &'a self,
        target: &'a DecisionTarget<'_>,
        parsed: &'a ParsedRequest<'_>,
    ) -> AccessRequest<'a> {
        let routing = parsed.routing.as_ref();
        let spoken = routing.and_then(|routing| routing.protocol_version);
        AccessRequest {
            subject: self.subject,
            peer: self.peer.as_peer(),
            server: &self.server.name,
            action: target.action,
            resource: target.resource,
            arguments: target.arguments,
            input: target.input,
            meta: target.meta,
            protocol_version: spoken.or(target.proposed_version),
            session: routing.and_then(|routing| routing.session),
            source: self.request.source,
            http: Http {
                host: self.host,
                path: self.request.path_only(),
                headers: self.headers,
            },
            now: self.now,
            context: authz::Context {
                purpose: self.purpose.declared(self.request, target.message),
                country: self.country,
                device: self.device,
                hints: target.standing.hints,
                tool_is_unlisted: target.standing.is_unlisted,
                uris: self.server.settings.uris,
                defaults: target.standing.input.as_deref().map(InputSchema::defaults),
                ..authz::Context::default()
            },
        }
    }
}

#[cfg(test)]
mod tests;
