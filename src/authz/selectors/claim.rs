//! A selector over one claim of a token, or over one fact about a device.

use super::value::ExpectedValue;
use crate::authz::matching::Match;
use crate::authz::path::{FoundValue, ValuePath, find_claim};
use crate::authz::value::Value;

/// One claim and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSelector {
    /// The path of the claim. Names may contain dots.
    pub path: ValuePath,
    /// The accepted values; any of them fulfils the selector.
    pub expected: Box<[ExpectedValue]>,
}

impl ClaimSelector {
    /// A list claim is a set: it matches if any element does, as with groups and roles.
    pub(super) fn matches_in(&self, claims: &Value<'_>) -> Match {
        match find_claim(claims, &self.path) {
            FoundValue::Value(claim) => ExpectedValue::match_any_element(&self.expected, claim),
            FoundValue::Absent => Match::No,
            FoundValue::Unclear => Match::Indeterminate,
        }
    }
}
