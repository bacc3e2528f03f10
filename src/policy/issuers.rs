//! Finds names in a rule that any of several issuers could have given.
//!
//! Groups, roles, scopes, tenants, subjects, clients and claims are what an issuer calls them. On a
//! server that takes tokens of several issuers a rule has to say whose it means; else an issuer that
//! is added later decides who is in `engineering`.

use std::collections::HashMap;

use crate::authz::{Assignments, Effect, Expression, What, Who};

/// The configured issuers, and which of them each server takes tokens of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuers {
    /// All of them; none where they are not known.
    pub names: Vec<String>,
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
    pub(super) condition: Option<&'r Expression>,
    pub(super) set: Option<&'r Assignments>,
}

impl Issuers {
    /// A part of a rule that does not say whose names it means and lets more through by the names
    /// of another issuer: any of an allow; of every other rule what exempts from it.
    pub(super) fn unsaid<'r>(&'r self, rule: RuleParts<'r>) -> Option<Unsaid<'r>> {
        let server = self.server_of_several(rule.what)?;
        let is_allow = *rule.effect? == Effect::Allow;
        let is_said = rule.who.is_some_and(|who| who.issuers.is_some())
            || rule.condition.is_some_and(Expression::says_whose);
        if is_said {
            return None;
        }
        let way = way(rule, is_allow)?;
        Some(Unsaid {
            way,
            server,
            is_allow,
        })
    }

    /// The first server that a rule is about and that takes tokens of several issuers.
    fn server_of_several(&self, what: Option<&What>) -> Option<&str> {
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
            let first = issuers.first();
            issuers.iter().any(|issuer| Some(issuer) != first)
        });
        let names = several.map(|(name, _)| name.as_str());
        names
            .filter(|name| is_named(name) && !is_excluded(name))
            .min()
    }
}

/// Where the names stand.
fn way(rule: RuleParts<'_>, is_allow: bool) -> Option<Vec<&'static str>> {
    let condition = rule.condition.is_some_and(|condition| {
        if is_allow {
            condition.reads_anybodys_names()
        } else {
            condition.fails_by_anybodys_names()
        }
    });
    let own = rule.who.filter(|_| is_allow).and_then(named);
    let not = rule.who.and_then(|who| who.not.as_deref());
    let not = not.filter(|not| not.issuers.is_none()).and_then(named);
    match (own, not) {
        (Some(key), _) => Some(vec!["who", key]),
        (None, Some(key)) => Some(vec!["who", "not", key]),
        (None, None) if condition => Some(vec!["if"]),
        (None, None) => {
            let set = rule.set.filter(|_| is_allow);
            let tells = set.is_some_and(Assignments::leaves_the_issuer_out);
            tells.then(|| vec!["set"])
        }
    }
}

/// The first selector over names that an issuer gives.
fn named(who: &Who) -> Option<&'static str> {
    let Who {
        issuers: _,
        subjects,
        groups,
        roles,
        scopes,
        tenants,
        agents,
        // Certificates are no token's.
        peers: _,
        claims,
        not: _,
    } = who;
    let keys = [
        ("subjects", subjects.is_some()),
        ("groups", groups.is_some()),
        ("roles", roles.is_some()),
        ("scopes", scopes.is_some()),
        ("tenants", tenants.is_some()),
        ("agents", agents.is_some()),
        ("claims", !claims.is_empty()),
    ];
    keys.iter()
        .find_map(|(key, is_there)| is_there.then_some(*key))
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
            (false, _) => "say whose, with `issuers` in the same `not`",
        }
    }
}

#[cfg(test)]
mod tests;
