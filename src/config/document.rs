//! The top of the file: every key, and the sections that have no file of their own.

use std::time::Duration;

use super::reader::ConfigReader;
use super::settings::{Config, Drain};
use super::{context, limits, listen, telemetry, token_place};
use crate::audit::AuditSettings;
use crate::check::{Fact, HandoffSettings};
use crate::envoy::check_request::ClientAddress;
use crate::yaml::{self, Fields, Findings, Node};

/// The most processes that may serve the same Envoys.
const REPLICAS_MAX: u64 = 10_000;

impl ConfigReader<'_> {
    /// Reads the whole file.
    pub(super) fn config(self, root: &Node, findings: &mut Findings) -> Option<Config> {
        let mut fields = Fields::open(root, "the configuration", findings)?;
        let listen = fields.required("listen", findings, listen::address);
        let tls = fields.optional("tls", findings, |node, findings| self.tls(node, findings));
        let client_address = fields.optional("client_address", findings, listen::client_address);
        let admin = fields.optional("admin", findings, listen::admin);
        let (mut authn, limits) = fields
            .optional("limits", findings, limits::limits)
            .unwrap_or_default();
        let names = fields.required("issuers", findings, |node, findings| {
            self.issuers(node, &mut authn, findings)
        });
        let issuers_strict = fields.optional("issuers_strict", findings, yaml::boolean);
        let servers = fields.required("servers", findings, |node, findings| {
            self.servers(node, names.as_deref(), &authn.issuers, findings)
        });
        let policy = fields.required("policy", findings, yaml::string);
        let guarded = servers.as_ref().map(|(servers, _)| servers.as_slice());
        let (teams, last_good) = self.delegated(&mut fields, guarded, findings);
        let candidate = fields.optional("candidate_policy", findings, yaml::string);
        let purpose = fields
            .optional("purpose", findings, context::purpose)
            .unwrap_or_default();
        let device_header = fields.optional("device", findings, context::device_header);
        let headers = [purpose.header.as_deref(), device_header.as_deref()];
        token_place::only_tokens(root, servers.as_ref(), headers, findings);
        let peers_ca_file = fields.optional("peers", findings, context::peers_ca_file);
        let facts = fields.optional("dynamic_metadata", findings, facts);
        let country_db_file = fields.optional("geoip", findings, context::country_db_file);
        let handoff = fields.optional("handoff", findings, |node, findings| {
            self.handoff(node, findings)
        });
        let fetch = fields.optional("fetch", findings, |node, findings| {
            self.fetch(node, findings)
        });
        let telemetry = fields.optional("telemetry", findings, telemetry::settings);
        let audit = fields.optional("audit", findings, audit);
        let replicas = fields.optional("replicas", findings, replicas);
        let drain = fields.optional("drain", findings, drain);
        fields.finish(findings);
        let (mut servers, tools_snapshots) = servers?;
        for server in &mut servers {
            server.issuers = authn.names_of(&server.issuers);
        }
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
            teams,
            last_good,
            candidate_policy: candidate.map(|path| self.path(&path)),
            purpose,
            device_header,
            facts: facts.unwrap_or_else(|| Fact::USUAL.to_vec()),
            country_db_file: country_db_file.map(|path| self.path(&path)),
            replicas: replicas.unwrap_or(1),
            handoff: handoff.unwrap_or_default(),
            fetch: fetch.unwrap_or_default(),
            telemetry: telemetry.unwrap_or_default(),
            audit: audit.unwrap_or_default(),
            limits,
            drain: drain.unwrap_or_default(),
        })
    }

    /// Reads `handoff`.
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
}

/// Reads `replicas`.
fn replicas(node: &Node, findings: &mut Findings) -> Option<u32> {
    let replicas = yaml::integer(1..=REPLICAS_MAX)(node, findings)?;
    u32::try_from(replicas).ok()
}

/// Reads `dynamic_metadata`.
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
        let help = "by it a response on its way back is known to be one of a judged request";
        findings.error(node, "`reason` is not among the facts", help);
        return None;
    }
    Some(facts)
}

/// Reads `audit`.
fn audit(node: &Node, findings: &mut Findings) -> Option<AuditSettings> {
    let mut fields = Fields::open(node, "`audit`", findings)?;
    let groups = fields.optional("groups", findings, yaml::boolean);
    fields.finish(findings);
    Some(AuditSettings {
        groups: groups.unwrap_or(AuditSettings::default().groups),
    })
}

/// Reads `drain`.
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
