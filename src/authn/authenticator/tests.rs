//! Really signed tokens through the whole authenticator, with keys from a file.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::task::JoinSet;

use super::*;
use crate::authn::fixtures::{
    ED, NOW, OTHER_ED, OTHER_P256, P256, P384, P521, RSA, Signer, at, claims, jwks, now,
};
use crate::authn::{
    Claim, KeySettings, KeySourceSettings, ListedClaims, SignatureAlgorithm, TokenPart, TokenTypes,
};

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
        Self::of("https://idp.example", keys, TokenTypes::default()).await
    }

    async fn with_types(types: &[&str]) -> Self {
        let types = TokenTypes::new(types.iter().map(ToString::to_string).collect());
        let keys = [P256.jwk(&json!({"kid": "k1"}))];
        Self::of("https://idp.example", &keys, types).await
    }

    async fn of(name: &str, keys: &[Value], token_types: TokenTypes) -> Self {
        let file = NamedTempFile::new().unwrap();
        let other_file = NamedTempFile::new().unwrap();
        std::fs::write(&file, jwks(keys)).unwrap();
        std::fs::write(&other_file, jwks(&[OTHER_P256.jwk(&json!({"kid": "k1"}))])).unwrap();
        let issuer = |name: &str, file: &NamedTempFile| IssuerSettings {
            source: KeySourceSettings::File(file.path().to_owned()),
            ..IssuerSettings::new(name)
        };
        let mut first = issuer(name, &file);
        first.token_types = token_types;
        let mut second = issuer("https://other.example", &other_file);
        second.algorithms = vec![SignatureAlgorithm::EdDsa];
        let settings = AuthnSettings {
            issuers: vec![first, second],
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
            .await
            .map_err(|failure| failure.error)?;
        assert_eq!(authenticated.sender, SenderConstraint::None);
        Ok(authenticated.subject)
    }

    async fn failure(&self, token: &str) -> AuthenticationFailure {
        let value = format!("Bearer {token}");
        let credentials = Credentials::new("/mcp", [&*value]);
        let ours = audience(&["https://h/mcp"]);
        let asked = self.authenticator.authenticate(&credentials, &ours, now());
        *asked.await.unwrap_err()
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
#[expect(clippy::too_many_lines, reason = "each row is a few")]
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
        (json!({"typ": "JOSE"}), Ok(())),
        (json!({"typ": "jose"}), Ok(())),
        (json!({"typ": "application/JWT"}), Ok(())),
        (
            json!({"cty": "JWT", "x5t#S256": "AAAA", "zip": Value::Null}),
            Ok(()),
        ),
        (json!({"typ": "JOSE+JSON"}), Err(E::TokenType)),
        (json!({"typ": "id_token+jwt"}), Err(E::TokenType)),
        (json!({"typ": "secevent+jwt"}), Err(E::TokenType)),
        (json!({"typ": ""}), Err(E::TokenType)),
        (json!({"typ": 1}), Err(E::MalformedHeader("typ"))),
        (json!({"cty": 1}), Err(E::MalformedHeader("cty"))),
        (json!({"x5t": ["AAAA"]}), Err(E::MalformedHeader("x5t"))),
        (json!({"x5c": "AAAA"}), Err(E::MalformedHeader("x5c"))),
        (json!({"x5c": [1]}), Err(E::MalformedHeader("x5c"))),
        (json!({"enc": {}}), Err(E::MalformedHeader("enc"))),
        (json!({"jwk": own_key}), Err(E::EmbeddedKey("jwk"))),
        (
            json!({"jku": "https://evil.example/keys"}),
            Err(E::EmbeddedKey("jku")),
        ),
        (json!({"jku": 1}), Err(E::MalformedHeader("jku"))),
        (
            json!({"x5u": "https://evil.example/cert"}),
            Err(E::EmbeddedKey("x5u")),
        ),
        (
            json!({"crit": ["b64"], "b64": false}),
            Err(E::CriticalHeader),
        ),
        (json!({"crit": []}), Err(E::CriticalHeader)),
        (json!({"alg": null}), Err(E::MalformedHeader("alg"))),
        (json!({"alg": 1}), Err(E::MalformedHeader("alg"))),
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
        (json!({"alg": "Ed25519"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "Ed448"}), Err(E::AlgorithmNotAllowed)),
        (json!({"alg": "ed25519"}), Err(E::AlgorithmNotAllowed)),
        (
            json!({"alg": "Ed25519", "kid": "ed"}),
            Err(E::InvalidSignature),
        ),
        (json!({"kid": 1}), Err(E::MalformedHeader("kid"))),
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

/// RFC 9864 §2.2: `Ed25519` is `EdDSA` over that curve, in tokens and in keys.
#[tokio::test]
async fn an_algorithm_of_two_names_is_one() {
    let bench = Bench::with_keys(&[
        ED.jwk(&json!({"kid": "new", "alg": "Ed25519"})),
        OTHER_ED.jwk(&json!({"kid": "old", "alg": "EdDSA"})),
        P521.jwk(&json!({"kid": "p521", "alg": "ES512"})),
    ])
    .await;
    let claims = claims(&json!({}));
    for alg in ["EdDSA", "Ed25519"] {
        for (signer, kid) in [(&*ED, "new"), (&*OTHER_ED, "old")] {
            let token = signer.token(&json!({"alg": alg, "kid": kid}), &claims);
            assert!(bench.ask(&token).await.is_ok(), "{alg} {kid}");
            let (message, signature) = token.rsplit_once('.').unwrap();
            let other = if signature.starts_with('A') { "B" } else { "A" };
            let forged = format!("{message}.{other}{}", signature.get(1..).unwrap());
            let outcome = bench.ask(&forged).await;
            assert_eq!(outcome, Err(AuthenticationError::InvalidSignature));
        }
        let token = OTHER_ED.token(&json!({"alg": alg, "kid": "new"}), &claims);
        let outcome = bench.ask(&token).await;
        assert_eq!(outcome, Err(AuthenticationError::InvalidSignature), "{alg}");
    }
    let token = P521.token(&json!({"kid": "p521"}), &claims);
    assert!(bench.ask(&token).await.is_ok());
    for (changes, expected) in [
        (
            json!({"kid": "p521", "alg": "ES256"}),
            AuthenticationError::AlgorithmNotAllowed,
        ),
        (
            json!({"kid": "new"}),
            AuthenticationError::AlgorithmNotAllowed,
        ),
    ] {
        let token = P521.token(&changes, &claims);
        assert_eq!(bench.ask(&token).await, Err(expected), "{changes}");
    }
}

#[tokio::test]
async fn an_issuer_may_have_types_of_its_own() {
    let bench = Bench::with_types(&["at+jwt", "x-internal+jwt"]).await;
    let rows = [
        (json!({"typ": "at+jwt"}), true),
        (json!({"typ": "application/X-Internal+JWT"}), true),
        (json!({"typ": "JWT"}), false),
        (json!({"typ": "JOSE"}), false),
        (json!({"typ": "none"}), false),
        (json!({"typ": null}), false),
    ];
    for (header, is_accepted) in rows {
        let token = P256.token(&header, &claims(&json!({})));
        let outcome = bench.ask(&token).await.map(|_| ());
        let refused = Err(AuthenticationError::TokenType);
        assert_eq!(
            outcome,
            if is_accepted { Ok(()) } else { refused },
            "{header}"
        );
    }
}

/// A key of a SPIFFE bundle is for tokens of workloads, and they need no `iss`.
#[tokio::test]
async fn tokens_of_workloads_are_of_their_trust_domain() {
    use AuthenticationError as E;
    let keys = [
        P256.jwk(&json!({"kid": "k1", "use": "jwt-svid"})),
        OTHER_P256.jwk(&json!({"kid": "x509", "use": "x509-svid"})),
    ];
    let domain = "spiffe://example.org";
    let workload = "spiffe://example.org/ns/a/sa/b";
    let bench = Bench::of(domain, &keys, TokenTypes::default()).await;
    let rows = [
        (json!({"iss": null, "sub": workload}), Ok(())),
        (json!({"iss": domain, "sub": workload}), Ok(())),
        (
            json!({"iss": null, "sub": "spiffe://other.org/a"}),
            Err(E::UnknownIssuer),
        ),
        (
            json!({"iss": domain, "sub": "spiffe://other.org/a"}),
            Err(E::ClaimInvalid(Claim::Workload)),
        ),
        (
            json!({"iss": domain, "sub": "alice"}),
            Err(E::ClaimInvalid(Claim::Workload)),
        ),
        (
            json!({"iss": null, "sub": "alice"}),
            Err(E::ClaimMissing(Claim::Issuer)),
        ),
        (
            json!({"iss": null, "sub": domain}),
            Err(E::ClaimMissing(Claim::Issuer)),
        ),
        (json!({"iss": "", "sub": workload}), Err(E::UnknownIssuer)),
        (
            json!({"iss": "https://elsewhere", "sub": workload}),
            Err(E::UnknownIssuer),
        ),
        (
            json!({"iss": null, "sub": workload, "aud": "x"}),
            Err(E::AudienceMismatch),
        ),
    ];
    for (changes, expected) in rows {
        let token = P256.token(&json!({"typ": "JOSE"}), &claims(&changes));
        assert_eq!(bench.ask(&token).await.map(|_| ()), expected, "{changes}");
    }
    let token = OTHER_P256.token(&json!({"kid": "x509"}), &claims(&json!({"sub": workload})));
    assert!(bench.ask(&token).await.is_err());
}

/// What an operator is told: names of ours, and what the token says, apart until it is verified.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
async fn a_failure_says_what_is_at_fault_and_what_is_proved() {
    use AuthenticationError as E;
    let bench = Bench::new().await;
    let signed = |header: Value, changes: Value| P256.token(&header, &claims(&changes));
    let good = signed(json!({}), json!({}));
    let (message, _) = good.rsplit_once('.').unwrap();
    let verified = [
        (
            json!({"aud": ["https://x", "https://y"]}),
            E::AudienceMismatch,
            "aud",
        ),
        (
            json!({"aud": null}),
            E::ClaimMissing(Claim::Audience),
            "aud",
        ),
        (json!({"sub": null}), E::ClaimMissing(Claim::Subject), "sub"),
        (json!({"exp": NOW - 99}), E::TokenExpired, "exp"),
        (json!({"nbf": NOW + 99}), E::TokenNotYetValid, "nbf"),
        (json!({"iat": NOW + 99}), E::IssuedInFuture, "iat"),
        (json!({"cnf": {}}), E::ProofRequired, "cnf"),
        (json!({"sub": 1}), E::ClaimInvalid(Claim::Subject), "sub"),
    ];
    for (changes, error, name) in verified {
        let failure = bench.failure(&signed(json!({}), changes.clone())).await;
        assert_eq!(
            (failure.error, failure.at_fault.as_deref()),
            (error, Some(name))
        );
        let evidence = failure.evidence;
        assert!(evidence.is_verified, "{changes}");
        assert_eq!(evidence.issuer.as_deref(), Some("https://idp.example"));
        assert_eq!(evidence.key_id.as_deref(), Some("k1"));
    }
    let unverified = [
        (format!("{message}.AAAA"), E::InvalidSignature, "signature"),
        (
            signed(json!({"kid": "k9"}), json!({})),
            E::UnknownKey,
            "kid",
        ),
        (
            signed(json!({"kid": null}), json!({})),
            E::AmbiguousKey,
            "kid",
        ),
        (signed(json!({"typ": "x"}), json!({})), E::TokenType, "typ"),
        (
            signed(json!({"alg": "RS256"}), json!({})),
            E::AlgorithmNotAllowed,
            "alg",
        ),
        (
            signed(json!({}), json!({"iss": "evil\n"})),
            E::UnknownIssuer,
            "iss",
        ),
        (
            signed(json!({"jku": "https://x"}), json!({})),
            E::EmbeddedKey("jku"),
            "jku",
        ),
        (
            signed(json!({"crit": []}), json!({})),
            E::CriticalHeader,
            "crit",
        ),
        (
            signed(json!({}), json!({"iss": null})),
            E::ClaimMissing(Claim::Issuer),
            "iss",
        ),
        ("opaque".to_owned(), E::OpaqueToken, "authorization"),
        ("a.b.c.d.e".to_owned(), E::EncryptedToken, "authorization"),
        ("a b".to_owned(), E::MalformedToken, "authorization"),
    ];
    for (token, error, name) in unverified {
        let failure = bench.failure(&token).await;
        assert_eq!(
            (failure.error, failure.at_fault.as_deref()),
            (error, Some(name))
        );
        let evidence = failure.evidence;
        let is_open = !evidence.is_verified && evidence.subject.is_none();
        assert!(is_open && evidence.audience.is_empty(), "{error:?}");
    }
    // One that is remembered tells the same.
    bench.ask(&good).await.unwrap();
    let credentials = format!("Bearer {good}");
    let credentials = Credentials::new("/mcp", [&*credentials]);
    let elsewhere = audience(&["https://b"]);
    let authenticator = &bench.authenticator;
    let asked = authenticator.authenticate(&credentials, &elsewhere, now());
    let failure = asked.await.unwrap_err();
    assert_eq!(failure.at_fault.as_deref(), Some("aud"));
    assert_eq!(failure.evidence.audience, ["https://h/mcp".into()]);
    assert_eq!(failure.evidence.subject.as_deref(), Some("alice"));
    assert_eq!(failure.evidence.key_id.as_deref(), Some("k1"));
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
        (json!({"exp": 1e17}), Ok(())),
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
#[expect(clippy::too_many_lines, reason = "each row is a few")]
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
        ("abc".to_owned(), E::OpaqueToken),
        (message.to_owned(), E::OpaqueToken),
        (format!("{good}."), E::OpaqueToken),
        (format!("{good}.a.b"), E::EncryptedToken),
        (format!("{good}.a.b.c"), E::OpaqueToken),
        (format!("{message}."), E::InvalidSignature),
        (format!("{good}="), E::MalformedPart(TokenPart::Signature)),
        (format!(".{good}"), E::OpaqueToken),
        ("ya29.c.b0Aaek".to_owned(), E::OpaqueToken),
        (format!("{{}}.{signature}.{signature}"), E::MalformedToken),
        (P256.sign("7", &whole), E::OpaqueToken),
        (P256.sign(" {", &whole), E::MalformedPart(TokenPart::Header)),
        (
            format!("{first}..{signature}"),
            E::MalformedPart(TokenPart::Claims),
        ),
        (format!("{message}.AAAA"), E::InvalidSignature),
        (P256.sign("[]", &whole), E::MalformedPart(TokenPart::Header)),
        (P256.sign(header, "[]"), E::MalformedPart(TokenPart::Claims)),
        (
            P256.sign(header, "\"alice\""),
            E::MalformedPart(TokenPart::Claims),
        ),
        (
            P256.sign(header, &format!("{whole}{whole}")),
            E::MalformedPart(TokenPart::Claims),
        ),
        (
            P256.sign(header, &format!("{}{}", "[".repeat(99), "]".repeat(99))),
            E::MalformedPart(TokenPart::Claims),
        ),
        (
            P256.sign(header, &twice),
            E::DuplicateMember(TokenPart::Claims),
        ),
        (
            P256.sign(r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, &whole),
            E::DuplicateMember(TokenPart::Header),
        ),
        (
            P256.sign(r#"{"alg":"ES256","\u0061lg":"ES256"}"#, &whole),
            E::DuplicateMember(TokenPart::Header),
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
            .await
            .map_err(|failure| failure.error),
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
        Err(AuthenticationError::OpaqueToken)
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
        (3, InvalidSettings::PlainHttp("http://plain".into())),
        (6, InvalidSettings::PlainHttp("b".into())),
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
        let subject = subject.map_err(|failure| failure.error);
        subject.map(|known| known.subject.groups.len())
    };
    assert_eq!(ask(before).await, Ok(0));

    // Unchanged, it is taken over with its keys and its tokens.
    let (same, refreshers) = after(before, &settings).unwrap();
    assert!(refreshers.is_empty());
    let hash = cache::hash(&token).unwrap();
    let of = audience(&["https://h/mcp"]);
    assert!(matches!(same.recall(&hash, &of, now()), Some((_, Ok(_)))));

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
            .is_none_or(|(_, known)| known.is_err())
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
