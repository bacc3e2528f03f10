//! Takes what the limits of a request ask for from the state.

use jiff::Timestamp;
use uuid::Uuid;

use crate::authz::{Opened, Taken, Takings};
use crate::state::{PlaceKey, State, StateUnavailable};

/// What became of an attempt to take all that limits are asked for.
pub(super) enum Took {
    /// All of it, with these places.
    All(Vec<PlaceKey>),
    /// Nothing: the limit of this number on how many are open at once has no place.
    NoPlace(usize),
    /// Nothing: the limit of this number on how often has no room.
    NoCall(usize, Taken),
}

/// The places of a request while it waits. They are given back unless they are [kept](Self::keep):
/// if the check fails or is given up, nobody would see when the request ends.
pub(super) struct WaitingPlaces<'p> {
    places: &'p mut Vec<PlaceKey>,
    state: &'p dyn State,
    request: Uuid,
    is_kept: bool,
}

impl<'p> WaitingPlaces<'p> {
    pub(super) fn new(places: &'p mut Vec<PlaceKey>, state: &'p dyn State, request: Uuid) -> Self {
        WaitingPlaces {
            places,
            state,
            request,
            is_kept: false,
        }
    }

    /// Leaves the request its places.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for WaitingPlaces<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            give_back(self.places, self.state, self.request);
        }
    }
}

/// Gives back the places of a request.
pub(super) fn give_back(places: &mut Vec<PlaceKey>, state: &dyn State, request: Uuid) {
    if !places.is_empty() {
        state.close(&std::mem::take(places), request);
    }
}

/// Places are taken first, since they alone can be given back.
pub(super) async fn take(
    state: &dyn State,
    takings: &Takings,
    request: Uuid,
    now: Timestamp,
) -> Result<Took, StateUnavailable> {
    let mut places = Vec::new();
    if !takings.places.is_empty() {
        if let Opened::Full { first } = state.open(&takings.places, request, now).await? {
            return Ok(Took::NoPlace(first));
        }
        places.extend(
            takings
                .places
                .iter()
                .map(|demand| PlaceKey::of(&demand.key)),
        );
    }
    if takings.calls.is_empty() {
        return Ok(Took::All(places));
    }
    let held = WaitingPlaces::new(&mut places, state, request);
    let taken = state.take(&takings.calls, now).await;
    if taken == Ok(Taken::All) {
        held.keep();
    } else {
        drop(held);
    }
    Ok(match taken? {
        Taken::All => Took::All(places),
        taken @ Taken::Exhausted { first, .. } => Took::NoCall(first, taken),
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::authz::{CounterKey, OpenDemand};
    use crate::state::{LimitStore as _, Memory, StateSettings};

    /// A check that waits while it holds its places, and is given up or not.
    #[tokio::test]
    async fn places_are_given_back_unless_they_are_kept() {
        let key = CounterKey::named("a");
        let one = [OpenDemand {
            rule: "a".into(),
            message: None,
            most: 1,
            key: key.clone(),
        }];
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        let (first, next) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (keeps, expected) in [(true, Opened::Full { first: 0 }), (false, Opened::All)] {
            let state = Memory::new(StateSettings::default());
            assert_eq!(state.open(&one, first, now).await, Ok(Opened::All));
            let mut places = vec![PlaceKey::of(&key)];
            {
                let held = WaitingPlaces::new(&mut places, &state, first);
                let mut waiting = pin!(async {
                    if !keeps {
                        pending::<()>().await;
                    }
                    held.keep();
                });
                let ended = waiting
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(ended.is_ready(), keeps);
            }
            assert_eq!(places.len(), usize::from(keeps));
            assert_eq!(state.open(&one, next, now).await, Ok(expected));
        }
    }
}
