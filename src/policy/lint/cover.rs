//! Decides whether one rule applies wherever another one does.
//!
//! It compares the rules as written: a yes is certain, a no may be wrong.

use std::collections::HashMap;

use crate::authz::{Effect, Expression, Mode, Names, Rule, Who};
use crate::policy::blocks::{covers_what, covers_where, covers_who};

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
