//! Outbound HTTP: the only place where this process asks others over HTTP.
//!
//! Requests go to configured places, over https (http on loopback), without redirects or a proxy;
//! the size of an answer is bounded while it is read. A URL that another service names goes through
//! [`Reach`], so that an issuer on the Internet cannot send this process into its own network.
//!
//! To fetch a document:
//!
//! 1. [`fetchable_url`] takes the text of the setting, or refuses it: `http://idp.example` is
//!    refused, `https://idp.example/jwks` and `http://127.0.0.1:8080/jwks` are not.
//! 2. [`client`] builds a client for that URL, with its timeout and trust roots.
//! 3. [`get`] fetches the body, or says why not in words that repeat nothing of the other side but
//!    a short cause.

mod cause;
mod reach;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, StatusCode, header, redirect};
use url::{Host, Url};

use crate::file::{self, START_TIME_MAX};
use cause::{cause_of, has_cause};
use reach::LeadsInside;

pub use reach::Reach;
/// The client of [`client`] and [`get`].
pub use reqwest::Client;

/// The most bytes of a `ca_file`.
const CA_BYTES_MAX: u64 = 16 << 20;

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings<'s> {
    /// The time to connect, and the time for a request as a whole.
    pub timeout: Duration,
    /// A PEM file with trust roots, beside the system's.
    pub ca_file: Option<&'s Path>,
    /// Where names may lead; anywhere without it.
    pub reach: Option<&'s Reach>,
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClient {
    /// The `ca_file` cannot be read, or has no certificate.
    #[error("{0}")]
    CaFile(String),
    /// The client cannot be built.
    #[error("{0}")]
    Client(String),
}

/// Why a document was not fetched. Its text has no URL, and little of what the other side said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GetError {
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The name has internal addresses only, and [`Reach`] allows none.
    #[error("the name has internal addresses only")]
    LeadsInside,
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// A status other than 200.
    #[error("http status {0}")]
    Status(u16),
    /// More bytes than this.
    #[error("more than {0} bytes")]
    TooLarge(usize),
}

/// `text` as a URL that may be fetched: https, or http to a loopback host; no user name,
/// password or fragment.
#[must_use]
pub fn fetchable_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_protected = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        _ => false,
    };
    (is_plain && is_protected && url.fragment().is_none()).then_some(url)
}

/// Whether a URL names this host. `localhost` counts, as RFC 6761 §6.3 reserves it for loopback.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A client for requests to `url`. Reads the `ca_file`.
///
/// # Errors
/// [`InvalidClient`] if the file or the client is not usable.
pub fn client(url: &Url, settings: ClientSettings<'_>) -> Result<Client, InvalidClient> {
    let builder = || {
        let builder = Client::builder();
        let builder = match settings.reach {
            Some(reach) => builder.dns_resolver(Arc::new(reach.clone())),
            None => builder,
        };
        builder
            .user_agent("mcp-authz")
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(url.scheme() == "https")
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
    };
    let built = builder().tls_certs_merge(roots(settings.ca_file)?).build();
    // A host without any trust roots, such as a bare container, can do without them on loopback.
    let built = match built {
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    };
    built.map_err(|error| InvalidClient::Client(cause_of(&error)))
}

/// The certificates of a `ca_file`.
fn roots(path: Option<&Path>) -> Result<Vec<Certificate>, InvalidClient> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let place = path.to_owned();
    let read = file::within(START_TIME_MAX, move || file::read(&place, CA_BYTES_MAX));
    let text = read
        .and_then(|text| text)
        .map_err(|error| InvalidClient::CaFile(error.to_string()))?;
    let fault = |cause: &str| InvalidClient::CaFile(cause.to_owned());
    let roots =
        Certificate::from_pem_bundle(&text).map_err(|_| fault("not a PEM file of certificates"))?;
    if roots.is_empty() {
        return Err(fault("no certificate in it"));
    }
    Ok(roots)
}

/// Gets the body of a URL that answers 200.
///
/// # Errors
/// [`GetError`]; redirects are not followed.
pub async fn get(client: &Client, url: &Url, bytes_max: usize) -> Result<Vec<u8>, GetError> {
    let transport = |error: reqwest::Error| {
        if error.is_timeout() {
            GetError::TimedOut
        } else if has_cause::<LeadsInside>(&error) {
            GetError::LeadsInside
        } else {
            GetError::Transport(cause_of(&error))
        }
    };
    let request = client
        .get(url.clone())
        .header(header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(transport)?;
    if response.status() != StatusCode::OK {
        return Err(GetError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(GetError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
