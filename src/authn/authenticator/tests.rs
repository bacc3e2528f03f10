//! Really signed tokens through the whole authenticator, with keys from a file.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::task::JoinSet;

use super::*;
use crate::authn::fixtures::{ED, NOW, OTHER_P256, P256, P384, RSA, Signer, at, claims, jwks, now};
use crate::authn::{Claim, KeySettings, KeySourceSettings, ListedClaims, SignatureAlgorithm};

mod tenants;

/// An authenticator for `https://idp.example`, whose keys are in a file, and one for another.
struct Bench {
    authenticator: Arc<Authenticator>,
    keys: NamedTempFile,
    _other_keys: NamedTempFile,
    _tasks: JoinSet<()>,
}

impl Bench {
    async fn new() -> Self {
        Self::with_keys(&[
            P256.jwk(&json!({"kid": "k1"})),
            P384.jwk(&json!({"kid": "p384"})),
            RSA.jwk(&json!({"kid": "rsa"})),
            RSA.jwk(&json!({"kid": "rs256", "alg": "RS256"})),
            ED.jwk(&json!({"kid": "ed"})),
            OTHER_P256.jwk(&json!({"kid": "twice"})),
            P256.jwk(&json!({"kid": "twice"})),
        ])
        .await
    }

    async fn with_keys(keys: &[Value]) -> Self {
        let file = NamedTempFile::new().unwrap();
        let other_file = NamedTempFile::new().unwrap();
        std::fs::write(&file, jwks(keys)).unwrap();
        std::fs::write(&other_file, jwks(&[OTHER_P256.jwk(&json!({"kid": "k1"}))])).unwrap();
        let issuer = |name: &str, file: &NamedTempFile| IssuerSettings {
            source: KeySourceSettings::File(file.path().to_owned()),
            ..IssuerSettings::new(name)
        };
        let mut second = issuer("https://other.example", &other_file);
        second.algorithms = vec![SignatureAlgorithm::EdDsa];
        let settings = AuthnSettings {
            issuers: vec![issuer("https://idp.example", &file), second],
            // However busy the machine is.
            fetch_wait: Duration::from_mins(1),
            ..AuthnSettings::default()
        };
        let (authenticator, refreshers) =
            Authenticator::new(&settings, Arc::new(Outbound::default())).unwrap();
        assert!(!authenticator.is_ready());
        let mut tasks = JoinSet::new();
        for refresher in refreshers {
            tasks.spawn(refresher.run(std::future::pending()));
        }
        authenticator.ready().await;
        assert!(authenticator.is_ready());
        Self {
            authenticator: Arc::new(authenticator),
            keys: file,
            _other_keys: other_file,
            _tasks: tasks,
        }
    }

