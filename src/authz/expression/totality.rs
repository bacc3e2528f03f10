//! Whether some request can leave an expression without a result, as far as is known at load.

use cel::common::ast::{Expr, operators};
use cel::{IdedExpr, common::ast::CallExpr};

use super::constant::GIVEN;
use super::depth::children;
use super::lookup::{call_of, name_of, tested_of, text_of, truth_of};

/// Fields of our records that every request has.
const ALWAYS_THERE: &[&str] = &[
    "subject.issuer",
    "subject.id",
    "subject.groups",
    "subject.roles",
    "subject.scopes",
    "subject.claims",
    "mcp.server",
    "mcp.method",
    "mcp.arguments",
    "mcp.input",
    "mcp.meta",
    "request.host",
    "request.path",
    "request.headers",
    "args",
    "now",
];
/// The fields among them that are strings.
const STRINGS: &[&str] = &[
    "subject.issuer",
    "subject.id",
    "mcp.server",
    "mcp.method",
    "request.host",
    "request.path",
];
/// The fields among them that are lists.
const LISTS: &[&str] = &["subject.groups", "subject.roles", "subject.scopes"];
/// Functions of strings that always have a result.
const STRING_FUNCTIONS: &[&str] = &[
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "glob",
    "size",
];

/// Whether some request may leave the expression without a result: a member is missing, or a value
/// has an unintended type. May be true where only the author knows better.
pub(super) fn can_fail(root: &IdedExpr) -> bool {
    fails(root, &[])
}

/// `known` are the paths that are present wherever the node matters.
fn fails(node: &IdedExpr, known: &[String]) -> bool {
    match &node.expr {
        Expr::Literal(_) => false,
        Expr::Ident(name) => !ALWAYS_THERE.contains(&name.as_str()),
        Expr::Select(select) if select.test => fails(&select.operand, known),
        Expr::Select(_) => match path(node) {
            Some(path) => !ALWAYS_THERE.contains(&&*path) && !known.contains(&path),
            None => true,
        },
        Expr::Call(call) => call_fails(node, call, known),
        Expr::List(_) => children(node).into_iter().any(|child| fails(child, known)),
        Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => true,
    }
}

fn call_fails(node: &IdedExpr, call: &CallExpr, known: &[String]) -> bool {
    let name = call.func_name.as_str();
    let any = |known: &[String]| children(node).into_iter().any(|child| fails(child, known));
    match (name, call.args.as_slice()) {
        // One false side decides, whatever the other is; so one side may rely on what the other
        // tests.
        (operators::LOGICAL_AND, _) => any(&[known, &tested(node, true)].concat()),
        (operators::LOGICAL_OR, _) => any(&[known, &tested(node, false)].concat()),
        (operators::LOGICAL_NOT, [inner]) => fails(inner, known) || !is_truth(inner),
        (operators::CONDITIONAL, [test, yes, no]) => {
            fails(test, known)
                || fails(yes, &[known, &tested(test, true)].concat())
                || fails(no, &[known, &tested(test, false)].concat())
        }
        (operators::EQUALS | operators::NOT_EQUALS, _) => any(known),
        (operators::IN, [_, list]) => any(known) || !is_list(list),
        (_, args) if STRING_FUNCTIONS.contains(&name) => {
            any(known)
                || !call
                    .target
                    .as_deref()
                    .into_iter()
                    .chain(args)
                    .all(is_string)
        }
        // A missing member is not given, either.
        (GIVEN, [inner]) => !path(inner).is_some_and(|path| is_of_arguments(&path)),
        // `now.getHours()` and similar.
        _ if name.starts_with("get") => {
            let of_now = call.target.as_deref().and_then(path).as_deref() == Some("now");
            !of_now || !call.args.is_empty()
        }
        _ => true,
    }
}

/// The paths that are present if the node is `truth`.
fn tested(node: &IdedExpr, truth: bool) -> Vec<String> {
    if let Some((operand, field)) = tested_of(node).filter(|_| truth) {
        let operand = path(operand);
        return operand
            .map(|operand| format!("{operand}.{field}"))
            .into_iter()
            .collect();
    }
    let Some(call) = call_of(node) else {
        return Vec::new();
    };
    let parts = call.args.iter();
    match (call.func_name.as_str(), truth) {
        (GIVEN, true) => parts.filter_map(path).collect(),
        (operators::LOGICAL_AND, true) | (operators::LOGICAL_OR, false) => {
            parts.flat_map(|part| tested(part, truth)).collect()
        }
        (operators::LOGICAL_NOT, _) => parts.flat_map(|part| tested(part, !truth)).collect(),
        _ => Vec::new(),
    }
}

