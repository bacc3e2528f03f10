//! The signals of the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the process handles. They are watched from the start, because by default they
/// would kill it.
pub(super) struct Signals {
    /// SIGHUP: read the configuration, the policies and every other watched file now.
    pub(super) hangup: Signal,
    /// SIGTERM and SIGINT: end.
    pub(super) end: EndSignals,
}

/// The signals that end the process.
pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            end: EndSignals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
        })
    }
}

impl EndSignals {
    /// Waits for the next signal.
    pub(super) async fn told(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}
