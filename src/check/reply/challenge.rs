//! Replies that ask for credentials, or for more authority.

use std::sync::Arc;

use super::addressee::Addressee;
use super::body::{ReplyData, accepted, data, http_error};
use crate::authn::AuthenticationFailure;
use crate::authn::challenge::StepUp;
use crate::authz::Challenge;
use crate::check::reason::Reason;
use crate::check::server::{Disclose, Server};
use crate::check::verdict::LocalReply;

/// 401, or 400 where the request for authorization is itself malformed (RFC 6750 §3.1).
pub(in crate::check) fn unauthenticated(
    to: &Addressee<'_>,
    server: &Server,
    failure: &AuthenticationFailure,
) -> LocalReply {
    let reason = Reason::from(failure.error);
    let mut reply = http_error(to, reason, &data(to, reason));
    let challenge = server.challenges.unauthenticated(failure);
    reply.headers.push(("www-authenticate", challenge));
    reply
}

/// 403 where a scope is missing, else 401, with everything that is missing, all at once: the
/// clients that SDKs make step up by themselves only for a scope.
pub(in crate::check) fn challenged(
    to: &Addressee<'_>,
    server: &Server,
    challenge: &Challenge,
    reason: Reason,
) -> LocalReply {
    if to.is_silent() {
        return accepted();
    }
    let mut data = ReplyData {
        scopes: &challenge.scopes,
        acr_values: &challenge.acr_values,
        max_age: challenge.max_age.map(|age| age.as_secs()),
        ..data(to, reason)
    };
    if server.settings.deny.disclose == Disclose::Rule {
        data.rule = Some(&challenge.rule);
        data.message = challenge.message.as_deref();
    }
    let mut reply = http_error(to, reason, &data);
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let step_up = StepUp {
        lacks_scope: reason == Reason::InsufficientScope,
        scopes: &texts(&challenge.scopes),
        acr_values: &texts(&challenge.acr_values),
        max_age: challenge.max_age,
    };
    if let Ok(value) = server.challenges.step_up(&step_up) {
        reply.headers.push(("www-authenticate", value));
    }
    reply
}
