//! The parts of the service, and how they are built from a configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::clock::CLOCK;
use super::config_record::ConfigRecord;
use super::context::compile_context;
use super::error::RunError;
use super::worker::workers;
use crate::audit::{Audit, Losses};
use crate::authn::{Authenticator, KeyRefresher, Peers};
use crate::catalog::Catalog;
use crate::check::{Handoffs, LivePipeline, LongBodies, Pipeline, Servers};
use crate::config::Config;
use crate::fetch::Outbound;
use crate::geoip::Countries;
use crate::health::Readiness;
use crate::listen::{FailedHandshakes, Tls};
use crate::policy::{CompileContext, FoundPolicy, LoadPolicyError, PolicyPlaces, PolicyStore};
use crate::state::{InFlight, State, Store};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notices::Notices;

/// The parts that are built from a configuration. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Core {
    pub(super) servers: Arc<Servers>,
    pub(super) policy: Arc<PolicyStore>,
    pub(super) candidate: Option<Arc<PolicyStore>>,
    pub(super) peers: Arc<Peers>,
    pub(super) countries: Option<Arc<Countries>>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) handoffs: Arc<Handoffs>,
}

/// The parts of a configuration, with the fetchers of the keys of new issuers.
pub(super) type Built = (Core, Vec<KeyRefresher>);

/// The policy files of a configuration, as they were read.
#[derive(Debug)]
pub(super) struct FoundPolicies {
    pub(super) policy: FoundPolicy,
    pub(super) candidate: Option<FoundPolicy>,
}

impl Core {
    /// The first parts of the process.
    pub(super) fn first(config: &Config) -> Result<Built, RunError> {
        Self::built(config, None, None)
    }

    /// The parts of the next configuration: unchanged ones are kept, and the others built anew. `self`
    /// does not change. May take long. It is abandoned between the tests of a policy once that policy
    /// is replaced.
    pub(super) fn next(
        &self,
        config: &Config,
        found: FoundPolicies,
        is_replaced: &AtomicBool,
    ) -> Result<Built, RunError> {
        Self::built(config, Some(self), Some((found, is_replaced)))
    }

    fn built(
        config: &Config,
        earlier: Option<&Core>,
        found: Option<(FoundPolicies, &AtomicBool)>,
    ) -> Result<Built, RunError> {
        let (found, found_candidate) = match found {
            Some((FoundPolicies { policy, candidate }, is_replaced)) => {
                let candidate = candidate.map(|candidate| (candidate, is_replaced));
                (Some((policy, is_replaced)), candidate)
            }
            None => (None, None),
        };
        let catalog = Catalog::next(
            earlier.map(|earlier| &*earlier.catalog),
            config.watched_servers(),
            config.catalog_limits(),
            CLOCK(),
        )?;
        let context = compile_context(config, Some(&catalog));
        let candidate = config.candidate_places();
        let candidate = candidate.map(|places| {
            let earlier = earlier.and_then(|earlier| earlier.candidate.as_ref());
            candidate_policy(earlier, places, context.clone(), found_candidate)
        });
        let candidate = candidate.transpose()?;
        let countries = countries(config, earlier)?;
        let peers = match earlier {
            Some(earlier) if earlier.peers.are_by(config.peers_ca_file.as_deref()) => {
                Arc::clone(&earlier.peers)
            }
            Some(_) | None => Arc::new(Peers::open(config.peers_ca_file.clone())?),
        };
        let before = earlier.map(|earlier| &earlier.policy);
        let policy = policy(before, config.policy_places(), context, found)?;
        let outbound = match earlier {
            Some(earlier) if earlier.outbound.is_by(&config.fetch) => Arc::clone(&earlier.outbound),
            Some(earlier) => Arc::new(earlier.outbound.next(&config.fetch)?),
            None => Arc::new(Outbound::open(&config.fetch)?),
        };
        let (authenticator, refreshers) = Authenticator::next(
            earlier.map(|earlier| &*earlier.authenticator),
            &config.authn,
            Arc::clone(&outbound),
        )?;
        let handoffs = match earlier {
            None => Arc::new(Handoffs::new(&config.handoff)?),
            Some(earlier) if earlier.handoffs.is_by(&config.handoff) => {
                Arc::clone(&earlier.handoffs)
            }
            Some(earlier) => Arc::new(earlier.handoffs.next(&config.handoff, CLOCK())?),
        };
        let known = earlier.map(|earlier| &*earlier.servers);
        let servers = Arc::new(Servers::next(known, &config.servers)?);
        // Nothing refuses the configuration any more.
        policy.keep();
        let core = Core {
            servers,
            policy,
            candidate,
            peers,
            countries,
            catalog: Arc::new(catalog),
            outbound,
            authenticator: Arc::new(authenticator),
            handoffs,
        };
        Ok((core, refreshers))
    }

