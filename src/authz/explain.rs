//! Explains a decision: the result of every rule, and which of its selectors did not match.
//!
//! Selectors are judged one at a time by the code of the evaluation: a block with a single selector
//! is a valid block. Unlike an evaluation this judges every rule of the policy, so it is for people
//! and not for the request path.

mod absent;
mod near;
mod no_result;
mod parts;

use std::sync::Arc;

pub use absent::{WantedClaims, claims_wanted};
pub use near::{NearMiss, near_misses};
pub use no_result::NoResult;

use super::call::Call;
use super::decision::Evaluation;
use super::evaluation::{evaluate, is_unmet};
use super::matching::Match;
use super::policy::Policy;
use super::request::{AccessRequest, ActionKind};
use super::rule::{About, Effect, Rule};
use super::selectors::match_auth_age;
use parts::{needs_parts, what_parts, when_parts, where_parts, who_parts, why_parts};

/// A decision with the result of every rule.
#[derive(Debug, PartialEq)]
pub struct Explanation {
    /// The decision, as [`evaluate`] makes it.
    pub evaluation: Evaluation,
    /// Every rule, in file order.
    pub rules: Vec<RuleExplanation>,
}

/// The result of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// Its id.
    pub id: Arc<str>,
    /// Its effect.
    pub effect: Effect,
    /// What its authors say of it.
    pub about: About,
    /// Whether it matches. For an action that opens a connection, an allow rule matches if it could
    /// serve the subject, whatever its other selectors say.
    pub found: Match,
    /// Its selectors, each judged by itself.
    pub selectors: Vec<SelectorExplanation>,
}

/// The result of one selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorExplanation {
    /// Its place in the rule, such as `who.groups`.
    pub name: String,
    /// Whether it holds.
    pub found: Match,
    /// Why it cannot be evaluated, if a value is the cause, or that it asks for a claim that is absent.
    pub because: Option<NoResult>,
}

/// Decides one request as [`evaluate`] does, and reports the result of every rule.
#[must_use]
pub fn explain(policy: &Policy, request: &AccessRequest<'_>) -> Explanation {
    let call = policy.call(request);
    let rules = policy.rules().iter().map(|rule| RuleExplanation {
        id: Arc::clone(&rule.id),
        effect: rule.effect.clone(),
        about: rule.about.clone(),
        found: found(policy, &call, rule),
        selectors: selectors(rule, &call),
    });
    Explanation {
        rules: rules.collect(),
        evaluation: evaluate(policy, request),
    }
}

/// A rule that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// Its id.
    pub rule: Arc<str>,
    /// The facts that are missing or unclear, in words without any text of the request.
    pub facts: Vec<String>,
}

/// The most rules that are named.
const UNDECIDED_MAX: usize = 4;

