//! What policies are compiled against.

use std::sync::Arc;

use crate::authn::IssuerSettings;
use crate::catalog::{Catalog, OnUnknown};
use crate::config::Config;
use crate::policy::{CompileContext, Issuers};

/// The names that a policy is compiled against under this configuration, with those recorded tools
/// that can be read.
#[must_use]
pub fn compile_context(config: &Config, catalog: Option<&Catalog>) -> CompileContext {
    let servers = config.servers.iter().map(|server| server.name.clone());
    let issuers = &config.authn.issuers;
    let of_servers = config.servers.iter();
    let of_servers = of_servers.map(|server| (server.name.clone(), server.issuers.clone()));
    let telling = issuers.iter().filter(|one| !one.claims.device.is_empty());
    let of_devices: Vec<String> = telling.flat_map(IssuerSettings::names).collect();
    let families = issuers.iter().filter(|one| !one.tenants.is_empty());
    let mut names: Vec<String> = issuers.iter().flat_map(IssuerSettings::names).collect();
    let issuer = names.first().cloned().unwrap_or_default();
    names.extend(families.clone().map(|one| one.issuer.clone()));
    let issuers = Issuers {
        names,
        families: families
            .map(|one| (one.issuer.clone(), one.names()))
            .collect(),
        of_devices: of_devices.clone(),
        of_servers: of_servers.collect(),
        are_strict: config.issuers_strict,
    };
    let closed = config.servers.iter();
    let closed = closed.filter(|server| server.trust.on_unknown == OnUnknown::Deny);
    CompileContext {
        closed: Arc::new(closed.map(|server| server.name.clone()).collect()),
        servers: Some(servers.collect()),
        issuer,
        issuers: Arc::new(issuers),
        hints: Arc::new(catalog.map(Catalog::trusted_hints).unwrap_or_default()),
        defaults: Arc::new(catalog.map(Catalog::recorded_defaults).unwrap_or_default()),
        uris: Arc::new(config.uri_forms()),
        indirect: Arc::new(config.indirect_tools()),
        scope_names: Arc::new(config.scope_names()),
        has_countries: config.country_db_file.is_some(),
        has_purposes: config.purpose.header.is_some() || config.purpose.meta.is_some(),
        has_devices: config.device_header.is_some() || !of_devices.is_empty(),
        rules_max: config.limits.rules_max,
        cel_bytes_max: config.limits.cel_bytes_max,
    }
}
