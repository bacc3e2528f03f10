//! The keys of each issuer, fetched ahead of need: one actor per issuer, and its handle.
//!
//! The actor ([`KeyRefresher`]) alone fetches, one fetch at a time, and publishes the outcome on a
//! watch channel. Requests read the latest state without waiting; only an unknown key id makes one
//! wait for a fetch. That fetch belongs to the actor, so a request may be dropped at any time.
//!
//! Where a key set comes from is in `keys/source.rs`, how its text becomes keys in `keys/set.rs`.

mod fetch;
mod inspect;
mod pause;
mod public_key;
mod set;
mod source;
mod token_file;
mod unusable;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::settings::{AuthnSettings, InvalidSettings, IssuerSettings, KeySettings};
use super::{AuthenticationError, SignatureAlgorithm};
use crate::fetch::Outbound;
use fetch::FetchKeys;
use pause::pause;
use set::KeySet;
use source::KeySource;

pub(super) use fetch::FetchError;
pub(super) use set::{Thumbprint, VerificationKey};

pub use inspect::{FaultWeight, IssuerFileFault, issuer_file_faults};
pub use unusable::UnusableKey;

/// Keeps the keys of one issuer fresh, until told to stop.
#[derive(Debug)]
#[must_use = "nothing is fetched until it runs"]
pub struct KeyRefresher {
    refresher: Refresher<KeySource>,
}

impl KeyRefresher {
    /// The issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &Arc<str> {
        &self.refresher.issuer
    }

    /// Fetches keys at once, then again and again, until `shutdown` is ready.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        self.refresher.run(shutdown).await;
    }

    /// Fetches keys at once, then again and again; those of a file also when asked to. Never ends.
    pub async fn refresh(mut self, asked: mpsc::Receiver<()>) {
        self.refresher.asked = Some(asked).filter(|_| self.refresher.source.is_file());
        self.refresher.run(std::future::pending()).await;
    }
}

/// The keys of an issuer, and the actor that fetches them. Reads its `ca_file`. Until the first fetch
/// the keys are those of an earlier actor, if there was one for the same place.
///
/// # Errors
/// When no key source can be built from the settings.
pub(super) fn open(
    issuer: &IssuerSettings,
    settings: &AuthnSettings,
    outbound: &Outbound,
    earlier: Option<&IssuerKeys>,
) -> Result<(IssuerKeys, KeyRefresher), InvalidSettings> {
    let source = KeySource::new(issuer, settings, outbound)?;
    let mut keys = issuer.keys;
    if source.is_file() {
        keys.refresh = keys.refresh.min(keys.min_interval);
    }
    let times = FetchTimes {
        timeout: settings.fetch_timeout,
        wait: settings.fetch_wait,
    };
    let (refresher, keys) = Refresher::new(issuer.issuer.as_str().into(), source, keys, times);
    if let Some(earlier) = earlier {
        let before = earlier.state.borrow().clone();
        refresher.state.send_modify(|state| {
            state.keys = before.keys;
            state.fetched_at = before.fetched_at;
        });
    }
    Ok((keys, KeyRefresher { refresher }))
}

/// What is known about an issuer's keys.
#[derive(Debug, Clone, Default)]
struct KeyState {
    /// The keys of the last successful fetch.
    keys: Option<Arc<KeySet>>,
    /// When it ended.
    fetched_at: Option<Instant>,
    /// How many fetches have ended.
    fetches: u64,
    /// How many of them failed.
    failures: u64,
    /// Why the last one failed, if it did.
    failing: Option<FetchError>,
    /// Whether a fetch is under way.
    is_fetching: bool,
    /// When the last fetch for an unknown key id began.
    demanded_at: Option<Instant>,
}

/// The requests' end: the keys of one issuer.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    state: watch::Receiver<KeyState>,
    demand: Arc<Notify>,
    settings: KeySettings,
    /// How long one request waits.
    wait: Duration,
}

/// How an issuer's keys are, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    /// Whether there are keys no older than `stale_max`.
    pub is_usable: bool,
    /// Whether keys were ever had.
    pub was_loaded: bool,
    /// How many keys there are.
    pub keys: usize,
    /// How many keys of the set were left out as not usable.
    pub skipped: usize,
    /// The time since the last successful fetch.
    pub age: Option<Duration>,
    /// How many fetches have ended since the start.
    pub fetches: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Why the last fetch failed, if it did. Without URLs or any text of the other side.
    pub failing: Option<String>,
}

