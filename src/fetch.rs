//! Outbound HTTP: the only place where this process asks others over HTTP.
//!
//! Requests go to configured places, over https (http on loopback), without redirects; the size of
//! an answer is bounded while it is read. They go through the configured proxy or through none:
//! those of the environment are ignored. A URL that another service names goes through [`Reach`],
//! so that an issuer on the Internet cannot send this process into its own network.
//!
//! To fetch a document:
//!
//! 1. [`Outbound::open`] reads what holds for all requests: the proxy and trust roots.
//! 2. [`fetchable_url`] takes the text of the setting, or refuses it: `http://idp.example` is
//!    refused, `https://idp.example/jwks` and `http://127.0.0.1:8080/jwks` are not.
//! 3. [`Outbound::client`] builds a client for that URL, with its timeout and trust roots.
//! 4. [`get`] fetches the body, with a [`Bearer`] token where there is one, or says why not in words
//!    that repeat nothing of the other side but a short cause. [`send_request`] makes any other
//!    request, and gives the response as it comes.

mod cause;
mod proxy;
mod reach;
mod send;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, StatusCode, header, redirect};
use url::{Host, Url};

use crate::file::{self, START_TIME_MAX};
use cause::{cause_of, has_cause, proxy_fault};
use reach::{LeadsInside, OutsideHosts};

pub use proxy::{Exception, InvalidException, InvalidProxy, ProxyFault, ProxySettings, proxy_url};
pub use reach::Reach;
pub use send::{Response, send_request};

/// The most bytes of a `ca_file`.
const CA_BYTES_MAX: u64 = 16 << 20;

/// What holds for all outbound requests, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchSettings {
    /// The proxy that requests go through.
    pub proxy: Option<ProxySettings>,
    /// A PEM file with trust roots, beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// What holds for all outbound requests. By default there is no proxy, and the system's trust
/// roots count.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    settings: FetchSettings,
    proxy: Option<Arc<ProxySettings>>,
    roots: Vec<Certificate>,
    /// Shared with those before and after it.
    outside: OutsideHosts,
}

/// Why no outbound request can be made as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`fetch.ca_file`: {0}")]
pub struct InvalidOutbound(String);

/// A client for requests to one URL, and those that it leads to.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    proxy: Option<Arc<ProxySettings>>,
}

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings<'s> {
    /// The time to connect, and the time for a request as a whole.
    pub timeout: Duration,
    /// A PEM file with trust roots, beside the system's and those for all requests.
    pub ca_file: Option<&'s Path>,
    /// Where names may lead; anywhere without it.
    pub reach: Option<&'s Reach>,
    /// Whether it may be led from https to plain http.
    pub insecure_http: bool,
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
    /// The request did not get past the proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyFault),
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
    url_to_fetch(text, false)
}

/// The same, over http to any host where that is allowed.
#[must_use]
pub fn url_to_fetch(text: &str, insecure_http: bool) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let may_be_fetched = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url) || (insecure_http && url.has_host()),
        _ => false,
    };
    (is_plain && may_be_fetched && url.fragment().is_none()).then_some(url)
}

/// A token that requests are sent with. It is a secret, so it is never shown.
pub struct Bearer(header::HeaderValue);

impl Bearer {
    /// The token of a text that is nothing else (RFC 6750 §2.1).
    #[must_use]
    pub fn new(token: &[u8]) -> Option<Self> {
        let is_allowed = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
        };
        if token.is_empty() || !token.iter().all(is_allowed) {
            return None;
        }
        let mut value = header::HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
        value.set_sensitive(true);
        Some(Bearer(value))
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bearer").finish_non_exhaustive()
    }
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

impl Outbound {
    /// Reads the `ca_file`.
    ///
    /// # Errors
    /// [`InvalidOutbound`] if the file is not usable.
    pub fn open(settings: &FetchSettings) -> Result<Self, InvalidOutbound> {
        let FetchSettings { proxy, ca_file } = settings;
        Ok(Self {
            settings: settings.clone(),
            proxy: proxy.clone().map(Arc::new),
            roots: roots(ca_file.as_deref()).map_err(InvalidOutbound)?,
            outside: OutsideHosts::default(),
        })
    }

