//! One rule of a policy: who may do what, when, where and why, and with which effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::assignment::Assignments;
use super::call::Call;
use super::counting::{is_awaited, is_counted};
use super::expression::Expression;
use super::limit::{Limit, OpenLimit};
use super::matching::Match;
use super::request::{AccessRequest, Resource};
use super::selectors::{Scopes, What, When, Where, Who, Why};

/// One rule: all of its conditions must hold for its effect to apply.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, as the audit records it.
    pub id: Arc<str>,
    /// Its effect where it matches.
    pub effect: Effect,
    /// Whether the effect is enforced or only recorded.
    pub mode: Mode,
    /// The caller.
    pub who: Option<Who>,
    /// The call.
    pub what: Option<What>,
    /// The time.
    pub when: Option<When>,
    /// The place.
    pub place: Option<Where>,
    /// Purpose and behaviour.
    pub why: Option<Why>,
    /// The CEL expression.
    pub expression: Option<Expression>,
    /// The assignments of a matching allow rule.
    pub set: Option<Assignments>,
    /// A text for the caller.
    pub message: Option<Arc<str>>,
    /// What its authors say of it.
    pub about: About,
}

/// What the authors of a rule say of it, for those who read decisions. It decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// Where it was asked for.
    pub ticket: Option<Arc<str>>,
}

impl About {
    /// Owner and ticket in one text; `None` if neither is said.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let owner = self.owner.iter().map(|owner| format!("owner {owner}"));
        let ticket = self.ticket.iter().map(|ticket| format!("ticket {ticket}"));
        let parts: Vec<String> = owner.chain(ticket).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The effect of a matching rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses.
    Deny,
    /// Requires more of the caller.
    Require(Needs),
    /// Limits how often.
    Limit(Limit),
    /// Limits how many at once.
    Open(OpenLimit),
}

impl Effect {
    /// Whether both have the same effect: the order in which needs are listed makes no difference.
    #[must_use]
    pub fn is_like(&self, other: &Effect) -> bool {
        let sorted = |names: &[Arc<str>]| names.iter().cloned().collect::<BTreeSet<_>>();
        match (self, other) {
            (Effect::Require(one), Effect::Require(other)) => {
                sorted(&one.acr) == sorted(&other.acr)
                    && sorted(&one.scopes) == sorted(&other.scopes)
                    && one.auth_age_max == other.auth_age_max
                    && one.sender_constrained == other.sender_constrained
            }
            (
                Effect::Allow
                | Effect::Deny
                | Effect::Require(_)
                | Effect::Limit(_)
                | Effect::Open(_),
                _,
            ) => self == other,
        }
    }
}

/// Whether a rule is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The rule takes part in decisions.
    #[default]
    Enforce,
    /// The rule is evaluated, but its effect is only recorded.
    Shadow,
}

/// Which rules an evaluation considers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Enforced rules.
    Enforced,
    /// Enforced and shadow rules, as if all were enforced.
    All,
}

/// What a require rule requires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Scopes, all of which the token must have.
    pub scopes: Box<[Arc<str>]>,
    /// Values of the claim `acr`, one of which the token must have; empty means any.
    pub acr: Box<[Arc<str>]>,
    /// The greatest age of the login (claim `auth_time`).
    pub auth_age_max: Option<Duration>,
    /// Whether the token must be bound to its sender.
    pub sender_constrained: bool,
}

impl Rule {
    /// Whether the rule reads the country of the source.
    pub(super) fn asks_country(&self) -> bool {
        let expression = self.expression.as_ref();
        self.place.as_ref().is_some_and(Where::has_countries)
            || expression.is_some_and(Expression::reads_country)
    }

    /// Whether the rule reads the TLS peer.
    #[must_use]
    pub fn asks_peer(&self) -> bool {
        let expression = self.expression.as_ref();
        self.who.as_ref().is_some_and(Who::has_peers)
            || expression.is_some_and(Expression::reads_peer)
    }

    /// Whether all conditions of the rule hold. The expression is evaluated last, and only if the
    /// others do not settle the result.
    pub(super) fn matches(&self, call: &Call<'_>) -> Match {
        self.matches_with(Scopes::Held, call)
    }

    /// Whether the rule does not match, and would if the token had one of the scopes that its `who`
    /// names: nothing else is missing, and nothing is unknown.
    pub(super) fn lacks_only_scopes(&self, call: &Call<'_>) -> bool {
        let who = self.who.as_ref();
        who.is_some_and(|who| who.lacks_scopes(call.target.request))
            && self.matches_with(Scopes::Granted, call) == Match::Yes
    }

