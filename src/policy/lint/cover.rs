//! Decides whether one rule applies wherever another one does.
//!
//! It compares the rules as written: a yes is certain, a no may be wrong.

use std::collections::HashMap;

use ipnet::IpNet;

use crate::authz::{
    Effect, Expression, Glob, MethodPattern, Mode, Names, Rule, What, Where, Who, WhoKinds,
};

/// Rules by caller, so that not every pair must be compared: a rule that names groups covers only
/// rules that name some of the same groups, and likewise with subjects.
pub(super) struct Covers<'p> {
    rules: &'p [Rule],
    groups: HashMap<&'p str, Vec<usize>>,
    subjects: HashMap<&'p str, Vec<usize>>,
    anyone: Vec<usize>,
}

impl<'p> Covers<'p> {
    pub(super) fn new(rules: &'p [Rule]) -> Self {
        let mut covers = Covers {
            rules,
            groups: HashMap::new(),
            subjects: HashMap::new(),
            anyone: Vec::new(),
        };
        for (position, rule) in rules.iter().enumerate() {
            let (table, names) = match rule.who.as_ref() {
                Some(Who {
                    groups: Some(names),
                    ..
                }) => (&mut covers.groups, names),
                Some(Who {
                    subjects: Some(names),
                    ..
                }) => (&mut covers.subjects, names),
                Some(_) | None => {
                    covers.anyone.push(position);
                    continue;
                }
            };
            for name in names {
                table.entry(name).or_default().push(position);
            }
        }
        covers
    }

    /// A rule that makes the one at `position` redundant: one with the same effect, or a deny. Of
    /// two that cover each other, the first in the file stays.
    pub(super) fn of(&self, position: usize) -> Option<&'p Rule> {
        let rule = self.rules.get(position)?;
        let who = rule.who.as_ref();
        let first = |names: Option<&'p Names>| names.and_then(|names| names.first());
        let groups = first(who.and_then(|who| who.groups.as_ref()));
        let subjects = first(who.and_then(|who| who.subjects.as_ref()));
        let of_group = groups.and_then(|name| self.groups.get(&**name));
        let of_subject = subjects.and_then(|name| self.subjects.get(&**name));
        let candidates = [Some(&self.anyone), of_group, of_subject]
            .into_iter()
            .flatten()
            .flatten();
        let others = candidates.filter(|other| **other != position);
        let mut others = others.filter_map(|other| Some((*other, self.rules.get(*other)?)));
        let found = others.find(|(other, candidate)| {
            (candidate.effect == rule.effect || candidate.effect == Effect::Deny)
                && covers(candidate, rule)
                && (*other < position
                    || candidate.effect != rule.effect
                    || !covers(rule, candidate))
        });
        found.map(|(_, rule)| rule)
    }
}

/// Every field is named, so that the compiler notices a new one.
fn covers(wide: &Rule, narrow: &Rule) -> bool {
    let Rule {
        id: _,
        effect: _,
        who,
        mode: _,
        what,
        when,
        place,
        why,
        expression,
        set,
        message: _,
        about: _,
    } = wide;
    // A deny covers an allow with assignments, another allow only if it has the same ones.
    let sets_the_same = wide.effect == Effect::Deny || *set == narrow.set;
    let is_as_often = wide.mode == narrow.mode || wide.mode == Mode::Enforce;
    if !sets_the_same || !is_as_often {
        return false;
    }
    (when.is_none() || *when == narrow.when)
        && (why.is_none() || *why == narrow.why)
        && who
            .as_ref()
            .is_none_or(|who| narrow.who.as_ref().is_some_and(|own| covers_who(who, own)))
        && what.as_ref().is_none_or(|what| {
            narrow
                .what
                .as_ref()
                .is_some_and(|own| covers_what(what, own))
        })
        && place.as_ref().is_none_or(|place| {
            narrow
                .place
                .as_ref()
                .is_some_and(|own| covers_where(place, own))
        })
        && expression.as_ref().is_none_or(|wide| {
            let own = narrow.expression.as_ref().map(Expression::as_str);
            own == Some(wide.as_str())
        })
}

fn covers_who(wide: &Who, narrow: &Who) -> bool {
    let WhoKinds { names, claims, not } = wide.kinds();
    let own = narrow.kinds();
    let mut names = names.into_iter().zip(own.names);
    names.all(|((_, wide), (_, narrow))| covers_names(wide, narrow))
        && claims.iter().all(|claim| own.claims.contains(claim))
        && (not.is_none() || not == own.not)
}

fn covers_what(wide: &What, narrow: &What) -> bool {
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
            |wide, narrow| covers_glob(wide.glob(), narrow.glob()),
        )
        && arguments
            .iter()
            .all(|argument| narrow.arguments.contains(argument))
        && (not.is_none() || *not == narrow.not)
}

fn covers_where(wide: &Where, narrow: &Where) -> bool {
    let Where {
        networks,
        countries,
        device,
        not,
    } = wide;
    let contains = |wide: &IpNet, narrow: &IpNet| wide.contains(narrow);
    covers_list(networks.as_deref(), narrow.networks.as_deref(), contains)
        && covers_names(countries.as_ref(), narrow.countries.as_ref())
        && device.iter().all(|one| narrow.device.contains(one))
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

fn covers_glob(wide: &Glob, narrow: &Glob) -> bool {
    wide.as_str() == narrow.as_str() || narrow.exact().is_some_and(|name| wide.matches(name))
}
