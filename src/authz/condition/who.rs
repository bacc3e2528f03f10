//! `who`: the subject, its agent and the peer.

use std::sync::Arc;

use crate::authz::request::{AccessRequest, Value};

use super::value::{Expected, ValuePath};
use super::{Match, Names, selects};

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

/// One claim and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSelector {
    /// Where the claim is. A claim whose whole name is the dotted path comes first.
    pub path: ValuePath,
    /// Any of these.
    pub expected: Box<[Expected]>,
}

impl Who {
    pub(in crate::authz) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        let subject = request.subject;
        let named = |names: &Option<Names>, value: Option<&str>| {
            selects(names.as_deref(), |name| value == Some(&**name))
        };
        let held = |names: &Option<Names>, values: &[Arc<str>]| {
            selects(names.as_deref(), |name| values.contains(name))
        };
        let plain = Match::all([
            named(&self.issuers, Some(&subject.issuer)),
            named(&self.subjects, Some(&subject.id)),
            held(&self.groups, &subject.groups),
            held(&self.roles, &subject.roles),
            held(&self.scopes, &subject.scopes),
            named(&self.tenants, subject.tenant.as_deref()),
            named(&self.agents, subject.agent.as_deref()),
            named(&self.peers, request.peer),
        ]);
        if plain == Match::No {
            return Match::No;
        }
        let claims = &request.subject.claims;
        let claims = self
            .claims
            .iter()
            .map(|selector| selector.matches_in(claims));
        let not = self.not.iter().map(|who| who.matches(request).negate());
        plain.and(Match::all(claims.chain(not)))
    }
}

impl ClaimSelector {
    /// A list claim is a set: it matches if any element does, as groups and roles do.
    pub(super) fn matches_in(&self, claims: &Value<'_>) -> Match {
        match claims.member(self.path.as_str()) {
            Some(claim) => Expected::match_any_element(&self.expected, claim),
            None => self.path.resolve(claims, |claim| {
                Expected::match_any_element(&self.expected, claim)
            }),
        }
    }
}
