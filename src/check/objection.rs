//! Objections to a call whatever the policy says: a tool that has changed, or arguments that do not
//! fit.

use std::cell::LazyCell;

use crate::authz::{Denial, DenialReason};
use crate::catalog::InvalidArguments;

/// Why a call is denied whatever the policy says.
pub(super) enum Objection {
    /// The definition of the tool is not the accepted one.
    ToolChanged,
    /// The arguments do not fit it.
    ArgumentsInvalid(InvalidArguments),
}

impl Objection {
    pub(super) fn reason(&self) -> DenialReason {
        match self {
            Objection::ToolChanged => DenialReason::ToolChanged,
            Objection::ArgumentsInvalid(_) => DenialReason::ArgumentsInvalid,
        }
    }

    pub(super) fn denial(&self) -> Denial {
        Denial {
            reason: self.reason(),
            rule: None,
            message: None,
            retry_after: None,
        }
    }
}

/// The objection that counts, where the policy alone denies for this reason or not at all.
pub(super) fn objected<O: FnOnce() -> Option<Objection>>(
    objection: &LazyCell<Option<Objection>, O>,
    denied: Option<DenialReason>,
) -> Option<&Objection> {
    match denied {
        None => objection.as_ref(),
        // Arguments that a client can put right say more than that no rule could read them.
        Some(DenialReason::Indeterminate) => objection
            .as_ref()
            .filter(|objection| matches!(objection, Objection::ArgumentsInvalid(_))),
        Some(_) => None,
    }
}
