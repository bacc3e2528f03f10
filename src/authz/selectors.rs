//! The selectors of a rule, and whether they match a request.
//!
//! A selector whose subject is simply not there (no tenant, no such argument) does not match; one
//! that cannot be told, because the request is of a shape the rule's author did not mean or some
//! server may read a value otherwise, is [`Match::Indeterminate`](crate::authz::Match::Indeterminate), which keeps an allow from
//! granting and makes a deny deny.

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
pub(super) use value::is_nothing;
pub use value::{ExpectedValue, TextPattern, ValueSelector};
pub use what::{MethodPattern, ResourceKind, What};
pub(super) use when::match_auth_age;
pub use when::{Clock, Hours, When};
pub use who::Who;
pub use why::{Behaviour, Why};

#[cfg(test)]
mod spelling_tests;
