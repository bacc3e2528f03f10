//! Finds out whether an expression says which issuers its names belong to.
//!
//! Groups, roles, scopes, tenants, ids, clients and claims are what an issuer calls them: two
//! issuers may mean different things by one name. An expression says whose they are where it holds
//! only for named issuers.

mod effect;
mod names;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};

use super::lookup::text_of;
use super::remarks::Sense;
use names::{is_issuer, reads_names};

/// The names in an expression that may be those of any issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct IssuerNames {
    /// Whether it holds for named issuers alone.
    pub(super) is_said: bool,
    /// Whether it reads such names.
    pub(super) reads_names: bool,
    /// Whether a caller may make the expression fail by such a name.
    pub(super) fails_by_names: bool,
}

/// Looks over a checked expression, as its author wrote it.
pub(super) fn issuer_names(root: &IdedExpr) -> IssuerNames {
    let mut found = IssuerNames {
        is_said: NamedIssuer::of(root).where_it_holds,
        ..IssuerNames::default()
    };
    found.visit(root, Sense::Holds);
    found
}

impl IssuerNames {
    fn visit(&mut self, node: &IdedExpr, sense: Sense) {
        // For an issuer that the author did not name, it comes to the same whatever the names.
        if NamedIssuer::of(node).is_either() || !reads_names(node) {
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
                let named = NamedIssuer::of(test);
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
struct NamedIssuer {
    where_it_holds: bool,
    where_it_fails: bool,
}

impl NamedIssuer {
    const NEVER: Self = NamedIssuer {
        where_it_holds: false,
        where_it_fails: false,
    };

    fn of(node: &IdedExpr) -> Self {
        if let Some(truth) = truth_of(node) {
            // The other result is that of nobody.
            return NamedIssuer {
                where_it_holds: !truth,
                where_it_fails: truth,
            };
        }
        match &node.expr {
            Expr::Call(call) => Self::of_call(call),
            Expr::Comprehension(inner) => match quantified(inner) {
                Some((true, test)) => NamedIssuer {
                    where_it_holds: Self::of(test).where_it_holds,
                    ..Self::NEVER
                },
                Some((false, test)) => NamedIssuer {
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
                let parts: Vec<NamedIssuer> = parts.iter().map(Self::of).collect();
                NamedIssuer {
                    where_it_holds: parts.iter().any(|part| part.where_it_holds),
                    where_it_fails: parts.iter().all(|part| part.where_it_fails),
                }
            }
            (operators::LOGICAL_OR, parts) => {
                let parts: Vec<NamedIssuer> = parts.iter().map(Self::of).collect();
                NamedIssuer {
                    where_it_holds: parts.iter().all(|part| part.where_it_holds),
                    where_it_fails: parts.iter().any(|part| part.where_it_fails),
                }
            }
            (operators::LOGICAL_NOT, [inner]) => Self::of(inner).flipped(),
            (operators::CONDITIONAL, [test, yes, no]) => {
                let (test, yes, no) = (Self::of(test), Self::of(yes), Self::of(no));
                NamedIssuer {
                    where_it_holds: (test.where_it_holds || yes.where_it_holds)
                        && (test.where_it_fails || no.where_it_holds),
                    where_it_fails: (test.where_it_holds || yes.where_it_fails)
                        && (test.where_it_fails || no.where_it_fails),
                }
            }
            (operators::EQUALS, [left, right]) => NamedIssuer {
                where_it_holds: is_named(left, right) || is_named(right, left),
                ..Self::NEVER
            },
            (operators::NOT_EQUALS, [left, right]) => NamedIssuer {
                where_it_fails: is_named(left, right) || is_named(right, left),
                ..Self::NEVER
            },
            (operators::IN, [issuer, list]) => NamedIssuer {
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
        NamedIssuer {
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

#[cfg(test)]
mod tests;
