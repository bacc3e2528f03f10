//! For which results of a test the author has named the issuer.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

use super::super::lookup::{call_of, field_of, member_of, quantified, text_of, truth_of};

/// For which results of a node the author has named the issuer. Both are computed at once, because
/// each depends on the other: computed separately, they would be computed again at every level.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Named {
    pub(super) where_it_holds: bool,
    pub(super) where_it_fails: bool,
}

impl Named {
    const NEVER: Self = Named {
        where_it_holds: false,
        where_it_fails: false,
    };

    pub(super) fn of(node: &IdedExpr) -> Self {
        if let Some(truth) = truth_of(node) {
            // The other result never occurs.
            return Named {
                where_it_holds: !truth,
                where_it_fails: truth,
            };
        }
        if let Some(call) = call_of(node) {
            return Self::of_call(call);
        }
        match quantified(node) {
            Some((true, test)) => Named {
                where_it_holds: Self::of(test).where_it_holds,
                ..Self::NEVER
            },
            Some((false, test)) => Named {
                where_it_fails: Self::of(test).where_it_fails,
                ..Self::NEVER
            },
            None => Self::NEVER,
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

    pub(super) fn is_either(self) -> bool {
        self.where_it_holds || self.where_it_fails
    }

    fn flipped(self) -> Self {
        Named {
            where_it_holds: self.where_it_fails,
            where_it_fails: self.where_it_holds,
        }
    }
}

fn is_of_texts(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::List(list) if list.elements.iter().all(|item| text_of(item).is_some()))
}

/// `subject.issuer`, or the claim from which it is read.
pub(super) fn is_issuer(node: &IdedExpr) -> bool {
    field_of(&node.expr) == Some(("subject", "issuer", false))
        || member_of(node).is_some_and(|(claims, name)| {
            name == "iss" && field_of(&claims.expr) == Some(("subject", "claims", false))
        })
}
