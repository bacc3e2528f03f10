//! One public key: from the members of a JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2) to what verifies
//! signatures.

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::unusable::UnusableKey;
use crate::authn::SignatureAlgorithm;
use crate::authz::Value;

/// A public key, ready for each algorithm that fits it.
pub(super) struct PublicKey {
    ready: Vec<(SignatureAlgorithm, ParsedPublicKey)>,
    /// Its bytes, which no other key has.
    pub(super) material: Vec<u8>,
}

impl PublicKey {
    /// Reads the members that say what the key is.
    pub(super) fn from_jwk(jwk: &Value<'_>) -> Result<Self, UnusableKey> {
        let curve = jwk.member("crv").and_then(Value::as_str);
        let kind = jwk.member("kty").and_then(Value::as_str);
        match (kind.ok_or(UnusableKey::Malformed)?, curve) {
            ("oct", _) => Err(UnusableKey::Symmetric),
            ("RSA", _) => rsa_key(jwk),
            ("EC", Some("P-256")) => ec_key(
                jwk,
                32,
                SignatureAlgorithm::Es256,
                &signature::ECDSA_P256_SHA256_FIXED,
            ),
            ("EC", Some("P-384")) => ec_key(
                jwk,
                48,
                SignatureAlgorithm::Es384,
                &signature::ECDSA_P384_SHA384_FIXED,
            ),
            ("EC", Some("P-521")) => ec_key(
                jwk,
                66,
                SignatureAlgorithm::Es512,
                &signature::ECDSA_P521_SHA512_FIXED,
            ),
            ("OKP", Some("Ed25519")) => {
                let point = octets(jwk, "x")?;
                if point.len() != 32 {
                    return Err(UnusableKey::Malformed);
                }
                PublicKey::of(SignatureAlgorithm::EdDsa, &signature::ED25519, point)
            }
            ("EC" | "OKP", Some(_)) => Err(UnusableKey::Curve),
            ("EC" | "OKP", None) => Err(UnusableKey::Malformed),
            _ => Err(UnusableKey::Type),
        }
    }

    fn of(
        algorithm: SignatureAlgorithm,
        verification: &'static dyn VerificationAlgorithm,
        material: Vec<u8>,
    ) -> Result<Self, UnusableKey> {
        let key = ParsedPublicKey::new(verification, &material);
        let key = key.map_err(|_| UnusableKey::Malformed)?;
        Ok(PublicKey {
            ready: vec![(algorithm, key)],
            material,
        })
    }

    /// The algorithms that it verifies.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = SignatureAlgorithm> {
        self.ready.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Keeps one algorithm alone, if it has that one.
    pub(super) fn restrict(&mut self, only: SignatureAlgorithm) {
        self.ready.retain(|(algorithm, _)| *algorithm == only);
    }

    /// Whether a signature is one of the message by this key and algorithm; none is by an algorithm
    /// that the key is not for.
    pub(super) fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let mut ready = self.ready.iter();
        let key = ready.find(|(own, _)| *own == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

/// The algorithms of RSA keys (RFC 7518 §3.3, §3.5), for 2048 to 8192 bits.
const RSA: [(SignatureAlgorithm, &RsaParameters); 6] = [
    (
        SignatureAlgorithm::Rs256,
        &signature::RSA_PKCS1_2048_8192_SHA256,
    ),
    (
        SignatureAlgorithm::Rs384,
        &signature::RSA_PKCS1_2048_8192_SHA384,
    ),
    (
        SignatureAlgorithm::Rs512,
        &signature::RSA_PKCS1_2048_8192_SHA512,
    ),
    (
        SignatureAlgorithm::Ps256,
        &signature::RSA_PSS_2048_8192_SHA256,
    ),
    (
        SignatureAlgorithm::Ps384,
        &signature::RSA_PSS_2048_8192_SHA384,
    ),
    (
        SignatureAlgorithm::Ps512,
        &signature::RSA_PSS_2048_8192_SHA512,
    ),
];

/// An RSA key of 2048 to 8192 bits (RFC 7518 §3.3; the upper limit is that of the library).
fn rsa_key(jwk: &Value<'_>) -> Result<PublicKey, UnusableKey> {
    let modulus = without_leading_zeros(octets(jwk, "n")?);
    let exponent = without_leading_zeros(octets(jwk, "e")?);
    let bits = bits_of(&modulus).ok_or(UnusableKey::Malformed)?;
    if bits < 2048 {
        return Err(UnusableKey::TooSmall(bits));
    }
    if bits > 8192 {
        return Err(UnusableKey::TooLarge(bits));
    }
    // Odd, above 1, at most 32 bits.
    let is_odd = exponent.last().is_some_and(|last| last & 1 == 1);
    if !is_odd || exponent.len() > 4 || exponent == [1] {
        return Err(UnusableKey::Exponent);
    }
    let components = RsaPublicKeyComponents {
        n: &modulus,
        e: &exponent,
    };
    let ready = RSA.into_iter().map(|(algorithm, parameters)| {
        let key = components.to_parsed_public_key(parameters);
        Ok((algorithm, key.map_err(|_| UnusableKey::Malformed)?))
    });
    Ok(PublicKey {
        ready: ready.collect::<Result<_, UnusableKey>>()?,
        material: [modulus, exponent].concat(),
    })
}

fn bits_of(modulus: &[u8]) -> Option<usize> {
    let unused = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    modulus.len().checked_mul(8)?.checked_sub(unused)
}

/// A key over a curve: the uncompressed point of SEC 1 §2.3.3. Both coordinates have the full length
/// of the field (RFC 7518 §6.2.1.2).
fn ec_key(
    jwk: &Value<'_>,
    coordinate_bytes: usize,
    algorithm: SignatureAlgorithm,
    verification: &'static dyn VerificationAlgorithm,
) -> Result<PublicKey, UnusableKey> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return Err(UnusableKey::Malformed);
    }
    PublicKey::of(algorithm, verification, [vec![4], x, y].concat())
}

fn octets(jwk: &Value<'_>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let text = jwk.member(name).and_then(Value::as_str);
    let text = text.ok_or(UnusableKey::Malformed)?;
    let octets = URL_SAFE_NO_PAD.decode(text);
    octets.map_err(|_| UnusableKey::Malformed)
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
