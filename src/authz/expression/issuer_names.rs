//! Finds out whether an expression says which issuers its names belong to.
//!
//! Groups, roles, scopes, tenants, ids, clients and claims are what an issuer calls them: two
//! issuers may mean different things by one name. An expression says whose they are where it holds
//! only for named issuers.

mod effect;
mod named;
mod nothing;
mod walk;

use cel::IdedExpr;

use super::remarks::Sense;
use named::Named;
use walk::{NameUse, Walk};

/// The names in an expression that may be those of any issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct IssuerNames {
    /// Whether it holds for named issuers alone.
    pub(super) is_said: bool,
    /// The names, but for what is known of the device.
    names: NameUse,
    /// All names. The device is one where tokens tell of it.
    names_and_device: NameUse,
}

/// Looks over a checked expression, as its author wrote it.
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
    /// What it does with names. `with_device` tells whether the device is one.
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
