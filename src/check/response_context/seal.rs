//! Seals contexts, and opens those that a check of this service made, not too long ago, for one
//! use.
//!
//! A context travels by the PEP and comes back on a gRPC stream that others may reach too. It is
//! believed only with a MAC (HMAC-SHA-256, RFC 2104) of a key that checks sign with:
//!
//! ```text
//! mcp-authz-1.KEY_ID.MADE_MS.CONTEXT.MAC
//! ```
//!
//! `KEY_ID` names the key and reveals nothing of it, `MADE_MS` is the time of the check in Unix
//! milliseconds, `CONTEXT` is JSON, and `MAC`, in base64url, covers everything before its dot.
//! Nothing of a context is parsed before its MAC is verified.
//!
//! A context is good for one stream. Envoy may open the stream of one twice, when the first one
//! broke before anything came back on it: a second stream within ten seconds is a repetition, which
//! shows a list filtered as before, and has no other effect. What comes later is a replay.

mod used;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::keys::{HandoffStatus, InvalidHandoffKeys, Key, LOOK_INTERVAL, SealingKeys, lock};
use super::{CONTEXT_BYTES_MAX, ResponseContext};
use crate::state::Owner;
use used::{Use, UsedContext, UsedContexts, milliseconds};

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
    /// How long after the check a response may begin.
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
    settings: HandoffSettings,
    keys: Arc<SealingKeys>,
    /// Keys of earlier settings, which contexts of checks from before may be sealed with; the latest
    /// last.
    retired: Vec<RetiredKeys>,
    max_age_ms: i64,
    used: Arc<Mutex<UsedContexts>>,
    /// The same for the heads of requests, which come before their responses.
    attended: Arc<Mutex<UsedContexts>>,
}

/// Keys that seal nothing any more.
#[derive(Debug, Clone)]
struct RetiredKeys {
    keys: Arc<SealingKeys>,
    /// When they were replaced: what was made later is none of theirs.
    at_ms: i64,
}

/// The most earlier settings whose keys are still known.
const RETIRED_MAX: usize = 8;
/// How much later than its clock was read a check may seal its context.
const CHECK_TIME_MAX: Duration = Duration::from_mins(1);

/// Why a context is not believed. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextRefusal {
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
    /// It expects another response than the one that the PEP matched on.
    OtherResponse,
    /// It is for a server that is not configured here, or not for the one that the check named.
    OtherServer,
}

impl ContextRefusal {
    /// The stable code, in metrics and logs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            ContextRefusal::Missing => "missing",
            ContextRefusal::Unreadable => "unreadable",
            ContextRefusal::OtherProcess => "other_process",
            ContextRefusal::UnknownKey => "unknown_key",
            ContextRefusal::Forged => "forged",
            ContextRefusal::TooOld => "too_old",
            ContextRefusal::FromTheFuture => "from_the_future",
            ContextRefusal::Replayed => "replayed",
            ContextRefusal::OtherResponse => "other_response",
            ContextRefusal::OtherServer => "other_server",
        }
    }
}

/// A context that is believed.
#[derive(Debug)]
pub(crate) struct OpenedContext {
    pub(crate) context: Box<ResponseContext>,
    made_ms: i64,
}

impl Handoffs {
    /// Reads the keys, or makes one.
    ///
    /// # Errors
    /// There is no key to begin with.
    pub fn new(settings: &HandoffSettings) -> Result<Self, InvalidHandoffKeys> {
        Ok(Handoffs {
            settings: settings.clone(),
            keys: Arc::new(SealingKeys::open(settings.key_file.clone(), None)?),
            retired: Vec::new(),
            max_age_ms: milliseconds(settings.max_age),
            used: Arc::new(Mutex::new(UsedContexts::new(USED_MAX))),
            attended: Arc::new(Mutex::new(UsedContexts::new(USED_MAX))),
        })
    }

    /// The same by other settings. It knows which contexts were used, and believes those that were
    /// sealed before, for as long as they are not too old. Shares the keys where their file is the
    /// same.
    ///
    /// # Errors
    /// There are no keys in the file.
    pub fn next(
        &self,
        settings: &HandoffSettings,
        now: Timestamp,
    ) -> Result<Self, InvalidHandoffKeys> {
        let mut retired = self.retired.clone();
        let keys = if settings.key_file == self.settings.key_file {
            Arc::clone(&self.keys)
        } else {
            retired.push(RetiredKeys {
                keys: Arc::clone(&self.keys),
                at_ms: now.as_millisecond(),
            });
            let file = settings.key_file.clone();
            Arc::new(SealingKeys::open(file, Some(&self.keys))?)
        };
        let max_age_ms = milliseconds(settings.max_age);
        let oldest_ms = now.as_millisecond().saturating_sub(max_age_ms);
        retired.retain(|retired| retired.at_ms >= oldest_ms);
        let beyond = retired.len().saturating_sub(RETIRED_MAX);
        Ok(Handoffs {
            settings: settings.clone(),
            keys,
            retired: retired.split_off(beyond),
            max_age_ms,
            used: Arc::clone(&self.used),
            attended: Arc::clone(&self.attended),
        })
    }