impl IssuerKeys {
    /// The keys now.
    ///
    /// # Errors
    /// [`KeysUnavailable`](AuthenticationError::KeysUnavailable) if there never were any, or those
    /// there are were fetched more than `stale_max` ago.
    pub(super) fn current(&self) -> Result<Arc<KeySet>, AuthenticationError> {
        self.usable(&self.state.borrow())
    }

    /// The keys to try for a token; waits for a fetch if its key id is unknown.
    ///
    /// All who wait at a time wait for the same fetch, and there is at most one such fetch per
    /// `min_interval`; in between the answer is immediate. No request waits longer than
    /// `fetch_wait`, and the fetch goes on for those who ask later. May be dropped at any time.
    ///
    /// # Errors
    /// Those of [`KeySet::candidates`]. An unknown key id is
    /// [`KeysUnavailable`](AuthenticationError::KeysUnavailable) while the issuer cannot be reached,
    /// or does not answer in time: the key may be new, and we cannot know.
    pub(super) async fn candidates(
        &self,
        id: Option<&str>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<Arc<VerificationKey>>, AuthenticationError> {
        let mut state = self.state.clone();
        let until = Instant::now().checked_add(self.wait);
        // A fetch under way may have begun before the key existed, so one more may follow it.
        for _ in 0..2 {
            let seen = state.borrow_and_update().clone();
            let found = self.usable(&seen)?.candidates(id, algorithm);
            if found != Err(AuthenticationError::UnknownKey) {
                return found;
            }
            if !seen.is_fetching {
                if !self.may_demand(&seen) {
                    break;
                }
                self.demand.notify_one();
            }
            let ended = async {
                let ended = state.wait_for(|now| now.fetches > seen.fetches).await;
                ended.is_ok()
            };
            let ended = match until {
                Some(until) => tokio::time::timeout_at(until, ended).await,
                None => Ok(ended.await),
            };
            if ended != Ok(true) {
                return Err(AuthenticationError::KeysUnavailable);
            }
        }
        let last = state.borrow().clone();
        match self.usable(&last)?.candidates(id, algorithm) {
            Err(AuthenticationError::UnknownKey) if last.failing.is_some() => {
                Err(AuthenticationError::KeysUnavailable)
            }
            found => found,
        }
    }

    /// Waits until keys were had once.
    pub(super) async fn loaded(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| state.keys.is_some()).await.is_err() {
            // The actor has ended, so this will never be.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until a fetch has ended, well or not.
    pub(super) async fn tried(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| state.fetches > 0).await.is_err() {
            // The actor has ended, so this will never be.
            std::future::pending::<()>().await;
        }
    }

    /// How the keys are now.
    pub(super) fn health(&self) -> KeyHealth {
        let state = self.state.borrow();
        KeyHealth {
            is_usable: self.usable(&state).is_ok(),
            was_loaded: state.keys.is_some(),
            keys: state.keys.as_ref().map_or(0, |keys| keys.len()),
            skipped: state.keys.as_ref().map_or(0, |keys| keys.skipped),
            age: state.fetched_at.map(|at| at.elapsed()),
            fetches: state.fetches,
            failures: state.failures,
            failing: state.failing.as_ref().map(ToString::to_string),
        }
    }

    /// The id of each key, and the time since they were read.
    pub(super) fn in_force(&self) -> (Vec<Option<Arc<str>>>, Option<Duration>) {
        let state = self.state.borrow();
        let ids = state.keys.as_ref().map(|keys| keys.ids().collect());
        (
            ids.unwrap_or_default(),
            state.fetched_at.map(|at| at.elapsed()),
        )
    }

    fn usable(&self, state: &KeyState) -> Result<Arc<KeySet>, AuthenticationError> {
        match (&state.keys, state.fetched_at) {
            (Some(keys), Some(at)) if at.elapsed() <= self.settings.stale_max => {
                Ok(Arc::clone(keys))
            }
            (Some(_) | None, Some(_) | None) => Err(AuthenticationError::KeysUnavailable),
        }
    }

    fn may_demand(&self, state: &KeyState) -> bool {
        may_demand(state, self.settings)
    }
}

/// How long a fetch may take, and how long one request waits for it.
#[derive(Debug, Clone, Copy)]
struct FetchTimes {
    timeout: Duration,
    wait: Duration,
}

/// The actor: fetches and publishes.
#[derive(Debug)]
struct Refresher<S> {
    issuer: Arc<str>,
    source: S,
    settings: KeySettings,
    fetch_timeout: Duration,
    state: watch::Sender<KeyState>,
    demand: Arc<Notify>,
    /// Who may ask for a fetch, if anybody may.
    asked: Option<mpsc::Receiver<()>>,
}

impl<S: FetchKeys> Refresher<S> {
    /// An actor that has not fetched anything, and its handle.
    fn new(
        issuer: Arc<str>,
        source: S,
        settings: KeySettings,
        times: FetchTimes,
    ) -> (Self, IssuerKeys) {
        let (state, receiver) = watch::channel(KeyState::default());
        let demand = Arc::new(Notify::new());
        let keys = IssuerKeys {
            state: receiver,
            demand: Arc::clone(&demand),
            settings,
            wait: times.wait,
        };
        (
            Self {
                issuer,
                source,
                settings,
                fetch_timeout: times.timeout,
                state,
                demand,
                asked: None,
            },
            keys,
        )
    }

