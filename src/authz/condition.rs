//! The selectors of a rule, and whether they match a request.
//!
//! A selector whose subject is simply not there (no tenant, no such argument) does not match; one
//! that cannot be told, because the request is of a shape the rule's author did not mean or some
//! server may read a value otherwise, is [`Match::Indeterminate`], which keeps an allow from
//! granting and makes a deny deny.

mod place;
#[cfg(test)]
mod spelling_tests;
mod value;
mod what;
mod when;
mod who;
mod why;

pub use place::{Where, canonical_network};
pub(super) use value::is_nothing;
pub use value::{Expected, TextPattern, ValueSelector};
pub(super) use what::{Class, Target};
pub use what::{MethodPattern, ResourceKind, What};
pub(super) use when::match_auth_age;
pub use when::{Clock, Hours, When};
pub use who::{ClaimSelector, Who};
pub use why::{Behaviour, Why};

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Match {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It cannot be evaluated for this request.
    Indeterminate,
    /// It depends on something that is not decided yet, such as the arguments of a later call.
    Unknown,
}

impl Match {
    /// A plain truth value.
    pub fn of(holds: bool) -> Self {
        if holds { Match::Yes } else { Match::No }
    }

    /// Both hold. A surely false part decides; what cannot be evaluated never becomes a yes.
    pub fn and(self, other: Match) -> Self {
        match (self, other) {
            (Match::No, _) | (_, Match::No) => Match::No,
            (Match::Indeterminate, _) | (_, Match::Indeterminate) => Match::Indeterminate,
            (Match::Unknown, _) | (_, Match::Unknown) => Match::Unknown,
            (Match::Yes, Match::Yes) => Match::Yes,
        }
    }

    /// One of them holds. A surely true part decides.
    pub fn or(self, other: Match) -> Self {
        match (self, other) {
            (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
            (Match::Unknown, _) | (_, Match::Unknown) => Match::Unknown,
            (Match::Indeterminate, _) | (_, Match::Indeterminate) => Match::Indeterminate,
            (Match::No, Match::No) => Match::No,
        }
    }

    /// It does not hold. What is not known stays so.
    pub fn negate(self) -> Self {
        match self {
            Match::Yes => Match::No,
            Match::No => Match::Yes,
            Match::Indeterminate => Match::Indeterminate,
            Match::Unknown => Match::Unknown,
        }
    }

    fn all(parts: impl IntoIterator<Item = Match>) -> Self {
        let mut result = Match::Yes;
        for part in parts {
            result = result.and(part);
            if result == Match::No {
                break;
            }
        }
        result
    }

    fn any(parts: impl IntoIterator<Item = Match>) -> Self {
        let mut result = Match::No;
        for part in parts {
            result = result.or(part);
            if result == Match::Yes {
                break;
            }
        }
        result
    }
}

/// The exact values of one selector; any of them fulfils it. Never empty.
pub type Names = Box<[std::sync::Arc<str>]>;

/// A selector that was not written holds; a written one holds if `test` does for some value.
fn selects<T>(values: Option<&[T]>, test: impl FnMut(&T) -> bool) -> Match {
    values.map_or(Match::Yes, |values| Match::of(values.iter().any(test)))
}

#[cfg(test)]
mod tests {
    use super::Match::{Indeterminate, No, Unknown, Yes};

    #[test]
    fn truth_is_four_valued() {
        for (left, right, and, or) in [
            (Yes, Yes, Yes, Yes),
            (Yes, No, No, Yes),
            (Yes, Indeterminate, Indeterminate, Yes),
            (Yes, Unknown, Unknown, Yes),
            (No, No, No, No),
            (No, Indeterminate, No, Indeterminate),
            (No, Unknown, No, Unknown),
            (Indeterminate, Indeterminate, Indeterminate, Indeterminate),
            (Indeterminate, Unknown, Indeterminate, Unknown),
            (Unknown, Unknown, Unknown, Unknown),
        ] {
            assert_eq!(
                (left.and(right), right.and(left)),
                (and, and),
                "{left:?} {right:?}"
            );
            assert_eq!(
                (left.or(right), right.or(left)),
                (or, or),
                "{left:?} {right:?}"
            );
        }
        for (value, negated) in [
            (Yes, No),
            (Indeterminate, Indeterminate),
            (Unknown, Unknown),
        ] {
            assert_eq!((value.negate(), negated.negate()), (negated, value));
        }
    }
}
