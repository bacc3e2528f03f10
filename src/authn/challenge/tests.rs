use super::*;

const URL: &str = "https://h/.well-known/oauth-protected-resource/mcp";

fn challenges(scopes: &[&str]) -> Challenges {
    Challenges::new(URL, &owned(scopes)).unwrap()
}

fn owned(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

#[test]
fn challenges_are_exactly_these() {
    let with = challenges(&["repo:read", "org:read"]);
    let without = challenges(&[]);
    let metadata = format!("resource_metadata=\"{URL}\"");
    let rows = [
        (
            with.unauthenticated(&failure(AuthenticationError::MissingToken, "authorization")),
            format!("Bearer scope=\"repo:read org:read\", {metadata}"),
        ),
        (
            without.unauthenticated(&failure(AuthenticationError::MissingToken, "authorization")),
            format!("Bearer {metadata}"),
        ),
        (
            without.unauthenticated(&AuthenticationFailure {
                is_by_proxy: true,
                ..failure(AuthenticationError::MissingToken, "x-assertion")
            }),
            format!("Bearer {metadata}"),
        ),
        (
            with.unauthenticated(&failure(AuthenticationError::TokenExpired, "exp")),
            format!(
                "Bearer error=\"invalid_token\", scope=\"repo:read org:read\", {metadata}, \
                 error_description=\"The token has expired (exp).\""
            ),
        ),
        (
            without.unauthenticated(&failure(
                AuthenticationError::RepeatedCredentials,
                "authorization",
            )),
            format!(
                "Bearer error=\"invalid_request\", {metadata}, \
                 error_description=\"The request has more than one credential (authorization).\""
            ),
        ),
        (
            with.insufficient_scope(&owned(&["repo:write", "org:read"]))
                .unwrap(),
            format!(
                "Bearer error=\"insufficient_scope\", scope=\"repo:write org:read\", \
                 {metadata}, error_description=\"The operation needs further scopes.\""
            ),
        ),
    ];
    for (challenge, expected) in rows {
        assert_eq!(challenge, expected);
    }
}

/// A name of the configuration may have any characters, and only some can be in a challenge.
#[test]
fn only_a_name_that_parsers_read_alike_is_told() {
    let error = AuthenticationError::ClaimInvalid(crate::authn::Claim::Required(0));
    let rows = [
        ("realm_access.roles", " (realm_access.roles)"),
        (
            "urn:zitadel:iam:org:project:roles",
            " (urn:zitadel:iam:org:project:roles)",
        ),
        ("client_id/azp", " (client_id/azp)"),
        ("a b", ""),
        ("a\"", ""),
        ("a\\", ""),
        ("x?scope=a", ""),
        ("ä", ""),
        ("", ""),
    ];
    for (name, expected) in rows {
        let told = told(&failure(error, name));
        assert_eq!(
            told,
            format!("A claim of the token is not valid{expected}.")
        );
    }
}

fn failure(error: AuthenticationError, at_fault: &str) -> AuthenticationFailure {
    AuthenticationFailure {
        error,
        at_fault: Some(at_fault.to_owned().into()),
        expected: None,
        is_by_proxy: false,
        evidence: crate::authn::TokenEvidence::default(),
    }
}

#[test]
fn insufficient_scope_names_at_least_one_valid_scope() {
    let challenges = challenges(&[]);
    assert_eq!(
        challenges.insufficient_scope(&[]),
        Err(InvalidChallenge::NoScope)
    );
    assert_eq!(
        challenges.insufficient_scope(&owned(&["a", "b c"])),
        Err(InvalidChallenge::Scope("b c".into()))
    );
}

#[test]
fn values_that_parsers_misread_are_refused() {
    let bad = [
        "",
        "a b",
        "a\"b",
        "a\\b",
        "a\nb",
        "ä",
        "a\u{7f}",
        "x?scope=a",
        "x?SCOPE=a",
        "error=a",
        "x?resource_metadata=a",
        "my_error=a",
        "error_description=a",
    ];
    for text in bad {
        assert_eq!(
            check_scope(text),
            Err(InvalidChallenge::Scope(text.into())),
            "{text:?}"
        );
        assert_eq!(
            check_url(text),
            Err(InvalidChallenge::Url(text.into())),
            "{text:?}"
        );
        assert!(Challenges::new(text, &[]).is_err(), "{text:?}");
        assert!(
            Challenges::new(URL, &[text.to_owned()]).is_err(),
            "{text:?}"
        );
    }
    for text in [
        "repo:read",
        "https://h/a?b=c&d#e",
        "!#[]~",
        "error",
        "scope",
    ] {
        assert_eq!(check_scope(text), Ok(()), "{text:?}");
    }
}

#[test]
fn descriptions_keep_the_rules_of_challenges() {
    use crate::authn::{Claim, TokenPart};
    use AuthenticationError as E;
    let all = [
        E::MissingToken,
        E::RepeatedCredentials,
        E::TokenInQuery,
        E::UnsupportedScheme,
        E::EmptyToken,
        E::TokenTooLarge,
        E::MalformedToken,
        E::OpaqueToken,
        E::EncryptedToken,
        E::MalformedPart(TokenPart::Header),
        E::MalformedHeader("alg"),
        E::DuplicateMember(TokenPart::Claims),
        E::EmbeddedKey("jwk"),
        E::CriticalHeader,
        E::TokenType,
        E::AlgorithmNotAllowed,
        E::UnknownIssuer,
        E::UnknownKey,
        E::AmbiguousKey,
        E::ClientMismatch,
        E::ForeignKey,
        E::InvalidSignature,
        E::AudienceMismatch,
        E::TokenExpired,
        E::TokenNotYetValid,
        E::IssuedInFuture,
        E::ClaimMissing(Claim::Subject),
        E::ClaimInvalid(Claim::Subject),
        E::ProofRequired,
        E::KeysUnavailable,
    ];
    for error in all {
        // Blanks are all that a description may have beyond what a value may, and no comma, at which
        // some clients part parameters.
        let description = description(error);
        assert!(is_safe(&description.replace(' ', "_")), "{error:?}");
        let is_one = !description.contains(',') || error == E::ProofRequired;
        assert!(is_one, "{error:?}");
    }
}
