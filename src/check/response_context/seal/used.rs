//! Remembers which contexts were used, and when first.
//!
//! The number of contexts is bounded. When it is reached, whoever has the most makes room
//! ([`Shares`]): the subject with the most contexts of the largest issuer, if it has more than a
//! few, forgets its oldest one, and otherwise the issuer does. From then on every context of that
//! subject that is as old or older counts as used unless it is remembered. So the many lists of one
//! caller cannot displace the slow calls of others. If too many subjects have forgotten some, the
//! same holds for their whole issuer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use uuid::Uuid;

use crate::state::{Party, Shares, ShortDigest};

/// How long after the first stream of a context another one may be Envoy's retry of it. Envoy
/// tries again after tens of milliseconds; until then nothing was said.
const RETRY_WITHIN: Duration = Duration::from_secs(10);

/// A context, by what tells it from others.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedContext {
    /// Its subject.
    pub(super) party: Party,
    pub(super) made_ms: i64,
    pub(super) id: Uuid,
}

/// Whether a context is used for the first time, again, or as a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    First,
    /// It may be a retry of Envoy's.
    Again,
    Replay,
}

/// The contexts that were used, at most `most`.
#[derive(Debug)]
pub(super) struct UsedContexts {
    most: usize,
    /// When each was used first, by its subject and when it was made.
    first: BTreeMap<(ShortDigest, i64, Uuid), i64>,
    shares: Shares,
    issuers: HashMap<ShortDigest, IssuerContexts>,
    /// Of what was made by a subject at this time or before, some was forgotten.
    marks: HashMap<ShortDigest, i64>,
    /// What was made at this time or before was too old once.
    over_ms: i64,
}

#[derive(Debug)]
struct IssuerContexts {
    /// The contexts of its subjects, by when they were made.
    made: BTreeSet<(i64, ShortDigest, Uuid)>,
    /// Those of `marks` that are of its subjects.
    marks: BTreeSet<(i64, ShortDigest)>,
    /// The same for all of its subjects together.
    mark: i64,
}

impl UsedContexts {
    pub(super) fn new(most: usize) -> Self {
        UsedContexts {
            most,
            first: BTreeMap::new(),
            shares: Shares::new(most),
            issuers: HashMap::new(),
            marks: HashMap::new(),
            over_ms: i64::MIN,
        }
    }

    /// Takes note of a use.
    pub(super) fn take(&mut self, context: &UsedContext, now_ms: i64, max_age_ms: i64) -> Use {
        let UsedContext { party, made_ms, id } = *context;
        self.sweep(now_ms.saturating_sub(max_age_ms));
        if let Some(first_ms) = self.first.get(&(party.id, made_ms, id)) {
            let since = now_ms.saturating_sub(*first_ms);
            return if since <= milliseconds(RETRY_WITHIN) {
                Use::Again
            } else {
                Use::Replay
            };
        }
        // It may have been used, so it has no effect; that it was is not known, so its lists show.
        if made_ms <= self.mark(&party) {
            return Use::Again;
        }
        if self.first.len() >= self.most {
            self.make_room(&party);
        }
        self.first.insert((party.id, made_ms, id), now_ms);
        let issuer = self.issuer(party.group);
        issuer.made.insert((made_ms, party.id, id));
        self.shares.add(&party);
        Use::First
    }

    fn mark(&self, party: &Party) -> i64 {
        let own = self.marks.get(&party.id).copied();
        let issuer = self.issuers.get(&party.group).map(|issuer| issuer.mark);
        let marks = own.into_iter().chain(issuer);
        marks.fold(self.over_ms, i64::max)
    }

    /// Drops what was made before a time. There are few issuers: those that are configured.
    fn sweep(&mut self, before_ms: i64) {
        let is_old = |made_ms: i64| made_ms < before_ms;
        let groups: smallvec::SmallVec<[ShortDigest; 4]> = self.issuers.keys().copied().collect();
        for group in groups {
            while let Some((made_ms, holder, id)) = self.issuer(group).made.first().copied()
                && is_old(made_ms)
            {
                self.drop(group, (made_ms, holder, id));
                self.over_ms = self.over_ms.max(made_ms);
            }
            while let Some((mark, holder)) = self.issuer(group).marks.first().copied()
                && is_old(mark)
            {
                self.issuer(group).marks.remove(&(mark, holder));
                self.marks.remove(&holder);
                self.over_ms = self.over_ms.max(mark);
            }
        }
    }

    /// Forgets one, for one more of a subject.
    fn make_room(&mut self, asking: &Party) {
        let payer = self.shares.payer(asking);
        let holder = payer.other.unwrap_or(asking.id);
        let of_holder = || {
            let mut own = self.first.range((holder, i64::MIN, Uuid::nil())..);
            let (&(whose, made_ms, id), _) = own.next()?;
            (whose == holder).then_some((made_ms, holder, id))
        };
        let of_group = |group: ShortDigest| self.issuers.get(&group)?.made.first().copied();
        let own = payer.is_heavy.then(of_holder).flatten();
        let first = own.or_else(|| of_group(payer.group));
        // One that is alone in its issuer has nothing to give where others have as little.
        let victim = first.map(|it| (payer.group, it)).or_else(|| {
            let groups = self.issuers.keys();
            groups
                .filter_map(|group| Some((*group, of_group(*group)?)))
                .min_by_key(|(_, it)| *it)
        });
        if let Some((group, it)) = victim {
            self.drop(group, it);
            let (made_ms, holder, _) = it;
            self.set_mark(group, holder, made_ms);
        }
    }

    /// Remembers that something of a subject was forgotten.
    fn set_mark(&mut self, group: ShortDigest, holder: ShortDigest, made_ms: i64) {
        let old = self.marks.get(&holder).copied();
        if old.is_none() && self.marks.len() >= self.most {
            self.fold_mark();
        }
        let mark = old.map_or(made_ms, |old| old.max(made_ms));
        self.marks.insert(holder, mark);
        let issuer = self.issuer(group);
        if let Some(old) = old {
            issuer.marks.remove(&(old, holder));
        }
        issuer.marks.insert((mark, holder));
    }

    /// Of the issuer that has the most marks, the oldest becomes that of all its subjects.
    fn fold_mark(&mut self) {
        let issuers = self.issuers.values_mut();
        let Some(issuer) = issuers.max_by_key(|issuer| issuer.marks.len()) else {
            return;
        };
        if let Some((mark, holder)) = issuer.marks.pop_first() {
            issuer.mark = issuer.mark.max(mark);
            self.marks.remove(&holder);
        }
    }

    fn issuer(&mut self, group: ShortDigest) -> &mut IssuerContexts {
        self.issuers.entry(group).or_insert_with(|| IssuerContexts {
            made: BTreeSet::new(),
            marks: BTreeSet::new(),
            mark: i64::MIN,
        })
    }

    fn drop(&mut self, group: ShortDigest, it: (i64, ShortDigest, Uuid)) {
        let (made_ms, holder, id) = it;
        self.issuer(group).made.remove(&it);
        if self.first.remove(&(holder, made_ms, id)).is_some() {
            self.shares.remove(holder);
        }
    }
}

pub(super) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
