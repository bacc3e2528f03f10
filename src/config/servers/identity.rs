//! What a server is called, and where its clients log in: `match`, `resource`, `audiences` and
//! `authorization_servers`.

use super::super::claims;
use crate::authn::{challenge, metadata};
use crate::check::{
    InvalidServer, Server, ServerSettings, is_valid_host, is_valid_wildcard, is_wildcard,
};
use crate::yaml::{self, Data, Fields, Findings, Node};

/// What a server is called, as far as it could be read.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) hosts: Vec<String>,
    pub(super) path: Option<String>,
    pub(super) resources: Option<Vec<String>>,
    pub(super) audiences: Vec<String>,
    pub(super) authorization_servers: Option<Vec<String>>,
}

impl Identity {
    pub(super) fn read(fields: &mut Fields<'_>, findings: &mut Findings) -> Self {
        let place = fields.optional("match", findings, place);
        let (hosts, path) = place.unwrap_or_default();
        Identity {
            hosts,
            path,
            resources: fields.required("resource", findings, resources),
            audiences: audiences(fields, findings),
            authorization_servers: fields.optional(
                "authorization_servers",
                findings,
                authorization_servers,
            ),
        }
    }
}

type HostsAndPath = (Vec<String>, Option<String>);

/// Reads `match`.
fn place(node: &Node, findings: &mut Findings) -> Option<HostsAndPath> {
    let mut fields = Fields::open(node, "`match`", findings)?;
    let hosts = fields.required("hosts", findings, |node, findings| {
        yaml::list(node, findings, host)
    });
    let path = fields.optional("path", findings, path);
    fields.finish(findings);
    Some((hosts?, path))
}

fn host(node: &Node, findings: &mut Findings) -> Option<String> {
    let host = yaml::string(node, findings)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]*".contains(&byte);
    let folded = host.to_ascii_lowercase();
    if is_wildcard(&folded) && !is_valid_wildcard(&folded) {
        let help = "`*.` before a name of two labels or more, which stands for one label: \
                    `*.mcp.example.com`";
        findings.error(node, format!("`{host}` matches no host"), help);
        return None;
    }
    if host.bytes().all(plain) && (is_wildcard(&folded) || is_valid_host(&folded)) {
        return Some(folded);
    }
    let help =
        "a host name or address (IPv6 in brackets), with `:port` if the port has to match too";
    findings.error(node, format!("`{host}` is not a host"), help);
    None
}

fn path(node: &Node, findings: &mut Findings) -> Option<String> {
    let path = yaml::string(node, findings)?;
    if path.contains(['*', '?', '[', '{']) {
        let plain = path.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let plain = plain.trim_end_matches('/');
        let help = format!(
            "a path stands for everything below it too: write `{}`",
            if plain.is_empty() { "/" } else { plain }
        );
        findings.error(node, format!("`{path}` looks like a pattern"), help);
        return None;
    }
    if path.starts_with('/') && crate::check::path_is_plain(&path) {
        // `/mcp/` and `/mcp` are the same prefix of segments.
        return Some(path.trim_end_matches('/').to_owned());
    }
    let help = "`/` and plain segments, without `%`, `;`, `\\`, `//`, `.` or `..`";
    findings.error(
        node,
        format!("`{path}` is not a path that can be matched"),
        help,
    );
    None
}

/// Reads `resource`: one identifier or a list of them. Those with a variable are looked at with the
/// hosts, by [`look_at_resources`].
fn resources(node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    yaml::list_or_one(node, findings, |node, findings| {
        let text = yaml::string(node, findings)?;
        if text.contains(['{', '}']) {
            return Some(text);
        }
        if is_pattern(&text) {
            let help = "`https://{host}/mcp` follows the hosts of `match`";
            let message = format!("`{text}` looks like a pattern, and is the audience of no token");
            findings.error(node, message, help);
            return None;
        }
        let checked = metadata::check_resource(&text).map_err(|error| error.to_string());
        match checked.and_then(|_| challenge::check_url(&text).map_err(|error| error.to_string())) {
            Ok(()) => Some(text),
            Err(message) => {
                findings.error(node, message, "");
                None
            }
        }
    })
}

/// Whether the host of an identifier is to stand for others.
fn is_pattern(resource: &str) -> bool {
    let (_, rest) = resource.split_once("://").unwrap_or_default();
    rest.split(['/', '?']).next().is_some_and(is_wildcard)
}

/// Finds what is wrong with the identifiers of a server once its hosts are known.
pub(super) fn look_at_resources(
    server: &Node,
    settings: &ServerSettings,
    findings: &mut Findings,
) -> Option<()> {
    let error = Server::new(settings.clone()).err()?;
    let help = match error {
        InvalidServer::Variable(_) => "such as `https://{host}/mcp`",
        InvalidServer::NoHosts(_) => "name them as `match.hosts`",
        InvalidServer::TwoPorts { .. } => "leave one of the two out",
        InvalidServer::SameHost(..) => "a server has one resource at each host",
        InvalidServer::Resource(_) | InvalidServer::Challenge(_) | InvalidServer::NoResource => "",
    };
    if matches!(error, InvalidServer::NoHosts(_)) && server.member("match").is_some() {
        // It has hosts, and what is wrong with them was found.
        return None;
    }
    let node = server.member("resource").unwrap_or(server);
    findings.error(node, error.to_string(), help);
    Some(())
}

/// Reads `audiences`.
fn audiences(fields: &mut Fields<'_>, findings: &mut Findings) -> Vec<String> {
    // An empty list of further audiences says what leaving it out says, so it is no mistake.
    let Some(node) = fields.node_of("audiences").filter(|node| !is_empty(node)) else {
        return Vec::new();
    };
    let audience = |node: &Node, findings: &mut Findings| {
        let text = yaml::string(node, findings)?;
        if text.contains("{host}") {
            let help = "`resource` can follow the host, and is an audience";
            let message = format!("`{text}` is in no token: only `resource` follows the host");
            findings.error(node, message, help);
            return None;
        }
        claims::exact(node, "audiences are compared exactly", findings)
    };
    yaml::list(node, findings, audience).unwrap_or_default()
}

/// Reads `authorization_servers`. An empty list says that there is none where a client could log
/// in.
fn authorization_servers(node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    if is_empty(node) {
        return Some(Vec::new());
    }
    let mut seen = Vec::new();
    yaml::list(node, findings, |node, findings| {
        let server = yaml::string(node, findings)?;
        if !metadata::is_authorization_server(&server) {
            let message = format!("`{server}` is not the URL of an authorization server");
            let help = "https (http on loopback), without query and fragment";
            findings.error(node, message, help);
            return None;
        }
        if seen.contains(&server) {
            findings.error(node, format!("`{server}` is there twice"), "name each once");
            return None;
        }
        seen.push(server.clone());
        Some(server)
    })
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.data, Data::List(items) if items.is_empty())
}
