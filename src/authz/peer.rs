//! The TLS client of Envoy, and the names by which rules select it.

use std::sync::Arc;

use super::matching::Match;

/// The TLS peer of Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peer<'a> {
    /// It presented no certificate.
    #[default]
    Absent,
    /// It presented one, but its names are unknown.
    Unknown,
    /// Its names.
    Known(&'a PeerNames),
}

/// The names in the certificate of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerNames {
    /// URIs, such as SPIFFE ids, in the order of the certificate, without repeats.
    pub uris: Vec<Arc<str>>,
    /// DNS names, likewise.
    pub dns: Vec<Arc<str>>,
    /// The subject (RFC 2253), if the certificate has neither.
    pub subject: Option<Arc<str>>,
}

impl PeerNames {
    /// A peer with only one known name, of the kind that the name looks like.
    #[must_use]
    pub fn called(name: &str) -> Self {
        let mut names = PeerNames::default();
        match PeerForm::of(name) {
            PeerForm::Uri => names.uris.push(name.into()),
            PeerForm::Dns => names.dns.push(name.into()),
            PeerForm::Subject => names.subject = Some(name.into()),
        }
        names
    }

    /// The name that stands for the peer, if there is one: the URI, else the first DNS name, else
    /// the subject. Of several URIs none does, because a SPIFFE certificate must have exactly one;
    /// nor does a name that looks like one of another kind.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        let (form, name) = match (self.uris.as_slice(), self.dns.first(), &self.subject) {
            ([uri], _, _) => (PeerForm::Uri, uri),
            ([], Some(name), _) => (PeerForm::Dns, name),
            ([], None, Some(subject)) => (PeerForm::Subject, subject),
            ([], None, None) | ([_, _, ..], _, _) => return None,
        };
        (PeerForm::of(name) == form).then_some(name)
    }

    /// Whether the peer is one of the named peers. A name that looks like a URI is compared only
    /// with URIs. A certificate with several URIs stands for all of them; all must be named for it
    /// to match.
    fn is_any_of(&self, names: &[Arc<str>]) -> Match {
        let is_named = |uri: &Arc<str>| names.iter().any(|name| **name == **uri);
        let is_nearly_named =
            |uri: &Arc<str>| names.iter().any(|name| name.eq_ignore_ascii_case(uri));
        let mut uris = self
            .uris
            .iter()
            .filter(|uri| PeerForm::of(uri) == PeerForm::Uri)
            .peekable();
        let by_uri = if uris.peek().is_none() {
            Match::No
        } else if uris.clone().all(is_named) {
            Match::Yes
        } else if uris.any(is_nearly_named) {
            Match::Indeterminate
        } else {
            Match::No
        };
        let by_name = names.iter().any(|name| match PeerForm::of(name) {
            PeerForm::Uri => false,
            // DNS names are case-insensitive (RFC 4343).
            PeerForm::Dns => self.dns.iter().any(|own| own.eq_ignore_ascii_case(name)),
            PeerForm::Subject => self.subject.as_deref() == Some(&**name),
        });
        by_uri.or(Match::of(by_name))
    }
}

impl Peer<'_> {
    /// Whether the peer is one of the named peers.
    pub(super) fn is_any_of(self, names: &[Arc<str>]) -> Match {
        match self {
            Peer::Absent => Match::No,
            Peer::Unknown => Match::Indeterminate,
            Peer::Known(known) => known.is_any_of(names),
        }
    }
}

/// The kind of name that a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerForm {
    /// It has a scheme (RFC 3986 §3.1).
    Uri,
    Dns,
    /// It has an attribute.
    Subject,
}

