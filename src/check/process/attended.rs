//! The places of a request under limits on how many are open at once, while its stream lasts.

use std::sync::Arc;

use uuid::Uuid;

use super::super::exchange::{Attendance, Carried};
use super::super::handoff::{CONTEXT_FACT, FILTER_FACT, Handoff};
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

/// Keeps the places of the request that this was said of, if it has any.
pub(super) fn attend(state: &Arc<dyn State>, carried: &Carried) -> Attendance {
    let fact = |name| carried.as_ref().and_then(|facts| facts.get(name));
    if !fact(FILTER_FACT).is_some_and(|code| Handoff::has_places(code)) {
        return Attendance::default();
    }
    let Some(handoff) = fact(CONTEXT_FACT).and_then(|text| Handoff::parse(text)) else {
        return Attendance::default();
    };
    let (places, request) = (handoff.places(), handoff.decision_id());
    state.attend(places, request);
    Attendance::of(Attended {
        state: Arc::clone(state),
        places: places.into(),
        request,
    })
}
