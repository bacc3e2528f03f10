//! The members of `params` that are kept.

use std::borrow::Cow;

use crate::authz::Value;

/// The kept members of `params`. INVARIANT: keys are unique.
pub(super) type Params<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Takes the member `key` out of `params`.
pub(super) fn take<'a>(params: &mut Params<'a>, key: &str) -> Option<Value<'a>> {
    let index = params.iter().position(|(name, _)| name == key)?;
    Some(params.swap_remove(index).1)
}
