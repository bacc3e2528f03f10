//! Issuers with several tenants, tokens without `aud`, and claims that an issuer demands.

use super::*;
use crate::authn::{RequiredClaim, RequiredValue};

const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";

/// An authenticator for one issuer, whose keys are in a file.
struct One {
    authenticator: Authenticator,
    keys: NamedTempFile,
    tasks: JoinSet<()>,
}

impl One {
    async fn new(keys: &[Value], settings: IssuerSettings) -> Self {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(&file, jwks(keys)).unwrap();
        let settings = AuthnSettings {
            issuers: vec![IssuerSettings {
                source: KeySourceSettings::File(file.path().to_owned()),
                ..settings
            }],
            fetch_wait: Duration::from_mins(1),
            ..AuthnSettings::default()
        };
        let (authenticator, refreshers) =
            Authenticator::new(&settings, Arc::new(Outbound::default())).unwrap();
        let mut tasks = JoinSet::new();
        for refresher in refreshers {
            tasks.spawn(refresher.run(std::future::pending()));
        }
        authenticator.ready().await;
        One {
            authenticator,
            keys: file,
            tasks,
        }
    }

    async fn ask(&self, token: &str) -> Result<Arc<Subject>, AuthenticationError> {
        ask(&self.authenticator, token, &audience(&["https://h/mcp"])).await
    }
}

async fn ask(
    authenticator: &Authenticator,
    token: &str,
    audience: &Audience,
) -> Result<Arc<Subject>, AuthenticationError> {
    let header = format!("Bearer {token}");
    let credentials = Credentials::new("/mcp", [&*header]);
    let known = authenticator.authenticate(&credentials, audience, now());
    let known = known.await.map_err(|failure| failure.error);
    known.map(|known| known.subject)
}

fn of_tenants(tenants: &[&str]) -> IssuerSettings {
    IssuerSettings {
        tenants: tenants.iter().map(ToString::to_string).collect(),
        ..IssuerSettings::new(TEMPLATE)
    }
}

fn token_of(tenant: &str, tid: &Value) -> String {
    let iss = TEMPLATE.replace("{tenantid}", tenant);
    P256.token(&json!({}), &claims(&json!({"iss": iss, "tid": tid})))
}

#[tokio::test]
async fn a_token_is_of_a_tenant_that_is_listed() {
    use AuthenticationError as E;
    let keys = [P256.jwk(&json!({"kid": "k1"}))];
    let one = One::new(&keys, of_tenants(&["a", "b"])).await;
    let rows = [
        (
            token_of("a", &json!("a")),
            Ok("https://login.example/a/v2.0"),
        ),
        (
            token_of("b", &json!("b")),
            Ok("https://login.example/b/v2.0"),
        ),
        (token_of("c", &json!("c")), Err(E::UnknownIssuer)),
        (token_of("c", &json!("a")), Err(E::UnknownIssuer)),
        (token_of("{tenantid}", &json!("a")), Err(E::UnknownIssuer)),
        (
            token_of("a", &json!("b")),
            Err(E::ClaimInvalid(Claim::TenantId)),
        ),
        (
            token_of("a", &json!("c")),
            Err(E::ClaimInvalid(Claim::TenantId)),
        ),
        (
            token_of("a", &json!(["a"])),
            Err(E::ClaimInvalid(Claim::TenantId)),
        ),
        (
            token_of("a", &Value::Null),
            Err(E::ClaimMissing(Claim::TenantId)),
        ),
    ];
    for (token, expected) in rows {
        // The second time a good one is remembered.
        for _ in 0..2 {
            let outcome = one.ask(&token).await;
            let issuer = outcome.as_ref().map(|subject| &*subject.issuer);
            assert_eq!(issuer.map_err(|error| *error), expected, "{token}");
        }
    }
    let status: Vec<_> = one.authenticator.issuers().collect();
    assert_eq!((status.len(), &*status[0].issuer), (1, TEMPLATE));
}

#[tokio::test]
async fn a_server_may_trust_one_tenant() {
    let keys = [P256.jwk(&json!({"kid": "k1"}))];
    let one = One::new(&keys, of_tenants(&["a", "b"])).await;
    let only = Audience {
        issuers: Some(vec!["https://login.example/a/v2.0".to_owned()]),
        ..audience(&["https://h/mcp"])
    };
    for (tenant, is_trusted) in [("a", true), ("b", false)] {
        let token = token_of(tenant, &json!(tenant));
        let everywhere = one.ask(&token).await;
        assert!(everywhere.is_ok());
        let there = ask(&one.authenticator, &token, &only).await;
        assert_eq!(there.is_ok(), is_trusted, "{tenant}");
    }
}

