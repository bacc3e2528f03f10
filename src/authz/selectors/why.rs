//! `why`: the purpose a client declares, and how the caller behaved.

use std::sync::Arc;

use super::names::{Names, selects};
use super::what::What;
use crate::authz::classified::ClassifiedRequest;
use crate::authz::matching::Match;
use crate::authz::request::Declared;
use crate::authz::window::{Count, Readings, Window};

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
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// What is counted.
    pub counted: CountedWindow,
    /// The windows of what may or may not be counted by the other.
    pub unsure: Box<[CountedWindow]>,
    /// The most events that do not match.
    pub more_than: u32,
}

/// A window and the block that says what it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedWindow {
    /// The window.
    pub window: Window,
    /// What it counts; `None` if everything.
    pub of: Option<Arc<What>>,
}

impl Behaviour {
    /// More than `more_than` events in a window, which counts what `of` selects, or everything.
    #[must_use]
    pub fn new(window: Window, of: Option<Arc<What>>, more_than: u32) -> Self {
        let unsure = window.unsure().map(|window| CountedWindow {
            window,
            of: of.clone(),
        });
        Behaviour {
            unsure: unsure.collect(),
            counted: CountedWindow { window, of },
            more_than,
        }
    }

    /// Whether every window has a known reading.
    pub(crate) fn is_read(&self, readings: &Readings) -> bool {
        self.windows()
            .all(|one| readings.reading(&one.window).is_some())
    }

    fn windows(&self) -> impl Iterator<Item = &CountedWindow> {
        std::iter::once(&self.counted).chain(&self.unsure)
    }
}

impl CountedWindow {
    /// Whether the block selects a request.
    pub(crate) fn selects(&self, target: &ClassifiedRequest<'_>) -> Match {
        self.of.as_ref().map_or(Match::Yes, |what| {
            if what.fits_kind(target.request.resource) {
                what.matches(target)
            } else {
                Match::No
            }
        })
    }

    /// Whether a request belongs to what is counted.
    pub(crate) fn counts(&self, target: &ClassifiedRequest<'_>) -> bool {
        let lacking = &self.window.lacking;
        if !lacking.is_empty() {
            let lacks_one = target.request.lacking(lacking).next().is_some();
            return lacks_one && self.selects(target) != Match::No;
        }
        match self.selects(target) {
            Match::Yes => !self.window.is_unsure(),
            Match::No => false,
            Match::Unknown | Match::Indeterminate => self.window.is_unsure(),
        }
    }
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
    pub(crate) fn matches(&self, target: &ClassifiedRequest<'_>) -> Match {
        let Why {
            purposes,
            behaviours,
            not,
        } = self;
        let purposes = match (purposes, target.request.context.purpose) {
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
            .map(|behaviour| behaviour.is_exceeded(target));
        let not = not.iter().map(|why| why.matches(target).negate());
        purposes.and(Match::all(behaviours.chain(not)))
    }

    /// Whether a window was not read although it could have been.
    pub(crate) fn lacks_reading(&self, target: &ClassifiedRequest<'_>) -> bool {
        let readings = target.request.context.readings;
        self.windows().any(|window| {
            let is_read = readings.is_some_and(|readings| readings.has(&window.window));
            !is_read && window.reading_demand(target).is_ok()
        })
    }

    /// Every window of the block.
    pub(crate) fn windows(&self) -> impl Iterator<Item = &CountedWindow> {
        self.all_behaviours().flat_map(Behaviour::windows)
    }

    /// The windows of this count that have counted more than the block names, or may have.
    pub(crate) fn exceeded(
        &self,
        count: Count,
        readings: &Readings,
    ) -> impl Iterator<Item = &Window> {
        let is_exceeded = move |behaviour: &&Behaviour| {
            let mut read = behaviour.windows().map(|one| readings.reading(&one.window));
            let sum = read.try_fold(0_u64, |sum, reading| Some(sum.saturating_add(reading?)));
            behaviour.counted.window.count == count
                && sum.is_none_or(|sum| sum > u64::from(behaviour.more_than))
        };
        let exceeded = self.all_behaviours().filter(is_exceeded);
        exceeded.flat_map(Behaviour::windows).map(|one| &one.window)
    }

    fn all_behaviours(&self) -> impl Iterator<Item = &Behaviour> {
        let not = self.not.iter().flat_map(|not| &not.behaviours);
        self.behaviours.iter().chain(not)
    }
}
