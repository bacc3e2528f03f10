//! The decision about one request, as its targets are evaluated one by one and limits are taken.

use std::cell::LazyCell;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;
use uuid::Uuid;

use super::merge::add_new;
use super::objection::{ArgumentFault, Objection, objected};
use super::policies::Policies;
use super::reason::Reason;
use super::rehearsal::{add_rehearsal, rehearsed};
use super::takings::{self, Took, take};
use crate::authz::{
    self, AccessRequest, Assigned, Decision, Denial, DenialReason, Evaluation, LimitDemand,
    NearMiss, Policy, Rehearsal, Rehearsed, Rules, Taken, Takings, Undecided, WantedClaims,
};
use crate::mcp::{Nesting, Refusal};
use crate::state::{BindingKind, PlaceKey, State, StateUnavailable};
use crate::text::Text;

/// The decision about all that a request asks for: all of it is allowed, or none.
#[derive(Default)]
pub(super) struct RequestDecision {
    /// None as long as nothing was evaluated, which allows nothing. Not [`Decision::Limit`] once
    /// it is settled.
    pub(super) decision: Option<Decision>,
    /// What the request uses is not the caller's, or in use; then there is no decision.
    pub(super) refusal: Option<Reason>,
    /// The header that is not that of the body, if that is why.
    pub(super) header_fault: Option<Refusal>,
    /// Headers that came more than once, with the value that the upstream gets once.
    pub(super) copies: Vec<(Text, Text)>,
    /// Whether a part of it needs no rule of its own and has none.
    pub(super) is_entailed: bool,
    /// What of the arguments is at fault, if that is why it is denied.
    pub(super) misfit: Option<ArgumentFault>,
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
    /// The class of the tool of each target.
    pub(super) classes: SmallVec<[Option<Arc<str>>; 1]>,
    /// What the outer call of calls inside it takes from limits on how often.
    outer: OuterCall,
    /// Of limits of several targets, where those of each after the first begin.
    joined: Vec<Joined>,
    pub(super) rules: Vec<Arc<str>>,
    /// The claims for want of which no rule allows it.
    pub(super) claims_wanted: WantedClaims,
    /// The allow rules that the request misses by one selector, where none allows it.
    pub(super) near_misses: Vec<NearMiss>,
    pub(super) indeterminate: Vec<Arc<str>>,
    /// Why they could not be evaluated, where that denies or nothing else allows.
    pub(super) undecided: Vec<Undecided>,
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
}

/// What an outer call takes from limits on how often, which the first call inside it does not take
/// again: the two are one call to whoever makes it.
#[derive(Default)]
struct OuterCall {
    enforced: Vec<LimitDemand>,
    shadow: Vec<LimitDemand>,
    candidate: Vec<LimitDemand>,
}

impl RequestDecision {
    /// None yet, about a request in a session that is the caller's since then, and of one message
    /// or more.
    pub(super) fn new(policy: &Policy, session_started: Option<Timestamp>, is_one: bool) -> Self {
        RequestDecision {
            owned_headers: Arc::clone(policy.set_headers()),
            session_started,
            is_one,
            ..RequestDecision::default()
        }
    }

    pub(super) fn is_allowed(&self) -> bool {
        matches!(self.decision, Some(Decision::Allow(_)))
    }

    /// Whether it is allowed if its limits allow it.
    pub(super) fn may_be_allowed(&self) -> bool {
        self.is_allowed() || matches!(self.decision, Some(Decision::Limit(_)))
    }

    /// Whether an allow rule is missing only for want of a scope.
    pub(super) fn lacks_grant(&self) -> bool {
        matches!(&self.decision, Some(Decision::Challenge(challenge)) if challenge.is_for_grant)
    }

    /// Makes a challenge a denial: what is missing says that there is something to be had.
    pub(super) fn conceal(&mut self) {
        if let Some(Decision::Challenge(challenge)) = &self.decision {
            let (reason, rule) = if challenge.is_for_grant {
                (DenialReason::NoMatchingRule, None)
            } else {
                (
                    DenialReason::DeniedByRule,
                    Some(Arc::clone(&challenge.rule)),
                )
            };
            self.decision = Some(Decision::Deny(Denial {
                reason,
                rule,
                message: None,
                retry_after: None,
            }));
        }
    }

    /// Gives back the places of a request that is not allowed after all.
    pub(super) fn give_back(&mut self, state: &dyn State, request: Uuid) {
        takings::give_back(&mut self.places, state, request);
    }

    /// Takes back whatever was decided: what is used there is not the caller's to use.
    pub(super) fn refuse(&mut self, reason: Reason, index: usize) {
        *self = RequestDecision {
            refusal: Some(reason),
            bound: std::mem::take(&mut self.bound),
            decisive: index,
            ..RequestDecision::default()
        };
    }

    /// The class of the tool of a target.
    pub(super) fn class_of(&self, index: usize) -> Option<&Arc<str>> {
        self.classes.get(index)?.as_ref()
    }

