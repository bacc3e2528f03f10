//! Bindings in the memory of one process, and who makes room when there are too many.
//!
//! A binding that is forgotten is there for the next one to take, so nobody may drive out another's
//! by ids of their own making. Room is made by the owner who has the most, and among equals by the
//! one who was idle for the longest time: it loses the binding it has not used for longest. An
//! owner with few bindings loses one only when there are more owners than room.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use lru::LruCache;

use crate::state::{Bind, Binding, Digest, Owner};

/// The bindings of one kind.
#[derive(Debug)]
pub(super) struct Bound {
    most: usize,
    owners: HashMap<Digest, Owner>,
    held: HashMap<Owner, Held>,
    /// Every owner; who makes room next is last. INVARIANT: what [`Held::turn`] says of each.
    turns: BTreeSet<Turn>,
    /// Counts uses, to tell which was later.
    uses: u64,
}

type Turn = (usize, Reverse<u64>, Owner);

/// What one owner has.
#[derive(Debug)]
struct Held {
    bindings: LruCache<Digest, Timestamp>,
    last_use: u64,
}

impl Held {
    fn turn(&self, owner: Owner) -> Turn {
        (self.bindings.len(), Reverse(self.last_use), owner)
    }
}

impl Bound {
    /// At most `most` bindings, but one at least.
    pub(super) fn new(most: usize) -> Self {
        Bound {
            most: most.max(1),
            owners: HashMap::new(),
            held: HashMap::new(),
            turns: BTreeSet::new(),
            uses: 0,
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whose it is; asking is using it.
    pub(super) fn find(&mut self, key: Digest) -> Option<Binding> {
        let owner = *self.owners.get(&key)?;
        let since = self.change(owner, |held| held.bindings.get(&key).copied())?;
        Some(Binding { owner, since })
    }

    /// Binds it, and says whose it is after that.
    pub(super) fn bind(&mut self, key: Digest, new: Binding, how: Bind) -> Binding {
        match (self.find(key), how) {
            (Some(old), Bind::IfFree) => return old,
            (Some(_), Bind::Anew) => self.forget(key),
            (None, Bind::IfFree | Bind::Anew) => {}
        }
        self.owners.insert(key, new.owner);
        self.change(new.owner, |held| held.bindings.put(key, new.since));
        while self.owners.len() > self.most {
            // INVARIANT: what was used just now is never the last of those who have as many.
            let Some((_, _, owner)) = self.turns.last().copied() else {
                break;
            };
            let oldest = self
                .held
                .get(&owner)
                .and_then(|held| held.bindings.peek_lru());
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            self.forget(oldest);
        }
        new
    }

    fn forget(&mut self, key: Digest) {
        let Some(owner) = self.owners.remove(&key) else {
            return;
        };
        let Some(held) = self.held.get_mut(&owner) else {
            return;
        };
        self.turns.remove(&held.turn(owner));
        held.bindings.pop(&key);
        if held.bindings.is_empty() {
            self.held.remove(&owner);
        } else {
            self.turns.insert(held.turn(owner));
        }
    }

    /// Uses what an owner has, and keeps the turns in order.
    fn change<T>(&mut self, owner: Owner, change: impl FnOnce(&mut Held) -> T) -> T {
        self.uses = self.uses.saturating_add(1);
        let held = self.held.entry(owner).or_insert_with(|| Held {
            bindings: LruCache::unbounded(),
            last_use: 0,
        });
        self.turns.remove(&held.turn(owner));
        held.last_use = self.uses;
        let changed = change(held);
        self.turns.insert(held.turn(owner));
        changed
    }
}
