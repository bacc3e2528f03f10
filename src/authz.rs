//! The decision: who may do what, as a pure function of policy and request.
//!
//! Nothing here waits, reads a clock or does I/O, and nothing can fail: what cannot be evaluated
//! is a denial with its own reason.

mod condition;
mod decision;
mod evaluation;
mod explain;
mod expression;
mod glob;
mod index;
mod outlook;
mod policy;
mod request;
mod visibility;

pub use condition::{
    ClaimSelector, Expected, Match, MethodPattern, Names, ResourceKind, ValuePath, ValueSelector,
    What, Where, Who, canonical_network,
};
pub use decision::{Allow, Challenge, Decision, Denial, DenialReason, Evaluation};
pub use evaluation::evaluate;
pub use explain::{Explanation, RuleExplanation, SelectorExplanation, explain};
pub use expression::{
    EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX, EXPRESSION_NESTED_VALUES_MAX,
    EXPRESSION_VALUES_MAX, Expression, InvalidExpression,
};
pub use glob::{Glob, InvalidGlob, PATTERN_TOKENS_MAX};
pub use outlook::{Outlook, Prospect, outlook};
pub use policy::{Effect, Needs, Policy, PolicyParts, Rule, ToolClasses, UNCLASSIFIED};
pub use request::{AccessRequest, Action, ActionKind, Http, Resource, Subject, Value};
pub use visibility::is_visible;
