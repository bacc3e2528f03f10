//! Recognizes the nodes that read one path of the request and do nothing with it.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use super::vocabulary::VARIABLES;

/// Whether a node is a path into the request.
pub(super) fn is_path(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(name) => VARIABLES.contains(&name.as_str()),
        Expr::Select(select) => !select.test && is_path(&select.operand),
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let is_literal = |node: &IdedExpr| matches!(node.expr, Expr::Literal(_));
            matches!(call.args.as_slice(), [of, key] if is_path(of) && is_literal(key))
        }
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    }
}
