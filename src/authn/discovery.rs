//! From an issuer's name to the URL of its keys, by its metadata (RFC 8414, then `OpenID` Connect
//! Discovery).

use url::Url;

use super::keys::FetchError;
use crate::authz::Value;
use crate::fetch::{self, Bearer, Client, is_loopback, url_to_fetch};
use crate::json;

/// How large a document may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentLimits {
    /// In bytes.
    pub(super) bytes_max: usize,
    /// How deep its JSON may nest.
    pub(super) json_depth_max: usize,
}

/// Whose metadata is asked for, and how.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The issuer.
    pub(super) issuer: &'a str,
    /// Where its metadata may be.
    pub(super) documents: &'a [Url],
    /// What the requests are sent with.
    pub(super) bearer: Option<&'a Bearer>,
    /// Whether the keys may come over plain http.
    pub(super) insecure_http: bool,
}

/// The metadata documents of an issuer, in the order to try: RFC 8414 §3.1, then `OpenID` with the
/// path inserted, then with the path in front. `None` if the issuer is no fetchable URL or has a
/// query. Over plain http only where that is allowed.
pub(super) fn urls(issuer: &str, insecure_http: bool) -> Option<Vec<Url>> {
    let url = url_to_fetch(issuer, insecure_http).filter(|url| url.query().is_none())?;
    let path = url.path().trim_end_matches('/');
    let mut urls: Vec<Url> = Vec::with_capacity(3);
    for document in [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ] {
        let mut url = url.clone();
        url.set_path(&document);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Some(urls)
}

/// Asks the documents in turn for `jwks_uri`; the first that serves decides. Of the faults the
/// first that is more telling than a missing document is kept.
pub(super) async fn discover(
    client: &Client,
    asked: Asked<'_>,
    limits: DocumentLimits,
) -> Result<Url, FetchError> {
    let mut fault = FetchError::NoKeysUrl;
    let mut is_telling = false;
    for document in asked.documents {
        match discover_at(client, asked, document, limits).await {
            Ok(url) => return Ok(url),
            Err(error @ (FetchError::Transport(_) | FetchError::Proxy(_))) => return Err(error),
            Err(error) if !is_telling => {
                is_telling = !matches!(error, FetchError::Status(404, _));
                fault = error;
            }
            Err(_) => {}
        }
    }
    Err(fault)
}

async fn discover_at(
    client: &Client,
    asked: Asked<'_>,
    document: &Url,
    limits: DocumentLimits,
) -> Result<Url, FetchError> {
    let text = fetch::get(client, document, limits.bytes_max, asked.bearer).await;
    let text =
        text.map_err(|error| FetchError::from(error).at(document, asked.bearer.is_some()))?;
    let metadata = json::decode(&text, limits.json_depth_max).map_err(FetchError::Metadata)?;
    keys_url(&metadata, asked, document)
}

/// `jwks_uri` of the metadata found at `document`.
fn keys_url(metadata: &Value<'_>, asked: Asked<'_>, document: &Url) -> Result<Url, FetchError> {
    let issuer = metadata.member("issuer").and_then(Value::as_str);
    if issuer != Some(asked.issuer) {
        return Err(FetchError::of_another(issuer));
    }
    let url = metadata.member("jwks_uri").and_then(Value::as_str);
    let url = url.and_then(|url| url_to_fetch(url, true));
    let url = url.ok_or(FetchError::NoKeysUrl)?;
    let is_protected = url.scheme() == "https";
    // A remote issuer has no business on our loopback, least of all without TLS.
    if is_loopback(&url) {
        let may_lead_there = is_protected || is_loopback(document);
        return may_lead_there.then_some(url).ok_or(FetchError::NoKeysUrl);
    }
    (is_protected || asked.insecure_http)
        .then_some(url)
        .ok_or(FetchError::PlainKeysUrl)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_of_an_issuer_are_at_these_urls() {
        let rows: [(&str, Option<&[&str]>); 8] = [
            (
                "https://h",
                Some(&[
                    "https://h/.well-known/oauth-authorization-server",
                    "https://h/.well-known/openid-configuration",
                ]),
            ),
            (
                "https://h/",
                Some(&[
                    "https://h/.well-known/oauth-authorization-server",
                    "https://h/.well-known/openid-configuration",
                ]),
            ),
            (
                "https://h:8443/a/b/",
                Some(&[
                    "https://h:8443/.well-known/oauth-authorization-server/a/b",
                    "https://h:8443/.well-known/openid-configuration/a/b",
                    "https://h:8443/a/b/.well-known/openid-configuration",
                ]),
            ),
            ("https://h/?a=b", None),
            ("https://h/#a", None),
            ("https://u@h/", None),
            ("http://h/", None),
            ("accounts.example", None),
        ];
        for (issuer, expected) in rows {
            let found = urls(issuer, false)
                .map(|urls| urls.iter().map(ToString::to_string).collect::<Vec<_>>());
            let expected = expected.map(|urls| urls.iter().map(ToString::to_string).collect());
            assert_eq!(found, expected, "{issuer}");
        }
    }

    #[test]
    fn only_a_loopback_issuer_may_have_its_keys_on_plain_loopback() {
        let plain = Err(FetchError::PlainKeysUrl);
        let none = Err(FetchError::NoKeysUrl);
        let rows = [
            ("https://idp", "https://keys/jwks", Ok(()), Ok(())),
            (
                "http://127.0.0.1:1",
                "http://127.0.0.1:2/jwks",
                Ok(()),
                Ok(()),
            ),
            ("http://127.0.0.1:1", "https://keys/jwks", Ok(()), Ok(())),
            (
                "https://idp",
                "http://127.0.0.1:2/jwks",
                none.clone(),
                none.clone(),
            ),
            (
                "http://idp",
                "http://127.0.0.1:2/jwks",
                none.clone(),
                none.clone(),
            ),
            ("https://idp", "http://keys/jwks", plain.clone(), Ok(())),
            (
                "http://127.0.0.1:1",
                "http://keys/jwks",
                plain.clone(),
                Ok(()),
            ),
            ("http://idp", "http://idp/jwks", plain, Ok(())),
            ("https://idp", "ftp://idp/jwks", none.clone(), none.clone()),
            ("https://idp", "https://u@idp/jwks", none.clone(), none),
        ];
        for (issuer, jwks_uri, protected, insecure) in rows {
            let text = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
            let metadata = json::decode(text.as_bytes(), 1).unwrap();
            let document = Url::parse(issuer).unwrap();
            for (insecure_http, expected) in [(false, protected), (true, insecure)] {
                let asked = Asked {
                    issuer,
                    documents: &[],
                    bearer: None,
                    insecure_http,
                };
                let outcome = keys_url(&metadata, asked, &document).map(|_| ());
                assert_eq!(outcome, expected, "{issuer} {jwks_uri} {insecure_http}");
            }
        }
    }
}
