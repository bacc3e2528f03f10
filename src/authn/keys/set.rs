//! The verification keys of an issuer: JWK Set text (RFC 7517) to keys that are ready for use.
//!
//! No I/O. Keys that cannot verify a token are left out and counted; a set that says two things at
//! once, or has no usable key, is refused as a whole.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use crate::authn::{AuthenticationError, SignatureAlgorithm};
use crate::authz::Value;
use crate::json::{self, InvalidJson};

/// Identifies a key with its id and the issuer that its set names: SHA-256 over all.
pub(crate) type Thumbprint = [u8; 32];

/// Why the text is not a usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKeySet {
    /// Not acceptable JSON.
    #[error("key set: {0}")]
    Json(#[from] InvalidJson),
    /// No list `keys` of objects.
    #[error("key set has no list `keys` of objects")]
    Shape,
    /// More keys than `jwks_keys_max`.
    #[error("key set has {count} keys, more than `jwks_keys_max` = {limit}")]
    TooManyKeys {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// None of the keys can verify a token.
    #[error("key set has no usable key among {skipped}")]
    NoUsableKey {
        /// How many there are.
        skipped: usize,
    },
}

/// The usable keys of an issuer at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    /// Positions in `keys`, by thumbprint.
    positions: HashMap<Thumbprint, usize>,
    /// How many keys of the text were left out.
    pub(super) skipped: usize,
}

/// One public key, with what it may be used for.
pub(crate) struct VerificationKey {
    id: Option<Box<str>>,
    /// The issuer that its set names for it, as Microsoft's shared sets do.
    pub(crate) issuer: Option<Box<str>>,
    algorithms: Vec<SignatureAlgorithm>,
    /// Ready for verification; built once per set.
    pub(crate) decoding: DecodingKey,
    /// Of the key, its id and its issuer.
    pub(crate) thumbprint: Thumbprint,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint && self.algorithms == other.algorithms
    }
}

impl Eq for VerificationKey {}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// Left out and counted are keys that are symmetric, private, too weak (RSA below 2048 bits),
    /// malformed, of an unknown type or curve, or not for verifying signatures (`use`, `key_ops`,
    /// `alg`), and keys beyond the fourth with one id, as each is tried.
    ///
    /// # Errors
    /// The set as a whole is not acceptable.
    pub(super) fn parse(
        text: &[u8],
        keys_max: usize,
        json_depth_max: usize,
    ) -> Result<Self, InvalidKeySet> {
        let document = json::decode(text, json_depth_max)?;
        let Some(Value::List(entries)) = document.member("keys") else {
            return Err(InvalidKeySet::Shape);
        };
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
        for key in entries.iter().filter_map(VerificationKey::from_jwk) {
            let same_id = keys
                .iter()
                .filter(|known| key.id.is_some() && known.id == key.id);
            let is_known = keys.iter().any(|known| known.thumbprint == key.thumbprint);
            if !is_known && same_id.count() < SAME_ID_MAX {
                keys.push(Arc::new(key));
            }
        }
        let skipped = entries.len().saturating_sub(keys.len());
        if keys.is_empty() {
            return Err(InvalidKeySet::NoUsableKey { skipped });
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
        })
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
        let fitting = |key: &&Arc<VerificationKey>| key.algorithms.contains(&algorithm);
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
            .is_some_and(|key| key.algorithms.contains(&algorithm))
    }

    /// How many usable keys there are; never zero.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl VerificationKey {
    /// The key, if it is one that can verify tokens.
    fn from_jwk(jwk: &Value<'_>) -> Option<Self> {
        // Whoever can read a private key here can sign as the issuer.
        if jwk.member("d").is_some() || !is_for_verification(jwk) {
            return None;
        }
        let id = optional_text(jwk, "kid").ok()?;
        let (mut algorithms, decoding, material) = public_key(jwk)?;
        if let Some(name) = optional_text(jwk, "alg").ok()? {
            let only = SignatureAlgorithm::from_name(name)?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        let issuer = jwk.member("issuer").and_then(Value::as_str);
        let thumbprint = thumbprint([id, issuer], &material)?;
        Some(Self {
            id: id.map(Into::into),
            issuer: issuer.map(Into::into),
            algorithms,
            decoding,
            thumbprint,
        })
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3) permit verifying signatures.
fn is_for_verification(jwk: &Value<'_>) -> bool {
    let usage = match jwk.member("use") {
        None => true,
        // The keys of a SPIFFE bundle that verify JWT-SVIDs (SPIFFE Trust Domain and Bundle §4.2.2).
        Some(usage) => matches!(usage.as_str(), Some("sig" | "jwt-svid")),
    };
    let operations = match jwk.member("key_ops") {
        None => true,
        Some(Value::List(operations)) => operations
            .iter()
            .any(|operation| operation.as_str() == Some("verify")),
        Some(_) => false,
    };
    usage && operations
}

/// The text of a member that need not be there.
///
/// `Err` if it is there and not a string.
fn optional_text<'v>(jwk: &'v Value<'_>, name: &str) -> Result<Option<&'v str>, ()> {
    jwk.member(name)
        .map(|value| value.as_str().ok_or(()))
        .transpose()
}

/// The algorithms that fit the type and curve, the key, and its bytes.
fn public_key(jwk: &Value<'_>) -> Option<(Vec<SignatureAlgorithm>, DecodingKey, Vec<u8>)> {
    let curve = jwk.member("crv").and_then(Value::as_str);
    match (jwk.member("kty")?.as_str()?, curve) {
        ("RSA", _) => rsa_key(jwk),
        ("EC", Some("P-256")) => {
            let point = curve_point(jwk, 32)?;
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, &point)
                .parse()
                .ok()?;
            Some((
                vec![SignatureAlgorithm::Es256],
                DecodingKey::from_ec_der(&point),
                point,
            ))
        }
        ("EC", Some("P-384")) => {
            let point = curve_point(jwk, 48)?;
            UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, &point)
                .parse()
                .ok()?;
            Some((
                vec![SignatureAlgorithm::Es384],
                DecodingKey::from_ec_der(&point),
                point,
            ))
        }
        ("OKP", Some("Ed25519")) => {
            let point = octets(jwk, "x")?;
            UnparsedPublicKey::new(&signature::ED25519, &point)
                .parse()
                .ok()?;
            Some((
                vec![SignatureAlgorithm::EdDsa],
                DecodingKey::from_ed_der(&point),
                point,
            ))
        }
        _ => None,
    }
}