/// Why rules of these ids cannot be evaluated for a request. Only the first are looked at: who is
/// denied must not cost much more than who is allowed.
#[must_use]
pub fn undecided(policy: &Policy, request: &AccessRequest<'_>, ids: &[Arc<str>]) -> Vec<Undecided> {
    let call = policy.call(request);
    let ids = ids.get(..UNDECIDED_MAX).unwrap_or(ids);
    let rules = policy.rules().iter().filter(|rule| ids.contains(&rule.id));
    let told = rules.take(ids.len()).map(|rule| {
        let mut facts: Vec<String> = Vec::new();
        for selector in selectors(rule, &call) {
            if selector.found != Match::Indeterminate {
                continue;
            }
            let fact = selector.because.map_or_else(
                || format!("{} cannot be evaluated", selector.name),
                |because| because.fact().into_owned(),
            );
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        Undecided {
            rule: Arc::clone(&rule.id),
            facts,
        }
    });
    told.collect()
}

/// The result of a rule in an evaluation of this kind of action.
fn found(policy: &Policy, call: &Call<'_>, rule: &Rule) -> Match {
    let request = call.target.request;
    match (&rule.effect, request.action.kind) {
        (Effect::Allow, ActionKind::Open) => Match::of(policy.could_serve(rule, request)),
        (Effect::Allow, ActionKind::Unknown) if !rule.names_method(request) => Match::No,
        (Effect::Allow, ActionKind::Use | ActionKind::Unknown)
        | (Effect::Deny | Effect::Require(_) | Effect::Limit(_) | Effect::Open(_), _) => {
            rule.matches(call)
        }
    }
}

fn selectors(rule: &Rule, call: &Call<'_>) -> Vec<SelectorExplanation> {
    let mut explained = Vec::new();
    let mut tell = |name: String, found: Match, why: &dyn Fn() -> Option<NoResult>| {
        let because = (found != Match::Yes).then(why).flatten();
        explained.push(SelectorExplanation {
            name,
            found,
            because,
        });
    };
    let untold = || None;
    let (request, target) = (call.target.request, &call.target);
    for (name, part) in rule.who.iter().flat_map(who_parts) {
        let why = || no_result::of_who(&part, request).or_else(|| absent::of_who(&part, request));
        tell(format!("who.{name}"), part.matches(request), &why);
    }
    if !rule.fits_kind(request.resource) {
        let name = "what (another kind of resource)";
        tell(name.to_owned(), Match::No, &untold);
    }
    for (name, part) in rule.what.iter().flat_map(what_parts) {
        let why = || no_result::of_what(&part, target);
        tell(format!("what.{name}"), part.matches(target), &why);
    }
    for (name, part) in rule.when.iter().flat_map(when_parts) {
        let why = || no_result::of_when(&part, request);
        tell(format!("when.{name}"), part.matches(request), &why);
    }
    for (name, part) in rule.place.iter().flat_map(where_parts) {
        let why = || no_result::of_where(&part, request);
        tell(format!("where.{name}"), part.matches(request), &why);
    }
    for (name, part) in rule.why.iter().flat_map(why_parts) {
        let why = || no_result::of_why(&part, call);
        tell(format!("why.{name}"), call.judge_why(&part), &why);
    }
    if let Effect::Require(needs) = &rule.effect
        && rule.matches(call) == Match::Yes
    {
        for (name, part) in needs_parts(needs) {
            let found = Match::of(!is_unmet(&part, rule, request));
            let is_age_unknown = part
                .auth_age_max
                .is_some_and(|most| match_auth_age(request, most) == Match::Indeterminate);
            let why = || is_age_unknown.then(|| no_result::of_auth_time(request));
            tell(format!("needs.{name}"), found, &why);
        }
    }
    let counted_by = match &rule.effect {
        Effect::Limit(limit) => Some(&limit.by),
        Effect::Open(limit) => Some(&limit.by),
        Effect::Allow | Effect::Deny | Effect::Require(_) => None,
    };
    if let Some(by) = counted_by {
        let found = rule.counts(request);
        let is_unclear = found == Match::Indeterminate;
        let why = || no_result::of_counter(by, request).filter(|_| is_unclear);
        tell("limit".to_owned(), found, &why);
    }
    if let Some(expression) = &rule.expression {
        let found = call.judge(expression);
        let is_unclear = found == Match::Indeterminate;
        let why = || no_result::of_expression(expression, call).filter(|_| is_unclear);
        tell("if".to_owned(), found, &why);
    }
    explained
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::peer::Peer;
    use crate::authz::request::{Action, Context, Http, Resource};
    use crate::authz::selectors::Who;
    use crate::authz::subject::{Subject, UnknownFacts};
    use crate::authz::value::Value;

    #[test]
    fn claims_left_out_of_the_token_are_reported() {
        let subject = Subject {
            issuer: "i".into(),
            id: "s".into(),
            agent: None,
            groups: Vec::new(),
            roles: Vec::new(),
            scopes: Vec::new(),
            tenant: None,
            device: None,
            claims: Value::Map(Vec::new()),
            unknown: UnknownFacts {
                groups: true,
                ..UnknownFacts::default()
            },
        };
        let request = AccessRequest {
            subject: &subject,
            peer: Peer::Absent,
            server: "s",
            action: Action {
                method: "tools/call",
                authorized_as: None,
                kind: ActionKind::Use,
            },
            resource: Resource::Tool("t"),
            arguments: None,
            input: None,
            meta: None,
            protocol_version: None,
            session: None,
            source: None,
            http: Http {
                host: "h",
                path: "/",
                headers: &[],
            },
            now: jiff::Timestamp::UNIX_EPOCH,
            context: Context::default(),
        };
        let groups = Who {
            groups: Some(Box::new(["g".into()])),
            ..Who::default()
        };
        let not = Who {
            not: Some(Box::new(groups.clone())),
            ..Who::default()
        };
        for who in [groups, not] {
            let found = no_result::of_who(&who, &request);
            assert_eq!(
                found,
                Some(NoResult::LeftOut("groups".to_owned())),
                "{who:?}"
            );
        }
        let roles = Who {
            roles: Some(Box::new(["r".into()])),
            ..Who::default()
        };
        assert_eq!(no_result::of_who(&roles, &request), None);
    }
}
