use super::*;
use crate::authn::claim_settings::ListedClaims;
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
        groups: ListedClaims::First(vec!["https://acme.example/groups".into()]),
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

fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_subject_is_the_first_claim_that_says_something() {
    let missing = Err(AuthenticationError::ClaimMissing(Claim::Subject));
    let invalid = Err(AuthenticationError::ClaimInvalid(Claim::Subject));
    let rows: &[(&[&str], &str, Result<&str, AuthenticationError>)] = &[
        (&["sub"], r#"{"sub":"alice"}"#, Ok("alice")),
        (&["sub"], "{}", missing),
        (&["sub"], r#"{"sub":null}"#, missing),
        (&["sub"], r#"{"sub":""}"#, invalid),
        (&["sub"], r#"{"sub":7}"#, invalid),
        (&["sub"], r#"{"sub":["alice"]}"#, invalid),
        (&["sub"], r#"{"_claim_names":{"sub":"s"}}"#, invalid),
        (
            &["sub", "azp"],
            r#"{"sub":"alice","azp":"cli"}"#,
            Ok("alice"),
        ),
        (&["sub", "azp"], r#"{"azp":"cli"}"#, Ok("cli")),
        (&["sub", "azp"], r#"{"sub":null,"azp":"cli"}"#, Ok("cli")),
        (&["sub", "azp"], r#"{"sub":"","azp":"cli"}"#, Ok("cli")),
        (&["sub", "azp"], r#"{"sub":"","azp":""}"#, invalid),
        (&["sub", "azp"], "{}", missing),
        // What it says cannot be told, so nobody else's name takes its place.
        (&["sub", "azp"], r#"{"sub":7,"azp":"cli"}"#, invalid),
        (
            &["sub", "azp"],
            r#"{"azp":"cli","_claim_names":{"sub":"s"}}"#,
            invalid,
        ),
        (&["o.id"], r#"{"o":{"id":"a"},"o.id":"b"}"#, invalid),
        (&["ids.0"], r#"{"ids":["a","b"]}"#, Ok("a")),
        (&["ids"], r#"{"ids":["a"]}"#, invalid),
        (&["ids.id"], r#"{"ids":[{"id":"a"},{"id":"b"}]}"#, invalid),
    ];
    for (names, text, expected) in rows {
        let settings = ClaimSettings {
            subject: paths(names),
            ..ClaimSettings::default()
        };
        let outcome = subject(claims(text), "i".into(), &settings);
        let id = outcome.as_ref().map(|subject| &*subject.id);
        assert_eq!(id.map_err(|error| *error), *expected, "{names:?} {text}");
    }
}

/// What is known of a subject, and `?` where more may be unknown.
fn told(settings: &ClaimSettings, text: &str) -> [String; 5] {
    let subject = subject(claims(text), "i".into(), settings).unwrap();
    let unknown = subject.unknown;
    let mark = |text: String, is_unknown| if is_unknown { text + "?" } else { text };
    let one = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    let joined = |names: &[Arc<str>]| names.join(",");
    [
        mark(joined(&subject.groups), unknown.groups),
        mark(joined(&subject.roles), unknown.roles),
        mark(joined(&subject.scopes), unknown.scopes),
        mark(one(&subject.tenant), unknown.tenant),
        mark(one(&subject.agent), unknown.agent),
    ]
}

#[test]
fn a_claim_of_a_wrong_form_is_unknown() {
    // Groups, roles, scopes, tenant, agent.
    let rows: &[(&str, [&str; 5])] = &[
        ("{}", ["", "", "", "", ""]),
        (r#""groups":7"#, ["?", "", "", "", ""]),
        (r#""groups":["a",1,"b"]"#, ["a,b?", "", "", "", ""]),
        (r#""groups":["a",null]"#, ["a?", "", "", "", ""]),
        (r#""groups":[["a"]]"#, ["?", "", "", "", ""]),
        (r#""groups":[{"name":"a"}]"#, ["?", "", "", "", ""]),
        (r#""groups":null"#, ["", "", "", "", ""]),
        (r#""groups":[]"#, ["", "", "", "", ""]),
        (r#""groups":"""#, ["", "", "", "", ""]),
        (r#""realm_access":{"roles":1}"#, ["", "?", "", "", ""]),
        (r#""realm_access":"r""#, ["", "?", "", "", ""]),
        (r#""realm_access":{}"#, ["", "", "", "", ""]),
        (r#""scope":false"#, ["", "", "?", "", ""]),
        (r#""scope":["a b",1]"#, ["", "", "a b?", "", ""]),
        (r#""org_id":["t"]"#, ["", "", "", "?", ""]),
        (r#""org_id":{"id":"t"}"#, ["", "", "", "?", ""]),
        (r#""org_id":"""#, ["", "", "", "", ""]),
        // It is there, so no later claim takes its place.
        (r#""client_id":1,"azp":"b""#, ["", "", "", "", "?"]),
        (r#""appid":"a""#, ["", "", "", "", "a"]),
        (r#""cid":"c""#, ["", "", "", "", "c"]),
        (r#""azp":"b","appid":"a","cid":"c""#, ["", "", "", "", "b"]),
    ];
    for (text, expected) in rows {
        let text = match *text {
            "{}" => r#"{"sub":"s"}"#.to_owned(),
            members => format!(r#"{{"sub":"s",{members}}}"#),
        };
        assert_eq!(told(&ClaimSettings::default(), &text), *expected, "{text}");
    }
}

#[test]
fn names_are_members_of_an_object() {
    let settings = ClaimSettings {
        roles: ListedClaims::First(paths(&["urn:z:roles"])),
        ..ClaimSettings::default()
    };
    let rows = [
        (r#"{"admin":{"org1":"acme.example"},"user":{}}"#, "admin?"),
        (r#"{"admin":true,"user":false,"guest":null}"#, "admin"),
        ("{}", ""),
        // Who knows what these say.
        (r#"{"admin":"no","user":true}"#, "user?"),
        (r#"{"admin":0}"#, "?"),
        (r#"{"admin":[]}"#, "?"),
        (r#"{"notes":{"roles":["a"]}}"#, "?"),
    ];
    for (value, roles) in rows {
        let text = format!(r#"{{"sub":"s","urn:z:roles":{value}}}"#);
        assert_eq!(told(&settings, &text)[1], roles, "{text}");
    }
}

#[test]
fn claims_are_united_or_the_first_counts() {
    let both = paths(&["scope", "permissions"]);
    let of = |scopes| ClaimSettings {
        scopes,
        ..ClaimSettings::default()
    };
    let (first, any) = (
        of(ListedClaims::First(both.clone())),
        of(ListedClaims::Any(both)),
    );
    let rows = [
        (r#""scope":"a b","permissions":["b","c"]"#, "a,b", "a,b,c"),
        (r#""permissions":["b","c"]"#, "b,c", "b,c"),
        (r#""scope":"a""#, "a", "a"),
        (r#""x":1"#, "", ""),
        (r#""scope":"a","permissions":7"#, "a", "a?"),
        (r#""scope":7,"permissions":["b"]"#, "?", "b?"),
        (
            r#""permissions":["b"],"_claim_names":{"scope":"s"}"#,
            "?",
            "b?",
        ),
        (
            r#""scope":"a","_claim_names":{"permissions":"s"}"#,
            "a",
            "a?",
        ),
    ];
    for (members, by_first, by_any) in rows {
        let text = format!(r#"{{"sub":"s",{members}}}"#);
        assert_eq!(told(&first, &text)[2], by_first, "{text}");
        assert_eq!(told(&any, &text)[2], by_any, "{text}");
    }
}

#[test]
fn names_are_found_in_the_items_of_lists() {
    let settings = ClaimSettings {
        groups: ListedClaims::First(paths(&["orgs.groups.name"])),
        tenant: paths(&["orgs.0.id"]),
        roles: ListedClaims::Any(paths(&[
            "ra.roles",
            "resource_access.notes.example.com.roles",
        ])),
        ..ClaimSettings::default()
    };
    let text = r#"{"sub":"s","orgs":[
        {"id":"o1","groups":[{"name":"a"},{"name":"b"}]},
        {"id":"o2","groups":[{"name":"b"},{"name":"c"}]}],
        "ra":{"roles":["r1"]},"resource_access":{"notes.example.com":{"roles":["r2"]}}}"#;
    assert_eq!(told(&settings, text), ["a,b,c", "r1,r2", "", "o1", ""]);
    let text = r#"{"sub":"s","orgs":[{"groups":"a"},{"groups":[{"name":"b"}]}]}"#;
    assert_eq!(told(&settings, text), ["b?", "", "", "", ""]);
}

#[test]
fn required_claims_are_compared_exactly() {
    use crate::authn::claim_settings::{RequiredClaim, RequiredValue};
    let required = |path: &str, values: &[RequiredValue]| {
        vec![RequiredClaim {
            path: path.to_owned(),
            values: values.to_vec(),
        }]
    };
    let text = |text: &str| RequiredValue::Text(text.to_owned());
    let missing = Err(AuthenticationError::ClaimMissing(Claim::Required(0)));
    let invalid = Err(AuthenticationError::ClaimInvalid(Claim::Required(0)));
    let access = required("use", &[text("access"), text("api")]);
    let verified = required("v", &[RequiredValue::Truth(true)]);
    let named = required("orgs.name", &[text("acme")]);
    let rows = [
        (&access, r#"{"use":"access"}"#, Ok(())),
        (&access, r#"{"use":"api"}"#, Ok(())),
        (&access, r#"{"use":["id","api"]}"#, Ok(())),
        (&access, r#"{"use":"id"}"#, invalid),
        (&access, r#"{"use":"Access"}"#, invalid),
        (&access, r#"{"use":true}"#, invalid),
        (&access, r#"{"use":[]}"#, invalid),
        (&access, "{}", missing),
        (&access, r#"{"use":null}"#, missing),
        (
            &access,
            r#"{"use":"access","_claim_names":{"use":"s"}}"#,
            missing,
        ),
        (&verified, r#"{"v":true}"#, Ok(())),
        (&verified, r#"{"v":false}"#, invalid),
        (&verified, r#"{"v":"true"}"#, invalid),
        (&verified, r#"{"v":1}"#, invalid),
        (
            &named,
            r#"{"orgs":[{"name":"other"},{"name":"acme"}]}"#,
            Ok(()),
        ),
        (&named, r#"{"orgs":[{"name":"other"}]}"#, invalid),
    ];
    for (required, text, expected) in rows {
        assert_eq!(check_required(&claims(text), required), expected, "{text}");
    }
}

#[test]
fn tid_is_the_tenant_of_the_issuer() {
    let missing = Err(AuthenticationError::ClaimMissing(Claim::TenantId));
    let invalid = Err(AuthenticationError::ClaimInvalid(Claim::TenantId));
    for (text, expected) in [
        (r#"{"tid":"t"}"#, Ok(())),
        (r#"{"tid":"T"}"#, invalid),
        (r#"{"tid":["t"]}"#, invalid),
        (r#"{"tid":null}"#, missing),
        ("{}", missing),
    ] {
        assert_eq!(check_tenant(&claims(text), "t"), expected, "{text}");
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
        (r#"{"exp":1e17}"#, Ok(Some(Timestamp::MAX))),
        // Dates of this century in milliseconds, microseconds and nanoseconds.
        (r#"{"exp":946684799999}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":946684800000}"#, Err(())),
        (r#"{"exp":1795168800000}"#, Err(())),
        (r#"{"exp":1795168800000.5}"#, Err(())),
        (r#"{"exp":4102444799999}"#, Err(())),
        (r#"{"exp":4102444800000}"#, Ok(Some(Timestamp::MAX))),
        (r#"{"exp":1795168800000000}"#, Err(())),
        (r#"{"exp":1795168800000000000}"#, Err(())),
        (r#"{"exp":1e18}"#, Err(())),
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
        audience: Some(vec![]),
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
        (
            r#"{"exp":1,"aud":null}"#,
            Err(AuthenticationError::ClaimMissing(Claim::Audience)),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(audience_of(text, &[]), expected, "{text}");
    }
}

/// Whether a token of `{"sub":"a"}` and these claims is for `https://a/b` or of these clients.
fn audience_of(text: &str, clients: &[&str]) -> Result<(), AuthenticationError> {
    let accepted = ["https://a/b".to_owned()];
    let clients = paths(clients);
    let whole = claims(&text.replacen('{', r#"{"sub":"a","#, 1));
    let validity = Validity::from_claims(&whole)?;
    let subject = subject(whole, "i".into(), &ClaimSettings::default())?;
    let accepted = Accepted {
        audience: &accepted,
        clients: &clients,
    };
    validity.check_audience(accepted, &subject)
}

#[test]
fn a_client_stands_for_an_audience_only_where_there_is_none() {
    let mismatch = Err(AuthenticationError::AudienceMismatch);
    let other = Err(AuthenticationError::ClientMismatch);
    for (text, expected) in [
        (r#"{"exp":1,"client_id":"c"}"#, Ok(())),
        (r#"{"exp":1,"aud":null,"azp":"d"}"#, Ok(())),
        (r#"{"exp":1,"client_id":"e"}"#, other),
        (r#"{"exp":1,"client_id":"C"}"#, other),
        (r#"{"exp":1,"client_id":"e","azp":"c"}"#, other),
        (r#"{"exp":1,"client_id":"c","aud":"https://a/b"}"#, Ok(())),
        (r#"{"exp":1,"client_id":"e","aud":"https://a/b"}"#, Ok(())),
        (r#"{"exp":1,"client_id":"c","aud":"c"}"#, mismatch),
        (r#"{"exp":1,"client_id":"c","aud":[]}"#, mismatch),
        (r#"{"exp":1,"client_id":"c","aud":""}"#, mismatch),
        (
            r#"{"exp":1}"#,
            Err(AuthenticationError::ClaimMissing(Claim::Agent)),
        ),
        (
            r#"{"exp":1,"client_id":["c"]}"#,
            Err(AuthenticationError::ClaimInvalid(Claim::Agent)),
        ),
        (
            r#"{"exp":1,"client_id":"c","_claim_names":{"client_id":"s"}}"#,
            Err(AuthenticationError::ClaimInvalid(Claim::Agent)),
        ),
        (
            r#"{"exp":1,"client_id":"c","_claim_names":{"aud":"s"}}"#,
            Err(AuthenticationError::ClaimMissing(Claim::Audience)),
        ),
    ] {
        assert_eq!(audience_of(text, &["c", "d"]), expected, "{text}");
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
