//! The seal on a context: that a check of this service made it, and when, and that it is used once.
//!
//! A context travels by the PEP and comes back on a gRPC stream that others may reach too. What it
//! says is believed only under a MAC (HMAC-SHA-256, RFC 2104) of a key that checks sign with:
//!
//! ```text
//! mcp-authz-1.KEY_ID.MADE_MS.CONTEXT.MAC
//! ```
//!
//! `KEY_ID` names the key and tells nothing of it, `MADE_MS` is when the context was made in Unix
//! milliseconds, `CONTEXT` is JSON, and `MAC`, in base64url, is of everything before its dot.
//! Nothing of a context is parsed before the MAC was verified.
//!
//! A context is good for one exchange. Envoy may open the stream of one twice, when the first one
//! broke before anything came back on it: a second exchange within ten seconds is a repetition,
//! which shows a list filtered as before, and has no other effect. What comes later is a replay.

mod used;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::keys::{HandoffStatus, InvalidHandoffKeys, Key, Keys};
use super::{CONTEXT_BYTES_MAX, Handoff};
use crate::state::Owner;
use used::{Known, Use, Used};

/// The form of the envelope.
const FORM: &str = "mcp-authz-1";
/// The most bytes that the envelope adds.
const ENVELOPE_BYTES_MAX: usize = 128;
/// How far ahead the clock of another replica may be.
const AHEAD_MAX: Duration = Duration::from_mins(1);
/// How many contexts that were used are remembered: some 16 MiB, and 60 MiB where each is of
/// another subject.
const USED_MAX: usize = 1 << 17;

/// How contexts are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoffSettings {
    /// A file with keys that all replicas share; none: the process makes one of its own.
    pub key_file: Option<PathBuf>,
    /// How long after the check an answer may begin.
    pub max_age: Duration,
}

impl Default for HandoffSettings {
    fn default() -> Self {
        HandoffSettings {
            key_file: None,
            max_age: Duration::from_hours(1),
        }
    }
}

/// Seals contexts, and opens those that are believed.
#[derive(Debug)]
pub struct Handoffs {
    keys: Keys,
    max_age_ms: i64,
    used: Mutex<Used>,
    /// The same for the heads of requests, which come before their answers.
    attended: Mutex<Used>,
}

/// Why a context is not believed. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Refused {
    /// There is none.
    Missing,
    /// It is not in the form of one.
    Unreadable,
    /// Its key is the own one of another process.
    OtherProcess,
    /// Its key is from a file, and not among those of this process.
    UnknownKey,
    /// Its MAC is not that of its key.
    Forged,
    /// It was made too long ago.
    TooOld,
    /// It was made in the future.
    FromTheFuture,
    /// It was used before.
    Replayed,
    /// It expects another answer than the one that the PEP matched on.
    OtherAnswer,
    /// It is for a server that is not configured here, or not for the one that the check named.
    OtherServer,
}

impl Refused {
    /// The stable code, in metrics and logs.
    pub(in crate::check) const fn code(self) -> &'static str {
        match self {
            Refused::Missing => "missing",
            Refused::Unreadable => "unreadable",
            Refused::OtherProcess => "other_process",
            Refused::UnknownKey => "unknown_key",
            Refused::Forged => "forged",
            Refused::TooOld => "too_old",
            Refused::FromTheFuture => "from_the_future",
            Refused::Replayed => "replayed",
            Refused::OtherAnswer => "other_answer",
            Refused::OtherServer => "other_server",
        }
    }
}

/// A context that is believed.
#[derive(Debug)]
pub(in crate::check) struct Opened {
    pub(in crate::check) handoff: Box<Handoff>,
    made_ms: i64,
}

impl Handoffs {
    /// Reads the keys, or makes one.
    ///
    /// # Errors
    /// There is no key to begin with.
    pub fn new(settings: &HandoffSettings) -> Result<Self, InvalidHandoffKeys> {
        Ok(Handoffs {
            keys: Keys::open(settings.key_file.clone())?,
            max_age_ms: milliseconds(settings.max_age),
            used: Mutex::new(Used::new(USED_MAX)),
            attended: Mutex::new(Used::new(USED_MAX)),
        })
    }