    /// Logs the policy in force if it has changed.
    pub(super) fn tell_policy(&self, earlier: Option<&Core>) {
        let is_same = earlier.is_some_and(|earlier| {
            Arc::ptr_eq(&earlier.policy, &self.policy) && Arc::ptr_eq(&earlier.peers, &self.peers)
        });
        if is_same {
            return;
        }
        let snapshot = self.policy.snapshot();
        if snapshot.has_peers() && !self.peers.are_verified() {
            tracing::warn!(
                "rules ask for TLS peers, which are who Envoy says; `peers.ca_file` has their \
                 certificates verified"
            );
        }
        tracing::info!(
            policy = self.policy.key(),
            revision = %snapshot.revision(),
            rules = snapshot.rules().len(),
            "policy in force"
        );
    }

    /// The pipeline of checks: these parts, the settings, and what lives as long as the process.
    pub(super) fn pipeline(&self, config: &Config, lasting: Lasting) -> Pipeline {
        let Lasting {
            state,
            in_flight,
            long_bodies,
            audit,
            metrics,
            notices,
        } = lasting;
        Pipeline {
            servers: Arc::clone(&self.servers),
            authenticator: Arc::clone(&self.authenticator),
            policy: Arc::clone(&self.policy),
            candidate: self.candidate.clone(),
            catalog: Arc::clone(&self.catalog),
            state,
            in_flight,
            purpose: config.purpose.clone(),
            device_header: config.device_header.clone(),
            facts: config.facts.clone(),
            peers: Arc::clone(&self.peers),
            countries: self.countries.clone(),
            audit,
            audit_settings: config.audit,
            metrics,
            notices,
            handoffs: Arc::clone(&self.handoffs),
            limits: config.limits.check,
            long_bodies,
            clock: CLOCK,
        }
    }
}

fn countries(config: &Config, earlier: Option<&Core>) -> Result<Option<Arc<Countries>>, RunError> {
    let Some(path) = &config.country_db_file else {
        return Ok(None);
    };
    let known = earlier.and_then(|earlier| earlier.countries.as_ref());
    let countries = match known.filter(|known| known.path() == path) {
        Some(known) => Arc::clone(known),
        None => Arc::new(Countries::open(path.clone())?),
    };
    Ok(Some(countries))
}

/// The policy of these files: the previous one if files and context are the same, else a new one
/// from the files that were read.
fn policy(
    earlier: Option<&Arc<PolicyStore>>,
    places: PolicyPlaces,
    context: CompileContext,
    found: Option<(FoundPolicy, &AtomicBool)>,
) -> Result<Arc<PolicyStore>, LoadPolicyError> {
    let store = match (earlier, found) {
        (Some(earlier), Some((found, _))) if earlier.is_of(&places, &context, &found) => {
            return Ok(Arc::clone(earlier));
        }
        (Some(earlier), Some((found, is_replaced))) => {
            earlier.next(places, context, found, CLOCK(), is_replaced)?
        }
        (_, _) => PolicyStore::open(places, context, CLOCK())?,
    };
    Ok(Arc::new(store))
}

/// The candidate of these files. One that cannot be used keeps nothing from starting.
fn candidate_policy(
    earlier: Option<&Arc<PolicyStore>>,
    places: PolicyPlaces,
    context: CompileContext,
    found: Option<(FoundPolicy, &AtomicBool)>,
) -> Result<Arc<PolicyStore>, LoadPolicyError> {
    match policy(earlier, places.clone(), context.clone(), found) {
        Err(LoadPolicyError::Replaced) => Err(LoadPolicyError::Replaced),
        Err(error) => {
            tracing::error!(
                policy = places.key(),
                "{error}; nothing is compared with it"
            );
            for line in error.lines() {
                tracing::error!(policy = places.key(), "{line}");
            }
            let store = PolicyStore::without_policy(places, context, &error, CLOCK());
            Ok(Arc::new(store))
        }
        found => found,
    }
}

/// What a pipeline shares with the next one.
pub(super) struct Lasting {
    state: Arc<dyn State>,
    in_flight: Arc<InFlight>,
    long_bodies: Arc<LongBodies>,
    audit: Audit,
    metrics: Metrics,
    notices: Notices,
}

impl Lasting {
    /// For the first pipeline.
    pub(super) fn first(config: &Config, store: &Store, audit: Audit) -> Self {
        Lasting {
            state: Arc::clone(&store.state),
            in_flight: Arc::new(InFlight::new(config.limits.state.bindings_max)),
            long_bodies: Arc::new(LongBodies::new(workers())),
            audit,
            metrics: Metrics::new(),
            notices: Notices::default(),
        }
    }

    /// For the pipeline after this one.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        Lasting {
            state: Arc::clone(&pipeline.state),
            in_flight: Arc::clone(&pipeline.in_flight),
            long_bodies: Arc::clone(&pipeline.long_bodies),
            audit: pipeline.audit.clone(),
            metrics: pipeline.metrics.clone(),
            notices: pipeline.notices.clone(),
        }
    }
}

/// What tasks and the admin endpoint read.
#[derive(Debug, Clone)]
pub(super) struct ServiceParts {
    /// The parts of the configuration in force.
    pub(super) live: Arc<LivePipeline>,
    pub(super) config: Arc<ConfigRecord>,
    pub(super) losses: Arc<Losses>,
    /// Spans that the collector did not take.
    pub(super) spans_lost: Arc<AtomicU64>,
    pub(super) handshakes_failed: Arc<FailedHandshakes>,
    pub(super) notices: Notices,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) state: Store,
}
