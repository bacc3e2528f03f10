//! Where the tokens for one server are: `token_header`, `query_tokens`.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::authn::TokenPlace;
use crate::check::ServerSettings;
use crate::yaml::{self, Data, Fields, Findings, Node};

/// What is guarded, and where each server's recorded tools are.
pub(super) type Guarded = (Vec<ServerSettings>, HashMap<String, PathBuf>);

/// How long a name may be, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Headers that frame, route or describe the request, that MCP defines, or that have another
/// credential.
const OTHERS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "cookie",
    "dpop",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-request-id",
];
const OTHER_PREFIXES: [&str; 5] = ["content-", "mcp-", "proxy-", "x-envoy-", "x-mcp-authz-"];

pub(super) fn token_place(fields: &mut Fields<'_>, findings: &mut Findings) -> TokenPlace {
    let header = fields.optional("token_header", findings, header);
    let query = query(fields, findings);
    TokenPlace {
        header,
        query: query.unwrap_or_else(|| TokenPlace::default().query),
    }
}

/// Refuses a header that is to have a token and something else: the headers of `purpose` and `device`.
pub(super) fn only_tokens(
    root: &Node,
    guarded: Option<&Guarded>,
    headers: [Option<&str>; 2],
    findings: &mut Findings,
) {
    let servers = guarded.map_or(&[][..], |(servers, _)| servers);
    for (section, header) in ["purpose", "device"].into_iter().zip(headers) {
        let Some(node) = root.member(section).filter(|_| header.is_some()) else {
            continue;
        };
        let mut named = servers
            .iter()
            .filter(|one| one.token.header.as_deref() == header);
        if let Some(server) = named.next() {
            let (name, header) = (&server.name, header.unwrap_or_default());
            let message = format!("`{header}` has the tokens of `{name}`, and no rule sees them");
            findings.error(node, message, "name another header");
        }
    }
}

fn header(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = yaml::string(node, findings)?;
    let name = text.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        let help = "letters, digits and `-`, at most 64";
        findings.error(node, format!("`{text}` is not the name of a header"), help);
        return None;
    }
    let is_other =
        OTHERS.contains(&&*name) || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if is_other {
        let help = "the header that a proxy in front sets, such as `Cf-Access-Jwt-Assertion`; without \
                    this key the token is in `Authorization`";
        let message = format!("`{text}` is a header with a meaning of its own");
        findings.error(node, message, help);
        return None;
    }
    Some(name)
}

fn query(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let node = fields.node_of("query_tokens")?;
    // Then `access_token` alone is refused.
    if matches!(&node.data, Data::List(items) if items.is_empty()) {
        return Some(Vec::new());
    }
    let mut seen: Vec<String> = Vec::new();
    yaml::list(node, findings, |node, findings| {
        let name = yaml::string(node, findings)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]$".contains(&byte);
        if name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            let help = "letters, digits, `-`, `_`, `.`, `[`, `]` and `$`, at most 64";
            let message = format!("`{name}` is not the name of a parameter");
            findings.error(node, message, help);
            return None;
        }
        if seen.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            let help = "case makes no difference";
            findings.error(node, format!("`{name}` is there twice"), help);
            return None;
        }
        seen.push(name.clone());
        Some(name)
    })
}
