//! The HTTP request that a check is about, as the PEP describes it.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::byte_class;
use crate::telemetry::notices::Noticed;

/// One HTTP request as the PEP describes it. Produced by [`crate::envoy`].
#[derive(Debug, Clone, Default)]
pub struct HttpRequest<'m> {
    /// The method, as sent.
    pub method: &'m str,
    /// `:path`, undecoded, with its query.
    pub path: &'m str,
    /// `:authority`, as sent.
    pub host: &'m str,
    /// Every header in order, names in lower case, without pseudo-headers. Values that were not
    /// UTF-8 are kept lossily; repeated headers are kept apart where the PEP kept them apart.
    pub headers: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    /// The body as it was buffered.
    pub body: Body<'m>,
    /// Whether the PEP says that the body was cut: by a header (`x-envoy-auth-partial-body: true`),
    /// or by a size that is not known or more than arrived.
    pub truncated: bool,
    /// Whether two headers of one name are two entries; otherwise they may have been joined by a
    /// comma.
    pub repeats_kept_apart: bool,
    /// The TCP peer of Envoy, or the client address Envoy proved (`x-envoy-external-address`).
    pub source: Option<IpAddr>,
    /// What Envoy calls its TLS peer, verified or not.
    pub principal: Option<&'m str>,
    /// The certificate of that peer: PEM, URL-encoded.
    pub certificate: Option<&'m str>,
    /// Envoy's per-route context extensions, each name once.
    pub context: Vec<(&'m str, &'m str)>,
    /// A mistake of the PEP's that shows in how it describes the request.
    pub noticed: Option<Noticed>,
}

/// The body of a described request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body<'m> {
    /// No body was sent, or none was buffered.
    #[default]
    Absent,
    /// The bytes as sent.
    Bytes(&'m [u8]),
    /// A string in which lost bytes were replaced: by `!` (Envoy without `pack_as_bytes`), or by
    /// U+FFFD (others).
    Lossy(&'m [u8]),
}

impl HttpRequest<'_> {
    /// The path without its query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path
            .split_once('?')
            .map_or(self.path, |(path, _)| path)
    }

    /// The authority in lower case.
    #[must_use]
    pub fn host_folded(&self) -> Cow<'_, str> {
        if self.host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(self.host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(self.host)
        }
    }

    /// The values of every header of this name, which is in lower case.
    pub fn header<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.headers
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| &**value)
    }

    /// The name of every header, in lower case.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| &**name)
    }

    /// What the route's context says under a name.
    #[must_use]
    pub fn context(&self, name: &str) -> Option<&str> {
        let named = self.context.iter().find(|(other, _)| *other == name);
        named.map(|(_, value)| *value)
    }
}

/// Whether a path can be read in one way only. Servers and proxies differ about everything that
/// is refused here, and a path must not choose the rules.
#[must_use]
pub fn path_is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() & !matches!(byte, b'%' | b';' | b'\\' | b'#');
    let dots = |segment: &str| matches!(segment, "." | "..");
    path.starts_with('/')
        && byte_class::all(path.as_bytes(), b'/', plain)
        && !path.as_bytes().windows(2).any(|pair| pair == b"//")
        && !path.split('/').any(dots)
}
