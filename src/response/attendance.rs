//! The places of a request under limits on how many are open at once, while its stream lasts.

use std::sync::Arc;

use uuid::Uuid;

use super::{Attendance, CONTEXT_FACT, Carried, FILTER_FACT, Handoff, Pipeline};
use crate::state::{PlaceKey, State};

/// They are given back when this is dropped.
#[derive(Debug)]
struct Attended {
    state: Arc<dyn State>,
    places: Box<[PlaceKey]>,
    request: Uuid,
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.state.close(&self.places, self.request);
    }
}

/// Keeps the places of the request that this was said of, if it has any and the context is believed.
/// A context that was used before keeps nothing: whoever has seen it could fill a caller's limit.
pub(super) fn attend(pipeline: &Pipeline, carried: &Carried) -> Attendance {
    let fact = |name| carried.as_ref().and_then(|facts| facts.get(name));
    if !fact(FILTER_FACT).is_some_and(|code| Handoff::has_places(code)) {
        return Attendance::default();
    }
    let now = (pipeline.clock)();
    let believed = fact(CONTEXT_FACT).and_then(|text| pipeline.handoffs.attend(text, now));
    let Some(handoff) = believed else {
        return Attendance::default();
    };
    let (places, request) = (handoff.places(), handoff.decision_id());
    pipeline.state.attend(places, request);
    Attendance::of(Attended {
        state: Arc::clone(&pipeline.state),
        places: places.into(),
        request,
    })
}