    /// Works until `shutdown` is ready.
    async fn run(mut self, shutdown: impl Future<Output = ()> + Send) {
        tokio::pin!(shutdown);
        let mut asked = self.asked.take();
        let mut failures_in_a_row = 0;
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                succeeded = self.fetch() => {
                    let one_more = u32::saturating_add(failures_in_a_row, 1);
                    failures_in_a_row = if succeeded { 0 } else { one_more };
                }
            }
            let pause = pause(self.settings, failures_in_a_row);
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(pause) => {}
                () = self.demanded() => {}
                () = next(&mut asked) => {}
            }
        }
    }

    /// Ready when an unknown key id asks for a fetch and one is due.
    async fn demanded(&self) {
        loop {
            self.demand.notified().await;
            // A permit may be left from requests whom the last fetch has served already.
            let is_due = may_demand(&self.state.borrow(), self.settings);
            if is_due {
                let now = Instant::now();
                self.state
                    .send_modify(|state| state.demanded_at = Some(now));
                return;
            }
        }
    }

    /// Fetches once and publishes the outcome; whether it succeeded.
    async fn fetch(&mut self) -> bool {
        self.state.send_modify(|state| state.is_fetching = true);
        let outcome = tokio::time::timeout(self.fetch_timeout, self.source.fetch())
            .await
            .unwrap_or(Err(FetchError::TimedOut));
        self.report(&outcome);
        let succeeded = outcome.is_ok();
        self.state.send_modify(|state| {
            state.is_fetching = false;
            state.fetches += 1;
            match outcome {
                Ok(keys) => {
                    state.keys = Some(Arc::new(keys));
                    state.fetched_at = Some(Instant::now());
                    state.failing = None;
                }
                Err(error) => {
                    state.failures += 1;
                    state.failing = Some(error);
                }
            }
        });
        succeeded
    }

    /// Logs what an operator wants to know: changes, not each success.
    fn report(&self, outcome: &Result<KeySet, FetchError>) {
        let state = self.state.borrow();
        match outcome {
            Ok(keys) if state.keys.is_none() || state.failing.is_some() => {
                tracing::info!(issuer = %self.issuer, keys = keys.len(), "keys loaded");
            }
            Ok(_) => {}
            // The same failure again is no news; the metrics count it.
            Err(error) if state.failing.as_ref() == Some(error) => {}
            Err(error) => tracing::warn!(
                issuer = %self.issuer,
                has_keys = state.keys.is_some(),
                "keys could not be fetched: {}",
                error.told(),
            ),
        }
    }
}

/// Ready when a fetch is asked for.
async fn next(asked: &mut Option<mpsc::Receiver<()>>) {
    if let Some(receiver) = asked
        && receiver.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

fn may_demand(state: &KeyState, settings: KeySettings) -> bool {
    state
        .demanded_at
        .is_none_or(|at| at.elapsed() >= settings.min_interval)
}

#[cfg(test)]
mod tests;
