//! Ownership of sessions and tasks: each is bound to one subject.
//!
//! Ids and subjects are stored as digests, so that reading a store reveals no session id.

use jiff::Timestamp;

use super::Reply;
use super::digest::ShortDigest;
use super::shares::Party;
use crate::authz::Subject;

pub(super) use super::digest::digest_of;

/// A kind of thing that a subject can own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindingKind {
    /// A session, by its `Mcp-Session-Id`.
    Session,
    /// A task, by its `taskId`.
    Task,
}

/// The exact name of something that can be bound. No two things share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingKey {
    kind: BindingKind,
    digest: ShortDigest,
}

/// A subject as an owner: its issuer and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    issuer: ShortDigest,
    /// The digest includes the issuer.
    id: ShortDigest,
}

/// A binding as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The owner.
    pub owner: Owner,
    /// When it was bound, by the clock of the check that bound it.
    pub since: Timestamp,
    /// Whether the server issued the id to the owner. Otherwise the owner was the first to use it.
    pub is_issued: bool,
}

/// The owner of a key, as far as the store knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It was never bound; nobody owns it.
    Nobodys,
    /// It is bound.
    Of(Binding),
    /// It was or may have been bound, and the owner was evicted; or there is no room to bind it.
    /// Nobody may bind it by first use.
    Unknown,
}

/// How to bind a key that may already be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// Only if the key is free: an existing owner keeps it, and an unknown key stays unknown.
    IfFree,
    /// Over an existing binding, because the server has just issued the id.
    Anew,
}

/// Remembers which subjects own which sessions and tasks.
pub trait BindingStore {
    /// Returns the owner of each key, in order, as seen by the asking owner: a key that is free for
    /// some owners may be unknown to others.
    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        asking: Owner,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;

    /// Binds each key independently, and returns the owners afterwards, in order. [`Bind::Anew`]
    /// always binds.
    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;
}

impl BindingKey {
    /// The session with this id on a server; `server` is the configured name.
    #[must_use]
    pub fn session(server: &str, id: &str) -> Self {
        BindingKey::new(
            BindingKind::Session,
            [b"session", server.as_bytes(), id.as_bytes()],
        )
    }

    /// A session id as one owner uses it, whether or not others use it too. It is never bound to
    /// another owner, so it only records when its use began.
    #[must_use]
    pub fn session_as_seen_by(owner: Owner, server: &str, id: &str) -> Self {
        let parts = [
            b"seen".as_slice(),
            &owner.id,
            server.as_bytes(),
            id.as_bytes(),
        ];
        BindingKey::new(BindingKind::Session, parts)
    }

    /// The task with this id on a server; `server` is the configured name.
    #[must_use]
    pub fn task(server: &str, id: &str) -> Self {
        BindingKey::new(
            BindingKind::Task,
            [b"task", server.as_bytes(), id.as_bytes()],
        )
    }

    fn new<const N: usize>(kind: BindingKind, parts: [&[u8]; N]) -> Self {
        BindingKey {
            kind,
            digest: digest_of(parts),
        }
    }

    /// The kind of the named thing.
    #[must_use]
    pub fn kind(&self) -> BindingKind {
        self.kind
    }

    /// The name, unique within its kind.
    pub(super) fn digest(&self) -> ShortDigest {
        self.digest
    }
}

impl Owner {
    /// The subject `id` of `issuer`. The same id at another issuer is another owner; other parts of
    /// the token do not matter.
    #[must_use]
    pub fn new(issuer: &str, id: &str) -> Self {
        Owner {
            issuer: digest_of([b"issuer".as_slice(), issuer.as_bytes()]),
            id: digest_of([b"owner", issuer.as_bytes(), id.as_bytes()]),
        }
    }

    /// This subject.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        Owner::new(&subject.issuer, &subject.id)
    }

    /// For names that include the owner.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.id
    }

    /// The holder to which the owner's keys are charged.
    pub(crate) fn party(&self) -> Party {
        Party {
            group: self.issuer,
            id: self.id,
            yields_first: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_join_to_the_same_text_are_distinct() {
        let owner = Owner::new("i", "a");
        let keys = [
            BindingKey::session("ab", "c"),
            BindingKey::session("a", "bc"),
            BindingKey::session("ab", "C"),
            BindingKey::task("ab", "c"),
            BindingKey::session_as_seen_by(owner, "ab", "c"),
            BindingKey::session_as_seen_by(Owner::new("i", "b"), "ab", "c"),
        ];
        let digests: std::collections::BTreeSet<_> = keys.iter().map(|key| key.digest).collect();
        assert_eq!(digests.len(), keys.len());
        assert_eq!(keys[0], BindingKey::session("ab", "c"));
        assert_ne!(Owner::new("ia", "b"), Owner::new("i", "ab"));
        assert_ne!(Owner::new("i", "a"), Owner::new("j", "a"));
    }
}
