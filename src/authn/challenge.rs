//! `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1), in the narrow form that MCP clients can parse.
//!
//! The TypeScript and Python clients look each parameter up with one unanchored search and take the
//! first hit, so order and quoting are fixed: `error`, `scope`, `resource_metadata`,
//! `error_description`; every value quoted, none empty, no escapes. Texts are constants, names and
//! values come from the configuration; nothing of the request is ever in a challenge.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use super::{AuthenticationError, AuthenticationFailure};

/// What is not allowed in a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChallenge {
    /// No scope is named.
    #[error("no scope is named")]
    NoScope,
    /// Not a `scope-token` of RFC 6749 §3.3, or it contains the name of a challenge parameter.
    #[error("scope `{0}` cannot be in a challenge")]
    Scope(String),
    /// Not visible ASCII without `"` and `\`, or it contains the name of a challenge parameter.
    #[error("url `{0}` cannot be in a challenge")]
    Url(String),
}

/// The challenges of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges {
    resource_metadata: String,
    /// The minimal set, for a caller without a usable token; may be empty.
    scopes: Vec<String>,
}

/// What a caller has to bring.
#[derive(Debug, Clone, Copy)]
pub struct StepUp<'a> {
    /// Whether one of the scopes is missing.
    pub lacks_scope: bool,
    /// Every scope that the operation needs.
    pub scopes: &'a [String],
    /// Authentication context class references, any of which would do.
    pub acr_values: &'a [String],
    /// The greatest age of the login.
    pub max_age: Option<Duration>,
}

impl Challenges {
    /// Challenges that point to the metadata document at `resource_metadata` and ask callers
    /// without a token for `scopes`.
    ///
    /// # Errors
    /// The first value that would not come through the clients' parsers as it is.
    pub fn new(resource_metadata: &str, scopes: &[String]) -> Result<Self, InvalidChallenge> {
        check_url(resource_metadata)?;
        scopes.iter().try_for_each(|scope| check_scope(scope))?;
        Ok(Self {
            resource_metadata: resource_metadata.to_owned(),
            scopes: scopes.to_vec(),
        })
    }

    /// The challenge for a caller who is not authenticated; the status is 401, or 400 where
    /// [`error_code`] is `invalid_request`.
    ///
    /// Without any credentials of ours there is no `error` (RFC 6750 §3.1).
    #[must_use]
    pub fn unauthenticated(&self, failure: &AuthenticationFailure) -> String {
        let code = error_code(failure.error);
        let told = told(failure);
        self.render(code.map(|code| (code, &*told)), &self.scopes)
    }

    /// The challenge for a caller whose token lacks scopes; the status is 403. `scopes` is
    /// everything that the operation needs, all at once.
    ///
    /// # Errors
    /// `scopes` is empty or has one that is not valid; [`check_scope`] tells beforehand.
    pub fn insufficient_scope(&self, scopes: &[String]) -> Result<String, InvalidChallenge> {
        if scopes.is_empty() {
            return Err(InvalidChallenge::NoScope);
        }
        scopes.iter().try_for_each(|scope| check_scope(scope))?;
        let error = ("insufficient_scope", "The operation needs further scopes.");
        Ok(self.render(Some(error), scopes))
    }

    /// The challenge for a caller who has to step up, naming everything that is missing. Where a
    /// scope is, the error is `insufficient_scope` and the status 403; otherwise it is
    /// `insufficient_user_authentication` and 401 (RFC 9470 §3).
    ///
    /// # Errors
    /// A scope or an `acr` value is not valid, or nothing is asked for.
    pub fn step_up(&self, step_up: &StepUp<'_>) -> Result<String, InvalidChallenge> {
        if step_up.lacks_scope && step_up.acr_values.is_empty() && step_up.max_age.is_none() {
            return self.insufficient_scope(step_up.scopes);
        }
        let texts = step_up.scopes.iter().chain(step_up.acr_values);
        texts.into_iter().try_for_each(|text| check_scope(text))?;
        let error = if step_up.lacks_scope {
            let description = "The operation needs further scopes and another login.";
            ("insufficient_scope", description)
        } else {
            let description = "The operation needs another login.";
            ("insufficient_user_authentication", description)
        };
        let mut challenge = self.render(Some(error), step_up.scopes);
        // INVARIANT: writing to a string does not fail.
        if !step_up.acr_values.is_empty() {
            write!(
                challenge,
                ", acr_values=\"{}\"",
                step_up.acr_values.join(" ")
            )
            .ok();
        }
        if let Some(max_age) = step_up.max_age {
            write!(challenge, ", max_age=\"{}\"", max_age.as_secs()).ok();
        }
        Ok(challenge)
    }

    fn render(&self, error: Option<(&str, &str)>, scopes: &[String]) -> String {
        let mut parameters: Vec<(&str, &str)> = Vec::with_capacity(4);
        let scopes = scopes.join(" ");
        if let Some((code, _)) = error {
            parameters.push(("error", code));
        }
        if !scopes.is_empty() {
            parameters.push(("scope", &scopes));
        }
        parameters.push(("resource_metadata", &self.resource_metadata));
        if let Some((_, description)) = error {
            parameters.push(("error_description", description));
        }
        let mut challenge = String::from("Bearer");
        for (at, (name, value)) in parameters.into_iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            // INVARIANT: writing to a string does not fail.
            write!(challenge, "{separator} {name}=\"{value}\"").ok();
        }
        challenge
    }
}

