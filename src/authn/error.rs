//! Why a caller is not authenticated: one variant for each way, closed so that a new one breaks
//! every place that has to name it.

use std::fmt;

/// Why no [`Subject`](crate::authz::Subject) came out of the credentials.
///
/// Carries no text of the token, so it may be logged and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthenticationError {
    /// There is no header with a token, or it is empty.
    #[error("no credentials")]
    MissingToken,
    /// More than one credential: repeated headers, or several joined by a comma, as Envoy merges
    /// them.
    #[error("more than one credential")]
    RepeatedCredentials,
    /// The query string names a credential. RFC 6750 §2.3 and MCP forbid access tokens there.
    #[error("credential in the query")]
    TokenInQuery,
    /// A scheme other than `Bearer`.
    #[error("authorization scheme is not supported")]
    UnsupportedScheme,
    /// The scheme without a token.
    #[error("empty token")]
    EmptyToken,
    /// The token is longer than `token_bytes_max`.
    #[error("token exceeds `token_bytes_max`")]
    TokenTooLarge,
    /// Not a `b64token` (RFC 6750 §2.1).
    #[error("malformed token")]
    MalformedToken,
    /// Not of three parts, and so no compact JWS (RFC 7515 §7.1): an opaque token, most likely.
    #[error("token is opaque")]
    OpaqueToken,
    /// Of five parts: a compact JWE (RFC 7516 §7.1).
    #[error("token is encrypted")]
    EncryptedToken,
    /// A part of the token is not base64url, or not a JSON object inside.
    #[error("malformed {0} of the token")]
    MalformedPart(TokenPart),
    /// A member of the header has a type that it must not have, or is missing.
    #[error("malformed member `{0}` in the header of the token")]
    MalformedHeader(&'static str),
    /// The header or the claims name a member twice.
    #[error("the {0} of the token names a member twice")]
    DuplicateMember(TokenPart),
    /// The header brings its own key: `jwk`, `x5u`, or a `jku` other than where the keys of the issuer
    /// are fetched.
    #[error("token header names a key of its own in `{0}`")]
    EmbeddedKey(&'static str),
    /// The header has `crit` (RFC 7515 §4.1.11); no extension is understood.
    #[error("token header demands an extension")]
    CriticalHeader,
    /// `typ` says that this is another kind of token, such as a `DPoP` proof or a logout token.
    #[error("token is not an access token")]
    TokenType,
    /// `alg` is not supported, not configured for the issuer, or not what the key is for.
    #[error("token algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `iss` is not an issuer that this server trusts.
    #[error("issuer is not trusted")]
    UnknownIssuer,
    /// The issuer's current keys have none with the token's key id.
    #[error("signing key is unknown")]
    UnknownKey,
    /// The token names no key and more than one would fit.
    #[error("signing key is ambiguous")]
    AmbiguousKey,
    /// The key with the token's key id is another tenant's, as its set says.
    #[error("signing key is that of another tenant")]
    ForeignKey,
    /// The signature is not that of the issuer's key.
    #[error("signature is not valid")]
    InvalidSignature,
    /// `aud` does not contain this server.
    #[error("token is for another audience")]
    AudienceMismatch,
    /// There is no `aud`, and the client is none of those that may stand for it.
    #[error("token is of another client")]
    ClientMismatch,
    /// `exp` has passed.
    #[error("token has expired")]
    TokenExpired,
    /// `nbf` has not come yet.
    #[error("token is not valid yet")]
    TokenNotYetValid,
    /// `iat` has not come yet.
    #[error("token was issued in the future")]
    IssuedInFuture,
    /// A required claim is absent.
    #[error("claim `{0}` is missing")]
    ClaimMissing(Claim),
    /// A claim is not of the type or in the range that it must be.
    #[error("claim `{0}` is not valid")]
    ClaimInvalid(Claim),
    /// The token is bound to a key of the sender (`cnf`, RFC 7800), and no proof of it is checked.
    #[error("token demands a proof of possession")]
    ProofRequired,
    /// The issuer's keys cannot be had: nothing can be said about the token. A *fail* (503), not a
    /// denial.
    #[error("keys of the issuer are unavailable")]
    KeysUnavailable,
}

/// A part of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenPart {
    /// The first.
    Header,
    /// The second.
    Claims,
    /// The third.
    Signature,
}

impl TokenPart {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TokenPart::Header => "header",
            TokenPart::Claims => "claims",
            TokenPart::Signature => "signature",
        }
    }
}

impl fmt::Display for TokenPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A claim that the authentication reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `iss`.
    Issuer,
    /// `sub`.
    Subject,
    /// `aud`.
    Audience,
    /// `exp`.
    Expiry,
    /// `nbf`.
    NotBefore,
    /// `iat`.
    IssuedAt,
    /// What is configured as `claims.agent`.
    Agent,
    /// `tid`, which has to be the tenant in `iss`.
    TenantId,
    /// `sub`, which has to be the SPIFFE ID of a workload.
    Workload,
    /// Of those that are configured as `required_claims`, the one at this index.
    Required(usize),
}

impl Claim {
    /// What the claim is called in a token; of those that are configured, what they say.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Claim::Issuer => "iss",
            Claim::Subject | Claim::Workload => "sub",
            Claim::Audience => "aud",
            Claim::Expiry => "exp",
            Claim::NotBefore => "nbf",
            Claim::IssuedAt => "iat",
            Claim::Agent => "agent",
            Claim::TenantId => "tid",
            Claim::Required(_) => "required_claims",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
