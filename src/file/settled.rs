//! When a change of a file is taken up.

/// What the looks at a file found, and what was taken up: its content, its stamp, or why it cannot be
/// read.
///
/// A change is taken up after two looks in a row that found the same: a file caught half-written
/// could be a good one with its last rules missing.
#[derive(Debug, Clone)]
pub struct Settled<T> {
    /// What was taken up last, good or not.
    taken: Option<T>,
    /// What the last look found.
    last: Option<T>,
}

impl<T: Clone + PartialEq> Settled<T> {
    /// Nothing was seen yet, so that what changed between the start and the first look is taken up
    /// too.
    #[must_use]
    pub fn new() -> Self {
        Settled {
            taken: None,
            last: None,
        }
    }

    /// This was seen and taken up.
    #[must_use]
    pub fn at(seen: T) -> Self {
        Settled {
            taken: Some(seen.clone()),
            last: Some(seen),
        }
    }

    /// Whether to take up what this look found: because a reload was asked for, or because it has
    /// changed and settled.
    pub fn is_due(&mut self, seen: T, is_asked: bool) -> bool {
        let seen = Some(seen);
        let is_settled = seen == self.last;
        let is_due = is_asked || (is_settled && seen != self.taken);
        self.last = seen;
        if is_due {
            self.taken.clone_from(&self.last);
        }
        is_due
    }

    /// Whether to report that a look failed: at once, and once for each failure. Whatever the next look
    /// finds is a change.
    pub fn is_news(&mut self, failure: T) -> bool {
        let failure = Some(failure);
        let is_news = failure != self.taken;
        self.taken.clone_from(&failure);
        self.last = failure;
        is_news
    }
}

impl<T: Clone + PartialEq> Default for Settled<T> {
    fn default() -> Self {
        Settled::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_up_once_and_only_when_it_has_settled() {
        let mut watched = Settled::at("a");
        let steps = [
            ("a", false),
            ("", false),
            ("b", false),
            ("b", true),
            ("b", false),
            ("!gone", false),
            ("!gone", true),
            ("!gone", false),
            ("!denied", false),
            ("!denied", true),
            ("b", false),
            ("b", true),
            // Back where it was before anybody took it up.
            ("c", false),
            ("b", false),
            ("b", false),
        ];
        for (step, (now, due)) in steps.into_iter().enumerate() {
            assert_eq!(watched.is_due(now, false), due, "step {step}");
        }
    }

    #[test]
    fn what_is_asked_for_is_taken_up_at_once_and_not_again() {
        let mut watched = Settled::at("a");
        let steps = [
            ("a", true, true),
            ("b", true, true),
            ("b", false, false),
            ("c", false, false),
            ("c", true, true),
            ("c", false, false),
        ];
        for (step, (now, asked, due)) in steps.into_iter().enumerate() {
            assert_eq!(watched.is_due(now, asked), due, "step {step}");
        }
    }

    #[test]
    fn the_first_look_is_a_change_where_nothing_was_seen() {
        let mut watched = Settled::new();
        assert!(!watched.is_due(1, false));
        assert!(watched.is_due(1, false));
        assert!(!watched.is_due(1, false));
    }

    #[test]
    fn a_failure_is_told_at_once_and_what_comes_after_it_is_taken_up_again() {
        let mut watched = Settled::at("a");
        assert!(watched.is_news("!hangs"));
        assert!(!watched.is_news("!hangs"));
        assert!(!watched.is_due("a", false));
        assert!(watched.is_due("a", false));
        assert!(watched.is_news("!hangs"));
    }
}
