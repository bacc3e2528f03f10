//! Warns of what a configuration can say and probably should not.

use std::collections::{BTreeMap, BTreeSet};

use super::inspection::Inspection;
use super::silence::{
    CHOSEN_SUBJECT, NO_AUTHORIZATION_SERVER, PASSED_TOKEN, PLAIN_HTTP, TELLING_STATUS,
    UNADVERTISED_SCOPE, UNCHECKED_ARGUMENTS, UNHEARD_DENIALS, UNKNOWN_INDIRECT_TOOL,
    UNRECORDED_BY_PATTERN, UNRECORDED_TOOLS, UNRULED_INNER_TOOLS, UNSHARED_SESSIONS, UNUSED_SCOPE,
};
use crate::check::ServerSettings;
use crate::yaml::{Data, Findings, Node, silence_of};

/// What the rules of a policy look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyUsage {
    /// The scopes that they name.
    pub scopes: BTreeSet<String>,
    /// The servers of whose tools they read arguments.
    pub argument_servers: BTreeSet<String>,
    /// The servers with tools that call others, on which they allow some other tool.
    pub inner_servers: BTreeSet<String>,
    /// The servers on which they allow tools by pattern.
    pub pattern_servers: BTreeSet<String>,
    /// The headers that they set.
    pub set_headers: Vec<String>,
}

/// The names of recorded tools, by server.
pub type RecordedNames = BTreeMap<String, Vec<String>>;

impl PolicyUsage {
    /// Whether a rule names a scope, by the name in tokens or the advertised one.
    fn names_scope(&self, server: Option<&ServerSettings>, scope: &str) -> bool {
        let issuers = server.into_iter().flat_map(|server| {
            let issuers = server.issuers.iter();
            issuers.filter_map(|issuer| server.scope_names(issuer))
        });
        let mut names = issuers.map(|names| (names, names.advertised(scope)));
        self.scopes.contains(scope)
            || names.any(|(names, advertised)| {
                let mut used = self.scopes.iter();
                used.any(|used| names.advertised(used) == advertised)
            })
    }
}

/// Adds warnings about a configuration to its findings. Without a policy, nothing is said about
/// what its rules would look at, nor without what they may name.
pub fn lint(inspection: &mut Inspection, usage: Option<&PolicyUsage>, tools: &RecordedNames) {
    let root = inspection.tree.as_ref();
    let issuers = root.and_then(|root| root.member("issuers"));
    for issuer in issuers.map_or(&[][..], Node::items) {
        look_at_issuer(issuer, &mut inspection.findings);
    }
    let servers = root.and_then(|root| root.member("servers"));
    let replicas = root.and_then(|root| root.member("replicas"));
    let replicas = replicas.filter(|node| matches!(node.data, Data::Int(2..)));
    let configured = inspection.config.as_ref().map(|config| &*config.servers);
    let known = inspection.config.as_ref().or(inspection.readable.as_ref());
    let known = known.map(|config| &*config.servers);
    let usage = usage.filter(|_| known.is_some());
    let mut logins = Vec::new();
    for server in servers.map_or(&[][..], Node::items) {
        let name = server.member("name").and_then(Node::as_str);
        let mut settings = configured.unwrap_or_default().iter();
        let settings = settings.find(|one| Some(&*one.name) == name);
        let silence = silence_of(server);
        let is_silent = |name: &str| silence.contains(&name);
        let findings = &mut inspection.findings;
        let passed = server
            .member("upstream")
            .and_then(|upstream| upstream.member("authorization"));
        let passed =
            passed.filter(|node| node.as_str() == Some("pass") && !is_silent(PASSED_TOKEN));
        if let Some(node) = passed {
            let message = "the server gets the client's token and can use it elsewhere";
            let help = "`remove` keeps it, or silence this with `silence: [passed-token]`";
            findings.lint(node, PASSED_TOKEN, message, help);
        }
        if !is_silent(TELLING_STATUS) {
            look_at_shape(server, findings);
        }
        if !is_silent(UNHEARD_DENIALS) {
            look_at_responses(server, findings);
        }
        if let Some(settings) = settings.filter(|_| !is_silent(NO_AUTHORIZATION_SERVER)) {
            logins.extend(without_login(server, settings));
        }
        if server.member("tools_snapshot").is_none() && !is_silent(UNRECORDED_TOOLS) {
            look_at_tools(server, findings);
        }
        if let Some(replicas) = replicas.filter(|_| !is_silent(UNSHARED_SESSIONS)) {
            look_at_sessions(server, replicas, findings);
        }
        if !is_silent(UNKNOWN_INDIRECT_TOOL) {
            look_at_indirect(server, tools, findings);
        }
        if let Some(usage) = usage.filter(|_| !is_silent(UNRULED_INNER_TOOLS)) {
            look_at_inner(server, usage, findings);
        }
        if let Some(usage) = usage.filter(|_| !is_silent(UNCHECKED_ARGUMENTS)) {
            look_at_arguments(server, usage, findings);
        }
        if let Some(usage) = usage.filter(|_| !is_silent(UNRECORDED_BY_PATTERN)) {
            look_at_patterns(server, usage, findings);
        }
        let known = known.unwrap_or_default();
        let known = known.iter().find(|one| Some(&*one.name) == name);
        if let Some(settings) = known.filter(|_| !is_silent(UNADVERTISED_SCOPE)) {
            look_at_scope_names(server, settings, usage, findings);
        }
        if let Some(usage) = usage.filter(|_| !is_silent(UNUSED_SCOPE)) {
            look_at_scopes(server, known, usage, findings);
        }
    }
    look_at_logins(&logins, &mut inspection.findings);
}

