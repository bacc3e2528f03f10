//! The results of an evaluation: allow, limit, deny or challenge.

use std::sync::Arc;
use std::time::Duration;

use super::assignment::Assigned;
use super::counting::{LimitDemand, OpenDemand, Takings};
use super::rule::Rule;

/// Whether the request may pass.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may.
    Allow(Allow),
    /// It may if its limits have room; the evaluation does not decide that.
    Limit(Pending),
    /// It may not.
    Deny(Denial),
    /// It may once the caller obtains what is missing.
    Challenge(Challenge),
}

/// The proof that an evaluation allowed a request.
///
/// INVARIANT: only [`super::evaluate`] makes one.
///
/// ```compile_fail,E0451
/// let forged = mcp_authz::authz::Allow { granted: () };
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Allow {
    granted: (),
}

impl Allow {
    pub(super) fn grant() -> Self {
        Allow { granted: () }
    }
}

/// An allow that is still subject to limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Pending {
    takings: Takings,
    allow: Allow,
}

/// The result of an attempt to take from all limits at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Each limit had room and was taken from.
    All,
    /// No limit was taken from.
    Exhausted {
        /// The position of the first limit without room.
        first: usize,
        /// How long it takes until all of them have room.
        retry_after: Duration,
    },
}

/// The result of an attempt to take a place under all limits at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// A place was taken under each limit.
    All,
    /// No place was taken.
    Full {
        /// The position of the first limit without a place.
        first: usize,
    },
}

impl Pending {
    pub(super) fn new(takings: Takings, allow: Allow) -> Self {
        Pending { takings, allow }
    }

    /// What to take from the limits, each of which must have room.
    #[must_use]
    pub fn takings(&self) -> &Takings {
        &self.takings
    }

    /// Leaves out what another part of the request takes for both.
    pub fn leave_out(&mut self, taken: &[LimitDemand]) {
        self.takings.leave_out(taken);
    }

    /// Joins another part of a batch, or of a request that `is_one`: both pass or fail together.
    pub fn join(&mut self, other: Pending, is_one: bool) {
        self.takings.join(other.takings, is_one);
    }

    /// Denies, because there is no place under this limit.
    pub fn refuse(self, first: usize) -> Decision {
        Decision::Deny(Denial::full(self.takings.places.get(first)))
    }

    /// Decides, given whether there was room for the call. INVARIANT: the places were taken before.
    pub fn settle(self, taken: Taken) -> Decision {
        match taken {
            Taken::All => Decision::Allow(self.allow),
            Taken::Exhausted { first, retry_after } => {
                let first = self.takings.calls.get(first);
                Decision::Deny(Denial::rate_limited(first, retry_after))
            }
        }
    }
}

/// How long a client is asked to wait when its places are all taken. When one will be free is
/// unknown.
const FULL_RETRY: Duration = Duration::from_secs(5);

impl Denial {
    /// The denial for a reason, with the rule that caused it. What the rule says to callers it says
    /// of those whom it matches, so of whom it cannot be evaluated for it may be false.
    pub(super) fn new(reason: DenialReason, rule: Option<&Rule>) -> Self {
        let speaking = rule.filter(|_| reason != DenialReason::Indeterminate);
        let message = speaking.and_then(|rule| rule.message.clone());
        Denial {
            reason,
            rule: rule.map(|rule| Arc::clone(&rule.id)),
            message,
            retry_after: None,
        }
    }

    /// The denial of a request if a limit has no place.
    #[must_use]
    pub fn full(limit: Option<&OpenDemand>) -> Self {
        Denial {
            reason: DenialReason::RateLimited,
            rule: limit.map(|limit| Arc::clone(&limit.rule)),
            message: limit.and_then(|limit| limit.message.clone()),
            retry_after: Some(FULL_RETRY),
        }
    }

    /// The denial of a request if a limit has no room.
    #[must_use]
    pub fn rate_limited(limit: Option<&LimitDemand>, retry_after: Duration) -> Self {
        Denial {
            reason: DenialReason::RateLimited,
            rule: limit.map(|limit| Arc::clone(&limit.rule)),
            message: limit.and_then(|limit| limit.message.clone()),
            retry_after: Some(retry_after),
        }
    }
}

