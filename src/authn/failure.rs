//! Why a caller is not authenticated, with what an operator needs to find the cause.
//!
//! The client reads names only: those of this crate and of the configuration. What a token says is
//! for the audit alone, and apart from that, as long as nobody has proved it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::credentials::Credentials;
use super::error::{AuthenticationError, Claim};
use super::settings::IssuerSettings;

/// Why a caller is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationFailure {
    /// The reason.
    pub error: AuthenticationError,
    /// The claim, header, member of the token's header or parameter of the query that is at fault: a
    /// name of a closed set or of the configuration, never a text of the client.
    pub at_fault: Option<Cow<'static, str>>,
    /// What was expected in its place, for operators alone: names of the configuration, published key
    /// ids and, once the signature is verified, times of the token.
    pub expected: Option<String>,
    /// Whether a proxy in front has to send the token, and not the client.
    pub is_by_proxy: bool,
    /// What the token says of itself.
    pub evidence: TokenEvidence,
}

/// What a refused token says of itself. No longer than the token, and of any characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenEvidence {
    /// Whether the signature is the issuer's. Until then anyone can have written the rest.
    pub is_verified: bool,
    /// `iss`.
    pub issuer: Option<Arc<str>>,
    /// `sub`, once it is verified.
    pub subject: Option<Arc<str>>,
    /// `kid`.
    pub key_id: Option<Arc<str>>,
    /// `aud`, once it is verified.
    pub audience: Vec<Arc<str>>,
    /// `exp`, once it is verified.
    pub expires_at: Option<Timestamp>,
    /// `nbf`, likewise.
    pub not_before: Option<Timestamp>,
    /// `iat`, likewise.
    pub issued_at: Option<Timestamp>,
}

impl AuthenticationFailure {
    /// What is at fault and what was expected, for operators.
    #[must_use]
    pub fn told(&self) -> Option<Cow<'_, str>> {
        match (self.at_fault.as_deref(), self.expected.as_deref()) {
            (Some(name), Some(expected)) => Some(format!("{name}: {expected}").into()),
            (Some(text), None) | (None, Some(text)) => Some(text.into()),
            (None, None) => None,
        }
    }

    /// The failure of a request without one well-formed token.
    pub(super) fn of_credentials(error: AuthenticationError, from: &Credentials<'_>) -> Self {
        Self::at(error, Some(from.place_at_fault().to_owned().into()), from)
    }

    /// The failure of a token.
    pub(super) fn of_token(
        error: AuthenticationError,
        evidence: TokenEvidence,
        from: &Credentials<'_>,
        issuer: Option<&IssuerSettings>,
    ) -> Self {
        let place = || from.place_at_fault().to_owned().into();
        let at_fault = match at_fault(error) {
            AtFault::Nothing => None,
            AtFault::Place => Some(place()),
            AtFault::Named(name) => Some(name.into()),
            AtFault::Claim(claim) => Some(claim_name(claim, issuer)),
        };
        AuthenticationFailure {
            evidence,
            ..Self::at(error, at_fault, from)
        }
    }

    fn at(
        error: AuthenticationError,
        at_fault: Option<Cow<'static, str>>,
        from: &Credentials<'_>,
    ) -> Self {
        AuthenticationFailure {
            error,
            at_fault,
            expected: None,
            is_by_proxy: from.is_by_proxy(),
            evidence: TokenEvidence::default(),
        }
    }
}

/// What is at fault.
enum AtFault {
    /// Nothing of the request.
    Nothing,
    /// Where the token is, or must not be.
    Place,
    /// What has this name.
    Named(&'static str),
    Claim(Claim),
}

fn at_fault(error: AuthenticationError) -> AtFault {
    use AuthenticationError as E;
    match error {
        E::MissingToken
        | E::RepeatedCredentials
        | E::TokenInQuery
        | E::UnsupportedScheme
        | E::EmptyToken
        | E::TokenTooLarge
        | E::MalformedToken
        | E::OpaqueToken
        | E::EncryptedToken => AtFault::Place,
        E::MalformedPart(part) | E::DuplicateMember(part) => AtFault::Named(part.name()),
        E::MalformedHeader(member) | E::EmbeddedKey(member) => AtFault::Named(member),
        E::CriticalHeader => AtFault::Named("crit"),
        E::TokenType => AtFault::Named("typ"),
        E::AlgorithmNotAllowed => AtFault::Named("alg"),
        E::UnknownKey | E::AmbiguousKey | E::ForeignKey => AtFault::Named("kid"),
        E::InvalidSignature => AtFault::Named("signature"),
        E::UnknownIssuer => AtFault::Claim(Claim::Issuer),
        E::AudienceMismatch => AtFault::Claim(Claim::Audience),
        E::ClientMismatch => AtFault::Claim(Claim::Agent),
        E::TokenExpired => AtFault::Claim(Claim::Expiry),
        E::TokenNotYetValid => AtFault::Claim(Claim::NotBefore),
        E::IssuedInFuture => AtFault::Claim(Claim::IssuedAt),
        E::ClaimMissing(claim) | E::ClaimInvalid(claim) => AtFault::Claim(claim),
        E::ProofRequired => AtFault::Named("cnf"),
        E::KeysUnavailable => AtFault::Nothing,
    }
}

/// A claim as the issuer's tokens call it: of those that are configured, each name that is.
fn claim_name(claim: Claim, settings: Option<&IssuerSettings>) -> Cow<'static, str> {
    let configured = settings.and_then(|settings| match claim {
        Claim::Issuer
        | Claim::Workload
        | Claim::Audience
        | Claim::Expiry
        | Claim::NotBefore
        | Claim::IssuedAt
        | Claim::TenantId => None,
        Claim::Subject => Some(settings.claims.subject.join("/")),
        Claim::Agent => Some(settings.claims.agent.join("/")),
        Claim::Required(index) => {
            let required = settings.required_claims.get(index);
            required.map(|required| required.path.clone())
        }
    });
    match configured.filter(|names| !names.is_empty()) {
        None => claim.name().into(),
        Some(names) => names.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::claim_settings::{RequiredClaim, RequiredValue};

    #[test]
    fn a_configured_claim_is_called_as_the_tokens_call_it() {
        let required = |path: &str| RequiredClaim {
            path: path.to_owned(),
            values: vec![RequiredValue::Truth(true)],
        };
        let mut settings = IssuerSettings {
            required_claims: vec![required("typ"), required("email_verified")],
            ..IssuerSettings::new("https://idp.example")
        };
        settings.claims.subject = vec!["sub".to_owned(), "common_name".to_owned()];
        let rows = [
            (Claim::Subject, "sub/common_name"),
            (Claim::Workload, "sub"),
            (Claim::Agent, "client_id/azp/appid/cid"),
            (Claim::Audience, "aud"),
            (Claim::TenantId, "tid"),
            (Claim::Required(0), "typ"),
            (Claim::Required(1), "email_verified"),
            (Claim::Required(2), "required_claims"),
        ];
        for (claim, expected) in rows {
            assert_eq!(claim_name(claim, Some(&settings)), expected);
        }
        assert_eq!(claim_name(Claim::Agent, None), "agent");
        settings.claims.agent = Vec::new();
        assert_eq!(claim_name(Claim::Agent, Some(&settings)), "agent");
    }
}
