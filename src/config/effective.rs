//! The configuration in force, defaults filled in, as the start logs it.
//!
//! Every field is named, here and where a section is read, so that a new one cannot be forgotten.
//! Secrets are in files, of which only the paths are here.

use serde_json::{Value, json};

use super::settings::{Config, Drain};
use super::words::Words;
use super::{fetch, issuers, limits, listen, servers, teams, telemetry};
use crate::audit::AuditSettings;
use crate::check::{HandoffSettings, PurposeSettings};
use crate::yaml;

impl Config {
    /// The configuration with every default, in the form of the file. It has no secrets.
    #[must_use]
    pub fn effective(&self) -> Value {
        let Config {
            listen: address,
            client_address,
            tls,
            admin,
            authn,
            issuers_strict,
            peers_ca_file,
            servers: guarded,
            tools_snapshots,
            policy,
            teams: delegated,
            last_good,
            candidate_policy,
            purpose,
            device_header,
            facts,
            country_db_file,
            replicas,
            handoff: HandoffSettings { key_file, max_age },
            fetch: outbound,
            telemetry: told,
            audit: AuditSettings { groups },
            limits: limited,
            drain: Drain { delay, timeout },
        } = self;
        json!({
            "listen": address.to_string(),
            "client_address": client_address.word(),
            "tls": tls.as_ref().map(listen::tls_shown),
            "admin": admin.as_ref().map(|listen| json!({"listen": listen.to_string()})),
            "issuers": authn.issuers.iter().map(issuers::shown).collect::<Vec<_>>(),
            "issuers_strict": issuers_strict,
            "servers": guarded
                .iter()
                .map(|one| servers::shown(one, tools_snapshots.get(&one.name)))
                .collect::<Vec<_>>(),
            "policy": policy,
            "policies": teams::all_shown(delegated),
            "state_dir": last_good.as_ref().map(|last_good| &last_good.dir),
            "last_good_max_age": last_good
                .as_ref()
                .map(|last_good| yaml::duration_text(last_good.max_age)),
            "candidate_policy": candidate_policy,
            "purpose": purpose_value(purpose),
            "device": device_header.as_ref().map(|header| json!({"header": header})),
            "peers": peers_ca_file.as_ref().map(|file| json!({"ca_file": file})),
            "dynamic_metadata": facts.iter().map(|fact| fact.name()).collect::<Vec<_>>(),
            "geoip": country_db_file.as_ref().map(|file| json!({"country_db_file": file})),
            "replicas": replicas,
            "handoff": {"key_file": key_file, "max_age": yaml::duration_text(*max_age)},
            "fetch": fetch::shown(outbound),
            "telemetry": telemetry::shown(told),
            "audit": {"groups": groups},
            "limits": limits::shown(limited, authn),
            "drain": {"delay": yaml::duration_text(*delay), "timeout": yaml::duration_text(*timeout)},
        })
    }
}

fn purpose_value(settings: &PurposeSettings) -> Option<Value> {
    let PurposeSettings { header, meta } = settings;
    let is_said = header.is_some() || meta.is_some();
    is_said.then(|| json!({"header": header, "meta": meta}))
}
