//! The scopes that a reply names where some are missing.
//!
//! Clients ask for a new token with exactly the scopes of the challenge, and with it replace the
//! one that they have. So a challenge also names the scopes that the token has, as far as a rule or
//! `scopes_supported` names them too: others are of no use here.

use std::collections::BTreeSet;

use crate::authn::challenge::check_scope;
use crate::authz::{Challenge, Subject};
use crate::check::server::{ChallengeScopes, Server};

/// The most bytes of the scopes in a challenge, with the blanks between them. Those that are needed
/// are named in any case.
const SCOPES_BYTES_MAX: usize = 4096;

/// The scopes by their advertised names, each once.
pub(super) struct NamedScopes {
    /// Those to ask for.
    pub(super) asked: Vec<String>,
    /// Those that are missing.
    pub(super) missing: Vec<String>,
}

impl NamedScopes {
    pub(super) fn of(server: &Server, subject: &Subject, challenge: &Challenge) -> Self {
        let names = server.settings.scope_names(&subject.issuer);
        let advertise = |scope: &str| {
            names.map_or_else(
                || scope.to_owned(),
                |names| names.advertised(scope).into_owned(),
            )
        };
        let mut missing = Vec::new();
        for scope in &challenge.missing {
            push_new(&mut missing, advertise(scope));
        }
        let mut asked = Vec::new();
        let is_all = server.settings.challenge_scopes == ChallengeScopes::All;
        if !is_all && !missing.is_empty() {
            asked.clone_from(&missing);
            return NamedScopes { asked, missing };
        }
        for scope in &challenge.scopes {
            push_new(&mut asked, advertise(scope));
        }
        if is_all {
            let supported = &server.settings.scopes_supported;
            let holds = |scope: &&String| {
                let scope = advertise(scope);
                subject.scopes.iter().any(|held| advertise(held) == scope)
            };
            let held = challenge.held.iter().map(|scope| advertise(scope));
            let held = held.chain(supported.iter().filter(holds).map(|scope| advertise(scope)));
            add_held(&mut asked, held.collect());
        }
        NamedScopes { asked, missing }
    }
}

/// Adds scopes that the token has, in their order, as long as there is room.
fn add_held(asked: &mut Vec<String>, held: BTreeSet<String>) {
    let mut bytes: usize = asked
        .iter()
        .map(|scope| scope.len().saturating_add(1))
        .sum();
    for scope in held {
        let with = bytes.saturating_add(scope.len()).saturating_add(1);
        if with <= SCOPES_BYTES_MAX && check_scope(&scope).is_ok() && !asked.contains(&scope) {
            bytes = with;
            asked.push(scope);
        }
    }
}

fn push_new(all: &mut Vec<String>, scope: String) {
    if check_scope(&scope).is_ok() && !all.contains(&scope) {
        all.push(scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_named_and_what_is_held_as_far_as_there_is_room() {
        let mut asked = vec!["write".to_owned()];
        let long = |letter: &str| letter.repeat(2000);
        let held = ["read", "write", "a\"b", &long("c"), &long("d"), &long("e")];
        add_held(&mut asked, held.map(str::to_owned).into());
        assert_eq!(asked, ["write", &long("c"), &long("d"), "read"]);
        let total: usize = asked.iter().map(|scope| scope.len() + 1).sum();
        assert!(total <= SCOPES_BYTES_MAX);
    }
}
