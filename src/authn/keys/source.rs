//! Where key sets come from: a file, a URL, or the issuer's metadata.
//!
//! Only configured issuers are asked, over https (http on loopback), without redirects or proxy;
//! sizes are capped while reading. The time for the whole is capped by the caller.

mod reach;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{Certificate, Client, StatusCode, header, redirect};
use url::{Host, Url};

use super::FetchKeys;
use crate::authn::keyset::{InvalidKeySet, KeySet};
use crate::authn::settings::{InvalidSettings, IssuerSettings, KeySourceSettings, Settings};
use crate::authz::Value;
use crate::file::{self, Looks, ReadError, START_TIME_MAX};
use crate::json::{self, InvalidJson};
use reach::{LeadsInside, Reach};

/// Why keys could not be had. Its text has no URL and of what the other side said a little at most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::authn) enum FetchError {
    /// Longer than `fetch_timeout` as a whole.
    #[error("no answer within `fetch_timeout`")]
    TimedOut,
    /// The file cannot be read.
    #[error("cannot read `jwks_file`: {0}")]
    File(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// An answer other than 200; redirects are not followed.
    #[error("http status {0}")]
    Status(u16),
    /// More than `jwks_bytes_max`.
    #[error("document exceeds `jwks_bytes_max` = {0}")]
    TooLarge(usize),
    /// The metadata document is not acceptable JSON.
    #[error("issuer metadata: {0}")]
    Metadata(InvalidJson),
    /// The metadata document is of another issuer (RFC 8414 §3.3).
    #[error("issuer metadata names another issuer")]
    IssuerMismatch,
    /// The metadata document has no acceptable `jwks_uri`.
    #[error("issuer metadata has no `jwks_uri` that is an https URL")]
    NoKeysUrl,
    /// The metadata document of an issuer outside names a `jwks_uri` inside.
    #[error(
        "issuer metadata has a `jwks_uri` at an internal address, and the issuer is at none; \
         configure `jwks_uri` to have keys from there"
    )]
    InternalKeysUrl,
    /// The key set is not acceptable.
    #[error(transparent)]
    KeySet(#[from] InvalidKeySet),
}

/// The most bytes of a `ca_file`.
const CA_BYTES_MAX: u64 = 16 << 20;

/// The configured way to the keys of one issuer.
#[derive(Debug)]
pub(in crate::authn) struct Source {
    place: Place,
    limits: Limits,
}

#[derive(Debug)]
enum Place {
    File(PathBuf, Looks),
    Uri(Client, Url),
    Discovery {
        client: Client,
        issuer: String,
        documents: Vec<Url>,
        reach: Reach,
    },
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    document_bytes: usize,
    keys: usize,
    json_depth: usize,
}

impl Source {
    /// Builds what the settings of one issuer say. Reads `ca_file`.
    pub(in crate::authn) fn new(
        issuer: &IssuerSettings,
        settings: &Settings,
    ) -> Result<Self, InvalidSettings> {
        let name = &issuer.issuer;
        let place = match &issuer.source {
            KeySourceSettings::File(path) => {
                Place::File(path.clone(), Looks::shared(settings.fetch_timeout))
            }
            KeySourceSettings::Uri(uri) => {
                let url =
                    fetchable_url(uri).ok_or_else(|| InvalidSettings::KeysUrl(name.clone()))?;
                Place::Uri(client(issuer, settings, &url, None)?, url)
            }
            KeySourceSettings::Discovery => {
                let documents =
                    discovery_urls(name).ok_or_else(|| InvalidSettings::IssuerUrl(name.clone()))?;
                let first = documents
                    .first()
                    .ok_or_else(|| InvalidSettings::IssuerUrl(name.clone()))?;
                let reach = Reach::of(first);
                let client = client(issuer, settings, first, Some(&reach))?;
                Place::Discovery {
                    client,
                    issuer: name.clone(),
                    documents,
                    reach,
                }
            }
        };
        let limits = Limits {
            document_bytes: settings.jwks_bytes_max,
            keys: settings.jwks_keys_max,
            json_depth: settings.json_depth_max,
        };
        Ok(Self { place, limits })
    }

