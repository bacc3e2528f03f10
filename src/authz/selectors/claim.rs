//! A selector over one claim of a token, or over one fact about a device.

use super::value::ExpectedValue;
use crate::authz::matching::Match;
use crate::authz::path::{ValuePath, gather_claim};
use crate::authz::value::Value;

/// One claim and the values that fulfil the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSelector {
    /// The path of the claim. Names may contain dots, and lists may be on the way.
    pub path: ValuePath,
    /// The accepted values; any of them fulfils the selector.
    pub expected: Box<[ExpectedValue]>,
}

impl ClaimSelector {
    /// A list claim is a set: it matches if any element does, as with groups and roles, and so does
    /// a path through a list.
    pub(crate) fn matches_in(&self, claims: &Value<'_>) -> Match {
        let found = gather_claim(claims, &self.path);
        let values = found.values.iter();
        let known =
            Match::any(values.map(|claim| ExpectedValue::match_any_element(&self.expected, claim)));
        if found.is_unclear {
            known.or(Match::Indeterminate)
        } else {
            known
        }
    }
}