    /// The same by other settings. What is known of hosts stays known.
    ///
    /// # Errors
    /// Those of [`Outbound::open`].
    pub fn next(&self, settings: &FetchSettings) -> Result<Self, InvalidOutbound> {
        Ok(Self {
            outside: self.outside.clone(),
            ..Self::open(settings)?
        })
    }

    /// Whether it was opened by these settings.
    #[must_use]
    pub fn is_by(&self, settings: &FetchSettings) -> bool {
        self.settings == *settings
    }

    /// The way to an issuer whose metadata is at this URL.
    #[must_use]
    pub fn reach(&self, document: &Url) -> Reach {
        Reach::of(document, self.proxy.clone(), self.outside.clone())
    }

    /// A client for requests to `url`. Reads the `ca_file` of the settings.
    ///
    /// # Errors
    /// [`InvalidClient`] if the file or the client is not usable.
    pub fn client(&self, url: &Url, settings: ClientSettings<'_>) -> Result<Client, InvalidClient> {
        let builder = || {
            let builder = reqwest::Client::builder().no_proxy();
            let builder = match settings.reach {
                Some(reach) => builder.dns_resolver(Arc::new(reach.clone())),
                None => builder,
            };
            let builder = match &self.proxy {
                Some(proxy) => builder.proxy(through(proxy)),
                None => builder,
            };
            builder
                .user_agent("mcp-authz")
                .redirect(redirect::Policy::none())
                .referer(false)
                .https_only(url.scheme() == "https" && !settings.insecure_http)
                .connect_timeout(settings.timeout)
                .timeout(settings.timeout)
        };
        let mut trusted = self.roots.clone();
        trusted.extend(roots(settings.ca_file).map_err(InvalidClient::CaFile)?);
        let built = builder().tls_certs_merge(trusted).build();
        // A host without any trust roots, such as a bare container, can do without them on loopback.
        let built = match built {
            Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
            built => built,
        };
        Ok(Client {
            http: built.map_err(|error| InvalidClient::Client(cause_of(&error)))?,
            proxy: self.proxy.clone(),
        })
    }
}

/// The proxy for the requests that it serves.
fn through(proxy: &Arc<ProxySettings>) -> reqwest::Proxy {
    let proxy = Arc::clone(proxy);
    reqwest::Proxy::custom(move |url| proxy.serves(url).then(|| proxy.url.clone()))
}

/// The certificates of a `ca_file`, or what is wrong with it.
fn roots(path: Option<&Path>) -> Result<Vec<Certificate>, String> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let place = path.to_owned();
    let read = file::within(START_TIME_MAX, move || file::read(&place, CA_BYTES_MAX));
    let text = read
        .and_then(|text| text)
        .map_err(|error| error.to_string())?;
    let roots = Certificate::from_pem_bundle(&text)
        .map_err(|_| "not a PEM file of certificates".to_owned())?;
    if roots.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    Ok(roots)
}

/// Gets the body of a URL that answers 200. A token goes over https or to loopback, and nowhere else.
///
/// # Errors
/// [`GetError`]; redirects are not followed.
pub async fn get(
    client: &Client,
    url: &Url,
    bytes_max: usize,
    bearer: Option<&Bearer>,
) -> Result<Vec<u8>, GetError> {
    let by_proxy = client.proxy.as_ref().is_some_and(|proxy| proxy.serves(url));
    let transport = |error: reqwest::Error| {
        if error.is_timeout() {
            GetError::TimedOut
        } else if has_cause::<LeadsInside>(&error) {
            GetError::LeadsInside
        } else if let Some(fault) = by_proxy.then(|| proxy_fault(&error, url)).flatten() {
            GetError::Proxy(fault)
        } else {
            GetError::Transport(cause_of(&error))
        }
    };
    let request = client
        .http
        .get(url.clone())
        .header(header::ACCEPT, "application/json");
    let is_protected = url.scheme() == "https" || is_loopback(url);
    let request = match bearer.filter(|_| is_protected) {
        Some(Bearer(value)) => request.header(header::AUTHORIZATION, value.clone()),
        None => request,
    };
    let mut response = request.send().await.map_err(transport)?;
    if by_proxy && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(ProxyFault::CredentialsAsked.into());
    }
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
