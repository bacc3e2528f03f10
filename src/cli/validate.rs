//! `mcp-authz validate`: reports everything that is wrong, at once.

mod records;
mod shown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::load::{self, Compiled, PolicyTexts};
use super::outcome::{FINDINGS, Stop, error_line, note, print};
use crate::app::{self, FaultWeight, IssuerFileFault, RunError};
use crate::authz::Policy;
use crate::catalog::Catalog;
use crate::config::{self, Config, Inspection, PolicyUsage, UNREAD_POLICY, UNUSABLE_KEY};
use crate::envoy::bootstrap::{self, Expected, ExpectedHosts};
use crate::policy::testing::Suite;
use crate::policy::{self, CompileContext, IssuerClaims, LintContext, PolicyPlaces};
use crate::yaml::{Findings, Node, Severity, Source, silence_of};
use records::Records;
use shown::Shown;

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
    /// Show the configuration with all defaults and with what the providers of issuers set
    #[arg(long)]
    effective: bool,
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
        effective,
        deny_warnings,
        format,
    } = arguments;
    let source = load::read(path)?;
    let envoy: Result<Vec<Source>, Stop> = envoy.iter().map(|path| load::read(path)).collect();
    let Validated {
        findings,
        config,
        revision,
    } = validate(source, load::base(path), envoy?);
    let beside = Shown {
        config: config.filter(|_| *effective),
        revision: revision.as_deref(),
    };
    let errors = findings.count(Severity::Error);
    let warnings = findings.count(Severity::Warning);
    let text = match format {
        TextFormat::Text => shown::text(&findings, errors, warnings, beside.config),
        TextFormat::Json => shown::json(&findings, errors, warnings, beside),
    };
    if let (TextFormat::Text, Some(revision)) = (format, &revision) {
        note(&format!("policy revision {revision}"));
    }
    let bad = errors > 0 || (*deny_warnings && warnings > 0);
    print(&text, if bad { FINDINGS } else { 0 })
}

/// What `validate` has found.
struct Validated {
    findings: Findings,
    /// The effective configuration, if the file makes one.
    config: Option<Value>,
    /// The revision of the policy, if it is good.
    revision: Option<Arc<str>>,
}

