//! Finds what would keep the service from starting, without starting it.

use std::sync::Arc;

use super::clock::CLOCK;
use super::error::RunError;
use crate::authn::{Authenticator, IssuerFileFault, Peers, issuer_file_faults};
use crate::catalog::Catalog;
use crate::check::{Handoffs, Servers};
use crate::config::Config;
use crate::fetch::Outbound;
use crate::listen::Tls;

/// Everything that would keep the service from starting although the configuration file is valid:
/// files that are missing or unusable, and settings that no part can be built from.
#[must_use]
pub async fn preflight(config: &Config) -> Vec<RunError> {
    let mut faults = Vec::new();
    let outbound = Outbound::open(&config.fetch).unwrap_or_else(|fault| {
        faults.push(RunError::from(fault));
        Outbound::default()
    });
    let authenticator = Authenticator::new(&config.authn, Arc::new(outbound));
    faults.extend(authenticator.err().map(RunError::from));
    faults.extend(Servers::new(&config.servers).err().map(RunError::from));
    let catalog = Catalog::open(config.watched_servers(), config.catalog_limits(), CLOCK());
    faults.extend(catalog.err().map(RunError::from));
    faults.extend(Handoffs::new(&config.handoff).err().map(RunError::from));
    let peers = Peers::open(config.peers_ca_file.clone());
    faults.extend(peers.err().map(RunError::from));
    if let Some(files) = &config.tls {
        faults.extend(Tls::load(files.clone()).await.err().map(RunError::from));
    }
    faults
}

/// What is wrong with the files of issuers as they are now, by the issuer's place in the
/// configuration. The service starts without their keys and reads the files again.
pub async fn issuer_files(config: &Config) -> Vec<(usize, IssuerFileFault)> {
    let mut faults = Vec::new();
    for (at, issuer) in config.authn.issuers.iter().enumerate() {
        let found = issuer_file_faults(issuer, &config.authn).await;
        faults.extend(found.into_iter().map(|fault| (at, fault)));
    }
    faults
}