#[tokio::test]
async fn a_tenant_that_is_removed_takes_its_tokens_along() {
    let keys = [P256.jwk(&json!({"kid": "k1"}))];
    let one = One::new(&keys, of_tenants(&["a", "b"])).await;
    let before = &one.authenticator;
    let (a, b) = (token_of("a", &json!("a")), token_of("b", &json!("b")));
    assert!(one.ask(&a).await.is_ok() && one.ask(&b).await.is_ok());
    let mut settings = AuthnSettings {
        issuers: vec![before.issuers[0].settings.clone()],
        ..before.limits.clone()
    };
    settings.issuers[0].tenants = vec!["a".to_owned()];
    let (next, refreshers) = after(before, &settings).unwrap();
    assert!(refreshers.is_empty(), "its keys are the same");
    let ours = audience(&["https://h/mcp"]);
    assert!(ask(&next, &a, &ours).await.is_ok());
    assert_eq!(
        ask(&next, &b, &ours).await,
        Err(AuthenticationError::UnknownIssuer)
    );
    drop(one.tasks);
}

/// Microsoft's shared set has keys that are of one tenant alone.
#[tokio::test]
async fn a_key_of_one_tenant_signs_for_no_other() {
    let [a, b] = [
        "11111111-2222-3333-4444-555555555555",
        "9188040d-6c67-4c5b-b112-36a304b66dad",
    ];
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let own = template.replace("{tenantid}", b);
    let keys = [
        P256.jwk(&json!({"kid": "k1", "issuer": template})),
        OTHER_P256.jwk(&json!({"kid": "k2", "issuer": own})),
    ];
    let settings = IssuerSettings {
        tenants: vec![a.to_owned(), b.to_owned()],
        ..IssuerSettings::new(template)
    };
    let one = One::new(&keys, settings).await;
    let token = |signer: &Signer, kid: &str, tenant: &str| {
        let iss = template.replace("{tenantid}", tenant);
        let claims = claims(&json!({"iss": iss, "tid": tenant}));
        signer.token(&json!({"kid": kid}), &claims)
    };
    assert!(one.ask(&token(&P256, "k1", a)).await.is_ok());
    assert!(one.ask(&token(&P256, "k1", b)).await.is_ok());
    assert!(one.ask(&token(&OTHER_P256, "k2", b)).await.is_ok());
    let forged = token(&OTHER_P256, "k2", a);
    assert_eq!(one.ask(&forged).await, Err(AuthenticationError::ForeignKey));
    assert!(one.keys.path().exists());
}