/// For a server whose clients ask for scopes.
fn look_at_scopes(
    server: &Node,
    settings: Option<&ServerSettings>,
    usage: &PolicyUsage,
    findings: &mut Findings,
) {
    let supported = server.member("scopes_supported");
    for node in supported.map_or(&[][..], Node::items) {
        let is_unused = |scope: &&str| !usage.names_scope(settings, scope);
        let Some(scope) = node.as_str().filter(is_unused) else {
            continue;
        };
        let message = format!("clients are told to ask for `{scope}`, and no rule looks at it");
        let help = "name it in a rule's `who.scopes` or `needs.scopes`, or leave it out";
        findings.lint(node, UNUSED_SCOPE, message, help);
    }
}

fn look_at_issuer(issuer: &Node, findings: &mut Findings) {
    if !silence_of(issuer).contains(&PLAIN_HTTP) {
        look_at_protection(issuer, findings);
    }
    if !silence_of(issuer).contains(&CHOSEN_SUBJECT) {
        look_at_subject(issuer, findings);
    }
}

/// For an issuer whose keys may meet somebody on the way.
fn look_at_protection(issuer: &Node, findings: &mut Findings) {
    let insecure = issuer.member("insecure_http");
    if let Some(node) = insecure.filter(|node| node.data == Data::Bool(true)) {
        let message =
            "whoever is between mcp-authz and this issuer can replace its keys, and be anyone";
        let help = "https with `ca_file`, or silence this with `silence: [plain-http]`";
        findings.lint(node, PLAIN_HTTP, message, help);
    }
}

/// Claims that `OpenID` Connect Core §5.7 forbids for telling users apart: they change, or users set
/// them, also to what another user has.
const CHOSEN_CLAIMS: [&str; 8] = [
    "email",
    "family_name",
    "given_name",
    "name",
    "nickname",
    "phone_number",
    "preferred_username",
    "unique_name",
];

/// For an issuer whose subjects are not told apart by `sub`.
fn look_at_subject(issuer: &Node, findings: &mut Findings) {
    let subject = issuer
        .member("claims")
        .and_then(|claims| claims.member("subject"));
    let one = subject.filter(|node| node.as_str().is_some());
    let several = subject.map_or(&[][..], Node::items);
    for node in one.into_iter().chain(several) {
        let Some(claim) = node.as_str().filter(|claim| CHOSEN_CLAIMS.contains(claim)) else {
            continue;
        };
        let message = format!(
            "users may change `{claim}`, and whoever has the `{claim}` of another is that subject"
        );
        let help = "`sub` or another id that the issuer gives, or silence this with \
                    `silence: [chosen-subject]`";
        findings.lint(node, CHOSEN_SUBJECT, message, help);
    }
}

