//! The verification keys of an issuer: JWK Set text (RFC 7517) to keys that are ready for use.
//!
//! No I/O. Keys that cannot verify a token are left out and counted; a set that says two things at
//! once, or has no usable key, is refused as a whole.

mod invalid;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use url::Url;

use super::public_key::PublicKey;
use super::unusable::{self, UnusableKey, member};
use crate::authn::{AuthenticationError, SignatureAlgorithm};
use crate::authz::Value;
use crate::json;

pub(crate) use invalid::InvalidKeySet;

/// Identifies a key with its id and the issuer that its set names: SHA-256 over all.
pub(crate) type Thumbprint = [u8; 32];

/// The usable keys of an issuer at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    /// Positions in `keys`, by thumbprint.
    positions: HashMap<Thumbprint, usize>,
    /// How many keys of the text were left out.
    pub(super) skipped: usize,
    /// Where it was fetched, if it was.
    pub(super) url: Option<Arc<Url>>,
}

/// What of a key set is acceptable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acceptable {
    /// How many keys it may have.
    pub(super) keys_max: usize,
    /// How deep its JSON may nest.
    pub(super) json_depth_max: usize,
    /// Whether it may have keys that verify tokens of workloads alone.
    pub(super) workloads: bool,
}

/// A key that was left out of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Which it is of the list, from 1.
    pub(super) number: usize,
    /// Its `kid`.
    pub(super) id: Option<String>,
    /// Why.
    pub(super) fault: UnusableKey,
}

/// The keys of a text by whether they are of use.
struct Sorted {
    keys: Vec<Arc<VerificationKey>>,
    left_out: Vec<LeftOut>,
}

/// One public key, with what it may be used for.
pub(crate) struct VerificationKey {
    /// `kid`.
    pub(crate) id: Option<Arc<str>>,
    /// The issuer that its set names for it, as Microsoft's shared sets do.
    pub(crate) issuer: Option<Box<str>>,
    /// Ready for verification; built once per set.
    key: PublicKey,
    /// Whether it verifies JWT-SVIDs alone.
    pub(crate) is_for_svids: bool,
    /// Of the key, its id and its issuer.
    pub(crate) thumbprint: Thumbprint,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("algorithms", &self.key.algorithms().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
            && self.is_for_svids == other.is_for_svids
            && self.key.algorithms().eq(other.key.algorithms())
    }
}

