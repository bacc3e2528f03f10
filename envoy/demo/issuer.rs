//! A development issuer: a key made at start, its metadata, and tokens for a fixed cast.
//!
//! It hands a token to anyone who asks. It exists so that `envoy/up` needs no identity provider,
//! and must never be reachable by anyone else: it listens on loopback only.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

/// How long a token from `/token` is valid, in seconds.
const TOKEN_LIFETIME: i64 = 3600;

/// The key's id in the key set and in each token's header.
const KEY_ID: &str = "demo-1";

/// The OAuth client that every token is issued to.
pub(crate) const CLIENT_ID: &str = "demo-client";

/// Somebody the issuer knows.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    /// The token's `sub`.
    pub(crate) name: &'static str,
    /// The token's `groups`.
    pub(crate) groups: &'static [&'static str],
}

/// May read and write notes, and delete them with the scope for it.
pub(crate) const ALICE: Person = Person {
    name: "alice",
    groups: &["engineering"],
};
/// May read notes.
pub(crate) const BOB: Person = Person {
    name: "bob",
    groups: &["support"],
};
/// Has a good token, and no rule that serves her.
pub(crate) const MALLORY: Person = Person {
    name: "mallory",
    groups: &[],
};

/// What a token says besides who it is for.
pub(crate) struct Grant<'a> {
    /// The token's `aud`.
    pub(crate) audience: &'a str,
    /// The token's `scope`, separated by blanks.
    pub(crate) scope: &'a str,
    /// Seconds from now to `exp`; negative for a token that has expired.
    pub(crate) lifetime: i64,
}

/// The key and the name under which tokens are issued.
pub(crate) struct Issuer {
    url: String,
    key: EncodingKey,
    jwks: String,
}

impl Issuer {
    /// Makes a new P-256 key. `url` is the exact `iss`.
    pub(crate) fn generate(url: String) -> Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes())?;
        // An uncompressed point (SEC 1 §2.3.3): 4, then 32 bytes each of x and y.
        let (x, y) = pair
            .public_key_raw()
            .strip_prefix(&[4])
            .and_then(|point| point.split_at_checked(32))
            .context("the public key is not an uncompressed P-256 point")?;
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        Ok(Self {
            url,
            key,
            jwks: json!({"keys": [jwk]}).to_string(),
        })
    }

    /// A signed access token (RFC 9068) for `person`.
    pub(crate) fn token(&self, person: Person, grant: &Grant<'_>) -> Result<String> {
        let now = jiff::Timestamp::now().as_second();
        let expires = now.saturating_add(grant.lifetime);
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let claims = json!({
            "iss": self.url, "sub": person.name, "aud": grant.audience, "client_id": CLIENT_ID,
            "iat": now.min(expires), "exp": expires, "jti": uuid::Uuid::now_v7().to_string(),
            "groups": person.groups, "scope": grant.scope,
        });
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }

    /// Metadata that serves RFC 8414 and `OpenID` discovery at once.
    fn metadata(&self) -> String {
        let url = &self.url;
        json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"),
            "token_endpoint": format!("{url}/token"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [], "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["none"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
        .to_string()
    }

    /// Answers a token request. Besides the members of RFC 6749 §4.4 and RFC 8707 it reads
    /// `subject`, one of the cast, since there is nobody to log in.
    fn answer(&self, form: &[u8]) -> Result<Response> {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(form).into_owned().collect();
        let member = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if member("grant_type") != "client_credentials" {
            return Ok(refuse("unsupported_grant_type"));
        }
        if member("resource").is_empty() {
            return Ok(refuse("invalid_target"));
        }
        let cast = [ALICE, BOB, MALLORY];
        let Some(person) = cast
            .into_iter()
            .find(|person| person.name == member("subject"))
        else {
            return Ok(refuse("invalid_request"));
        };
        let scope = member("scope");
        let grant = Grant {
            audience: member("resource"),
            scope,
            lifetime: TOKEN_LIFETIME,
        };
        let body = json!({
            "access_token": self.token(person, &grant)?, "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME, "scope": scope,
        });
        Ok(reply(StatusCode::OK, body.to_string()))
    }
}

/// The issuer as an HTTP service.
pub(crate) fn router(issuer: Arc<Issuer>) -> Router {
    let metadata = issuer.metadata();
    let keys = issuer.jwks.clone();
    let document = |body: String| get(move || async move { reply(StatusCode::OK, body) });
    Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            document(metadata.clone()),
        )
        .route("/.well-known/openid-configuration", document(metadata))
        .route("/jwks", document(keys))
        .route(
            "/token",
            post(move |form: Bytes| async move {
                issuer.answer(&form).unwrap_or_else(|_| {
                    let body = json!({"error": "server_error"}).to_string();
                    reply(StatusCode::INTERNAL_SERVER_ERROR, body)
                })
            }),
        )
}

/// An error of RFC 6749 §5.2.
fn refuse(error: &'static str) -> Response {
    reply(StatusCode::BAD_REQUEST, json!({"error": error}).to_string())
}

/// A JSON document that must not be cached.
fn reply(status: StatusCode, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
