//! Which `typ` (RFC 7515 §4.1.9) the access tokens of an issuer have.

/// The types of an issuer's access tokens, as they are configured. Compared without regard to case
/// and to `application/`, which may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTypes(Vec<String>);

/// Stands for a header without `typ`.
pub const NO_TYPE: &str = "none";

/// The types unless an issuer has others: RFC 9068 §2.1, RFC 7519 §5.1, RFC 7515 §4.1.9.
const USUAL: [&str; 4] = ["at+jwt", "JWT", "JOSE", NO_TYPE];

/// The types of tokens that are meant for something else and are signed by the same issuers: a text
/// that is made for one purpose must not serve another (RFC 8725 §3.11).
const OTHERS: [&str; 14] = [
    "dpop+jwt",
    "logout+jwt",
    "secevent+jwt",
    "id_token+jwt",
    "id+jwt",
    "oauth-authz-req+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "client-authentication+jwt",
    "token-introspection+jwt",
    "kb+jwt",
    "rt+jwt",
    "JOSE+JSON",
    "JWE",
];

/// A type that no access token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenType {
    /// It is empty or has a character that no media type has.
    #[error("not a media type")]
    Shape,
    /// It is the type of another kind of token.
    #[error("the type of tokens that are no access tokens")]
    Other,
}

impl TokenTypes {
    /// The types of a list.
    #[must_use]
    pub fn new(types: Vec<String>) -> Self {
        TokenTypes(types)
    }

    /// Whether a type may be configured.
    ///
    /// # Errors
    /// [`InvalidTokenType`].
    pub fn check(kind: &str) -> Result<(), InvalidTokenType> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&byte);
        if kind.is_empty() || !kind.bytes().all(plain) {
            return Err(InvalidTokenType::Shape);
        }
        if OTHERS.iter().any(|other| is_same(other, kind)) {
            return Err(InvalidTokenType::Other);
        }
        Ok(())
    }

    /// The types as they are configured.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether a token with this `typ`, or without one, may be an access token.
    pub(super) fn has(&self, kind: Option<&str>) -> bool {
        match kind {
            None => self.0.iter().any(|own| is_none(own)),
            Some(kind) => self.0.iter().any(|own| !is_none(own) && is_same(own, kind)),
        }
    }
}

impl Default for TokenTypes {
    fn default() -> Self {
        TokenTypes(USUAL.map(str::to_owned).to_vec())
    }
}

/// Whether an entry stands for a header without `typ`, in any case as the others.
fn is_none(kind: &str) -> bool {
    kind.eq_ignore_ascii_case(NO_TYPE)
}

fn is_same(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

/// A type without `application/`. It may be left out where no other `/` is in the type.
fn bare(kind: &str) -> &str {
    const PREFIX: &str = "application/";
    match kind.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => {
            let rest = kind.get(PREFIX.len()..).unwrap_or_default();
            if rest.contains('/') { kind } else { rest }
        }
        Some(_) | None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_compared_without_case_and_prefix() {
        let usual = TokenTypes::default();
        let only = TokenTypes::new(vec!["application/at+JWT".to_owned()]);
        let untyped = TokenTypes::new(vec!["None".to_owned()]);
        assert!(untyped.has(None) && !untyped.has(Some("none")) && !untyped.has(Some("None")));
        let rows = [
            (None, true, false),
            (Some("JWT"), true, false),
            (Some("jwt"), true, false),
            (Some("application/jwt"), true, false),
            (Some("JOSE"), true, false),
            (Some("at+jwt"), true, true),
            (Some("AT+JWT"), true, true),
            (Some("Application/at+jwt"), true, true),
            (Some("application/application/at+jwt"), false, false),
            (Some("none"), false, false),
            (Some(""), false, false),
            (Some("JOSE+JSON"), false, false),
            (Some("dpop+jwt"), false, false),
            (Some("logout+jwt"), false, false),
            (Some("text/at+jwt"), false, false),
            (Some("at+jwt "), false, false),
        ];
        for (kind, by_default, by_one) in rows {
            assert_eq!(usual.has(kind), by_default, "{kind:?}");
            assert_eq!(only.has(kind), by_one, "{kind:?}");
        }
    }

    #[test]
    fn types_of_other_tokens_cannot_be_configured() {
        for kind in USUAL.into_iter().chain(["okta-internal-at+jwt", "x.y"]) {
            assert_eq!(TokenTypes::check(kind), Ok(()), "{kind}");
        }
        for kind in OTHERS.into_iter().chain(["Application/DPoP+jwt"]) {
            let other = Err(InvalidTokenType::Other);
            assert_eq!(TokenTypes::check(kind), other, "{kind}");
        }
        for kind in ["", "a b", "ä", "a;b=c"] {
            let shape = Err(InvalidTokenType::Shape);
            assert_eq!(TokenTypes::check(kind), shape, "{kind}");
        }
    }
}
