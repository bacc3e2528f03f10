//! Finds names in a rule that any of several issuers could have given.
//!
//! Each issuer defines its own groups, roles, scopes, tenants, subjects, clients and claims. A rule
//! for a server that accepts tokens of several issuers must name the issuer it means. Otherwise an
//! issuer that is added later decides who is in `engineering`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::authz::{
    Assignments, ClaimSelector, Effect, ExpectedValue, Expression, What, Where, Who, WhoKinds,
};
use crate::yaml::suggestion;

/// The configured issuers, and which of them each server accepts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuers {
    /// Every name that a rule may use: of each issuer as it is configured and as its tokens have it;
    /// empty if they are unknown.
    pub names: Vec<String>,
    /// The issuers that have several tenants, each with the `iss` of every tenant.
    pub families: HashMap<String, Vec<String>>,
    /// The issuers whose tokens describe the device, as their tokens have them.
    pub of_devices: Vec<String>,
    /// The accepted issuers of each server, as their tokens have them.
    pub of_servers: HashMap<String, Vec<String>>,
    /// Whether a rule must name the issuers of its names (`issuers_strict`).
    pub are_strict: bool,
}

/// A part of a rule whose names any issuer could have given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsaid<'r> {
    /// Its position, as a path of keys.
    pub(super) way: Vec<&'static str>,
    /// A server with several issuers that the rule applies to.
    server: &'r str,
    /// Whether the rule is an allow rule.
    is_allow: bool,
}

/// The parts of a rule that select the caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuleParts<'r> {
    pub(super) effect: Option<&'r Effect>,
    pub(super) who: Option<&'r Who>,
    pub(super) what: Option<&'r What>,
    pub(super) place: Option<&'r Where>,
    pub(super) condition: Option<&'r Expression>,
    pub(super) set: Option<&'r Assignments>,
}

impl Issuers {
    /// What to write for a name that is no configured issuer; `None` if it is one, or if the issuers
    /// are unknown.
    pub(super) fn unknown(&self, name: &str) -> Option<String> {
        if self.names.is_empty() || self.names.iter().any(|known| known == name) {
            return None;
        }
        let mut known: Vec<&str> = self.names.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        Some(suggestion(name, &known))
    }

    /// A part of a rule that does not name the issuer of its names, so that names of another issuer
    /// let more requests through: any part of an allow rule; of other rules, the part that exempts
    /// callers.
    pub(super) fn unsaid<'r>(&'r self, rule: RuleParts<'r>) -> Option<Unsaid<'r>> {
        let is_allow = *rule.effect? == Effect::Allow;
        let is_said = rule.who.is_some_and(|who| who.issuers.is_some())
            || rule.condition.is_some_and(Expression::says_whose);
        if is_said {
            return None;
        }
        let unsaid = |way, server| Unsaid {
            way,
            server,
            is_allow,
        };
        let server = self.server_of_several(rule.what, |_| true)?;
        if let Some(way) = way(rule, is_allow) {
            return Some(unsaid(way, server));
        }
        // A proxy's facts about the device belong to no issuer.
        let tells = |issuer: &String| self.of_devices.contains(issuer);
        let server = self.server_of_several(rule.what, tells)?;
        Some(unsaid(way_to_device(rule, is_allow)?, server))
    }

    /// Puts the `iss` of every tenant in the place of an issuer that has several.
    pub(super) fn name_tenants(&self, who: &mut Who) {
        if let Some(names) = who.issuers.as_mut().filter(|_| !self.families.is_empty()) {
            let each = names
                .iter()
                .flat_map(|name| match self.families.get(&**name) {
                    Some(tenants) => tenants.iter().map(|iss| Arc::from(iss.as_str())).collect(),
                    None => vec![Arc::clone(name)],
                });
            *names = each.collect();
        }
        if let Some(not) = &mut who.not {
            self.name_tenants(not);
        }
    }

    /// The name of an issuer with several tenants that an expression has, although no `iss` is like
    /// it.
    pub(super) fn family_in(&self, expression: &str) -> Option<&str> {
        let mut families = self.families.keys().map(String::as_str);
        families.find(|family| expression.contains(family))
    }

    /// The first server that a rule applies to and that accepts several such issuers.
    fn server_of_several(
        &self,
        what: Option<&What>,
        counts: impl Fn(&String) -> bool,
    ) -> Option<&str> {
        let is_named = |name: &str| {
            let named = what.and_then(|what| what.servers.as_deref());
            named.is_none_or(|names| names.iter().any(|own| **own == *name))
        };
        // Nothing else in `not` excludes a server from the rule entirely.
        let is_excluded = |name: &str| {
            let not = what.and_then(|what| what.not.as_deref());
            not.is_some_and(|not| {
                let servers = What {
                    servers: not.servers.clone(),
                    ..What::default()
                };
                let names = not.servers.iter().flatten();
                *not == servers && names.into_iter().any(|own| **own == *name)
            })
        };
        let several = self.of_servers.iter().filter(|(_, issuers)| {
            let counted = || issuers.iter().filter(|issuer| counts(issuer));
            let first = counted().next();
            counted().any(|issuer| Some(issuer) != first)
        });
        let names = several.map(|(name, _)| name.as_str());
        names
            .filter(|name| is_named(name) && !is_excluded(name))
            .min()
    }
}

