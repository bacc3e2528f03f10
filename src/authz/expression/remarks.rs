//! Finds parts of an expression that may not mean what their author thinks, for lints.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators};
use regex_syntax::hir::Look;

use super::bare_dots::with_escaped_dots;
use super::constant::{GLOB, MATCHES};
use super::depth::children;
use super::lookup::{field_of, lookup, text_of, whole};
use super::origin::Origin;
use super::shown::literal_of;
use super::substitutes::result_of;

/// A part whose meaning depends on how a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A pattern that may match only a part of a text of the request.
    Unanchored {
        /// The pattern.
        pattern: String,
        /// The effect of a match on the expression.
        sense: Sense,
    },
    /// A pattern with a dot that stands for any character, in what looks like a host name or an
    /// address.
    BareDot {
        /// The pattern.
        pattern: String,
        /// The pattern in which the dots stand for themselves, as a literal has it.
        right: String,
    },
    /// A comparison that every external value passes except the named ones.
    AllBut {
        /// The value.
        of: String,
    },
    /// A search for a part of an argument's text as it is spelled.
    PartOfText {
        /// The function that searches.
        function: String,
        /// The text.
        of: String,
        /// The part, if the author wrote it.
        part: Option<String>,
        /// The effect of finding it on the expression.
        sense: Sense,
    },
    /// A search for a part of the URI that the author wrote.
    PartOfUri {
        /// The function that searches.
        function: String,
        /// The part.
        part: String,
        /// Whether it searches the folded URI.
        folded: bool,
    },
    /// A conversion of an external value.
    Converted {
        /// The function that converts.
        function: String,
        /// The value.
        of: String,
    },
}

/// The effect of a test on the expression around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// If the test holds, the expression may hold because of it.
    Holds,
    /// If the test holds, the expression may fail because of it.
    Fails,
    /// Both are possible.
    Either,
}

impl Sense {
    pub(super) fn flipped(self) -> Self {
        match self {
            Sense::Holds => Sense::Fails,
            Sense::Fails => Sense::Holds,
            Sense::Either => Sense::Either,
        }
    }
}

/// Analyses a checked expression, as its author wrote it.
pub(super) fn remarks(root: &IdedExpr) -> Vec<Remark> {
    let mut reader = RemarkFinder {
        bound: Vec::new(),
        found: Vec::new(),
    };
    reader.visit(root, Sense::Holds);
    reader.found
}

struct RemarkFinder<'e> {
    /// The variables of the loops around the node, and their origins.
    bound: Vec<(&'e str, Origin)>,
    found: Vec<Remark>,
}

impl<'e> RemarkFinder<'e> {
    /// Analyses a node, and returns the origins of its value.
    fn visit(&mut self, node: &'e IdedExpr, sense: Sense) -> Origin {
        if let Some((_, origin)) = lookup(&node.expr) {
            return origin;
        }
        if let Some(origin) = whole(&node.expr) {
            return origin;
        }
        match &node.expr {
            Expr::Call(call) => self.visit_call(call, sense),
            Expr::Comprehension(inner) => self.visit_loop(inner, sense),
            Expr::Ident(name) => self.origin_of(name),
            Expr::Select(select) => self.visit_select(select),
            Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {
                let parts = children(node).into_iter();
                parts.fold(Origin::PLAIN, |all, part| {
                    all.and(self.visit(part, Sense::Either))
                })
            }
            Expr::Literal(_) | Expr::Unspecified => Origin::PLAIN,
        }
    }

    fn origin_of(&self, name: &str) -> Origin {
        let mut bound = self.bound.iter().rev();
        match bound.find(|(own, _)| *own == name) {
            Some((_, origin)) => *origin,
            None if name == "args" => Origin::ARGUMENTS,
            None if name == "device" => Origin::PROVEN,
            None => Origin::PLAIN,
        }
    }

    fn visit_select(&mut self, select: &'e SelectExpr) -> Origin {
        let origin = self.visit(&select.operand, Sense::Either);
        if select.test { Origin::PLAIN } else { origin }
    }

    fn visit_loop(&mut self, inner: &'e ComprehensionExpr, sense: Sense) -> Origin {
        let range = self.visit(&inner.iter_range, Sense::Either);
        let start = self.visit(&inner.accu_init, Sense::Either);
        let outer = self.bound.len();
        let variables = [Some(&inner.iter_var), inner.iter_var2.as_ref()];
        for name in variables.into_iter().flatten() {
            self.bound.push((name, range.elements()));
        }
        let gathered = range.elements().and(start);
        self.bound.push((&inner.accu_var, gathered));
        // The condition only tests what was gathered so far.
        self.visit(&inner.loop_step, sense);
        let result = self.visit(&inner.result, sense);
        self.bound.truncate(outer);
        result
    }