    /// Reads the keys again whenever their file changes. Never ends.
    pub async fn watch(&self, clock: fn() -> Timestamp) {
        self.keys.watch(clock).await;
    }

    /// What is known of the keys.
    #[must_use]
    pub fn status(&self) -> HandoffStatus {
        self.keys.status()
    }

    /// Puts a context into its envelope.
    pub(in crate::check) fn seal(&self, context: &str, made: Timestamp) -> String {
        let ring = self.keys.ring();
        let Key { id, key } = &ring.first;
        let length = context.len().saturating_add(ENVELOPE_BYTES_MAX);
        let mut text = String::with_capacity(length);
        // Writing to memory does not fail.
        let _always = write!(text, "{FORM}.{id}.{}.{context}", made.as_millisecond());
        let tag = hmac::sign(key, text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut text);
        text
    }

    /// Takes a context out of its envelope, if a check of this service made it not too long ago.
    pub(in crate::check) fn open(&self, text: &str, now: Timestamp) -> Result<Opened, Refused> {
        if text.len() > CONTEXT_BYTES_MAX.saturating_add(ENVELOPE_BYTES_MAX) {
            return Err(Refused::Unreadable);
        }
        let envelope = Envelope::read(text).ok_or(Refused::Unreadable)?;
        let ring = self.keys.ring();
        let Some(key) = ring.named(envelope.key_id) else {
            return Err(if Key::is_own(envelope.key_id) {
                Refused::OtherProcess
            } else {
                Refused::UnknownKey
            });
        };
        // Takes the same time for every wrong MAC.
        hmac::verify(&key.key, envelope.signed.as_bytes(), &envelope.tag)
            .map_err(|_| Refused::Forged)?;
        let made_ms: i64 = envelope.made.parse().map_err(|_| Refused::Unreadable)?;
        let age = now.as_millisecond().saturating_sub(made_ms);
        if age > self.max_age_ms {
            return Err(Refused::TooOld);
        }
        if age < milliseconds(AHEAD_MAX).saturating_neg() {
            return Err(Refused::FromTheFuture);
        }
        let handoff = Handoff::parse(envelope.context).ok_or(Refused::Unreadable)?;
        let handoff = Box::new(handoff);
        Ok(Opened { handoff, made_ms })
    }

    /// Takes note that an exchange with a context begins, and says whether it is a repetition.
    pub(in crate::check) fn take(&self, opened: &Opened, now: Timestamp) -> Result<bool, Refused> {
        match self.count(&self.used, opened, now) {
            Use::First => Ok(false),
            Use::Again => Ok(true),
            Use::Replay => Err(Refused::Replayed),
        }
    }

    /// Takes a context out of its envelope, for the stream of its request to begin: none if it is
    /// not believed or was used for that before. Why not is told when the answer comes.
    pub(in crate::check) fn attend(&self, text: &str, now: Timestamp) -> Option<Box<Handoff>> {
        let opened = self.open(text, now).ok()?;
        match self.count(&self.attended, &opened, now) {
            Use::First | Use::Again => Some(opened.handoff),
            Use::Replay => None,
        }
    }

    fn count(&self, used: &Mutex<Used>, opened: &Opened, now: Timestamp) -> Use {
        let context = Known {
            party: Owner::of(opened.handoff.subject()).party(),
            made_ms: opened.made_ms,
            id: opened.handoff.decision_id(),
        };
        lock(used).take(&context, now.as_millisecond(), self.max_age_ms)
    }
}

/// The parts of an envelope.
struct Envelope<'t> {
    key_id: &'t str,
    made: &'t str,
    context: &'t str,
    /// What the MAC is of.
    signed: &'t str,
    tag: Vec<u8>,
}

impl<'t> Envelope<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.')?;
        let mut parts = signed.splitn(4, '.');
        let (form, key_id, made, context) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        (form == FORM).then_some(Envelope {
            key_id,
            made,
            context,
            signed,
            tag,
        })
    }
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// What is locked is whole after every step, so a panic elsewhere did not spoil it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
