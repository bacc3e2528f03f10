//! `issuers`: who vouches for callers, and how their tokens are read.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Reader;
use crate::authn::SignatureAlgorithm;
use crate::authn::{self, ClaimSettings, IssuerSettings, KeySettings, KeySourceSettings};
use crate::yaml::{self, Fields, Findings, Node};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(720);

impl Reader<'_> {
    pub(super) fn issuer(self, node: &Node, findings: &mut Findings) -> Option<IssuerSettings> {
        let mut fields = Fields::open(node, "an issuer", findings)?;
        let name = fields.required("issuer", findings, yaml::string);
        let uri = fields.optional("jwks_uri", findings, yaml::string);
        let file_node = fields.node_of("jwks_file");
        let file = file_node.and_then(|node| yaml::string(node, findings));
        let algorithms = fields.optional("algorithms", findings, algorithms);
        let ca_file = fields.optional("ca_file", findings, yaml::string);
        let claims = fields.optional("claims", findings, claims);
        let leeway = yaml::duration(Duration::ZERO..=Duration::from_mins(5));
        let leeway = fields.optional("leeway", findings, leeway);
        let keys = fields.optional("keys", findings, keys);
        fields.finish(findings);
        let source = match (uri, file, file_node) {
            (Some(_), Some(_), Some(node)) => {
                let help = "keys come from one place: keep one of the two";
                findings.error(node, "`jwks_uri` and `jwks_file` are both given", help);
                return None;
            }
            (Some(uri), ..) => KeySourceSettings::Uri(uri),
            (None, Some(file), _) => KeySourceSettings::File(self.path(&file)),
            (None, None, _) => KeySourceSettings::Discovery,
        };
        let mut settings = IssuerSettings::new(name?);
        settings.source = source;
        settings.ca_file = ca_file.map(|path| self.path(&path));
        settings.algorithms = algorithms.unwrap_or(settings.algorithms);
        settings.claims = claims.unwrap_or(settings.claims);
        settings.leeway = leeway.unwrap_or(settings.leeway);
        settings.keys = keys.unwrap_or(settings.keys);
        Some(settings)
    }
}

/// What concerns issuers together, and what the module itself finds wrong.
pub(super) fn check_issuers(settings: &authn::Settings, root: &Node, findings: &mut Findings) {
    let places = root.member("issuers").map_or(&[][..], Node::items);
    for (index, fault) in settings.faults() {
        let place = places.get(index).unwrap_or(root);
        findings.error(place, fault.to_string(), "");
    }
}

fn algorithms(node: &Node, findings: &mut Findings) -> Option<Vec<SignatureAlgorithm>> {
    yaml::list(node, findings, |node, findings| {
        let name = yaml::string(node, findings)?;
        let known = SignatureAlgorithm::from_name(&name);
        if known.is_none() {
            let names = SignatureAlgorithm::ALL
                .map(|one| format!("`{}`", one.name()))
                .join(", ");
            let message = if name.starts_with("HS") || name == "none" {
                format!("`{name}` proves nothing about who signed")
            } else {
                format!("unknown algorithm `{name}`")
            };
            findings.error(node, message, format!("one of {names}"));
        }
        known
    })
}

fn claims(node: &Node, findings: &mut Findings) -> Option<ClaimSettings> {
    let mut fields = Fields::open(node, "`claims`", findings)?;
    let mut settings = ClaimSettings::default();
    for (key, field) in [
        ("groups", &mut settings.groups),
        ("roles", &mut settings.roles),
        ("tenant", &mut settings.tenant),
        ("agent", &mut settings.agent),
        ("scopes", &mut settings.scopes),
    ] {
        let names = fields.optional(key, findings, |node, findings| {
            yaml::list_or_one(node, findings, yaml::string)
        });
        if let Some(names) = names {
            *field = names;
        }
    }
    fields.finish(findings);
    Some(settings)
}

fn keys(node: &Node, findings: &mut Findings) -> Option<KeySettings> {
    let mut fields = Fields::open(node, "`keys`", findings)?;
    let mut settings = KeySettings::default();
    for (key, field) in [
        ("refresh", &mut settings.refresh),
        ("stale_max", &mut settings.stale_max),
        ("min_interval", &mut settings.min_interval),
    ] {
        if let Some(value) = fields.optional(key, findings, yaml::duration(INTERVAL)) {
            *field = value;
        }
    }
    fields.finish(findings);
    Some(settings)
}
