//! Where key sets come from: a file, a URL, or the issuer's metadata.
//!
//! The caller bounds the time of a whole fetch.

use std::path::{Path, PathBuf};

use url::Url;

use super::fetch::{FetchError, FetchKeys};
use super::set::KeySet;
use crate::authn::discovery::{self, DocumentLimits};
use crate::authn::issuer_name;
use crate::authn::settings::{AuthnSettings, InvalidSettings, IssuerSettings, KeySourceSettings};
use crate::fetch::{self, Client, ClientSettings, InvalidClient, Outbound, Reach, fetchable_url};
use crate::file::{self, Looks, ReadError};

/// The configured way to the keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySource {
    place: KeyPlace,
    limits: DocumentLimits,
    keys_max: usize,
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
                let url =
                    fetchable_url(uri).ok_or_else(|| InvalidSettings::KeysUrl(name.clone()))?;
                KeyPlace::Uri(client(issuer, settings, outbound, (&url, None))?, url)
            }
            KeySourceSettings::Discovery => {
                let documents = issuer_name::metadata_base(name)
                    .and_then(|base| discovery::urls(&base))
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
        Ok(Self {
            place,
            limits: DocumentLimits {
                bytes_max: settings.jwks_bytes_max,
                json_depth_max: settings.json_depth_max,
            },
            keys_max: settings.jwks_keys_max,
        })
    }

    /// Whether reading is cheap enough to notice changes by reading again.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, KeyPlace::File(..))
    }
}

impl FetchKeys for KeySource {
    async fn fetch(&mut self) -> Result<KeySet, FetchError> {
        let limits = self.limits;
        let text = match &self.place {
            KeyPlace::File(path, looks) => read(path, looks, limits.bytes_max).await?,
            KeyPlace::Uri(client, url) => fetch::get(client, url, limits.bytes_max).await?,
            KeyPlace::Discovery {
                client,
                issuer,
                documents,
                reach,
            } => {
                let url = discovery::discover(client, issuer, documents, limits).await?;
                if !reach.may_lead_to(&url) {
                    return Err(FetchError::InternalKeysUrl);
                }
                fetch::get(client, &url, limits.bytes_max).await?
            }
        };
        Ok(KeySet::parse(&text, self.keys_max, limits.json_depth_max)?)
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

#[cfg(test)]
mod tests;
