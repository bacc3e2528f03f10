//! A compact JWS (RFC 7515 §7.1) to a verified token.
//!
//! Pure: keys, time and settings are arguments. Three stages: raw text, decoded but
//! [`Unverified`], and [`Verified`], which only [`Unverified::verify`] makes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::IgnoredAny;

use super::claim_settings::{ClaimSettings, RequiredClaim};
use super::claims::{self, Accepted, Validity};
use super::keys::{Thumbprint, VerificationKey};
use super::sender::SenderConstraint;
use super::{AuthenticationError, Claim, SignatureAlgorithm, issuer_name};
use crate::authz::{Subject, Value};
use crate::json::{self, InvalidJson};

/// A decoded token about which nothing is proved. What it says serves only to choose the keys.
pub(super) struct Unverified<'t> {
    raw: &'t str,
    algorithm: SignatureAlgorithm,
    key_id: Option<String>,
    claims: Value<'static>,
}

/// A token whose signature, issuer and form were verified; audience and time hold only for the
/// moment and the server they were checked for.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    /// Whom the token is about.
    pub(super) subject: Arc<Subject>,
    /// The key that verified it.
    pub(super) key: Thumbprint,
    /// With this algorithm.
    pub(super) algorithm: SignatureAlgorithm,
    /// Who may use it.
    pub(super) sender: SenderConstraint,
    validity: Validity,
}

/// What a token has to meet: its issuer's settings, this server's audience, and the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirements<'r> {
    /// `iss`.
    pub(super) issuer: &'r Arc<str>,
    /// Its tenant, if the issuer has several.
    pub(super) tenant: Option<&'r str>,
    /// Whom it has to be for.
    pub(super) accepted: Accepted<'r>,
    /// Which claims say what.
    pub(super) claims: &'r ClaimSettings,
    /// Which claims it has to have besides.
    pub(super) required_claims: &'r [RequiredClaim],
    /// How far clocks may be apart.
    pub(super) leeway: Duration,
    /// The time of the check.
    pub(super) now: Timestamp,
}

impl<'t> Unverified<'t> {
    /// Decodes header and claims.
    ///
    /// # Errors
    /// Everything that makes the token unacceptable whatever its key.
    pub(super) fn decode(raw: &'t str, json_depth_max: usize) -> Result<Self, AuthenticationError> {
        let mut parts = raw.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthenticationError::MalformedToken);
        };
        let header = object(header, json_depth_max)?;
        let (algorithm, key_id) = check_header(&header)?;
        let claims = object(payload, json_depth_max)?;
        URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| AuthenticationError::MalformedToken)?;
        Ok(Self {
            raw,
            algorithm,
            key_id,
            claims,
        })
    }

    /// `iss`; without it, the trust domain of a SPIFFE ID in `sub` (SPIFFE JWT-SVID §3).
    pub(super) fn issuer(&self) -> Result<Cow<'_, str>, AuthenticationError> {
        match self.claims.member("iss") {
            None | Some(Value::Null) => {
                let id = self.claims.member("sub").and_then(Value::as_str);
                let domain = id.and_then(issuer_name::trust_domain);
                let domain = domain.ok_or(AuthenticationError::ClaimMissing(Claim::Issuer));
                domain.map(Cow::Owned)
            }
            Some(issuer) => issuer
                .as_str()
                .map(Cow::Borrowed)
                .ok_or(AuthenticationError::ClaimInvalid(Claim::Issuer)),
        }
    }

    /// `alg`.
    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// `kid`.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Verifies the signature with the first of `keys` that fits it, then the claims.
    ///
    /// INVARIANT: `keys` are of the required issuer and for this token's algorithm.
    pub(super) fn verify(
        self,
        keys: &[Arc<VerificationKey>],
        required: Requirements<'_>,
    ) -> Result<Verified, AuthenticationError> {
        let validation = validation(self.algorithm, &self.claims, required);
        let mut outcome = Err(AuthenticationError::InvalidSignature);
        for key in keys {
            outcome = match jsonwebtoken::decode::<IgnoredAny>(self.raw, &key.decoding, &validation)
            {
                Ok(_) => Ok((key, true)),
                Err(error) => is_refused_for_its_claims(&error).map(|()| (key, false)),
            };
            if outcome.is_ok() {
                break;
            }
        }
        let (key, claims_are_accepted) = outcome?;
        if self.issuer()? != **required.issuer {
            return Err(AuthenticationError::UnknownIssuer);
        }
        let sender = SenderConstraint::of(&self.claims);
        sender.check()?;
        let validity = Validity::from_claims(&self.claims)?;
        if let Some(tenant) = required.tenant {
            claims::check_tenant(&self.claims, tenant)?;
        }
        claims::check_required(&self.claims, required.required_claims)?;
        let subject = claims::subject(self.claims, Arc::clone(required.issuer), required.claims)?;
        validity.check_audience(required.accepted, &subject)?;
        validity.check_time(required.now, required.leeway)?;
        // Both the library and the checks above must be content.
        if !claims_are_accepted {
            return Err(AuthenticationError::MalformedToken);
        }
        Ok(Verified {
            subject: Arc::new(subject),
            key: key.thumbprint,
            algorithm: self.algorithm,
            sender,
            validity,
        })
    }
}

