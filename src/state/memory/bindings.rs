//! Bindings in the memory of one process, and which of them are evicted when there are too many.
//!
//! No caller may evict another's bindings with made-up ids or subjects, and an evicted id must not
//! become free. The issuer with the most bindings makes room ([`Shares`]):
//!
//! 1. A subject with more than a few bindings, and more than the asking subject, loses its least
//!    recently used binding.
//! 2. If no subject has more than a few, the least recently used binding is evicted, provided it
//!    was not used for a day.
//! 3. Otherwise an id that the server has issued replaces another binding of its own subject, or
//!    one of the subject that arrived last. A first use is not bound.
//!
//! Evicted ids are remembered as evicted, within bounds too: `lost.rs` defines which are not.
//!
//! Using a binding costs `O(1)`, and adding one costs `O(log n)`.

use std::collections::HashMap;

use jiff::Timestamp;
use lru::LruCache;

use super::lost::{Cost, Lost};
use crate::state::digest::ShortDigest;
use crate::state::shares::Shares;
use crate::state::{Bind, Binding, BindingKind, Owner, Whose};

/// How long a binding must be unused before any other may evict it, in seconds: a day.
const IDLE: i64 = 24 * 60 * 60;

/// The bindings of one kind.
#[derive(Debug)]
pub(super) struct Bindings {
    kind: BindingKind,
    most: usize,
    entries: HashMap<ShortDigest, Entry>,
    /// The bindings of each subject, in order of use.
    held: HashMap<ShortDigest, Order>,
    /// The bindings of all subjects of an issuer, in order of use.
    issued: HashMap<ShortDigest, Order>,
    shares: Shares,
    lost: Lost,
    forgotten: u64,
    has_freed: bool,
    has_refused: bool,
}

type Order = LruCache<ShortDigest, ()>;

#[derive(Debug, Clone, Copy)]
struct Entry {
    owner: Owner,
    since: Timestamp,
    is_issued: bool,
    /// When it was last used, in seconds since 1970.
    used: i64,
}

impl Bindings {
    /// Keeps at most `most` bindings, but at least one.
    pub(super) fn new(kind: BindingKind, most: usize) -> Self {
        let most = most.max(1);
        Bindings {
            kind,
            most,
            entries: HashMap::new(),
            held: HashMap::new(),
            issued: HashMap::new(),
            shares: Shares::new(most),
            lost: Lost::new(most),
            forgotten: 0,
            has_freed: false,
            has_refused: false,
        }
    }

    /// How many bindings there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many were evicted.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Whether so many were evicted that every unbound id is unknown to the subjects of some
    /// issuer.
    pub(super) fn has_ended_first_use(&self, now: Timestamp) -> bool {
        self.lost.has_ended(now.as_second())
    }

    /// The owner, as seen by the asking owner. Looking it up counts as use.
    pub(super) fn find(&mut self, key: ShortDigest, asking: Owner, now: Timestamp) -> Whose {
        let now = now.as_second();
        let Some(entry) = self.entries.get_mut(&key) else {
            let is_lost = self.lost.has(key, &asking.party(), now);
            return if is_lost {
                Whose::Unknown
            } else {
                Whose::Nobodys
            };
        };
        entry.used = entry.used.max(now);
        let Entry {
            owner,
            since,
            is_issued,
            ..
        } = *entry;
        let party = owner.party();
        let own = self.held.get_mut(&party.id);
        let issued = self.issued.get_mut(&party.group);
        for order in own.into_iter().chain(issued) {
            order.promote(&key);
        }
        Whose::Of(Binding {
            owner,
            since,
            is_issued,
        })
    }

