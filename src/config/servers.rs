//! `servers`: what is guarded, where it is found, and how its clients are answered.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::reader::ConfigReader;
use super::silence::LINTS;
use super::token_place::{Guarded, token_place};
use super::words::{ACCEPT, ON, Words, word_of};
use crate::authn::{TokenPlace, challenge, metadata};
use crate::catalog::{OnChange, Trust};
use crate::check::{DenySettings, DenyShape, Disclose, ServerSettings, SessionBinding, UriForm};
use crate::upstream::AuthorizationHeader;
use crate::yaml::{self, Fields, Findings, Node};

/// The most elements that may be allowed in a batch.
const BATCH_MAX: u64 = 1000;

impl ConfigReader<'_> {
    /// `issuers` are the names of those configured, if there is a list of them.
    pub(super) fn servers(
        self,
        node: &Node,
        issuers: Option<&[String]>,
        findings: &mut Findings,
    ) -> Option<Guarded> {
        let mut names = HashSet::new();
        let mut places: HashMap<(String, String), String> = HashMap::new();
        let mut snapshots = HashMap::new();
        let servers = yaml::list(node, findings, |node, findings| {
            let (server, snapshot) = server(node, issuers, findings)?;
            if !names.insert(server.name.clone()) {
                findings.error(node, format!("server `{}` is there twice", server.name), "");
            }
            let path = server.path.clone().unwrap_or_default();
            for host in &server.hosts {
                let place = (host.clone(), path.clone());
                if let Some(other) = places.insert(place, server.name.clone()) {
                    let name = &server.name;
                    let message = format!("`{other}` and `{name}` are both at `{host}{path}`");
                    findings.error(node, message, "give each a place of its own");
                }
            }
            snapshots.extend(snapshot.map(|path| (server.name.clone(), self.path(&path))));
            Some(server)
        });
        Some((servers?, snapshots))
    }
}

fn server(
    node: &Node,
    issuers: Option<&[String]>,
    findings: &mut Findings,
) -> Option<(ServerSettings, Option<String>)> {
    let mut fields = Fields::open(node, "a server", findings)?;
    let name = fields.required("name", findings, server_name);
    let (hosts, path) = fields
        .optional("match", findings, place)
        .unwrap_or_default();
    let resource = fields.required("resource", findings, resource);
    let audiences = strings(&mut fields, "audiences", findings);
    let trusted = fields.optional("issuers", findings, |node, findings| {
        yaml::list(node, findings, |node, findings| {
            trusted_issuer(node, issuers, findings)
        })
    });
    let scopes_supported = fields.optional("scopes_supported", findings, |node, findings| {
        yaml::list(node, findings, scope)
    });
    let deny = fields.optional("deny", findings, deny).unwrap_or_default();
    let snapshot = fields.optional("tools_snapshot", findings, yaml::string);
    let trust = trust(&mut fields, findings);
    let check_arguments = check_arguments(node, &mut fields, findings);
    fields.optional("silence", findings, yaml::silence(LINTS));
    let batch_max = fields.optional("batch_max", findings, yaml::integer(0..=BATCH_MAX));
    let string_body = accepts("string_body", &mut fields, findings);
    let fold_arguments = accepts("fold_arguments", &mut fields, findings);
    let uris = fields
        .optional("uris", findings, yaml::choice(UriForm::WORDS))
        .unwrap_or_default();
    let token = token_place(&mut fields, findings);
    let authorization = fields
        .optional("upstream", findings, upstream)
        .unwrap_or_default();
    let session_binding = fields
        .optional(
            "session_binding",
            findings,
            yaml::choice(SessionBinding::WORDS),
        )
        .unwrap_or_default();
    let responses_on_get = fields
        .optional("responses_on_get", findings, yaml::boolean)
        .unwrap_or(false);
    let resume = fields.optional("resume", findings, yaml::choice(ON));
    fields.finish(findings);
    let all = || issuers.unwrap_or_default().to_vec();
    let settings = ServerSettings {
        name: name?,
        hosts,
        path,
        resource: resource?,
        audiences,
        issuers: trusted.unwrap_or_else(all),
        scopes_supported: scopes_supported.unwrap_or_default(),
        deny,
        batch_max: batch_max
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(0),
        string_body,
        fold_arguments,
        uris,
        token,
        authorization,
        session_binding,
        responses_on_get,
        resume: resume.unwrap_or(false),
        trust,
        check_arguments,
    };
    Some((settings, snapshot))
}

fn accepts(key: &'static str, fields: &mut Fields<'_>, findings: &mut Findings) -> bool {
    let accepted = fields.optional(key, findings, yaml::choice(ACCEPT));
    accepted.unwrap_or(false)
}

fn check_arguments(node: &Node, fields: &mut Fields<'_>, findings: &mut Findings) -> bool {
    let has_snapshot = node.member("tools_snapshot").is_some();
    let checks = fields.optional("check_arguments", findings, |node, findings| {
        let checks = yaml::boolean(node, findings)?;
        if checks && !has_snapshot {
            let help = "name a recorded `tools/list` result as `tools_snapshot`";
            findings.error(node, "no input schemas are recorded to check against", help);
        }
        Some(checks)
    });
    checks.unwrap_or(false)
}

