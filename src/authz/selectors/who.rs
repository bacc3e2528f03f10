//! `who`: the subject, its agent and the peer.

use std::sync::Arc;

use super::claim::ClaimSelector;
use super::names::{Names, selects};
use crate::authz::matching::Match;
use crate::authz::request::AccessRequest;

/// Selectors over the caller. Keys combine with AND, values with OR; all compare exactly.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Who {
    /// `iss`.
    pub issuers: Option<Names>,
    /// `sub`.
    pub subjects: Option<Names>,
    /// Groups of the subject.
    pub groups: Option<Names>,
    /// Roles of the subject.
    pub roles: Option<Names>,
    /// Granted scopes.
    pub scopes: Option<Names>,
    /// The tenant of the subject.
    pub tenants: Option<Names>,
    /// OAuth client ids.
    pub agents: Option<Names>,
    /// Names of the mTLS peer.
    pub peers: Option<Names>,
    /// Claims of the token.
    pub claims: Box<[ClaimSelector]>,
    /// What the caller must not be.
    pub not: Option<Box<Who>>,
}

impl Who {
    /// Whether the block reads the TLS peer.
    pub(crate) fn has_peers(&self) -> bool {
        self.peers.is_some() || self.not.as_ref().is_some_and(|who| who.has_peers())
    }

    pub(crate) fn matches(&self, request: &AccessRequest<'_>) -> Match {
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
        } = self;
        let subject = request.subject;
        let unknown = subject.unknown;
        let named = |names: &Option<Names>, value: Option<&str>| {
            selects(names.as_deref(), |name| value == Some(&**name))
        };
        let held = |names: &Option<Names>, values: &[Arc<str>]| {
            selects(names.as_deref(), |name| values.contains(name))
        };
        // A fact that the token leaves out may be the selected one.
        let unless = |unknown: bool, names: &Option<Names>, found: Match| {
            if unknown && names.is_some() && found == Match::No {
                Match::Indeterminate
            } else {
                found
            }
        };
        let plain = Match::all([
            named(issuers, Some(&subject.issuer)),
            named(subjects, Some(&subject.id)),
            unless(unknown.groups, groups, held(groups, &subject.groups)),
            unless(unknown.roles, roles, held(roles, &subject.roles)),
            unless(unknown.scopes, scopes, held(scopes, &subject.scopes)),
            unless(
                unknown.tenant,
                tenants,
                named(tenants, subject.tenant.as_deref()),
            ),
            unless(
                unknown.agent,
                agents,
                named(agents, subject.agent.as_deref()),
            ),
            peers
                .as_deref()
                .map_or(Match::Yes, |names| request.peer.is_any_of(names)),
        ]);
        if plain == Match::No {
            return Match::No;
        }
        let claims = claims
            .iter()
            .map(|selector| selector.matches_in(&subject.claims));
        let not = not.iter().map(|who| who.matches(request).negate());
        plain.and(Match::all(claims.chain(not)))
    }
}
