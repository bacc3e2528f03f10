//! The configuration file: static, read once, every mistake reported at once.
//!
//! This file composes each module's settings and is, with `policy/document.rs`, the only place
//! that knows YAML keys. Trust anchors live here and rules do not: who may edit the policy cannot
//! add an issuer.

mod context;
mod effective;
mod issuers;
mod limits;
mod lint;
mod servers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use lint::{LINTS, PolicyUsage, lint};

use crate::audit;
use crate::authn;
use crate::catalog::{self, WatchedServer};
use crate::check::{self, Fact, HandoffSettings, PurposeSettings, ServerSettings, UriForm};
use crate::envoy::check_request::ClientAddress;
use crate::file::{self, ReadError};
use crate::listen;
use crate::state;
use crate::telemetry;
use crate::yaml::{self, Fields, Findings, Node};

/// Everything that is fixed for the life of the process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Envoy reaches the service.
    pub listen: listen::Address,
    /// Which address of a request is the client's.
    pub client_address: ClientAddress,
    /// TLS towards Envoy.
    pub tls: Option<listen::TlsFiles>,
    /// Where operators reach the service; none: not at all.
    pub admin: Option<listen::Address>,
    /// Who vouches for callers.
    pub authn: authn::Settings,
    /// Whether each rule has to say whose names it means.
    pub issuers_strict: bool,
    /// The certificates that vouch for the TLS peers of Envoy.
    pub peers_ca_file: Option<PathBuf>,
    /// What is guarded.
    pub servers: Vec<ServerSettings>,
    /// By server: a file with its recorded and accepted `tools/list` result.
    pub tools_snapshots: HashMap<String, PathBuf>,
    /// The policy: a file, a directory or a glob, relative to the configuration file.
    pub policy: PathBuf,
    /// A policy that is evaluated beside it and never enforced.
    pub candidate_policy: Option<PathBuf>,
    /// Where clients say what a call is for.
    pub purpose: PurposeSettings,
    /// The header in which a trusted proxy says what it knows of the device.
    pub device_header: Option<String>,
    /// What Envoy is told beside each decision.
    pub facts: Vec<Fact>,
    /// The database of countries.
    pub country_db_file: Option<PathBuf>,
    /// How many processes serve the same Envoys.
    pub replicas: u32,
    /// How what a check hands on to the answer is sealed.
    pub handoff: HandoffSettings,
    /// Logs and traces.
    pub telemetry: telemetry::Settings,
    /// Every limit that is not part of another module's settings.
    pub limits: Limits,
    /// How the process ends.
    pub drain: Drain,
}

impl Config {
    /// Every server as far as its tools are watched.
    #[must_use]
    pub fn watched_servers(&self) -> Vec<WatchedServer> {
        let servers = self.servers.iter().map(|server| WatchedServer {
            name: server.name.clone(),
            trust: server.trust,
            snapshot: self.tools_snapshots.get(&server.name).cloned(),
            check_arguments: server.check_arguments,
        });
        servers.collect()
    }

    /// How each server reads URIs.
    #[must_use]
    pub fn uri_forms(&self) -> HashMap<String, UriForm> {
        let servers = self.servers.iter();
        servers
            .map(|server| (server.name.clone(), server.uris))
            .collect()
    }

    /// What may be remembered of tools.
    #[must_use]
    pub fn catalog_limits(&self) -> catalog::Limits {
        catalog::Limits {
            tools_max: self.limits.tools_max,
            name_bytes_max: self.limits.check.name_bytes_max,
        }
    }
}

/// The limits that are not part of another module's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What connections may cost before anything is said on them.
    pub listen: listen::Limits,
    /// What bodies may be like.
    pub check: check::RequestLimits,
    /// The most rules of a policy.
    pub rules_max: usize,
    /// The longest CEL expression, in bytes.
    pub cel_bytes_max: usize,
    /// What is remembered between requests.
    pub state: state::Settings,
    /// How many audit records may wait to be written.
    pub audit_queue: audit::Limits,
    /// How many checks one connection may have under way.
    pub streams_max: u32,
    /// How many tools of a server are remembered, besides those of its record.
    pub tools_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            listen: listen::Limits::default(),
            check: check::RequestLimits::default(),
            rules_max: 10_000,
            cel_bytes_max: 4 << 10,
            state: state::Settings::default(),
            audit_queue: audit::Limits::default(),
            streams_max: 1024,
            tools_max: 10_000,
        }
    }
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long the process goes on serving after it said that it will end.
    pub delay: Duration,
    /// How long what is then still in flight may take.
    pub timeout: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Drain {
            delay: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ReadError,
    },
    /// The file is wrong.
    #[error("the configuration has {}", .0.total())]
    Invalid(Findings),
}

