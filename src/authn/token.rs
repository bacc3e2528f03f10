//! A compact JWS (RFC 7515 §7.1) to a verified token.
//!
//! Pure: keys, time and settings are arguments. Three stages: raw text, decoded but
//! [`Unverified`], and [`Verified`], which only [`Unverified::verify`] makes. What the header says is
//! read in [`super::token_header`], what the claims say in [`super::claims`]; the signature is
//! verified by aws-lc-rs, as `keys/public_key.rs` asks it to.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::claim_settings::{ClaimSettings, RequiredClaim};
use super::claims::{self, Accepted, Validity};
use super::error::TokenPart;
use super::failure::TokenEvidence;
use super::keys::{Thumbprint, VerificationKey};
use super::sender::SenderConstraint;
use super::token_header::TokenHeader;
use super::{AuthenticationError, Claim, SignatureAlgorithm, spiffe};
use crate::authz::{Subject, Value};
use crate::json::{self, InvalidJson};

/// A decoded token about which nothing is proved. What it says serves only to choose the keys.
pub(super) struct Unverified<'t> {
    /// What is signed.
    message: &'t str,
    signature: Vec<u8>,
    header: TokenHeader,
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
    /// Its id.
    pub(super) key_id: Option<Arc<str>>,
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
    /// The trust domain of the issuer's workloads, if its tokens are of workloads alone.
    pub(super) workloads: Option<&'r str>,
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
            return Err(match raw.split('.').count() {
                5 => AuthenticationError::EncryptedToken,
                _ => AuthenticationError::OpaqueToken,
            });
        };
        if !is_json(header) {
            return Err(AuthenticationError::OpaqueToken);
        }
        let header = object(header, json_depth_max, TokenPart::Header)?;
        let header = TokenHeader::read(&header)?;
        let claims = object(payload, json_depth_max, TokenPart::Claims)?;
        let (message, _) = raw.rsplit_once('.').unwrap_or_default();
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| AuthenticationError::MalformedPart(TokenPart::Signature))?;
        Ok(Self {
            message,
            signature,
            header,
            claims,
        })
    }

    /// `iss`; of a JWT-SVID without one, the trust domain of its `sub`.
    pub(super) fn issuer(&self) -> Result<&str, AuthenticationError> {
        match self.claims.member("iss") {
            None | Some(Value::Null) => {
                let workload = self.claims.member("sub").and_then(Value::as_str);
                workload
                    .and_then(spiffe::trust_domain)
                    .ok_or(AuthenticationError::ClaimMissing(Claim::Issuer))
            }
            Some(issuer) => issuer
                .as_str()
                .ok_or(AuthenticationError::ClaimInvalid(Claim::Issuer)),
        }
    }

    /// Its header.
    pub(super) fn header(&self) -> &TokenHeader {
        &self.header
    }

    /// What it says of itself, which nobody has proved.
    pub(super) fn evidence(&self) -> TokenEvidence {
        TokenEvidence {
            issuer: self.issuer().ok().map(Arc::from),
            key_id: self.header.key_id.as_deref().map(Arc::from),
            ..TokenEvidence::default()
        }
    }

    /// Verifies the signature with the first of `keys` that fits it, then the claims. Once the
    /// signature is verified, the evidence has what the token says.
    ///
    /// INVARIANT: `keys` are of the required issuer and for this token's algorithm.
    pub(super) fn verify(
        self,
        keys: &[Arc<VerificationKey>],
        required: Requirements<'_>,
        evidence: &mut TokenEvidence,
    ) -> Result<Verified, AuthenticationError> {
        let algorithm = self.header.algorithm;
        let message = self.message.as_bytes();
        let key = keys
            .iter()
            .find(|key| key.verifies(algorithm, message, &self.signature))
            .ok_or(AuthenticationError::InvalidSignature)?;
        if self.issuer()? != &**required.issuer {
            return Err(AuthenticationError::UnknownIssuer);
        }
        evidence.is_verified = true;
        evidence.issuer = Some(Arc::clone(required.issuer));
        evidence.key_id.clone_from(&key.id);
        check_workload(&self.claims, required.workloads, key)?;
        let sender = SenderConstraint::of(&self.claims);
        sender.check()?;
        let validity = Validity::from_claims(&self.claims)?;
        let subject = claims::subject(self.claims, Arc::clone(required.issuer), required.claims)?;
        evidence.subject = Some(Arc::clone(&subject.id));
        validity.tell(evidence);
        if let Some(tenant) = required.tenant {
            claims::check_tenant(&subject.claims, tenant)?;
        }
        claims::check_required(&subject.claims, required.required_claims)?;
        validity.check_audience(required.accepted, &subject)?;
        validity.check_time(required.now, required.leeway)?;
        Ok(Verified {
            subject: Arc::new(subject),
            key: key.thumbprint,
            key_id: key.id.clone(),
            algorithm,
            sender,
            validity,
        })
    }
}

/// A trust domain has no workloads of another, and a key of a SPIFFE bundle verifies tokens of the
/// workloads of its own trust domain alone (SPIFFE, JWT-SVID, §4).
fn check_workload(
    claims: &Value<'_>,
    workloads: Option<&str>,
    key: &VerificationKey,
) -> Result<(), AuthenticationError> {
    if workloads.is_none() && !key.is_for_svids {
        return Ok(());
    }
    let workload = claims.member("sub").and_then(Value::as_str);
    match workload.and_then(spiffe::trust_domain) {
        Some(domain) if workloads == Some(domain) => Ok(()),
        Some(_) | None => Err(AuthenticationError::ClaimInvalid(Claim::Workload)),
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

    /// What it says of itself.
    pub(super) fn evidence(&self) -> TokenEvidence {
        let mut evidence = TokenEvidence {
            is_verified: true,
            issuer: Some(Arc::clone(&self.subject.issuer)),
            subject: Some(Arc::clone(&self.subject.id)),
            key_id: self.key_id.clone(),
            ..TokenEvidence::default()
        };
        self.validity.tell(&mut evidence);
        evidence
    }
}

/// Whether a text begins as the header of a JWS does. Some opaque tokens have as many dots.
fn is_json(part: &str) -> bool {
    let text = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let first = text.trim_ascii_start().first();
    first.is_some_and(|first| matches!(first, b'{' | b'['))
}

/// A part of the token as a JSON object.
fn object(
    part: &str,
    json_depth_max: usize,
    of: TokenPart,
) -> Result<Value<'static>, AuthenticationError> {
    let malformed = AuthenticationError::MalformedPart(of);
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed)?;
    match json::decode(&text, json_depth_max) {
        Ok(object @ Value::Map(_)) => Ok(object),
        Ok(_) | Err(InvalidJson::Syntax | InvalidJson::TooDeep) => Err(malformed),
        Err(InvalidJson::DuplicateKey) => Err(AuthenticationError::DuplicateMember(of)),
    }
}
