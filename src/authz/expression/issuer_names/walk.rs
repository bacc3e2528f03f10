//! Walks an expression to the tests that read names, tracking which variables hold names.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, operators};

use super::super::depth::children;
use super::super::lookup::{
    call_of, field_of, member_of, name_of, quantified, tested_of, truth_of,
};
use super::super::remarks::Sense;
use super::named::{Named, is_issuer};
use super::nothing::has_nothing;

/// Fields of the caller that hold several names, and the claims, which hold all.
const SEVERAL: [&str; 4] = ["groups", "roles", "scopes", "claims"];

/// How an expression uses names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NameUse {
    /// Whether it reads any.
    pub(crate) are_read: bool,
    /// Whether a caller may make the expression fail by having one.
    pub(crate) make_it_fail: bool,
}

/// A walk through an expression, and its findings.
pub(super) struct Walk<'e> {
    scope: Scope<'e>,
    pub(super) names: NameUse,
}

impl<'e> Walk<'e> {
    pub(super) fn new(with_device: bool) -> Self {
        Walk::of(Scope::new(with_device))
    }

    fn of(scope: Scope<'e>) -> Self {
        Walk {
            scope,
            names: NameUse::default(),
        }
    }

    pub(super) fn visit(&mut self, node: &'e IdedExpr, sense: Sense) {
        // For an issuer that the author did not name, the result does not depend on the names.
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
                // A result that unnamed issuers never reach says nothing about their names.
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
            // Another name is another element: it makes `exists` hold and `all` fail.
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

/// The names that a node may read.
#[derive(Debug, Clone)]
pub(super) struct Scope<'e> {
    with_device: bool,
    /// The variables of the loops around the node, and whether they iterate over names.
    bound: Vec<(&'e str, bool)>,
}

impl<'e> Scope<'e> {
    pub(super) fn new(with_device: bool) -> Self {
        Scope {
            with_device,
            bound: Vec::new(),
        }
    }

    /// Enters a loop. Returns the argument for [`Scope::leave`].
    pub(super) fn enter(&mut self, inner: &'e ComprehensionExpr) -> usize {
        let outer = self.bound.len();
        let is_over_names = self.has_names(&inner.iter_range);
        let variables = [Some(&inner.iter_var), inner.iter_var2.as_ref()];
        let variables = variables.into_iter().flatten();
        self.bound
            .extend(variables.map(|name| (name.as_str(), is_over_names)));
        outer
    }

    pub(super) fn leave(&mut self, outer: usize) {
        self.bound.truncate(outer);
    }

    /// Whether the node contains a name that an issuer gives. An element of a list of names is
    /// either present or not; the members of the element are names again.
    pub(super) fn reads_names(&self, node: &IdedExpr) -> bool {
        if is_issuer(node) {
            return false;
        }
        matches!(field_of(&node.expr), Some(("subject", field, _)) if field != "issuer")
            || self.is_device(node)
            || looked_into(node).is_some_and(|object| self.is_element(object))
            || children(node)
                .into_iter()
                .any(|part| self.reads_names(part))
    }

    /// Whether the node reads names or contains an element of them.
    pub(super) fn has_names(&self, node: &IdedExpr) -> bool {
        self.is_element(node) || self.reads_names(node)
    }

    fn is_element(&self, node: &IdedExpr) -> bool {
        let mut bound = self.bound.iter().rev();
        name_of(node).is_some_and(|name| {
            let found = bound.find(|(own, _)| *own == name);
            found.is_some_and(|(_, is_element)| *is_element)
        })
    }

    fn is_device(&self, node: &IdedExpr) -> bool {
        self.with_device && name_of(node) == Some("device")
    }

    /// Whether the node is a field of the subject, the device, an element of names, or a member of
    /// one of them by name.
    pub(super) fn is_path(&self, node: &IdedExpr) -> bool {
        let mut node = node;
        loop {
            if let Some(("subject", _, is_test)) = field_of(&node.expr) {
                return !is_test;
            }
            if self.is_device(node) || self.is_element(node) {
                return true;
            }
            let Some((operand, _)) = member_of(node) else {
                return false;
            };
            node = operand;
        }
    }

    /// Whether the node is a single name.
    pub(super) fn is_one_name(&self, node: &IdedExpr) -> bool {
        let is_several = matches!(
            field_of(&node.expr),
            Some(("subject", field, _)) if SEVERAL.contains(&field)
        );
        self.is_path(node) && !is_several && !self.is_device(node)
    }

    /// Whether another name adds an element to the node, and removes none.
    pub(super) fn grows(&self, node: &'e IdedExpr) -> bool {
        if !self.reads_names(node) || self.is_path(node) {
            return true;
        }
        if let Expr::Comprehension(inner) = &node.expr {
            return self.grows_by(inner);
        }
        let Some(call) = call_of(node) else {
            return false;
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::ADD, parts) => parts.iter().all(|part| self.grows(part)),
            ("list" | "dyn", [inner]) => self.grows(inner),
            _ => false,
        }
    }

    /// The same for `filter` and `map`, which treat each element separately.
    fn grows_by(&self, inner: &'e ComprehensionExpr) -> bool {
        let begins_empty =
            matches!(&inner.accu_init.expr, Expr::List(list) if list.elements.is_empty());
        if !begins_empty || !self.grows(&inner.iter_range) {
            return false;
        }
        let mut within = self.clone();
        within.enter(inner);
        let step = call_of(&inner.loop_step).map(|step| (&*step.func_name, step.args.as_slice()));
        let (chosen, gathered) = match step {
            Some((operators::CONDITIONAL, [chosen, gathered, _])) => (Some(chosen), Some(gathered)),
            Some((operators::ADD, _)) => (None, Some(&inner.loop_step)),
            _ => (None, None),
        };
        let is_gathered = gathered.is_some_and(|gathered| {
            let mut items = children(gathered).into_iter().flat_map(children);
            items.all(|item| !within.reads_names(item) || within.is_value(item))
        });
        is_gathered && chosen.is_none_or(|chosen| !within.may_fail(chosen))
    }

    /// Whether a name may make a test fail.
    fn may_fail(&self, test: &'e IdedExpr) -> bool {
        let mut walk = Walk::of(self.clone());
        walk.visit(test, Sense::Holds);
        walk.names.make_it_fail
    }
}

/// The object in which a node selects.
fn looked_into(node: &IdedExpr) -> Option<&IdedExpr> {
    if let Expr::Comprehension(inner) = &node.expr {
        return Some(&inner.iter_range);
    }
    if let Some((object, _)) = member_of(node).or_else(|| tested_of(node)) {
        return Some(object);
    }
    let call = call_of(node)?;
    let target = call.target.as_deref();
    match (call.func_name.as_str(), target, call.args.as_slice()) {
        (operators::INDEX, None, [object, _])
        | (operators::IN, None, [_, object])
        | ("size" | "list", None, [object])
        | ("size", Some(object), []) => Some(object),
        _ => None,
    }
}