    fn visit_call(&mut self, call: &'e CallExpr, sense: Sense) -> Origin {
        let function = call.func_name.as_str();
        let inner = match function {
            operators::LOGICAL_AND | operators::LOGICAL_OR => sense,
            operators::LOGICAL_NOT => sense.flipped(),
            _ => Sense::Either,
        };
        let target = call.target.as_deref().map(|node| self.visit(node, inner));
        let mut origins = Vec::with_capacity(call.args.len());
        for (position, node) in call.args.iter().enumerate() {
            let is_branch = function == operators::CONDITIONAL && position > 0;
            origins.push(self.visit(node, if is_branch { sense } else { inner }));
        }
        let operands: Vec<(&IdedExpr, Origin)> = call
            .target
            .as_deref()
            .zip(target)
            .into_iter()
            .chain(call.args.iter().zip(origins.iter().copied()))
            .collect();
        match (function, operands.as_slice()) {
            (operators::EQUALS | operators::IN, [left, right]) if sense == Sense::Fails => {
                self.remark_exception(*left, *right);
            }
            (operators::NOT_EQUALS, [left, right]) if sense != Sense::Fails => {
                self.remark_exception(*left, *right);
            }
            ("contains" | "startsWith" | "endsWith" | MATCHES | GLOB, [text, part]) => {
                self.remark_part(function, *text, part.0, sense);
            }
            ("bool" | "int" | "uint", [(node, origin)]) if origin.outside => {
                self.found.push(Remark::Converted {
                    function: function.to_owned(),
                    of: written(node),
                });
            }
            _ => {}
        }
        let all = origins
            .iter()
            .fold(target.unwrap_or_default(), |all, one| all.and(*one));
        result_of(call, &origins, all)
    }

    /// Booleans and null leave no value that the author did not consider; nor do sizes and types.
    fn remark_exception(&mut self, left: (&IdedExpr, Origin), right: (&IdedExpr, Origin)) {
        let is_few = |node: &IdedExpr| {
            let literal = literal_of(node);
            literal.is_some_and(|literal| {
                matches!(literal, LiteralValue::Boolean(_) | LiteralValue::Null)
            }) || is_call_of(node, "size")
                || is_call_of(node, "type")
        };
        let outside = [left, right].into_iter().find(|(_, origin)| origin.outside);
        let Some((node, _)) = outside else { return };
        if !is_few(left.0) && !is_few(right.0) {
            let of = written(node);
            self.found.push(Remark::AllBut { of });
        }
    }

    fn remark_part(
        &mut self,
        function: &str,
        (text, origin): (&IdedExpr, Origin),
        part: &IdedExpr,
        sense: Sense,
    ) {
        let part = text_of(part).map(str::to_owned);
        let folded = is_folded_uri(text);
        let is_uri = folded || (origin.uri && !origin.outside);
        if let Some(pattern) = part.as_ref().filter(|_| function == MATCHES) {
            if text_of(text).is_none() && !is_anchored(pattern) {
                let pattern = pattern.clone();
                self.found.push(Remark::Unanchored { pattern, sense });
            }
            if let Some(right) = with_escaped_dots(pattern) {
                let pattern = pattern.clone();
                self.found.push(Remark::BareDot { pattern, right });
            }
        }
        let function = function.to_owned();
        if is_uri {
            if let Some(part) = part {
                let remark = Remark::PartOfUri {
                    function,
                    part,
                    folded,
                };
                self.found.push(remark);
            }
        } else if origin.sent && !is_call_of(text, "plain") {
            let of = written(text);
            let remark = Remark::PartOfText {
                function,
                of,
                part,
                sense,
            };
            self.found.push(remark);
        }
    }
}

/// `mcp.uri_folded`.
pub(super) fn is_folded_uri(node: &IdedExpr) -> bool {
    field_of(&node.expr) == Some(("mcp", "uri_folded", false))
}

/// Whether a pattern matches only whole texts.
fn is_anchored(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|pattern| {
        let properties = pattern.properties();
        properties.look_set_prefix().contains(Look::Start)
            && properties.look_set_suffix().contains(Look::End)
    })
}

fn is_call_of(node: &IdedExpr, function: &str) -> bool {
    matches!(&node.expr, Expr::Call(call) if call.func_name == function)
}

/// A value as its author wrote it, without conversions; `…` for anything but a path.
fn written(node: &IdedExpr) -> String {
    path(node).unwrap_or_else(|| "…".to_owned())
}

fn path(node: &IdedExpr) -> Option<String> {
    const CONVERSIONS: [&str; 5] = ["string", "text", "fold", "plain", "dyn"];
    if let Expr::Ident(name) = &node.expr {
        return Some(name.clone());
    }
    if let Expr::Select(select) = &node.expr {
        let operand = written(&select.operand);
        return (!select.test).then(|| format!("{operand}.{}", select.field));
    }
    let Expr::Call(call) = &node.expr else {
        return None;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::INDEX, [operand, key]) => {
            Some(format!("{}[{:?}]", written(operand), text_of(key)?))
        }
        (name, [inner]) if CONVERSIONS.contains(&name) => path(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