impl Verified {
    /// Checks again what depends on the moment, on the server and on the sender.
    pub(super) fn check(
        &self,
        accepted: Accepted<'_>,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<(), AuthenticationError> {
        self.sender.check()?;
        self.validity.check_audience(accepted, &self.subject)?;
        self.validity.check_time(now, leeway)
    }

    /// `exp`.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.validity.expires_at
    }
}

/// The one place that says what `jsonwebtoken` checks: signature, algorithm, presence of `exp`, and
/// `iss` and `aud` where they are there; this file says where they need not be. It would take the
/// time from the system clock, so `exp` and `nbf` are left to [`Validity::check_time`].
fn validation(
    algorithm: SignatureAlgorithm,
    claims: &Value<'_>,
    required: Requirements<'_>,
) -> Validation {
    let algorithm = match algorithm {
        SignatureAlgorithm::Rs256 => Algorithm::RS256,
        SignatureAlgorithm::Rs384 => Algorithm::RS384,
        SignatureAlgorithm::Rs512 => Algorithm::RS512,
        SignatureAlgorithm::Ps256 => Algorithm::PS256,
        SignatureAlgorithm::Ps384 => Algorithm::PS384,
        SignatureAlgorithm::Ps512 => Algorithm::PS512,
        SignatureAlgorithm::Es256 => Algorithm::ES256,
        SignatureAlgorithm::Es384 => Algorithm::ES384,
        SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
    };
    let mut validation = Validation::new(algorithm);
    let is_null = |name: &str| matches!(claims.member(name), None | Some(Value::Null));
    let is_there = |name: &&str| *name == "exp" || !is_null(name);
    validation.required_spec_claims = ["iss", "aud", "exp"]
        .into_iter()
        .filter(is_there)
        .map(str::to_owned)
        .collect();
    validation.leeway = required.leeway.as_secs();
    validation.reject_tokens_expiring_in_less_than = 0;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = true;
    validation.aud = Some(required.accepted.audience.iter().cloned().collect());
    validation.iss = Some(HashSet::from([required.issuer.to_string()]));
    validation.sub = None;
    validation.algorithms = vec![algorithm];
    validation
}

/// Passes faults that the library finds after the signature: the checks of this file say which
/// claim it was.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is not exhaustive"
)]
fn is_refused_for_its_claims(
    error: &jsonwebtoken::errors::Error,
) -> Result<(), AuthenticationError> {
    match error.kind() {
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidIssuer
        | ErrorKind::InvalidAudience => Ok(()),
        ErrorKind::InvalidAlgorithm => Err(AuthenticationError::AlgorithmNotAllowed),
        ErrorKind::InvalidSignature => Err(AuthenticationError::InvalidSignature),
        _ => Err(AuthenticationError::MalformedToken),
    }
}

/// A part of the token as a JSON object.
fn object(part: &str, json_depth_max: usize) -> Result<Value<'static>, AuthenticationError> {
    let text = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| AuthenticationError::MalformedToken)?;
    match json::decode(&text, json_depth_max) {
        Ok(object @ Value::Map(_)) => Ok(object),
        Ok(_) | Err(InvalidJson::Syntax | InvalidJson::TooDeep) => {
            Err(AuthenticationError::MalformedToken)
        }
        Err(InvalidJson::DuplicateKey) => Err(AuthenticationError::DuplicateMember),
    }
}

/// The algorithm and key id of an acceptable header.
fn check_header(
    header: &Value<'_>,
) -> Result<(SignatureAlgorithm, Option<String>), AuthenticationError> {
    // Presence is enough: `crit` must not even be empty (RFC 7515 §4.1.11).
    if header.member("crit").is_some() {
        return Err(AuthenticationError::CriticalHeader);
    }
    if ["jwk", "jku", "x5u"]
        .iter()
        .any(|name| header.member(name).is_some())
    {
        return Err(AuthenticationError::EmbeddedKey);
    }
    if let Some(kind) = header.member("typ") {
        let kind = kind.as_str().ok_or(AuthenticationError::MalformedToken)?;
        if !is_access_token(kind) {
            return Err(AuthenticationError::TokenType);
        }
    }
    let algorithm = header
        .member("alg")
        .and_then(Value::as_str)
        .ok_or(AuthenticationError::MalformedToken)?;
    let algorithm =
        SignatureAlgorithm::from_name(algorithm).ok_or(AuthenticationError::AlgorithmNotAllowed)?;
    let key_id = match header.member("kid") {
        None => None,
        Some(id) => Some(
            id.as_str()
                .ok_or(AuthenticationError::MalformedToken)?
                .to_owned(),
        ),
    };
    Ok((algorithm, key_id))
}

/// RFC 9068 §2.1 and the older habit; `application/` may be left out, case does not matter
/// (RFC 7515 §4.1.9).
fn is_access_token(kind: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}
