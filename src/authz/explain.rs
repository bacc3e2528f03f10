//! Why a decision came out as it did: every rule, and which of its selectors did not match.
//!
//! Selectors are judged one at a time by the same code that the evaluation uses: a block with one
//! selector in it is a block too. Unlike an evaluation this looks at every rule of the policy, so
//! it is for people and not for the request path.

mod no_result;

use std::sync::Arc;

pub use no_result::NoResult;

use super::condition::{Match, What, When, Where, Who, Why};
use super::decision::Evaluation;
use super::evaluation::{evaluate, names_method};
use super::policy::{Call, Effect, Policy, Rule};
use super::request::{AccessRequest, ActionKind};

/// A decision with what every rule had to do with it.
#[derive(Debug, PartialEq)]
pub struct Explanation {
    /// The decision, as [`evaluate`] gives it.
    pub evaluation: Evaluation,
    /// Every rule, in file order.
    pub rules: Vec<RuleExplanation>,
}

/// What one rule had to do with a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// Its id.
    pub id: Arc<str>,
    /// Its effect.
    pub effect: Effect,
    /// Whether it matches. For an action that opens a connection an allow rule matches if it
    /// could serve the subject, whatever its other selectors say.
    pub found: Match,
    /// Its selectors, each judged by itself.
    pub selectors: Vec<SelectorExplanation>,
}

/// What one selector said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorExplanation {
    /// Its place in the rule, such as `who.groups`.
    pub name: String,
    /// Whether it holds.
    pub found: Match,
    /// Why that cannot be evaluated, where it is because of a value.
    pub because: Option<NoResult>,
}

/// Decides one request as [`evaluate`] does, and tells how every rule came out.
#[must_use]
pub fn explain(policy: &Policy, request: &AccessRequest<'_>) -> Explanation {
    let call = Call::new(policy, request);
    let rules = policy.rules().iter().enumerate();
    let rules = rules.map(|(position, rule)| RuleExplanation {
        id: Arc::clone(&rule.id),
        effect: rule.effect.clone(),
        found: found(policy, &call, position, rule),
        selectors: selectors(rule, &call),
    });
    Explanation {
        rules: rules.collect(),
        evaluation: evaluate(policy, request),
    }
}

/// What the evaluation makes of a rule for this kind of action.
fn found(policy: &Policy, call: &Call<'_>, position: usize, rule: &Rule) -> Match {
    let request = call.target.request;
    match (&rule.effect, request.action.kind) {
        (Effect::Allow, ActionKind::Open) => Match::of(rule.could_serve(policy, request)),
        (Effect::Allow, ActionKind::Unknown) if !names_method(policy, position, request) => {
            Match::No
        }
        (Effect::Allow, ActionKind::Use | ActionKind::Unknown)
        | (Effect::Deny | Effect::Require(_) | Effect::Limit(_) | Effect::Open(_), _) => {
            rule.matches(call)
        }
    }
}

fn selectors(rule: &Rule, call: &Call<'_>) -> Vec<SelectorExplanation> {
    let mut explained = Vec::new();
    let mut tell = |name: String, found: Match, why: &dyn Fn() -> Option<NoResult>| {
        let because = (found == Match::Indeterminate).then(why).flatten();
        explained.push(SelectorExplanation {
            name,
            found,
            because,
        });
    };
    let untold = || None;
    let (request, target) = (call.target.request, &call.target);
    for (name, part) in rule.who.iter().flat_map(who_parts) {
        let why = || no_result::of_who(&part, request);
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
        tell(format!("when.{name}"), part.matches(request), &untold);
    }
    for (name, part) in rule.place.iter().flat_map(where_parts) {
        let why = || no_result::of_where(&part, request);
        tell(format!("where.{name}"), part.matches(request), &why);
    }
    for (name, part) in rule.why.iter().flat_map(why_parts) {
        tell(format!("why.{name}"), call.judge_why(&part), &untold);
    }
    if let Effect::Limit(_) | Effect::Open(_) = rule.effect {
        tell("limit".to_owned(), rule.counts(request), &untold);
    }
    if let Some(condition) = &rule.condition {
        let why = || no_result::of_condition(condition, call);
        tell("if".to_owned(), call.judge(condition), &why);
    }
    explained
}

