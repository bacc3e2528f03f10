//! Which unreadable things of a server's lists operators were told of.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many are remembered of a server. Beyond that nothing more is told.
const TOLD_MAX: usize = 1000;

/// The longest name of an item that is told and remembered, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What operators were told of.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashSet<(&'static str, &'static str, Box<str>)>>);

impl Told {
    /// Whether an item of a list that is hidden for a reason is to be told of now: once for each name
    /// and reason.
    pub(super) fn is_new(&self, list: &'static str, why: &'static str, name: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < TOLD_MAX && told.insert((list, why, beginning(name).into()))
    }
}

/// As much of a name as is told.
fn beginning(name: &str) -> &str {
    let end = name.floor_char_boundary(NAME_BYTES_MAX);
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_reason_is_told_once_and_not_without_end() {
        let told = Told::default();
        assert!(told.is_new("tools", "unsound", "a"));
        assert!(!told.is_new("tools", "unsound", "a"));
        assert!(told.is_new("tools", "ambiguous", "a"));
        assert!(told.is_new("prompts", "unsound", "a"));
        assert!(told.is_new("tools", "unsound", &"é".repeat(300)));
        assert!(!told.is_new("tools", "unsound", &"é".repeat(301)));
        let names = (0..2 * TOLD_MAX).map(|number| format!("tool-{number}"));
        let new = names.filter(|name| told.is_new("tools", "unsound", name));
        assert_eq!(new.count(), TOLD_MAX - 4);
    }
}
