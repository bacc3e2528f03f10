//! Which requests can leave an expression without a result, as far as is known at load.

use cel::common::ast::{ComprehensionExpr, Expr, operators};
use cel::{IdedExpr, common::ast::CallExpr};

use super::constant::GIVEN;
use super::depth::children;
use super::lookup::{call_of, member_of, name_of, tested_of, text_of, truth_of};
use super::vocabulary::VARIABLES;

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

/// What may leave an expression without a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// The paths in the request that may be absent, shortest first.
    pub(super) absent: Vec<String>,
    /// What may be absent, and for which nothing in front of the expression can test: members of
    /// the elements of a loop, and a device of which nothing is known.
    pub(super) untestable: Vec<String>,
    /// Whether a value may be of a type that is not meant.
    pub(super) of_type: bool,
}

impl Failures {
    /// Whether some request may leave the expression without a result.
    pub(super) fn are_possible(&self) -> bool {
        self.of_type || !self.absent.is_empty() || !self.untestable.is_empty()
    }
}

/// What may leave an expression without a result, where some paths are known to be present. May name
/// more than its author, who knows better.
pub(super) fn failures(root: &IdedExpr, known: &[String]) -> Failures {
    let mut search = Search::default();
    search.visit(root, known);
    search.found
}

#[derive(Default)]
struct Search {
    found: Failures,
}

impl Search {
    /// `known` are the paths that are present wherever the node matters.
    fn visit(&mut self, node: &IdedExpr, known: &[String]) {
        if let Some(path) = path(node) {
            return self.need(node, path, known);
        }
        match &node.expr {
            Expr::Literal(_) | Expr::Ident(_) => {}
            Expr::Select(select) => {
                self.visit(&select.operand, known);
                // A member of what a call gives.
                self.found.of_type |= !select.test;
            }
            Expr::Call(call) => self.visit_call(node, call, known),
            Expr::List(_) => self.visit_all(node, known),
            Expr::Comprehension(inner) => self.visit_loop(inner, known),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.visit_all(node, known);
                self.found.of_type = true;
            }
        }
    }

    fn visit_all(&mut self, node: &IdedExpr, known: &[String]) {
        for child in children(node) {
            self.visit(child, known);
        }
    }

    /// A path that has to be there, and every path that leads to it.
    fn need(&mut self, node: &IdedExpr, own: String, known: &[String]) {
        if is_there(&own, known) || is_record(&own) {
            return;
        }
        let operand = member_of(node).map(|(operand, _)| operand);
        if let Some((operand, above)) = operand.and_then(|operand| Some((operand, path(operand)?)))
            && !is_record(&above)
        {
            self.need(operand, above, known);
        }
        let root = own.split(['.', '[']).next().unwrap_or_default();
        if !VARIABLES.contains(&root) && own == root {
            // The variable of a loop.
            return;
        }
        let is_testable = VARIABLES.contains(&root) && root != "device";
        let list = if is_testable {
            &mut self.found.absent
        } else {
            &mut self.found.untestable
        };
        if !list.contains(&own) {
            list.push(own);
        }
    }

    fn visit_loop(&mut self, inner: &ComprehensionExpr, known: &[String]) {
        self.visit(&inner.iter_range, known);
        self.visit(&inner.loop_step, known);
        // Its elements may be of any type, and what is no list has none.
        self.found.of_type = true;
    }

    fn visit_call(&mut self, node: &IdedExpr, call: &CallExpr, known: &[String]) {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            // One false side decides, whatever the other is; so one side may rely on what the other
            // tests.
            (operators::LOGICAL_AND, _) => {
                self.visit_all(node, &[known, &tested(node, true)].concat());
            }
            (operators::LOGICAL_OR, _) => {
                self.visit_all(node, &[known, &tested(node, false)].concat());
            }
            (operators::LOGICAL_NOT, [inner]) => {
                self.visit(inner, known);
                self.found.of_type |= !is_truth(inner);
            }
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.visit(test, known);
                self.visit(yes, &[known, &tested(test, true)].concat());
                self.visit(no, &[known, &tested(test, false)].concat());
            }
            (operators::EQUALS | operators::NOT_EQUALS, _) => self.visit_all(node, known),
            (operators::IN, [_, within]) => {
                self.visit_all(node, known);
                self.found.of_type |= !is_list(within) && tested_path(node).is_none();
            }
            (_, args) if STRING_FUNCTIONS.contains(&name) => {
                self.visit_all(node, known);
                let mut all = call.target.as_deref().into_iter().chain(args);
                self.found.of_type |= !all.all(is_string);
            }
            // A missing member is not given, either.
            (GIVEN, [inner]) => {
                if !path(inner).is_some_and(|path| is_of_arguments(&path)) {
                    self.visit(inner, known);
                    self.found.of_type = true;
                }
            }
            // `now.getHours()` and similar.
            _ => {
                self.visit_all(node, known);
                let of_now = call.target.as_deref().and_then(path).as_deref() == Some("now");
                let is_clock = name.starts_with("get") && of_now && call.args.is_empty();
                self.found.of_type |= !is_clock;
            }
        }
    }
}

