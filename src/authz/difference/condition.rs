//! The conditions of a rule as functions of facts.
//!
//! Each function here says the same as the method `matches` of its block. What a target determines
//! (server, method, name, class) is asked of that method itself.

use super::fact::{Answer, AskedExpression, Fact, Facts, Unclear};
use super::target::Judged;
use crate::authz::classified::Class;
use crate::authz::counting::{is_awaited, is_counted};
use crate::authz::expression::{Expression, Partly};
use crate::authz::matching::Match;
use crate::authz::rule::{Effect, Rule};
use crate::authz::selectors::{
    Behaviour, ClaimSelector, ExpectedValue, Names, Scopes, ValueSelector, What, When, Where, Who,
    Why,
};
use crate::authz::uri::UriPattern;
use crate::authz::window::{Count, KeyPart};

/// A fact of one kind about a name.
type NamedFact = fn(std::sync::Arc<str>) -> Fact;

/// Where the caller is one that a rule is about.
pub(super) fn who(who: &Who, scopes_are: Scopes, facts: &mut Facts) -> Answer {
    let Who {
        issuers,
        subjects,
        groups,
        roles,
        scopes,
        tenants,
        agents,
        peers,
        claims,
        not,
    } = who;
    let mut found = Answer::YES;
    let each =
        |names: &Names, fact: NamedFact| -> Vec<Fact> { names.iter().cloned().map(fact).collect() };
    if let Some(names) = issuers {
        found = facts.knows_any(each(names, Fact::Issuer));
    }
    if let Some(names) = subjects {
        let own = facts.knows_any(each(names, Fact::Subject));
        found = facts.and(found, own);
    }
    // The token leaves scopes out for both: held ones count as they are.
    let scopes = scopes.as_ref().filter(|_| scopes_are == Scopes::Held);
    let asked: [(Option<&Names>, NamedFact, Unclear); 6] = [
        (groups.as_ref(), Fact::Group, Unclear::Groups),
        (roles.as_ref(), Fact::Role, Unclear::Roles),
        (scopes, Fact::Scope, Unclear::Scopes),
        (tenants.as_ref(), Fact::Tenant, Unclear::Tenant),
        (agents.as_ref(), Fact::Agent, Unclear::Agent),
        (peers.as_ref(), Fact::Peer, Unclear::Peer),
    ];
    for (names, fact, unclear) in asked {
        if let Some(names) = names {
            let own = facts.asks_any(each(names, fact), unclear);
            found = facts.and(found, own);
        }
    }
    for selector in claims {
        let own = claim(selector, facts);
        found = facts.and(found, own);
    }
    if let Some(not) = not {
        // What the caller must not be is judged by the scopes of the token.
        let own = self::who(not, Scopes::Held, facts).negate();
        found = facts.and(found, own);
    }
    found
}

fn claim(selector: &ClaimSelector, facts: &mut Facts) -> Answer {
    let each = one_by_one(selector).map(|one| {
        let unclear = Unclear::Claim(one.clone());
        facts.asks(Fact::Claim(one), unclear)
    });
    let each: Vec<Answer> = each.collect();
    facts.any(each)
}

/// A claim matches if any of its elements matches any of the values, so each value is a fact.
fn one_by_one(selector: &ClaimSelector) -> impl Iterator<Item = ClaimSelector> {
    selector.expected.iter().map(|value| ClaimSelector {
        path: selector.path.clone(),
        expected: Box::new([ExpectedValue::clone(value)]),
    })
}

pub(super) fn when(when: &When, facts: &mut Facts) -> Answer {
    let When {
        clock,
        from,
        until,
        auth_age_max,
        session_age_max,
        not,
    } = when;
    let mut found = Answer::YES;
    if let Some(clock) = clock {
        found = facts.knows(Fact::Clock(clock.clone()));
    }
    if let Some(from) = from {
        let own = facts.knows(Fact::Since(*from));
        found = facts.and(found, own);
    }
    if let Some(until) = until {
        let own = facts.knows(Fact::Since(*until)).negate();
        found = facts.and(found, own);
    }
    if let Some(most) = auth_age_max {
        let own = facts.asks(Fact::LoginWithin(*most), Unclear::Login);
        found = facts.and(found, own);
    }
    if let Some(most) = session_age_max {
        let own = facts.asks(Fact::SessionWithin(*most), Unclear::Session);
        found = facts.and(found, own);
    }
    if let Some(not) = not {
        let own = self::when(not, facts).negate();
        found = facts.and(found, own);
    }
    found
}