impl PeerForm {
    fn of(name: &str) -> Self {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        if name
            .split_once(':')
            .is_some_and(|(scheme, _)| is_scheme(scheme))
        {
            PeerForm::Uri
        } else if name.contains('=') {
            PeerForm::Subject
        } else {
            PeerForm::Dns
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Match::{Indeterminate, No, Yes};

    fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    fn peer(uris: &[&str], dns: &[&str], subject: Option<&str>) -> PeerNames {
        PeerNames {
            uris: arcs(uris),
            dns: arcs(dns),
            subject: subject.map(Arc::from),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "rows")]
    fn each_kind_of_name_is_compared_with_its_own_kind() {
        let (gateway, other) = ("spiffe://acme/gateway", "spiffe://acme/other");
        for (peer, names, expected, principal) in [
            (
                peer(&[gateway], &[], None),
                &[gateway][..],
                Yes,
                Some(gateway),
            ),
            (
                peer(&[gateway], &[], None),
                &[other, gateway],
                Yes,
                Some(gateway),
            ),
            (peer(&[gateway], &[], None), &[other], No, Some(gateway)),
            (
                peer(&[gateway], &[], None),
                &["spiffe://acme/gateway/"],
                No,
                Some(gateway),
            ),
            (
                peer(&["SPIFFE://Acme/gateway"], &[], None),
                &[gateway],
                Indeterminate,
                Some("SPIFFE://Acme/gateway"),
            ),
            // A DNS name, a subject and a URI without a scheme, spelled like another kind.
            (peer(&[], &[gateway], None), &[gateway], No, None),
            (peer(&[], &[], Some(gateway)), &[gateway], No, None),
            (
                peer(&["gw.internal"], &[], None),
                &["gw.internal"],
                No,
                None,
            ),
            (
                peer(&[], &["urn:gateway"], None),
                &["urn:gateway"],
                No,
                None,
            ),
            (
                peer(&["urn:gateway"], &[], None),
                &["urn:gateway"],
                Yes,
                Some("urn:gateway"),
            ),
            (peer(&[], &["CN=gw"], None), &["CN=gw"], No, None),
            (
                peer(&[], &[], Some("gw.internal")),
                &["gw.internal"],
                No,
                None,
            ),
            // Several names.
            (
                peer(&[gateway, other], &[], None),
                &[gateway],
                Indeterminate,
                None,
            ),
            (
                peer(&[other, gateway], &[], None),
                &[gateway],
                Indeterminate,
                None,
            ),
            (
                peer(&[other, gateway], &[], None),
                &[gateway, other],
                Yes,
                None,
            ),
            (
                peer(&[other, "spiffe://acme/third"], &[], None),
                &[gateway],
                No,
                None,
            ),
            (
                peer(&[], &["a.internal", "b.internal"], None),
                &["b.internal"],
                Yes,
                Some("a.internal"),
            ),
            (
                peer(&[other], &["gw.internal"], None),
                &["gw.internal"],
                Yes,
                Some(other),
            ),
            (
                peer(&[], &["GW.Internal"], None),
                &["gw.internal"],
                Yes,
                Some("GW.Internal"),
            ),
            (
                peer(&[], &["*.internal"], None),
                &["gw.internal"],
                No,
                Some("*.internal"),
            ),
            (
                peer(&[], &[], Some("CN=gw,O=acme")),
                &["CN=gw,O=acme"],
                Yes,
                Some("CN=gw,O=acme"),
            ),
            (
                peer(&[], &[], Some("CN=gw,O=acme")),
                &["CN=gw"],
                No,
                Some("CN=gw,O=acme"),
            ),
            (
                peer(&[], &["gw.internal"], None),
                &["CN=gw.internal"],
                No,
                Some("gw.internal"),
            ),
            (peer(&[], &[], None), &[gateway, "CN=gw", "gw"], No, None),
        ] {
            let names = arcs(names);
            assert_eq!(
                Peer::Known(&peer).is_any_of(&names),
                expected,
                "{peer:?} {names:?}"
            );
            assert_eq!(peer.principal(), principal, "{peer:?}");
        }
        assert_eq!(Peer::Absent.is_any_of(&arcs(&[gateway])), No);
        assert_eq!(Peer::Unknown.is_any_of(&arcs(&[gateway])), Indeterminate);
    }

    #[test]
    fn a_peer_with_one_name_is_of_the_kind_that_it_looks_like() {
        for (name, expected) in [
            ("spiffe://a/b", peer(&["spiffe://a/b"], &[], None)),
            ("urn:a", peer(&["urn:a"], &[], None)),
            ("gw.internal", peer(&[], &["gw.internal"], None)),
            ("CN=gw:80,O=acme", peer(&[], &[], Some("CN=gw:80,O=acme"))),
        ] {
            assert_eq!(PeerNames::called(name), expected);
            assert_eq!(expected.principal(), Some(name));
        }
    }
}