fn trust(fields: &mut Fields<'_>, findings: &mut Findings) -> Trust {
    Trust {
        on_change: fields
            .optional("on_tool_change", findings, yaml::choice(OnChange::WORDS))
            .unwrap_or_default(),
        hints: fields
            .optional("trust_tool_hints", findings, yaml::boolean)
            .unwrap_or(false),
    }
}

/// Names appear in headers, metrics and policy: they are kept plain.
fn server_name(node: &Node, findings: &mut Findings) -> Option<String> {
    let name = yaml::string(node, findings)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() <= 64 && name.bytes().all(plain) {
        return Some(name);
    }
    let help = "letters, digits, `-`, `_` and `.`, at most 64";
    findings.error(node, format!("`{name}` is not a server name"), help);
    None
}

type HostsAndPath = (Vec<String>, Option<String>);

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
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.bytes().all(plain) {
        return Some(host.to_ascii_lowercase());
    }
    let help = "a host name or address, with `:port` if the port has to match too";
    findings.error(node, format!("`{host}` is not a host"), help);
    None
}

fn path(node: &Node, findings: &mut Findings) -> Option<String> {
    let path = yaml::string(node, findings)?;
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

fn resource(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = yaml::string(node, findings)?;
    let checked = metadata::check_resource(&text).map_err(|error| error.to_string());
    match checked.and_then(|_| challenge::check_url(&text).map_err(|error| error.to_string())) {
        Ok(()) => Some(text),
        Err(message) => {
            findings.error(node, message, "");
            None
        }
    }
}

fn trusted_issuer(
    node: &Node,
    issuers: Option<&[String]>,
    findings: &mut Findings,
) -> Option<String> {
    let name = yaml::string(node, findings)?;
    // Where there is no list of issuers, that is the finding.
    let Some(issuers) = issuers.filter(|issuers| !issuers.contains(&name)) else {
        return Some(name);
    };
    let help = format!("configured: {}", yaml::quoted(issuers));
    findings.error(node, format!("`{name}` is not among `issuers`"), help);
    None
}

fn scope(node: &Node, findings: &mut Findings) -> Option<String> {
    let scope = yaml::string(node, findings)?;
    match challenge::check_scope(&scope) {
        Ok(()) => Some(scope),
        Err(error) => {
            findings.error(
                node,
                error.to_string(),
                "visible ASCII without blanks, `\"` and `\\`",
            );
            None
        }
    }
}

fn deny(node: &Node, findings: &mut Findings) -> Option<DenySettings> {
    let mut fields = Fields::open(node, "`deny`", findings)?;
    let shape = fields
        .optional("shape", findings, yaml::choice(DenyShape::WORDS))
        .unwrap_or_default();
    let disclose = fields
        .optional("disclose", findings, yaml::choice(Disclose::WORDS))
        .unwrap_or_default();
    fields.finish(findings);
    Some(DenySettings { shape, disclose })
}

fn upstream(node: &Node, findings: &mut Findings) -> Option<AuthorizationHeader> {
    let mut fields = Fields::open(node, "`upstream`", findings)?;
    let words = yaml::choice(AuthorizationHeader::WORDS);
    let authorization = fields
        .optional("authorization", findings, words)
        .unwrap_or_default();
    fields.finish(findings);
    Some(authorization)
}

fn strings(fields: &mut Fields<'_>, key: &'static str, findings: &mut Findings) -> Vec<String> {
    // An empty list of further audiences says what leaving it out says, so it is no mistake.
    let empty = |node: &Node| matches!(&node.data, yaml::Data::List(items) if items.is_empty());
    let Some(node) = fields.node_of(key).filter(|node| !empty(node)) else {
        return Vec::new();
    };
    yaml::list(node, findings, yaml::string).unwrap_or_default()
}

/// A server in force, as the effective configuration shows it.
pub(super) fn shown(settings: &ServerSettings, tools_snapshot: Option<&PathBuf>) -> Value {
    let ServerSettings {
        name,
        hosts,
        path,
        resource,
        audiences,
        issuers,
        scopes_supported,
        deny: DenySettings { shape, disclose },
        batch_max,
        string_body,
        fold_arguments,
        uris,
        token: TokenPlace { header, query },
        authorization,
        session_binding,
        responses_on_get,
        resume,
        trust: Trust { on_change, hints },
        check_arguments,
    } = settings;
    let place = (!hosts.is_empty()).then(|| json!({"hosts": hosts, "path": path}));
    let scopes_supported = (!scopes_supported.is_empty()).then_some(scopes_supported);
    json!({
        "name": name,
        "match": place,
        "resource": resource,
        "audiences": audiences,
        "issuers": issuers,
        "tools_snapshot": tools_snapshot,
        "on_tool_change": on_change.word(),
        "trust_tool_hints": hints,
        "check_arguments": check_arguments,
        "scopes_supported": scopes_supported,
        "deny": {"shape": shape.word(), "disclose": disclose.word()},
        "batch_max": batch_max,
        "string_body": word_of(ACCEPT, *string_body),
        "fold_arguments": word_of(ACCEPT, *fold_arguments),
        "uris": uris.word(),
        "token_header": header,
        "query_tokens": query,
        "upstream": {"authorization": authorization.word()},
        "session_binding": session_binding.word(),
        "responses_on_get": responses_on_get,
        "resume": word_of(ON, *resume),
    })
}