/// Reads a configuration file; `-` is standard input, whose paths are relative to the working
/// directory. It may also be a pipe that the shell made.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong in it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = file::read_input(path, FILE_BYTES_MAX).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    decode(path.display().to_string(), text, base).map_err(ConfigError::Invalid)
}

/// The most processes that may serve the same Envoys.
const REPLICAS_MAX: u64 = 10_000;
/// The most bytes a configuration file may have.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Decodes the text of a configuration. Paths in it are relative to `base`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn decode(name: String, text: String, base: &Path) -> Result<Config, Findings> {
    let inspection = inspect(name, text, base);
    inspection.config.ok_or(inspection.findings)
}

/// What a configuration file says, as far as it can be told, and everything that is wrong.
#[derive(Debug)]
pub struct Inspection {
    /// The configuration, if nothing is wrong.
    pub config: Option<Config>,
    /// What is wrong.
    pub findings: Findings,
    /// Where the policy is, even if something else is wrong.
    pub policy: Option<PathBuf>,
    /// The names of the servers, if all of them could be read.
    pub servers: Option<Vec<String>>,
    /// The file as a tree, if it is one; its places are those of `findings`.
    pub tree: Option<Node>,
}

/// Reads as much of a configuration as can be read, to check what it points to as well.
#[must_use]
pub fn inspect(name: String, text: String, base: &Path) -> Inspection {
    let mut findings = Findings::new();
    let source = findings.add_source(yaml::Source { name, text });
    let tree = yaml::parse(source, &mut findings);
    let config = tree
        .as_ref()
        .and_then(|root| Reader { base }.config(root, &mut findings))
        .filter(|_| !findings.has_errors());
    let text_of = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let root = tree.as_ref();
    let policy = text_of(root.and_then(|root| root.member("policy")));
    let servers = root.and_then(|root| root.member("servers"));
    let names = servers.map(|list| list.items().iter().map(|one| text_of(one.member("name"))));
    Inspection {
        config,
        findings,
        policy: policy
            .filter(|path| !path.is_empty())
            .map(|path| base.join(path)),
        servers: names.and_then(Iterator::collect),
        tree,
    }
}

/// What reading needs to know besides the tree.
#[derive(Debug, Clone, Copy)]
struct Reader<'b> {
    base: &'b Path,
}

impl Reader<'_> {
    fn config(self, root: &Node, findings: &mut Findings) -> Option<Config> {
        let mut fields = Fields::open(root, "the configuration", findings)?;
        let listen = fields.required("listen", findings, address);
        let tls = fields.optional("tls", findings, |node, findings| self.tls(node, findings));
        let client_address = fields.optional("client_address", findings, client_address);
        let admin = fields.optional("admin", findings, admin);
        let (mut authn, limits) = fields
            .optional("limits", findings, limits::limits)
            .unwrap_or_default();
        let names = fields.required("issuers", findings, |node, findings| {
            self.issuers(node, &mut authn, findings)
        });
        let issuers_strict = fields.optional("issuers_strict", findings, yaml::boolean);
        let servers = fields.required("servers", findings, |node, findings| {
            self.servers(node, names.as_deref(), findings)
        });
        let policy = fields.required("policy", findings, yaml::string);
        let candidate = fields.optional("candidate_policy", findings, yaml::string);
        let purpose = fields
            .optional("purpose", findings, context::purpose)
            .unwrap_or_default();
        let device_header = fields.optional("device", findings, context::device_header);
        let peers_ca_file = fields.optional("peers", findings, context::peers_ca_file);
        let facts = fields.optional("dynamic_metadata", findings, facts);
        let country_db_file = fields.optional("geoip", findings, context::country_db_file);
        let handoff = fields.optional("handoff", findings, |node, findings| {
            self.handoff(node, findings)
        });
        let telemetry = fields
            .optional("telemetry", findings, telemetry)
            .unwrap_or_default();
        let replicas = fields.optional("replicas", findings, yaml::integer(1..=REPLICAS_MAX));
        let drain = fields
            .optional("drain", findings, drain)
            .unwrap_or_default();
        fields.finish(findings);
        let (servers, tools_snapshots) = servers?;
        Some(Config {
            listen: listen?,
            client_address: client_address.unwrap_or(ClientAddress::Peer),
            tls,
            admin,
            authn,
            issuers_strict: issuers_strict.unwrap_or(false),
            peers_ca_file: peers_ca_file.map(|path| self.path(&path)),
            servers,
            tools_snapshots,
            policy: self.path(&policy?),
            candidate_policy: candidate.map(|path| self.path(&path)),
            purpose,
            device_header,
            facts: facts.unwrap_or_else(|| Fact::USUAL.to_vec()),
            country_db_file: country_db_file.map(|path| self.path(&path)),
            replicas: replicas
                .and_then(|replicas| u32::try_from(replicas).ok())
                .unwrap_or(1),
            handoff: handoff.unwrap_or_default(),
            telemetry,
            limits,
            drain,
        })
    }

    fn tls(self, node: &Node, findings: &mut Findings) -> Option<listen::TlsFiles> {
        let mut fields = Fields::open(node, "`tls`", findings)?;
        let cert_file = fields.required("cert_file", findings, yaml::string);
        let key_file = fields.required("key_file", findings, yaml::string);
        let client_ca_file = fields.optional("client_ca_file", findings, yaml::string);
        fields.finish(findings);
        Some(listen::TlsFiles {
            cert_file: self.path(&cert_file?),
            key_file: self.path(&key_file?),
            client_ca_file: client_ca_file.map(|path| self.path(&path)),
        })
    }

    fn handoff(self, node: &Node, findings: &mut Findings) -> Option<HandoffSettings> {
        let mut fields = Fields::open(node, "`handoff`", findings)?;
        let key_file = fields.optional("key_file", findings, yaml::string);
        let span = yaml::duration(Duration::from_secs(1)..=Duration::from_hours(24));
        let max_age = fields.optional("max_age", findings, span);
        fields.finish(findings);
        Some(HandoffSettings {
            key_file: key_file.map(|path| self.path(&path)),
            max_age: max_age.unwrap_or(HandoffSettings::default().max_age),
        })
    }

    fn path(self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

fn address(node: &Node, findings: &mut Findings) -> Option<listen::Address> {
    let text = yaml::string(node, findings)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(error) => {
            findings.error(node, error.to_string(), "");
            None
        }
    }
}

