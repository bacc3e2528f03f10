//! The parts that every check uses.

use std::sync::Arc;

use jiff::Timestamp;

use super::dynamic_metadata::Fact;
use super::limits::RequestLimits;
use super::purpose::PurposeSettings;
use super::response_context::Handoffs;
use super::server::Servers;
use super::turn::LongBodies;
use crate::audit::{Audit, AuditSettings};
use crate::authn::{Authenticator, Peers};
use crate::catalog::Catalog;
use crate::geoip::Countries;
use crate::policy::PolicyStore;
use crate::state::{InFlight, State};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notices::Notices;

/// The parts that checks and response filters share: settings, stores and sinks. The steps of a
/// check are in `check/steps.rs`.
///
/// It is one generation of the configuration with the policy that was compiled against it. Clones
/// share their parts, so that the next one takes over what stays as it is; the one in force is in a
/// [`LivePipeline`](super::LivePipeline).
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The guarded servers.
    pub servers: Arc<Servers>,
    /// Who proves callers.
    pub authenticator: Arc<Authenticator>,
    /// The policy in force.
    pub policy: Arc<PolicyStore>,
    /// A policy that is evaluated beside it and never enforced.
    pub candidate: Option<Arc<PolicyStore>>,
    /// What is known of the servers' tools.
    pub catalog: Arc<Catalog>,
    /// What is remembered between requests.
    pub state: Arc<dyn State>,
    /// The ids of requests whose responses are filtered.
    pub in_flight: Arc<InFlight>,
    /// Where clients say what a call is for.
    pub purpose: PurposeSettings,
    /// The header, in lower case, in which a trusted proxy says what it knows of the device.
    pub device_header: Option<String>,
    /// What the PEP is told beside each decision.
    pub facts: Vec<Fact>,
    /// Who TLS peers are.
    pub peers: Arc<Peers>,
    /// Where addresses are.
    pub countries: Option<Arc<Countries>>,
    /// Where audit records go.
    pub audit: Audit,
    /// What they have.
    pub audit_settings: AuditSettings,
    /// The counters.
    pub metrics: Metrics,
    /// Mistakes of the PEP that operators should see.
    pub notices: Notices,
    /// Seals the context of a request for its response.
    pub handoffs: Arc<Handoffs>,
    /// The limits on requests and their bodies.
    pub limits: RequestLimits,
    /// Lets long bodies take turns.
    pub long_bodies: Arc<LongBodies>,
    /// The time; read once per check.
    pub clock: fn() -> Timestamp,
}
