//! Connections that failed before their first message: counted, and logged now and then.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Why a connection failed before its first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The client has no certificate, and `tls.client_ca_file` asks for one.
    NoCertificate,
    /// The client's certificate is not one of `tls.client_ca_file`, has expired, or the like.
    InvalidCertificate,
    /// The client refused, most often because it does not trust the server's certificate.
    RefusedByClient,
    /// What the client sent is not TLS.
    NotTls,
    /// The client was too slow.
    TimedOut,
    /// Anything else that is wrong with the handshake.
    Other,
}

/// The connections that failed before their first message.
#[derive(Debug, Default)]
pub struct FailedHandshakes {
    no_certificate: Tally,
    invalid_certificate: Tally,
    refused_by_client: Tally,
    not_tls: Tally,
    timed_out: Tally,
    other: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    total: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

impl HandshakeFault {
    /// Every fault.
    pub const ALL: [Self; 6] = [
        Self::NoCertificate,
        Self::InvalidCertificate,
        Self::RefusedByClient,
        Self::NotTls,
        Self::TimedOut,
        Self::Other,
    ];

    /// The name, as a metric has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::InvalidCertificate => "invalid_certificate",
            Self::RefusedByClient => "refused_by_client",
            Self::NotTls => "not_tls",
            Self::TimedOut => "timed_out",
            Self::Other => "other",
        }
    }

    /// The fault behind an error of a handshake. `None` for a client that left, as probes of a port
    /// do.
    fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let Some(inner) = inner else {
            let left = matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            );
            return (!left).then_some(Self::Other);
        };
        Some(if matches!(inner, rustls::Error::NoCertificatesPresented) {
            Self::NoCertificate
        } else if matches!(inner, rustls::Error::InvalidCertificate(_)) {
            Self::InvalidCertificate
        } else if matches!(inner, rustls::Error::AlertReceived(_)) {
            Self::RefusedByClient
        } else if matches!(inner, rustls::Error::InvalidMessage(_)) {
            Self::NotTls
        } else {
            Self::Other
        })
    }
}

impl FailedHandshakes {
    /// How many connections failed for this fault.
    #[must_use]
    pub fn total(&self, fault: HandshakeFault) -> u64 {
        self.tally(fault).total.load(Ordering::Relaxed)
    }

    /// Counts a handshake that ended with an error.
    pub(super) fn record(&self, error: &io::Error, peer: Option<SocketAddr>) {
        if let Some(fault) = HandshakeFault::of(error) {
            self.record_fault(fault, error, peer);
        } else {
            tracing::debug!(%error, "a connection ended before it began");
        }
    }

    /// Counts a handshake that took too long.
    pub(super) fn record_slow(&self, limit: Duration, peer: Option<SocketAddr>) {
        let cause = format_args!("it took longer than {limit:?}");
        self.record_fault(HandshakeFault::TimedOut, &cause, peer);
    }

    fn record_fault(&self, fault: HandshakeFault, cause: &dyn Display, peer: Option<SocketAddr>) {
        let tally = self.tally(fault);
        tally.total.fetch_add(1, Ordering::Relaxed);
        let reason = fault.name();
        let (peer, cause) = (
            peer.map(tracing::field::display),
            tracing::field::display(cause),
        );
        if tally.may_log() {
            tracing::warn!(reason, peer, cause, "a connection failed in its handshake");
        } else {
            tracing::debug!(reason, peer, cause, "a connection failed in its handshake");
        }
    }

    fn tally(&self, fault: HandshakeFault) -> &Tally {
        match fault {
            HandshakeFault::NoCertificate => &self.no_certificate,
            HandshakeFault::InvalidCertificate => &self.invalid_certificate,
            HandshakeFault::RefusedByClient => &self.refused_by_client,
            HandshakeFault::NotTls => &self.not_tls,
            HandshakeFault::TimedOut => &self.timed_out,
            HandshakeFault::Other => &self.other,
        }
    }
}

impl Tally {
    /// Whether the last warning is long enough ago for another one.
    fn may_log(&self) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let may = logged.is_none_or(|then| then.elapsed() >= WARNING_INTERVAL);
        if may {
            *logged = Some(Instant::now());
        }
        may
    }
}

/// How often each fault is logged as a warning.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_by_the_error() {
        let tls = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let rows = [
            (
                tls(rustls::Error::NoCertificatesPresented),
                Some(HandshakeFault::NoCertificate),
            ),
            (
                tls(rustls::CertificateError::Expired.into()),
                Some(HandshakeFault::InvalidCertificate),
            ),
            (
                tls(rustls::Error::AlertReceived(
                    rustls::AlertDescription::UnknownCA,
                )),
                Some(HandshakeFault::RefusedByClient),
            ),
            (
                tls(rustls::InvalidMessage::InvalidContentType.into()),
                Some(HandshakeFault::NotTls),
            ),
            (
                tls(rustls::Error::HandshakeNotComplete),
                Some(HandshakeFault::Other),
            ),
            (io::ErrorKind::UnexpectedEof.into(), None),
            (io::ErrorKind::ConnectionReset.into(), None),
        ];
        for (error, fault) in rows {
            assert_eq!(HandshakeFault::of(&error), fault, "{error}");
        }
    }

    #[test]
    fn each_fault_is_counted_by_itself_and_warned_of_once_a_minute() {
        let failed = FailedHandshakes::default();
        failed.record_slow(Duration::from_secs(5), None);
        failed.record_slow(Duration::from_secs(5), None);
        failed.record(&io::ErrorKind::UnexpectedEof.into(), None);
        let totals = HandshakeFault::ALL.map(|fault| failed.total(fault));
        assert_eq!(totals, [0, 0, 0, 0, 2, 0]);
        assert!(!failed.timed_out.may_log());
        assert!(failed.other.may_log());
    }
}
