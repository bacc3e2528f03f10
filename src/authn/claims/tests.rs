use super::*;
use crate::json;

fn claims(text: &str) -> Value<'static> {
    json::decode(text.as_bytes(), 16).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn claims_become_the_subject() {
    let settings = ClaimSettings {
        groups: vec!["https://acme.example/groups".into()],
        roles: vec!["realm_access.roles".into()],
        tenant: vec!["a.b.c".into()],
        ..ClaimSettings::default()
    };
    let claims = claims(
        r#"{"sub":"alice","https://acme.example/groups":["a b","a b","","c"],"azp":"cli",
            "client_id":null,"realm_access":{"roles":"Platform Admins"},"a.b":{"c":"t"},
            "scope":"read  write read","scp":["x"]}"#,
    );
    let subject = subject(claims.clone(), "i".into(), &settings).unwrap();
    assert_eq!(
        subject,
        Subject {
            issuer: "i".into(),
            id: "alice".into(),
            agent: Some("cli".into()),
            groups: vec!["a b".into(), "c".into()],
            roles: vec!["Platform Admins".into()],
            scopes: vec!["read".into(), "write".into()],
            tenant: Some("t".into()),
            device: None,
            claims,
            unknown: UnknownFacts::default(),
        }
    );
}

#[test]
fn claims_of_a_wrong_type_are_refused() {
    let invalid = |claim| AuthenticationError::ClaimInvalid(claim);
    let rows = [
        (r"{}", AuthenticationError::ClaimMissing(Claim::Subject)),
        (
            r#"{"sub":null}"#,
            AuthenticationError::ClaimMissing(Claim::Subject),
        ),
        (r#"{"sub":""}"#, invalid(Claim::Subject)),
        (r#"{"sub":7}"#, invalid(Claim::Subject)),
        (r#"{"sub":"a","groups":{"a":true}}"#, invalid(Claim::Groups)),
        (r#"{"sub":"a","groups":["a",1]}"#, invalid(Claim::Groups)),
        (
            r#"{"sub":"a","realm_access":{"roles":1}}"#,
            invalid(Claim::Roles),
        ),
        (r#"{"sub":"a","org_id":["t"]}"#, invalid(Claim::Tenant)),
        (
            r#"{"sub":"a","client_id":1,"azp":"b"}"#,
            invalid(Claim::Agent),
        ),
        (r#"{"sub":"a","scope":false}"#, invalid(Claim::Scopes)),
    ];
    for (text, error) in rows {
        let outcome = subject(claims(text), "i".into(), &ClaimSettings::default());
        assert_eq!(outcome, Err(error), "{text}");
    }
}

#[test]
fn dates_are_numbers_from_1970_on() {
    let rows = [
        (
            r#"{"exp":1.5}"#,
            Ok(Some(Timestamp::from_millisecond(1500).unwrap())),
        ),
        (r#"{"exp":0}"#, Ok(Some(at(0)))),
        (r#"{"exp":253402207200}"#, Ok(Some(at(253_402_207_200)))),
        (r"{}", Ok(None)),
        (r#"{"exp":null}"#, Ok(None)),
        (r#"{"exp":-1}"#, Err(())),
        (r#"{"exp":-0.5}"#, Err(())),
        (r#"{"exp":"1"}"#, Err(())),
        (r#"{"exp":true}"#, Err(())),
        // The end of 9999, and later.
        (r#"{"exp":253402300799}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":253402300799.5}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":253402300800}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":9007199254740991}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":9223372036854775807}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":1e18}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":9223372036854775808}"#, Err(())),
        (r#"{"exp":18446744073709551615}"#, Err(())),
        (r#"{"exp":1e19}"#, Err(())),
        (r#"{"exp":1e300}"#, Err(())),
        (r#"{"exp":-9223372036854775808}"#, Err(())),
        (r#"{"exp":-1e18}"#, Err(())),
    ];
    for (text, expected) in rows {
        let expected = expected.map_err(|()| AuthenticationError::ClaimInvalid(Claim::Expiry));
        assert_eq!(
            timestamp(&claims(text), "exp", Claim::Expiry),
            expected,
            "{text}"
        );
    }
}

#[test]
fn time_is_checked_with_leeway_to_the_second() {
    let validity = Validity {
        audience: vec![],
        expires_at: at(1000),
        not_before: Some(at(100)),
        issued_at: Some(at(200)),
    };
    let rows = [
        (69, Err(AuthenticationError::TokenNotYetValid)),
        (70, Err(AuthenticationError::IssuedInFuture)),
        (169, Err(AuthenticationError::IssuedInFuture)),
        (170, Ok(())),
        (1029, Ok(())),
        (1030, Err(AuthenticationError::TokenExpired)),
    ];
    for (now, expected) in rows {
        assert_eq!(
            validity.check_time(at(now), Duration::from_secs(30)),
            expected,
            "{now}"
        );
    }
}

#[test]
fn audiences_are_compared_exactly() {
    let rows = [
        (r#"{"aud":"https://a/b","exp":1}"#, Ok(())),
        (r#"{"aud":["x","https://a/b"],"exp":1}"#, Ok(())),
        (
            r#"{"aud":"https://a/b/","exp":1}"#,
            Err(AuthenticationError::AudienceMismatch),
        ),
        (
            r#"{"aud":"https://A/b","exp":1}"#,
            Err(AuthenticationError::AudienceMismatch),
        ),
        (
            r#"{"aud":"https://a","exp":1}"#,
            Err(AuthenticationError::AudienceMismatch),
        ),
        (
            r#"{"aud":[],"exp":1}"#,
            Err(AuthenticationError::AudienceMismatch),
        ),
        (
            r#"{"aud":"","exp":1}"#,
            Err(AuthenticationError::AudienceMismatch),
        ),
        (
            r#"{"aud":["https://a/b",1],"exp":1}"#,
            Err(AuthenticationError::ClaimInvalid(Claim::Audience)),
        ),
        (
            r#"{"exp":1}"#,
            Err(AuthenticationError::ClaimMissing(Claim::Audience)),
        ),
    ];
    for (text, expected) in rows {
        let outcome = Validity::from_claims(&claims(text))
            .and_then(|validity| validity.check_audience(&["https://a/b".to_owned()]));
        assert_eq!(outcome, expected, "{text}");
    }
}

#[test]
fn a_claim_after_one_that_is_left_out_is_not_the_first() {
    let settings = ClaimSettings {
        tenant: vec!["tid".to_owned(), "org".to_owned()],
        ..ClaimSettings::default()
    };
    let subject = |text| subject(claims(text), "i".into(), &settings).unwrap();
    let left_out = subject(r#"{"sub":"a","org":"acme","_claim_names":{"tid":"src1"}}"#);
    assert_eq!((left_out.tenant, left_out.unknown.tenant), (None, true));
    let told = subject(r#"{"sub":"a","org":"acme"}"#);
    assert_eq!(
        (told.tenant.as_deref(), told.unknown.tenant),
        (Some("acme"), false)
    );
}
