//! Ownership of sessions and tasks: each is bound to one subject.
//!
//! Ids and subjects are kept as digests, so that whoever reads a store learns no session id.

use jiff::Timestamp;

use super::Reply;
use super::digest::ShortDigest;
use super::shares::Party;
use crate::authz::Subject;

pub(super) use super::digest::digest_of;

/// A kind of thing that belongs to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindingKind {
    /// A session, by its `Mcp-Session-Id`.
    Session,
    /// A task, by its `taskId`.
    Task,
}

/// The exact name of something that can be bound. No two things share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingKey {
    kind: BindingKind,
    digest: ShortDigest,
}

/// A subject as the owner of something: its issuer and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    issuer: ShortDigest,
    /// The issuer is part of it.
    id: ShortDigest,
}

/// What a store knows of something that is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Whose it is.
    pub owner: Owner,
    /// Since when, by the clock of the check that bound it.
    pub since: Timestamp,
}

/// Whose something is, as far as a store can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It was never bound.
    Nobodys,
    /// It is bound.
    Of(Binding),
    /// It was bound or may have been, and to whom was forgotten; or there is no room to bind it.
    /// No one may take it.
    Unknown,
}

/// How something is bound that may be another's already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// Not at all then: the first owner keeps it, and what is unknown stays unknown.
    IfFree,
    /// Over what was there: the server has issued the id now.
    Anew,
}

/// Remembers to whom sessions and tasks belong.
pub trait BindingStore {
    /// The owner of each key, in order, as the asking owner may know it: a key that is unbound for some
    /// owners may be unknown to others.
    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        asking: Owner,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;

    /// Binds each key independently, and returns in order who owns it afterwards. [`Bind::Anew`] always
    /// binds.
    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>>;
}

impl BindingKey {
    /// The session of this id on a server, which is named as configured.
    #[must_use]
    pub fn session(server: &str, id: &str) -> Self {
        BindingKey::new(
            BindingKind::Session,
            [b"session", server.as_bytes(), id.as_bytes()],
        )
    }

    /// A session id as one owner uses it, whether or not others use it too. It is never bound to anyone
    /// else, so it only shows since when.
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

    /// The task of this id on a server, which is named as configured.
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

    /// What it names.
    #[must_use]
    pub fn kind(&self) -> BindingKind {
        self.kind
    }

    /// The name among those of its kind.
    pub(super) fn digest(&self) -> ShortDigest {
        self.digest
    }
}

impl Owner {
    /// The subject `id` of `issuer`: the same id of another issuer is another owner, and whatever
    /// else a token says is not part of it.
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

    /// For names of which the owner is a part.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.id
    }

    /// Who makes room where there is too much.
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
    fn names_that_join_to_the_same_text_are_told_apart() {
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
