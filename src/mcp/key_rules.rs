//! Rejects objects with duplicate keys, keys that differ only in case, and near misses of protocol
//! members.
//!
//! Servers take the first or the last of two equal keys, and some match keys without regard to
//! case, so such an object could be read in two ways.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

use smallvec::SmallVec;
use unicase::UniCase;

use super::options::DecodeOptions;
use super::place::{META_MEMBERS, META_PREFIX, ObjectPlace};
use super::refusal::Refusal;

/// The keys of one object read so far.
///
/// A few keys are compared one by one. Many go into a set with a randomly seeded hash, so that an
/// object of a hundred thousand keys costs time proportional to its length, even if an attacker
/// chose them.
#[derive(Debug)]
pub(super) struct KeyRules<'o, 'a> {
    options: &'o DecodeOptions,
    place: ObjectPlace,
    /// Whether keys that differ in case are one key.
    folding: bool,
    few: SmallVec<[KnownKey<'a>; KEYS_USUAL]>,
    /// All keys, once they are more than a few.
    many: Option<Many<'a>>,
}

/// Many keys.
#[derive(Debug, Default)]
struct Many<'a> {
    hashing: RandomState,
    known: HashSet<Hashed<'a>, BuildHasherDefault<Ready>>,
}

/// A key with its hash, which is computed once for all growth of the set.
#[derive(Debug)]
struct Hashed<'a> {
    key: KnownKey<'a>,
    hash: u64,
    folding: bool,
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Hashed<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key.is_same(&other.key, self.folding)
    }
}

impl Eq for Hashed<'_> {}

/// A hasher that returns the hash written to it.
#[derive(Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // INVARIANT: never called, because `Hashed` writes a number. Any sum would do.
        let sum = bytes.iter().map(|byte| u64::from(*byte));
        self.0 = sum.fold(self.0, u64::wrapping_add);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<'a> Many<'a> {
    /// Inserts a key; returns the refusal if an equal one is present.
    fn insert(&mut self, key: KnownKey<'a>, folding: bool) -> Option<Refusal> {
        let hashed = Hashed {
            hash: self.hash(&key, folding),
            key,
            folding,
        };
        if let Some(earlier) = self.known.get(&hashed) {
            return Some(hashed.key.beside(&earlier.key));
        }
        self.known.insert(hashed);
        None
    }

    fn hash(&self, key: &KnownKey<'_>, folding: bool) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        let mut folded = [0; FOLDED_AT_ONCE];
        for piece in key.compared.as_bytes().chunks(FOLDED_AT_ONCE) {
            match folded.get_mut(..piece.len()) {
                Some(folded) if folding => {
                    folded.copy_from_slice(piece);
                    folded.make_ascii_lowercase();
                    hasher.write(folded);
                }
                Some(_) | None => hasher.write(piece),
            }
        }
        hasher.finish()
    }
}

/// A key.
#[derive(Debug)]
struct KnownKey<'a> {
    /// Its folded form, except that ASCII letters keep their case, which is compared without a
    /// copy.
    compared: Cow<'a, str>,
    /// Its spelling, if that differs.
    spelling: Option<Cow<'a, str>>,
}

impl KnownKey<'_> {
    fn is_same(&self, other: &Self, folding: bool) -> bool {
        if folding {
            self.compared.eq_ignore_ascii_case(&other.compared)
        } else {
            self.compared == other.compared
        }
    }

    fn spelling(&self) -> &str {
        self.spelling.as_ref().unwrap_or(&self.compared)
    }

    /// The refusal of this key given an equal, earlier one.
    fn beside(&self, earlier: &Self) -> Refusal {
        if earlier.spelling() == self.spelling() {
            Refusal::DuplicateKey
        } else {
            Refusal::FoldedKey
        }
    }
}

impl<'o, 'a> KeyRules<'o, 'a> {
    pub(super) fn new(place: ObjectPlace, options: &'o DecodeOptions) -> Self {
        let folding = match place {
            ObjectPlace::Arguments => !options.accept_folded_arguments,
            ObjectPlace::Data => false,
            ObjectPlace::Message
            | ObjectPlace::Params
            | ObjectPlace::Reference
            | ObjectPlace::Meta
            | ObjectPlace::Notifications
            | ObjectPlace::Context
            | ObjectPlace::Argument
            | ObjectPlace::Task
            | ObjectPlace::Item
            | ObjectPlace::Hints
            | ObjectPlace::Free => true,
        };
        Self {
            options,
            place,
            folding,
            few: SmallVec::new(),
            many: None,
        }
    }

    /// The fault of a key, by itself or in relation to the earlier ones.
    pub(super) fn fault(&mut self, key: Cow<'a, str>) -> Option<Refusal> {
        let known = if self.folding && !key.is_ascii() {
            KnownKey {
                compared: fold(&key),
                spelling: Some(key),
            }
        } else {
            KnownKey {
                compared: key,
                spelling: None,
            }
        };
        let key = known.spelling();
        if self.folding && is_near_member(self.place, key, &known.compared) {
            return Some(Refusal::FoldedMember);
        }
        if key.as_bytes().contains(&0) {
            return Some(Refusal::NulInKey);
        }
        if self.options.may_have_lost(key) {
            return Some(Refusal::LossyText);
        }
        self.insert(known)
    }

    /// Inserts a key; returns the refusal if an equal one is present.
    fn insert(&mut self, key: KnownKey<'a>) -> Option<Refusal> {
        let folding = self.folding;
        if self.many.is_none() {
            let mut few = self.few.iter();
            if let Some(earlier) = few.find(|other| other.is_same(&key, folding)) {
                return Some(key.beside(earlier));
            }
            if self.few.len() < KEYS_COMPARED_ONE_BY_ONE {
                self.few.push(key);
                return None;
            }
        }
        let many = self.many.get_or_insert_default();
        for known in self.few.drain(..) {
            // INVARIANT: they differ.
            let _same = many.insert(known, folding);
        }
        many.insert(key, folding)
    }
}

/// The case-folded form of a key, full Unicode folding: `ſ` is `s` and `K` (Kelvin) is `k`.
pub(super) fn fold<'de>(key: &Cow<'de, str>) -> Cow<'de, str> {
    if !key.is_ascii() {
        Cow::Owned(UniCase::unicode(key).to_folded_case())
    } else if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(key.to_ascii_lowercase())
    } else {
        key.clone()
    }
}

/// Whether a key folds to a protocol member but is not spelled like it. The case of ASCII letters
/// in `folded` does not matter.
fn is_near_member(place: ObjectPlace, key: &str, folded: &str) -> bool {
    let members = place.members();
    let prefix = folded.get(..META_PREFIX.len());
    if place == ObjectPlace::Meta && prefix.is_some_and(|it| it.eq_ignore_ascii_case(META_PREFIX)) {
        return !key.starts_with(META_PREFIX)
            || META_MEMBERS
                .iter()
                .any(|member| *member != key && member.eq_ignore_ascii_case(folded));
    }
    !members.contains(&key)
        && members
            .iter()
            .any(|member| member.eq_ignore_ascii_case(folded))
}

const KEYS_COMPARED_ONE_BY_ONE: usize = 16;

/// How many bytes of a key are lower-cased at a time.
const FOLDED_AT_ONCE: usize = 64;

/// This many keys need no allocation.
const KEYS_USUAL: usize = 8;