impl Eq for VerificationKey {}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// Left out and counted are keys that are symmetric, private, too weak (RSA below 2048 bits),
    /// malformed, of an unknown type or curve, or not for verifying signatures (`use`, `key_ops`,
    /// `alg`), for workloads where no trust domain is known, and keys beyond the fourth with one id, as
    /// each is tried.
    ///
    /// # Errors
    /// The set as a whole is not acceptable.
    pub(super) fn parse(text: &[u8], acceptable: Acceptable) -> Result<Self, InvalidKeySet> {
        let Sorted { keys, left_out } = sorted(text, acceptable)?;
        let skipped = left_out.len();
        if keys.is_empty() {
            let mut faults = left_out.iter().map(|key| key.fault);
            return Err(if faults.any(|fault| fault == UnusableKey::Workloads) {
                InvalidKeySet::Workloads(skipped)
            } else {
                InvalidKeySet::NoUsableKey { skipped }
            });
        }
        let positions = keys
            .iter()
            .enumerate()
            .map(|(at, key)| (key.thumbprint, at))
            .collect();
        Ok(Self {
            keys,
            positions,
            skipped,
            url: None,
        })
    }

    /// The same set, with where it was fetched.
    pub(super) fn fetched_at(self, url: &Url) -> Self {
        Self {
            url: Some(Arc::new(url.clone())),
            ..self
        }
    }

    /// Whether a text is the URL that the set was fetched from.
    pub(crate) fn is_from(&self, text: &str) -> bool {
        let named = Url::parse(text).ok();
        named.is_some_and(|named| self.url.as_deref() == Some(&named))
    }

    /// The keys to try for a token: those with its key id, or without one the only key that fits.
    ///
    /// # Errors
    /// [`UnknownKey`](AuthenticationError::UnknownKey),
    /// [`AmbiguousKey`](AuthenticationError::AmbiguousKey), or
    /// [`AlgorithmNotAllowed`](AuthenticationError::AlgorithmNotAllowed) if the key with that id is
    /// for other algorithms.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<Arc<VerificationKey>>, AuthenticationError> {
        let fitting = |key: &&Arc<VerificationKey>| key.is_for(algorithm);
        let Some(id) = id else {
            let found: Vec<_> = self.keys.iter().filter(fitting).cloned().collect();
            return match found.len() {
                0 => Err(AuthenticationError::UnknownKey),
                1 => Ok(found),
                _ => Err(AuthenticationError::AmbiguousKey),
            };
        };
        let mut named = self
            .keys
            .iter()
            .filter(|key| key.id.as_deref() == Some(id))
            .peekable();
        if named.peek().is_none() {
            return Err(AuthenticationError::UnknownKey);
        }
        let found: Vec<_> = named.filter(fitting).cloned().collect();
        if found.is_empty() {
            Err(AuthenticationError::AlgorithmNotAllowed)
        } else {
            Ok(found)
        }
    }

    /// Whether the key of that thumbprint is still there for that algorithm.
    #[must_use]
    pub(crate) fn has(&self, thumbprint: &Thumbprint, algorithm: SignatureAlgorithm) -> bool {
        self.positions
            .get(thumbprint)
            .and_then(|at| self.keys.get(*at))
            .is_some_and(|key| key.is_for(algorithm))
    }

    /// Whether a key is for one of these algorithms.
    pub(super) fn has_any_for(&self, algorithms: &[SignatureAlgorithm]) -> bool {
        let mut all = algorithms.iter();
        all.any(|algorithm| self.keys.iter().any(|key| key.is_for(*algorithm)))
    }

    /// The id of each key.
    pub(super) fn ids(&self) -> impl Iterator<Item = Option<Arc<str>>> {
        self.keys.iter().map(|key| key.id.clone())
    }

    /// How many usable keys there are; never zero.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The keys that a text leaves out, and each `kid` that several usable keys have.
pub(super) fn inspect(
    text: &[u8],
    acceptable: Acceptable,
) -> Result<(Vec<LeftOut>, Vec<String>), InvalidKeySet> {
    let Sorted { keys, left_out } = sorted(text, acceptable)?;
    let mut shared: Vec<String> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for id in keys.iter().filter_map(|key| key.id.as_deref()) {
        let times = seen.entry(id).or_default();
        *times = times.saturating_add(1);
        if *times == 2 {
            shared.push(id.to_owned());
        }
    }
    Ok((left_out, shared))
}

fn sorted(text: &[u8], acceptable: Acceptable) -> Result<Sorted, InvalidKeySet> {
    let Acceptable {
        keys_max,
        json_depth_max,
        workloads,
    } = acceptable;
    let document = json::decode(text, json_depth_max)?;
    if let Value::List(_) = document {
        return Err(InvalidKeySet::BareArray);
    }
    let Some(Value::List(entries)) = document.member("keys") else {
        return Err(InvalidKeySet::Shape);
    };
    if entries.is_empty() {
        return Err(InvalidKeySet::Empty);
    }
    if entries.len() > keys_max {
        return Err(InvalidKeySet::TooManyKeys {
            count: entries.len(),
            limit: keys_max,
        });
    }
    if !entries.iter().all(|entry| matches!(entry, Value::Map(_))) {
        return Err(InvalidKeySet::Shape);
    }
    let mut keys: Vec<Arc<VerificationKey>> = Vec::with_capacity(entries.len());
    let mut left_out = Vec::new();
    for (index, jwk) in entries.iter().enumerate() {
        let key = VerificationKey::from_jwk(jwk);
        let key = key.and_then(|key| {
            if key.is_for_svids && !workloads {
                return Err(UnusableKey::Workloads);
            }
            is_new(key, &keys)
        });
        match key {
            Ok(key) => keys.push(Arc::new(key)),
            Err(fault) => left_out.push(LeftOut {
                number: index.saturating_add(1),
                id: jwk.member("kid").and_then(Value::as_str).map(str::to_owned),
                fault,
            }),
        }
    }
    Ok(Sorted { keys, left_out })
}

