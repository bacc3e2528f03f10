//! The core: decides whether one call may happen, as a pure function of the policy and the call.
//!
//! The code here does not wait, read a clock or do I/O, and it cannot fail: a request that cannot
//! be evaluated is denied with its own reason.
//!
//! # Words
//!
//! - A [`Subject`] is the verified caller: issuer, id, groups, scopes and claims of a token.
//! - An [`Action`] is the MCP method, such as `tools/call`.
//! - A [`Resource`] is what the action reaches: a tool, a prompt, a URI, a task or the whole server.
//! - An [`AccessRequest`] is all of these with arguments, time, place and purpose.
//! - A [`Rule`] has an [`Effect`] (allow, deny, require, limit). Its selectors ([`Who`], [`What`],
//!   [`When`], [`Where`], [`Why`]) and its [`Expression`] say which requests it is about.
//! - A [`Policy`] is all rules in force. Their order does not change a decision.
//! - An [`Evaluation`] is the [`Decision`] about one request with the rules that led to it.
//!
//! # One call by three callers
//!
//! Alice, Bob and Carol each call the tool `create_repo`. Alice and Bob are engineers, Carol is not.
//! Alice's token has the scope `repo:write`.
//!
//! 1. `index.rs` finds the rules that may apply to the call: all three below. The other rules of a
//!    large policy are not evaluated.
//! 2. `evaluation/rule_matches.rs` judges the deny, require and limit rules first. `no-force` does
//!    not match, because `force` is false. `scope` matches.
//! 3. It judges the allow rules. `engineers` matches for Alice and Bob. Nothing matches for Carol, so
//!    she is denied: [`DenialReason::NoMatchingRule`].
//! 4. `evaluation/requirements.rs` checks what the matching require rules need. Alice has the
//!    scope, so she is allowed. Bob is challenged to obtain it.
//!
//! ```
//! use mcp_authz::authz::{
//!     AccessRequest, Action, ActionKind, Context, Decision, DenialReason, Http, Peer, Resource,
//!     Subject, UnknownFacts, Value, evaluate,
//! };
//! use mcp_authz::{policy, yaml::Source};
//!
//! let rules = "
//! rules:
//! - {id: engineers, effect: allow, who: {groups: [engineering]}, what: {tools: [create_*]}}
//! - {id: scope, effect: require, what: {tools: [create_*]}, needs: {scopes: [repo:write]}}
//! - {id: no-force, effect: deny, what: {tools: [create_*]}, if: args.force == true}
//! ";
//! let source = Source { name: "policy.yaml".to_owned(), text: rules.to_owned() };
//! let policy = policy::compile(&[source], &policy::CompileContext::default())
//!     .unwrap_or_else(|findings| panic!("{:?}", findings.to_lines()));
//!
//! let arguments = Value::Map(vec![("force".into(), Value::Bool(false))]);
//! let decide = |id: &str, group: &str, scopes: &[&str]| {
//!     let subject = Subject {
//!         issuer: "https://idp.example.com".into(),
//!         id: id.into(),
//!         groups: vec![group.into()],
//!         scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
//! #       agent: None, roles: Vec::new(), tenant: None, device: None,
//! #       claims: Value::Map(Vec::new()), unknown: UnknownFacts::default(),
//!     };
//!     let request = AccessRequest {
//!         subject: &subject,
//!         server: "github",
//!         action: Action { method: "tools/call", authorized_as: None, kind: ActionKind::Use },
//!         resource: Resource::Tool("create_repo"),
//!         arguments: Some(&arguments),
//! #       peer: Peer::Absent, input: None, meta: None, protocol_version: None, session: None,
//! #       source: None, http: Http { host: "localhost", path: "/", headers: &[] },
//! #       now: jiff::Timestamp::UNIX_EPOCH, context: Context::default(),
//!     };
//!     evaluate(&policy, &request).decision
//! };
//!
//! assert!(matches!(decide("alice", "engineering", &["repo:write"]), Decision::Allow(_)));
//! assert!(matches!(decide("bob", "engineering", &[]), Decision::Challenge(_)));
//! assert!(matches!(
//!     decide("carol", "support", &["repo:write"]),
//!     Decision::Deny(denial) if denial.reason == DenialReason::NoMatchingRule
//! ));
//! ```
//!
//! # What cannot be evaluated
//!
//! A value cannot be evaluated if some server may read it as another value. If the call above had
//! `{"force": "true"}`, some servers would take the argument for `true` and some would not. The
//! comparison then has no result, the rule is [`Match::Indeterminate`], and the call is denied. An
//! allow rule with the same expression would not grant.
//!
//! # Where to look
//!
//! | question | files |
//! |---|---|
//! | What is a request made of? | `request.rs`, `value.rs`, `peer.rs`, `scope_names.rs`, `window.rs` |
//! | When does a rule match? | `rule.rs`, `selectors/`, `expression/`, `call.rs` |
//! | What decides among rules? | `evaluation.rs`, `evaluation/`, `decision.rs`, `index.rs` |
//! | What is counted? | `limit.rs`, `counting/` |
//! | How are values compared? | `compare/`, `path.rs`, `uri/`, `glob.rs`, `spelling.rs` |
//! | What is shown to people? | `explain.rs`, `preview.rs`, `visibility.rs`, `difference/` |