    async fn ask_at(
        &self,
        token: &str,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<Arc<Subject>, AuthenticationError> {
        let authenticated = self
            .authenticator
            .authenticate(
                &Credentials::new("/mcp", [&*format!("Bearer {token}")]),
                audience,
                now,
            )
            .await?;
        assert_eq!(authenticated.sender, SenderConstraint::None);
        Ok(authenticated.subject)
    }

    async fn ask(&self, token: &str) -> Result<Arc<Subject>, AuthenticationError> {
        self.ask_at(token, &audience(&["https://h/mcp"]), now())
            .await
    }
}

fn audience(accepted: &[&str]) -> Audience {
    Audience {
        accepted: accepted.iter().map(ToString::to_string).collect(),
        issuers: None,
    }
}

fn good() -> String {
    P256.token(&json!({}), &claims(&json!({})))
}

#[tokio::test]
async fn a_good_token_of_every_algorithm_makes_a_subject() {
    let bench = Bench::new().await;
    let rsa = |algorithm| (&*RSA, algorithm, "rsa");
    let rows: [(&Signer, Algorithm, &str); 10] = [
        rsa(Algorithm::RS256),
        rsa(Algorithm::RS384),
        rsa(Algorithm::RS512),
        rsa(Algorithm::PS256),
        rsa(Algorithm::PS384),
        rsa(Algorithm::PS512),
        (&*P256, Algorithm::ES256, "k1"),
        (&*P384, Algorithm::ES384, "p384"),
        (&*ED, Algorithm::EdDSA, "ed"),
        (&*P256, Algorithm::ES256, "twice"),
    ];
    for (signer, algorithm, id) in rows {
        let header = json!({"alg": format!("{algorithm:?}"), "kid": id}).to_string();
        let token = signer.sign_as(algorithm, &header, &claims(&json!({})).to_string());
        let subject = bench.ask(&token).await.unwrap();
        assert_eq!(
            (&*subject.issuer, &*subject.id),
            ("https://idp.example", "alice"),
            "{header}"
        );
        assert_eq!(subject.scopes, ["read".into()]);
        assert_eq!(
            subject.claims.member("exp"),
            Some(&crate::authz::Value::Int(NOW + 300))
        );
    }
}

#[tokio::test]
async fn headers_are_accepted_or_refused_each_with_its_reason() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let own_key = OTHER_P256.jwk(&json!({}));
    let rows = [
        (json!({"typ": null}), Ok(())),
        (json!({"typ": "JWT"}), Ok(())),
        (json!({"typ": "jwt"}), Ok(())),
        (json!({"typ": "AT+jwt"}), Ok(())),
        (json!({"typ": "application/at+jwt"}), Ok(())),
        (json!({"x5c": ["AAAA"], "x5t": "AAAA"}), Ok(())),
        (json!({"typ": "dpop+jwt"}), Err(E::TokenType)),
        (json!({"typ": "logout+jwt"}), Err(E::TokenType)),
        (json!({"typ": ""}), Err(E::TokenType)),
        (json!({"typ": 1}), Err(E::MalformedToken)),
        (json!({"jwk": own_key}), Err(E::EmbeddedKey)),
        (
            json!({"jku": "https://evil.example/keys"}),
            Err(E::EmbeddedKey),
        ),
        (
            json!({"x5u": "https://evil.example/cert"}),
            Err(E::EmbeddedKey),
        ),
        (
            json!({"crit": ["b64"], "b64": false}),
            Err(E::CriticalHeader),
        ),
        (json!({"crit": []}), Err(E::CriticalHeader)),
        (json!({"alg": null}), Err(E::MalformedToken)),
        (json!({"alg": 1}), Err(E::MalformedToken)),
        (json!({"alg": "none"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "None"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "HS256"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "ES512"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "es256"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "RS256"}), Err(E::AlgorithmNotAllowed)),
        (
            json!({"alg": "RS512", "kid": "rs256"}),
            Err(E::AlgorithmNotAllowed),
        ),
        (json!({"kid": 1}), Err(E::MalformedToken)),
        (json!({"kid": "k2"}), Err(E::UnknownKey)),
        (json!({"kid": null}), Err(E::AmbiguousKey)),
        (
            json!({"kid": "ed", "alg": "EdDSA"}),
            Err(E::InvalidSignature),
        ),
    ];
    for (header, expected) in rows {
        let token = P256.token(&header, &claims(&json!({})));
        assert_eq!(bench.ask(&token).await.map(|_| ()), expected, "{header}");
    }
}