/// Whether a block holds at no later time.
pub(super) fn is_over(when: &When, facts: &mut Facts) -> Answer {
    let mut serves = Answer::YES;
    if let Some(until) = when.until {
        serves = facts.knows(Fact::Since(until)).negate();
    }
    if let Some(not) = &when.not {
        let own = lasts(not, facts).negate();
        serves = facts.and(serves, own);
    }
    serves.negate()
}

/// Whether a block holds at all later times.
fn lasts(when: &When, facts: &mut Facts) -> Answer {
    let When {
        clock,
        from,
        until,
        auth_age_max,
        session_age_max,
        not,
    } = when;
    let has_end =
        clock.is_some() || until.is_some() || auth_age_max.is_some() || session_age_max.is_some();
    if has_end {
        return Answer::NO;
    }
    let mut found = from.map_or(Answer::YES, |from| facts.knows(Fact::Since(from)));
    if let Some(not) = not {
        let own = is_over(not, facts);
        found = facts.and(found, own);
    }
    found
}

pub(super) fn place(place: &Where, facts: &mut Facts) -> Answer {
    let Where {
        networks,
        countries,
        device,
        not,
    } = place;
    let mut found = Answer::YES;
    if let Some(networks) = networks {
        let networks = networks.iter().copied().map(Fact::Network);
        found = facts.asks_any(networks, Unclear::Source);
    }
    if let Some(countries) = countries {
        let countries = countries.iter().cloned().map(Fact::Country);
        let own = facts.asks_any(countries, Unclear::Country);
        found = facts.and(found, own);
    }
    for selector in device {
        let each: Vec<Answer> = one_by_one(selector)
            .map(|one| {
                let unclear = Unclear::DeviceFact(one.clone());
                facts.asks(Fact::Device(one), unclear)
            })
            .collect();
        let own = facts.any(each);
        let own = unless_unclear(own, Unclear::Device, facts);
        found = facts.and(found, own);
    }
    if let Some(not) = not {
        let own = self::place(not, facts).negate();
        found = facts.and(found, own);
    }
    found
}

/// The answer where it can be told.
fn unless_unclear(answer: Answer, unclear: Unclear, facts: &mut Facts) -> Answer {
    let unclear = facts.holds(Fact::Unclear(unclear));
    Answer {
        yes: facts.diagrams.minus(answer.yes, unclear),
        no: facts.diagrams.minus(answer.no, unclear),
    }
}

pub(super) fn why(why: &Why, target: &Judged<'_>, facts: &mut Facts) -> Answer {
    let Why {
        purposes,
        behaviours,
        not,
    } = why;
    let mut found = Answer::YES;
    if let Some(purposes) = purposes {
        let purposes = purposes.iter().cloned().map(Fact::Purpose);
        found = facts.asks_any(purposes, Unclear::Purpose);
    }
    for one in behaviours {
        let own = behaviour(one, target, facts);
        found = facts.and(found, own);
    }
    if let Some(not) = not {
        let own = self::why(not, target, facts).negate();
        found = facts.and(found, own);
    }
    found
}

fn behaviour(behaviour: &Behaviour, target: &Judged<'_>, facts: &mut Facts) -> Answer {
    let window = &target.counted(&behaviour.counted.window);
    if window.count == Count::DistinctTools && window.of.is_none() && !target.is_tool() {
        return Answer::NO;
    }
    let unclear = Unclear::Window(window.clone());
    let most = Fact::MoreThan(window.clone(), behaviour.more_than);
    let exceeds = facts.asks(most, unclear);
    counted_by(&window.by, exceeds, target, facts)
}

/// The answer for a request that has all the parts that it is counted by.
fn counted_by(by: &[KeyPart], answer: Answer, target: &Judged<'_>, facts: &mut Facts) -> Answer {
    by.iter().rev().fold(answer, |rest, part| {
        let part = match part {
            KeyPart::Subject | KeyPart::Server => return rest,
            KeyPart::Tool if target.is_tool() => return rest,
            KeyPart::Tool => return Answer::NO,
            KeyPart::Agent => Fact::AnyAgent,
            KeyPart::Tenant => Fact::AnyTenant,
            KeyPart::Session => Fact::InSession,
        };
        let there = facts.holds(part);
        Answer {
            yes: facts.diagrams.and(rest.yes, there),
            no: facts.diagrams.and(rest.no, there),
        }
    })
}

