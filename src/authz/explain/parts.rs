//! Splits a block of selectors into blocks with one selector each, so that each can be judged
//! alone.

use crate::authz::rule::Needs;
use crate::authz::selectors::{What, When, Where, Who, WhoKinds, Why};

/// The most rules that are looked at to tell why a request was denied: who is denied must not cost
/// more than who is allowed.
pub(super) const RULES_MAX: usize = 256;

/// Splits a block into blocks of one selector each. Every field is named, so that the compiler
/// notices a new selector.
pub(super) fn who_parts(who: &Who) -> Vec<(String, Who)> {
    let WhoKinds {
        names: _,
        claims,
        not,
    } = who.kinds();
    let empty = Who::default;
    let names = who.names_apart().into_iter();
    let mut parts: Vec<_> = names.map(|(name, part)| (name.to_owned(), part)).collect();
    for claim in claims {
        let part = Who {
            claims: Box::new([claim.clone()]),
            ..empty()
        };
        parts.push((format!("claims.{}", claim.path.as_str()), part));
    }
    if let Some(not) = not {
        let part = Who {
            not: Some(Box::new(not.clone())),
            ..empty()
        };
        parts.push(("not".to_owned(), part));
    }
    parts
}

pub(super) fn what_parts(what: &What) -> Vec<(String, What)> {
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

pub(super) fn when_parts(when: &When) -> Vec<(&'static str, When)> {
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

pub(super) fn where_parts(place: &Where) -> Vec<(String, Where)> {
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

pub(super) fn why_parts(why: &Why) -> Vec<(String, Why)> {
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
        let name = behaviour.counted.window.count.name().to_owned();
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

pub(super) fn needs_parts(needs: &Needs) -> Vec<(&'static str, Needs)> {
    let Needs {
        scopes,
        acr,
        auth_age_max,
        sender_constrained,
    } = needs.clone();
    let empty = Needs::default;
    let parts = [
        ("scopes", Needs { scopes, ..empty() }),
        ("acr", Needs { acr, ..empty() }),
        (
            "auth_age_max",
            Needs {
                auth_age_max,
                ..empty()
            },
        ),
        (
            "sender_constrained",
            Needs {
                sender_constrained,
                ..empty()
            },
        ),
    ];
    let given = parts.into_iter().filter(|(_, part)| *part != empty());
    given.collect()
}