#[tokio::test]
async fn claims_are_refused_each_with_its_reason() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let rows = [
        (json!({"exp": NOW + 300, "extra": {"deep": [1]}}), Ok(())),
        (json!({"exp": 1_795_169_000.5}), Ok(())),
        (json!({"aud": ["https://x", "https://h/mcp"]}), Ok(())),
        (json!({"nbf": null, "iat": null}), Ok(())),
        (json!({"nbf": NOW + 30, "iat": NOW + 30}), Ok(())),
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"iss": null}), Err(E::ClaimMissing(Claim::Issuer))),
        (
            json!({"iss": ["https://idp.example"]}),
            Err(E::ClaimInvalid(Claim::Issuer)),
        ),
        (
            json!({"iss": "https://idp.example/"}),
            Err(E::UnknownIssuer),
        ),
        (
            json!({"iss": "https://evil.example"}),
            Err(E::UnknownIssuer),
        ),
        (
            json!({"iss": "https://other.example"}),
            Err(E::AlgorithmNotAllowed),
        ),
        (json!({"sub": null}), Err(E::ClaimMissing(Claim::Subject))),
        (json!({"sub": ""}), Err(E::ClaimInvalid(Claim::Subject))),
        (json!({"sub": 7}), Err(E::ClaimInvalid(Claim::Subject))),
        (json!({"aud": null}), Err(E::ClaimMissing(Claim::Audience))),
        (json!({"aud": 7}), Err(E::ClaimInvalid(Claim::Audience))),
        (
            json!({"aud": ["https://h/mcp", 7]}),
            Err(E::ClaimInvalid(Claim::Audience)),
        ),
        (json!({"aud": []}), Err(E::AudienceMismatch)),
        (json!({"aud": "https://h/mcp/"}), Err(E::AudienceMismatch)),
        (json!({"aud": "https://h"}), Err(E::AudienceMismatch)),
        (json!({"exp": null}), Err(E::ClaimMissing(Claim::Expiry))),
        (json!({"exp": "never"}), Err(E::ClaimInvalid(Claim::Expiry))),
        (json!({"exp": -1}), Err(E::ClaimInvalid(Claim::Expiry))),
        (json!({"exp": 1e30}), Err(E::ClaimInvalid(Claim::Expiry))),
        (json!({"exp": NOW - 30}), Err(E::TokenExpired)),
        (json!({"nbf": NOW + 31}), Err(E::TokenNotYetValid)),
        (
            json!({"nbf": "soon"}),
            Err(E::ClaimInvalid(Claim::NotBefore)),
        ),
        (json!({"iat": NOW + 31}), Err(E::IssuedInFuture)),
        (json!({"iat": true}), Err(E::ClaimInvalid(Claim::IssuedAt))),
        // Whoever asks for groups has no answer; nobody else cares.
        (json!({"groups": 7}), Ok(())),
        (json!({"cnf": {"jkt": "AAAA"}}), Err(E::ProofRequired)),
        (json!({"cnf": {"x5t#S256": "AAAA"}}), Err(E::ProofRequired)),
        (json!({"cnf": {}}), Err(E::ProofRequired)),
    ];
    for (changes, expected) in rows {
        let token = P256.token(&json!({}), &claims(&changes));
        assert_eq!(bench.ask(&token).await.map(|_| ()), expected, "{changes}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_its_sender_is_refused_whatever_else_is_wrong() {
    let bench = Bench::new().await;
    for changes in [
        json!({"cnf": true}),
        json!({"cnf": {"jkt": "AAAA"}, "exp": NOW - 99}),
        json!({"cnf": {"jkt": "AAAA"}, "aud": "another"}),
        json!({"cnf": {"x5t#S256": "AAAA"}, "sub": 7}),
    ] {
        let token = P256.token(&json!({}), &claims(&changes));
        // It is not remembered as one that was verified.
        for _ in 0..2 {
            let outcome = bench.ask(&token).await.map(|_| ());
            assert_eq!(
                outcome,
                Err(AuthenticationError::ProofRequired),
                "{changes}"
            );
        }
    }
    assert_eq!(bench.authenticator.tokens_cached(), 0);
}

/// Issuers write the end of the year 9999, or the largest number they have, for what never ends.
#[tokio::test]
async fn times_in_the_far_future_are_times() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let year_9999: i64 = 253_402_300_799;
    let rows = [
        (json!({"exp": year_9999}), Ok(())),
        (json!({"exp": 9_007_199_254_740_991_i64}), Ok(())),
        (json!({"exp": i64::MAX}), Ok(())),
        (json!({"exp": 1e18}), Ok(())),
        (
            json!({"exp": u64::MAX}),
            Err(E::ClaimInvalid(Claim::Expiry)),
        ),
        (json!({"nbf": i64::MAX}), Err(E::TokenNotYetValid)),
        (
            json!({"nbf": u64::MAX}),
            Err(E::ClaimInvalid(Claim::NotBefore)),
        ),
        (json!({"iat": year_9999}), Err(E::IssuedInFuture)),
        (json!({"iat": -1}), Err(E::ClaimInvalid(Claim::IssuedAt))),
    ];
    for (changes, expected) in rows {
        let token = P256.token(&json!({}), &claims(&changes));
        for known in [false, true] {
            let outcome = bench.ask(&token).await.map(|_| ());
            assert_eq!(outcome, expected, "{changes}, known: {known}");
        }
    }
}

