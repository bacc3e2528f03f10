//! An issuer with a key of each type, and tokens that it signed.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://idp.test";
pub(super) const AUDIENCE: &str = "https://mcp.test/github";

/// The types of keys: what tokens call them, how they are made, and what they are for.
const KINDS: [(&str, &rcgen::SignatureAlgorithm, &[Algorithm]); 4] = [
    ("p256", &rcgen::PKCS_ECDSA_P256_SHA256, &[Algorithm::ES256]),
    ("p384", &rcgen::PKCS_ECDSA_P384_SHA384, &[Algorithm::ES384]),
    ("ed25519", &rcgen::PKCS_ED25519, &[Algorithm::EdDSA]),
    (
        "rsa2048",
        &rcgen::PKCS_RSA_SHA256,
        &[Algorithm::RS256, Algorithm::PS256],
    ),
];

struct Key {
    id: &'static str,
    algorithms: &'static [Algorithm],
    private: EncodingKey,
    /// As it is published.
    public: Value,
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let kinds = KINDS.into_iter();
    kinds
        .map(|(id, kind, algorithms)| Key::new(id, kind, algorithms))
        .collect()
});

/// The issuer's key set.
pub(super) fn key_set() -> String {
    let keys: Vec<&Value> = KEYS.iter().map(|key| &key.public).collect();
    json!({"keys": keys}).to_string()
}

/// A token for an hour, with the claims of a usual access token.
pub(super) fn token(algorithm: Algorithm, subject: &str, group: &str) -> String {
    let key = KEYS.iter().find(|key| key.algorithms.contains(&algorithm));
    let key = key.unwrap();
    let now = Timestamp::now().as_second();
    let header = json!({"alg": format!("{algorithm:?}"), "typ": "at+jwt", "kid": key.id});
    let claims = json!({
        "iss": ISSUER,
        "sub": subject,
        "aud": AUDIENCE,
        "client_id": "cli",
        "iat": now,
        "exp": now + 3600,
        "auth_time": now,
        "jti": "0f9f2c1e-5d0f-4d1c-9a53-6c0c5d8a7d51",
        "scope": "repo:read repo:write issues:write",
        "groups": [group, "everyone", "engineering"],
        "org_id": "acme",
        "email": format!("{subject}@acme.test"),
    });
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signed = jsonwebtoken::crypto::sign(message.as_bytes(), &key.private, algorithm);
    format!("{message}.{}", signed.unwrap())
}

impl Key {
    fn new(
        id: &'static str,
        kind: &'static rcgen::SignatureAlgorithm,
        algorithms: &'static [Algorithm],
    ) -> Self {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let private = match id {
            "rsa2048" => EncodingKey::from_rsa_pem(pem.as_bytes()),
            "ed25519" => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_ec_pem(pem.as_bytes()),
        }
        .unwrap();
        let mut public = if id == "ed25519" {
            // The library cannot derive this one.
            let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "x": x})
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&private, algorithms[0]).unwrap()).unwrap()
        };
        // A key that names its algorithm is for no other.
        let members = public.as_object_mut().unwrap();
        members.retain(|name, _| !["alg", "use", "key_ops"].contains(&name.as_str()));
        members.insert("kid".to_owned(), id.into());
        Key {
            id,
            algorithms,
            private,
            public,
        }
    }
}
