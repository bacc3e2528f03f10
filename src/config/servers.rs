//! `servers`: what is guarded, where it is found, and how its clients are answered.

mod identity;
mod replies;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use self::identity::Identity;
use self::replies::SCOPE_RESULTS;
use super::indirect;
use super::reader::ConfigReader;
use super::scope_names::{self, scope};
use super::silence::{BESIDE_SERVERS, LINTS};
use super::token_place::{Guarded, token_place};
use super::words::{ACCEPT, ON, PROTOCOL_VERSIONS, Words, word_of};
use crate::authn::{IssuerSettings, TokenPlace};
use crate::catalog::{OnChange, OnUnknown, Trust};
use crate::check::{
    DenySettings, ScopeNames, ScopeResults, ServerSettings, SessionBinding, UriForm, has_legacy,
};
use crate::upstream::AuthorizationHeader;
use crate::yaml::{self, Fields, Findings, Node};

/// The most elements that may be allowed in a batch.
const BATCH_MAX: u64 = 1000;

impl ConfigReader<'_> {
    /// `issuers` are the names of those configured, if there is a list of them, and `settings` those
    /// that could be read.
    pub(super) fn servers(
        self,
        node: &Node,
        issuers: Option<&[String]>,
        settings: &[IssuerSettings],
        findings: &mut Findings,
    ) -> Option<Guarded> {
        let mut names = HashSet::new();
        let mut places: HashMap<(String, String), String> = HashMap::new();
        let mut snapshots = HashMap::new();
        let servers = yaml::list(node, findings, |node, findings| {
            let (mut server, snapshot) = server(node, issuers, findings)?;
            server.issuer_scope_names = scope_names_of(&server.issuers, settings);
            identity::look_at_resources(node, &server, findings);
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

/// How the scopes in tokens are advertised, by the `iss` of the token.
fn scope_names_of(trusted: &[String], issuers: &[IssuerSettings]) -> Vec<(String, ScopeNames)> {
    let with_scopes = issuers
        .iter()
        .filter_map(|one| Some((one, one.scope_names.as_ref()?)));
    let of_tokens = with_scopes.flat_map(|(one, scopes)| {
        let is_trusted = |iss: &String| trusted.contains(&one.issuer) || trusted.contains(iss);
        let trusted_here = one.names().into_iter().filter(is_trusted);
        trusted_here.map(|iss| (iss, scopes.clone()))
    });
    of_tokens.collect()
}

fn server(
    node: &Node,
    issuers: Option<&[String]>,
    findings: &mut Findings,
) -> Option<(ServerSettings, Option<String>)> {
    let mut fields = Fields::open(node, "a server", findings)?;
    let name = fields.required("name", findings, server_name);
    let identity = Identity::read(&mut fields, findings);
    let trusted = fields.optional("issuers", findings, |node, findings| {
        yaml::list(node, findings, |node, findings| {
            trusted_issuer(node, issuers, findings)
        })
    });
    let scopes_supported = fields.optional("scopes_supported", findings, |node, findings| {
        yaml::list(node, findings, scope)
    });
    let scope_names = fields.optional("scopes", findings, scope_names::scope_names);
    let challenge_scopes = fields.optional("challenge", findings, replies::challenge);
    let deny = fields.optional("deny", findings, replies::deny);
    let snapshot = fields.optional("tools_snapshot", findings, yaml::string);
    let trust = trust(node, &mut fields, findings);
    let check_arguments = check_arguments(node, &mut fields, findings);
    let indirect = fields.optional("indirect", findings, indirect::indirect);
    fields.optional("silence", findings, yaml::silence(LINTS, BESIDE_SERVERS));
    let batch_max = fields.optional("batch_max", findings, yaml::integer(0..=BATCH_MAX));
    let batch_max = batch_max.and_then(|most| usize::try_from(most).ok());
    let string_body = accepts("string_body", &mut fields, findings);
    let fold_arguments = accepts("fold_arguments", &mut fields, findings);
    let uris = fields
        .optional("uris", findings, yaml::choice(UriForm::WORDS))
        .unwrap_or_default();
    let token = token_place(&mut fields, findings);
    let authorization = fields
        .optional("upstream", findings, upstream)
        .unwrap_or_default();
    let bindings = yaml::choice(SessionBinding::WORDS);
    let session_binding = fields.optional("session_binding", findings, bindings);
    let protocol_versions = fields.optional("protocol_versions", findings, protocol_versions);
    let protocol_versions = protocol_versions.unwrap_or_default();
    let (responses_on_get, resume) = streams(&protocol_versions, &mut fields, findings);
    fields.finish(findings);
    let has_streams = responses_on_get || resume;
    indirect::check_streams(node, indirect.as_ref(), has_streams, findings);
    let deny = deny.unwrap_or_default();
    let (deny, scope_results) = deny.settings(responses_on_get, node.member("deny"), findings);
    let all = || issuers.unwrap_or_default().to_vec();
    let settings = ServerSettings {
        name: name?,
        hosts: identity.hosts,
        path: identity.path,
        resources: identity.resources?,
        audiences: identity.audiences,
        issuers: trusted.unwrap_or_else(all),
        authorization_servers: identity.authorization_servers,
        scopes_supported: scopes_supported.unwrap_or_default(),
        scope_names,
        issuer_scope_names: Vec::new(),
        challenge_scopes: challenge_scopes.unwrap_or_default(),
        scope_results,
        deny,
        batch_max: batch_max.unwrap_or(0),
        string_body,
        fold_arguments,
        uris,
        token,
        authorization,
        session_binding: session_binding.unwrap_or_default(),
        responses_on_get,
        resume,
        trust,
        check_arguments,
        indirect,
        protocol_versions,
    };
    Some((settings, snapshot))
}

/// Whether the server answers on GET streams, and whether clients may resume streams. The revisions
/// before 2026-07-28 alone have such streams.
fn streams(versions: &[&str], fields: &mut Fields<'_>, findings: &mut Findings) -> (bool, bool) {
    let only_modern = |is_set: bool| is_set && !has_legacy(versions);
    let on_get = fields.optional("responses_on_get", findings, |node, findings| {
        let is_set = yaml::boolean(node, findings)?;
        if only_modern(is_set) {
            no_streams(node, findings);
        }
        Some(is_set)
    });
    let resume = fields.optional("resume", findings, |node, findings| {
        let is_set = yaml::choice(ON)(node, findings)?;
        if only_modern(is_set) {
            no_streams(node, findings);
        }
        Some(is_set)
    });
    (on_get.unwrap_or(false), resume.unwrap_or(false))
}

fn no_streams(node: &Node, findings: &mut Findings) {
    let message = "no revision of `protocol_versions` has streams on GET";
    let help = "name an earlier one there too, or leave this out";
    findings.error(node, message, help);
}

fn protocol_versions(node: &Node, findings: &mut Findings) -> Option<Vec<&'static str>> {
    let mut seen = HashSet::new();
    yaml::list(node, findings, |node, findings| {
        let version = yaml::choice(PROTOCOL_VERSIONS)(node, findings)?;
        if !seen.insert(version) {
            findings.error(node, format!("`{version}` is there twice"), "");
        }
        Some(version)
    })
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

fn trust(node: &Node, fields: &mut Fields<'_>, findings: &mut Findings) -> Trust {
    let has_snapshot = node.member("tools_snapshot").is_some();
    let on_unknown = fields.optional("unknown_tools", findings, |node, findings| {
        let on_unknown = yaml::choice(OnUnknown::WORDS)(node, findings)?;
        if on_unknown == OnUnknown::Deny && !has_snapshot {
            let help = "name a recorded `tools/list` result as `tools_snapshot`";
            findings.error(node, "no tools are recorded, so all would be unknown", help);
        }
        Some(on_unknown)
    });
    Trust {
        on_unknown: on_unknown.unwrap_or_default(),
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

fn upstream(node: &Node, findings: &mut Findings) -> Option<AuthorizationHeader> {
    let mut fields = Fields::open(node, "`upstream`", findings)?;
    let words = yaml::choice(AuthorizationHeader::WORDS);
    let authorization = fields
        .optional("authorization", findings, words)
        .unwrap_or_default();
    fields.finish(findings);
    Some(authorization)
}

fn deny_shown(deny: DenySettings, scope_results: &ScopeResults) -> Value {
    let DenySettings { shape, disclose } = deny;
    let agents = match scope_results {
        ScopeResults::Agents(agents) => Some(agents),
        ScopeResults::None | ScopeResults::All => None,
    };
    let in_result = *scope_results != ScopeResults::None;
    json!({
        "shape": shape.word(),
        "disclose": disclose.word(),
        "insufficient_scope": word_of(SCOPE_RESULTS, in_result),
        "insufficient_scope_agents": agents,
    })
}

/// A server in force, as the effective configuration shows it.
pub(super) fn shown(settings: &ServerSettings, tools_snapshot: Option<&PathBuf>) -> Value {
    let ServerSettings {
        name,
        hosts,
        path,
        resources,
        audiences,
        issuers,
        authorization_servers: _,
        scopes_supported,
        scope_names,
        issuer_scope_names: _,
        challenge_scopes,
        scope_results,
        deny,
        batch_max,
        string_body,
        fold_arguments,
        uris,
        token: TokenPlace { header, query },
        authorization,
        session_binding,
        responses_on_get,
        resume,
        trust: Trust {
            on_change,
            on_unknown,
            hints,
        },
        check_arguments,
        indirect,
        protocol_versions,
    } = settings;
    let place = (!hosts.is_empty()).then(|| json!({"hosts": hosts, "path": path}));
    let scopes_supported = (!scopes_supported.is_empty()).then_some(scopes_supported);
    let protocol_versions = (!protocol_versions.is_empty()).then_some(protocol_versions);
    let resource = match resources.as_slice() {
        [one] => json!(one),
        all => json!(all),
    };
    json!({
        "name": name,
        "match": place,
        "resource": resource,
        "audiences": audiences,
        "issuers": issuers,
        "authorization_servers": settings.authorization_servers(),
        "scopes": scope_names::shown(scope_names.as_ref()),
        "challenge": {"scopes": challenge_scopes.word()},
        "tools_snapshot": tools_snapshot,
        "on_tool_change": on_change.word(),
        "unknown_tools": on_unknown.word(),
        "trust_tool_hints": hints,
        "check_arguments": check_arguments,
        "indirect": indirect::shown(indirect.as_ref()),
        "scopes_supported": scopes_supported,
        "deny": deny_shown(*deny, scope_results),
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
        "protocol_versions": protocol_versions,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn scopes_have_their_names_at_each_tenant_of_an_issuer() {
        let tenants = [
            "11111111-2222-3333-4444-555555555555",
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        ];
        let name = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers:\n- issuer: {}\n  tenants: [{}]\n  scopes: {{advertise: \"api://notes/{{scope}}\"}}\nservers:\n- {{name: all, resource: https://all.test/mcp}}\n- {{name: one, resource: https://one.test/mcp, issuers: [{}]}}\npolicy: policy.yaml\n",
            name("{tenantid}"),
            tenants.join(", "),
            name(tenants[0]),
        );
        let config = crate::config::decode("mcp-authz.yaml".to_owned(), text, Path::new(""));
        let config = config.unwrap_or_else(|findings| panic!("{:#?}", findings.to_lines()));
        let is_named = |server: usize, tenant: &str| {
            let names = config.servers[server].scope_names(&name(tenant));
            names.is_some_and(|names| names.advertised("read") == "api://notes/read")
        };
        assert_eq!(tenants.map(|tenant| is_named(0, tenant)), [true, true]);
        assert_eq!(tenants.map(|tenant| is_named(1, tenant)), [true, false]);
    }
}
