//! Who may command, and in what form.
//!
//! The endpoint has no credentials: whoever is on this host and reaches its port is an operator. So
//! commands come from this host alone, while probes and metrics may be read from elsewhere. A
//! browser on this host runs scripts of strangers, and a proxy on it passes on requests of
//! strangers; what either sends is refused.

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};

/// Why a command is refused before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Another host asks.
    #[error("commands are taken from this host alone; ask over loopback")]
    OtherHost,
    /// A browser asks, perhaps for a page that an operator has open.
    #[error("commands are not taken from browsers")]
    Browser,
    /// A proxy asks for somebody else.
    #[error("commands are not taken through proxies")]
    Proxy,
    /// A name that is not this host's: it may have been made to lead here.
    #[error("the host has to be `localhost` or a loopback address")]
    OtherName,
    /// The body is of another type, or of none.
    #[error("the content type has to be `application/json`")]
    NotJson,
}

impl Unfit {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Unfit::OtherHost | Unfit::Browser | Unfit::Proxy | Unfit::OtherName => {
                StatusCode::FORBIDDEN
            }
            Unfit::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// Headers that browsers set and scripts cannot leave out.
const OF_BROWSERS: [&str; 6] = [
    "origin",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
];

/// Headers that proxies add.
const OF_PROXIES: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Checks who asks for a command, and how.
pub(super) fn check(peer: SocketAddr, request: &Parts) -> Result<(), Unfit> {
    let headers = &request.headers;
    let has_any = |names: [&str; 6]| names.iter().any(|name| headers.contains_key(*name));
    if !is_loopback(peer.ip()) {
        return Err(Unfit::OtherHost);
    }
    if has_any(OF_BROWSERS) {
        return Err(Unfit::Browser);
    }
    if has_any(OF_PROXIES) {
        return Err(Unfit::Proxy);
    }
    if !is_for_loopback(request) {
        return Err(Unfit::OtherName);
    }
    if !is_json(headers) {
        return Err(Unfit::NotJson);
    }
    Ok(())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether every name of a host in the request is of loopback, and there is one. A page whose name
/// was made to resolve to this host has its own name there.
fn is_for_loopback(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let host = Authority::try_from(host.as_bytes());
    let of_uri = request.uri.authority();
    host.is_ok_and(|host| names_loopback(&host)) && of_uri.is_none_or(names_loopback)
}

fn names_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address: Result<IpAddr, _> = inner.unwrap_or(host).parse();
    let is_named = host.eq_ignore_ascii_case("localhost") || address.is_ok_and(is_loopback);
    is_named && !authority.as_str().contains('@')
}

/// Whether the body is said to be JSON. A form of a page can be of three other types only.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim();
    kind.trim().eq_ignore_ascii_case("application/json")
        && (parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const HERE: &str = "127.0.0.1:40000";

    fn found(peer: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Unfit> {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(peer.parse().unwrap(), &parts)
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn this_host_commands_and_no_other() {
        let asked = |peer| found(peer, "/clear", &[("host", "localhost:9002"), JSON]);
        for peer in [HERE, "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(asked(peer), Ok(()), "{peer}");
        }
        for peer in [
            "10.0.0.1:1",
            "[fe80::1]:1",
            "[::ffff:10.0.0.1]:1",
            "0.0.0.0:1",
        ] {
            assert_eq!(asked(peer), Err(Unfit::OtherHost), "{peer}");
        }
    }

    #[test]
    fn names_that_anybody_can_lead_here_are_refused() {
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1:9002",
            "127.1.2.3",
            "[::1]:9002",
            "[::1]",
        ] {
            assert_eq!(
                found(HERE, "/clear", &[("host", host), JSON]),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "localhost.",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "a@localhost",
            "localhost@evil.test",
            "",
            "local host",
        ] {
            let asked = found(HERE, "/clear", &[("host", host), JSON]);
            assert_eq!(asked, Err(Unfit::OtherName), "{host}");
        }
        let twice = [("host", "localhost"), ("host", "evil.test"), JSON];
        assert_eq!(found(HERE, "/clear", &twice), Err(Unfit::OtherName));
        assert_eq!(found(HERE, "/clear", &[JSON]), Err(Unfit::OtherName));
        let other = found(
            HERE,
            "http://evil.test/clear",
            &[("host", "localhost"), JSON],
        );
        assert_eq!(other, Err(Unfit::OtherName));
    }

    #[test]
    fn browsers_and_proxies_are_refused() {
        for name in OF_BROWSERS {
            for value in ["http://localhost:9002", "null", "same-origin", ""] {
                let asked = found(
                    HERE,
                    "/clear",
                    &[("host", "localhost"), JSON, (name, value)],
                );
                assert_eq!(asked, Err(Unfit::Browser), "{name}: {value}");
            }
        }
        for name in OF_PROXIES {
            let asked = found(
                HERE,
                "/clear",
                &[("host", "localhost"), JSON, (name, "127.0.0.1")],
            );
            assert_eq!(asked, Err(Unfit::Proxy), "{name}");
        }
    }

    #[test]
    fn only_json_is_read() {
        let of = |kinds: &[&'static str]| {
            let mut headers = vec![("host", "localhost")];
            headers.extend(kinds.iter().map(|kind| ("content-type", *kind)));
            found(HERE, "/clear", &headers)
        };
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
        ] {
            assert_eq!(of(&[good]), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "text/plain; application/json",
            "application/jsonp",
            "application/json; charset=utf-16",
            "",
        ] {
            assert_eq!(of(&[bad]), Err(Unfit::NotJson), "{bad}");
        }
        assert_eq!(of(&[]), Err(Unfit::NotJson));
        let both = of(&["application/json", "text/plain"]);
        assert_eq!(both, Err(Unfit::NotJson));
    }
}
