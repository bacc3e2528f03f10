//! The decision: who may do what, as a pure function of policy and request.
//!
//! Nothing here waits, reads a clock or does I/O, and nothing can fail: what cannot be evaluated
//! is a denial with its own reason.
//!
//! A value that some server may read as another cannot be evaluated. Take `deny` with
//! `if: args.force == true` and a call with `{"force": "true"}`: the argument is neither equal to
//! the literal nor different to every server, so the comparison has no result, the rule is
//! [`Match::Indeterminate`], and the call is denied. An `allow` with the same condition would not
//! grant.

mod assignment;
mod classes;
mod compare;
mod condition;
mod counting;
mod decision;
mod evaluation;
mod explain;
mod expression;
mod glob;
mod index;
mod json_text;
mod outlook;
mod path;
mod peer;
mod policy;
mod request;
mod spelling;
mod uri;
mod visibility;

pub use assignment::{Assigned, Assignments, InvalidTemplate, REFERENCES, Template};
pub use classes::{HintedClass, Hints, ToolClasses, TrustedHints, UNCLASSIFIED};
pub use condition::{
    Behaviour, ClaimSelector, Clock, Expected, Hours, Match, MethodPattern, Names, ResourceKind,
    TextPattern, ValueSelector, What, When, Where, Who, Why, canonical_network,
};
pub use counting::{
    Count, CounterKey, Holder, HolderKind, KeyPart, Limit, LimitDemand, OpenDemand, OpenLimit,
    Readings, Takings, Window, WindowDemand,
};
pub use decision::{
    Allow, Challenge, Decision, Denial, DenialReason, Evaluation, Opened, Pending, Rehearsal,
    Rehearsed, Taken,
};
pub use evaluation::{demands, evaluate, evaluate_beside_shadow, events, rehearse};
pub use explain::{Explanation, NoResult, RuleExplanation, SelectorExplanation, explain};
pub use expression::{
    EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX, EXPRESSION_NESTED_BYTES_MAX,
    EXPRESSION_NESTED_VALUES_MAX, EXPRESSION_PATTERN_BYTES_MAX, EXPRESSION_VALUES_MAX, Expression,
    InvalidExpression, Remark, Sense,
};
pub use glob::{Glob, InvalidGlob, PATTERN_TOKENS_MAX};
pub use outlook::{Outlook, Prospect, outlook};
pub use path::{InvalidPath, PATH_NAMES_MAX, UnclearClaim, ValuePath, claim, is_left_out};
pub use peer::{Peer, PeerNames};
pub use policy::{Effect, Mode, Needs, Policy, PolicyParts, Rule, Rules};
pub use request::{
    AccessRequest, Action, ActionKind, Context, Declared, Http, Resource, Subject, UnknownFacts,
    Value,
};
pub use uri::{UriForm, UriPattern, never_normal};
pub use visibility::is_visible;