/// An RSA key of 2048 to 8192 bits (RFC 7518 §3.3; the upper limit is that of the library).
fn rsa_key(jwk: &Value<'_>) -> Option<(Vec<SignatureAlgorithm>, DecodingKey, Vec<u8>)> {
    let modulus = without_leading_zeros(octets(jwk, "n")?);
    let exponent = without_leading_zeros(octets(jwk, "e")?);
    let unused_bits = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let bits = modulus.len().checked_mul(8)?.checked_sub(unused_bits)?;
    if !(2048..=8192).contains(&bits) {
        return None;
    }
    // Odd, above 1, at most 32 bits.
    let is_odd = exponent.last()? & 1 == 1;
    if !is_odd || exponent.len() > 4 || exponent == [1] {
        return None;
    }
    let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
    let material = [modulus, exponent].concat();
    let algorithms = vec![
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Rs384,
        SignatureAlgorithm::Rs512,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::Ps384,
        SignatureAlgorithm::Ps512,
    ];
    Some((algorithms, key, material))
}

/// The uncompressed point of SEC 1 §2.3.3; both coordinates have the full length of the field
/// (RFC 7518 §6.2.1.2).
fn curve_point(jwk: &Value<'_>, coordinate_bytes: usize) -> Option<Vec<u8>> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return None;
    }
    Some([vec![4], x, y].concat())
}

fn octets(jwk: &Value<'_>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.member(name)?.as_str()?).ok()
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// SHA-256 over its names, the absence of each told apart from emptiness, and the key.
fn thumbprint(names: [Option<&str>; 2], material: &[u8]) -> Option<Thumbprint> {
    let mut context = digest::Context::new(&digest::SHA256);
    for name in names {
        let bytes = name.map_or(&[][..], str::as_bytes);
        context.update(&[u8::from(name.is_some())]);
        context.update(&u64::try_from(bytes.len()).ok()?.to_be_bytes());
        context.update(bytes);
    }
    context.update(material);
    context.finish().as_ref().try_into().ok()
}

/// The most keys with one id: each costs a verification for a token that names it.
const SAME_ID_MAX: usize = 4;

#[cfg(test)]
mod tests;
