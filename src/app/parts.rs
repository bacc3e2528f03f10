//! The parts of the service, and what they are built from.

use std::sync::Arc;

use super::clock::CLOCK;
use super::context::compile_context;
use super::error::RunError;
use crate::audit::Losses;
use crate::authn::{Authenticator, KeyRefresher, Peers};
use crate::catalog::Catalog;
use crate::check::Handoffs;
use crate::config::Config;
use crate::fetch::Outbound;
use crate::geoip::Countries;
use crate::health::Readiness;
use crate::listen::Tls;
use crate::policy::PolicyStore;
use crate::state::Store;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notices::Notices;

/// The parts that checks and operators both look at.
#[derive(Debug, Clone)]
pub(super) struct Core {
    pub(super) policy: Arc<PolicyStore>,
    pub(super) candidate: Option<Arc<PolicyStore>>,
    pub(super) peers: Arc<Peers>,
    pub(super) countries: Option<Arc<Countries>>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) handoffs: Arc<Handoffs>,
}

impl Core {
    pub(super) fn build(config: &Config) -> Result<(Self, Vec<KeyRefresher>), RunError> {
        let catalog = Catalog::open(config.watched_servers(), config.catalog_limits(), CLOCK())?;
        let context = compile_context(config, Some(&catalog));
        let candidate = config.candidate_policy.clone();
        let candidate = candidate
            .map(|path| PolicyStore::open(path, context.clone(), CLOCK()))
            .transpose()?;
        let countries = config.country_db_file.clone();
        let countries = countries.map(Countries::open).transpose()?;
        let peers = Peers::open(config.peers_ca_file.clone())?;
        let policy = PolicyStore::open(config.policy.clone(), context, CLOCK())?;
        if policy.snapshot().has_peers() && !peers.are_verified() {
            tracing::warn!(
                "rules ask for TLS peers, which are who Envoy says; `peers.ca_file` has their \
                 certificates verified"
            );
        }
        let outbound = Outbound::open(&config.fetch)?;
        let (authenticator, refreshers) = Authenticator::new(&config.authn, &outbound)?;
        let handoffs = Handoffs::new(&config.handoff)?;
        tracing::info!(
            revision = %policy.status().revision,
            rules = policy.snapshot().rules().len(),
            "policy in force"
        );
        let core = Core {
            policy: Arc::new(policy),
            candidate: candidate.map(Arc::new),
            peers: Arc::new(peers),
            countries: countries.map(Arc::new),
            catalog: Arc::new(catalog),
            authenticator: Arc::new(authenticator),
            handoffs: Arc::new(handoffs),
        };
        Ok((core, refreshers))
    }
}

/// What the tasks share besides the pipeline.
#[derive(Debug, Clone)]
pub(super) struct ServiceParts {
    pub(super) core: Core,
    pub(super) losses: Arc<Losses>,
    pub(super) notices: Notices,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) state: Store,
    pub(super) replicas: u32,
}
