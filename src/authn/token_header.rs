//! The header of a compact JWS (RFC 7515 §4): what of it is acceptable, whoever signed.

use super::{AuthenticationError, SignatureAlgorithm};
use crate::authz::Value;

/// An acceptable header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenHeader {
    /// `alg`.
    pub(super) algorithm: SignatureAlgorithm,
    /// `kid`.
    pub(super) key_id: Option<String>,
    /// `typ`.
    pub(super) kind: Option<String>,
    /// `jku`.
    pub(super) key_url: Option<String>,
}

/// Members that are texts where they are there (RFC 7515 §4.1, RFC 7516 §4.1, RFC 8555 §6.4).
const TEXTS: [&str; 7] = ["cty", "x5t", "x5t#S256", "enc", "zip", "url", "nonce"];

impl TokenHeader {
    /// Reads a header. Which `typ` and which `jku` is acceptable depends on the issuer.
    ///
    /// # Errors
    /// What makes the token unacceptable whatever its key and its issuer.
    pub(super) fn read(header: &Value<'_>) -> Result<Self, AuthenticationError> {
        // Presence is enough: `crit` must not even be empty (RFC 7515 §4.1.11).
        if header.member("crit").is_some() {
            return Err(AuthenticationError::CriticalHeader);
        }
        if let Some(name) = ["jwk", "x5u"]
            .into_iter()
            .find(|name| header.member(name).is_some())
        {
            return Err(AuthenticationError::EmbeddedKey(name));
        }
        for name in TEXTS {
            match header.member(name) {
                None | Some(Value::Null | Value::String(_)) => {}
                Some(_) => return Err(AuthenticationError::MalformedHeader(name)),
            }
        }
        let certificates = header.member("x5c");
        if !certificates.is_none_or(is_list_of_texts) {
            return Err(AuthenticationError::MalformedHeader("x5c"));
        }
        let key_url = text(header, "jku")?;
        let kind = text(header, "typ")?;
        let algorithm = text(header, "alg")?.ok_or(AuthenticationError::MalformedHeader("alg"))?;
        let algorithm = SignatureAlgorithm::from_name(&algorithm)
            .ok_or(AuthenticationError::AlgorithmNotAllowed)?;
        Ok(TokenHeader {
            algorithm,
            key_id: text(header, "kid")?,
            kind,
            key_url,
        })
    }
}

fn text(header: &Value<'_>, name: &'static str) -> Result<Option<String>, AuthenticationError> {
    header
        .member(name)
        .map(|value| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or(AuthenticationError::MalformedHeader(name))
        })
        .transpose()
}

fn is_list_of_texts(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.iter().all(|item| item.as_str().is_some()),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Unsound(_)
        | Value::Map(_) => false,
    }
}
