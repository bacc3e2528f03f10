//! Checks an expression at load: names, functions, patterns, depth and cost.

use cel::Program;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};

use super::constant::{Constant, GIVEN, GLOB, MATCHES};
use super::depth::{children, depth_exceeds, too_deep};
use super::error::InvalidExpression;
use super::limits::{EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX};
use super::lookup::text_of;
use super::remarks::is_folded_uri;
use super::vocabulary::{
    FUNCTIONS, OPERATORS, TYPES, UNFOLDED_TESTS, VARIABLES, fields_of, quoted, usage,
};
use crate::authz::spelling::{folded_part, visible_part};
use crate::authz::uri::{shown_fold, shown_fold_start};

/// The traits of a checked expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an input that is read or not"
)]
pub(super) struct Traits {
    /// The maximum nesting of loops.
    pub(super) loops: usize,
    /// Whether it reads the arguments of the call.
    pub(super) reads_arguments: bool,
    /// Whether it reads other input that is sent with the call.
    pub(super) reads_sent: bool,
    /// Whether it reads the TLS peer.
    pub(super) reads_peer: bool,
    /// Whether it reads the country of the source.
    pub(super) reads_country: bool,
    /// Whether it reads the posture of the device.
    pub(super) reads_device: bool,
    /// Whether it reads the class of the tool.
    pub(super) reads_class: bool,
    /// Whether it reads which thing of which server the call is to, or the class of the tool.
    pub(super) reads_target: bool,
    /// Whether it reads the URI of the resource.
    pub(super) reads_uri: bool,
    /// How much memory its patterns take, at most.
    pub(super) pattern_bytes: usize,
}

/// The compiled constants, by the number of their node.
pub(super) type Constants = Vec<(u64, Constant)>;

/// Checks a parsed expression.
pub(super) fn check(program: &Program) -> Result<(Traits, Constants), Vec<InvalidExpression>> {
    let root = program.expression();
    if depth_exceeds(root, EXPRESSION_DEPTH_MAX) {
        return Err(vec![too_deep()]);
    }
    let mut checker = Checker {
        program,
        bound: Vec::new(),
        errors: Vec::new(),
        constants: Vec::new(),
        traits: Traits {
            loops: 0,
            reads_arguments: false,
            reads_sent: false,
            reads_peer: false,
            reads_country: false,
            reads_device: false,
            reads_class: false,
            reads_target: false,
            reads_uri: false,
            pattern_bytes: 0,
        },
    };
    checker.refuse_constant(root);
    checker.visit(root, 0);
    if checker.errors.is_empty() {
        Ok((checker.traits, checker.constants))
    } else {
        Err(checker.errors)
    }
}

struct Checker<'p> {
    program: &'p Program,
    /// The variables of the loops around the node.
    bound: Vec<&'p str>,
    errors: Vec<InvalidExpression>,
    constants: Constants,
    traits: Traits,
}

impl<'p> Checker<'p> {
    fn error(&mut self, node: &IdedExpr, message: impl Into<String>, help: impl Into<String>) {
        let offset = self.program.source_info().offset_for(node.id);
        let column = offset.and_then(|(start, _)| usize::try_from(start).ok());
        self.errors.push(InvalidExpression {
            message: message.into(),
            help: help.into(),
            column: column.map(|column| column.saturating_add(1)),
        });
    }

