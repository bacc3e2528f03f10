//! Which hosts a server is at: names, with or without a port, and wildcards of one label, as in
//! TLS certificates (RFC 9525 §6.3).

use std::net::Ipv6Addr;

/// The longest name of a host, in bytes (RFC 1035 §2.3.4), with a dot at the end.
const NAME_BYTES_MAX: usize = 254;
/// The longest name of a host without one, and a port.
const HOST_BYTES_MAX: usize = 253 + ":65535".len();
/// The longest label of a name, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// What a wildcard begins with.
const WILDCARD: &str = "*.";

/// How a host is among those of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostMatch<'a> {
    /// Whether it is named, and not only covered by a wildcard.
    pub(super) is_exact: bool,
    /// The host as far as the configuration vouches for it: with its port only if that has to
    /// match.
    pub(super) authority: &'a str,
}

/// Whether a host is the one that an entry of the configuration means.
type HostTest = fn(&str, &str) -> bool;

/// How `asked`, an authority in lower case, is among `hosts`.
pub(super) fn find<'a>(hosts: &[String], asked: &'a str) -> Option<HostMatch<'a>> {
    let forms = [asked, without_port(asked)];
    let tests: [(bool, HostTest); 2] = [(true, is_named), (false, is_below)];
    let mut ways = tests
        .into_iter()
        .flat_map(|(is_exact, test)| forms.map(|authority| (is_exact, test, authority)));
    ways.find_map(|(is_exact, test, authority)| {
        let is_own = hosts.iter().any(|own| test(own, authority));
        is_own.then_some(HostMatch {
            is_exact,
            authority,
        })
    })
}

/// Whether a host, in lower case, is among those of a server.
#[must_use]
pub fn is_host_of(hosts: &[String], host: &str) -> bool {
    find(hosts, host).is_some()
}

/// Whether a host is the one that is named. A wildcard is no name.
fn is_named(own: &str, host: &str) -> bool {
    own == host && !is_wildcard(own)
}

/// Whether a host has exactly one label more than a wildcard.
fn is_below(wildcard: &str, host: &str) -> bool {
    let parent = wildcard.strip_prefix(WILDCARD);
    let label = parent.and_then(|parent| host.strip_suffix(parent)?.strip_suffix('.'));
    host.len() <= HOST_BYTES_MAX && label.is_some_and(is_label)
}

/// Whether a text is a label of a host's name (RFC 1123 §2.1), in lower case.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a host, in lower case, has a wildcard in it.
#[must_use]
pub fn is_wildcard(host: &str) -> bool {
    host.contains('*')
}

/// Whether a host with a wildcard in it, in lower case, can match: `*.` before a name of two labels
/// or more, which is no address.
#[must_use]
pub fn is_valid_wildcard(host: &str) -> bool {
    let parent = without_port(host).strip_prefix(WILDCARD);
    has_valid_port(host)
        && parent.is_some_and(|parent| {
            let mut labels = parent.split('.');
            let is_name = labels.next_back().is_some_and(|last| {
                is_label(last) && last.starts_with(|c: char| c.is_ascii_lowercase())
            });
            let mut others = labels.peekable();
            is_name && others.peek().is_some() && others.all(is_label)
        })
}

/// Whether a host without a wildcard, in lower case, can be asked for: a name or an address, with a
/// port or without (RFC 3986 §3.2). Names may have `_`, which some networks give them, and a dot at
/// the end.
#[must_use]
pub fn is_valid_host(host: &str) -> bool {
    let bare = without_port(host);
    has_valid_port(host) && (is_bracketed_address(bare) || is_name(bare))
}

/// Whether an authority has no port, or one that a connection can have.
fn has_valid_port(host: &str) -> bool {
    let rest = host.strip_prefix(without_port(host)).unwrap_or_default();
    let is_number = |port: &str| !port.starts_with('0') && port.parse::<u16>().is_ok();
    rest.is_empty() || rest.strip_prefix(':').is_some_and(is_number)
}

fn is_bracketed_address(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
    name.len() <= NAME_BYTES_MAX
        && labels
            .all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(plain))
}

/// Whether an authority has a port.
pub(super) fn has_port(host: &str) -> bool {
    without_port(host).len() < host.len()
}

/// An authority without its port (RFC 3986 §3.2.3); the colons of a bare IPv6 address are none.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((bare, port)) if !bare.contains(':') || bare.ends_with(']') => {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                bare
            } else {
                host
            }
        }
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let hosts = [
            "*.mcp.example.com",
            "named.mcp.example.com",
            "*.ported.test:8443",
        ];
        let hosts = hosts.map(str::to_owned);
        let long = format!("{}.mcp.example.com", "a".repeat(64));
        for (asked, expected) in [
            ("a.mcp.example.com", Some((false, "a.mcp.example.com"))),
            ("a.mcp.example.com:8443", Some((false, "a.mcp.example.com"))),
            (
                "xn--4ca.mcp.example.com",
                Some((false, "xn--4ca.mcp.example.com")),
            ),
            (
                "named.mcp.example.com:1",
                Some((true, "named.mcp.example.com")),
            ),
            ("a.ported.test:8443", Some((false, "a.ported.test:8443"))),
            ("a.ported.test:8444", None),
            ("a.ported.test", None),
            ("mcp.example.com", None),
            (".mcp.example.com", None),
            ("a.b.mcp.example.com", None),
            ("amcp.example.com", None),
            ("a.mcp.example.com.", None),
            ("*.mcp.example.com", None),
            ("a_b.mcp.example.com", None),
            ("-a.mcp.example.com", None),
            ("a-.mcp.example.com", None),
            ("a@evil.mcp.example.com", None),
            ("evil.test/.mcp.example.com", None),
            ("evil.test#.mcp.example.com", None),
            (long.as_str(), None),
        ] {
            let found = find(&hosts, asked).map(|found| (found.is_exact, found.authority));
            assert_eq!(found, expected, "{asked}");
        }
    }

    #[test]
    fn a_host_is_one_that_can_be_asked_for() {
        for host in [
            "mcp.example.com",
            "mcp.example.com.",
            "mcp.example.com:8443",
            "localhost",
            "my_server:80",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:65535",
            "xn--4ca.example",
        ] {
            assert!(is_valid_host(host), "{host}");
        }
        for host in [
            "",
            ".",
            ".example.com",
            "a..b",
            "a..",
            "a:b:c",
            "::1",
            "2001:db8::1",
            "[::1",
            "::1]",
            "[::1]a",
            "[a]",
            "[]",
            "[fe80::1%25eth0]",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+1",
            "a:b",
            ":80",
        ] {
            assert!(!is_valid_host(host), "{host}");
        }
    }

    #[test]
    fn a_wildcard_is_before_a_name_of_two_labels() {
        for host in [
            "*.example.com",
            "*.a.b.c",
            "*.example.com:8443",
            "*.1.a-b.c2",
        ] {
            assert!(is_valid_wildcard(host), "{host}");
        }
        for host in [
            "*",
            "*.",
            "*.com",
            "*.*.example.com",
            "a.*.example.com",
            "a*.example.com",
            "*a.example.com",
            "*.0.0.1",
            "*.a.0x1",
            "*.[::1]",
            "*.example.com.",
            "*..com",
            "*.example.com:",
            "*.example.com:x",
            "*.example.com:65536",
            "**.example.com",
        ] {
            assert!(is_wildcard(host), "{host}");
            assert!(!is_valid_wildcard(host), "{host}");
        }
    }
}
