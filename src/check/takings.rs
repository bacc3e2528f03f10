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
    let taken = state.take(&takings.calls, now).await;
    if taken != Ok(Taken::All) && !places.is_empty() {
        state.close(&places, request);
    }
    Ok(match taken? {
        Taken::All => Took::All(places),
        taken @ Taken::Exhausted { first, .. } => Took::NoCall(first, taken),
    })
}