    /// Evaluates one target, and says whether it is denied or challenged. An objection refuses
    /// whatever the policy says, unless it denies anyway: its reason says more, but for arguments
    /// that it could not evaluate. What nobody would allow is not objected to, as that may cost
    /// something.
    pub(super) fn evaluate(
        &mut self,
        index: usize,
        policies: Policies<'_>,
        request: &AccessRequest<'_>,
        nesting: Nesting<'_>,
        object: impl FnOnce() -> Option<Objection>,
    ) -> bool {
        if nesting == Nesting::Outer {
            self.outer = OuterCall::default();
        }
        let objection = LazyCell::new(object);
        let (mut evaluation, shadow) = authz::evaluate_beside_shadow(policies.enforced, request);
        let denied = match &evaluation.decision {
            Decision::Deny(denial) => Some(denial.reason),
            Decision::Allow(_) | Decision::Challenge(_) | Decision::Limit(_) => None,
        };
        if let Some(objection) = objected(&objection, denied) {
            evaluation.decision = Decision::Deny(objection.denial());
            evaluation.rules.clear();
            self.misfit = self.misfit.take().or_else(|| objection.fault());
        }
        let is_denied = matches!(
            evaluation.decision,
            Decision::Deny(_) | Decision::Challenge(_)
        );
        if let Decision::Limit(pending) = &mut evaluation.decision {
            let taken = shared(nesting, &mut self.outer.enforced, pending.takings());
            pending.leave_out(taken);
        }
        let undecided = undecided_rules(&evaluation).to_vec();
        self.add(index, evaluation);
        self.look_for_claims(index, policies.enforced, request);
        if self.decisive == index && !undecided.is_empty() {
            self.undecided = authz::undecided(policies.enforced, request, &undecided);
        }
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
        if let Some(mut rehearsal) = shadow {
            if let Rehearsed::Limit(takings) = &mut rehearsal.outcome {
                let taken = shared(nesting, &mut self.outer.shadow, takings);
                takings.leave_out(taken);
            }
            add_rehearsal(&mut self.shadow, refuse(rehearsal), self.is_one);
        }
        if let Some(candidate) = policies.candidate {
            let mut rehearsal = authz::rehearse(candidate, request, Rules::Enforced);
            if let Rehearsed::Limit(takings) = &mut rehearsal.outcome {
                let taken = shared(nesting, &mut self.outer.candidate, takings);
                takings.leave_out(taken);
            }
            add_rehearsal(&mut self.candidate, refuse(rehearsal), self.is_one);
        }
        is_denied
    }

    /// Finds out whether a target that nothing allows would be allowed to a caller with more claims.
    fn look_for_claims(&mut self, index: usize, policy: &Policy, request: &AccessRequest<'_>) {
        if let Some(Decision::Deny(denial)) = &self.decision
            && denial.reason == DenialReason::NoMatchingRule
            && self.decisive == index
        {
            self.claims_wanted = authz::claims_wanted(policy, request);
            self.near_misses = authz::near_misses(policy, request);
        }
    }

    /// A denial outweighs a challenge, and a challenge an allow; challenges and limits add up.
    fn add(&mut self, index: usize, evaluation: Evaluation) {
        self.classes.push(evaluation.class);
        self.is_entailed |= evaluation.is_entailed;
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
                });
                all.join(more, self.is_one);
            }
            (Some(Decision::Challenge(all)), Decision::Challenge(more)) => {
                add_new(&mut all.scopes, more.scopes);
                add_new(&mut all.missing, more.missing);
                add_new(&mut all.held, more.held);
                all.is_for_grant |= more.is_for_grant;
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
                self.decisive = index;
            }
        }
    }

    /// Takes what limits ask for: of the policy in force first, then, kept apart from it, of what
    /// is only rehearsed.
    pub(super) async fn settle(
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
            let (decisive, decision) = match take(state, pending.takings(), request, now).await? {
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
            self.decisive = decisive.unwrap_or(self.decisive);
            self.decision = Some(decision);
        }
        if let Some(Decision::Deny(denial)) = &self.decision
            && denial.reason == DenialReason::RateLimited
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
                Rehearsed::Deny(DenialReason::RateLimited)
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

    /// The target that a limit belongs to; none if it is the first.
    fn joined_at(&self, begin: impl Fn(&Joined) -> usize, limit: usize) -> Option<usize> {
        let joined = self.joined.iter().rfind(|joined| begin(joined) <= limit)?;
        Some(joined.index)
    }
}

/// The rules that deny, or do not allow, for want of facts.
fn undecided_rules(evaluation: &Evaluation) -> &[Arc<str>] {
    let Decision::Deny(denial) = &evaluation.decision else {
        return &[];
    };
    match denial.reason {
        DenialReason::Indeterminate => &evaluation.rules,
        DenialReason::NoMatchingRule => &evaluation.indeterminate,
        DenialReason::DeniedByRule
        | DenialReason::UnknownMethod
        | DenialReason::SenderConstraint
        | DenialReason::RateLimited
        | DenialReason::UnknownTool
        | DenialReason::ToolChanged
        | DenialReason::ArgumentsInvalid
        | DenialReason::InnerCallInvalid => &[],
    }
}

/// What an outer call has taken for its first inner call too; what an outer call takes is remembered.
/// Further inner calls are calls of their own.
fn shared<'o>(
    nesting: Nesting<'_>,
    outer: &'o mut Vec<LimitDemand>,
    takings: &Takings,
) -> &'o [LimitDemand] {
    match nesting {
        Nesting::Outer => {
            outer.clone_from(&takings.calls);
            &[]
        }
        Nesting::FirstInner => outer,
        Nesting::None | Nesting::Unreadable(_) | Nesting::Inner => &[],
    }
}
