//! The owner of a counter.

use std::sync::Arc;

use crate::authz::request::AccessRequest;
use crate::authz::window::KeyPart;

/// Who has a counter. A store that has no room for all counters takes it from whoever has the
/// most, so that nobody drives out another's by counters of their own making.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// What kind of thing it is.
    pub kind: HolderKind,
    /// The issuer that names it, if one does. The holders of one kind and issuer make room
    /// together, and then among themselves.
    pub issuer: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// Whether nothing rests on its counters, as they are of rules that are only tried out.
    pub is_rehearsed: bool,
}

/// The kinds of holders, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HolderKind {
    /// A subject, whose sessions are its own too.
    Subject,
    /// An OAuth client, for what all of its users share.
    Agent,
    /// A tenant, for what all in it share.
    Tenant,
    /// A server, for what all of its callers share.
    Server,
    /// The tools of a server, for what is counted by tool whoever calls.
    Tools,
}

impl HolderKind {
    /// The name in keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HolderKind::Subject => "subject",
            HolderKind::Agent => "agent",
            HolderKind::Tenant => "tenant",
            HolderKind::Server => "server",
            HolderKind::Tools => "tools",
        }
    }
}

impl Holder {
    /// Whose the counter of a request is that is kept by these parts: the narrowest thing among
    /// them. None where the request has no such thing.
    pub(super) fn of(by: &[KeyPart], request: &AccessRequest<'_>) -> Option<Self> {
        let subject = request.subject;
        let has = |part| by.contains(&part);
        let (kind, issuer, name) = if has(KeyPart::Subject) || has(KeyPart::Session) {
            (
                HolderKind::Subject,
                Some(&subject.issuer),
                Arc::clone(&subject.id),
            )
        } else if has(KeyPart::Agent) {
            let agent = subject.agent.as_ref()?;
            (HolderKind::Agent, Some(&subject.issuer), Arc::clone(agent))
        } else if has(KeyPart::Tenant) {
            let tenant = subject.tenant.as_ref()?;
            (
                HolderKind::Tenant,
                Some(&subject.issuer),
                Arc::clone(tenant),
            )
        } else if has(KeyPart::Tool) {
            (HolderKind::Tools, None, request.server.into())
        } else {
            (HolderKind::Server, None, request.server.into())
        };
        Some(Holder {
            kind,
            issuer: issuer.map(Arc::clone),
            name,
            is_rehearsed: false,
        })
    }
}
