//! Where key sets come from: a file, a URL, or the issuer's metadata.
//!
//! The caller bounds the time of a whole fetch.

use std::path::{Path, PathBuf};

use url::Url;

use super::fetch::{FetchError, FetchKeys};
use super::set::{self, Acceptable, KeySet, LeftOut};
use super::token_file::{LookError, TokenFile, look};
use crate::authn::discovery::{self, DocumentLimits};
use crate::authn::issuer_name;
use crate::authn::settings::{AuthnSettings, InvalidSettings, IssuerSettings, KeySourceSettings};
use crate::fetch::{
    self, Bearer, Client, ClientSettings, GetError, InvalidClient, Outbound, Reach, url_to_fetch,
};
use crate::file::Looks;

/// The configured way to the keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySource {
    place: KeyPlace,
    /// What its requests are sent with.
    token: Option<TokenFile>,
    /// Whether requests may be unprotected.
    insecure_http: bool,
    limits: DocumentLimits,
    acceptable: Acceptable,
}

#[derive(Debug)]
enum KeyPlace {
    File(PathBuf, Looks),
    Uri(Client, Url),
    Discovery {
        client: Client,
        issuer: String,
        documents: Vec<Url>,
        reach: Reach,
    },
}

impl KeySource {
    /// Builds what the settings of one issuer say. Reads `ca_file`.
    pub(super) fn new(
        issuer: &IssuerSettings,
        settings: &AuthnSettings,
        outbound: &Outbound,
    ) -> Result<Self, InvalidSettings> {
        let name = &issuer.issuer;
        let place = match &issuer.source {
            KeySourceSettings::File(path) => {
                KeyPlace::File(path.clone(), Looks::shared(settings.fetch_timeout))
            }
            KeySourceSettings::Uri(uri) => {
                let url = url_to_fetch(uri, issuer.insecure_http)
                    .ok_or_else(|| InvalidSettings::KeysUrl(name.clone()))?;
                KeyPlace::Uri(client(issuer, settings, outbound, (&url, None))?, url)
            }
            KeySourceSettings::Discovery => {
                let documents = issuer_name::metadata_base(name)
                    .and_then(|base| discovery::urls(&base, issuer.insecure_http))
                    .ok_or_else(|| InvalidSettings::IssuerUrl(name.clone()))?;
                let first = documents
                    .first()
                    .ok_or_else(|| InvalidSettings::IssuerUrl(name.clone()))?;
                let reach = outbound.reach(first);
                let client = client(issuer, settings, outbound, (first, Some(&reach)))?;
                KeyPlace::Discovery {
                    client,
                    issuer: name.clone(),
                    documents,
                    reach,
                }
            }
        };
        let token = issuer.token_file.as_deref();
        Ok(Self {
            place,
            token: token.map(|path| TokenFile::new(path, settings)),
            insecure_http: issuer.insecure_http,
            limits: DocumentLimits {
                bytes_max: settings.jwks_bytes_max,
                json_depth_max: settings.json_depth_max,
            },
            acceptable: Acceptable {
                keys_max: settings.jwks_keys_max,
                json_depth_max: settings.json_depth_max,
                workloads: issuer.workloads().is_some(),
            },
        })
    }

    /// Whether reading is cheap enough to notice changes by reading again.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, KeyPlace::File(..))
    }
}

impl KeySource {
    /// The keys of its file that are left out, and each `kid` that several have.
    pub(super) async fn inspect(&self) -> Result<(Vec<LeftOut>, Vec<String>), FetchError> {
        let text = self.file().await?;
        Ok(set::inspect(&text, self.acceptable)?)
    }

    /// The keys of its file.
    pub(super) async fn usable(&self) -> Result<KeySet, FetchError> {
        let text = self.file().await?;
        self.keys(&text)
    }