/// Whether a path is known to be present.
fn is_there(path: &str, known: &[String]) -> bool {
    ALWAYS_THERE.contains(&path) || known.iter().any(|known| known == path)
}

/// Whether a path is a record of ours, which every request has.
fn is_record(path: &str) -> bool {
    matches!(path, "subject" | "mcp" | "source" | "request")
}

/// The paths that are present if the node is `truth`.
pub(super) fn tested(node: &IdedExpr, truth: bool) -> Vec<String> {
    if let Some(path) = tested_path(node).filter(|_| truth) {
        return vec![path];
    }
    let Some(call) = call_of(node) else {
        return Vec::new();
    };
    let parts = call.args.iter();
    match (call.func_name.as_str(), truth) {
        (GIVEN, true) => parts.filter_map(path).collect(),
        (operators::IN, true) => member_found(node).into_iter().collect(),
        (operators::LOGICAL_AND, true) | (operators::LOGICAL_OR, false) => {
            parts.flat_map(|part| tested(part, truth)).collect()
        }
        (operators::LOGICAL_NOT, _) => parts.flat_map(|part| tested(part, !truth)).collect(),
        _ => Vec::new(),
    }
}

/// The member that a node finds in an object.
fn member_found(node: &IdedExpr) -> Option<String> {
    match call_of(node)?.args.as_slice() {
        [key, within] => Some(step(&path(within)?, text_of(key)?)),
        _ => None,
    }
}

/// What may be absent and cannot be tested for, without what its author has refused.
pub(super) fn untestable(root: &IdedExpr) -> Vec<String> {
    let device = refuses_unknown_device(root).then(|| "device".to_owned());
    failures(root, device.as_slice()).untestable
}

/// Whether a node holds where nothing is known of the device, as its author has it.
fn refuses_unknown_device(node: &IdedExpr) -> bool {
    let Some(call) = call_of(node) else {
        return false;
    };
    let is_tested = |node: &IdedExpr, truth: bool| {
        let found = tested(node, truth);
        found.iter().any(|path| path.starts_with("device."))
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_OR, sides) => {
            is_tested(node, false) || sides.iter().any(refuses_unknown_device)
        }
        (operators::LOGICAL_AND, sides) => sides
            .iter()
            .all(|side| refuses_unknown_device(side) || failures(side, &[]).untestable.is_empty()),
        (operators::LOGICAL_NOT, [inner]) => is_tested(inner, true),
        (operators::CONDITIONAL, [test, _, no]) => {
            is_tested(test, true) && truth_of(no) == Some(true)
        }
        _ => false,
    }
}

/// The path whose presence a node tests: by `has`, or as the name of a member.
pub(super) fn tested_path(node: &IdedExpr) -> Option<String> {
    if let Some((operand, field)) = tested_of(node) {
        return Some(step(&path(operand)?, field));
    }
    let call = call_of(node)?;
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::IN, [key, within]) => {
            let within = path(within)?;
            let is_object = [
                "args",
                "mcp.arguments",
                "mcp.input",
                "mcp.meta",
                "subject.claims",
                "request.headers",
            ]
            .iter()
            .any(|object| within.strip_prefix(object).is_some_and(str::is_empty));
            is_object.then_some(step(&within, text_of(key)?))
        }
        _ => None,
    }
}

/// `a.b.c`, as text.
pub(super) fn path(node: &IdedExpr) -> Option<String> {
    if let Some(name) = name_of(node) {
        return Some(name.to_owned());
    }
    let (operand, field) = member_of(node)?;
    Some(step(&path(operand)?, field))
}

/// A path and a member.
fn step(path: &str, field: &str) -> String {
    if is_word(field) {
        format!("{path}.{field}")
    } else {
        format!("{path}[{field:?}]")
    }
}

/// Whether a name may follow a dot.
fn is_word(name: &str) -> bool {
    let mut characters = name.chars();
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    characters.next().is_some_and(is_first)
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["in", "true", "false", "null"].contains(&name)
}

/// The test for the absence of a path.
pub(super) fn absence_test(path: &str) -> String {
    match path.rsplit_once('[') {
        Some((of, key)) if path.ends_with(']') => {
            format!("!({} in {of})", key.strip_suffix(']').unwrap_or(key))
        }
        _ => format!("!has({path})"),
    }
}

fn is_of_arguments(path: &str) -> bool {
    let sent = ["args", "mcp.arguments", "mcp.input", "mcp.meta"];
    sent.iter().any(|object| {
        let rest = path.strip_prefix(object);
        rest.is_some_and(|rest| rest.starts_with(['.', '[']))
    })
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
            (r#""owner" in args && args["owner"] == "acme""#, false),
            (r#"has(args.owner) && args["owner"] == "acme""#, false),
            (
                r#""x-a" in request.headers && request.headers["x-a"] == "b""#,
                false,
            ),
            (r#"request.headers["x-a"] == "b""#, true),
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
