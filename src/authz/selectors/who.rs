//! `who`: the subject, its agent and the peer.

use std::sync::Arc;

use super::claim::ClaimSelector;
use super::names::{Names, selects};
use crate::authz::matching::Match;
use crate::authz::request::AccessRequest;

/// Declares the selectors over the caller: the lists of names, one row for each.
macro_rules! who {
    ($($(#[$doc:meta])* $list:ident,)+) => {
        /// Selectors over the caller. Keys combine with AND, values with OR; all compare exactly.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Who {
            $($(#[$doc])* pub $list: Option<Names>,)+
            /// Claims of the token.
            pub claims: Box<[ClaimSelector]>,
            /// What the caller must not be.
            pub not: Option<Box<Who>>,
        }

        impl Who {
            /// The selectors by their kinds.
            #[must_use]
            pub fn kinds(&self) -> WhoKinds<'_> {
                WhoKinds {
                    names: vec![$((stringify!($list), self.$list.as_ref()),)+],
                    claims: &self.claims,
                    not: self.not.as_deref(),
                }
            }

            /// Each list of names that there is, by itself.
            pub(crate) fn names_apart(&self) -> Vec<(&'static str, Who)> {
                let each = [$((stringify!($list), Who {
                    $list: self.$list.clone(),
                    ..Who::default()
                }),)+];
                let given = each.into_iter().filter(|(_, who)| *who != Who::default());
                given.collect()
            }
        }
    };
}

who! {
    /// `iss`.
    issuers,
    /// `sub`.
    subjects,
    /// Groups of the subject.
    groups,
    /// Roles of the subject.
    roles,
    /// Granted scopes.
    scopes,
    /// The tenant of the subject.
    tenants,
    /// OAuth client ids.
    agents,
    /// Names of the mTLS peer.
    peers,
}

/// The selectors of a [`Who`], for what treats all lists of names alike. Whoever takes this apart
/// completely does not compile once there is another kind of selector.
#[derive(Debug)]
pub struct WhoKinds<'w> {
    /// The lists of names, each by its name.
    pub names: Vec<(&'static str, Option<&'w Names>)>,
    /// Claims of the token.
    pub claims: &'w [ClaimSelector],
    /// What the caller must not be.
    pub not: Option<&'w Who>,
}

/// Whether the scopes of the caller count as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scopes {
    /// Those of the token.
    Held,
    /// As if the token had the scopes that `who.scopes` names, besides its own.
    Granted,
}

impl Who {
    /// Whether the block reads the TLS peer.
    pub(crate) fn has_peers(&self) -> bool {
        self.peers.is_some() || self.not.as_ref().is_some_and(|who| who.has_peers())
    }

    /// Whether the token certainly has none of the scopes that the block names, which any one of
    /// them would mend.
    pub(crate) fn lacks_scopes(&self, request: &AccessRequest<'_>) -> bool {
        let held = &request.subject.scopes;
        let lacks = |names: &Names| !names.iter().any(|name| held.contains(name));
        !request.subject.unknown.scopes && self.scopes.as_ref().is_some_and(lacks)
    }

    pub(crate) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        self.matches_with(Scopes::Held, request)
    }

    /// Whether it matches if the caller has these scopes. What the caller must not be is judged by
    /// the scopes of the token.
    pub(crate) fn matches_with(&self, held_scopes: Scopes, request: &AccessRequest<'_>) -> Match {
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
            match held_scopes {
                Scopes::Held => unless(unknown.scopes, scopes, held(scopes, &subject.scopes)),
                Scopes::Granted => Match::Yes,
            },
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
