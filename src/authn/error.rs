//! Why a caller is not authenticated: one variant for each way, closed so that a new one breaks
//! every place that has to name it.

use std::fmt;

/// Why no [`Subject`](crate::authz::Subject) came out of the credentials.
///
/// Carries no text of the token, so it may be logged and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthenticationError {
    /// There is no `Authorization` header, or it is empty.
    #[error("no credentials")]
    MissingToken,
    /// More than one credential: repeated headers, or several joined by a comma, as Envoy merges
    /// them.
    #[error("more than one credential")]
    RepeatedCredentials,
    /// The token is in the query string, which RFC 6750 §2.3 and MCP forbid.
    #[error("access token in the query")]
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
    /// Not a `b64token` (RFC 6750 §2.1), not a compact JWS (RFC 7515 §7.1), or not JSON objects
    /// inside.
    #[error("malformed token")]
    MalformedToken,
    /// The header or the claims name a member twice.
    #[error("token names a member twice")]
    DuplicateMember,
    /// The header brings its own key (`jwk`, `jku`, `x5u`).
    #[error("token header names a key of its own")]
    EmbeddedKey,
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
    /// The signature is not that of the issuer's key.
    #[error("signature is not valid")]
    InvalidSignature,
    /// `aud` does not contain this server.
    #[error("token is for another audience")]
    AudienceMismatch,
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
    /// One of those that are configured as `required_claims`.
    Required,
}

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Claim::Issuer => "iss",
            Claim::Subject => "sub",
            Claim::Audience => "aud",
            Claim::Expiry => "exp",
            Claim::NotBefore => "nbf",
            Claim::IssuedAt => "iat",
            Claim::Agent => "agent",
            Claim::TenantId => "tid",
            Claim::Required => "required_claims",
        })
    }
}