    /// A condition that is the same for every request is a mistake.
    fn refuse_constant(&mut self, root: &'p IdedExpr) {
        let truth = match &root.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => return,
            Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => false,
            Expr::Unspecified
            | Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::Select(_) => true,
        };
        if !truth {
            self.error(
                root,
                "the expression is not a condition",
                "it has to be true or false",
            );
        }
    }

    fn visit(&mut self, node: &'p IdedExpr, loops: usize) {
        match &node.expr {
            Expr::Unspecified => self.error(node, "the expression is empty", ""),
            Expr::Literal(_) => {}
            Expr::Ident(name) => self.visit_name(node, name),
            Expr::Select(select) => self.visit_select(node, select, loops),
            Expr::Call(call) => self.visit_call(node, call, loops),
            Expr::Comprehension(inner) => self.visit_loop(node, inner, loops),
            Expr::List(_) | Expr::Map(_) => {
                for child in children(node) {
                    self.visit(child, loops);
                }
            }
            Expr::Struct(inner) => {
                let message = format!("unknown type `{}`", inner.type_name);
                self.error(node, message, "messages cannot be constructed in a policy");
            }
        }
    }

    fn visit_name(&mut self, node: &IdedExpr, name: &str) {
        if self.bound.contains(&name) || name.starts_with('@') || TYPES.contains(&name) {
            return;
        }
        self.traits.reads_arguments |= name == "args";
        self.traits.reads_device |= name == "device";
        if let Some(fields) = fields_of(name) {
            let message = format!("`{name}` is used as a whole");
            self.error(
                node,
                message,
                format!("name one of its fields: {}", quoted(fields)),
            );
        } else if !VARIABLES.contains(&name) {
            let message = format!("unknown variable `{name}`");
            self.error(node, message, format!("known here: {}", quoted(VARIABLES)));
        }
    }

    fn visit_select(&mut self, node: &'p IdedExpr, select: &'p SelectExpr, loops: usize) {
        match self.record(&select.operand) {
            Some((record, fields)) => self.visit_field(node, record, fields, &select.field),
            None => self.visit(&select.operand, loops),
        }
    }

    fn visit_field(&mut self, node: &IdedExpr, record: &str, fields: &[&str], field: &str) {
        self.traits.reads_arguments |= record == "mcp" && field == "arguments";
        self.traits.reads_sent |= record == "mcp" && matches!(field, "input" | "meta");
        self.traits.reads_country |= record == "source" && field == "country";
        self.traits.reads_peer |= record == "source" && field == "principal";
        self.traits.reads_class |= record == "mcp" && field == "class";
        self.traits.reads_target |=
            record == "mcp" && matches!(field, "server" | "name" | "class" | "uri" | "uri_folded");
        self.traits.reads_uri |= record == "mcp" && matches!(field, "uri" | "uri_folded");
        if !fields.contains(&field) {
            let message = format!("`{record}` has no field `{field}`");
            self.error(node, message, format!("known here: {}", quoted(fields)));
        }
    }

    /// The name of one of our records, if the node is one.
    fn record(&self, node: &'p IdedExpr) -> Option<(&'p str, &'static [&'static str])> {
        let Expr::Ident(name) = &node.expr else {
            return None;
        };
        let fields = fields_of(name).filter(|_| !self.bound.contains(&name.as_str()))?;
        Some((name, fields))
    }

    fn visit_call(&mut self, node: &'p IdedExpr, call: &'p CallExpr, loops: usize) {
        let name = call.func_name.as_str();
        if let (operators::INDEX, [operand, key]) = (name, call.args.as_slice())
            && let (Some((record, fields)), Some(field)) = (self.record(operand), text_of(key))
        {
            return self.visit_field(node, record, fields, field);
        }
        if !OPERATORS.contains(&name) {
            self.visit_function(node, call);
        }
        if loops > 0 && (searches(call) || self.folds_again(call)) {
            self.traits.loops = self.traits.loops.max(loops.saturating_add(1));
        }
        self.refuse_unfolded(call);
        for child in children(node) {
            self.visit(child, loops);
        }
    }

    /// Refuses a test that no folded URI could meet, because its text is not, or does not begin, a
    /// folded URI, or is not a part of a folded text.
    fn refuse_unfolded(&mut self, call: &'p CallExpr) {
        let is_start = call.func_name == "startsWith";
        for (folded, node) in compared(call) {
            let Some(text) = text_of(node) else { continue };
            if is_folded_uri(folded) && UNFOLDED_TESTS.contains(&&*call.func_name) {
                let right = if is_start {
                    shown_fold_start(text)
                } else {
                    shown_fold(text)
                };
                if right != text {
                    let verb = if is_start { "begins with" } else { "is" };
                    let message = format!("no folded URI {verb} `{text}`");
                    self.error(node, message, format!("the folded form is `{right}`"));
                }
            }
            let Expr::Call(folding) = &folded.expr else {
                continue;
            };
            let function = folding.func_name.as_str();
            let right = match function {
                "fold" => folded_part(text),
                "plain" => visible_part(text),
                _ => continue,
            };
            if right != text {
                let message = format!("`{function}` never gives a text with `{text}`");
                self.error(node, message, format!("the folded form is `{right}`"));
            }
        }
    }

    /// Whether a call folds the same text in every iteration of a loop.
    fn folds_again(&self, call: &CallExpr) -> bool {
        let folds = matches!(call.func_name.as_str(), "plain" | "fold" | "list");
        folds && !call.args.iter().any(|argument| self.names_bound(argument))
    }

    fn names_bound(&self, node: &IdedExpr) -> bool {
        let is_bound =
            matches!(&node.expr, Expr::Ident(name) if self.bound.contains(&name.as_str()));
        is_bound
            || children(node)
                .into_iter()
                .any(|child| self.names_bound(child))
    }

    fn visit_function(&mut self, node: &'p IdedExpr, call: &'p CallExpr) {
        let name = call.func_name.as_str();
        let Some((_, plain, method)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
            let message = format!("unknown function `{name}`");
            self.error(node, message, format!("known here: {}", quoted(&names)));
            return;
        };
        let counts = if call.target.is_some() { method } else { plain };
        if !counts.contains(&call.args.len()) {
            let form = if call.target.is_some() {
                "as a method "
            } else {
                ""
            };
            let message = format!(
                "`{name}` cannot be called {form}with {} arguments",
                call.args.len()
            );
            self.error(node, message, usage(name, plain, method));
            return;
        }
        if let (GIVEN, [argument]) = (name, call.args.as_slice())
            && !matches!(&argument.expr, Expr::Select(select) if !select.test)
            && !matches!(&argument.expr, Expr::Call(call) if call.func_name == operators::INDEX)
        {
            let message = "`given` needs a member, which may not be there";
            self.error(argument, message, "for instance `given(args.owner)`");
        }
        self.visit_literal(node, name, call.args.last());
    }

    /// Checks and compiles the last argument of some functions, which the policy's author writes.
    fn visit_literal(&mut self, node: &'p IdedExpr, name: &str, last: Option<&'p IdedExpr>) {
        let Some(last) = last else { return };
        let Some(text) = text_of(last) else {
            if name == MATCHES {
                let help = "a pattern from the request could be made to match anything";
                self.error(node, "`matches` needs its pattern as a literal", help);
            }
            return;
        };
        match Constant::compile(name, text) {
            Ok(Some(constant)) => {
                let bytes = &mut self.traits.pattern_bytes;
                *bytes = bytes.saturating_add(constant.pattern_bytes());
                self.constants.push((last.id, constant));
            }
            Ok(None) => {}
            Err(error) => self.error(last, error.message, error.help),
        }
    }

    fn visit_loop(&mut self, node: &'p IdedExpr, inner: &'p ComprehensionExpr, loops: usize) {
        self.visit(&inner.iter_range, loops);
        self.visit(&inner.accu_init, loops);
        let loops = loops.saturating_add(1);
        self.traits.loops = self.traits.loops.max(loops);
        if loops > EXPRESSION_LOOPS_MAX {
            let message = format!("more than {EXPRESSION_LOOPS_MAX} loops inside each other");
            self.error(node, message, "a large argument would take too long");
            return;
        }
        let names: Vec<&str> = [Some(inner.iter_var.as_str()), inner.iter_var2.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        for name in &names {
            if VARIABLES.contains(name) || TYPES.contains(name) {
                self.error(
                    node,
                    format!("the loop variable `{name}` hides another"),
                    "rename it",
                );
            }
        }
        let outer = self.bound.len();
        self.bound.extend(names);
        for child in [&inner.loop_cond, &inner.loop_step, &inner.result] {
            self.visit(child, loops);
        }
        self.bound.truncate(outer);
    }
}

/// The comparisons in a call, as pairs of operands.
fn compared(call: &CallExpr) -> Vec<(&IdedExpr, &IdedExpr)> {
    match (
        call.func_name.as_str(),
        call.target.as_deref(),
        call.args.as_slice(),
    ) {
        (operators::EQUALS | operators::NOT_EQUALS, None, [left, right]) => {
            vec![(left, right), (right, left)]
        }
        (operators::IN, None, [left, right]) => {
            let Expr::List(list) = &right.expr else {
                return Vec::new();
            };
            list.elements.iter().map(|item| (left, item)).collect()
        }
        ("startsWith" | "endsWith" | "contains", Some(left), [right])
        | (GLOB, None, [left, right]) => vec![(left, right)],
        _ => Vec::new(),
    }
}

/// Whether a call searches a list or an object of the request, which costs as much as another loop.
fn searches(call: &CallExpr) -> bool {
    let is_ours = |node: &IdedExpr| matches!(&node.expr, Expr::List(_) | Expr::Map(_));
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::IN, [_, within]) => !is_ours(within),
        (operators::INDEX, [within, key]) => {
            !is_ours(within) && !matches!(key.expr, Expr::Literal(_))
        }
        _ => false,
    }
}
