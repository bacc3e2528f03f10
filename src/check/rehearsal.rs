//! What the decision would be with the shadow rules or the candidate policy, never enforced.

use super::merge::add_new;
use super::reason::Reason;
use super::takings::Took;
use crate::authz::{DenialReason, Rehearsal, Rehearsed};
use crate::state::PlaceKey;

/// What a rehearsal comes to; the places that it has taken are added to those of the request.
pub(super) fn rehearsed(took: Took, places: &mut Vec<PlaceKey>) -> Rehearsed {
    match took {
        Took::All(own) => {
            places.extend(own);
            Rehearsed::Allow
        }
        Took::NoPlace(_) | Took::NoCall(..) => Rehearsed::Deny(DenialReason::RateLimited),
    }
}

/// Adds what one target comes to to those before it: the worst counts.
pub(super) fn add_rehearsal(all: &mut Option<Rehearsal>, more: Rehearsal, is_one: bool) {
    let Some(all) = all else {
        *all = Some(more);
        return;
    };
    add_new(&mut all.rules, more.rules);
    add_new(&mut all.shadow, more.shadow);
    match (&mut all.outcome, more.outcome) {
        (Rehearsed::Limit(all), Rehearsed::Limit(more)) => all.join(more, is_one),
        (Rehearsed::Challenge { scope }, Rehearsed::Challenge { scope: more }) => *scope |= more,
        (old, new) if weight(&new) > weight(old) => *old = new,
        _ => {}
    }
}

fn weight(outcome: &Rehearsed) -> u8 {
    match outcome {
        Rehearsed::Allow => 0,
        Rehearsed::Limit(_) => 1,
        Rehearsed::Challenge { .. } => 2,
        Rehearsed::Deny(_) => 3,
    }
}

/// The reason that a rehearsed decision would have.
pub(super) fn rehearsed_reason(outcome: &Rehearsed) -> Reason {
    match outcome {
        Rehearsed::Allow | Rehearsed::Limit(_) => Reason::Allowed,
        Rehearsed::Deny(reason) => Reason::from(*reason),
        Rehearsed::Challenge { scope: true } => Reason::InsufficientScope,
        Rehearsed::Challenge { scope: false } => Reason::StepUpRequired,
    }
}
