//! SPIFFE: JWT-SVIDs name a workload in `sub` and need no `iss` (SPIFFE, JWT-SVID, §3).

/// The trust domain of a SPIFFE ID with a path, as `spiffe://DOMAIN` (SPIFFE ID, §2).
pub(super) fn trust_domain(id: &str) -> Option<&str> {
    let rest = id.strip_prefix(SCHEME)?;
    let (domain, path) = rest.split_once('/')?;
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_')
    };
    let is_one = !domain.is_empty() && domain.bytes().all(plain) && is_path(path);
    let end = SCHEME.len().checked_add(domain.len())?;
    id.get(..end).filter(|_| is_one)
}

/// Whether an issuer is a trust domain.
pub(super) fn is_trust_domain(issuer: &str) -> bool {
    issuer.starts_with(SCHEME)
}

const SCHEME: &str = "spiffe://";

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
        }
    }
}