    /// Binds a key and returns its owner afterwards.
    pub(super) fn bind(
        &mut self,
        key: ShortDigest,
        new: Binding,
        how: Bind,
        now: Timestamp,
    ) -> Whose {
        match (self.find(key, new.owner, now), how) {
            (found @ (Whose::Of(_) | Whose::Unknown), Bind::IfFree) => return found,
            (Whose::Of(_), Bind::Anew) => {
                self.remove(key);
            }
            (Whose::Nobodys | Whose::Unknown, Bind::Anew) | (Whose::Nobodys, Bind::IfFree) => {}
        }
        while self.entries.len() >= self.most {
            let Some(victim) = self.victim(new.owner, how, now) else {
                self.tell_refused();
                return Whose::Unknown;
            };
            self.forget(victim, now);
        }
        self.lost.remove(key);
        let party = new.owner.party();
        for order in [
            self.held
                .entry(party.id)
                .or_insert_with(LruCache::unbounded),
            self.issued
                .entry(party.group)
                .or_insert_with(LruCache::unbounded),
        ] {
            order.put(key, ());
        }
        self.shares.add(&party);
        let entry = Entry {
            owner: new.owner,
            since: new.since,
            is_issued: new.is_issued,
            used: now.as_second(),
        };
        self.entries.insert(key, entry);
        Whose::Of(new)
    }

    /// The binding to evict for another one of `owner`. [`Bind::Anew`] always finds one if there is
    /// any.
    fn victim(&self, owner: Owner, how: Bind, now: Timestamp) -> Option<ShortDigest> {
        let asking = owner.party();
        let payer = self.shares.payer(&asking);
        let oldest_of = |holder: ShortDigest| oldest(self.held.get(&holder));
        let is_idle = |key: &ShortDigest| {
            let idle_since = now.as_second().saturating_sub(IDLE);
            let entry = self.entries.get(key);
            entry.is_some_and(|entry| entry.used <= idle_since)
        };
        if payer.is_heavy {
            let oldest = oldest_of(payer.other.unwrap_or(asking.id));
            let is_own = payer.other.is_none();
            return oldest.filter(|key| !is_own || how == Bind::Anew || is_idle(key));
        }
        let idle = oldest(self.issued.get(&payer.group)).filter(is_idle);
        let other = payer.other.and_then(oldest_of);
        let anew = || {
            let next = || self.shares.next_besides(&asking).and_then(oldest_of);
            oldest_of(asking.id).or_else(next)
        };
        idle.or(other).or_else(|| match how {
            Bind::Anew => anew(),
            Bind::IfFree => None,
        })
    }

    fn forget(&mut self, key: ShortDigest, now: Timestamp) {
        let Some(entry) = self.remove(key) else {
            return;
        };
        let (kind, now) = (self.word(), now.as_second());
        if self.forgotten == 0 {
            tracing::warn!(
                kind,
                most = self.most,
                "bindings are evicted, and the evicted ids are unknown from then on: \
                 `limits.bindings_max` is too low, or a caller floods the store"
            );
        }
        self.forgotten = self.forgotten.saturating_add(1);
        let had_ended = self.lost.has_ended(now);
        match self.lost.add(key, &entry.owner.party(), entry.used, now) {
            Cost::Ended if !had_ended => tracing::error!(
                kind,
                "more bindings of one issuer's subjects were evicted than can be remembered, so their \
                 first use of an id no longer binds it, and every unbound id is unknown to \
                 them"
            ),
            Cost::Freed if !self.has_freed => {
                self.has_freed = true;
                tracing::warn!(
                    kind,
                    "a subject has lost more bindings than can be remembered, so its least \
                     recently used ids are free again"
                );
            }
            Cost::None | Cost::Freed | Cost::Ended => {}
        }
    }

    fn tell_refused(&mut self) {
        if !self.has_refused {
            self.has_refused = true;
            tracing::warn!(
                kind = self.word(),
                most = self.most,
                "there is no room to bind ids on first use: `limits.bindings_max` is too low, \
                 or a caller floods the store"
            );
        }
    }

    fn word(&self) -> &'static str {
        match self.kind {
            BindingKind::Session => "session",
            BindingKind::Task => "task",
        }
    }

    fn remove(&mut self, key: ShortDigest) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        let party = entry.owner.party();
        for (orders, id) in [(&mut self.held, party.id), (&mut self.issued, party.group)] {
            if let Some(order) = orders.get_mut(&id) {
                order.pop(&key);
                if order.is_empty() {
                    orders.remove(&id);
                }
            }
        }
        self.shares.remove(party.id);
        Some(entry)
    }
}

/// The least recently used key.
fn oldest(order: Option<&Order>) -> Option<ShortDigest> {
    order.and_then(LruCache::peek_lru).map(|(key, ())| *key)
}
