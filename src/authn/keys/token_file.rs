//! The bearer token with which the keys of an issuer are fetched.

use std::path::{Path, PathBuf};

use super::fetch::FetchError;
use crate::authn::settings::AuthnSettings;
use crate::fetch::Bearer;
use crate::file::{self, Looks, ReadError};

/// The most bytes of a `token_file`.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A file with a token. It is read for each fetch, because such tokens are replaced while they are in
/// use: projected tokens of Kubernetes are, every hour.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    looks: Looks,
}

impl TokenFile {
    pub(super) fn new(path: &Path, settings: &AuthnSettings) -> Self {
        TokenFile {
            path: path.to_owned(),
            looks: Looks::shared(settings.fetch_timeout),
        }
    }

    /// The token as it is now.
    pub(super) async fn read(&self) -> Result<Bearer, FetchError> {
        let text = look(&self.path, &self.looks, TOKEN_BYTES_MAX).await;
        let text = text.map_err(|error| match error {
            LookError::TimedOut => FetchError::TimedOut,
            LookError::TooLarge => {
                FetchError::TokenFile(format!("it has more than {TOKEN_BYTES_MAX} bytes"))
            }
            LookError::Unreadable(cause) => FetchError::TokenFile(cause),
        })?;
        let token = text.trim_ascii();
        Bearer::new(token).ok_or_else(|| {
            let cause = if token.is_empty() {
                "it is empty"
            } else {
                "it is not one token (RFC 6750 §2.1)"
            };
            FetchError::TokenFile(cause.to_owned())
        })
    }
}

/// Why a file was not read.
pub(super) enum LookError {
    TimedOut,
    TooLarge,
    Unreadable(String),
}

/// Reads a file whose file system may give no answer.
pub(super) async fn look(
    path: &Path,
    looks: &Looks,
    bytes_max: usize,
) -> Result<Vec<u8>, LookError> {
    let place = path.to_owned();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let looked = looks.look(false, move || file::read(&place, most)).await;
    // Not begun: behind others that gave no answer.
    let Some(read) = looked.transpose() else {
        return Err(LookError::TimedOut);
    };
    read.and_then(|read| read).map_err(|error| match error {
        ReadError::TooLarge(_) => LookError::TooLarge,
        ReadError::Hangs(_) => LookError::TimedOut,
        error @ (ReadError::Missing
        | ReadError::Dangling
        | ReadError::NotAFile(_)
        | ReadError::NotText
        | ReadError::Other(_)) => LookError::Unreadable(error.to_string()),
    })
}