#[tokio::test]
async fn texts_that_are_no_token_are_refused() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let good = good();
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let whole = claims(&json!({})).to_string();
    let twice = whole.replacen('{', r#"{"sub":"mallory","#, 1);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (first, _) = message.split_once('.').unwrap();
    let rows = [
        ("abc".to_owned(), E::MalformedToken),
        (message.to_owned(), E::MalformedToken),
        (format!("{good}."), E::MalformedToken),
        (format!("{good}.a.b"), E::MalformedToken),
        (format!("{message}."), E::InvalidSignature),
        (format!("{good}="), E::MalformedToken),
        (format!(".{good}"), E::MalformedToken),
        (format!("{first}..{signature}"), E::MalformedToken),
        (format!("{message}.AAAA"), E::InvalidSignature),
        (P256.sign("[]", &whole), E::MalformedToken),
        (P256.sign(header, "[]"), E::MalformedToken),
        (P256.sign(header, "\"alice\""), E::MalformedToken),
        (
            P256.sign(header, &format!("{whole}{whole}")),
            E::MalformedToken,
        ),
        (
            P256.sign(header, &format!("{}{}", "[".repeat(99), "]".repeat(99))),
            E::MalformedToken,
        ),
        (P256.sign(header, &twice), E::DuplicateMember),
        (
            P256.sign(r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, &whole),
            E::DuplicateMember,
        ),
        (
            P256.sign(r#"{"alg":"ES256","\u0061lg":"ES256"}"#, &whole),
            E::DuplicateMember,
        ),
        (
            OTHER_P256.token(&json!({}), &claims(&json!({}))),
            E::InvalidSignature,
        ),
        (
            P256.token(&json!({}), &claims(&json!({"x": "y".repeat(16_384)}))),
            E::TokenTooLarge,
        ),
    ];
    for (token, expected) in rows {
        assert_eq!(bench.ask(&token).await, Err(expected), "{token}");
    }
    assert_eq!(
        bench
            .authenticator
            .authenticate(
                &Credentials::new("/mcp", []),
                &audience(&["https://h/mcp"]),
                now()
            )
            .await,
        Err(E::MissingToken)
    );
}

/// RFC 8725 §2.1: the public key as HMAC secret, and no signature at all.
#[tokio::test]
async fn algorithm_confusion_is_refused() {
    let bench = Bench::new().await;
    let public = RSA.jwk(&json!({})).to_string();
    let header = jsonwebtoken::Header {
        kid: Some("rsa".into()),
        ..jsonwebtoken::Header::new(Algorithm::HS256)
    };
    let secret = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    let forged = jsonwebtoken::encode(&header, &claims(&json!({})), &secret).unwrap();
    assert_eq!(
        bench.ask(&forged).await,
        Err(AuthenticationError::AlgorithmNotAllowed)
    );
    let unsigned = P256.token(&json!({"alg": "none"}), &claims(&json!({})));
    let (message, _) = unsigned.rsplit_once('.').unwrap();
    let outcome = bench.ask(&format!("{message}.")).await;
    assert_eq!(outcome, Err(AuthenticationError::AlgorithmNotAllowed));
}

/// A tampered token is refused although the one it was made from is remembered.
#[tokio::test]
async fn a_changed_token_is_not_the_remembered_one() {
    let bench = Bench::new().await;
    let good = good();
    bench.ask(&good).await.unwrap();
    let mallory = P256.token(&json!({}), &claims(&json!({"sub": "mallory"})));
    let (message, _) = mallory.rsplit_once('.').unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let outcome = bench.ask(&format!("{message}.{signature}")).await;
    assert_eq!(outcome, Err(AuthenticationError::InvalidSignature));
}

#[tokio::test]
async fn the_token_without_a_key_id_needs_a_single_fitting_key() {
    let bench = Bench::with_keys(&[P256.jwk(&json!({})), RSA.jwk(&json!({"kid": "a"}))]).await;
    let token = P256.token(&json!({"kid": null}), &claims(&json!({})));
    assert!(bench.ask(&token).await.is_ok());
    let other = OTHER_P256.token(&json!({"kid": null}), &claims(&json!({})));
    assert_eq!(
        bench.ask(&other).await,
        Err(AuthenticationError::InvalidSignature)
    );
}

#[tokio::test]
async fn a_remembered_token_is_checked_again_for_each_server_and_time() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let token = P256.token(
        &json!({}),
        &claims(&json!({"aud": ["https://h/mcp", "https://b"]})),
    );
    let first = bench.ask(&token).await.unwrap();
    let again = bench.ask(&token).await.unwrap();
    assert!(
        Arc::ptr_eq(&first, &again),
        "the second time it is remembered"
    );

    let only = |issuers: &[&str]| Audience {
        issuers: Some(issuers.iter().map(ToString::to_string).collect()),
        ..audience(&["https://h/mcp"])
    };
    let ours = audience(&["https://h/mcp"]);
    let rows = [
        (audience(&["https://b"]), 0, Ok(())),
        (audience(&["https://c"]), 0, Err(E::AudienceMismatch)),
        (audience(&[]), 0, Err(E::AudienceMismatch)),
        (only(&["https://idp.example"]), 0, Ok(())),
        (only(&["https://other.example"]), 0, Err(E::UnknownIssuer)),
        (only(&[]), 0, Err(E::UnknownIssuer)),
        (ours.clone(), -40, Ok(())),
        (ours.clone(), -41, Err(E::TokenNotYetValid)),
        (ours.clone(), 329, Ok(())),
        (ours.clone(), 330, Err(E::TokenExpired)),
        (ours, 0, Ok(())),
    ];
    for (audience, seconds, expected) in rows {
        let outcome = bench
            .ask_at(&token, &audience, at(seconds))
            .await
            .map(|_| ());
        assert_eq!(outcome, expected, "{audience:?} {seconds}");
    }
}

