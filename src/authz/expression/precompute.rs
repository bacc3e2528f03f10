//! Precomputes at load what would be the same in every evaluation.
//!
//! Patterns and networks that the author wrote are compiled, and reads of the request by name
//! become numbers in a table. Both appear in the tree as variables that no author can write: `@`
//! and their position in the table. Operators over external values become operations without a
//! result where servers may read a value in two ways.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr};

use super::constant::{Constant, GIVEN};
use super::depth::children;
use super::lookup::{Lookup, lookup, whole};
use super::origin::Origin;
use super::outside::{BINARY, Operation, OperationName, UNARY};
use super::substitutes::{conversion, is_helper, operator, result_of, taken_apart, uri_test};

/// An expression ready for evaluation.
#[derive(Debug, Clone)]
pub(super) struct Precomputed {
    pub(super) root: IdedExpr,
    /// The values of the variables `@0`, `@1` and so on.
    pub(super) references: Box<[Reference]>,
}

/// The value of such a variable.
#[derive(Debug, Clone)]
pub(super) enum Reference {
    /// A constant that the author wrote.
    Constant(Constant),
    /// A part of the request.
    Lookup(Lookup),
}

/// Prepares a checked expression. `constants` are those of its nodes, by node number.
pub(super) fn precompute(root: &IdedExpr, constants: Vec<(u64, Constant)>) -> Precomputed {
    let mut preparation = Precomputation {
        constants,
        references: Vec::new(),
        bound: Vec::new(),
    };
    let mut root = root.clone();
    preparation.visit(&mut root);
    Precomputed {
        root,
        references: preparation.references.into(),
    }
}

/// The number of such a variable.
pub(super) fn reference_number(variable: &str) -> Option<usize> {
    variable.strip_prefix('@')?.parse().ok()
}

struct Precomputation {
    constants: Vec<(u64, Constant)>,
    references: Vec<Reference>,
    /// The variables of the loops around the node, and their origins.
    bound: Vec<(String, Origin)>,
}

