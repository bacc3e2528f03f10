//! Whose names an expression speaks of.
//!
//! Groups, roles, scopes, tenants, ids, clients and claims are what an issuer calls them: two
//! issuers may mean different things by one name. An expression says whose they are where it holds
//! only for named issuers.

mod effect;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};

use super::depth::children;
use super::reading::{field_of, text_of};
use super::remarks::Sense;

/// The names in an expression that may be those of any issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Whose {
    /// Whether it holds for named issuers alone.
    pub(super) is_said: bool,
    /// Whether it reads such names.
    pub(super) reads_names: bool,
    /// Whether a caller may make the expression fail by such a name.
    pub(super) fails_by_names: bool,
}

/// Looks over a checked expression, as its author wrote it.
pub(super) fn whose(root: &IdedExpr) -> Whose {
    let mut found = Whose {
        is_said: Named::of(root).where_it_holds,
        ..Whose::default()
    };
    found.visit(root, Sense::Holds);
    found
}

impl Whose {
    fn visit(&mut self, node: &IdedExpr, sense: Sense) {
        // For an issuer that the author did not name, it comes to the same whatever the names.
        if Named::of(node).is_either() || !reads_names(node) {
            return;
        }
        match &node.expr {
            Expr::Call(call) => self.visit_call(node, call, sense),
            Expr::Comprehension(inner) => self.visit_loop(inner, sense),
            Expr::Select(_)
            | Expr::Ident(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => self.note(effect::of(node, sense)),
        }
    }

    fn visit_call(&mut self, node: &IdedExpr, call: &CallExpr, sense: Sense) {
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
            _ => self.note(effect::of(node, sense)),
        }
    }

    fn visit_loop(&mut self, inner: &ComprehensionExpr, sense: Sense) {
        let Some((is_exists, test)) = quantified(inner) else {
            return self.note(Sense::Either);
        };
        if reads_names(&inner.iter_range) {
            // A further name is a further element: it makes `exists` hold and `all` fail.
            self.note(match (effect::grows(&inner.iter_range), is_exists) {
                (true, true) => sense,
                (true, false) => sense.flipped(),
                (false, _) => Sense::Either,
            });
        }
        self.visit(test, sense);
    }

    fn note(&mut self, sense: Sense) {
        self.reads_names = true;
        self.fails_by_names |= sense != Sense::Holds;
    }
}

/// For which results of a node the issuer is one that the author named. Both are found at once, as
/// each rests on the other: asked one by one they would be asked again at every level.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    where_it_holds: bool,
    where_it_fails: bool,
}

impl Named {
    const NEVER: Self = Named {
        where_it_holds: false,
        where_it_fails: false,
    };

    fn of(node: &IdedExpr) -> Self {
        if let Some(truth) = truth_of(node) {
            // The other result is that of nobody.
            return Named {
                where_it_holds: !truth,
                where_it_fails: truth,
            };
        }
        match &node.expr {
            Expr::Call(call) => Self::of_call(call),
            Expr::Comprehension(inner) => match quantified(inner) {
                Some((true, test)) => Named {
                    where_it_holds: Self::of(test).where_it_holds,
                    ..Self::NEVER
                },
                Some((false, test)) => Named {
                    where_it_fails: Self::of(test).where_it_fails,
                    ..Self::NEVER
                },
                None => Self::NEVER,
            },
            Expr::Select(_)
            | Expr::Ident(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => Self::NEVER,
        }
    }

    fn of_call(call: &CallExpr) -> Self {
        let is_named = |left, right| is_issuer(left) && text_of(right).is_some();
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, parts) => {
                let parts: Vec<Named> = parts.iter().map(Self::of).collect();
                Named {
                    where_it_holds: parts.iter().any(|part| part.where_it_holds),
                    where_it_fails: parts.iter().all(|part| part.where_it_fails),
                }
            }
            (operators::LOGICAL_OR, parts) => {
                let parts: Vec<Named> = parts.iter().map(Self::of).collect();
                Named {
                    where_it_holds: parts.iter().all(|part| part.where_it_holds),
                    where_it_fails: parts.iter().any(|part| part.where_it_fails),
                }
            }
            (operators::LOGICAL_NOT, [inner]) => Self::of(inner).flipped(),
            (operators::CONDITIONAL, [test, yes, no]) => {
                let (test, yes, no) = (Self::of(test), Self::of(yes), Self::of(no));
                Named {
                    where_it_holds: (test.where_it_holds || yes.where_it_holds)
                        && (test.where_it_fails || no.where_it_holds),
                    where_it_fails: (test.where_it_holds || yes.where_it_fails)
                        && (test.where_it_fails || no.where_it_fails),
                }
            }
            (operators::EQUALS, [left, right]) => Named {
                where_it_holds: is_named(left, right) || is_named(right, left),
                ..Self::NEVER
            },
            (operators::NOT_EQUALS, [left, right]) => Named {
                where_it_fails: is_named(left, right) || is_named(right, left),
                ..Self::NEVER
            },
            (operators::IN, [issuer, list]) => Named {
                where_it_holds: is_issuer(issuer) && is_of_texts(list),
                ..Self::NEVER
            },
            _ => Self::NEVER,
        }
    }

    fn is_either(self) -> bool {
        self.where_it_holds || self.where_it_fails
    }

    fn flipped(self) -> Self {
        Named {
            where_it_holds: self.where_it_fails,
            where_it_fails: self.where_it_holds,
        }
    }
}

/// What the macros `exists` (true) and `all` (false) ask of each element.
fn quantified(inner: &ComprehensionExpr) -> Option<(bool, &IdedExpr)> {
    let (Expr::Call(step), Expr::Ident(result)) = (&inner.loop_step.expr, &inner.result.expr)
    else {
        return None;
    };
    let [so_far, test] = step.args.as_slice() else {
        return None;
    };
    let is_gathered = *result == inner.accu_var
        && matches!(&so_far.expr, Expr::Ident(name) if *name == inner.accu_var);
    match (truth_of(&inner.accu_init)?, step.func_name.as_str()) {
        (false, operators::LOGICAL_OR) if is_gathered => Some((true, test)),
        (true, operators::LOGICAL_AND) if is_gathered => Some((false, test)),
        _ => None,
    }
}

fn truth_of(node: &IdedExpr) -> Option<bool> {
    match &node.expr {
        Expr::Literal(LiteralValue::Boolean(truth)) => Some(*truth.inner()),
        Expr::Literal(_)
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Select(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

fn is_of_texts(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::List(list) if list.elements.iter().all(|item| text_of(item).is_some()))
}

/// `subject.issuer`, or the claim that it is read from.
fn is_issuer(node: &IdedExpr) -> bool {
    field_of(&node.expr) == Some(("subject", "issuer", false))
        || member_of(node).is_some_and(|(claims, name)| {
            name == "iss" && field_of(&claims.expr) == Some(("subject", "claims", false))
        })
}

/// An object, and the name of the member that is read of it.
fn member_of(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    match &node.expr {
        Expr::Select(select) if !select.test => Some((&select.operand, &select.field)),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [operand, key]) => Some((operand, text_of(key)?)),
            _ => None,
        },
        Expr::Select(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

/// Whether something in the node is a name that its issuer gives.
fn reads_names(node: &IdedExpr) -> bool {
    if is_issuer(node) {
        return false;
    }
    matches!(field_of(&node.expr), Some(("subject", field, _)) if field != "issuer")
        || children(node).into_iter().any(reads_names)
}

#[cfg(test)]
mod tests;