#[tokio::test]
async fn beyond_its_expiry_a_token_is_not_remembered() {
    let bench = Bench::new().await;
    let ours = audience(&["https://h/mcp"]);
    let token = good();
    let remembered = bench.ask(&token).await.unwrap();
    let late = bench.ask_at(&token, &ours, at(300)).await.unwrap();
    assert!(
        !Arc::ptr_eq(&remembered, &late),
        "verified anew within the leeway"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_leaves_the_set_takes_its_tokens_along() {
    let bench = Bench::new().await;
    let token = good();
    bench.ask(&token).await.unwrap();
    std::fs::write(&bench.keys, jwks(&[OTHER_P256.jwk(&json!({"kid": "k2"}))])).unwrap();
    assert!(
        bench.ask(&token).await.is_ok(),
        "the file is not read for a known key"
    );
    let new = OTHER_P256.token(&json!({"kid": "k2"}), &claims(&json!({})));
    assert!(bench.ask(&new).await.is_ok());
    assert_eq!(
        bench.ask(&token).await,
        Err(AuthenticationError::UnknownKey)
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_read_again() {
    let bench = Bench::new().await;
    bench.ask(&good()).await.unwrap();
    std::fs::write(&bench.keys, jwks(&[OTHER_P256.jwk(&json!({"kid": "k1"}))])).unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(
        bench.ask(&good()).await,
        Err(AuthenticationError::InvalidSignature)
    );
    let new = OTHER_P256.token(&json!({}), &claims(&json!({})));
    assert!(bench.ask(&new).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn remembered_tokens_end_with_stale_keys_and_come_back_with_new_ones() {
    let bench = Bench::new().await;
    let token = good();
    bench.ask(&token).await.unwrap();
    let text = std::fs::read(&bench.keys).unwrap();
    std::fs::write(&bench.keys, "{").unwrap();
    let stale_max = KeySettings::default().stale_max;
    tokio::time::sleep(stale_max.saturating_sub(Duration::from_mins(1))).await;
    assert!(bench.ask(&token).await.is_ok());
    let status = |bench: &Bench| {
        let name = "https://idp.example";
        bench
            .authenticator
            .issuers()
            .find(|status| &*status.issuer == name)
            .unwrap()
            .keys
    };
    assert_eq!(
        status(&bench).failing,
        Some("key set: invalid JSON".to_owned())
    );
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(
        bench.ask(&token).await,
        Err(AuthenticationError::KeysUnavailable)
    );
    assert_eq!(
        bench.ask("a.b.c").await,
        Err(AuthenticationError::MalformedToken)
    );
    assert!(bench.authenticator.is_ready() && !status(&bench).is_usable);
    std::fs::write(&bench.keys, text).unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(bench.ask(&token).await.is_ok());
}

#[test]
fn wrong_settings_are_all_reported() {
    let uri = |name: &str, uri: &str| IssuerSettings {
        source: KeySourceSettings::Uri(uri.into()),
        ..IssuerSettings::new(name)
    };
    let keys = |keys| IssuerSettings {
        keys,
        ..IssuerSettings::new("https://keys")
    };
    let zero = KeySettings {
        min_interval: Duration::ZERO,
        ..KeySettings::default()
    };
    let settings = AuthnSettings {
        issuers: vec![
            IssuerSettings::new("https://a"),
            IssuerSettings::new("https://a"),
            IssuerSettings::new(""),
            IssuerSettings::new("http://plain"),
            IssuerSettings::new("http://127.0.0.1:1/realm"),
            uri("free-text", "https://keys.example/jwks?a=b"),
            uri("b", "http://keys.example/jwks"),
            uri("c", "https://u:p@keys.example/jwks"),
            IssuerSettings {
                algorithms: vec![],
                ..IssuerSettings::new("https://d")
            },
            keys(zero),
        ],
        ..AuthnSettings::default()
    };
    let faults = [
        (1, InvalidSettings::DuplicateIssuer("https://a".into())),
        (2, InvalidSettings::EmptyIssuer),
        (3, InvalidSettings::IssuerUrl("http://plain".into())),
        (6, InvalidSettings::KeysUrl("b".into())),
        (7, InvalidSettings::KeysUrl("c".into())),
        (8, InvalidSettings::NoAlgorithm("https://d".into())),
        (9, InvalidSettings::Interval("https://keys".into())),
    ];
    assert_eq!(settings.faults(), faults);
    assert_eq!(
        Authenticator::new(&settings, Arc::new(Outbound::default())).err(),
        Some(faults[0].1.clone())
    );
}

/// A token that was verified by an issuer's earlier settings is not taken from what is remembered, even
/// where the earlier authenticator verified it after the change.
#[tokio::test]
async fn a_remembered_token_counts_for_the_settings_it_was_verified_by() {
    let bench = Bench::new().await;
    let before = &bench.authenticator;
    let own = |authenticator: &Authenticator| {
        let named = authenticator.names.get("https://idp.example").unwrap();
        named.issuer.settings.clone()
    };
    let mut settings = AuthnSettings {
        issuers: vec![own(before)],
        ..before.limits.clone()
    };
    let token = good();
    let ask = async |authenticator: &Authenticator| {
        let header = format!("Bearer {token}");
        let credentials = Credentials::new("/mcp", [&*header]);
        let audience = audience(&["https://h/mcp"]);
        let subject = authenticator
            .authenticate(&credentials, &audience, now())
            .await;
        subject.map(|known| known.subject.groups.len())
    };
    assert_eq!(ask(before).await, Ok(0));

    // Unchanged, it is taken over with its keys and its tokens.
    let (same, refreshers) = after(before, &settings).unwrap();
    assert!(refreshers.is_empty());
    let hash = cache::hash(&token).unwrap();
    let of = audience(&["https://h/mcp"]);
    assert!(matches!(same.recall(&hash, &of, now()), Some(Ok(_))));

    // Its claims are read otherwise: the keys stay, and what was read before does not count.
    settings.issuers[0].claims.groups = ListedClaims::First(vec!["sub".to_owned()]);
    let (other, refreshers) = after(&same, &settings).unwrap();
    assert!(refreshers.is_empty());
    assert_eq!(ask(before).await, Ok(0));
    assert!(other.recall(&hash, &of, now()).is_none());
    assert_eq!(ask(&other).await, Ok(1));

    // It goes and comes again.
    settings.issuers.clear();
    let (without, _) = after(&other, &settings).unwrap();
    assert_eq!(ask(&without).await, Err(AuthenticationError::UnknownIssuer));
    settings.issuers = vec![own(&other)];
    let (again, refreshers) = after(&without, &settings).unwrap();
    assert_eq!(refreshers.len(), 1, "its keys are fetched again");
    assert!(
        again
            .recall(&hash, &of, now())
            .is_none_or(|known| known.is_err())
    );
    assert_eq!(ask(&again).await, Err(AuthenticationError::KeysUnavailable));
}

/// Where only the way of fetching changes, the keys that were fetched last serve on; keys from another
/// place do not.
#[tokio::test]
async fn keys_are_handed_on_where_they_come_from_the_same_place() {
    let bench = Bench::new().await;
    let before = &bench.authenticator;
    let named = before.names.get("https://idp.example").unwrap();
    let mut settings = AuthnSettings {
        issuers: vec![named.issuer.settings.clone()],
        fetch_timeout: Duration::from_secs(9),
        ..before.limits.clone()
    };
    let (next, refreshers) = after(before, &settings).unwrap();
    assert_eq!((refreshers.len(), next.is_ready()), (1, true));
    let another_way = Arc::new(Outbound::default());
    let (next, refreshers) = Authenticator::next(Some(&next), &settings, another_way).unwrap();
    assert_eq!((refreshers.len(), next.is_ready()), (1, true));
    let place = KeySourceSettings::Uri("https://idp.example/keys".to_owned());
    settings.issuers[0].source = place;
    let (next, refreshers) = after(&next, &settings).unwrap();
    assert_eq!((refreshers.len(), next.is_ready()), (1, false));
}

/// The authenticator after one whose keys are fetched the same way.
fn after(
    before: &Authenticator,
    settings: &AuthnSettings,
) -> Result<(Authenticator, Vec<KeyRefresher>), InvalidSettings> {
    Authenticator::next(Some(before), settings, Arc::clone(&before.outbound))
}
