//! Keeps the places of a request under limits on how many are open at once, while its stream lasts.

use std::sync::Arc;

use uuid::Uuid;

use super::edge::{Attendance, Carried};
use crate::check::Pipeline;
use crate::check::response_context::{CONTEXT_FACT, FILTER_FACT, ResponseContext};
use crate::state::{PlaceKey, State};

/// They are given back when this is dropped.
#[derive(Debug)]
struct StreamPlaces {
    state: Arc<dyn State>,
    places: Box<[PlaceKey]>,
    request: Uuid,
}

impl Drop for StreamPlaces {
    fn drop(&mut self) {
        self.state.close(&self.places, self.request);
    }
}

/// Keeps the places of the request that these facts are about, if it has any and the context is
/// believed. A context that was used before keeps nothing: whoever has seen it could fill a
/// caller's limit.
pub(super) fn attend(pipeline: &Pipeline, carried: &Carried) -> Attendance {
    let fact = |name| carried.as_ref().and_then(|facts| facts.get(name));
    if !fact(FILTER_FACT).is_some_and(|code| ResponseContext::has_places(code)) {
        return Attendance::default();
    }
    let now = (pipeline.clock)();
    let opened = fact(CONTEXT_FACT).and_then(|text| pipeline.handoffs.attend(text, now));
    let Some(context) = opened else {
        return Attendance::default();
    };
    let (places, request) = (context.places(), context.decision_id());
    pipeline.state.attend(places, request);
    Attendance::of(StreamPlaces {
        state: Arc::clone(&pipeline.state),
        places: places.into(),
        request,
    })
}