fn client_address(node: &Node, findings: &mut Findings) -> Option<ClientAddress> {
    let words = [
        ("peer", ClientAddress::Peer),
        ("x-envoy-external-address", ClientAddress::ExternalAddress),
    ];
    yaml::choice(&words)(node, findings)
}

fn facts(node: &Node, findings: &mut Findings) -> Option<Vec<Fact>> {
    let words = Fact::ALL.map(|fact| (fact.name(), fact));
    let choose = yaml::choice(&words);
    let mut seen = Vec::new();
    let facts = yaml::list(node, findings, |node, findings| {
        let fact = choose(node, findings)?;
        if seen.contains(&fact) {
            let message = format!("`{}` is there twice", fact.name());
            findings.error(node, message, "each fact is told once");
            return None;
        }
        seen.push(fact);
        Some(fact)
    })?;
    if !facts.contains(&Fact::Reason) {
        let help = "by it an answer on its way back is known to be one of a judged request";
        findings.error(node, "`reason` is not among the facts", help);
        return None;
    }
    Some(facts)
}

fn admin(node: &Node, findings: &mut Findings) -> Option<listen::Address> {
    let mut fields = Fields::open(node, "`admin`", findings)?;
    let listen = fields.required("listen", findings, |node, findings| {
        match address(node, findings)? {
            address @ listen::Address::Tcp(_) => Some(address),
            listen::Address::Unix(_) => {
                let message = "the admin endpoint is on TCP only";
                findings.error(node, message, "`host:port` or `[::]:port`");
                None
            }
        }
    });
    fields.finish(findings);
    listen
}

fn telemetry(node: &Node, findings: &mut Findings) -> Option<telemetry::Settings> {
    let mut fields = Fields::open(node, "`telemetry`", findings)?;
    let defaults = telemetry::Settings::default();
    let endpoint = fields.optional("otlp_endpoint", findings, |node, findings| {
        let endpoint = yaml::string(node, findings)?;
        checked(node, telemetry::check_endpoint(&endpoint), findings)?;
        Some(endpoint)
    });
    let service_name = fields.optional("service_name", findings, yaml::string);
    let log = fields.optional("log", findings, |node, findings| {
        let log = yaml::string(node, findings)?;
        checked(node, telemetry::log_filter(&log), findings)?;
        Some(log)
    });
    fields.finish(findings);
    Some(telemetry::Settings {
        otlp_endpoint: endpoint,
        service_name: service_name.unwrap_or(defaults.service_name),
        log: log.unwrap_or(defaults.log),
    })
}

fn checked<T>(
    node: &Node,
    result: Result<T, telemetry::InvalidTelemetry>,
    findings: &mut Findings,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            findings.error(node, error.to_string(), error.help());
            None
        }
    }
}

fn drain(node: &Node, findings: &mut Findings) -> Option<Drain> {
    let mut fields = Fields::open(node, "`drain`", findings)?;
    let defaults = Drain::default();
    let span = yaml::duration(Duration::ZERO..=Duration::from_mins(10));
    let delay = fields
        .optional("delay", findings, &span)
        .unwrap_or(defaults.delay);
    let timeout = fields
        .optional("timeout", findings, &span)
        .unwrap_or(defaults.timeout);
    fields.finish(findings);
    Some(Drain { delay, timeout })
}

#[cfg(test)]
mod tests;
