//! The signature algorithms that tokens and keys may have.

/// `EdDSA` by its curve (RFC 9864 §2.2).
const ED25519: &str = "Ed25519";

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037 that may be configured. `none` and the
/// symmetric algorithms are not among them.
///
/// RFC 9864 §2.2 calls `EdDSA` by its curve, `Ed25519`. That is another name of the same algorithm,
/// because Ed25519 is the only curve here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// `RSASSA-PKCS1-v1_5` using SHA-256.
    Rs256,
    /// `RSASSA-PKCS1-v1_5` using SHA-384.
    Rs384,
    /// `RSASSA-PKCS1-v1_5` using SHA-512.
    Rs512,
    /// RSASSA-PSS using SHA-256.
    Ps256,
    /// RSASSA-PSS using SHA-384.
    Ps384,
    /// RSASSA-PSS using SHA-512.
    Ps512,
    /// ECDSA using P-256 and SHA-256.
    Es256,
    /// ECDSA using P-384 and SHA-384.
    Es384,
    /// ECDSA using P-521 and SHA-512.
    Es512,
    /// `EdDSA` using Ed25519.
    EdDsa,
}

impl SignatureAlgorithm {
    /// Every supported algorithm.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The name in `alg`; of two, the older.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Every name that an algorithm has.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let names = Self::ALL.into_iter().map(Self::name);
        names.chain([ED25519])
    }

    /// The algorithm of that exact name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == ED25519 {
            return Some(Self::EdDsa);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}