#[tokio::test]
async fn a_client_stands_for_the_audience() {
    use AuthenticationError as E;
    let settings = IssuerSettings {
        clients: vec!["cli".to_owned()],
        ..IssuerSettings::new("https://idp.example")
    };
    let keys = [P256.jwk(&json!({"kid": "k1"}))];
    let one = One::new(&keys, settings).await;
    for (changes, expected) in [
        (json!({"aud": null, "client_id": "cli"}), Ok(())),
        (
            json!({"aud": null, "client_id": "other"}),
            Err(E::ClientMismatch),
        ),
        (
            json!({"aud": "cli", "client_id": "cli"}),
            Err(E::AudienceMismatch),
        ),
        (json!({"client_id": "other"}), Ok(())),
        (json!({"aud": null}), Err(E::ClaimMissing(Claim::Agent))),
    ] {
        let token = P256.token(&json!({}), &claims(&changes));
        for _ in 0..2 {
            let outcome = one.ask(&token).await.map(|_| ());
            assert_eq!(outcome, expected, "{changes}");
        }
    }
    // `aud` that is null is no audience.
    let text = claims(&json!({"client_id": "cli"})).to_string();
    let text = text.replace(r#""https://h/mcp""#, "null");
    let token = P256.sign(r#"{"alg":"ES256","kid":"k1"}"#, &text);
    assert!(one.ask(&token).await.is_ok());
}

/// Whatever the use of its keys is, and whatever it is called.
#[tokio::test]
async fn an_issuer_vouches_for_the_workloads_of_its_trust_domain_alone() {
    let of_workloads = IssuerSettings {
        trust_domain: Some("example.org".to_owned()),
        ..IssuerSettings::new("https://idp.example")
    };
    let refused = Err(AuthenticationError::ClaimInvalid(Claim::Workload));
    for usage in ["jwt-svid", "sig"] {
        let keys = [P256.jwk(&json!({"kid": "k1", "use": usage}))];
        let one = One::new(&keys, of_workloads.clone()).await;
        for (id, expected) in [
            ("spiffe://example.org/w", Ok(())),
            ("spiffe://example.net/w", refused),
            ("spiffe://example.org", refused),
            ("alice", refused),
        ] {
            let token = P256.token(&json!({}), &claims(&json!({"sub": id})));
            assert_eq!(one.ask(&token).await.map(|_| ()), expected, "{usage} {id}");
        }
    }
    // A key for workloads of an unknown domain verifies nothing, and the others of its set do.
    let keys = [
        P256.jwk(&json!({"kid": "svid", "use": "jwt-svid"})),
        OTHER_P256.jwk(&json!({"kid": "k1"})),
    ];
    let one = One::new(&keys, IssuerSettings::new("https://idp.example")).await;
    let workload = claims(&json!({"sub": "spiffe://example.org/w"}));
    let by_svid = P256.token(&json!({"kid": "svid"}), &workload);
    let unknown = one.ask(&by_svid).await.map(|_| ());
    assert_eq!(unknown, Err(AuthenticationError::UnknownKey));
    assert!(
        one.ask(&OTHER_P256.token(&json!({}), &workload))
            .await
            .is_ok()
    );
    // Keys that were fetched for one are not kept for the other.
    let of_anyone = IssuerSettings::new("https://idp.example");
    assert!(!of_anyone.fetches_as(&of_workloads) && !of_workloads.has_keys_of(&of_anyone));
}

/// What an issuer demands besides is told by its name, with what the token says.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
async fn a_failure_names_the_claim_that_the_issuer_demands() {
    use AuthenticationError as E;
    let required = |path: &str, text: &str| RequiredClaim {
        path: path.to_owned(),
        values: vec![RequiredValue::Text(text.to_owned())],
    };
    let settings = IssuerSettings {
        clients: vec!["cli".to_owned()],
        required_claims: vec![required("token_use", "access"), required("a.b", "c")],
        ..of_tenants(&["a"])
    };
    let keys = [P256.jwk(&json!({"kid": "k1"}))];
    let one = One::new(&keys, settings).await;
    let rows = [
        (json!({}), None),
        (
            json!({"token_use": "id"}),
            Some((E::ClaimInvalid(Claim::Required(0)), "token_use")),
        ),
        (
            json!({"token_use": null}),
            Some((E::ClaimMissing(Claim::Required(0)), "token_use")),
        ),
        (
            json!({"a": null}),
            Some((E::ClaimMissing(Claim::Required(1)), "a.b")),
        ),
        (
            json!({"tid": "b"}),
            Some((E::ClaimInvalid(Claim::TenantId), "tid")),
        ),
        (
            json!({"aud": null}),
            Some((E::ClaimMissing(Claim::Agent), "client_id/azp/appid/cid")),
        ),
        (
            json!({"aud": null, "azp": 1}),
            Some((E::ClaimInvalid(Claim::Agent), "client_id/azp/appid/cid")),
        ),
        (
            json!({"aud": null, "azp": "x"}),
            Some((E::ClientMismatch, "client_id/azp/appid/cid")),
        ),
    ];
    for (changes, expected) in rows {
        let mut all = json!({
            "iss": "https://login.example/a/v2.0", "tid": "a", "token_use": "access", "a": {"b": "c"},
        });
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        let token = format!("Bearer {}", P256.token(&json!({}), &claims(&all)));
        let (credentials, ours) = (
            Credentials::new("/mcp", [&*token]),
            audience(&["https://h/mcp"]),
        );
        let asked = one.authenticator.authenticate(&credentials, &ours, now());
        let failure = asked.await.err();
        let told = failure.as_ref().map(|failure| {
            let name = failure.at_fault.as_deref();
            (failure.error, name.unwrap_or_default())
        });
        assert_eq!(told, expected, "{changes}");
        let Some(failure) = failure else { continue };
        let evidence = failure.evidence;
        assert!(evidence.is_verified, "{changes}");
        let issuer = evidence.issuer.as_deref();
        assert_eq!(issuer, Some("https://login.example/a/v2.0"));
        assert_eq!(evidence.subject.as_deref(), Some("alice"), "{changes}");
        assert_eq!(evidence.key_id.as_deref(), Some("k1"));
        let has_audience = all.get("aud").is_none();
        assert_eq!(!evidence.audience.is_empty(), has_audience, "{changes}");
    }
}

#[test]
fn issuers_with_the_same_iss_are_refused() {
    let file = |settings: IssuerSettings| IssuerSettings {
        source: KeySourceSettings::File("keys.json".into()),
        ..settings
    };
    let settings = AuthnSettings {
        issuers: vec![
            file(of_tenants(&["a", "b"])),
            file(IssuerSettings::new("https://login.example/b/v2.0")),
            file(of_tenants(&["c"])),
            of_tenants(&["d"]),
        ],
        ..AuthnSettings::default()
    };
    let twice = |name: &str| InvalidSettings::DuplicateIssuer(name.to_owned());
    assert_eq!(
        settings.faults(),
        [
            (1, twice("https://login.example/b/v2.0")),
            (2, twice(TEMPLATE)),
            (3, twice(TEMPLATE)),
            (3, InvalidSettings::KeysOfTenants(TEMPLATE.to_owned())),
        ]
    );
}
