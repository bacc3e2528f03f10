//! The selectors of a rule, one file for each block: who, what, when, where, why.
//!
//! A selector does not match if its input is absent: no tenant, no such argument. It is
//! [indeterminate](crate::authz::Match::Indeterminate) if its input is ambiguous, such as a value
//! that servers read in different ways. An indeterminate allow rule does not grant, and an
//! indeterminate deny rule denies.

mod claim;
mod names;
mod place;
mod value;
mod what;
mod when;
mod who;
mod why;

pub use claim::ClaimSelector;
pub use names::Names;
pub use place::{Where, canonical_network};
pub use value::{ExpectedValue, TextPattern, ValueSelector};
pub use what::{MethodPattern, ResourceKind, What};
pub(super) use when::{AuthTime, match_auth_age};
pub use when::{Clock, Hours, When};
pub(crate) use who::Scopes;
pub use who::{Who, WhoKinds};
pub use why::{Behaviour, CountedWindow, Why};

#[cfg(test)]
mod spelling_tests;
