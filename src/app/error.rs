//! Why the process could not start, or ended.

use std::io;

use crate::authn::{InvalidPeers, InvalidSettings};
use crate::catalog::InvalidSnapshot;
use crate::check::{InvalidHandoffKeys, InvalidServer};
use crate::config::ConfigError;
use crate::envoy;
use crate::fetch::InvalidOutbound;
use crate::geoip::InvalidCountries;
use crate::listen::{InvalidInherited, ListenError, TlsError};
use crate::policy::LoadPolicyError;
use crate::telemetry::InvalidTelemetry;

/// Why the process could not start, or ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be loaded.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs or traces cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] InvalidTelemetry),
    /// The first policy cannot be loaded.
    #[error(transparent)]
    Policy(#[from] LoadPolicyError),
    /// `fetch` cannot be set up.
    #[error(transparent)]
    Fetch(#[from] InvalidOutbound),
    /// An issuer's keys cannot be fetched as configured.
    #[error(transparent)]
    Issuers(#[from] InvalidSettings),
    /// The first database of countries cannot be loaded.
    #[error(transparent)]
    Countries(#[from] InvalidCountries),
    /// The authorities of TLS peers cannot be used.
    #[error(transparent)]
    Peers(#[from] InvalidPeers),
    /// A server's recorded tools cannot be read.
    #[error(transparent)]
    Tools(#[from] InvalidSnapshot),
    /// A server cannot be guarded as configured.
    #[error(transparent)]
    Servers(#[from] InvalidServer),
    /// The hand-off keys cannot be loaded.
    #[error(transparent)]
    Handoff(#[from] InvalidHandoffKeys),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The sockets that were handed over cannot be used.
    #[error(transparent)]
    Inherited(#[from] InvalidInherited),
    /// The admin endpoint has to be on TCP.
    #[error("`admin.listen` must be `host:port`")]
    AdminAddress,
    /// A call to the operating system failed.
    #[error("{what}")]
    System {
        /// What failed.
        what: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The gRPC server failed.
    #[error(transparent)]
    Serve(#[from] envoy::ServeError),
    /// A task ended that should run for ever.
    #[error("the task `{0}` ended by itself")]
    TaskEnded(&'static str),
}

impl RunError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| RunError::System { what, source }
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        // Some errors say their cause themselves.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