/// `a.b.c`, as text.
fn path(node: &IdedExpr) -> Option<String> {
    if let Some(name) = name_of(node) {
        return Some(name.to_owned());
    }
    let Expr::Select(select) = &node.expr else {
        return None;
    };
    let operand = path(&select.operand).filter(|_| !select.test)?;
    Some(format!("{operand}.{}", select.field))
}

fn is_of_arguments(path: &str) -> bool {
    let sent = ["args.", "mcp.arguments.", "mcp.input.", "mcp.meta."];
    sent.iter().any(|prefix| path.starts_with(prefix))
}

fn is_string(node: &IdedExpr) -> bool {
    text_of(node).is_some() || path(node).is_some_and(|path| STRINGS.contains(&&*path))
}

fn is_list(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::List(_)) || path(node).is_some_and(|path| LISTS.contains(&&*path))
}

/// Whether the result, if there is one, is a boolean.
fn is_truth(node: &IdedExpr) -> bool {
    const TESTS: [&str; 7] = [
        operators::LOGICAL_AND,
        operators::LOGICAL_OR,
        operators::LOGICAL_NOT,
        operators::EQUALS,
        operators::NOT_EQUALS,
        operators::IN,
        GIVEN,
    ];
    let name = call_of(node).map_or("", |call| &call.func_name);
    TESTS.contains(&name)
        || (STRING_FUNCTIONS.contains(&name) && name != "size")
        || tested_of(node).is_some()
        || truth_of(node).is_some()
}

#[cfg(test)]
mod tests {
    use crate::authz::Expression;

    #[test]
    fn expressions_without_a_result_for_some_request_can_fail() {
        for (text, expected) in [
            (r#"args.owner != "acme""#, true),
            (r#"has(args.owner) && args.owner == "acme""#, false),
            (r#"args.owner == "acme" && has(args.owner)"#, false),
            (r#"!has(args.owner) || args.owner != "acme""#, false),
            (r#"has(args.owner) || args.owner != "acme""#, true),
            (r#"has(args.owner) ? args.owner == "acme" : true"#, false),
            (r#"has(args.owner) ? true : args.owner == "acme""#, true),
            ("has(args.a.b) && args.a.b == 1", true),
            ("has(args.a) && has(args.a.b) && args.a.b == 1", false),
            ("has(args.n) && args.n > 5", true),
            (r#"has(args.t) && args.t.startsWith("x")"#, true),
            (r#"subject.tenant == "acme""#, true),
            (r#"subject.id == "alice""#, false),
            (r#""admin" in subject.groups"#, false),
            (r#"subject.id in ["alice", "bob"]"#, false),
            (r#"has(args.a) && "x" in args.a"#, true),
            (r#"request.path.startsWith("/admin")"#, false),
            ("given(args.a)", false),
            ("!given(args.a)", false),
            ("given(args.a.b)", false),
            ("given(device.a)", true),
            ("given(args.a) && args.a == 1", false),
            ("given(args.a) || args.a == 1", true),
            ("num(args.n) > 5.0", true),
            ("has(args.n) && num(args.n) > 5.0", true),
            (r#"has(args.a) && plain(args.a).contains("x")"#, true),
            (r#"has(args.a) && fold(args.a) == "x""#, true),
            (r#"has(args.a) && text(args.a) == "x""#, true),
            (r#"has(args.a) && "x" in list(args.a)"#, true),
            ("has(args.a) && time(args.a) < now", true),
            ("now.getDayOfWeek() == 0", false),
            (r#"ip_in(source.ip, "10.0.0.0/8")"#, true),
            (r#"args.all(key, key == "a")"#, true),
            ("true", false),
        ] {
            let expression = Expression::compile(text).unwrap();
            assert_eq!(expression.can_fail(), expected, "{text}");
        }
    }
}
