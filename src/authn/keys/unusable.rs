//! Why a key of a set is left out.

use crate::authz::Value;

/// Why a key verifies no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// It has its private part.
    #[error("is private: whoever reads the file can sign tokens; replace the key")]
    Private,
    /// It is a secret (`kty: oct`).
    #[error("is symmetric: whoever can verify with it can sign, too")]
    Symmetric,
    /// An RSA key of fewer bits than RFC 7518 §3.3 asks for.
    #[error("has {0} bits, and an RSA key needs 2048 or more")]
    TooSmall(usize),
    /// An RSA key of more bits than the library takes.
    #[error("has {0} bits, and an RSA key may have 8192 or fewer")]
    TooLarge(usize),
    /// Its exponent is even, 1, or longer than 32 bits.
    #[error("has an exponent `e` that is even, 1 or longer than 32 bits")]
    Exponent,
    /// `use` or `key_ops` name another use.
    #[error("is not for signatures (`use`, `key_ops`)")]
    Usage,
    /// `use: jwt-svid` at an issuer whose trust domain nobody knows.
    #[error("is for workloads (`use: jwt-svid`), and the issuer has no `trust_domain`")]
    Workloads,
    /// `kty` is no type that is known.
    #[error("has a `kty` that verifies no token here")]
    Type,
    /// `crv` is no curve that is known.
    #[error("has a `crv` that verifies no token here")]
    Curve,
    /// `alg` is not an algorithm that verifies tokens, or not one for this type of key.
    #[error("has an `alg` that verifies no token here, or none for such a key")]
    Algorithm,
    /// A member is missing or has a value that it cannot have.
    #[error("is malformed: a member is missing or cannot be read")]
    Malformed,
    /// The same key with the same id stands before it.
    #[error("is there twice")]
    Twice,
    /// Four others have its id.
    #[error("has the `kid` of four others, and no more are tried")]
    TooManyOfOneId,
}

impl UnusableKey {
    /// Whether issuers publish such keys beside those that verify tokens.
    #[must_use]
    pub fn is_usual(self) -> bool {
        match self {
            UnusableKey::Usage
            | UnusableKey::Type
            | UnusableKey::Curve
            | UnusableKey::Algorithm => true,
            UnusableKey::Private
            | UnusableKey::Symmetric
            | UnusableKey::TooSmall(_)
            | UnusableKey::TooLarge(_)
            | UnusableKey::Exponent
            | UnusableKey::Malformed
            | UnusableKey::Twice
            | UnusableKey::Workloads
            | UnusableKey::TooManyOfOneId => false,
        }
    }
}

/// Whether a key has a part that only its owner may know (RFC 7518 §6.2.2, §6.3.2). Whoever can read
/// one can sign as the issuer.
pub(super) fn is_private(jwk: &Value<'_>) -> bool {
    let is_rsa = jwk.member("kty").and_then(Value::as_str) == Some("RSA");
    let rsa = ["p", "q", "dp", "dq", "qi", "oth"];
    let has = |name: &&str| member(jwk, name).is_some();
    has(&"d") || (is_rsa && rsa.iter().any(has))
}

/// A member of a key. Serializers write `null` for one that is not there.
pub(super) fn member<'v, 'a>(jwk: &'v Value<'a>, name: &str) -> Option<&'v Value<'a>> {
    jwk.member(name).filter(|value| **value != Value::Null)
}
