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
mod call;
mod classes;
mod classified;
mod compare;
mod counting;
mod decision;
mod evaluation;
mod explain;
mod expression;
mod glob;
mod index;
mod json_text;
mod limit;
mod matching;
mod path;
mod peer;
mod policy;
mod preview;
mod request;
mod rule;
mod selectors;
mod spelling;
mod uri;
mod value;
mod visibility;
mod window;

pub use assignment::{Assigned, Assignments, InvalidTemplate, REFERENCES, Template};
pub use classes::{HintedClass, Hints, ToolClasses, TrustedHints, UNCLASSIFIED};
pub use counting::{
    CounterKey, Holder, HolderKind, LimitDemand, OpenDemand, Takings, WindowDemand,
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
pub use limit::{Limit, OpenLimit};
pub use matching::Match;
pub use path::{InvalidPath, PATH_NAMES_MAX, UnclearClaim, ValuePath, claim, is_left_out};
pub use peer::{Peer, PeerNames};
pub use policy::{Policy, PolicyParts};
pub use preview::{Preview, PreviewOutcome, preview};
pub use request::{
    AccessRequest, Action, ActionKind, Context, Declared, Http, Resource, Subject, UnknownFacts,
};
pub use rule::{Effect, Mode, Needs, Rule, Rules};
pub use selectors::{
    Behaviour, ClaimSelector, Clock, ExpectedValue, Hours, MethodPattern, Names, ResourceKind,
    TextPattern, ValueSelector, What, When, Where, Who, Why, canonical_network,
};
pub use uri::{UriForm, UriPattern, never_normal};
pub use value::Value;
pub use visibility::is_visible;
pub use window::{Count, KeyPart, Readings, Window};
