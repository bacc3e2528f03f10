//! Everything a decision depends on but what is asked for: who calls which server, from where,
//! when.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::policies::Policies;
use super::purpose::PurposeSettings;
use super::request::HttpRequest;
use super::server::{Face, Server};
use crate::authn::{FoundPeer, Peers, device_posture};
use crate::authz::{Policy, Subject, Value};
use crate::catalog::Catalog;
use crate::geoip::Countries;
use crate::mcp::Header;
use crate::upstream;

pub(super) type VisibleHeaders<'r> = Vec<(Cow<'r, str>, Cow<'r, str>)>;

/// Everything a decision depends on but what is asked for.
pub(super) struct RequestContext<'c> {
    pub(super) request: &'c HttpRequest<'c>,
    pub(super) server: &'c Arc<Server>,
    pub(super) face: &'c Face,
    pub(super) subject: &'c Arc<Subject>,
    /// The authority, in lower case.
    pub(super) host: &'c str,
    pub(super) headers: &'c VisibleHeaders<'c>,
    pub(super) catalog: &'c Catalog,
    pub(super) purpose: &'c PurposeSettings,
    pub(super) country: Option<&'c str>,
    pub(super) device: Option<&'c Value<'static>>,
    pub(super) peer: &'c FoundPeer,
    pub(super) now: Timestamp,
    pub(super) decision_id: Uuid,
}

/// The country of the source, where a rule asks for it.
pub(super) fn country(
    countries: Option<&Countries>,
    request: &HttpRequest<'_>,
    policies: Policies<'_>,
) -> Option<String> {
    let is_asked_for = policies.each().any(Policy::has_countries);
    countries?.country(request.source.filter(|_| is_asked_for)?)
}

/// The TLS peer. Verifying a certificate costs something, so without a rule that asks the peer
/// stays unknown.
pub(super) fn peer(
    peers: &Peers,
    request: &HttpRequest<'_>,
    policies: Policies<'_>,
    now: Timestamp,
) -> FoundPeer {
    let (principal, certificate) = (request.principal, request.certificate);
    let is_there = principal.is_some() || certificate.is_some();
    if is_there && !policies.each().any(Policy::has_peers) {
        return FoundPeer::Unknown;
    }
    peers.find(principal, certificate, now)
}

/// The posture of the device, by the token or by a trusted proxy. Where both state it, or one
/// states it twice, neither can be relied on.
pub(super) fn device<'a>(
    header: Option<&str>,
    request: &HttpRequest<'_>,
    subject: &'a Subject,
) -> Option<Cow<'a, Value<'static>>> {
    let mut said = header.into_iter().flat_map(|name| request.header(name));
    match (subject.device.as_ref(), said.next(), said.next()) {
        (claim, None, _) => claim.map(Cow::Borrowed),
        (None, Some(text), None) => device_posture(text).map(Cow::Owned),
        (_, Some(_), _) => None,
    }
}

/// Headers as a policy may see them: without credentials and without what only this service
/// writes, repeated ones joined (RFC 9110 §5.2). Those that are corrected are as the upstream gets
/// them.
pub(super) fn visible_headers<'r>(
    request: &'r HttpRequest<'_>,
    server: &Server,
    corrections: &[(Header, Option<&'r str>)],
) -> VisibleHeaders<'r> {
    const HIDDEN: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "dpop"];
    let token = server.settings.token.header.as_deref();
    let has_token = |name: &str| token.is_some_and(|token| upstream::reads_as(name, token));
    let is_corrected = |name: &str| {
        corrections
            .iter()
            .any(|(header, _)| header.as_str() == name)
    };
    let mut visible: VisibleHeaders<'_> = Vec::with_capacity(request.headers.len());
    for (header, value) in corrections {
        if let Some(value) = value {
            visible.push((Cow::Borrowed(header.as_str()), Cow::Borrowed(value)));
        }
    }
    for (name, value) in &request.headers {
        if has_token(name) {
            continue;
        }
        if HIDDEN.contains(&&**name) || name.starts_with(upstream::OWN_PREFIX) {
            continue;
        }
        if !corrections.is_empty() && is_corrected(name) {
            continue;
        }
        match visible.iter_mut().find(|(other, _)| other == name) {
            // Copies of one value are one to whoever compares it with the argument.
            Some((_, joined)) if joined == value && name.starts_with("mcp-param-") => {}
            Some((_, joined)) => {
                let joined = joined.to_mut();
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => visible.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
    }
    visible
}
