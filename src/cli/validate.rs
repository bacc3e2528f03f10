//! `mcp-authz validate`: reports everything that is wrong, at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::load;
use super::outcome::{FINDINGS, Stop, error_line, note, print};
use crate::app::{self, FaultWeight, IssuerFileFault, RunError};
use crate::catalog::{Catalog, RecordedTool};
use crate::config::{self, Config, Inspection, PolicyUsage, RecordedNames, UNUSABLE_KEY};
use crate::envoy::bootstrap::{self, Expected, ExpectedHosts};
use crate::policy::testing::Suite;
use crate::policy::{self, CompileContext, DeclaredArguments, LintContext};
use crate::yaml::{Findings, Node, Severity, Source, silence_of};

/// The recorded tools by server.
type Records = BTreeMap<String, Vec<RecordedTool>>;

/// Show everything that is wrong with a configuration, its policy and the policy's tests
#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A file of the Envoy in front: a bootstrap, or one with `resources`. Several are of one
    /// Envoy
    #[arg(long, value_name = "FILE")]
    envoy: Vec<PathBuf>,
    /// Exit with 1 for warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// How to show it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    format: TextFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TextFormat {
    Text,
    Json,
}

pub(super) fn run(arguments: &ValidateArguments) -> Result<ExitCode, Stop> {
    let ValidateArguments {
        config: path,
        envoy,
        deny_warnings,
        format,
    } = arguments;
    let source = load::read(path)?;
    let envoy: Result<Vec<Source>, Stop> = envoy.iter().map(|path| load::read(path)).collect();
    let (findings, revision) = validate(source, load::base(path), envoy?);
    let errors = findings.count(Severity::Error);
    let warnings = findings.count(Severity::Warning);
    let text = match format {
        TextFormat::Text => text(&findings, errors, warnings),
        TextFormat::Json => json(&findings, errors, warnings, revision.as_deref()),
    };
    if let (TextFormat::Text, Some(revision)) = (format, &revision) {
        note(&format!("policy revision {revision}"));
    }
    let bad = errors > 0 || (*deny_warnings && warnings > 0);
    print(&text, if bad { FINDINGS } else { 0 })
}

/// Everything about a configuration, its policy and the policy's tests. What one of them does not
/// tell, because it is wrong, is left open when the others are looked at. With the revision of the
/// policy, if it is good.
fn validate(source: Source, base: &Path, envoy: Vec<Source>) -> (Findings, Option<Arc<str>>) {
    let mut inspection = config::inspect(source.name, source.text, base);
    let context = match &inspection.config {
        Some(config) => {
            let catalog = Catalog::open(
                config.watched_servers(),
                config.catalog_limits(),
                app::now(),
            );
            // What is wrong with it is found by the preflight.
            app::compile_context(config, catalog.ok().as_ref())
        }
        None => CompileContext {
            servers: inspection.servers.clone(),
            ..CompileContext::default()
        },
    };
    preflight(&mut inspection);
    let records = recorded_tools(&mut inspection);
    let tools = names(&records);
    let (usage, about_policy) = look_at_policy(&mut inspection, &context, records);
    let (usage, revision) = usage.unzip();
    config::lint(&mut inspection, usage.as_ref(), &tools);
    let about_envoy = look_at_envoy(inspection.config.as_ref(), usage.as_ref(), envoy);
    let mut findings = inspection.findings;
    findings.absorb(about_policy);
    findings.absorb(about_envoy);
    (findings, revision)
}

/// What is wrong with the configuration of the Envoy in front, if it was given.
fn look_at_envoy(
    config: Option<&Config>,
    usage: Option<&PolicyUsage>,
    files: Vec<Source>,
) -> Findings {
    if files.is_empty() {
        return Findings::new();
    }
    let expected = config.map(|config| Expected {
        listen: config.listen.clone(),
        servers: config.servers.iter().map(|one| one.name.clone()).collect(),
        hosts: config.hosts().map(expected_hosts).collect(),
        string_body: config.servers.iter().all(|server| server.string_body),
        body_bytes_max: config.limits.check.body_bytes_max,
        headers_max: config.limits.check.headers_max,
        header_bytes_max: config.limits.check.header_bytes_max,
        streams_max: config.limits.streams_max,
        fetch_wait: config.authn.fetch_wait,
        peers: config.peers_ca_file.is_some(),
        client_address: config.client_address,
        token_headers: config
            .servers
            .iter()
            .filter_map(|one| one.token.header.clone())
            .collect(),
        set_headers: usage.map_or_else(Vec::new, |usage| usage.set_headers.clone()),
    });
    bootstrap::inspect(files, expected.as_ref(), &load::named)
}

