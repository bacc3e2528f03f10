//! What an evaluation comes to.

use std::sync::Arc;

/// Whether the request may pass.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may.
    Allow(Allow),
    /// It may not.
    Deny(Denial),
    /// It may as soon as the caller brings what is missing.
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

/// A refusal by policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The kind of refusal.
    pub reason: DenialReason,
    /// The first rule in file order that caused it, if rules did.
    pub rule: Option<Arc<str>>,
    /// That rule's message for the caller.
    pub message: Option<Arc<str>>,
}

/// Why policy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialReason {
    /// A deny rule matches.
    DeniedByRule,
    /// A deny or require rule cannot be evaluated for this request.
    Indeterminate,
    /// No allow rule matches.
    NoMatchingRule,
    /// The method is not of the protocol, and no allow rule names it.
    UnknownMethod,
}

/// What the caller has to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Every scope that the matching rules need, held ones included, in the order of the rules.
    pub scopes: Vec<Arc<str>>,
    /// Those of them that the token lacks. Never empty.
    pub missing: Vec<Arc<str>>,
    /// The first rule in file order that is not met.
    pub rule: Arc<str>,
    /// That rule's message for the caller.
    pub message: Option<Arc<str>>,
}

/// A decision with what led to it.
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
    /// The rules of any effect that could not be evaluated, in file order.
    pub indeterminate: Vec<Arc<str>>,
}
