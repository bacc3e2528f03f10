use serde_json::{Value as Json, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::authn::fixtures::{ED, OTHER_P256, P256, P384, P521, RSA, jwks};
use crate::json::InvalidJson;

fn parse(keys: &[Json]) -> Result<KeySet, InvalidKeySet> {
    KeySet::parse(jwks(keys).as_bytes(), ANY)
}

const ANY: Acceptable = Acceptable {
    keys_max: 100,
    json_depth_max: 64,
    workloads: true,
};

/// The algorithms for which the set has a key of that id.
fn usable(set: &KeySet, id: &str) -> Vec<&'static str> {
    SignatureAlgorithm::ALL
        .into_iter()
        .filter(|algorithm| set.candidates(Some(id), *algorithm).is_ok())
        .map(SignatureAlgorithm::name)
        .collect()
}

#[test]
fn a_key_is_for_the_algorithms_that_its_members_permit() {
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let id = json!({"kid": "k"});
    let with = |members: Json| crate::authn::fixtures::merged(&id, &members);
    let rows: Vec<(Json, &[&str])> = vec![
        (RSA.jwk(&id), &rsa),
        (P256.jwk(&id), &["ES256"]),
        (P384.jwk(&id), &["ES384"]),
        (P521.jwk(&id), &["ES512"]),
        (ED.jwk(&id), &["EdDSA"]),
        (ED.jwk(&with(json!({"alg": "Ed25519"}))), &["EdDSA"]),
        (ED.jwk(&with(json!({"alg": "EdDSA"}))), &["EdDSA"]),
        (
            P256.jwk(&with(
                json!({"alg": null, "use": null, "key_ops": null, "d": null, "issuer": null}),
            )),
            &["ES256"],
        ),
        (P256.jwk(&with(json!({"use": "jwt-svid"}))), &["ES256"]),
        (RSA.jwk(&with(json!({"alg": "PS256"}))), &["PS256"]),
        (
            RSA.jwk(&with(json!({"use": "sig", "key_ops": ["verify"]}))),
            &rsa,
        ),
    ];
    for (key, expected) in rows {
        assert_eq!(
            usable(&parse(std::slice::from_ref(&key)).unwrap(), "k"),
            expected,
            "{key}"
        );
    }
}

#[test]
fn keys_that_cannot_verify_are_left_out_and_counted() {
    let weak = URL_SAFE_NO_PAD.encode([0xff; 255]);
    let huge = URL_SAFE_NO_PAD.encode([0xff; 1025]);
    let strong = URL_SAFE_NO_PAD.encode([0xff; 256]);
    let off_curve = URL_SAFE_NO_PAD.encode([1; 32]);
    let bad = [
        RSA.jwk(&json!({"use": "enc"})),
        RSA.jwk(&json!({"use": 1})),
        RSA.jwk(&json!({"key_ops": ["encrypt"]})),
        RSA.jwk(&json!({"key_ops": "verify"})),
        RSA.jwk(&json!({"alg": "RSA-OAEP"})),
        RSA.jwk(&json!({"alg": "ES256"})),
        RSA.jwk(&json!({"alg": "HS256"})),
        RSA.jwk(&json!({"alg": "none"})),
        RSA.jwk(&json!({"kid": 1})),
        RSA.jwk(&json!({"kty": "EC"})),
        RSA.jwk(&json!({"kty": "rsa"})),
        RSA.jwk(&json!({"d": "AQAB"})),
        RSA.jwk(&json!({"n": "!"})),
        RSA.jwk(&json!({"e": null})),
        P256.jwk(&json!({"crv": "P-384"})),
        P256.jwk(&json!({"crv": "P-521"})),
        P256.jwk(&json!({"crv": "secp256k1"})),
        P256.jwk(&json!({"alg": "Ed25519"})),
        P256.jwk(&json!({"use": "x509-svid"})),
        P521.jwk(&json!({"x": "AQ"})),
        P521.jwk(&json!({"alg": "ES384"})),
        ED.jwk(&json!({"alg": "Ed448"})),
        RSA.jwk(&json!({"p": "AQAB"})),
        P256.jwk(&json!({"x": "AQ"})),
        P256.jwk(&json!({"x": off_curve})),
        ED.jwk(&json!({"crv": "Ed448"})),
        ED.jwk(&json!({"x": "AQ"})),
        json!({"kty": "RSA", "n": weak, "e": "AQAB"}),
        json!({"kty": "RSA", "n": huge, "e": "AQAB"}),
        json!({"kty": "RSA", "n": strong, "e": "AQ"}),
        json!({"kty": "RSA", "n": strong, "e": "Ag"}),
        json!({"kty": "RSA", "n": strong, "e": "AQAAAAE"}),
        json!({"kty": "oct", "k": "AQAB"}),
        json!({"kty": "oct", "k": "AQAB", "alg": "HS256"}),
        json!({"kty": "new"}),
        json!({}),
    ];
    for key in &bad {
        let alone = parse(std::slice::from_ref(key));
        assert_eq!(
            alone,
            Err(InvalidKeySet::NoUsableKey { skipped: 1 }),
            "{key}"
        );
    }
    let mut all = bad.to_vec();
    all.push(ED.jwk(&json!({"kid": "k"})));
    let set = parse(&all).unwrap();
    assert_eq!((set.len(), set.skipped), (1, bad.len()));
}