fn expected_hosts((server, hosts, is_bound): (&str, &[String], bool)) -> ExpectedHosts {
    ExpectedHosts {
        server: server.to_owned(),
        hosts: hosts.to_vec(),
        is_bound,
    }
}

/// What would keep the service from starting, where the file says it.
fn preflight(inspection: &mut Inspection) {
    let Some(config) = &inspection.config else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (faults, keys) = match runtime {
        Ok(runtime) => runtime.block_on(async {
            (
                app::preflight(config).await,
                app::issuer_files(config).await,
            )
        }),
        Err(source) => {
            let what = "cannot start a runtime";
            (vec![RunError::System { what, source }], Vec::new())
        }
    };
    look_at_issuers(inspection, keys);
    for fault in faults {
        let key = match fault {
            RunError::Fetch(_) => "fetch",
            RunError::Issuers(_) => "issuers",
            RunError::Servers(_) => "servers",
            // Every record is looked at below, those on which nothing rests too.
            RunError::Tools(_) => continue,
            RunError::Handoff(_) => "handoff",
            RunError::Tls(_) => "tls",
            RunError::AdminAddress => "admin",
            RunError::Countries(_) => "geoip",
            RunError::Peers(_) => "peers",
            RunError::Config(_)
            | RunError::Telemetry(_)
            | RunError::Policy(_)
            | RunError::Listen(_)
            | RunError::System { .. }
            | RunError::Serve(_)
            | RunError::TaskEnded(_) => "listen",
        };
        error_at(inspection, key, &error_line(&fault));
    }
}

/// What is wrong with files of issuers.
fn look_at_issuers(inspection: &mut Inspection, faults: Vec<(usize, IssuerFileFault)>) {
    let root = inspection.tree.as_ref();
    let issuers = root.and_then(|root| root.member("issuers"));
    let issuers = issuers.map_or(&[][..], Node::items);
    for (at, fault) in faults {
        let Some(issuer) = issuers.get(at) else {
            continue;
        };
        let Some(node) = issuer.member(fault.key) else {
            continue;
        };
        let is_silent = silence_of(issuer).contains(&UNUSABLE_KEY);
        let findings = &mut inspection.findings;
        match fault.weight {
            FaultWeight::Error => findings.error(node, fault.text, fault.help),
            FaultWeight::Warning if is_silent => {}
            FaultWeight::Warning => {
                findings.lint(node, UNUSABLE_KEY, fault.text, fault.help);
            }
            // Providers publish keys for other uses beside them.
            FaultWeight::Note => findings.note(node, fault.text),
        }
    }
}

/// The recorded tools, if all records are good.
fn recorded_tools(inspection: &mut Inspection) -> Records {
    match inspection.config.as_ref().map(load::records) {
        Some(Ok(records)) => {
            look_at_schemas(inspection, &records);
            records
        }
        Some(Err(stop)) => {
            if let Stop::Failed(line) = stop {
                error_at(inspection, "servers", &line);
            }
            Records::default()
        }
        None => Records::default(),
    }
}

/// The names of the tools of each record.
fn names(records: &Records) -> RecordedNames {
    let names = |tools: &Vec<RecordedTool>| tools.iter().map(|tool| tool.name.clone()).collect();
    let records = records.iter();
    records
        .map(|(server, tools)| (server.clone(), names(tools)))
        .collect()
}

/// What the tools of each record declare.
fn declared(records: &Records) -> BTreeMap<String, BTreeMap<String, DeclaredArguments>> {
    let of_tool = |tool: &RecordedTool| {
        let declared = DeclaredArguments::of(tool.part("inputSchema"));
        (tool.name.clone(), declared)
    };
    let records = records.iter();
    records
        .map(|(server, tools)| (server.clone(), tools.iter().map(of_tool).collect()))
        .collect()
}