    /// Whether reading is cheap enough to notice changes by reading again.
    pub(in crate::authn) fn is_file(&self) -> bool {
        matches!(self.place, Place::File(..))
    }
}

impl FetchKeys for Source {
    async fn fetch(&mut self) -> Result<KeySet, FetchError> {
        let limits = self.limits;
        let text = match &self.place {
            Place::File(path, looks) => read(path, looks, limits.document_bytes).await?,
            Place::Uri(client, url) => get(client, url, limits.document_bytes).await?,
            Place::Discovery {
                client,
                issuer,
                documents,
                reach,
            } => {
                let url = discover(client, issuer, documents, limits).await?;
                if !reach.may_lead_to(&url) {
                    return Err(FetchError::InternalKeysUrl);
                }
                get(client, &url, limits.document_bytes).await?
            }
        };
        Ok(KeySet::parse(&text, limits.keys, limits.json_depth)?)
    }
}

/// `text` as a URL that keys may be fetched from: https, or http to a loopback host; no user name,
/// password or fragment.
pub(in crate::authn) fn fetchable_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_protected = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        _ => false,
    };
    (is_plain && is_protected && url.fragment().is_none()).then_some(url)
}

/// The metadata documents of an issuer, in the order to try: RFC 8414 §3.1, then `OpenID` with the
/// path inserted, then with the path in front. `None` if the issuer is no fetchable URL or has a
/// query.
pub(in crate::authn) fn discovery_urls(issuer: &str) -> Option<Vec<Url>> {
    let url = fetchable_url(issuer).filter(|url| url.query().is_none())?;
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

/// `localhost` counts, as RFC 6761 §6.3 reserves it for loopback.
pub(in crate::authn) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn client(
    issuer: &IssuerSettings,
    settings: &Settings,
    url: &Url,
    reach: Option<&Reach>,
) -> Result<Client, InvalidSettings> {
    let builder = || {
        let builder = Client::builder();
        let builder = match reach {
            Some(reach) => builder.dns_resolver(Arc::new(reach.clone())),
            None => builder,
        };
        builder
            .user_agent("mcp-authz")
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(url.scheme() == "https")
            .connect_timeout(settings.fetch_timeout)
            .timeout(settings.fetch_timeout)
    };
    let built = builder().tls_certs_merge(roots(issuer)?).build();
    // A host without any trust roots, such as a bare container, can do without them on loopback.
    let built = match built {
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    };
    built.map_err(|error| InvalidSettings::Client {
        issuer: issuer.issuer.clone(),
        cause: cause_of(&error),
    })
}

/// The certificates of `ca_file`.
fn roots(issuer: &IssuerSettings) -> Result<Vec<Certificate>, InvalidSettings> {
    let Some(path) = &issuer.ca_file else {
        return Ok(Vec::new());
    };
    let fault = |cause: String| InvalidSettings::CaFile {
        issuer: issuer.issuer.clone(),
        cause,
    };
    let place = path.clone();
    let read = file::within(START_TIME_MAX, move || file::read(&place, CA_BYTES_MAX));
    let text = read
        .and_then(|text| text)
        .map_err(|error| fault(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&text)
        .map_err(|_| fault("not a PEM file of certificates".to_owned()))?;
    if roots.is_empty() {
        return Err(fault("no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Asks the documents in turn for `jwks_uri`; the first that serves decides. Of the faults the
/// first that is more telling than a missing document is kept.
async fn discover(
    client: &Client,
    issuer: &str,
    documents: &[Url],
    limits: Limits,
) -> Result<Url, FetchError> {
    let mut fault = FetchError::NoKeysUrl;
    let mut is_telling = false;
    for document in documents {
        match discover_at(client, issuer, document, limits).await {
            Ok(url) => return Ok(url),
            Err(error @ FetchError::Transport(_)) => return Err(error),
            Err(error) if !is_telling => {
                is_telling = !matches!(error, FetchError::Status(404));
                fault = error;
            }
            Err(_) => {}
        }
    }
    Err(fault)
}

async fn discover_at(
    client: &Client,
    issuer: &str,
    document: &Url,
    limits: Limits,
) -> Result<Url, FetchError> {
    let text = get(client, document, limits.document_bytes).await?;
    let metadata = json::decode(&text, limits.json_depth).map_err(FetchError::Metadata)?;
    keys_url(&metadata, issuer, document)
}

/// `jwks_uri` of the metadata found at `document`.
fn keys_url(metadata: &Value<'_>, issuer: &str, document: &Url) -> Result<Url, FetchError> {
    if metadata.member("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(FetchError::IssuerMismatch);
    }
    // A remote issuer has no business on our loopback, least of all without TLS.
    metadata
        .member("jwks_uri")
        .and_then(Value::as_str)
        .and_then(fetchable_url)
        .filter(|url| url.scheme() == "https" || is_loopback(document))
        .ok_or(FetchError::NoKeysUrl)
}

async fn get(client: &Client, url: &Url, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let transport = |error: reqwest::Error| {
        if error.is_timeout() {
            FetchError::TimedOut
        } else if has_cause::<LeadsInside>(&error) {
            FetchError::InternalKeysUrl
        } else {
            FetchError::Transport(cause_of(&error))
        }
    };
    let request = client
        .get(url.clone())
        .header(header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(transport)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(FetchError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn read(path: &Path, looks: &Looks, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let place = path.to_owned();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let looked = looks.look(false, move || file::read(&place, most)).await;
    // Not begun: behind others that gave no answer.
    let Some(read) = looked.transpose() else {
        return Err(FetchError::TimedOut);
    };
    read.and_then(|read| read).map_err(|error| match error {
        ReadError::TooLarge(_) => FetchError::TooLarge(bytes_max),
        ReadError::Hangs(_) => FetchError::TimedOut,
        error @ (ReadError::Missing
        | ReadError::Dangling
        | ReadError::NotAFile(_)
        | ReadError::NotText
        | ReadError::Other(_)) => FetchError::File(error.to_string()),
    })
}

/// The most characters of a cause: some repeat what the other side sent.
const CAUSE_MAX: usize = 160;

/// The innermost cause, such as "connection refused"; the outer ones repeat the URL.
fn cause_of(error: &reqwest::Error) -> String {
    let Some(cause) = causes(error).last() else {
        return "http request failed".to_owned();
    };
    // Errors of I/O hide what they wrap, and may be wrapped in each other.
    let mut within = cause;
    while let Some(inner) = within
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        within = inner;
    }
    let tls = within.downcast_ref::<rustls::Error>();
    if let Some(rustls::Error::InvalidCertificate(wrong)) = tls
        && let Some(cause) = about_certificate(wrong)
    {
        return cause.to_owned();
    }
    let shown = cause.to_string();
    let plain = |character: char| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    let mut short: String = shown.chars().take(CAUSE_MAX).map(plain).collect();
    if short.len() < shown.len() {
        short.push('…');
    }
    short
}

/// Where rustls repeats what is in a certificate, the same without.
fn about_certificate(wrong: &rustls::CertificateError) -> Option<&'static str> {
    use rustls::CertificateError as Wrong;
    if matches!(
        wrong,
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }
    ) {
        return Some("invalid peer certificate: it is for another name");
    }
    if matches!(
        wrong,
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. }
    ) {
        return Some("invalid peer certificate: it is for another purpose");
    }
    None
}

/// The causes of an error, without itself.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
}

fn has_cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<E>)
}

#[cfg(test)]
mod tests;
