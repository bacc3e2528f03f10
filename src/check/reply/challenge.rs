//! Replies that ask for credentials, or for more authority.

use std::sync::Arc;

use super::addressee::Addressee;
use super::body::{ReplyData, accepted, data, http_error};
use super::denial::{self, MissingScopes};
use super::scopes::NamedScopes;
use crate::authn::challenge::{self, StepUp};
use crate::authn::{AuthenticationError, AuthenticationFailure};
use crate::authz::{Challenge, Subject};
use crate::check::reason::Reason;
use crate::check::server::{Disclose, Face, Server};
use crate::check::verdict::LocalReply;

/// 401, or 400 where the request for authorization is itself malformed (RFC 6750 §3.1).
pub(in crate::check) fn unauthenticated(
    to: &Addressee<'_>,
    face: &Face,
    failure: &AuthenticationFailure,
) -> LocalReply {
    let reason = Reason::from(failure.error);
    let mut data = data(to, reason);
    // A client that logs in once more gets no further, and its user may read why.
    let told = challenge::told(failure);
    if failure.is_by_proxy && failure.error == AuthenticationError::MissingToken {
        data.message = Some(&told);
    }
    let mut reply = http_error(to, reason, &data);
    let challenge = face.challenges.unauthenticated(failure);
    reply.headers.push(("www-authenticate", challenge));
    reply
}

/// Whose authority is not enough, and where.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Challenged<'c> {
    /// The server.
    pub(in crate::check) server: &'c Server,
    /// What it is called at the host that was asked.
    pub(in crate::check) face: &'c Face,
    /// The caller.
    pub(in crate::check) subject: &'c Subject,
    /// What the caller must obtain.
    pub(in crate::check) challenge: &'c Challenge,
}

/// 403 where a scope is missing, else 401, with everything that is missing, all at once: the
/// clients that SDKs make step up by themselves only for a scope. A missing scope is told in the
/// result of the call instead where the server is configured so.
pub(in crate::check) fn challenged(to: &Addressee<'_>, by: Challenged<'_>) -> LocalReply {
    let Challenged {
        server,
        face,
        subject,
        challenge,
    } = by;
    if to.is_silent() {
        return accepted();
    }
    let reason = Reason::from(challenge);
    let settings = &server.settings;
    let scopes = NamedScopes::of(server, subject, challenge);
    let lacks_scope = reason == Reason::InsufficientScope;
    let in_result = settings.tells_scopes_in_results(subject.agent.as_deref());
    if lacks_scope && in_result && to.payload.is_some() {
        let missing = MissingScopes {
            challenge,
            asked: &scopes.asked,
            missing: &scopes.missing,
        };
        return denial::lacks_scopes(to, settings.deny, missing);
    }
    let mut data = ReplyData {
        scopes: &scopes.asked,
        acr_values: &challenge.acr_values,
        max_age: challenge.max_age.map(|age| age.as_secs()),
        ..data(to, reason)
    };
    if settings.deny.disclose == Disclose::Rule {
        data.rule = Some(&challenge.rule);
        data.message = challenge.message.as_deref();
    }
    let mut reply = http_error(to, reason, &data);
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let step_up = StepUp {
        lacks_scope,
        scopes: &scopes.asked,
        acr_values: &texts(&challenge.acr_values),
        max_age: challenge.max_age,
    };
    if let Ok(value) = face.challenges.step_up(&step_up) {
        reply.headers.push(("www-authenticate", value));
    }
    reply
}