#[test]
fn each_key_that_is_left_out_has_its_reason() {
    let modulus = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
    let rsa = |bytes| json!({"kty": "RSA", "n": modulus(bytes), "e": "AQAB"});
    let same = P256.jwk(&json!({"kid": "same"}));
    let shared = |n: u8| {
        let mut modulus = [0xff; 256];
        modulus[255] = n;
        json!({"kty": "RSA", "kid": "s", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
    };
    let rows = [
        (json!({"kty": "oct", "k": "AQAB"}), UnusableKey::Symmetric),
        (RSA.jwk(&json!({"d": "AQAB"})), UnusableKey::Private),
        (ED.jwk(&json!({"d": "AQAB"})), UnusableKey::Private),
        (RSA.jwk(&json!({"qi": "AQAB"})), UnusableKey::Private),
        (rsa(128), UnusableKey::TooSmall(1024)),
        (rsa(255), UnusableKey::TooSmall(2040)),
        (rsa(1025), UnusableKey::TooLarge(8200)),
        (
            json!({"kty": "RSA", "n": modulus(256), "e": "Ag"}),
            UnusableKey::Exponent,
        ),
        (RSA.jwk(&json!({"use": "enc"})), UnusableKey::Usage),
        (P256.jwk(&json!({"use": "x509-svid"})), UnusableKey::Usage),
        (
            RSA.jwk(&json!({"key_ops": ["encrypt"]})),
            UnusableKey::Usage,
        ),
        (RSA.jwk(&json!({"alg": "RSA-OAEP"})), UnusableKey::Algorithm),
        (P256.jwk(&json!({"alg": "RS256"})), UnusableKey::Algorithm),
        (json!({"kty": "AKP"}), UnusableKey::Type),
        (P256.jwk(&json!({"crv": "secp256k1"})), UnusableKey::Curve),
        (ED.jwk(&json!({"crv": "X25519"})), UnusableKey::Curve),
        (json!({}), UnusableKey::Malformed),
        (P256.jwk(&json!({"x": "AQ"})), UnusableKey::Malformed),
        (same.clone(), UnusableKey::Twice),
        (shared(11), UnusableKey::TooManyOfOneId),
    ];
    let mut keys = vec![same];
    keys.extend([1, 3, 5, 7].map(shared));
    let good = keys.len();
    keys.extend(rows.iter().map(|(key, _)| key.clone()));
    let (left_out, ids) = inspect(jwks(&keys).as_bytes(), ANY).unwrap();
    let found: Vec<_> = left_out.iter().map(|key| (key.number, key.fault)).collect();
    let expected: Vec<_> = (good + 1..)
        .zip(rows.iter().map(|(_, fault)| *fault))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(ids, ["s"]);
}

#[test]
fn a_set_as_a_whole_is_refused() {
    let rows: &[(&str, InvalidKeySet)] = &[
        ("", InvalidKeySet::Json(InvalidJson::Syntax)),
        ("<html>", InvalidKeySet::Json(InvalidJson::Syntax)),
        (
            r#"{"keys":[],"keys":[]}"#,
            InvalidKeySet::Json(InvalidJson::DuplicateKey),
        ),
        (
            r#"{"keys":[{"kid":"a","kid":"b"}]}"#,
            InvalidKeySet::Json(InvalidJson::DuplicateKey),
        ),
        (
            r#"{"keys":[{"a":[[]]}]}"#,
            InvalidKeySet::Json(InvalidJson::TooDeep),
        ),
        ("[]", InvalidKeySet::BareArray),
        ("[{}]", InvalidKeySet::BareArray),
        ("{}", InvalidKeySet::Shape),
        (r#"{"keys":{}}"#, InvalidKeySet::Shape),
        (r#"{"keys":["a"]}"#, InvalidKeySet::Shape),
        (r#"{"keys":[]}"#, InvalidKeySet::Empty),
        (
            r#"{"keys":[{}]}"#,
            InvalidKeySet::NoUsableKey { skipped: 1 },
        ),
        (
            r#"{"keys":[{},{},{}]}"#,
            InvalidKeySet::TooManyKeys { count: 3, limit: 2 },
        ),
    ];
    for (text, fault) in rows {
        assert_eq!(
            KeySet::parse(
                text.as_bytes(),
                Acceptable {
                    keys_max: 2,
                    json_depth_max: 4,
                    workloads: true
                }
            ),
            Err(fault.clone()),
            "{text}"
        );
    }
}

#[test]
fn keys_are_chosen_by_id_and_only_without_one_by_algorithm() {
    use AuthenticationError::{AlgorithmNotAllowed, AmbiguousKey, UnknownKey};
    use SignatureAlgorithm::{EdDsa, Es256, Es384, Rs256};
    let set = parse(&[
        P256.jwk(&json!({"kid": "a"})),
        OTHER_P256.jwk(&json!({"kid": "b"})),
        RSA.jwk(&json!({"kid": "b"})),
        ED.jwk(&json!({})),
    ])
    .unwrap();
    let rows = [
        (Some("a"), Es256, Ok(1)),
        (Some("b"), Es256, Ok(1)),
        (Some("b"), Rs256, Ok(1)),
        (Some("a"), Rs256, Err(AlgorithmNotAllowed)),
        (Some("b"), EdDsa, Err(AlgorithmNotAllowed)),
        (Some("c"), Es256, Err(UnknownKey)),
        (Some("A"), Es256, Err(UnknownKey)),
        (Some(""), EdDsa, Err(UnknownKey)),
        (None, EdDsa, Ok(1)),
        (None, Es256, Err(AmbiguousKey)),
        (None, Es384, Err(UnknownKey)),
    ];
    for (id, algorithm, expected) in rows {
        let found = set.candidates(id, algorithm).map(|keys| keys.len());
        assert_eq!(found, expected, "{id:?} {algorithm:?}");
    }
}

#[test]
fn equal_keys_count_once_and_keys_of_one_id_are_bounded() {
    let same = P256.jwk(&json!({"kid": "a"}));
    let set = parse(&[same.clone(), same]).unwrap();
    assert_eq!((set.len(), set.skipped), (1, 1));
    let modulus = |last: u8| {
        let mut modulus = [0xff; 256];
        modulus[255] = last;
        json!({"kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
    };
    let set = parse(&[1, 3, 5, 7, 9, 11].map(modulus)).unwrap();
    assert_eq!((set.len(), set.skipped), (4, 2));
}

#[test]
fn a_key_is_in_the_set_only_with_its_id_and_algorithm() {
    let set = |members: Json| parse(&[RSA.jwk(&members)]).unwrap();
    let was = set(json!({"kid": "a"}));
    let key = was
        .candidates(Some("a"), SignatureAlgorithm::Rs256)
        .unwrap()[0]
        .thumbprint;
    let rows = [
        (json!({"kid": "a"}), true),
        (json!({"kid": "a", "alg": "RS256"}), true),
        (json!({"kid": "a", "alg": "RS512"}), false),
        (json!({"kid": "b"}), false),
        (json!({}), false),
    ];
    for (members, expected) in rows {
        let is_there = set(members.clone()).has(&key, SignatureAlgorithm::Rs256);
        assert_eq!(is_there, expected, "{members}");
    }
    assert!(
        !parse(&[P256.jwk(&json!({"kid": "a"}))])
            .unwrap()
            .has(&key, SignatureAlgorithm::Es256)
    );
}
