//! Why the process could not start, or ended.

use std::io;

use crate::authn::{InvalidPeers, InvalidSettings};
use crate::catalog::InvalidSnapshot;
use crate::check::{InvalidHandoffKeys, InvalidServer};
use crate::config::ConfigError;
use crate::envoy;
use crate::fetch::InvalidOutbound;
use crate::geoip::InvalidCountries;
use crate::listen::{ListenError, TlsError};
use crate::policy::LoadPolicyError;
use crate::telemetry::InvalidTelemetry;

/// Why the process could not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or traces cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] InvalidTelemetry),
    /// There is no policy to begin with.
    #[error(transparent)]
    Policy(#[from] LoadPolicyError),
    /// No outbound request can be made as configured.
    #[error(transparent)]
    Fetch(#[from] InvalidOutbound),
    /// An issuer cannot be asked as configured.
    #[error(transparent)]
    Issuers(#[from] InvalidSettings),
    /// There is no database of countries to begin with.
    #[error(transparent)]
    Countries(#[from] InvalidCountries),
    /// The authorities of TLS peers cannot be used.
    #[error(transparent)]
    Peers(#[from] InvalidPeers),
    /// What was accepted of a server's tools cannot be read.
    #[error(transparent)]
    Tools(#[from] InvalidSnapshot),
    /// A server cannot be guarded as configured.
    #[error(transparent)]
    Servers(#[from] InvalidServer),
    /// There are no keys for what checks hand on.
    #[error(transparent)]
    Handoff(#[from] InvalidHandoffKeys),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The admin endpoint has to be on TCP.
    #[error("`admin.listen` must be `host:port`")]
    AdminAddress,
    /// The operating system refused something.
    #[error("{what}")]
    System {
        /// What did not work.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The gRPC server failed.
    #[error(transparent)]
    Serve(#[from] envoy::ServeError),
    /// A task ended that must not.
    #[error("the task `{0}` ended by itself")]
    TaskEnded(&'static str),
}

impl RunError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| RunError::System { what, source }
    }
}
