//! Finds out whether an expression says which issuers its names belong to.
//!
//! Groups, roles, scopes, tenants, ids, clients and claims are what an issuer calls them: two
//! issuers may mean different things by one name. An expression says whose they are where it holds
//! only for named issuers.

mod effect;
mod named;
mod nothing;
mod scope;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

use super::lookup::{call_of, name_of, truth_of};
use super::remarks::Sense;
use named::Named;
use nothing::has_nothing;
use scope::Scope;

/// The names in an expression that may be those of any issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct IssuerNames {
    /// Whether it holds for named issuers alone.
    pub(super) is_said: bool,
    /// The names, but for what is known of the device.
    names: Names,
    /// All names. The device is one where tokens tell of it.
    names_and_device: Names,
}

/// What an expression does with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// Whether it reads some.
    pub(super) are_read: bool,
    /// Whether a caller may make the expression fail by one.
    pub(super) make_it_fail: bool,
}

/// Looks over a checked expression, as its author wrote it.
pub(super) fn issuer_names(root: &IdedExpr) -> IssuerNames {
    let names = |with_device| {
        let mut walk = Walk::new(Scope::new(with_device));
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
    pub(super) fn names(self, with_device: bool) -> Names {
        if with_device {
            self.names_and_device
        } else {
            self.names
        }
    }
}

struct Walk<'e> {
    scope: Scope<'e>,
    names: Names,
}

impl<'e> Walk<'e> {
    fn new(scope: Scope<'e>) -> Self {
        Walk {
            scope,
            names: Names::default(),
        }
    }

    fn visit(&mut self, node: &'e IdedExpr, sense: Sense) {
        // For an issuer that the author did not name, it comes to the same whatever the names.
        if Named::of(node).is_either() || !self.scope.reads_names(node) {
            return;
        }
        if let Some((is_exists, test)) = quantified(node) {
            self.visit_loop(node, test, is_exists, sense);
        } else if let Some(call) = call_of(node) {
            self.visit_call(node, call, sense);
        } else {
            self.note(self.scope.effect(node, sense));
        }
    }

    fn visit_call(&mut self, node: &'e IdedExpr, call: &'e CallExpr, sense: Sense) {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, parts) => {
                for part in parts {
                    self.visit(part, sense);
                }
            }
            (operators::LOGICAL_NOT, [inner]) => self.visit(inner, sense.flipped()),
            (operators::CONDITIONAL, [test, yes, no]) => {
                let of_test = match (truth_of(yes), truth_of(no)) {
                    (Some(true), _) | (_, Some(false)) => sense,
                    (Some(false), _) | (_, Some(true)) => sense.flipped(),
                    (None, None) => Sense::Either,
                };
                self.visit(test, of_test);
                // What the issuers that are not named never come to says nothing of their names.
                let named = Named::of(test);
                if !named.where_it_holds {
                    self.visit(yes, sense);
                }
                if !named.where_it_fails {
                    self.visit(no, sense);
                }
            }
            _ => self.note(self.scope.effect(node, sense)),
        }
    }

    fn visit_loop(
        &mut self,
        node: &'e IdedExpr,
        test: &'e IdedExpr,
        is_exists: bool,
        sense: Sense,
    ) {
        let Expr::Comprehension(inner) = &node.expr else {
            return;
        };
        let range = &inner.iter_range;
        let mut of_test = sense;
        if self.scope.has_names(range) {
            // A further name is a further element: it makes `exists` hold and `all` fail.
            self.note(match (self.scope.grows(range), is_exists) {
                (true, true) => sense,
                (true, false) => sense.flipped(),
                (false, _) => Sense::Either,
            });
        } else if has_nothing(range) {
            of_test = Sense::Either;
        }
        let outer = self.scope.enter(inner);
        self.visit(test, of_test);
        self.scope.leave(outer);
    }

    fn note(&mut self, sense: Sense) {
        self.names.are_read = true;
        self.names.make_it_fail |= sense != Sense::Holds;
    }
}

/// What the macros `exists` (true) and `all` (false) ask of each element.
fn quantified(node: &IdedExpr) -> Option<(bool, &IdedExpr)> {
    let Expr::Comprehension(inner) = &node.expr else {
        return None;
    };
    let step = call_of(&inner.loop_step)?;
    let [so_far, test] = step.args.as_slice() else {
        return None;
    };
    let is_accumulator = |node: &IdedExpr| name_of(node) == Some(inner.accu_var.as_str());
    let is_gathered = is_accumulator(&inner.result) && is_accumulator(so_far);
    match (truth_of(&inner.accu_init)?, step.func_name.as_str()) {
        (false, operators::LOGICAL_OR) if is_gathered => Some((true, test)),
        (true, operators::LOGICAL_AND) if is_gathered => Some((false, test)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
