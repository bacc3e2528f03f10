//! The keys that contexts are sealed with: from a file that all replicas share, which is read again
//! when it changes, or one that only this process knows.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;

use crate::file::{
    self, Failing, LOOK_TIME_MAX, Look, Looks, ReadError, START_TIME_MAX, Settled, Watch, Watcher,
};
use crate::json;

/// The fewest bytes of a key: as many as SHA-256 gives (RFC 2104 §3).
const KEY_BYTES_MIN: usize = 32;
/// The most keys of a file: one that signs, and those that are on their way in or out.
const KEYS_MAX: usize = 16;
/// The most bytes of a file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Why there are no keys for contexts.
#[derive(Debug, thiserror::Error)]
pub enum InvalidHandoffKeys {
    /// The file cannot be read.
    #[error("cannot read the keys of `handoff.key_file` `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
    /// A line is no key. The message has nothing of the line.
    #[error("`handoff.key_file` `{}`: line {line} {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The file has no key.
    #[error("`handoff.key_file` `{}` has no key", .0.display())]
    Empty(PathBuf),
    /// The file has more keys than anybody rotates.
    #[error("`handoff.key_file` `{}` has more than {KEYS_MAX} keys", .0.display())]
    TooMany(PathBuf),
    /// The operating system gives no random numbers.
    #[error("no random key can be made")]
    Random,
}

/// Why a line is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is in neither encoding.
    #[error("is neither hexadecimal nor base64url")]
    Encoding,
    /// It is too easy to guess.
    #[error("has a key of less than {KEY_BYTES_MIN} bytes")]
    Short,
    /// The same key again, which may be a copy of a line that was to be changed.
    #[error("has a key that is there already")]
    Repeated,
}

/// A key, and the name that a context has for it, by which the key cannot be known.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) key: hmac::Key,
}

/// The name of a key from a file begins with this, that of a process's own with another letter.
const SHARED: &str = "k";
const OWN: &str = "p";
/// What a key's name is made from.
const ID_OF: &[u8] = b"the id of a key for contexts of mcp-authz";

impl Key {
    fn new(kind: &str, key: hmac::Key) -> Self {
        let tag = hmac::sign(&key, ID_OF);
        let mut text = [0; 16];
        let id = format!("{kind}{}", json::hex(tag.as_ref(), &mut text));
        Key { id, key }
    }

    /// Whether the name of a key is that of a process's own.
    pub(super) fn is_own(id: &str) -> bool {
        id.starts_with(OWN)
    }
}

/// The keys in force. The first one signs, and all verify.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) first: Key,
    others: Vec<Key>,
}

impl Ring {
    /// The key of this name.
    pub(super) fn named(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| key.id == id)
    }

    fn ids(&self) -> Vec<String> {
        let all = std::iter::once(&self.first).chain(&self.others);
        all.map(|key| key.id.clone()).collect()
    }
}

/// The keys, and what is known of their file.
#[derive(Debug)]
pub(super) struct SealingKeys {
    /// None: the key is the process's own.
    file: Option<PathBuf>,
    ring: ArcSwap<Ring>,
    record: Mutex<Reloads>,
}

#[derive(Debug, Default)]
struct Reloads {
    successes: u64,
    failures: u64,
    failing: Option<Failing>,
}

impl Reloads {
    fn after(earlier: &SealingKeys) -> Self {
        let record = lock(&earlier.record);
        Reloads {
            successes: record.successes.saturating_add(1),
            failures: record.failures,
            failing: None,
        }
    }
}

/// What is known of the keys for contexts, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoffStatus {
    /// The names of the keys, the one that signs first. They tell nothing of the keys.
    pub keys: Vec<String>,
    /// Whether the keys are from a file, which other processes may have too.
    pub is_shared: bool,
    /// How often new keys came into force.
    pub successes: u64,
    /// How often new ones could not be used.
    pub failures: u64,
    /// The file in place cannot be used; the keys before it stay in force.
    pub failing: Option<Failing>,
}