    async fn file(&self) -> Result<Vec<u8>, FetchError> {
        match &self.place {
            KeyPlace::File(path, looks) => read(path, looks, self.limits.bytes_max).await,
            KeyPlace::Uri(..) | KeyPlace::Discovery { .. } => Err(FetchError::NoKeysUrl),
        }
    }

    fn keys(&self, text: &[u8]) -> Result<KeySet, FetchError> {
        Ok(KeySet::parse(text, self.acceptable)?)
    }

    /// Gets the keys from a URL.
    async fn get(
        &self,
        client: &Client,
        url: &Url,
        bearer: Option<&Bearer>,
    ) -> Result<KeySet, GetOrReadError> {
        let text = fetch::get(client, url, self.limits.bytes_max, bearer).await;
        let text = text.map_err(GetOrReadError::Get)?;
        let keys = self.keys(&text).map_err(GetOrReadError::Read)?;
        Ok(keys.fetched_at(url))
    }
}

/// Why there are no keys at a URL.
enum GetOrReadError {
    Get(GetError),
    Read(FetchError),
}

impl From<GetOrReadError> for FetchError {
    fn from(error: GetOrReadError) -> Self {
        match error {
            GetOrReadError::Get(error) => error.into(),
            GetOrReadError::Read(error) => error,
        }
    }
}

impl FetchKeys for KeySource {
    async fn fetch(&mut self) -> Result<KeySet, FetchError> {
        let bearer = match &self.token {
            Some(file) => Some(file.read().await?),
            None => None,
        };
        let bearer = bearer.as_ref();
        match &self.place {
            KeyPlace::File(..) => self.usable().await,
            KeyPlace::Uri(client, url) => {
                let keys = self.get(client, url, bearer).await;
                keys.map_err(|error| FetchError::from(error).at(url, bearer.is_some()))
            }
            KeyPlace::Discovery {
                client,
                issuer,
                documents,
                reach,
            } => {
                let asked = discovery::Asked {
                    issuer,
                    documents,
                    bearer,
                    insecure_http: self.insecure_http,
                };
                let url = discovery::discover(client, asked, self.limits).await?;
                if !reach.may_lead_to(&url) {
                    return Err(FetchError::InternalKeysUrl);
                }
                // Whoever writes the metadata must not have the token sent elsewhere.
                let is_own = documents
                    .first()
                    .is_some_and(|document| document.origin() == url.origin());
                let sent = bearer.filter(|_| is_own);
                match self.get(client, &url, sent).await {
                    Err(GetOrReadError::Get(GetError::Status(status @ (401 | 403))))
                        if bearer.is_some() && !is_own =>
                    {
                        Err(FetchError::StatusWithoutToken(status))
                    }
                    keys => keys.map_err(|error| FetchError::from(error).at(&url, sent.is_some())),
                }
            }
        }
    }
}

/// The HTTP client for one issuer. `reach` bounds where a discovered URL may lead.
fn client(
    issuer: &IssuerSettings,
    settings: &AuthnSettings,
    outbound: &Outbound,
    (url, reach): (&Url, Option<&Reach>),
) -> Result<Client, InvalidSettings> {
    let name = || issuer.issuer.clone();
    let client = outbound.client(
        url,
        ClientSettings {
            timeout: settings.fetch_timeout,
            ca_file: issuer.ca_file.as_deref(),
            reach,
            insecure_http: issuer.insecure_http,
        },
    );
    client.map_err(|error| match error {
        InvalidClient::CaFile(cause) => InvalidSettings::CaFile {
            issuer: name(),
            cause,
        },
        InvalidClient::Client(cause) => InvalidSettings::Client {
            issuer: name(),
            cause,
        },
    })
}

async fn read(path: &Path, looks: &Looks, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    look(path, looks, bytes_max)
        .await
        .map_err(|error| match error {
            LookError::TimedOut => FetchError::TimedOut,
            LookError::TooLarge => FetchError::TooLarge(bytes_max),
            LookError::Unreadable(cause) => FetchError::File(cause),
        })
}

#[cfg(test)]
mod tests;
