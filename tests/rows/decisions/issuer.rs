//! The issuers of the tables: keys made once, and tokens really signed with them, well or badly.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// 2026-11-20T10:00:00Z, the time of every check, in seconds.
pub(super) const NOW: i64 = 1_795_168_800;

/// A token as a row describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSpec {
    /// Whose key signs it and whose issuer it names: `es256`, `rs256` or `eddsa`.
    #[serde(default = "es256")]
    key: String,
    /// Changes to the header; `null` removes.
    #[serde(default)]
    header: Map<String, Value>,
    /// Changes to the claims; `null` removes.
    #[serde(default)]
    claims: Map<String, Value>,
    /// Seconds from now.
    #[serde(default = "soon")]
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    /// So many bytes of a claim that says nothing.
    #[serde(default)]
    filler: usize,
    /// The claims as text instead, for what a map cannot say.
    claims_text: Option<String>,
    /// How the token is not what it claims to be.
    forged: Option<Forgery>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Forgery {
    /// `alg: none` without a signature.
    None,
    /// HMAC with the issuer's public key, as PEM, for a secret.
    Hs256WithPublicKey,
    /// Signed by somebody else under the issuer's key id.
    WrongKey,
    /// Signed with a key of another type under the issuer's key id.
    WrongKeyType,
    /// Signed by somebody else who brings the key along.
    EmbeddedJwk,
    /// One claim changed after signing.
    TamperedClaims,
    /// The signature cut off.
    NoSignature,
}

fn es256() -> String {
    "es256".to_owned()
}

fn soon() -> i64 {
    300
}

/// A private key with all that its issuer says about it.
struct Issuer {
    name: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
    public_pem: String,
    /// The public key as its issuer publishes it.
    jwk: Value,
}

/// The issuers with their published key sets, and one whose key nobody publishes.
static ISSUERS: LazyLock<[Issuer; 4]> = LazyLock::new(|| {
    [
        Issuer::new("es256", &rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
        Issuer::new("rs256", &rcgen::PKCS_RSA_SHA256, Algorithm::RS256),
        Issuer::new("eddsa", &rcgen::PKCS_ED25519, Algorithm::EdDSA),
        Issuer::new("stranger", &rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
    ]
});

/// Writes `es256.jwks`, `rs256.jwks` and `eddsa.jwks`; `never.jwks` is never written. `ed25519.jwks` has
/// the key of `eddsa` with `alg: Ed25519`, `svid.jwks` that of `es256` with `use: jwt-svid`.
pub(super) fn publish(directory: &Path) {
    for (file, name, member, value) in [
        ("ed25519.jwks", "eddsa", "alg", "Ed25519"),
        ("svid.jwks", "es256", "use", "jwt-svid"),
    ] {
        let mut jwk = issuer(name).jwk.clone();
        jwk[member] = value.into();
        let keys = json!({"keys": [jwk]}).to_string();
        std::fs::write(directory.join(file), keys).unwrap();
    }
    for issuer in ISSUERS.iter().filter(|issuer| issuer.name != "stranger") {
        let keys = json!({"keys": [issuer.jwk]}).to_string();
        std::fs::write(directory.join(format!("{}.jwks", issuer.name)), keys).unwrap();
    }
}

/// The key set of a provider: a key with these members, and other keys.
pub(super) fn key_set(key: &str, members: &Map<String, Value>, others: &[Value]) -> String {
    let mut key = issuer(key).jwk.clone();
    change(&mut key, members);
    let keys: Vec<&Value> = others.iter().chain([&key]).collect();
    json!({ "keys": keys }).to_string()
}

fn issuer(name: &str) -> &'static Issuer {
    ISSUERS
        .iter()
        .find(|issuer| issuer.name == name)
        .unwrap_or_else(|| panic!("no key `{name}`"))
}

impl TokenSpec {
    /// The compact form.
    pub(super) fn sign(&self) -> String {
        let issuer = issuer(&self.key);
        let mut header = json!({
            "alg": format!("{:?}", issuer.algorithm), "typ": "at+jwt", "kid": issuer.name,
        });
        let mut claims = json!({
            "iss": format!("https://{}.idp.test", issuer.name), "exp": NOW + self.exp,
        });
        for (name, offset) in [("nbf", self.nbf), ("iat", self.iat)] {
            if let Some(offset) = offset {
                claims[name] = (NOW + offset).into();
            }
        }
        if self.filler > 0 {
            claims["filler"] = "x".repeat(self.filler).into();
        }
        change(&mut claims, &self.claims);
        let mut signer = issuer;
        let mut algorithm = issuer.algorithm;
        match self.forged {
            None | Some(Forgery::TamperedClaims | Forgery::NoSignature) => {}
            Some(Forgery::None) => header["alg"] = "none".into(),
            Some(Forgery::Hs256WithPublicKey) => header["alg"] = "HS256".into(),
            Some(Forgery::WrongKey) => signer = self::issuer("stranger"),
            Some(Forgery::WrongKeyType) => {
                signer = self::issuer("rs256");
                algorithm = signer.algorithm;
                header["alg"] = "RS256".into();
            }
            Some(Forgery::EmbeddedJwk) => {
                signer = self::issuer("stranger");
                header["jwk"] = signer.jwk.clone();
            }
        }
        change(&mut header, &self.header);
        let claims = self.claims_text.clone().unwrap_or(claims.to_string());
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(&claims));
        let sign = |key: &EncodingKey, algorithm| {
            jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap()
        };
        match self.forged {
            Some(Forgery::None | Forgery::NoSignature) => format!("{message}."),
            Some(Forgery::Hs256WithPublicKey) => {
                let secret = EncodingKey::from_secret(issuer.public_pem.as_bytes());
                format!("{message}.{}", sign(&secret, Algorithm::HS256))
            }
            Some(Forgery::TamperedClaims) => {
                let signature = sign(&signer.key, algorithm);
                let other = claims.replace("alice", "admin");
                assert_ne!(other, claims);
                format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(other))
            }
            None | Some(Forgery::WrongKey | Forgery::WrongKeyType | Forgery::EmbeddedJwk) => {
                format!("{message}.{}", sign(&signer.key, algorithm))
            }
        }
    }
}

fn change(object: &mut Value, changes: &Map<String, Value>) {
    let object = object.as_object_mut().unwrap();
    for (name, value) in changes {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}

impl Issuer {
    fn new(
        name: &'static str,
        kind: &'static rcgen::SignatureAlgorithm,
        algorithm: Algorithm,
    ) -> Self {
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
        let mut jwk = if algorithm == Algorithm::EdDSA {
            // The library cannot derive this one.
            let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "x": x})
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap()
        };
        let members = jwk.as_object_mut().unwrap();
        members.retain(|name, _| !["alg", "use", "key_ops"].contains(&name.as_str()));
        members.insert("kid".to_owned(), name.into());
        let public_pem = pair.public_key_pem();
        Issuer {
            name,
            algorithm,
            key,
            public_pem,
            jwk,
        }
    }
}
