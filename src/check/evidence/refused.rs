//! What a record says of a caller who is not authenticated.
//!
//! What is at fault is told by names of this crate and of the configuration. What the token says of
//! itself is told too, because an operator cannot find the cause otherwise: under the names of verified
//! facts once the signature is verified, and apart from them before.

use std::borrow::Cow;

use crate::audit::{Record, Unverified};
use crate::authn::{AuthenticationError, AuthenticationFailure, TokenEvidence, challenge};
use crate::check::server::Face;

pub(super) fn describe(
    record: &mut Record,
    failure: &AuthenticationFailure,
    (face, host): (&Face, &str),
) {
    let name = failure.at_fault.as_deref();
    record.detail = match (failure.error, name) {
        (
            AuthenticationError::OpaqueToken
            | AuthenticationError::EncryptedToken
            | AuthenticationError::ForeignKey,
            Some(name),
        ) => {
            let text = challenge::description(failure.error);
            Some(format!("{name}: {text}"))
        }
        // Which are expected may follow the host.
        (AuthenticationError::AudienceMismatch, Some(name)) => {
            let host = Record::text(host, &mut record.is_cut);
            let expected = face.audience.accepted.join(", ");
            Some(format!("{name}: at host {host} expected is {expected}"))
        }
        _ => failure.told().map(Cow::into_owned),
    };
    let TokenEvidence {
        is_verified,
        issuer,
        subject,
        key_id,
        audience,
        expires_at: _,
        not_before: _,
        issued_at: _,
    } = &failure.evidence;
    let is_cut = &mut record.is_cut;
    if *is_verified {
        record.issuer.clone_from(issuer);
        record.subject.clone_from(subject);
        record.key_id = key_id.as_deref().map(|id| Record::shared(id, is_cut));
        if failure.error == AuthenticationError::AudienceMismatch {
            record.audience = audience
                .iter()
                .map(|one| Record::shared(one, is_cut))
                .collect();
        }
    } else if issuer.is_some() || key_id.is_some() {
        let mut kept = |text: &str| Record::text(text, is_cut);
        record.unverified = Some(Unverified {
            issuer: issuer.as_deref().map(&mut kept),
            key_id: key_id.as_deref().map(&mut kept),
        });
    }
}
