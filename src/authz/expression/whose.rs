//! Whose names an expression speaks of.
//!
//! Groups, roles, scopes, tenants, ids, clients and claims are what an issuer calls them: two
//! issuers may mean different things by one name. An expression says whose they are where it holds
//! only for named issuers.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

use super::depth::children;
use super::functions::{GLOB, MATCHES};
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
        is_said: names_issuers(root),
        ..Whose::default()
    };
    found.visit(root, Sense::Holds);
    found
}

impl Whose {
    fn visit(&mut self, node: &IdedExpr, sense: Sense) {
        if names_issuers(node) || !reads_names(node) {
            return;
        }
        let Expr::Call(call) = &node.expr else {
            let is_test = matches!(&node.expr, Expr::Select(select) if select.test);
            return self.note(if is_test { sense } else { Sense::Either });
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, parts) => {
                for part in parts {
                    self.visit(part, sense);
                }
            }
            (operators::LOGICAL_NOT, [inner]) => self.visit(inner, sense.flipped()),
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.visit(test, Sense::Either);
                if !names_issuers(test) {
                    self.visit(yes, sense);
                }
                self.visit(no, sense);
            }
            (operators::NOT_EQUALS, _) => self.note(sense.flipped()),
            (
                operators::EQUALS
                | operators::IN
                | "startsWith"
                | "endsWith"
                | "contains"
                | MATCHES
                | GLOB,
                _,
            ) => self.note(sense),
            _ => self.note(Sense::Either),
        }
    }

    fn note(&mut self, sense: Sense) {
        self.reads_names = true;
        self.fails_by_names |= sense != Sense::Holds;
    }
}

/// Whether the node holds only for issuers that the author named.
fn names_issuers(node: &IdedExpr) -> bool {
    let Expr::Call(call) = &node.expr else {
        return false;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, parts) => parts.iter().any(names_issuers),
        (operators::LOGICAL_OR, parts) => parts.iter().all(names_issuers),
        (operators::EQUALS, [left, right]) => {
            (is_issuer(left) && text_of(right).is_some())
                || (is_issuer(right) && text_of(left).is_some())
        }
        (operators::IN, [issuer, list]) => is_issuer(issuer) && is_of_texts(list),
        _ => false,
    }
}

fn is_of_texts(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::List(list) if list.elements.iter().all(|item| text_of(item).is_some()))
}

/// `subject.issuer`, or the claim that it is read from.
fn is_issuer(node: &IdedExpr) -> bool {
    if field_of(&node.expr) == Some(("subject", "issuer", false)) {
        return true;
    }
    let claim = match &node.expr {
        Expr::Select(select) if !select.test => Some((&*select.operand, select.field.as_str())),
        Expr::Call(call) => index_of(call),
        Expr::Select(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    };
    claim.is_some_and(|(claims, name)| {
        name == "iss" && field_of(&claims.expr) == Some(("subject", "claims", false))
    })
}

fn index_of(call: &CallExpr) -> Option<(&IdedExpr, &str)> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::INDEX, [operand, key]) => Some((operand, text_of(key)?)),
        _ => None,
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
mod tests {
    use crate::authz::Expression;

    #[test]
    #[expect(clippy::too_many_lines, reason = "rows")]
    fn names_are_said_whose_they_are_or_not() {
        // Whether it is said for the whole, whether names are read, whether it fails by them.
        for (text, expected) in [
            (r#"mcp.name == "x""#, (false, false, false)),
            (r#"subject.issuer == "https://a""#, (true, false, false)),
            (r#""https://a" == subject.issuer"#, (true, false, false)),
            (r#"subject["issuer"] == "https://a""#, (true, false, false)),
            (r#"subject.claims.iss == "https://a""#, (true, false, false)),
            (
                r#"subject.claims["iss"] in ["https://a"]"#,
                (true, false, false),
            ),
            (
                r#"subject.issuer in ["https://a", "https://b"]"#,
                (true, false, false),
            ),
            (r#"subject.issuer != "https://a""#, (false, false, false)),
            ("subject.issuer == args.issuer", (false, false, false)),
            ("subject.issuer in [args.issuer]", (false, false, false)),
            (
                r#"subject.issuer.startsWith("https://a")"#,
                (false, false, false),
            ),
            (r#""x" in subject.groups"#, (false, true, false)),
            (r#"!("x" in subject.groups)"#, (false, true, true)),
            (r#"!!("x" in subject.groups)"#, (false, true, false)),
            (r#"subject.tenant == "x""#, (false, true, false)),
            (r#"subject.tenant != "x""#, (false, true, true)),
            (r#"!(subject.tenant != "x")"#, (false, true, false)),
            ("has(subject.agent)", (false, true, false)),
            ("!has(subject.claims.x)", (false, true, true)),
            (r#"subject.id.startsWith("x")"#, (false, true, false)),
            (r#"glob(subject.id, "x*")"#, (false, true, false)),
            (r#"subject.groups.exists(g, g == "x")"#, (false, true, true)),
            ("size(subject.groups) > 1", (false, true, true)),
            ("args.owner == subject.id", (false, true, false)),
            (r#"args.owner != subject["id"]"#, (false, true, true)),
            (
                r#"subject.issuer == "https://a" && "x" in subject.groups"#,
                (true, false, false),
            ),
            (
                r#"mcp.name == "y" && ("x" in subject.groups && subject.issuer in ["https://a"])"#,
                (true, false, false),
            ),
            (
                r#"subject.issuer == "https://a" || "x" in subject.groups"#,
                (false, true, false),
            ),
            (
                r#"subject.issuer != "https://a" && "x" in subject.groups"#,
                (false, true, false),
            ),
            (
                r#"(subject.issuer == "https://a" && "x" in subject.groups) || (subject.issuer == "https://b" && "y" in subject.groups)"#,
                (true, false, false),
            ),
            (
                r#"(subject.issuer == "https://a" && "x" in subject.groups) || mcp.name == "y""#,
                (false, false, false),
            ),
            (
                r#"!(subject.issuer == "https://a" && "x" in subject.groups)"#,
                (false, false, false),
            ),
            (
                r#"subject.issuer == "https://a" ? "x" in subject.groups : mcp.name == "y""#,
                (false, false, false),
            ),
            (
                r#"subject.issuer == "https://a" ? mcp.name == "y" : "x" in subject.groups"#,
                (false, true, false),
            ),
            (
                r#"subject.tenant == "x" ? mcp.name == "y" : mcp.name == "z""#,
                (false, true, true),
            ),
        ] {
            let expression = Expression::compile(text).unwrap();
            let found = expression.whose;
            let found = (found.is_said, found.reads_names, found.fails_by_names);
            assert_eq!(found, expected, "{text}");
        }
    }
}
