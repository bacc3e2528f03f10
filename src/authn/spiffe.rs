//! SPIFFE: JWT-SVIDs name a workload in `sub` and need no `iss` (SPIFFE, JWT-SVID, §3).

/// The scheme of SPIFFE IDs and trust domains.
pub(super) const SCHEME: &str = "spiffe://";

/// The trust domain of a SPIFFE ID with a path, as `spiffe://DOMAIN` (SPIFFE ID, §2).
pub(super) fn trust_domain(id: &str) -> Option<&str> {
    let rest = id.strip_prefix(SCHEME)?;
    let (domain, path) = rest.split_once('/')?;
    let end = SCHEME.len().checked_add(domain.len())?;
    id.get(..end).filter(|_| is_domain(domain) && is_path(path))
}

/// A trust domain as [`trust_domain`] writes it.
pub(super) fn uri(domain: &str) -> String {
    format!("{SCHEME}{domain}")
}

/// Whether an issuer is a trust domain, as [`trust_domain`] writes it.
pub(super) fn is_trust_domain(issuer: &str) -> bool {
    issuer.strip_prefix(SCHEME).is_some_and(is_domain)
}

fn is_domain(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_')
    };
    !text.is_empty() && text.bytes().all(plain)
}

/// Segments of letters, digits, `.`, `-` and `_`, none empty, `.` or `..`.
fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    path.split('/')
        .all(|one| !matches!(one, "" | "." | "..") && one.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_of_the_trust_domain_that_its_id_names() {
        let rows = [
            (
                "spiffe://example.org/ns/a/sa/b",
                Some("spiffe://example.org"),
            ),
            ("spiffe://a_b-1/w", Some("spiffe://a_b-1")),
            ("spiffe://example.org", None),
            ("spiffe://example.org/", None),
            ("spiffe://example.org//a", None),
            ("spiffe://example.org/a/", None),
            ("spiffe://example.org/../a", None),
            ("spiffe://example.org/a?b", None),
            ("spiffe://Example.org/a", None),
            ("spiffe://example.org:80/a", None),
            ("spiffe://u@example.org/a", None),
            ("spiffe:///a", None),
            ("SPIFFE://example.org/a", None),
            ("https://example.org/a", None),
            ("alice", None),
        ];
        for (id, expected) in rows {
            assert_eq!(trust_domain(id), expected, "{id}");
            assert!(!is_trust_domain(id) || id == "spiffe://example.org", "{id}");
            assert!(expected.is_none_or(is_trust_domain), "{id}");
        }
    }
}
