//! Previews the decision about every call of one tool, before the arguments are known.

use std::borrow::Cow;
use std::sync::Arc;

use super::call::Call;
use super::evaluation::is_unmet;
use super::matching::Match;
use super::peer::Peer;
use super::policy::Policy;
use super::request::{AccessRequest, Stands};
use super::rule::{Effect, Rule, Rules};
use super::selectors::{Scopes, Who, Why};

/// The decision about any call of one tool, as far as it does not depend on the arguments, on where
/// the call comes from and on when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The outcome.
    pub outcome: PreviewOutcome,
    /// The rules that determine it; empty for a denial because no rule allows.
    pub rules: Vec<Arc<str>>,
}

/// The outcome of calls whose arguments are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PreviewOutcome {
    /// Allowed.
    Allow,
    /// Allowed once the caller obtains what is missing.
    Challenge,
    /// It depends on the arguments, the place or the hour.
    Depends,
    /// Denied.
    Deny,
}

/// When the calls are made that a preview is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewTime {
    /// At the time of the request.
    Then,
    /// At that time or later.
    FromThen,
}

/// Previews the calls that a subject could make. The request is one of them; its arguments are
/// ignored. A request without a source address stands for calls from any address.
#[must_use]
pub fn preview(policy: &Policy, request: &AccessRequest<'_>, time: PreviewTime) -> Preview {
    let mut call = policy.call(request);
    call.target.arguments_open = true;
    let class = call.target.class;
    let judged = |mut positions: Vec<usize>, scopes: Scopes| {
        positions.sort_unstable();
        positions.dedup();
        let rules = positions
            .into_iter()
            .filter_map(|position| policy.rules().get(position));
        let rules = rules.filter(|rule| scopes == Scopes::Held || lacks_scopes(request, rule));
        let judged = rules.map(|rule| (rule, judge(rule, scopes, &call, time)));
        judged
            .filter(|(_, found)| *found != Match::No)
            .collect::<Vec<_>>()
    };
    let indexes = || policy.indexes(Rules::Enforced);
    let gates = indexes().flat_map(|index| index.gates(request, class));
    let grants = indexes().flat_map(|index| index.grants(request, class));
    let grants: Vec<usize> = grants.collect();
    let judged = JudgedCall {
        request,
        gates: judged(gates.collect(), Scopes::Held),
        lacking: judged(grants.clone(), Scopes::Granted),
        grants: judged(grants, Scopes::Held),
    };
    judged.weigh()
}

fn lacks_scopes(request: &AccessRequest<'_>, rule: &Rule) -> bool {
    let who = rule.who.as_ref();
    who.is_some_and(|who| who.lacks_scopes(request))
}

/// Whether a rule matches, as far as that is known without arguments, place, hour and the caller's
/// earlier behaviour, and of everybody for whom the request stands.
fn judge(rule: &Rule, scopes: Scopes, call: &Call<'_>, time: PreviewTime) -> Match {
    let mut known = Cow::Borrowed(rule);
    let request = call.target.request;
    if rule.place.is_some() && request.source.is_none() {
        known.to_mut().place = None;
    }
    if rule.why.is_some() && request.context.readings.is_none() {
        known.to_mut().why = None;
    }
    let when = rule.when.as_ref();
    if time == PreviewTime::FromThen && when.is_some_and(|when| when.varies_after(request.now)) {
        known.to_mut().when = None;
    }
    if request.context.stands == Stands::ForCallers {
        forget_unsaid(&mut known, request);
    }
    let found = known.matches_with(scopes, call);
    let found = match known {
        Cow::Owned(_) => found.and(Match::Unknown),
        Cow::Borrowed(_) => found,
    };
    // What is missing may be there for another of these callers.
    if request.context.stands == Stands::ForCallers && found == Match::Indeterminate {
        Match::Unknown
    } else {
        found
    }
}

/// Leaves out the conditions over facts that are not said of callers in general.
fn forget_unsaid(rule: &mut Cow<'_, Rule>, request: &AccessRequest<'_>) {
    let is_peer_said = matches!(request.peer, Peer::Known(_));
    let asks = |who: &Who| {
        !who.claims.is_empty()
            || (who.peers.is_some() && !is_peer_said)
            || who.not.as_deref().is_some_and(not_of_groups)
    };
    if rule.who.as_ref().is_some_and(asks)
        && let Some(who) = &mut rule.to_mut().who
    {
        who.claims = Box::default();
        who.not = None;
        if !is_peer_said {
            who.peers = None;
        }
    }
    let expression = rule.expression.as_ref();
    if expression.is_some_and(|expression| expression.asked().others) {
        rule.to_mut().expression = None;
    }
    if rule.why.as_ref().is_some_and(Why::has_purposes) {
        rule.to_mut().why = None;
    }
}