mod assignment;
mod call;
mod classes;
mod classified;
mod compare;
mod counting;
mod decision;
mod difference;
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
mod scope_names;
mod selectors;
mod spelling;
mod subject;
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
pub use difference::{
    Ask, AskedExpression, Cause, CauseKind, Change, ChangeKind, Comparison, Detail, Fact, FactId,
    Given, GivenArguments, Reach, Recalled, RecalledFinding, RecalledRule, RecordedOutcome,
    Replayed, Setting, Situation, Target, TargetResource, TooComplex, Unclear, matched_rules,
    representative_names,
};
pub use evaluation::{
    demands, evaluate, evaluate_beside_shadow, events, may_have_counted, rehearse, uncounted,
};
pub use explain::{
    Explanation, NearMiss, NoResult, RuleExplanation, SelectorExplanation, Undecided, WantedClaims,
    claims_wanted, explain, near_misses, undecided,
};
pub use expression::{
    ArgumentTest, Asked, EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX, EXPRESSION_NESTED_BYTES_MAX,
    EXPRESSION_NESTED_VALUES_MAX, EXPRESSION_PATTERN_BYTES_MAX, EXPRESSION_VALUES_MAX, Expression,
    InvalidExpression, MemberRead, NameCase, NameFact, NameKind, NameTest, PathStep, Remark, Sense,
    TestedValue,
};
pub use glob::{Glob, InvalidGlob, PATTERN_TOKENS_MAX};
pub use limit::{Limit, OpenLimit};
pub use matching::Match;
pub use path::{
    FoundClaims, InvalidPath, PATH_NAMES_MAX, UnclearArgument, ValuePath, argument, claims_at,
    is_left_out,
};
pub use peer::{Peer, PeerNames};
pub use policy::{Policy, PolicyParts};
pub use preview::{Preview, PreviewOutcome, PreviewTime, preview};
pub use request::{AccessRequest, Action, ActionKind, Context, Declared, Http, Resource, Stands};
pub use rule::{About, Effect, Mode, Needs, Rule, Rules};
pub use scope_names::{SCOPE_VARIABLE, ScopeNames};
pub use selectors::{
    Behaviour, ClaimSelector, Clock, CountedWindow, ExpectedValue, Hours, MethodPattern, Names,
    ResourceKind, TextPattern, ValueSelector, What, When, Where, Who, WhoKinds, Why,
    canonical_network,
};
pub use spelling::is_near;
pub use subject::{EmptyLists, Subject, UnknownFacts};
pub use uri::{UriForm, UriPattern, never_normal};
pub use value::Value;
pub use visibility::{is_visible, showing_or_hiding};
pub use window::{Count, CountedPart, KeyPart, Readings, Window};
