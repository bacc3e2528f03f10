//! What a source of keys does, and why it fails.

use std::sync::Arc;

use url::Url;

use super::set::{InvalidKeySet, KeySet};
use crate::fetch::{GetError, ProxyFault};
use crate::json::InvalidJson;

/// Something that key sets can be fetched from.
pub(super) trait FetchKeys: Send {
    /// Gets the keys as they are now. May be dropped at any time.
    fn fetch(&mut self) -> impl Future<Output = Result<KeySet, FetchError>> + Send;
}

/// Where a document was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedPlace {
    /// The URL without its query.
    url: String,
    /// Whether a token was sent.
    has_token: bool,
}

/// Why keys could not be had. Its text has no URL and of what the other side said a little at most;
/// [`FetchError::told`] has more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// Longer than `fetch_timeout` as a whole.
    #[error("no answer within `fetch_timeout`")]
    TimedOut,
    /// The file cannot be read.
    #[error("cannot read `jwks_file`: {0}")]
    File(String),
    /// The token to fetch with cannot be read.
    #[error("cannot use `token_file`: {0}")]
    TokenFile(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// The proxy for outbound requests did not help.
    #[error(transparent)]
    Proxy(ProxyFault),
    /// An answer other than 200; redirects are not followed.
    #[error("http status {0}")]
    Status(u16, Option<Arc<AskedPlace>>),
    /// The same of a discovered `jwks_uri` that the token was not sent to.
    #[error(
        "http status {0}; the metadata has a `jwks_uri` on another host, which does not get the token \
         of `token_file`: configure `jwks_uri`"
    )]
    StatusWithoutToken(u16),
    /// More than `jwks_bytes_max`.
    #[error("document exceeds `jwks_bytes_max` = {0}")]
    TooLarge(usize),
    /// The metadata document is not acceptable JSON.
    #[error("issuer metadata: {0}")]
    Metadata(InvalidJson),
    /// The metadata document is of another issuer (RFC 8414 §3.3).
    #[error("issuer metadata names another issuer")]
    IssuerMismatch(Option<Arc<str>>),
    /// The metadata document has no acceptable `jwks_uri`.
    #[error("issuer metadata has no `jwks_uri` that is an https URL")]
    NoKeysUrl,
    /// The metadata document has a `jwks_uri` that is not protected.
    #[error(
        "issuer metadata has a `jwks_uri` over plain http: `insecure_http: true` allows that, inside \
         a network that nobody else is in"
    )]
    PlainKeysUrl,
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

impl From<GetError> for FetchError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::TimedOut => FetchError::TimedOut,
            GetError::LeadsInside => FetchError::InternalKeysUrl,
            GetError::Transport(cause) => FetchError::Transport(cause),
            GetError::Proxy(fault) => FetchError::Proxy(fault),
            GetError::Status(status) => FetchError::Status(status, None),
            GetError::TooLarge(limit) => FetchError::TooLarge(limit),
        }
    }
}

impl FetchError {
    /// With where the document was asked for.
    pub(crate) fn at(self, url: &Url, has_token: bool) -> Self {
        let FetchError::Status(status, _) = self else {
            return self;
        };
        let mut url = url.clone();
        url.set_query(None);
        let place = AskedPlace {
            url: shown(url.as_str()),
            has_token,
        };
        FetchError::Status(status, Some(Arc::new(place)))
    }

    /// That metadata is of this issuer.
    pub(crate) fn of_another(issuer: Option<&str>) -> Self {
        FetchError::IssuerMismatch(issuer.map(|issuer| shown(issuer).into()))
    }

    /// What an operator is told in the log, who may see what the configuration and the other side say.
    pub(super) fn told(&self) -> String {
        match self {
            FetchError::Status(status, Some(place)) => {
                let AskedPlace { url, has_token } = &**place;
                let hint = match (status, has_token) {
                    (401 | 403, true) => "; it does not take the token of `token_file`",
                    (401 | 403 | 404, false) => {
                        "; if it asks for credentials, give them by `token_file`"
                    }
                    (_, true | false) => "",
                };
                format!("{self} from `{url}`{hint}")
            }
            FetchError::IssuerMismatch(Some(other)) => format!("{self}: `{other}`"),
            FetchError::IssuerMismatch(None) => format!("{self}: it has no text as `issuer`"),
            FetchError::Status(_, None)
            | FetchError::TimedOut
            | FetchError::File(_)
            | FetchError::TokenFile(_)
            | FetchError::Transport(_)
            | FetchError::Proxy(_)
            | FetchError::StatusWithoutToken(_)
            | FetchError::TooLarge(_)
            | FetchError::Metadata(_)
            | FetchError::NoKeysUrl
            | FetchError::PlainKeysUrl
            | FetchError::InternalKeysUrl
            | FetchError::KeySet(_) => self.to_string(),
        }
    }
}

/// The most characters of a text that the log repeats.
const SHOWN_MAX: usize = 200;

/// The beginning of a text, escaped.
fn shown(text: &str) -> String {
    let beginning = text.chars().take(SHOWN_MAX);
    let mut shown: String = beginning.flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_where_and_of_whom() {
        let url = Url::parse("https://h.test:8443/keys?secret=1").unwrap();
        let status = |status, has_token| FetchError::Status(status, None).at(&url, has_token);
        let long = format!("https://{}", "a".repeat(300));
        for (fault, short, told) in [
            (
                status(401, false),
                "http status 401",
                "http status 401 from `https://h.test:8443/keys`; if it asks for credentials, give them by `token_file`",
            ),
            (
                status(404, false),
                "http status 404",
                "http status 404 from `https://h.test:8443/keys`; if it asks for credentials, give them by `token_file`",
            ),
            (
                status(403, true),
                "http status 403",
                "http status 403 from `https://h.test:8443/keys`; it does not take the token of `token_file`",
            ),
            (
                status(404, true),
                "http status 404",
                "http status 404 from `https://h.test:8443/keys`",
            ),
            (
                status(500, false),
                "http status 500",
                "http status 500 from `https://h.test:8443/keys`",
            ),
            (
                FetchError::of_another(Some("https://h\n\u{1b}")),
                "issuer metadata names another issuer",
                "issuer metadata names another issuer: `https://h\\n\\u{1b}`",
            ),
            (
                FetchError::of_another(None),
                "issuer metadata names another issuer",
                "issuer metadata names another issuer: it has no text as `issuer`",
            ),
        ] {
            assert_eq!(
                (fault.to_string().as_str(), fault.told().as_str()),
                (short, told)
            );
        }
        let told = FetchError::of_another(Some(&long)).told();
        assert!(
            told.ends_with("a…`") && told.chars().count() < 250,
            "{told}"
        );
    }
}