/// For a server with several processes in front of it, which share nothing.
fn look_at_sessions(server: &Node, replicas: &Node, findings: &mut Findings) {
    let binding = server.member("session_binding");
    let message = match binding.and_then(Node::as_str) {
        Some("off") => return,
        Some("strict") => {
            "each replica refuses the sessions and tasks that another has seen issued"
        }
        Some(_) | None => {
            "at each replica a session or task belongs to whoever uses it first there"
        }
    };
    let help = "run one process, or silence this with `silence: [unshared-sessions]`";
    let node = binding.or_else(|| server.member("name"));
    findings.lint(node.unwrap_or(replicas), UNSHARED_SESSIONS, message, help);
}

/// For a server that is to say nothing.
fn look_at_shape(server: &Node, findings: &mut Findings) {
    let deny = server.member("deny");
    let member = |key| deny.and_then(|deny| deny.member(key));
    let is = |key, word| member(key).filter(|node: &&Node| node.as_str() == Some(word));
    if let (Some(node), Some(_)) = (is("shape", "http_403"), is("disclose", "nothing")) {
        let message = "403 tells what is denied from what the server does not know";
        let help = "`shape: jsonrpc_error`, or silence this with `silence: [telling-status]`";
        findings.lint(node, TELLING_STATUS, message, help);
    }
}

/// For a server that sends its responses on the GET stream: clients wait for them there.
fn look_at_responses(server: &Node, findings: &mut Findings) {
    let responds = server.member("responses_on_get");
    let responds = responds.is_some_and(|node| node.data == Data::Bool(true));
    let shape = server.member("deny").and_then(|deny| deny.member("shape"));
    let shape = shape.filter(|node| node.as_str().is_some_and(|word| word != "http_403"));
    if let Some(node) = shape.filter(|_| responds) {
        let message = "clients of such a server look only at the status of the reply to POST, and \
                       wait for a denied response until their timeout";
        let help = "`shape: http_403`, which is the default with `responses_on_get: true`, or \
                    silence this with `silence: [unheard-denials]`";
        findings.lint(node, UNHEARD_DENIALS, message, help);
    }
}

/// The place and the name of a server none of whose issuers is a URL.
fn without_login<'n>(server: &'n Node, settings: &ServerSettings) -> Option<(&'n Node, String)> {
    let is_said = settings.authorization_servers.is_some();
    if is_said || !settings.authorization_servers().is_empty() {
        return None;
    }
    let node = server.member("issuers").or_else(|| server.member("name"));
    Some((node.unwrap_or(server), settings.name.clone()))
}

/// For all servers none of whose issuers is a URL.
fn look_at_logins(logins: &[(&Node, String)], findings: &mut Findings) {
    let Some((node, _)) = logins.first() else {
        return;
    };
    let names = logins.iter().map(|(_, name)| format!("`{name}`"));
    let names = names.collect::<Vec<_>>().join(", ");
    let message = format!(
        "no issuer of {names} is the URL of an authorization server: clients without a token are \
         told of no place to get one"
    );
    let help = "name some as `authorization_servers`, or say that there is none with \
                `authorization_servers: []`";
    findings.lint(node, NO_AUTHORIZATION_SERVER, message, help);
}

/// For a server whose recorded tools could be held against their schemas.
fn look_at_arguments(server: &Node, usage: &PolicyUsage, findings: &mut Findings) {
    let name = server.member("name").and_then(Node::as_str);
    let is_read = name.is_some_and(|name| usage.argument_servers.contains(name));
    let checks = server.member("check_arguments");
    if checks.is_some_and(|node| node.data == Data::Bool(true)) || !is_read {
        return;
    }
    if let Some(node) = server.member("tools_snapshot") {
        let message = "rules read arguments of its tools, which may not be of the recorded types";
        let help = "`check_arguments: true` refuses arguments that do not fit their schema, or \
                    silence this with `silence: [unchecked-arguments]`";
        findings.lint(node, UNCHECKED_ARGUMENTS, message, help);
    }
}

