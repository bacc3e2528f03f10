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
            with.unauthenticated(AuthenticationError::MissingToken),
            format!("Bearer scope=\"repo:read org:read\", {metadata}"),
        ),
        (
            without.unauthenticated(AuthenticationError::MissingToken),
            format!("Bearer {metadata}"),
        ),
        (
            with.unauthenticated(AuthenticationError::TokenExpired),
            format!(
                "Bearer error=\"invalid_token\", scope=\"repo:read org:read\", {metadata}, \
                 error_description=\"The token has expired.\""
            ),
        ),
        (
            without.unauthenticated(AuthenticationError::RepeatedCredentials),
            format!(
                "Bearer error=\"invalid_request\", {metadata}, \
                 error_description=\"The request has more than one credential.\""
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
    use crate::authn::Claim;
    use AuthenticationError as E;
    let all = [
        E::MissingToken,
        E::RepeatedCredentials,
        E::TokenInQuery,
        E::UnsupportedScheme,
        E::EmptyToken,
        E::TokenTooLarge,
        E::MalformedToken,
        E::DuplicateMember,
        E::EmbeddedKey,
        E::CriticalHeader,
        E::TokenType,
        E::AlgorithmNotAllowed,
        E::UnknownIssuer,
        E::UnknownKey,
        E::AmbiguousKey,
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
        // Blanks are all that a description may have beyond what a value may.
        assert!(is_safe(&description(error).replace(' ', "_")), "{error:?}");
    }
}
