//! Finds names in a rule that any of several issuers could have given.
//!
//! Groups, roles, scopes, tenants, subjects, clients and claims are what an issuer calls them. On a
//! server that takes tokens of several issuers a rule has to say whose it means; else an issuer that
//! is added later decides who is in `engineering`.

use std::collections::HashMap;

use crate::authz::{
    Assignments, ClaimSelector, Effect, ExpectedValue, Expression, What, Where, Who, WhoKinds,
};

/// The configured issuers, and which of them each server takes tokens of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuers {
    /// All of them; none where they are not known.
    pub names: Vec<String>,
    /// Those whose tokens tell of the device.
    pub of_devices: Vec<String>,
    /// By server.
    pub of_servers: HashMap<String, Vec<String>>,
    /// Whether a rule has to say whose names it means (`issuers_strict`).
    pub are_strict: bool,
}

/// A part of a rule whose names may be those of any issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsaid<'r> {
    /// Where it stands, by its keys.
    pub(super) way: Vec<&'static str>,
    /// A server with several issuers that the rule is about.
    server: &'r str,
    /// Whether the rule is an allow.
    is_allow: bool,
}

/// The parts of a rule that decide who is meant.
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
    /// A part of a rule that does not say whose names it means and lets more through by the names
    /// of another issuer: any of an allow; of every other rule what exempts from it.
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
        // What a proxy says of the device is no issuer's.
        let tells = |issuer: &String| self.of_devices.contains(issuer);
        let server = self.server_of_several(rule.what, tells)?;
        Some(unsaid(way_to_device(rule, is_allow)?, server))
    }

    /// The first server that a rule is about and that takes tokens of several such issuers.
    fn server_of_several(
        &self,
        what: Option<&What>,
        counts: impl Fn(&String) -> bool,
    ) -> Option<&str> {
        let is_named = |name: &str| {
            let named = what.and_then(|what| what.servers.as_deref());
            named.is_none_or(|names| names.iter().any(|own| **own == *name))
        };
        // Nothing else in `not` takes all of a server out of the rule.
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

/// Where the names stand.
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

/// Where the device stands.
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

/// Whether an expression lets through by names.
fn reads_names(rule: RuleParts<'_>, is_allow: bool, with_device: bool) -> bool {
    rule.condition.is_some_and(|condition| {
        if is_allow {
            condition.reads_anybodys_names(with_device)
        } else {
            condition.fails_by_anybodys_names(with_device)
        }
    })
}

/// Whether claims let through: any that may be had, else those of who has none.
fn lets_through(claims: &[ClaimSelector], by_any: bool) -> bool {
    let mut expected = claims.iter().flat_map(|claim| &claim.expected);
    expected.any(|expected| by_any || ExpectedValue::is_nothing(expected))
}

/// The first selector over names that an issuer gives and that lets through: by any name, else by
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
    /// What is wrong.
    pub(super) fn message(&self) -> String {
        let names = match self.way.as_slice() {
            ["if"] => "the names in the expression".to_owned(),
            ["set"] => "the names that are set".to_owned(),
            way => format!("`{}`", way.last().copied().unwrap_or_default()),
        };
        let server = self.server;
        format!("{names} may be those of any issuer that `{server}` takes")
    }

    /// What would be right. It never lets more through than the rule does as it stands: an allow is
    /// kept to the callers of named issuers, and from any other rule only their names exempt.
    pub(super) fn help(&self) -> &'static str {
        match (self.is_allow, self.way.as_slice()) {
            (true, ["if"]) => "say whose: `subject.issuer == \"…\" && (…)`, or `issuers` in `who`",
            (true, ["set"]) => "set `${subject.issuer}` too, or say `issuers` in `who`",
            (true, _) => "say whose, with `issuers` in `who`",
            (false, ["if"]) => {
                "say whose: `!(subject.issuer == \"…\" && …)`, with what exempts after the `&&`"
            }
            (false, ["who", "not", _]) => "say whose, with `issuers` in the same `not`",
            (false, ["who", _]) => {
                "say whose: `not: {issuers: […], claims: …}` instead, with the values that exempt"
            }
            (false, _) => {
                "say whose, in `if` instead: `!(subject.issuer == \"…\" && device.… == …)`, with \
                 what exempts after the `&&`"
            }
        }
    }
}

#[cfg(test)]
mod tests;