impl SealingKeys {
    /// Reads the keys, or makes one. Reloads are counted on from those of earlier keys.
    pub(super) fn open(
        file: Option<PathBuf>,
        earlier: Option<&SealingKeys>,
    ) -> Result<Self, InvalidHandoffKeys> {
        let ring = if let Some(path) = &file {
            let place = path.clone();
            let read = file::within(START_TIME_MAX, move || {
                file::read_text(&place, FILE_BYTES_MAX)
            });
            let text = read.and_then(|text| text).map_err(unreadable(path))?;
            parse(path, &text)?
        } else {
            let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new());
            let key = key.map_err(|_| InvalidHandoffKeys::Random)?;
            Ring {
                first: Key::new(OWN, key),
                others: Vec::new(),
            }
        };
        Ok(SealingKeys {
            file,
            ring: ArcSwap::from_pointee(ring),
            record: Mutex::new(earlier.map(Reloads::after).unwrap_or_default()),
        })
    }

    pub(super) fn ring(&self) -> arc_swap::Guard<Arc<Ring>> {
        self.ring.load()
    }

    pub(super) fn status(&self) -> HandoffStatus {
        let record = lock(&self.record);
        HandoffStatus {
            keys: self.ring.load().ids(),
            is_shared: self.file.is_some(),
            successes: record.successes,
            failures: record.failures,
            failing: record.failing.clone(),
        }
    }

    /// Watches the file, if there is one. `clock` gives the time since when it is failing.
    pub(super) fn watcher(
        self: Arc<Self>,
        clock: fn() -> Timestamp,
    ) -> Option<Watcher<WatchedKeys>> {
        let path = self.file.clone()?;
        let keys = WatchedKeys {
            keys: self,
            path,
            clock,
        };
        Some(Watcher::new(
            keys,
            Looks::new(LOOK_TIME_MAX),
            Settled::new(),
        ))
    }

    /// Takes a content of the file into force, if it has other keys.
    fn take(&self, path: &Path, seen: SeenText, now: Timestamp) {
        match seen.and_then(|text| parse(path, &text).map_err(|error| error.to_string())) {
            Ok(ring) => {
                let mut record = lock(&self.record);
                record.failing = None;
                if ring.ids() != self.ring.load().ids() {
                    record.successes = record.successes.saturating_add(1);
                    tracing::info!(keys = ?ring.ids(), "keys of `handoff.key_file` in force");
                    self.ring.store(ring.into());
                }
            }
            Err(error) => self.fail(error, now),
        }
    }

    fn fail(&self, error: String, now: Timestamp) {
        tracing::error!("{error}; the keys in force stay");
        let mut record = lock(&self.record);
        record.failures = record.failures.saturating_add(1);
        record.failing = Some(Failing::after(record.failing.as_ref(), error, now));
    }
}

/// The file of keys, watched by its content.
pub(super) struct WatchedKeys {
    keys: Arc<SealingKeys>,
    path: PathBuf,
    clock: fn() -> Timestamp,
}

impl Watch for WatchedKeys {
    type Seen = SeenText;
    type Found = SeenText;

    fn look(&self) -> Look<SeenText, SeenText> {
        let path = self.path.clone();
        Box::new(move |is_due| {
            let read = file::read_text(&path, FILE_BYTES_MAX);
            let seen = read.map_err(|error| unreadable(&path)(error).to_string());
            is_due(seen.clone()).then_some(seen)
        })
    }

    fn unanswered(&self, error: &ReadError) -> SeenText {
        Err(error.to_string())
    }

    async fn take(&mut self, seen: SeenText) {
        self.keys.take(&self.path, seen, (self.clock)());
    }

    async fn fail(&mut self, error: ReadError) {
        let error = unreadable(&self.path)(error).to_string();
        self.keys.fail(error, (self.clock)());
    }
}

/// The text of the file, or why it cannot be read.
type SeenText = Result<String, String>;

/// How often the file is looked at.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(5);

fn unreadable(path: &Path) -> impl FnOnce(ReadError) -> InvalidHandoffKeys {
    |source| InvalidHandoffKeys::Read {
        path: path.to_owned(),
        source,
    }
}

/// Reads one key from each line; blank lines and those that begin with `#` have none.
pub(super) fn parse(path: &Path, text: &str) -> Result<Ring, InvalidHandoffKeys> {
    let mut keys: Vec<Key> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |fault| InvalidHandoffKeys::Line {
            path: path.to_owned(),
            line: index.saturating_add(1),
            fault,
        };
        let bytes = decode(line).ok_or_else(|| fault(KeyFault::Encoding))?;
        if bytes.len() < KEY_BYTES_MIN {
            return Err(fault(KeyFault::Short));
        }
        let key = Key::new(SHARED, hmac::Key::new(HMAC_SHA256, &bytes));
        if keys.iter().any(|other| other.id == key.id) {
            return Err(fault(KeyFault::Repeated));
        }
        if keys.len() >= KEYS_MAX {
            return Err(InvalidHandoffKeys::TooMany(path.to_owned()));
        }
        keys.push(key);
    }
    let mut keys = keys.into_iter();
    let first = keys.next();
    let first = first.ok_or_else(|| InvalidHandoffKeys::Empty(path.to_owned()))?;
    Ok(Ring {
        first,
        others: keys.collect(),
    })
}

/// The bytes of a key as text. Digits that are all hexadecimal are never taken for base64url, or a
/// digit that got lost would make another key.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        return pairs.iter().map(byte).collect();
    }
    // `openssl rand -base64 32` writes the other alphabet of RFC 4648.
    let text = text.replace('+', "-").replace('/', "_");
    ENGINE.decode(text).ok()
}

/// Base64url with or without its padding (RFC 4648 §5).
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is locked is whole after every step, so a panic elsewhere did not spoil it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