/// The position of the names.
fn way(rule: RuleParts<'_>, is_allow: bool) -> Option<Vec<&'static str>> {
    if let Some(key) = rule.who.and_then(|who| named(who, is_allow)) {
        return Some(vec!["who", key]);
    }
    let not = rule.who.and_then(|who| who.not.as_deref());
    let not = not.filter(|not| not.issuers.is_none());
    if let Some(key) = not.and_then(|not| named(not, true)) {
        return Some(vec!["who", "not", key]);
    }
    if reads_names(rule, is_allow, false) {
        return Some(vec!["if"]);
    }
    let set = rule.set.filter(|_| is_allow);
    let tells = set.is_some_and(Assignments::leaves_the_issuer_out);
    tells.then(|| vec!["set"])
}

/// The position of the device.
fn way_to_device(rule: RuleParts<'_>, is_allow: bool) -> Option<Vec<&'static str>> {
    let place = rule.place;
    let not = place.and_then(|place| place.not.as_deref());
    if place.is_some_and(|place| lets_through(&place.device, is_allow)) {
        return Some(vec!["where", "device"]);
    }
    if not.is_some_and(|not| lets_through(&not.device, true)) {
        return Some(vec!["where", "not", "device"]);
    }
    reads_names(rule, is_allow, true).then(|| vec!["if"])
}

/// Whether an expression lets requests through because of names.
fn reads_names(rule: RuleParts<'_>, is_allow: bool, with_device: bool) -> bool {
    rule.condition.is_some_and(|condition| {
        if is_allow {
            condition.reads_anybodys_names(with_device)
        } else {
            condition.fails_by_anybodys_names(with_device)
        }
    })
}

/// Whether claims let requests through: by any value, or else by having none.
fn lets_through(claims: &[ClaimSelector], by_any: bool) -> bool {
    let mut expected = claims.iter().flat_map(|claim| &claim.expected);
    expected.any(|expected| by_any || ExpectedValue::is_nothing(expected))
}

/// The first selector over issuer-given names that lets requests through: by any name, or else by
/// having none.
fn named(who: &Who, by_any: bool) -> Option<&'static str> {
    let WhoKinds {
        names,
        claims,
        not: _,
    } = who.kinds();
    let mut given = names
        .into_iter()
        .filter(|(_, names)| by_any && names.is_some());
    // Nobody but the operator names issuers, and certificates are no token's.
    let named = given.find(|(list, _)| !["issuers", "peers"].contains(list));
    let named = named.map(|(list, _)| list);
    named.or_else(|| lets_through(claims, by_any).then_some("claims"))
}

impl Unsaid<'_> {
    /// The message of the finding.
    pub(super) fn message(&self) -> String {
        let names = match self.way.as_slice() {
            ["if"] => "the names in the expression".to_owned(),
            ["set"] => "the names that are set".to_owned(),
            way => format!("`{}`", way.last().copied().unwrap_or_default()),
        };
        let server = self.server;
        format!("{names} may come from any issuer that `{server}` accepts")
    }

    /// The help of the finding. Following it never lets more requests through than the rule does
    /// now: an allow rule is restricted to callers of named issuers, and any other rule exempts
    /// only by their names.
    pub(super) fn help(&self) -> &'static str {
        match (self.is_allow, self.way.as_slice()) {
            (true, ["if"]) => {
                "name the issuer: `subject.issuer == \"…\" && (…)`, or `issuers` in `who`"
            }
            (true, ["set"]) => "set `${subject.issuer}` too, or `issuers` in `who`",
            (true, _) => "name the issuers with `issuers` in `who`",
            (false, ["if"]) => {
                "name the issuer: `!(subject.issuer == \"…\" && …)`, with what exempts after the \
                 `&&`"
            }
            (false, ["who", "not", _]) => "name the issuers with `issuers` in the same `not`",
            (false, ["who", _]) => {
                "name the issuers: `not: {issuers: […], claims: …}` instead, with the values that \
                 exempt"
            }
            (false, _) => {
                "name the issuer in `if` instead: `!(subject.issuer == \"…\" && device.… == …)`, \
                 with what exempts after the `&&`"
            }
        }
    }
}

#[cfg(test)]
mod tests;
