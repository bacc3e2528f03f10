//! Recognizes where an expression reads the issuer, or a name that an issuer gives.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use crate::authz::expression::depth::children;
use crate::authz::expression::lookup::{field_of, text_of};

/// `subject.issuer`, or the claim that it is read from.
pub(crate) fn is_issuer(node: &IdedExpr) -> bool {
    field_of(&node.expr) == Some(("subject", "issuer", false))
        || member_of(node).is_some_and(|(claims, name)| {
            name == "iss" && field_of(&claims.expr) == Some(("subject", "claims", false))
        })
}

/// An object, and the name of the member that is read of it.
pub(crate) fn member_of(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
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
pub(crate) fn reads_names(node: &IdedExpr) -> bool {
    if is_issuer(node) {
        return false;
    }
    matches!(field_of(&node.expr), Some(("subject", field, _)) if field != "issuer")
        || children(node).into_iter().any(reads_names)
}