/// Where the call is one that a block is about, but for the kind of its resource.
pub(super) fn what(what: &What, target: &Judged<'_>, facts: &mut Facts) -> Answer {
    let What {
        servers: _,
        methods: _,
        tools: _,
        classes: _,
        prompts: _,
        resources,
        arguments,
        not,
    } = what;
    let mut found = answer(what.matches_names(&target.asked));
    if found == Answer::NO {
        return found;
    }
    if let Some(patterns) = resources {
        let own = if target.is_any_uri {
            uri(patterns, facts)
        } else {
            let alone = What {
                resources: Some(patterns.clone()),
                ..What::default()
            };
            answer(alone.matches(&target.asked))
        };
        found = facts.and(found, own);
    }
    for selector in arguments {
        let own = argument(selector, facts);
        found = facts.and(found, own);
    }
    if let Some(not) = not {
        let own = self::what(not, target, facts).negate();
        found = facts.and(found, own);
    }
    found
}

/// Whether a URI of which nothing is known fits one of some patterns.
fn uri(patterns: &[UriPattern], facts: &mut Facts) -> Answer {
    let each = patterns.iter().map(|pattern| {
        let text: std::sync::Arc<str> = pattern.as_str().into();
        facts.asks(Fact::Uri(std::sync::Arc::clone(&text)), Unclear::Uri(text))
    });
    let each: Vec<Answer> = each.collect();
    facts.any(each)
}

/// Gives the facts that a block asks for their numbers.
pub(super) fn register_what(what: &What, facts: &mut Facts) {
    if let Some(patterns) = &what.resources {
        uri(patterns, facts);
    }
    for selector in &what.arguments {
        argument(selector, facts);
    }
    if let Some(not) = &what.not {
        register_what(not, facts);
    }
}

fn answer(found: Match) -> Answer {
    match found {
        Match::Yes => Answer::YES,
        Match::No => Answer::NO,
        Match::Indeterminate | Match::Unknown => Answer::UNCLEAR,
    }
}

fn argument(selector: &ValueSelector, facts: &mut Facts) -> Answer {
    let unclear = Unclear::Argument(selector.clone());
    facts.asks(Fact::Argument(selector.clone()), unclear)
}

pub(super) fn expression(
    expression: &Expression,
    target: &Judged<'_>,
    facts: &mut Facts,
) -> Answer {
    if target.asked.class == Class::Unknown && expression.reads_class() {
        return Answer::UNCLEAR;
    }
    let judge = |class: Class<'_>| {
        let request = target.asked.request;
        expression.partly(request, class.known(), target.stands_for_others)
    };
    let found = judge(target.asked.class);
    if let Partly::Always(found) = found {
        return answer(found);
    }
    // The same text asks something else if it reads another class.
    let is_other = |other: Class<'_>| other == Class::Unknown || judge(other) != found;
    let is_apart = expression.reads_class() && target.other_class.is_some_and(is_other);
    let class = target.asked.class.known().filter(|_| is_apart);
    asks_expression(expression, class, facts)
}

/// The result of an expression, which is the same wherever it is written alike and reads the same
/// class.
pub(super) fn asks_expression(
    expression: &Expression,
    class: Option<&str>,
    facts: &mut Facts,
) -> Answer {
    let asked = AskedExpression {
        text: expression.as_str().into(),
        class: class.map(Into::into),
    };
    let unclear = Unclear::Expression(asked.clone());
    facts.asks(Fact::Expression(asked), unclear)
}

/// Where the limit of a rule counts the request.
pub(super) fn counts(rule: &Rule, target: &Judged<'_>, facts: &mut Facts) -> Answer {
    let request = target.asked.request;
    let (is_meant, by) = match &rule.effect {
        Effect::Limit(limit) => (is_counted(request), &limit.by),
        Effect::Open(limit) => (is_awaited(request), &limit.by),
        Effect::Allow | Effect::Deny | Effect::Require(_) => return Answer::YES,
    };
    let what = rule.what.as_ref();
    if !is_meant && !what.is_some_and(|what| what.names_method(request.action.method)) {
        return Answer::NO;
    }
    counted_by(by, Answer::YES, target, facts)
}