/// A refusal by policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The kind of refusal.
    pub reason: DenialReason,
    /// The first rule in file order that caused it, if rules did.
    pub rule: Option<Arc<str>>,
    /// That rule's message for the caller, if the rule matches.
    pub message: Option<Arc<str>>,
    /// How long to wait, where waiting helps.
    pub retry_after: Option<Duration>,
}

/// Why the policy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialReason {
    /// A deny rule matches.
    DeniedByRule,
    /// A deny, require or limit rule cannot be evaluated for this request.
    Indeterminate,
    /// No allow rule matches.
    NoMatchingRule,
    /// The method is not in the protocol, and no allow rule names it.
    UnknownMethod,
    /// A rule requires a token that is bound to its sender.
    SenderConstraint,
    /// A limit is exhausted.
    RateLimited,
    /// The tool is not in the record of its server. A policy never returns this; the check of tools
    /// refuses with it what the policy allows.
    UnknownTool,
    /// The definition of the tool is not the accepted one. A policy never returns this; the check
    /// of tools refuses with it what the policy allows.
    ToolChanged,
    /// The arguments do not fit the recorded input schema of the tool. A policy never returns this
    /// either.
    ArgumentsInvalid,
    /// The calls that the tool would make of other tools cannot be told. A policy never returns this
    /// either.
    InnerCallInvalid,
}

/// What the caller must obtain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Every scope that the matching rules need, including those the token has, in the order of the
    /// rules.
    pub scopes: Vec<Arc<str>>,
    /// The scopes among them that the token lacks.
    pub missing: Vec<Arc<str>>,
    /// The other scopes of the token that some rule names, in order. A client that asks for a new
    /// token without them would lose them.
    pub held: Vec<Arc<str>>,
    /// Whether no allow rule matches, and one would if the token had one of its scopes.
    pub is_for_grant: bool,
    /// Authentication context class references (`acr`), any of which suffices, if the token has
    /// none of them.
    pub acr_values: Vec<Arc<str>>,
    /// The greatest allowed age of the login, if it is older or its age is unknown.
    pub max_age: Option<Duration>,
    /// The first rule in file order that is not met, or the allow rule whose scopes are missing.
    pub rule: Arc<str>,
    /// That rule's message for the caller.
    pub message: Option<Arc<str>>,
}

/// A decision and what led to it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Evaluation {
    /// The decision.
    pub decision: Decision,
    /// The risk class of the tool, if the request is for one.
    pub class: Option<Arc<str>>,
    /// The rules that determined the decision, in file order: the denying ones, those that could
    /// not be evaluated, the unmet requirements, or the granting ones with the met requirements.
    pub rules: Vec<Arc<str>>,
    /// The assignments of the matching allow rules, if the request may pass.
    pub assigned: Assigned,
    /// The rules of any effect that could not be evaluated, in file order.
    pub indeterminate: Vec<Arc<str>>,
    /// Whether no allow rule grants it, and it may pass because it is entailed
    /// ([`Context::is_entailed`](super::request::Context::is_entailed)).
    pub is_entailed: bool,
}

/// The decision under other rules than those in force. It contains no [`Allow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The decision.
    pub outcome: Rehearsed,
    /// The rules that would have determined it, in file order.
    pub rules: Vec<Arc<str>>,
    /// The shadow rules that match or cannot be evaluated, in file order.
    pub shadow: Vec<Arc<str>>,
}

/// A decision that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsed {
    /// It would pass.
    Allow,
    /// It would if these limits had room.
    Limit(Takings),
    /// It would not.
    Deny(DenialReason),
    /// It would once the caller obtained these scopes, or stepped up otherwise.
    Challenge {
        /// Whether a scope is missing.
        scope: bool,
    },
}

impl From<Decision> for Rehearsed {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow(_) => Rehearsed::Allow,
            Decision::Limit(pending) => Rehearsed::Limit(pending.takings),
            Decision::Deny(denial) => Rehearsed::Deny(denial.reason),
            Decision::Challenge(challenge) => Rehearsed::Challenge {
                scope: !challenge.missing.is_empty(),
            },
        }
    }
}
