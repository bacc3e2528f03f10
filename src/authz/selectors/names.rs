//! Selectors that list exact values.

use crate::authz::matching::Match;

/// The exact values of one selector; any of them fulfils it. Never empty.
pub type Names = Box<[std::sync::Arc<str>]>;

/// An omitted selector holds; a written one holds if `test` does for some value.
pub(super) fn selects<T>(values: Option<&[T]>, test: impl FnMut(&T) -> bool) -> Match {
    values.map_or(Match::Yes, |values| Match::of(values.iter().any(test)))
}
