//! Finds out whether an expression names the issuers of the names that it reads.
//!
//! Each issuer defines its own groups, roles, scopes, tenants, ids, clients and claims: two issuers
//! may mean different things by one name. An expression identifies the issuer of its names if it
//! holds only for named issuers.

mod effect;
mod named;
mod nothing;
mod walk;

use cel::IdedExpr;

use super::remarks::Sense;
use named::Named;
use walk::{NameUse, Walk};

/// How an expression uses names that any issuer may have given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct IssuerNames {
    /// Whether it holds only for named issuers.
    pub(super) is_said: bool,
    /// Its use of names, without facts about the device.
    names: NameUse,
    /// Its use of all names, including the device where tokens describe it.
    names_and_device: NameUse,
}

/// Analyses a checked expression, as its author wrote it.
pub(super) fn issuer_names(root: &IdedExpr) -> IssuerNames {
    let names = |with_device| {
        let mut walk = Walk::new(with_device);
        walk.visit(root, Sense::Holds);
        walk.names
    };
    IssuerNames {
        is_said: Named::of(root).where_it_holds,
        names: names(false),
        names_and_device: names(true),
    }
}

impl IssuerNames {
    /// Its use of names. `with_device` includes the device.
    pub(super) fn names(self, with_device: bool) -> NameUse {
        if with_device {
            self.names_and_device
        } else {
            self.names
        }
    }
}

#[cfg(test)]
mod tests;
