//! The configuration after reading: the settings of every module, and the few that belong to none.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::audit;
use crate::audit::AuditSettings;
use crate::authn;
use crate::catalog::{CatalogLimits, WatchedServer};
use crate::check::{
    self, Fact, HandoffSettings, IndirectTool, PurposeSettings, ScopeNames, ServerSettings, UriForm,
};
use crate::envoy::check_request::ClientAddress;
use crate::fetch;
use crate::listen;
use crate::policy::{LastGoodSettings, PolicyPlaces, TeamSettings};
use crate::state;
use crate::telemetry;

/// Everything that the configuration file says. What of it may change while the process runs is in
/// [`Config::keep_fixed`].
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
    pub authn: authn::AuthnSettings,
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
    /// The teams to whom a part of the policy is delegated.
    pub teams: Vec<TeamSettings>,
    /// Where the last good policy is kept.
    pub last_good: Option<LastGoodSettings>,
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
    /// How what a check hands on to the response is sealed.
    pub handoff: HandoffSettings,
    /// How outbound HTTP requests are made.
    pub fetch: fetch::FetchSettings,
    /// Logs and traces.
    pub telemetry: telemetry::TelemetrySettings,
    /// What audit records have.
    pub audit: AuditSettings,
    /// Every limit that is not part of another module's settings.
    pub limits: LimitSettings,
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

    /// The files that it names and that have to be there, but for those of policies.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let issuers = self.authn.issuers.iter();
        let mut files: Vec<PathBuf> = issuers.filter_map(|one| one.ca_file.clone()).collect();
        files.extend(self.tools_snapshots.values().cloned());
        files.extend(self.peers_ca_file.clone());
        files.extend(self.country_db_file.clone());
        files.extend(self.handoff.key_file.clone());
        if let Some(tls) = &self.tls {
            files.extend([tls.cert_file.clone(), tls.key_file.clone()]);
            files.extend(tls.client_ca_file.clone());
        }
        files.sort_unstable();
        files
    }

    /// Where the files of the policy are.
    #[must_use]
    pub fn policy_places(&self) -> PolicyPlaces {
        PolicyPlaces {
            path: self.policy.clone(),
            teams: self.teams.clone(),
            last_good: self.last_good.clone(),
            is_candidate: false,
        }
    }

    /// Where the files of the candidate are: it is evaluated with the rules of teams, and is never
    /// kept.
    #[must_use]
    pub fn candidate_places(&self) -> Option<PolicyPlaces> {
        let path = self.candidate_policy.clone()?;
        Some(PolicyPlaces {
            path,
            teams: self.teams.clone(),
            last_good: None,
            is_candidate: true,
        })
    }

    /// How each server reads URIs.
    #[must_use]
    pub fn uri_forms(&self) -> HashMap<String, UriForm> {
        let servers = self.servers.iter();
        servers
            .map(|server| (server.name.clone(), server.uris))
            .collect()
    }

    /// The tools of each server that call other tools of it.
    #[must_use]
    pub fn indirect_tools(&self) -> HashMap<String, Arc<[IndirectTool]>> {
        let servers = self.servers.iter();
        servers
            .filter_map(|server| Some((server.name.clone(), server.indirect.clone()?)))
            .collect()
    }

    /// The hosts of each server, and whether it is at no other host even where a route names it.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &[String], bool)> {
        let servers = self.servers.iter();
        servers.map(|server| (&*server.name, &*server.hosts, server.follows_host()))
    }

    /// How scopes are advertised, by server and issuer, where it is not as in tokens.
    #[must_use]
    pub fn scope_names(&self) -> HashMap<(String, String), ScopeNames> {
        let servers = self.servers.iter();
        let named = servers.flat_map(|server| {
            let issuers = server.issuers.iter();
            issuers.filter_map(|issuer| {
                let names = server.scope_names(issuer)?;
                Some(((server.name.clone(), issuer.clone()), names.clone()))
            })
        });
        named.collect()
    }

    /// What may be remembered of tools.
    #[must_use]
    pub fn catalog_limits(&self) -> CatalogLimits {
        CatalogLimits {
            tools_max: self.limits.tools_max,
            name_bytes_max: self.limits.check.name_bytes_max,
        }
    }
}

/// The limits that are not part of another module's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// What connections may cost before anything is said on them.
    pub listen: listen::ConnectionLimits,
    /// What bodies may be like.
    pub check: check::RequestLimits,
    /// The most rules of a policy.
    pub rules_max: usize,
    /// The longest CEL expression, in bytes.
    pub cel_bytes_max: usize,
    /// What is remembered between requests.
    pub state: state::StateSettings,
    /// How many audit records may wait to be written.
    pub audit_queue: audit::QueueLimits,
    /// How many checks one connection may have under way.
    pub streams_max: u32,
    /// How many tools of a server are remembered, besides those of its record.
    pub tools_max: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            listen: listen::ConnectionLimits::default(),
            check: check::RequestLimits::default(),
            rules_max: 10_000,
            cel_bytes_max: 4 << 10,
            state: state::StateSettings::default(),
            audit_queue: audit::QueueLimits::default(),
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