    /// Whether both are by the same settings.
    #[must_use]
    pub fn is_by(&self, settings: &HandoffSettings) -> bool {
        self.settings == *settings
    }

    /// Whether both have the same keys, which are watched once.
    #[must_use]
    pub fn shares_keys(&self, other: &Handoffs) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys)
    }

    /// Reads the keys again whenever their file changes, and at once when asked to, until nobody can
    /// ask any more. Ends at once where there is no file.
    pub async fn watch(&self, asked: mpsc::Receiver<()>, clock: fn() -> Timestamp) {
        if let Some(watcher) = Arc::clone(&self.keys).watcher(clock) {
            watcher.run(LOOK_INTERVAL, asked).await;
        }
    }

    /// What is known of the keys.
    #[must_use]
    pub fn status(&self) -> HandoffStatus {
        self.keys.status()
    }

    /// Puts a context into its envelope.
    pub(crate) fn seal(&self, context: &str, made: Timestamp) -> String {
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
    pub(crate) fn open(&self, text: &str, now: Timestamp) -> Result<OpenedContext, ContextRefusal> {
        if text.len() > CONTEXT_BYTES_MAX.saturating_add(ENVELOPE_BYTES_MAX) {
            return Err(ContextRefusal::Unreadable);
        }
        let envelope = Envelope::read(text).ok_or(ContextRefusal::Unreadable)?;
        let unknown = if Key::is_own(envelope.key_id) {
            ContextRefusal::OtherProcess
        } else {
            ContextRefusal::UnknownKey
        };
        let ring = self.keys.ring();
        let retired;
        let (key, retired_ms) = if let Some(key) = ring.named(envelope.key_id) {
            (key, None)
        } else {
            retired = self.retired_key(envelope.key_id).ok_or(unknown)?;
            (&retired.0, Some(retired.1))
        };
        // Takes the same time for every wrong MAC.
        hmac::verify(&key.key, envelope.signed.as_bytes(), &envelope.tag)
            .map_err(|_| ContextRefusal::Forged)?;
        let made_ms: i64 = envelope
            .made
            .parse()
            .map_err(|_| ContextRefusal::Unreadable)?;
        let check_time_ms = milliseconds(CHECK_TIME_MAX);
        if retired_ms.is_some_and(|at_ms| made_ms > at_ms.saturating_add(check_time_ms)) {
            return Err(unknown);
        }
        let age = now.as_millisecond().saturating_sub(made_ms);
        if age > self.max_age_ms {
            return Err(ContextRefusal::TooOld);
        }
        if age < milliseconds(AHEAD_MAX).saturating_neg() {
            return Err(ContextRefusal::FromTheFuture);
        }
        let context = ResponseContext::parse(envelope.context).ok_or(ContextRefusal::Unreadable)?;
        let context = Box::new(context);
        Ok(OpenedContext { context, made_ms })
    }

    /// The key of this name that seals nothing any more, and since when.
    fn retired_key(&self, id: &str) -> Option<(Key, i64)> {
        let mut latest_first = self.retired.iter().rev();
        latest_first.find_map(|retired| {
            let key = retired.keys.ring().named(id)?.clone();
            Some((key, retired.at_ms))
        })
    }

    /// Records that a stream with a context begins, and says whether it is a repetition.
    pub(crate) fn take(
        &self,
        opened: &OpenedContext,
        now: Timestamp,
    ) -> Result<bool, ContextRefusal> {
        match self.count(&self.used, opened, now) {
            Use::First => Ok(false),
            Use::Again => Ok(true),
            Use::Replay => Err(ContextRefusal::Replayed),
        }
    }

    /// Takes a context out of its envelope, for the stream of its request to begin: none if it is
    /// not believed or was used for that before. Why not is told when the response comes.
    pub(crate) fn attend(&self, text: &str, now: Timestamp) -> Option<Box<ResponseContext>> {
        let opened = self.open(text, now).ok()?;
        match self.count(&self.attended, &opened, now) {
            Use::First | Use::Again => Some(opened.context),
            Use::Replay => None,
        }
    }

    fn count(&self, used: &Mutex<UsedContexts>, opened: &OpenedContext, now: Timestamp) -> Use {
        let context = UsedContext {
            party: Owner::of(opened.context.subject()).party(),
            made_ms: opened.made_ms,
            id: opened.context.decision_id(),
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

#[cfg(test)]
mod tests;
