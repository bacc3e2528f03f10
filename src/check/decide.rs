//! Decides about a parsed request. Every target is evaluated, and either all of them are allowed or
//! none. The state is read before the evaluation, and limits are taken from it after.

use std::ops::{Deref, DerefMut};

use uuid::Uuid;

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::objection::Objection;
use super::parse::ParsedRequest;
use super::policies::Policies;
use super::reason::Reason;
use super::server::Disclose;
use super::session::UsedBindings;
use super::targets::{DecisionTarget, targets};
use crate::authz::{self, AccessRequest, Http, Policy, Readings, Resource, WindowDemand};
use crate::catalog::InputSchema;
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
        let ages = policies.each().any(Policy::has_session_ages);
        let mut found = used.find(state, ages, self.now).await?;
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
        if found.refusal.is_none() {
            for (index, target) in targets.iter().enumerate() {
                let mut request = self.access_request(target, parsed);
                request.context.session_started = found.session_started;
                let demands = policies.demands(&request);
                let readings = match demands.as_slice() {
                    [] => Readings::default(),
                    demands => state.read(demands, self.now).await?,
                };
                request.context.readings = Some(&readings);
                let denied = decided.evaluate(index, policies, &request, || self.objection(target));
                is_denied |= denied;
                if in_turn {
                    let events = policies.events(&request, denied);
                    self.record(state, &events).await?;
                }
            }
            if is_id_in_use && decided.may_be_allowed() {
                decided.refuse(Reason::IdInUse, 0);
                return Ok(decided.finish());
            }
            decided.settle(state, self.decision_id, self.now).await?;
            let says_nothing = self.says_nothing();
            // What no rule allows is in no list either.
            let is_hidden = |target| !self.may_be_listed(target);
            if says_nothing && (decided.lacks_grant() || targets.iter().any(is_hidden)) {
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
        let denied = !decided.is_allowed();
        for (index, target) in targets.iter().enumerate() {
            let denied = denied && index == decided.decisive;
            let events = match (in_turn, denied && !is_denied) {
                (true, true) => policies.late_denial(&self.access_request(target, parsed)),
                (true, false) => continue,
                (false, _) => policies.events(&self.access_request(target, parsed), denied),
            };
            self.record(state, &events).await?;
        }
        Ok(decided.finish())
    }

    fn says_nothing(&self) -> bool {
        self.server.settings.deny.disclose == Disclose::Nothing
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
        if target.standing.is_refused {
            return Some(Objection::ToolChanged);
        }
        let input = target.standing.input.as_deref();
        let input = input.filter(|_| self.server.settings.check_arguments)?;
        let checked = input.check(target.arguments);
        checked.err().map(Objection::ArgumentsInvalid)
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