/// For a server with recorded tools, of which rules allow others too.
fn look_at_patterns(server: &Node, usage: &PolicyUsage, findings: &mut Findings) {
    let name = server.member("name").and_then(Node::as_str);
    let is_open = name.is_some_and(|name| usage.pattern_servers.contains(name));
    let unknown = server.member("unknown_tools").and_then(Node::as_str);
    if !is_open || unknown == Some("deny") {
        return;
    }
    if let Some(node) = server.member("tools_snapshot") {
        let message =
            "rules allow tools by pattern, and a tool that was never recorded fits it too";
        let help = "`unknown_tools: deny` refuses what is not recorded, or silence this with \
                    `silence: [unrecorded-by-pattern]`";
        findings.lint(node, UNRECORDED_BY_PATTERN, message, help);
    }
}

/// For a server with tools that call others, of which the recorded ones are known.
fn look_at_indirect(server: &Node, tools: &RecordedNames, findings: &mut Findings) {
    let name = server.member("name").and_then(Node::as_str);
    let Some(known) = name.and_then(|name| tools.get(name)) else {
        return;
    };
    let indirect = server.member("indirect").map_or(&[][..], Node::items);
    for node in indirect.iter().filter_map(|one| one.member("tool")) {
        let Some(tool) = node.as_str() else { continue };
        if known.iter().any(|name| name == tool) {
            continue;
        }
        let message = format!("no recorded tool is called `{tool}`, so its calls may not be seen");
        let help = "name it as the server does, or silence this with \
                    `silence: [unknown-indirect-tool]`";
        findings.lint(node, UNKNOWN_INDIRECT_TOOL, message, help);
    }
}

/// For a server with tools that call others.
fn look_at_inner(server: &Node, usage: &PolicyUsage, findings: &mut Findings) {
    let name = server.member("name").and_then(Node::as_str);
    let is_ruled = name.is_some_and(|name| usage.inner_servers.contains(name));
    if let Some(node) = server.member("indirect").filter(|_| !is_ruled) {
        let message = "no rule allows a tool that these could call, so each such call is denied";
        let help = "allow the inner tools by name or class, or silence this with \
                    `silence: [unruled-inner-tools]`";
        findings.lint(node, UNRULED_INNER_TOOLS, message, help);
    }
}

/// For a server whose clients cannot ask for a scope, since its name stands for another.
fn look_at_scope_names(
    server: &Node,
    settings: &ServerSettings,
    usage: Option<&PolicyUsage>,
    findings: &mut Findings,
) {
    let supported = server.member("scopes_supported");
    let supported = supported.map_or(&[][..], Node::items);
    let names = settings.issuers.iter();
    let names = names.filter_map(|issuer| settings.scope_names(issuer));
    let mut seen = BTreeSet::new();
    for (scope, other) in names.flat_map(|names| names.unadvertised()) {
        let place = supported.iter().find(|node| node.as_str() == Some(scope));
        let is_used = usage.is_some_and(|usage| usage.scopes.contains(scope));
        if (place.is_none() && !is_used) || !seen.insert(scope) {
            continue;
        }
        let node = place.or_else(|| server.member("scopes"));
        let node = node.or_else(|| server.member("name")).unwrap_or(server);
        let message = format!(
            "clients cannot ask for `{scope}`: `map` gives the name that it has by `advertise` to `{other}`"
        );
        let help = format!(
            "give `{scope}` a name of its own in `map`, or silence this with \
             `silence: [unadvertised-scope]`"
        );
        findings.lint(node, UNADVERTISED_SCOPE, message, help);
    }
}

/// For a server without recorded tools.
fn look_at_tools(server: &Node, findings: &mut Findings) {
    let help = "record its tools and name the file as `tools_snapshot`, or silence this with \
                `silence: [unrecorded-tools]`";
    let on_change = server.member("on_tool_change");
    if let Some(node) = on_change.filter(|node| node.as_str() == Some("deny")) {
        let message = "each process accepts whatever definition of a tool it sees first";
        findings.lint(node, UNRECORDED_TOOLS, message, help);
    }
    let hints = server.member("trust_tool_hints");
    if let Some(node) = hints.filter(|node| node.data == Data::Bool(true)) {
        let message = "until a process has seen a list, no rule over classes can be evaluated";
        findings.lint(node, UNRECORDED_TOOLS, message, help);
    }
}
