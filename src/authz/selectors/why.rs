//! `why`: the purpose a client declares, and how the caller behaved.

use super::names::{Names, selects};
use crate::authz::matching::Match;
use crate::authz::request::{AccessRequest, Declared};
use crate::authz::window::Window;

/// Selectors over purpose and behaviour. Keys combine with AND.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Why {
    /// Declared purposes.
    pub purposes: Option<Names>,
    /// Behaviours of the caller, all of which must hold.
    pub behaviours: Box<[Behaviour]>,
    /// What it must not be.
    pub not: Option<Box<Why>>,
}

/// More than a number of events within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// What is counted.
    pub window: Window,
    /// The most events that do not match.
    pub more_than: u32,
}

impl Why {
    /// Whether the block reads the purpose.
    #[must_use]
    pub fn has_purposes(&self) -> bool {
        let not = self.not.as_ref();
        self.purposes.is_some() || not.is_some_and(|not| not.has_purposes())
    }

    /// An undeclared purpose matches no name; a purpose that was declared in two ways has no
    /// result.
    pub(crate) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        let Why {
            purposes,
            behaviours,
            not,
        } = self;
        let purposes = match (purposes, request.context.purpose) {
            (None, _) => Match::Yes,
            (Some(_), Declared::Nothing) => Match::No,
            (Some(_), Declared::Unclear) => Match::Indeterminate,
            (purposes, Declared::As(purpose)) => {
                selects(purposes.as_deref(), |name| &**name == purpose)
            }
        };
        if purposes == Match::No {
            return Match::No;
        }
        let behaviours = behaviours
            .iter()
            .map(|behaviour| behaviour.window.exceeds(behaviour.more_than, request));
        let not = not.iter().map(|why| why.matches(request).negate());
        purposes.and(Match::all(behaviours.chain(not)))
    }

    /// Whether a window was not read although it could have been.
    pub(crate) fn lacks_reading(&self, request: &AccessRequest<'_>) -> bool {
        let readings = request.context.readings;
        self.windows().any(|window| {
            let is_read = readings.is_some_and(|readings| readings.has(window));
            !is_read && window.demand(request).is_ok()
        })
    }

    /// Every window of the block.
    pub(crate) fn windows(&self) -> impl Iterator<Item = &Window> {
        let not = self.not.iter().flat_map(|not| &not.behaviours);
        let all = self.behaviours.iter().chain(not);
        all.map(|behaviour| &behaviour.window)
    }
}
