//! The subject: whom a verified token is about.

use std::sync::Arc;

use super::value::Value;

/// The party that the verified token is about.
///
/// INVARIANT: built only by `authn` after verification; a tidy test watches the constructor.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// `iss`: the configured issuer that vouches for the subject.
    pub issuer: Arc<str>,
    /// `sub`.
    pub id: Arc<str>,
    /// The OAuth client acting for the subject.
    pub agent: Option<Arc<str>>,
    /// Groups, from the configured claim.
    pub groups: Vec<Arc<str>>,
    /// Roles, from the configured claim.
    pub roles: Vec<Arc<str>>,
    /// Granted scopes.
    pub scopes: Vec<Arc<str>>,
    /// Tenant, from the configured claim.
    pub tenant: Option<Arc<str>>,
    /// The token's facts about the device, from the configured claim.
    pub device: Option<Value<'static>>,
    /// Every claim of the token, as verified.
    pub claims: Value<'static>,
    /// Which of the facts above the token leaves unknown.
    pub unknown: UnknownFacts,
}

/// Facts about a subject that its token neither has nor lacks: the issuer left them out, or their
/// claim can be read in two ways. Values that are present hold; others are not absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct UnknownFacts {
    /// The OAuth client.
    pub agent: bool,
    /// Groups.
    pub groups: bool,
    /// Roles.
    pub roles: bool,
    /// Scopes.
    pub scopes: bool,
    /// The tenant.
    pub tenant: bool,
    /// Lists that are known to be empty, not absent.
    pub empty: EmptyLists,
}

/// Lists that a token has and that name nothing. No rule matches them otherwise than absent ones,
/// but whoever is told of a claim that is absent would look for it in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmptyLists {
    /// Groups.
    pub groups: bool,
    /// Roles.
    pub roles: bool,
    /// Scopes.
    pub scopes: bool,
}