impl Precomputation {
    /// Prepares a node, and returns the origins of its value.
    fn visit(&mut self, node: &mut IdedExpr) -> Origin {
        if let Some((lookup, origin)) = lookup(&node.expr) {
            self.refer(node, Reference::Lookup(lookup));
            return origin;
        }
        if let Some(origin) = whole(&node.expr) {
            return origin;
        }
        match &mut node.expr {
            Expr::Call(_) => self.visit_call(node),
            Expr::Comprehension(inner) => self.visit_loop(inner),
            Expr::List(list) => {
                let elements = list.elements.iter_mut();
                elements.fold(Origin::PLAIN, |all, item| all.and(self.visit(item)))
            }
            Expr::Map(map) => {
                let mut all = Origin::PLAIN;
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        all = all.and(self.visit(&mut entry.key));
                        all = all.and(self.visit(&mut entry.value));
                    }
                }
                all
            }
            Expr::Select(_) => self.visit_select(node),
            Expr::Ident(name) => self.origin_of(name),
            // The check has refused structs.
            Expr::Struct(_) | Expr::Unspecified | Expr::Literal(_) => Origin::PLAIN,
        }
    }

    fn origin_of(&self, name: &str) -> Origin {
        let mut bound = self.bound.iter().rev();
        match bound.find(|(own, _)| own == name) {
            Some((_, origin)) => *origin,
            None if name == "args" => Origin::ARGUMENTS,
            None if name == "device" => Origin::PROVEN,
            None => Origin::PLAIN,
        }
    }

    /// A member of something other than an object of the request, such as an element of a list.
    fn visit_select(&mut self, node: &mut IdedExpr) -> Origin {
        let Expr::Select(select) = &mut node.expr else {
            return Origin::PLAIN;
        };
        let origin = self.visit(&mut select.operand);
        if !origin.outside {
            return origin;
        }
        let (name, found) = if select.test {
            (OperationName::Has, Origin::PLAIN)
        } else {
            (OperationName::Member, origin)
        };
        let (operand, key) = taken_apart(select);
        self.operate(node, name, (operand, origin), (key, Origin::PLAIN));
        found
    }

    fn visit_loop(&mut self, inner: &mut ComprehensionExpr) -> Origin {
        let range = self.visit(&mut inner.iter_range);
        let start = self.visit(&mut inner.accu_init);
        let outer = self.bound.len();
        let variables = [Some(&inner.iter_var), inner.iter_var2.as_ref()];
        let variables = variables.into_iter().flatten();
        self.bound
            .extend(variables.map(|name| (name.clone(), range.elements())));
        let steps = self.mentioned(&inner.loop_step);
        let gathered = range.elements().and(start).and(steps);
        self.bound.push((inner.accu_var.clone(), gathered));
        self.visit(&mut inner.loop_cond);
        self.visit(&mut inner.loop_step);
        let result = self.visit(&mut inner.result);
        self.bound.truncate(outer);
        result
    }

    /// The origins of everything that a node reads: a value gathered by a loop may come from any of
    /// it.
    fn mentioned(&self, node: &IdedExpr) -> Origin {
        if let Some((_, origin)) = lookup(&node.expr) {
            return origin;
        }
        let own = match &node.expr {
            Expr::Ident(name) => self.origin_of(name),
            Expr::Select(_) | Expr::Call(_) => whole(&node.expr).unwrap_or_default(),
            Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => Origin::PLAIN,
        };
        let parts = children(node).into_iter();
        parts.fold(own, |all, part| all.and(self.mentioned(part)))
    }

    fn visit_call(&mut self, node: &mut IdedExpr) -> Origin {
        let Expr::Call(call) = &mut node.expr else {
            return Origin::PLAIN;
        };
        if call.func_name == GIVEN {
            return self.visit_given(node);
        }
        let target = call.target.as_mut().map(|target| self.visit(target));
        let origins: Vec<Origin> = call.args.iter_mut().map(|one| self.visit(one)).collect();
        let all = origins
            .iter()
            .fold(target.unwrap_or_default(), |all, one| all.and(*one));
        let result = result_of(call, &origins, all);
        if all.is_plain() && !is_helper(call) {
            self.use_constant(call);
            return result;
        }
        if let [left, right] = origins.as_slice()
            && target.is_none()
            && let Some(name) = operator(&call.func_name)
        {
            let (left, right) = (*left, *right);
            self.operate_call(node, name, (left, right));
            return result;
        }
        if let Some((name, left)) = uri_test(call, target, &origins) {
            self.operate_call(node, name, (left, Origin::PLAIN));
            return result;
        }
        if let ([origin], None) = (origins.as_slice(), target)
            && let Some(to) = conversion(&call.func_name, *origin)
        {
            let operation = Operation {
                name: OperationName::Convert(to),
                left: *origin,
                right: Origin::PLAIN,
            };
            UNARY.clone_into(&mut call.func_name);
            let constant = self.constant(Constant::Operation(operation));
            call.args.push(constant);
            return result;
        }
        self.use_constant(call);
        result
    }

    /// `given(args.a)`, where `args.a` may be missing.
    fn visit_given(&mut self, node: &mut IdedExpr) -> Origin {
        let Expr::Call(call) = &mut node.expr else {
            return Origin::PLAIN;
        };
        let Some(mut argument) = call.args.pop() else {
            return Origin::PLAIN;
        };
        let given = match lookup(&argument.expr) {
            Some((Lookup::Member(container, path), _)) => Some(Lookup::Given(container, path)),
            // Our own fields are never null.
            Some((Lookup::Field(record, field), _)) => Some(Lookup::HasField(record, field)),
            Some((Lookup::Header(name), _)) => Some(Lookup::HasHeader(name)),
            Some(_) | None => None,
        };
        if let Some(given) = given {
            self.refer(node, Reference::Lookup(given));
            return Origin::PLAIN;
        }
        let operands = match &mut argument.expr {
            Expr::Select(select) => Some(taken_apart(select)),
            Expr::Call(index) => {
                let (key, own) = (index.args.pop(), index.args.pop());
                own.zip(key)
            }
            Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => None,
        };
        if let Some((mut operand, mut key)) = operands {
            let origin = self.visit(&mut operand);
            self.visit(&mut key);
            let key = (key, Origin::PLAIN);
            self.operate(node, OperationName::Given, (operand, origin), key);
        }
        Origin::PLAIN
    }

    /// Replaces a call by an operation; its two operands are target and argument, or two arguments.
    fn operate_call(
        &mut self,
        node: &mut IdedExpr,
        name: OperationName,
        origins: (Origin, Origin),
    ) {
        let Expr::Call(call) = &mut node.expr else {
            return;
        };
        let target = call.target.take().map(|target| *target);
        let mut operands = target.into_iter().chain(std::mem::take(&mut call.args));
        if let (Some(left), Some(right)) = (operands.next(), operands.next()) {
            drop(operands);
            self.operate(node, name, (left, origins.0), (right, origins.1));
        }
    }

    fn operate(
        &mut self,
        node: &mut IdedExpr,
        name: OperationName,
        (mut left, from_left): (IdedExpr, Origin),
        (mut right, from_right): (IdedExpr, Origin),
    ) {
        for operand in [&mut left, &mut right] {
            self.as_uri(operand);
        }
        let operation = Operation {
            name,
            left: from_left,
            right: from_right,
        };
        let constant = self.constant(Constant::Operation(operation));
        node.expr = Expr::Call(CallExpr {
            func_name: BINARY.to_owned(),
            target: None,
            args: vec![left, right, constant],
        });
    }

    /// Replaces an operand that is exactly the URI by the URI for comparison.
    fn as_uri(&mut self, operand: &mut IdedExpr) {
        let Expr::Ident(name) = &operand.expr else {
            return;
        };
        let reference = reference_number(name).and_then(|number| self.references.get(number));
        if matches!(
            reference,
            Some(Reference::Lookup(Lookup::Field("mcp", "uri")))
        ) {
            self.refer(operand, Reference::Lookup(Lookup::Uri));
        }
    }

    /// Replaces the last argument by its compiled form.
    fn use_constant(&mut self, call: &mut CallExpr) {
        let Some(last) = call.args.last_mut() else {
            return;
        };
        let constant = self.constants.iter().find(|(id, _)| *id == last.id);
        if let Some((_, constant)) = constant {
            let constant = constant.clone();
            self.refer(last, Reference::Constant(constant));
        }
    }

    fn constant(&mut self, constant: Constant) -> IdedExpr {
        let mut node = IdedExpr::default();
        self.refer(&mut node, Reference::Constant(constant));
        node
    }

    fn refer(&mut self, node: &mut IdedExpr, reference: Reference) {
        node.expr = Expr::Ident(format!("@{}", self.references.len()));
        self.references.push(reference);
    }
}
