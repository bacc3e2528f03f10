//! Readiness: gates that have to open before the process takes work, and the drain that ends it.
//!
//! [`crate::envoy`] reports it over gRPC and [`crate::admin`] over HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Whether the process takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadinessState {
    /// A gate is still closed.
    Starting,
    /// Every gate is open.
    Ready,
    /// The process is ending, and another replica has to take over. Final.
    Draining,
    /// The process is ending, and its successor takes over the socket: nobody has to look for another
    /// replica. Final.
    HandingOver,
}

impl ReadinessState {
    /// The name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::HandingOver => "handing_over",
        }
    }

    /// Whether the process is ending.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Starting | Self::Ready => false,
            Self::Draining | Self::HandingOver => true,
        }
    }
}

/// The readiness of the process. Clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Readiness {
    shared: Arc<Shared>,
}

/// Something the process waits for before it is ready. Dropping it says that it is there.
#[derive(Debug)]
#[must_use = "dropping a gate opens it"]
pub struct Gate {
    shared: Arc<Shared>,
    name: &'static str,
}

#[derive(Debug)]
struct Shared {
    closed: Mutex<Vec<&'static str>>,
    state: watch::Sender<ReadinessState>,
}

impl Readiness {
    /// Not ready. It becomes so when the last gate opens: close every gate before the first opens.
    #[must_use]
    pub fn new() -> Self {
        let (state, _) = watch::channel(ReadinessState::Starting);
        Self {
            shared: Arc::new(Shared {
                closed: Mutex::default(),
                state,
            }),
        }
    }

    /// Closes a gate: the process is not ready until it is dropped.
    pub fn gate(&self, name: &'static str) -> Gate {
        let mut closed = self.shared.closed();
        closed.push(name);
        self.shared.enter(ReadinessState::Starting);
        Gate {
            shared: Arc::clone(&self.shared),
            name,
        }
    }

    /// Begins the drain; readiness ends for good.
    pub fn drain(&self) {
        if self.shared.enter(ReadinessState::Draining) {
            tracing::info!("draining");
        }
    }

    /// Begins the end of a process whose socket a successor takes over.
    pub fn hand_over(&self) {
        if self.shared.enter(ReadinessState::HandingOver) {
            tracing::info!("handing over");
        }
    }

    /// Resolves once the process is no longer starting.
    pub async fn started(&self) {
        let mut states = self.subscribe();
        // The sender lives as long as this handle.
        drop(
            states
                .wait_for(|state| *state != ReadinessState::Starting)
                .await,
        );
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> ReadinessState {
        *self.shared.state.borrow()
    }

    /// The state now and at every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<ReadinessState> {
        self.shared.state.subscribe()
    }

    /// The names of the gates that are still closed.
    #[must_use]
    pub fn closed(&self) -> Vec<&'static str> {
        self.shared.closed().clone()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut closed = self.shared.closed();
        if let Some(index) = closed.iter().position(|name| *name == self.name) {
            closed.swap_remove(index);
        }
        tracing::debug!(gate = self.name, "gate open");
        if closed.is_empty() && self.shared.enter(ReadinessState::Ready) {
            tracing::info!("ready");
        }
    }
}

impl Shared {
    /// Moves to a state unless the process is ending; whether anything changed.
    fn enter(&self, next: ReadinessState) -> bool {
        self.state.send_if_modified(|state| {
            let moves = !state.is_final() && *state != next;
            if moves {
                *state = next;
            }
            moves
        })
    }

    fn closed(&self) -> MutexGuard<'_, Vec<&'static str>> {
        // The list is whole after every step, so a panic elsewhere did not spoil it.
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_the_last_gate_opens() {
        let readiness = Readiness::new();
        assert_eq!(readiness.state(), ReadinessState::Starting);
        let policy = readiness.gate("policy");
        let keys = readiness.gate("keys");
        drop(policy);
        assert_eq!(
            (readiness.state(), readiness.closed()),
            (ReadinessState::Starting, vec!["keys"])
        );
        drop(keys);
        assert_eq!(
            (readiness.state(), readiness.closed()),
            (ReadinessState::Ready, vec![])
        );
    }

    #[test]
    fn a_drain_is_final() {
        let readiness = Readiness::new();
        let gate = readiness.gate("policy");
        readiness.drain();
        drop(gate);
        assert_eq!(readiness.state(), ReadinessState::Draining);
        drop(readiness.gate("late"));
        assert_eq!(readiness.state(), ReadinessState::Draining);
    }

    #[test]
    fn handing_over_is_final_as_well() {
        let readiness = Readiness::new();
        drop(readiness.gate("policy"));
        readiness.hand_over();
        readiness.drain();
        assert_eq!(readiness.state(), ReadinessState::HandingOver);
    }
}
