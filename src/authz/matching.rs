//! Four-valued truth: whether a selector, an expression or a whole rule holds.

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
    /// It depends on something that is not yet known, such as the arguments of a later call.
    Unknown,
}

impl Match {
    /// A definite truth value.
    pub fn of(holds: bool) -> Self {
        if holds { Match::Yes } else { Match::No }
    }

    /// Both hold. A certainly false part decides; an unevaluable part never becomes a yes.
    pub fn and(self, other: Match) -> Self {
        match (self, other) {
            (Match::No, _) | (_, Match::No) => Match::No,
            (Match::Indeterminate, _) | (_, Match::Indeterminate) => Match::Indeterminate,
            (Match::Unknown, _) | (_, Match::Unknown) => Match::Unknown,
            (Match::Yes, Match::Yes) => Match::Yes,
        }
    }

    /// One of them holds. A certainly true part decides.
    pub fn or(self, other: Match) -> Self {
        match (self, other) {
            (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
            (Match::Unknown, _) | (_, Match::Unknown) => Match::Unknown,
            (Match::Indeterminate, _) | (_, Match::Indeterminate) => Match::Indeterminate,
            (Match::No, Match::No) => Match::No,
        }
    }

    /// It does not hold. Unknown and indeterminate stay as they are.
    pub fn negate(self) -> Self {
        match self {
            Match::Yes => Match::No,
            Match::No => Match::Yes,
            Match::Indeterminate => Match::Indeterminate,
            Match::Unknown => Match::Unknown,
        }
    }

    pub(super) fn all(parts: impl IntoIterator<Item = Match>) -> Self {
        let mut result = Match::Yes;
        for part in parts {
            result = result.and(part);
            if result == Match::No {
                break;
            }
        }
        result
    }

    pub(super) fn any(parts: impl IntoIterator<Item = Match>) -> Self {
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
