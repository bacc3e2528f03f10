//! Tells operators why callers are not authenticated.
//!
//! Anyone can be refused as often as they like, so each cause is logged at most once in ten minutes
//! for each server. The audit has all of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::reason::Reason;
use crate::authn::{AuthenticationError, AuthenticationFailure, challenge};
use crate::telemetry::notices::Notices;

/// Logs a failed authentication, if it is time to. A request without a token is no news: it is how
/// clients find out where to log in. A token that a proxy was to send is.
pub(super) fn tell(
    notices: &Notices,
    server: &Arc<str>,
    failure: &AuthenticationFailure,
    now: Timestamp,
) {
    let is_usual = matches!(
        failure.error,
        AuthenticationError::MissingToken | AuthenticationError::KeysUnavailable
    );
    if is_usual && !(failure.is_by_proxy && failure.error == AuthenticationError::MissingToken) {
        return;
    }
    let reason = Reason::from(failure.error).code();
    let detail = failure.at_fault.as_deref().unwrap_or_default();
    if !notices.is_refusal_due(server, reason, detail, now) {
        return;
    }
    let told = failure.told().unwrap_or_default();
    // Before the signature is verified, anyone can have written it.
    let evidence = &failure.evidence;
    let issuer = evidence.issuer.as_deref().filter(|_| evidence.is_verified);
    tracing::info!(
        server = &**server,
        reason,
        detail = &*told,
        issuer,
        "a caller is not authenticated: {}",
        challenge::told(failure),
    );
}
