//! What a server is called at each of its hosts: its resource identifier (RFC 9728 §1.2), and with
//! it the audience of its tokens, its metadata document and its challenges.
//!
//! A client compares the resource in the metadata with the URL that it called, so a server with
//! several hosts has several identifiers: listed, or made from the host that is asked. A host that
//! is not configured is in none of them.

use std::sync::Arc;

use super::hosts::{self, has_port, without_port};
use super::settings::{HOST_VARIABLE, ServerSettings};
use crate::authn::Audience;
use crate::authn::challenge::{Challenges, InvalidChallenge};
use crate::authn::metadata::{self, InvalidResource, ResourceMetadata};

/// A server as it is at one host.
#[derive(Debug)]
pub struct Face {
    /// What a token for it has to carry.
    pub audience: Audience,
    /// Its metadata document.
    pub metadata: ResourceMetadata,
    /// Its challenges.
    pub challenges: Challenges,
}

/// Why a server cannot be guarded as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServer {
    /// Its `resource` is not a resource identifier.
    #[error(transparent)]
    Resource(#[from] InvalidResource),
    /// Its challenges would be misread.
    #[error(transparent)]
    Challenge(#[from] InvalidChallenge),
    /// It has no `resource`.
    #[error("no resource is named")]
    NoResource,
    /// `{host}` is not the whole host of a URL.
    #[error("`{{host}}` stands for the whole host of a URL, and `{0}` has it elsewhere")]
    Variable(String),
    /// `{host}` stands for nothing.
    #[error("`{0}` follows the host, and `match` names no hosts")]
    NoHosts(String),
    /// A port is there twice.
    #[error("`{resource}` has a port, and so has the host `{host}` that goes before it")]
    TwoPorts {
        /// The identifier.
        resource: String,
        /// The host.
        host: String,
    },
    /// Two identifiers are of one host.
    #[error("`{0}` and `{1}` are of the same host")]
    SameHost(String, String),
}

/// Faces, each with its authority.
type FacesByHost = Vec<(String, Arc<Face>)>;

/// A server as it is at each of its hosts.
#[derive(Debug)]
pub(super) struct Faces {
    maker: FaceMaker,
    /// Those of identifiers without a variable, each with its authority, in the order of the
    /// configuration.
    plain: FacesByHost,
    /// The identifier that follows the host, and what it is at each host without a wildcard.
    following: Option<(String, FacesByHost)>,
}

impl Faces {
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, InvalidServer> {
        let maker = FaceMaker::of(settings);
        let mut faces = Faces {
            maker,
            plain: Vec::new(),
            following: None,
        };
        if settings.resources.is_empty() {
            return Err(InvalidServer::NoResource);
        }
        for resource in &settings.resources {
            if resource.contains(HOST_VARIABLE) {
                let own = faces.made_by_hosts(resource, &settings.hosts)?;
                if let Some((other, _)) = faces.following.replace((resource.clone(), own)) {
                    return Err(InvalidServer::SameHost(other, resource.clone()));
                }
                continue;
            }
            let url = metadata::check_resource(resource)?;
            let authority = url.authority().to_owned();
            if faces.plain.iter().any(|(known, _)| *known == authority) {
                let of = |one: &&String| one.contains(&authority);
                let other = settings.resources.iter().find(of).unwrap_or(resource);
                return Err(InvalidServer::SameHost(other.clone(), resource.clone()));
            }
            let face = faces.maker.face(resource)?;
            faces.plain.push((authority, Arc::new(face)));
        }
        Ok(faces)
    }

    /// What an identifier is at each of the hosts. One that a wildcard covers is tried, too.
    fn made_by_hosts(
        &self,
        resource: &str,
        hosts: &[String],
    ) -> Result<FacesByHost, InvalidServer> {
        let rest = resource
            .split_once("://")
            .and_then(|(_, rest)| rest.strip_prefix(HOST_VARIABLE))
            .filter(|rest| rest.is_empty() || rest.starts_with([':', '/', '?']))
            .filter(|rest| !rest.contains(HOST_VARIABLE))
            .ok_or_else(|| InvalidServer::Variable(resource.to_owned()))?;
        if hosts.is_empty() {
            return Err(InvalidServer::NoHosts(resource.to_owned()));
        }
        let mut made = Vec::new();
        for host in hosts {
            if rest.starts_with(':') && has_port(host) {
                return Err(InvalidServer::TwoPorts {
                    resource: resource.to_owned(),
                    host: host.clone(),
                });
            }
            let example = host.replacen('*', "example", 1);
            let face = Arc::new(self.maker.face(&expand(resource, &example))?);
            if !hosts::is_wildcard(host) {
                made.push((host.clone(), face));
            }
        }
        Ok(made)
    }

    /// The server as it is at `asked`, an authority in lower case. `None` if its identifier follows
    /// the host, and that is none of its hosts.
    pub(super) fn at(&self, hosts: &[String], asked: &str) -> Option<Arc<Face>> {
        let plain = |test: &dyn Fn(&str) -> bool| {
            let mut plain = self.plain.iter();
            let found = plain.find(|(authority, _)| test(authority));
            found.map(|(_, face)| Arc::clone(face))
        };
        if let ([(_, only)], None) = (self.plain.as_slice(), &self.following) {
            return Some(Arc::clone(only));
        }
        let implied = [":443", ":80"].map(|port| asked.strip_suffix(port));
        if let Some(face) =
            plain(&|authority| authority == asked || implied.contains(&Some(authority)))
        {
            return Some(face);
        }
        if let Some((resource, made)) = &self.following
            && let Some(found) = hosts::find(hosts, asked)
        {
            let mut known = made.iter();
            if let Some((_, face)) = known.find(|(host, _)| host == found.authority) {
                return Some(Arc::clone(face));
            }
            let face = self.maker.face(&expand(resource, found.authority));
            return face.ok().map(Arc::new);
        }
        let bare = without_port(asked);
        plain(&|authority| without_port(authority) == bare).or_else(|| plain(&|_| true))
    }
}

/// An identifier at a host. The port that the scheme implies is left out, as normal URLs do
/// (RFC 3986 §6.2.3).
fn expand(resource: &str, host: &str) -> String {
    let implied = if resource.starts_with("http:") {
        ":80"
    } else {
        ":443"
    };
    let host = host.strip_suffix(implied).unwrap_or(host);
    resource.replacen(HOST_VARIABLE, host, 1)
}

/// What is the same at every host.
#[derive(Debug)]
struct FaceMaker {
    audiences: Vec<String>,
    issuers: Vec<String>,
    authorization_servers: Vec<String>,
    scopes: Vec<String>,
}

impl FaceMaker {
    fn of(settings: &ServerSettings) -> Self {
        FaceMaker {
            audiences: settings.audiences.clone(),
            issuers: settings.issuers.clone(),
            authorization_servers: settings.authorization_servers(),
            scopes: settings.advertised_scopes(),
        }
    }

    fn face(&self, resource: &str) -> Result<Face, InvalidServer> {
        let metadata =
            ResourceMetadata::new(resource, &self.authorization_servers, &self.scopes, None)?;
        let challenges = Challenges::new(metadata.url(), &self.scopes)?;
        let own = std::iter::once(resource);
        let named = own.chain(self.audiences.iter().map(String::as_str));
        let accepted = named.flat_map(|audience| [Some(audience.to_owned()), twin(audience)]);
        Ok(Face {
            audience: Audience {
                accepted: accepted.flatten().collect(),
                issuers: Some(self.issuers.clone()),
            },
            metadata,
            challenges,
        })
    }
}

/// The other spelling of an http URL without a path: with the slash that is its one empty path, or
/// without (RFC 3986 §6.2.3). Every other audience has one spelling.
fn twin(audience: &str) -> Option<String> {
    let (scheme, rest) = audience.split_once("://")?;
    let is_http = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let (authority, other) = match rest.strip_suffix('/') {
        Some(authority) => (authority, format!("{scheme}://{authority}")),
        None => (rest, format!("{audience}/")),
    };
    let is_origin = !authority.is_empty() && !authority.contains(['/', '?', '#', '\\']);
    (is_http && is_origin).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::twin;

    #[test]
    fn an_origin_has_two_spellings() {
        for (audience, other) in [
            ("https://h", Some("https://h/")),
            ("https://h/", Some("https://h")),
            ("https://h:8443", Some("https://h:8443/")),
            ("http://[::1]/", Some("http://[::1]")),
            ("HTTPS://H/", Some("HTTPS://H")),
            ("https://h//", None),
            ("https://h/mcp", None),
            ("https://h/mcp/", None),
            ("https://h?a", None),
            ("https://h/?a", None),
            ("https://h#/", None),
            ("https://", None),
            ("https:///", None),
            ("api://h", None),
            ("urn:h", None),
            ("h/", None),
            ("", None),
        ] {
            assert_eq!(twin(audience).as_deref(), other, "{audience}");
        }
    }
}
