//! Development keys and really signed tokens. The keys are made for a run and die with it.

use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// The issuer of every token.
pub(crate) const ISSUER: &str = "https://idp.example.com";
/// The audience of every token.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// How long tokens are valid, in seconds: longer than any run.
const LIFETIME: i64 = 24 * 3600;

/// What signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// RSA with 2048 bits.
    Rs256,
}

impl Algorithm {
    /// The name in RFC 7518, which is the key's id too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

#[derive(Debug)]
enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A key that signs tokens.
#[derive(Debug)]
struct Signer {
    algorithm: Algorithm,
    pair: Pair,
    jwk: Value,
    random: SystemRandom,
}

impl Signer {
    fn generate(algorithm: Algorithm) -> Result<Self> {
        let refused = |error| anyhow!("the key cannot be used: {error}");
        let (pair, jwk) = match algorithm {
            Algorithm::Es256 => {
                let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                let public = EncodingKey::from_ec_pem(made.serialize_pem().as_bytes())?;
                let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair =
                    EcdsaKeyPair::from_pkcs8(kind, &made.serialize_der()).map_err(refused)?;
                let jwk = Jwk::from_encoding_key(&public, jsonwebtoken::Algorithm::ES256)?;
                (Pair::Ec(pair), jwk)
            }
            Algorithm::Rs256 => {
                let made = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
                let public = EncodingKey::from_rsa_pem(made.serialize_pem().as_bytes())?;
                let pair = RsaKeyPair::from_pkcs8(&made.serialize_der()).map_err(refused)?;
                let jwk = Jwk::from_encoding_key(&public, jsonwebtoken::Algorithm::RS256)?;
                (Pair::Rsa(Box::new(pair)), jwk)
            }
        };
        let mut jwk = serde_json::to_value(jwk)?;
        let members = jwk.as_object_mut().context("a JWK is an object")?;
        members.insert("kid".to_owned(), json!(algorithm.name()));
        members.insert("alg".to_owned(), json!(algorithm.name()));
        members.insert("use".to_owned(), json!("sig"));
        Ok(Self {
            algorithm,
            pair,
            jwk,
            random: SystemRandom::new(),
        })
    }

    /// An access token (RFC 9068) for a subject of this number.
    fn token(&self, number: u64) -> Result<String> {
        let name = self.algorithm.name();
        let header = json!({"alg": name, "typ": "at+jwt", "kid": name}).to_string();
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": ISSUER, "sub": format!("user-{number:06}"), "aud": RESOURCE,
            "client_id": "agent-cli", "iat": now, "exp": now.saturating_add(LIFETIME),
            "jti": uuid::Uuid::now_v7().to_string(), "groups": ["engineering", "staff", "emea"],
            "scope": "notes:read notes:write", "org_id": "acme",
        })
        .to_string();
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |error| anyhow!("cannot sign: {error}");
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&self.random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

/// The issuer of a run.
#[derive(Debug)]
pub(crate) struct Issuer {
    ec: Signer,
    rsa: Signer,
    /// The number of the next subject; none occurs twice.
    next: u64,
}

impl Issuer {
    /// Makes new keys.
    pub(crate) fn generate() -> Result<Self> {
        Ok(Self {
            ec: Signer::generate(Algorithm::Es256)?,
            rsa: Signer::generate(Algorithm::Rs256)?,
            next: 0,
        })
    }

    /// The key set.
    pub(crate) fn jwks(&self) -> String {
        json!({"keys": [self.ec.jwk, self.rsa.jwk]}).to_string()
    }

    /// So many tokens that nobody has seen.
    pub(crate) fn tokens(&mut self, algorithm: Algorithm, count: usize) -> Result<Rc<[String]>> {
        let signer = match algorithm {
            Algorithm::Es256 => &self.ec,
            Algorithm::Rs256 => &self.rsa,
        };
        let next = &mut self.next;
        (0..count)
            .map(|_| {
                *next = next.saturating_add(1);
                signer.token(*next)
            })
            .collect()
    }
}