/// Whether a block of what callers must not be asks for more than groups, of which each column says
/// all.
fn not_of_groups(not: &Who) -> bool {
    let groups = Who {
        groups: not.groups.clone(),
        ..Who::default()
    };
    *not != groups
}

/// Rules with their results, but for those that do not match.
type JudgedRules<'p> = Vec<(&'p Rule, Match)>;

/// Every rule that matters for the calls of one tool.
struct JudgedCall<'p> {
    request: &'p AccessRequest<'p>,
    gates: JudgedRules<'p>,
    grants: JudgedRules<'p>,
    /// Allow rules of whose scopes the token has none, judged as if it had one.
    lacking: JudgedRules<'p>,
}

fn pick(all: &JudgedRules<'_>, test: &dyn Fn(&Rule, Match) -> bool) -> Vec<Arc<str>> {
    let picked = all.iter().filter(|(rule, found)| test(rule, *found));
    picked.map(|(rule, _)| Arc::clone(&rule.id)).collect()
}

/// Whether a rule may match once the arguments are known.
fn may_match(rule: &Rule, found: Match) -> bool {
    found == Match::Unknown || (found == Match::Indeterminate && rule.reads_arguments())
}

fn matches(_: &Rule, found: Match) -> bool {
    found == Match::Yes
}

impl JudgedCall<'_> {
    fn weigh(&self) -> Preview {
        let JudgedCall {
            request,
            gates,
            grants,
            lacking,
        } = self;
        let is_deny = |rule: &Rule| rule.effect == Effect::Deny;
        let denying = pick(gates, &|rule, found| is_deny(rule) && found == Match::Yes);
        // A rule that cannot be evaluated may still not match once the arguments are known.
        let stuck = pick(gates, &|rule, found| {
            found == Match::Indeterminate && !rule.reads_arguments()
        });
        // A requirement that is met may still become unevaluable, which denies.
        let open = pick(gates, &may_match);
        let unmet = pick(gates, &|rule, found| {
            found == Match::Yes && lacks(request, rule)
        });
        let granting = pick(grants, &matches);
        let unprovable = pick(gates, &|rule, found| {
            found == Match::Yes
                && matches!(&rule.effect, Effect::Require(needs) if needs.sender_constrained)
        });
        let preview = |outcome, rules| Preview { outcome, rules };
        if !denying.is_empty() {
            return preview(PreviewOutcome::Deny, denying);
        }
        if !stuck.is_empty() {
            return preview(PreviewOutcome::Deny, stuck);
        }
        if granting.is_empty() {
            let perhaps = [pick(grants, &may_match), pick(lacking, &may_match)].concat();
            if !perhaps.is_empty() {
                return preview(PreviewOutcome::Depends, [perhaps, open, unmet].concat());
            }
            let unscoped = pick(lacking, &matches);
            if unscoped.is_empty() || !unprovable.is_empty() {
                return preview(PreviewOutcome::Deny, Vec::new());
            }
            let outcome = if open.is_empty() {
                PreviewOutcome::Challenge
            } else {
                PreviewOutcome::Depends
            };
            return preview(outcome, [unscoped, open, unmet].concat());
        }
        if !open.is_empty() {
            return preview(PreviewOutcome::Depends, [granting, open, unmet].concat());
        }
        if !unprovable.is_empty() {
            return preview(PreviewOutcome::Deny, unprovable);
        }
        if !unmet.is_empty() {
            return preview(PreviewOutcome::Challenge, unmet);
        }
        preview(PreviewOutcome::Allow, granting)
    }
}

/// Whether the rule requires something that the caller lacks.
fn lacks(request: &AccessRequest<'_>, rule: &Rule) -> bool {
    match &rule.effect {
        Effect::Require(needs) => is_unmet(needs, rule, request),
        // Whether there is room changes from moment to moment; it does not depend on the caller and
        // the tool.
        Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => false,
    }
}