/// Tools of which every call would be refused.
fn look_at_schemas(inspection: &mut Inspection, records: &Records) {
    let Inspection {
        tree: Some(root),
        config: Some(config),
        findings,
        ..
    } = inspection
    else {
        return;
    };
    let servers = root.member("servers").map_or(&[][..], Node::items);
    for server in config.servers.iter().filter(|one| one.check_arguments) {
        let named =
            |node: &&Node| node.member("name").and_then(Node::as_str) == Some(server.name.as_str());
        let node = servers.iter().find(named);
        let node = node.and_then(|node| node.member("tools_snapshot"));
        let tools = records.get(&server.name).map_or(&[][..], Vec::as_slice);
        for (node, tool) in node
            .into_iter()
            .flat_map(|node| tools.iter().map(move |tool| (node, tool)))
        {
            if let Some(error) = tool.input_schema().unusable() {
                let name = tool.name.escape_debug();
                let message = format!("the input schema of `{name}` cannot be used: {error}");
                findings.error(node, message, "every call of the tool would be refused");
            }
        }
    }
}

/// Puts an error to a member of the configuration.
fn error_at(inspection: &mut Inspection, key: &str, message: &str) {
    let root = inspection.tree.as_ref();
    if let Some(node) = root.and_then(|root| root.member(key).or(Some(root))) {
        inspection.findings.error(node, message, "");
    }
}

/// What the policy looks at and its revision, if it is good, and what is wrong with it and its tests.
fn look_at_policy(
    inspection: &mut Inspection,
    context: &CompileContext,
    records: Records,
) -> (Option<(PolicyUsage, Arc<str>)>, Findings) {
    let mut findings = Findings::new();
    let Some(path) = inspection.policy.clone() else {
        return (None, findings);
    };
    let (sources, tests) = match (policy::read(&path), policy::read_tests(&path)) {
        (Ok(sources), Ok(tests)) => (sources, tests),
        (Err(error), _) | (_, Err(error)) => {
            error_at(inspection, "policy", &error.to_string());
            return (None, findings);
        }
    };
    let suite = Suite::read(&tests, &context.samples());
    let policy = match policy::compile(&sources, context) {
        Ok(policy) => policy,
        Err(wrong) => {
            findings.absorb(wrong);
            findings.absorb(suite.err().unwrap_or_default());
            return (None, findings);
        }
    };
    let lint = LintContext {
        arguments: declared(&records),
        tools: load::names(records),
        hints: Arc::clone(&context.hints),
        uris: Arc::clone(&context.uris),
        issuers: Arc::clone(&context.issuers),
        peers_are_verified: inspection
            .config
            .as_ref()
            .is_none_or(|config| config.peers_ca_file.is_some()),
        suite: suite.as_ref().ok(),
        now: Some(app::now()),
    };
    findings.absorb(policy::lint(&sources, &policy, &lint));
    match suite {
        Ok(suite) => findings.absorb(suite.run(&policy).failures),
        Err(wrong) => findings.absorb(wrong),
    }
    let servers = inspection.config.as_ref().map(|config| &config.servers);
    let servers = servers
        .into_iter()
        .flatten()
        .map(|server| server.name.as_str());
    let usage = PolicyUsage {
        scopes: policy::scopes_of(&policy),
        argument_servers: policy::argument_servers(&policy, servers),
        inner_servers: policy::inner_servers(&policy, &context.indirect),
        set_headers: policy
            .set_headers()
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    (Some((usage, Arc::clone(policy.revision()))), findings)
}

fn text(findings: &Findings, errors: usize, warnings: usize) -> String {
    let shown = findings.render(true);
    let gap = if shown.is_empty() { "" } else { "\n\n" };
    format!("{shown}{gap}{errors} error(s), {warnings} warning(s)\n")
}

fn json(findings: &Findings, errors: usize, warnings: usize, revision: Option<&str>) -> String {
    let all = findings.sorted();
    let all = all.into_iter().map(|finding| {
        let (line, column) = findings.position(finding);
        json!({
            "severity": finding.severity.name(),
            "lint": finding.lint,
            "file": findings.name(finding.source),
            "line": line,
            "column": column,
            "message": finding.message,
            "help": finding.help,
        })
    });
    let all: Vec<_> = all.collect();
    format!(
        "{:#}\n",
        json!({
            "findings": all,
            "errors": errors,
            "warnings": warnings,
            "policy_revision": revision,
        })
    )
}