/// The error code of RFC 6750 §3.1 for a failed authentication; none where the request has no
/// credentials of the kind we take.
#[must_use]
pub const fn error_code(error: AuthenticationError) -> Option<&'static str> {
    use AuthenticationError as E;
    match error {
        E::MissingToken | E::UnsupportedScheme | E::KeysUnavailable => None,
        E::RepeatedCredentials | E::TokenInQuery => Some("invalid_request"),
        E::EmptyToken
        | E::TokenTooLarge
        | E::MalformedToken
        | E::OpaqueToken
        | E::EncryptedToken
        | E::MalformedPart(_)
        | E::MalformedHeader(_)
        | E::DuplicateMember(_)
        | E::EmbeddedKey(_)
        | E::CriticalHeader
        | E::TokenType
        | E::AlgorithmNotAllowed
        | E::UnknownIssuer
        | E::UnknownKey
        | E::AmbiguousKey
        | E::ForeignKey
        | E::InvalidSignature
        | E::AudienceMismatch
        | E::ClientMismatch
        | E::TokenExpired
        | E::TokenNotYetValid
        | E::IssuedInFuture
        | E::ClaimMissing(_)
        | E::ClaimInvalid(_)
        | E::ProofRequired => Some("invalid_token"),
    }
}

/// What a client is told about a failed authentication: a fixed text, and the name of what is at
/// fault, if it can be in a challenge.
#[must_use]
pub fn told(failure: &AuthenticationFailure) -> Cow<'static, str> {
    let text = if failure.is_by_proxy && failure.error == AuthenticationError::MissingToken {
        "The proxy in front has sent no token."
    } else {
        description(failure.error)
    };
    let name = failure.at_fault.as_deref().filter(|name| is_safe(name));
    match (text.strip_suffix('.'), name) {
        (Some(text), Some(name)) => format!("{text} ({name}).").into(),
        (_, _) => text.into(),
    }
}

/// The fixed text that a client is told about a failed authentication.
#[must_use]
pub const fn description(error: AuthenticationError) -> &'static str {
    use AuthenticationError as E;
    match error {
        E::MissingToken => "A bearer token is required.",
        E::RepeatedCredentials => "The request has more than one credential.",
        E::TokenInQuery => "A credential must not be in the query.",
        E::UnsupportedScheme => "Only bearer tokens are accepted.",
        E::EmptyToken => "The token is empty.",
        E::TokenTooLarge => "The token is too large.",
        E::MalformedToken => "The token is malformed.",
        E::OpaqueToken => {
            "The token is opaque: the authorization server has to issue signed JWT access tokens \
             for this server."
        }
        E::EncryptedToken => {
            "The token is encrypted (JWE): the authorization server has to issue signed access \
             tokens without encryption."
        }
        E::MalformedPart(_) => "A part of the token is malformed.",
        E::MalformedHeader(_) => "A member of the token header is missing or malformed.",
        E::DuplicateMember(_) => "The token names a member twice.",
        E::EmbeddedKey(_) => "The token header must not bring a key.",
        E::CriticalHeader => "The token header demands an unknown extension.",
        E::TokenType => "The token is not an access token.",
        E::AlgorithmNotAllowed => "The signature algorithm is not allowed.",
        E::UnknownIssuer => "The issuer is not trusted here.",
        E::UnknownKey => "The signing key is unknown.",
        E::AmbiguousKey => "The token does not say which key signed it.",
        E::ForeignKey => "The signing key is that of another tenant.",
        E::InvalidSignature => "The signature is not valid.",
        E::AudienceMismatch => "The token is for another audience.",
        E::ClientMismatch => "The token without an audience is of another client.",
        E::TokenExpired => "The token has expired.",
        E::TokenNotYetValid => "The token is not valid yet.",
        E::IssuedInFuture => "The token was issued in the future.",
        E::ClaimMissing(_) => "The token lacks a required claim.",
        E::ClaimInvalid(_) => "A claim of the token is not valid.",
        E::ProofRequired => "The token needs a proof of possession, which is not accepted here.",
        E::KeysUnavailable => "The token cannot be verified now.",
    }
}

/// Whether `scope` may be in a challenge: a `scope-token` of RFC 6749 §3.3 that no client takes for
/// a parameter.
///
/// # Errors
/// [`InvalidChallenge::Scope`].
pub fn check_scope(scope: &str) -> Result<(), InvalidChallenge> {
    if is_safe(scope) {
        Ok(())
    } else {
        Err(InvalidChallenge::Scope(scope.to_owned()))
    }
}

/// Whether `url` may be in a challenge.
///
/// # Errors
/// [`InvalidChallenge::Url`].
pub fn check_url(url: &str) -> Result<(), InvalidChallenge> {
    if is_safe(url) {
        Ok(())
    } else {
        Err(InvalidChallenge::Url(url.to_owned()))
    }
}

/// Not empty, visible ASCII without `"` and `\`, and without what clients search for.
fn is_safe(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let lower = text.to_ascii_lowercase();
    !text.is_empty()
        && text.bytes().all(is_plain)
        && ![
            "error=",
            "scope=",
            "resource_metadata=",
            "error_description=",
            "acr_values=",
            "max_age=",
        ]
        .iter()
        .any(|name| lower.contains(name))
}

#[cfg(test)]
mod tests;
