//! The owner of a counter.

use std::sync::Arc;

use crate::authz::request::AccessRequest;
use crate::authz::window::KeyPart;

/// The owner of a counter. A store without room for all counters evicts from the holder with the
/// most, so that no caller can evict another's counters by creating more of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The kind of holder.
    pub kind: HolderKind,
    /// The issuer that names it, if any. Holders of the same kind and issuer make room together
    /// first, and then among themselves.
    pub issuer: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// Whether its counters have no effect, because they belong to rules that are only rehearsed.
    pub is_rehearsed: bool,
}

/// The kinds of holders, from the narrowest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HolderKind {
    /// A subject, which also holds the counters of its sessions.
    Subject,
    /// An OAuth client, for counters that all of its users share.
    Agent,
    /// A tenant, for counters that all of its members share.
    Tenant,
    /// A server, for counters that all of its callers share.
    Server,
    /// The tools of a server, for counters by tool whoever calls.
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
    /// The holder of a request's counter that is keyed by these parts: the narrowest of them.
    /// `None` if the request has none of them.
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