/// A block as blocks of one selector each. Every field is named, so that a new selector cannot be
/// forgotten here.
fn who_parts(who: &Who) -> Vec<(String, Who)> {
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
    } = who.clone();
    let empty = Who::default;
    let mut parts = Vec::new();
    let mut add = |name: &str, given: bool, part: Who| {
        if given {
            parts.push((name.to_owned(), part));
        }
    };
    add("issuers", issuers.is_some(), Who { issuers, ..empty() });
    add(
        "subjects",
        subjects.is_some(),
        Who {
            subjects,
            ..empty()
        },
    );
    add("groups", groups.is_some(), Who { groups, ..empty() });
    add("roles", roles.is_some(), Who { roles, ..empty() });
    add("scopes", scopes.is_some(), Who { scopes, ..empty() });
    add("tenants", tenants.is_some(), Who { tenants, ..empty() });
    add("agents", agents.is_some(), Who { agents, ..empty() });
    add("peers", peers.is_some(), Who { peers, ..empty() });
    for claim in claims {
        let name = format!("claims.{}", claim.path.as_str());
        add(
            &name,
            true,
            Who {
                claims: Box::new([claim]),
                ..empty()
            },
        );
    }
    add("not", not.is_some(), Who { not, ..empty() });
    parts
}

fn what_parts(what: &What) -> Vec<(String, What)> {
    let What {
        servers,
        methods,
        tools,
        classes,
        prompts,
        resources,
        arguments,
        not,
    } = what.clone();
    let empty = What::default;
    let mut parts = Vec::new();
    let mut add = |name: &str, given: bool, part: What| {
        if given {
            parts.push((name.to_owned(), part));
        }
    };
    add("servers", servers.is_some(), What { servers, ..empty() });
    add("methods", methods.is_some(), What { methods, ..empty() });
    add("tools", tools.is_some(), What { tools, ..empty() });
    add("classes", classes.is_some(), What { classes, ..empty() });
    add("prompts", prompts.is_some(), What { prompts, ..empty() });
    add(
        "resources",
        resources.is_some(),
        What {
            resources,
            ..empty()
        },
    );
    for argument in arguments {
        let name = format!("arguments.{}", argument.path.as_str());
        add(
            &name,
            true,
            What {
                arguments: Box::new([argument]),
                ..empty()
            },
        );
    }
    add("not", not.is_some(), What { not, ..empty() });
    parts
}

fn when_parts(when: &When) -> Vec<(&'static str, When)> {
    let When {
        clock,
        from,
        until,
        auth_age_max,
        session_age_max,
        not,
    } = when.clone();
    let empty = When::default;
    let given = |given: bool, name, part| given.then_some((name, part));
    [
        given(clock.is_some(), "days, between", When { clock, ..empty() }),
        given(from.is_some(), "from", When { from, ..empty() }),
        given(until.is_some(), "until", When { until, ..empty() }),
        given(
            auth_age_max.is_some(),
            "auth_age_max",
            When {
                auth_age_max,
                ..empty()
            },
        ),
        given(
            session_age_max.is_some(),
            "session_age_max",
            When {
                session_age_max,
                ..empty()
            },
        ),
        given(not.is_some(), "not", When { not, ..empty() }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn where_parts(place: &Where) -> Vec<(String, Where)> {
    let Where {
        networks,
        countries,
        device,
        not,
    } = place.clone();
    let empty = Where::default;
    let mut parts = Vec::new();
    let mut add = |name: String, given: bool, part: Where| {
        if given {
            parts.push((name, part));
        }
    };
    let given = networks.is_some();
    add(
        "networks".to_owned(),
        given,
        Where {
            networks,
            ..empty()
        },
    );
    let given = countries.is_some();
    add(
        "countries".to_owned(),
        given,
        Where {
            countries,
            ..empty()
        },
    );
    for selector in device {
        let name = format!("device.{}", selector.path.as_str());
        let device = Box::new([selector]);
        add(name, true, Where { device, ..empty() });
    }
    add("not".to_owned(), not.is_some(), Where { not, ..empty() });
    parts
}

fn why_parts(why: &Why) -> Vec<(String, Why)> {
    let Why {
        purposes,
        behaviours,
        not,
    } = why.clone();
    let empty = Why::default;
    let mut parts = Vec::new();
    if purposes.is_some() {
        parts.push((
            "purposes".to_owned(),
            Why {
                purposes,
                ..empty()
            },
        ));
    }
    for behaviour in behaviours {
        let name = behaviour.window.count.name().to_owned();
        let behaviours = Box::new([behaviour]);
        parts.push((
            name,
            Why {
                behaviours,
                ..empty()
            },
        ));
    }
    if not.is_some() {
        parts.push(("not".to_owned(), Why { not, ..empty() }));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::peer::Peer;
    use crate::authz::request::{Action, Context, Http, Resource, Subject, UnknownFacts, Value};

    #[test]
    fn what_the_token_leaves_out_is_said_to_be() {
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
            assert_eq!(found, Some(NoResult::LeftOut), "{who:?}");
        }
        let roles = Who {
            roles: Some(Box::new(["r".into()])),
            ..Who::default()
        };
        assert_eq!(no_result::of_who(&roles, &request), None);
    }
}