/// The key, unless it is among those before it, or too many of those have its id.
fn is_new(
    key: VerificationKey,
    before: &[Arc<VerificationKey>],
) -> Result<VerificationKey, UnusableKey> {
    if before
        .iter()
        .any(|known| known.thumbprint == key.thumbprint)
    {
        return Err(UnusableKey::Twice);
    }
    let same_id = before
        .iter()
        .filter(|known| key.id.is_some() && known.id == key.id);
    if same_id.count() < SAME_ID_MAX {
        Ok(key)
    } else {
        Err(UnusableKey::TooManyOfOneId)
    }
}

impl VerificationKey {
    /// Whether a signature is one of the message by this key.
    pub(crate) fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.key.verifies(algorithm, message, signature)
    }

    fn is_for(&self, algorithm: SignatureAlgorithm) -> bool {
        self.key.algorithms().any(|own| own == algorithm)
    }

    /// The key, if it is one that can verify tokens.
    fn from_jwk(jwk: &Value<'_>) -> Result<Self, UnusableKey> {
        if unusable::is_private(jwk) {
            return Err(UnusableKey::Private);
        }
        let usage = usage(jwk)?;
        let id = optional_text(jwk, "kid")?;
        let mut key = PublicKey::from_jwk(jwk)?;
        if let Some(name) = optional_text(jwk, "alg")? {
            let only = SignatureAlgorithm::from_name(name).ok_or(UnusableKey::Algorithm)?;
            key.restrict(only);
        }
        if key.algorithms().next().is_none() {
            return Err(UnusableKey::Algorithm);
        }
        let issuer = jwk.member("issuer").and_then(Value::as_str);
        let is_for_svids = usage == Usage::JwtSvid;
        let thumbprint = thumbprint([id, issuer], is_for_svids, &key.material);
        let thumbprint = thumbprint.ok_or(UnusableKey::Malformed)?;
        Ok(Self {
            id: id.map(Into::into),
            issuer: issuer.map(Into::into),
            key,
            is_for_svids,
            thumbprint,
        })
    }
}

/// What a key may verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    /// Any token.
    Signatures,
    /// JWT-SVIDs, by a key of a SPIFFE bundle (SPIFFE, The Trust Domain and Bundle, §4.2.2).
    JwtSvid,
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3) permit verifying signatures.
fn usage(jwk: &Value<'_>) -> Result<Usage, UnusableKey> {
    let usage = match member(jwk, "use") {
        None => Usage::Signatures,
        Some(usage) => match usage.as_str() {
            Some("sig") => Usage::Signatures,
            Some("jwt-svid") => Usage::JwtSvid,
            Some(_) | None => return Err(UnusableKey::Usage),
        },
    };
    let may_verify = match member(jwk, "key_ops") {
        None => true,
        Some(Value::List(operations)) => operations
            .iter()
            .any(|operation| operation.as_str() == Some("verify")),
        Some(_) => false,
    };
    may_verify.then_some(usage).ok_or(UnusableKey::Usage)
}

/// The text of a member that need not be there.
fn optional_text<'v>(jwk: &'v Value<'_>, name: &str) -> Result<Option<&'v str>, UnusableKey> {
    member(jwk, name)
        .map(|value| value.as_str().ok_or(UnusableKey::Malformed))
        .transpose()
}

/// SHA-256 over its names, the absence of each told apart from emptiness, what it may verify, and the
/// key.
fn thumbprint(names: [Option<&str>; 2], is_for_svids: bool, material: &[u8]) -> Option<Thumbprint> {
    let mut context = digest::Context::new(&digest::SHA256);
    for name in names {
        let bytes = name.map_or(&[][..], str::as_bytes);
        context.update(&[u8::from(name.is_some())]);
        context.update(&u64::try_from(bytes.len()).ok()?.to_be_bytes());
        context.update(bytes);
    }
    context.update(&[u8::from(is_for_svids)]);
    context.update(material);
    context.finish().as_ref().try_into().ok()
}

/// The most keys with one id: each costs a verification for a token that names it.
const SAME_ID_MAX: usize = 4;

#[cfg(test)]
mod tests;
