//! Objections to a call whatever the policy says: a tool that is unknown or has changed, arguments
//! that do not fit, or calls inside it that cannot be told.

use std::cell::LazyCell;

use crate::authz::{Denial, DenialReason};
use crate::catalog::{InvalidArguments, ToolRefusal};
use crate::mcp::InnerFault;

/// Why a call is denied whatever the policy says.
pub(super) enum Objection {
    /// The tool is not as it was accepted, or was never accepted.
    Tool(ToolRefusal),
    /// The arguments do not fit it.
    ArgumentsInvalid(InvalidArguments),
    /// The calls that it would make cannot be told.
    InnerCallInvalid(InnerFault),
}

/// Where the arguments of a denied call are at fault, and how, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArgumentFault {
    /// They do not fit the schema of their tool.
    Schema(InvalidArguments),
    /// They do not tell the call that the tool would make.
    Inner(InnerFault),
}

impl Objection {
    pub(super) fn reason(&self) -> DenialReason {
        match self {
            Objection::Tool(ToolRefusal::Unknown) => DenialReason::UnknownTool,
            Objection::Tool(ToolRefusal::Changed) => DenialReason::ToolChanged,
            Objection::ArgumentsInvalid(_) => DenialReason::ArgumentsInvalid,
            Objection::InnerCallInvalid(_) => DenialReason::InnerCallInvalid,
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

    /// What of the arguments is at fault.
    pub(super) fn fault(&self) -> Option<ArgumentFault> {
        match self {
            Objection::Tool(_) => None,
            Objection::ArgumentsInvalid(misfit) => Some(ArgumentFault::Schema(misfit.clone())),
            Objection::InnerCallInvalid(fault) => Some(ArgumentFault::Inner(fault.clone())),
        }
    }
}

impl ArgumentFault {
    /// The reason of the denial that tells of it.
    pub(super) fn reason(&self) -> DenialReason {
        match self {
            ArgumentFault::Schema(_) => DenialReason::ArgumentsInvalid,
            ArgumentFault::Inner(_) => DenialReason::InnerCallInvalid,
        }
    }

    /// The place, as a JSON Pointer into the arguments; empty for all of them.
    pub(super) fn place(&self) -> &str {
        match self {
            ArgumentFault::Schema(misfit) => &misfit.path,
            ArgumentFault::Inner(fault) => &fault.place,
        }
    }

    /// What is wrong there.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            ArgumentFault::Schema(misfit) => misfit.kind,
            ArgumentFault::Inner(fault) => fault.kind,
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
            .filter(|objection| objection.fault().is_some()),
        Some(_) => None,
    }
}