    /// Whether all conditions of the rule hold if the caller has these scopes.
    pub(super) fn matches_with(&self, scopes: Scopes, call: &Call<'_>) -> Match {
        let Rule {
            who,
            what,
            when,
            place,
            why,
            expression,
            id: _,
            effect: _,
            mode: _,
            set: _,
            message: _,
            about: _,
        } = self;
        let request = call.target.request;
        let who = who.as_ref();
        let who = who.map_or(Match::Yes, |who| who.matches_with(scopes, request));
        if who == Match::No || !self.fits_kind(request.resource) {
            return Match::No;
        }
        let what = what.as_ref();
        let what = what.map_or(Match::Yes, |what| what.matches(&call.target));
        let place = place.as_ref();
        let place = place.map_or(Match::Yes, |place| place.matches(request));
        let when = when.as_ref();
        let when = when.map_or(Match::Yes, |when| when.matches(request));
        let plain = who.and(what).and(place).and(when).and(self.counts(request));
        let why = why.as_ref().filter(|_| plain != Match::No);
        let why = why.map_or(Match::Yes, |why| call.judge_why(why));
        let plain = plain.and(why);
        let expression = expression.as_ref().filter(|_| plain != Match::No);
        expression.map_or(plain, |expression| plain.and(call.judge(expression)))
    }

    /// Whether the result can depend on the arguments of the call, or on other input that is sent
    /// with it.
    pub(super) fn reads_arguments(&self) -> bool {
        let what = self.what.as_ref().is_some_and(What::reads_arguments);
        let expression = self.expression.as_ref();
        what || expression.is_some_and(Expression::reads_call)
    }

    /// Whether the rule's limit counts the request. A limit on frequency does not count requests
    /// that need no rule of their own, and a limit on open requests does not count those without a
    /// response, unless the rule names the method. Rules without a limit count everything.
    pub(super) fn counts(&self, request: &AccessRequest<'_>) -> Match {
        let (is_meant, parts) = match &self.effect {
            Effect::Limit(limit) => (is_counted(request), limit.check(request)),
            Effect::Open(limit) => (is_awaited(request), limit.check(request)),
            Effect::Allow | Effect::Deny | Effect::Require(_) => return Match::Yes,
        };
        let what = self.what.as_ref();
        let is_named = || what.is_some_and(|what| what.names_method(request.action.method));
        if !is_meant && !is_named() {
            return Match::No;
        }
        parts.err().unwrap_or(Match::Yes)
    }

    /// Whether both rules decide the same, whatever they are called and say to a caller.
    #[must_use]
    pub fn decides_like(&self, other: &Rule) -> bool {
        let Rule {
            id: _,
            effect,
            mode,
            who,
            what,
            when,
            place,
            why,
            expression,
            set,
            message: _,
            about: _,
        } = self;
        let own = expression.as_ref().map(Expression::as_str);
        effect.is_like(&other.effect)
            && *mode == other.mode
            && *who == other.who
            && *what == other.what
            && *when == other.when
            && *place == other.place
            && *why == other.why
            && own == other.expression.as_ref().map(Expression::as_str)
            && *set == other.set
    }

    /// Every scope that the rule names.
    pub(super) fn named_scopes(&self) -> impl Iterator<Item = &Arc<str>> {
        let who = self.who.iter();
        let who = who.flat_map(|who| [Some(who), who.not.as_deref()]);
        let who = who.flatten().filter_map(|who| who.scopes.as_deref());
        let needed = match &self.effect {
            Effect::Require(needs) => &*needs.scopes,
            Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => &[],
        };
        who.flatten().chain(needed)
    }

    /// The scopes that its `who` asks for, any of which is enough.
    pub(super) fn scopes(&self) -> &[Arc<str>] {
        let scopes = self.who.as_ref().and_then(|who| who.scopes.as_deref());
        scopes.unwrap_or_default()
    }

    /// Whether the rule names the method of the request and applies to its server.
    pub(super) fn names_method(&self, request: &AccessRequest<'_>) -> bool {
        let what = self.what.as_ref();
        what.is_some_and(|what| {
            what.names_method(request.action.method) && what.covers_server(request.server)
        })
    }

    /// Whether the rule can apply to a resource of this kind.
    pub(super) fn fits_kind(&self, resource: Resource<'_>) -> bool {
        let what = self.what.as_ref();
        what.is_none_or(|what| what.fits_kind(resource))
    }
}
