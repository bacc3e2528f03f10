//! Really signed tokens and the key sets that go with them, for tests.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use serde_json::{Value, json};

/// 2026-11-20T10:00:00Z, the time of every test, in seconds.
pub(super) const NOW: i64 = 1_795_168_800;

pub(super) fn now() -> Timestamp {
    at(0)
}

/// So many seconds after [`now`].
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// A private key, with its public half as a JWK without `kid`, `alg` and `use`.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

pub(super) static RSA: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_RSA_SHA256, Algorithm::RS256));
pub(super) static P256: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256));
pub(super) static OTHER_P256: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256));
pub(super) static P384: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::ES384));
pub(super) static ED: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_ED25519, Algorithm::EdDSA));
pub(super) static OTHER_ED: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(&rcgen::PKCS_ED25519, Algorithm::EdDSA));

/// A P-521 key, with which the library of the others does not sign.
pub(super) struct P521Signer {
    key: EcdsaKeyPair,
    jwk: Value,
}

pub(super) static P521: LazyLock<P521Signer> = LazyLock::new(P521Signer::new);

impl P521Signer {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let signing = &ECDSA_P521_SHA512_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(signing, &pair.serialize_der()).unwrap();
        let (x, y) = pair.public_key_raw()[1..].split_at(66);
        let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
        let jwk = json!({"kty": "EC", "crv": "P-521", "x": x, "y": y});
        P521Signer { key, jwk }
    }

    /// The JWK with further members.
    pub(super) fn jwk(&self, members: &Value) -> Value {
        merged(&self.jwk, members)
    }

    /// A good header with changes (`null` removes), and these claims.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let header = merged(
            &json!({"alg": "ES512", "typ": "at+jwt", "kid": "k1"}),
            header,
        );
        let parts = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = parts.join(".");
        let random = SystemRandom::new();
        let signature = self.key.sign(&random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Signer {
    fn new(kind: &'static rcgen::SignatureAlgorithm, algorithm: Algorithm) -> Self {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let key = match algorithm.family() {
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem.as_bytes()),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem.as_bytes()),
            AlgorithmFamily::Rsa | AlgorithmFamily::Hmac => {
                EncodingKey::from_rsa_pem(pem.as_bytes())
            }
        }
        .unwrap();
        let jwk = if algorithm == Algorithm::EdDSA {
            // The library cannot derive this one.
            let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "x": x})
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap()
        };
        let removed = json!({"kid": null, "alg": null, "use": null, "key_ops": null});
        let jwk = merged(&jwk, &removed);
        Self {
            algorithm,
            key,
            jwk,
        }
    }

    /// The JWK with further members.
    pub(super) fn jwk(&self, members: &Value) -> Value {
        merged(&self.jwk, members)
    }

    /// Signs header and claims as they are, with `algorithm`.
    pub(super) fn sign_as(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// Signs header and claims as they are.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_as(self.algorithm, header, claims)
    }

    /// A good header with changes (`null` removes), and these claims.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let name = format!("{:?}", self.algorithm);
        let header = merged(&json!({"alg": name, "typ": "at+jwt", "kid": "k1"}), header);
        self.sign(&header.to_string(), &claims.to_string())
    }
}

/// Claims that every test accepts, with changes (`null` removes).
pub(super) fn claims(changes: &Value) -> Value {
    let good = json!({
        "iss": "https://idp.example", "sub": "alice", "aud": "https://h/mcp",
        "exp": NOW + 300, "nbf": NOW - 10, "iat": NOW - 10, "scope": "read",
    });
    merged(&good, changes)
}

pub(super) fn merged(good: &Value, changes: &Value) -> Value {
    let mut merged = good.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            merged.remove(name);
        } else {
            merged.insert(name.clone(), value.clone());
        }
    }
    Value::Object(merged)
}

/// A JWK Set of these keys.
pub(super) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}
