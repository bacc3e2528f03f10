//! Protected resource metadata (RFC 9728): where it is and what it says.
//!
//! Pure text; the pipeline decides which server a request is for and answers it.

use serde::Serialize;
use url::Url;

use super::challenge;
use crate::fetch::fetchable_url;

/// Where metadata is, before the path of the resource (RFC 9728 §3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Why a text is not an acceptable resource identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// Not an https URL (http on loopback), or with user name, password or fragment
    /// (RFC 9728 §1.2).
    #[error(
        "resource `{0}` is not an https URL without user and fragment (or http to `localhost` or a loopback address)"
    )]
    Url(String),
    /// Not in the normal form of RFC 3986 §6.2.2, so that clients would compare another text.
    #[error("resource `{given}` is not in normal form, which is `{normal}`")]
    NotNormal {
        /// As configured.
        given: String,
        /// As it should be.
        normal: String,
    },
    /// Ends with a slash, which makes clients abort.
    #[error("resource `{0}` ends with a slash")]
    TrailingSlash(String),
    /// Cannot be in a challenge (see [`challenge::check_url`]).
    #[error("resource `{0}` cannot be in a challenge")]
    Challenge(String),
}

/// The metadata of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceMetadata {
    url: String,
    path_and_query: String,
    document: String,
}

impl ResourceMetadata {
    /// The metadata of `resource`, an identifier that is used byte for byte. Without authorization
    /// servers the document names none (RFC 9728 §2): clients then need a token from elsewhere.
    ///
    /// # Errors
    /// The identifier is not one that clients get along with.
    pub fn new(
        resource: &str,
        authorization_servers: &[String],
        scopes_supported: &[String],
        resource_name: Option<&str>,
    ) -> Result<Self, InvalidResource> {
        let url = check_resource(resource)?;
        let query = url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let path = if url.path() == "/" { "" } else { url.path() };
        let path_and_query = format!("{WELL_KNOWN}{path}{query}");
        let document = MetadataDocument {
            resource,
            authorization_servers,
            scopes_supported,
            bearer_methods_supported: ["header"],
            resource_name,
        };
        // INVARIANT: plain strings always serialize.
        let document = serde_json::to_string(&document)
            .map_err(|_| InvalidResource::Url(resource.to_owned()))?;
        let url = format!("{}{path_and_query}", url.origin().ascii_serialization());
        Ok(Self {
            url,
            path_and_query,
            document,
        })
    }

    /// The URL of the document, for challenges.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The document: `application/json`.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Whether a request for `path_and_query` (`:path`, undecoded) on the resource's host is for
    /// this document. The root form, which clients try last, is that of a resource without path
    /// only; see [`is_root`].
    #[must_use]
    pub fn is_at(&self, path_and_query: &str) -> bool {
        self.path_and_query == path_and_query
    }

    /// Whether it is for this document but for a slash at the end of the path, or for a query where
    /// the resource has none. Clients that were given such a URL of the server ask so.
    #[must_use]
    pub fn is_nearly_at(&self, path_and_query: &str) -> bool {
        let (own, own_query) = without_slash(&self.path_and_query);
        let (path, query) = without_slash(path_and_query);
        own == path && (own_query.is_none() || own_query == query)
    }
}

/// The path without one slash at its end, and the query.
fn without_slash(path_and_query: &str) -> (&str, Option<&str>) {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    (path.strip_suffix('/').unwrap_or(path), query)
}

/// Whether `path_and_query` is for some metadata document, existing or not.
#[must_use]
pub fn is_metadata(path_and_query: &str) -> bool {
    path_and_query
        .strip_prefix(WELL_KNOWN)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Whether `path_and_query` asks for metadata without naming a resource's path: unambiguous where
/// one server alone is on the host.
#[must_use]
pub fn is_root(path_and_query: &str) -> bool {
    without_slash(path_and_query).0 == WELL_KNOWN
}

/// Whether `resource` may be a resource identifier.
///
/// # Errors
/// What is wrong with it.
pub fn check_resource(resource: &str) -> Result<Url, InvalidResource> {
    let url = fetchable_url(resource).ok_or_else(|| InvalidResource::Url(resource.to_owned()))?;
    if url.path() == "/" && url.query().is_none() {
        // The normal form of a URL without path has a slash, which identifiers leave out.
        let bare = url.as_str().trim_end_matches('/');
        if resource != bare {
            let fault = if resource.ends_with('/') {
                InvalidResource::TrailingSlash(resource.to_owned())
            } else {
                InvalidResource::NotNormal {
                    given: resource.to_owned(),
                    normal: bare.to_owned(),
                }
            };
            return Err(fault);
        }
    } else if url.path().ends_with('/') {
        return Err(InvalidResource::TrailingSlash(resource.to_owned()));
    } else if url.as_str() != resource {
        let normal = url.to_string();
        return Err(InvalidResource::NotNormal {
            given: resource.to_owned(),
            normal,
        });
    }
    challenge::check_url(resource).map_err(|_| InvalidResource::Challenge(resource.to_owned()))?;
    Ok(url)
}

/// Whether a client can be sent to an authorization server of this name: an https URL (http on
/// loopback) without query and fragment (RFC 8414 §2), and without a variable.
#[must_use]
pub fn is_authorization_server(issuer: &str) -> bool {
    let url = fetchable_url(issuer).filter(|url| url.query().is_none());
    url.is_some() && !issuer.contains(['{', '}'])
}

/// RFC 9728 §2, in the order of the text.
#[derive(Serialize)]
struct MetadataDocument<'d> {
    resource: &'d str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    authorization_servers: &'d [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes_supported: &'d [String],
    bearer_methods_supported: [&'d str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'d str>,
}

#[cfg(test)]
mod tests;