/// Everything about a configuration, its policy and the policy's tests. What one of them does not
/// tell, because it is wrong, is left open when the others are looked at.
fn validate(source: Source, base: &Path, envoy: Vec<Source>) -> Validated {
    let mut inspection = config::inspect(source.name, source.text, base);
    let context = match inspection.known() {
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
    let tools = records::names(&records);
    let claims = app::issuer_claims(&mut inspection);
    let (usage, revision, about_policy) =
        look_at_policy(&mut inspection, &context, records, claims);
    let about_candidate = look_at_candidate(&mut inspection, &context, &about_policy);
    config::lint(&mut inspection, usage.as_ref(), &tools);
    let about_envoy = look_at_envoy(inspection.config.as_ref(), usage.as_ref(), envoy);
    let effective = inspection.config.as_ref().map(Config::effective);
    let mut findings = inspection.findings;
    findings.absorb(about_policy);
    findings.absorb(about_candidate);
    findings.absorb(about_envoy);
    Validated {
        findings,
        config: effective,
        revision,
    }
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
            | RunError::Inherited(_)
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
            records::look_at_schemas(inspection, &records);
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

/// Policy files that somebody may think are read.
fn look_at_unread(inspection: &mut Inspection, path: &Path) {
    let unread = policy::unread(path);
    let root = inspection.tree.as_ref();
    let node = root.and_then(|root| root.member("policy"));
    if let (Some(first), Some(node)) = (unread.first(), node) {
        let message = format!(
            "`{}` is not read: the directories of a directory are not searched",
            first.display()
        );
        let path = path.display();
        let help = format!(
            "`{path}/**/*.yaml` reads them, and `{path}/*.yaml` says that they are not meant"
        );
        inspection.findings.lint(node, UNREAD_POLICY, message, help);
    }
}

/// Puts an error to a member of the configuration.
fn error_at(inspection: &mut Inspection, key: &str, message: &str) {
    let root = inspection.tree.as_ref();
    if let Some(node) = root.and_then(|root| root.member(key).or(Some(root))) {
        inspection.findings.error(node, message, "");
    }
}

/// The files of a policy and of its tests, if the global ones can be read.
fn read_policy(
    inspection: &mut Inspection,
    places: &PolicyPlaces,
) -> Option<(PolicyTexts, PolicyTexts)> {
    let sources = PolicyTexts::read(places, policy::read_of);
    match (sources, PolicyTexts::read(places, policy::read_tests_of)) {
        (Ok(sources), Ok(tests)) => Some((sources, tests)),
        (Err(stop), _) | (_, Err(stop)) => {
            if let Stop::Failed(line) = stop {
                error_at(inspection, places.key(), &line);
            }
            None
        }
    }
}

/// The teams whose files cannot be read.
fn look_at_unread_teams(inspection: &mut Inspection, sources: &PolicyTexts, tests: &PolicyTexts) {
    let root = inspection.tree.as_ref();
    let teams = root.and_then(|root| root.member("policies"));
    let teams = teams.map_or(&[][..], Node::items);
    let of_tests = tests.unread.iter();
    let of_tests = of_tests.filter(|unread| !sources.unread.contains(unread));
    for (name, why) in sources.unread.iter().chain(of_tests) {
        let is_named = |node: &&Node| node.member("name").and_then(Node::as_str) == Some(&**name);
        let team = teams.iter().find(is_named);
        if let Some(node) = team.map(|node| node.member("files").unwrap_or(node)) {
            let findings = &mut inspection.findings;
            findings.error(node, format!("team `{name}`: {why}"), "");
        }
    }
}

/// What is wrong with the candidate and its tests: all that would keep it from being compared. What is
/// wrong with the files of teams is `known` already.
fn look_at_candidate(
    inspection: &mut Inspection,
    context: &CompileContext,
    known: &Findings,
) -> Findings {
    let mut findings = Findings::new();
    let Some(places) = inspection.known().and_then(Config::candidate_places) else {
        return findings;
    };
    let Some((mut sources, mut tests)) = read_policy(inspection, &places) else {
        return findings;
    };
    let compiled = sources.compile(context);
    let suite = tests.suite(&sources.denied, &context.samples());
    match (compiled, suite) {
        (Ok(Compiled { policy, broken }), Ok((suite, _))) => {
            findings.absorb(broken);
            findings.absorb(failures(&suite, &policy, &sources, &places));
        }
        (policy, suite) => {
            findings.absorb(policy.err().unwrap_or_default());
            findings.absorb(suite.err().unwrap_or_default());
        }
    }
    findings.without(known)
}

/// What fails of the tests, but for those about teams whose rules are not known.
fn failures(
    suite: &Suite,
    policy: &Policy,
    sources: &PolicyTexts,
    places: &PolicyPlaces,
) -> Findings {
    let is_denied = |server: &str| {
        let mut teams = places.teams.iter();
        teams.any(|team| sources.denied.contains(&team.name) && team.has(server))
    };
    let report = suite.run_of(policy, || true, |server| !is_denied(server));
    report.map(|report| report.failures).unwrap_or_default()
}

/// What the policy looks at and its revision, if it is good, and what is wrong with it and its tests.
fn look_at_policy(
    inspection: &mut Inspection,
    context: &CompileContext,
    records: Records,
    claims: BTreeMap<String, IssuerClaims>,
) -> (Option<PolicyUsage>, Option<Arc<str>>, Findings) {
    let mut findings = Findings::new();
    let config = inspection.config.as_ref();
    let places = config.map(Config::policy_places);
    let Some(places) = places.or_else(|| inspection.policy.clone().map(PolicyPlaces::from)) else {
        return (None, None, findings);
    };
    let Some((mut sources, mut tests)) = read_policy(inspection, &places) else {
        return (None, None, findings);
    };
    look_at_unread(inspection, &places.path);
    look_at_unread_teams(inspection, &sources, &tests);
    let compiled = sources.compile(context);
    let suite = tests.suite(&sources.denied, &context.samples());
    let policy = match compiled {
        Ok(Compiled { policy, broken }) => {
            findings.absorb(broken);
            policy
        }
        Err(wrong) => {
            findings.absorb(wrong);
            findings.absorb(suite.map_or_else(|wrong| wrong, |(_, broken)| broken));
            return (None, None, findings);
        }
    };
    let suite = suite.map(|(suite, broken)| {
        findings.absorb(broken);
        suite
    });
    let is_known = inspection.known().is_some();
    let lint = LintContext {
        suite: suite.as_ref().ok().filter(|_| is_known),
        ..lint_context(inspection, context, records, claims)
    };
    findings.absorb(policy::lint_layers(&sources.layers(), &policy, &lint));
    match suite {
        // What is not known of the servers would decide otherwise.
        Ok(suite) if is_known => findings.absorb(failures(&suite, &policy, &sources, &places)),
        Ok(_) => {}
        Err(wrong) => findings.absorb(wrong),
    }
    let servers = inspection.known().map(|config| &config.servers);
    let servers: Vec<&str> = servers
        .into_iter()
        .flatten()
        .map(|server| server.name.as_str())
        .collect();
    let usage = PolicyUsage {
        scopes: policy::scopes_of(&policy),
        argument_servers: policy::argument_servers(&policy, servers.iter().copied()),
        pattern_servers: policy::pattern_servers(&policy, servers.iter().copied()),
        inner_servers: policy::inner_servers(&policy, &context.indirect),
        set_headers: policy
            .set_headers()
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    let revision = sources
        .denied
        .is_empty()
        .then(|| Arc::clone(policy.revision()));
    (Some(usage), revision, findings)
}

/// What the lints are told of the surroundings of a policy, but for its tests.
fn lint_context(
    inspection: &Inspection,
    context: &CompileContext,
    records: Records,
    claims: BTreeMap<String, IssuerClaims>,
) -> LintContext<'static> {
    let is_known = inspection.known().is_some();
    let uris = if is_known {
        Arc::clone(&context.uris)
    } else {
        context.any_forms()
    };
    LintContext {
        arguments: records::declared(&records),
        required: records::required(&records, inspection.known()),
        destructive: records::destructive(&records),
        records_all: context
            .servers
            .as_ref()
            .is_some_and(|servers| servers.iter().all(|server| records.contains_key(server))),
        claims,
        tools: load::names(records),
        hints: Arc::clone(&context.hints),
        uris,
        indirect: Arc::clone(&context.indirect),
        issuers: Arc::clone(&context.issuers),
        peers_are_verified: inspection
            .known()
            .is_none_or(|config| config.peers_ca_file.is_some()),
        suite: None,
        now: Some(app::now()),
    }
}
