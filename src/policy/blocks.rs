//! Decides whether one block of a rule selects whatever another one does.
//!
//! It compares the blocks as written: a yes is certain, a no may be wrong.

use ipnet::IpNet;

use crate::authz::{
    Behaviour, ClaimSelector, Clock, ExpectedValue, Glob, MethodPattern, Names, What, When, Where,
    Who, WhoKinds, Why,
};

pub(super) fn covers_who(wide: &Who, narrow: &Who) -> bool {
    let WhoKinds { names, claims, not } = wide.kinds();
    let own = narrow.kinds();
    let mut names = names.into_iter().zip(own.names);
    names.all(|((_, wide), (_, narrow))| covers_names(wide, narrow))
        && claims
            .iter()
            .all(|claim| own.claims.iter().any(|own| covers_claim(claim, own)))
        && (not.is_none() || not == own.not)
}

pub(super) fn covers_what(wide: &What, narrow: &What) -> bool {
    let What {
        servers,
        methods,
        tools,
        classes,
        prompts,
        resources,
        arguments,
        not,
    } = wide;
    covers_names(servers.as_ref(), narrow.servers.as_ref())
        && covers_names(classes.as_ref(), narrow.classes.as_ref())
        && covers_list(methods.as_deref(), narrow.methods.as_deref(), covers_method)
        && covers_list(tools.as_deref(), narrow.tools.as_deref(), covers_glob)
        && covers_list(prompts.as_deref(), narrow.prompts.as_deref(), covers_glob)
        && covers_list(
            resources.as_deref(),
            narrow.resources.as_deref(),
            |wide, narrow| covers_uris(wide.glob(), narrow.glob()),
        )
        && arguments.iter().all(|argument| {
            let mut own = narrow.arguments.iter();
            own.any(|own| own.path == argument.path && takes_all(&argument.expected, &own.expected))
        })
        && (not.is_none() || *not == narrow.not)
}

pub(super) fn covers_where(wide: &Where, narrow: &Where) -> bool {
    let Where {
        networks,
        countries,
        device,
        not,
    } = wide;
    let contains = |wide: &IpNet, narrow: &IpNet| wide.contains(narrow);
    covers_list(networks.as_deref(), narrow.networks.as_deref(), contains)
        && covers_names(countries.as_ref(), narrow.countries.as_ref())
        && device
            .iter()
            .all(|one| narrow.device.iter().any(|own| covers_claim(one, own)))
        && (not.is_none() || *not == narrow.not)
}

fn covers_names(wide: Option<&Names>, narrow: Option<&Names>) -> bool {
    let same = |one: &std::sync::Arc<str>, other: &std::sync::Arc<str>| one == other;
    covers_list(
        wide.map(|names| &**names),
        narrow.map(|names| &**names),
        same,
    )
}

fn covers_list<T>(
    wide: Option<&[T]>,
    narrow: Option<&[T]>,
    covers: impl Fn(&T, &T) -> bool,
) -> bool {
    wide.is_none_or(|wide| {
        narrow.is_some_and(|narrow| {
            narrow
                .iter()
                .all(|one| wide.iter().any(|other| covers(other, one)))
        })
    })
}

fn covers_method(wide: &MethodPattern, narrow: &MethodPattern) -> bool {
    match (wide, narrow) {
        (MethodPattern::Under(prefix), MethodPattern::Exact(method)) => {
            method.starts_with(&**prefix) && method.len() > prefix.len()
        }
        (MethodPattern::Under(wide), MethodPattern::Under(narrow)) => narrow.starts_with(&**wide),
        (MethodPattern::Exact(_), _) => wide == narrow,
    }
}

/// Whether one pattern certainly matches whatever another one matches. The runs of the wide one
/// take the wildcards of the narrow one as they take any characters.
fn covers_glob(wide: &Glob, narrow: &Glob) -> bool {
    let has_only_runs = !wide.as_str().contains('?') && wide.matches(narrow.as_str());
    wide == narrow || narrow.exact().is_some_and(|name| wide.matches(name)) || has_only_runs
}

/// The same for URIs, where only `**` takes any characters.
fn covers_uris(wide: &Glob, narrow: &Glob) -> bool {
    let has_only_runs = !wide.as_str().replace("**", "").contains(['*', '?']);
    wide == narrow
        || narrow.exact().is_some_and(|name| wide.matches(name))
        || (has_only_runs && wide.matches(narrow.as_str()))
}

fn covers_claim(wide: &ClaimSelector, narrow: &ClaimSelector) -> bool {
    wide.path == narrow.path && takes_all(&wide.expected, &narrow.expected)
}

fn takes_all(wide: &[ExpectedValue], narrow: &[ExpectedValue]) -> bool {
    narrow.iter().all(|value| wide.contains(value))
}

/// The same for spans and hours.
pub(super) fn covers_when(wide: &When, narrow: &When) -> bool {
    let When {
        clock,
        from,
        until,
        auth_age_max,
        session_age_max,
        not,
    } = wide;
    let covers_clock = |wide: &Clock| {
        narrow.clock.as_ref().is_some_and(|own| {
            let mut days = own.days.iter();
            let has_days = wide.days.is_empty()
                || (!own.days.is_empty() && days.all(|day| wide.days.contains(day)));
            let has_hours = wide.between.is_none() || wide.between == own.between;
            wide.timezone == own.timezone && has_days && has_hours
        })
    };
    clock.as_ref().is_none_or(covers_clock)
        && from.is_none_or(|from| narrow.from.is_some_and(|own| own >= from))
        && until.is_none_or(|until| narrow.until.is_some_and(|own| own <= until))
        && auth_age_max.is_none_or(|most| narrow.auth_age_max.is_some_and(|own| own <= most))
        && session_age_max.is_none_or(|most| narrow.session_age_max.is_some_and(|own| own <= most))
        && (not.is_none() || *not == narrow.not)
}

/// The same for purposes and behaviour.
pub(super) fn covers_why(wide: &Why, narrow: &Why) -> bool {
    let Why {
        purposes,
        behaviours,
        not,
    } = wide;
    let covers_behaviour = |wide: &Behaviour| {
        let mut own = narrow.behaviours.iter();
        own.any(|own| own.counted == wide.counted && own.more_than >= wide.more_than)
    };
    covers_names(purposes.as_ref(), narrow.purposes.as_ref())
        && behaviours.iter().all(covers_behaviour)
        && (not.is_none() || *not == narrow.not)
}
