//! Proposes expressions that refuse where a value is absent, made of the text of their author.

mod pieces;

use cel::common::ast::{Expr, operators};
use cel::{IdedExpr, Program};

use super::depth::children;
use super::environment::ENVIRONMENT;
use super::lookup::call_of;
use super::totality::{absence_test, failures, path, tested, tested_path};
use pieces::{enclosed, split};

/// The longest proposal, in characters.
const PROPOSAL_MAX: usize = 400;

/// The expression that also holds where a path that it reads is absent. Everywhere else it gives
/// what it gave. `known` are paths that are present.
pub(super) fn holding_if_absent(source: &str, known: &[String]) -> Option<String> {
    let text = guard(source.trim(), known)?;
    let left = failures(parse(&text)?.expression(), known);
    let is_better = left.absent.is_empty() && text != source.trim();
    (is_better && text.chars().count() <= PROPOSAL_MAX).then_some(text)
}

/// The expression that holds without these paths too, where it now tests that they are present.
pub(super) fn holding_without(source: &str, paths: &[String]) -> Option<String> {
    let text = invert(source.trim(), paths)?;
    parse(&text)?;
    (text != source.trim() && text.chars().count() <= PROPOSAL_MAX).then_some(text)
}

fn parse(text: &str) -> Option<Program> {
    ENVIRONMENT.as_ref().ok()?.compile(text).ok()
}

/// Puts tests for absence in front of what reads the paths, where one of them decides.
fn guard(source: &str, known: &[String]) -> Option<String> {
    let sides = split(source, "||")?;
    if sides.len() > 1 {
        return guard_all(&sides, known, false);
    }
    let parts = split(source, "&&")?;
    if parts.len() > 1 {
        let shared = shared_absences(&parts, known)?;
        if shared.is_empty() {
            return guard_all(&parts, known, true);
        }
        let inner = guard(source, &[known, &shared].concat())?;
        return Some(format!("{} || ({inner})", tests(&shared)));
    }
    if let Some(inner) = enclosed(source) {
        return Some(format!("({})", guard(inner, known)?));
    }
    let absent = failures(parse(source)?.expression(), known).absent;
    if absent.is_empty() {
        return Some(source.to_owned());
    }
    let bracketed = if source.contains('?') {
        format!("({source})")
    } else {
        source.to_owned()
    };
    Some(format!("{} || {bracketed}", tests(&absent)))
}

/// The operands of one operator. What the others test is known in each.
fn guard_all(parts: &[&str], known: &[String], is_and: bool) -> Option<String> {
    let programs = parts
        .iter()
        .map(|part| parse(part))
        .collect::<Option<Vec<_>>>()?;
    let mut done: Vec<String> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let mut known = known.to_vec();
        for (other, program) in programs.iter().enumerate() {
            if other != at {
                known.extend(tested(program.expression(), is_and));
            }
        }
        if !is_and {
            for text in &done {
                known.extend(tested(parse(text)?.expression(), false));
            }
        }
        let text = guard(part, &known)?;
        let is_open = is_and && split(&text, "||")?.len() > 1;
        done.push(if is_open { format!("({text})") } else { text });
    }
    Some(done.join(if is_and { " && " } else { " || " }))
}

/// The absences that leave every one of these parts without a result.
fn shared_absences(parts: &[&str], known: &[String]) -> Option<Vec<String>> {
    let mut shared: Option<Vec<String>> = None;
    for part in parts {
        let program = parse(part)?;
        let root = program.expression();
        let own = if is_simple(root) {
            failures(root, known).absent
        } else {
            Vec::new()
        };
        shared = Some(match shared {
            Some(all) => all.into_iter().filter(|path| own.contains(path)).collect(),
            None => own,
        });
    }
    shared
}

/// Whether a node has no result as soon as a part of it has none.
fn is_simple(node: &IdedExpr) -> bool {
    const DECIDING: [&str; 3] = [
        operators::LOGICAL_AND,
        operators::LOGICAL_OR,
        operators::CONDITIONAL,
    ];
    let decides = match &node.expr {
        Expr::Call(call) => DECIDING.contains(&call.func_name.as_str()),
        Expr::Comprehension(_) => true,
        Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => false,
    };
    !decides && children(node).into_iter().all(is_simple)
}

fn tests(paths: &[String]) -> String {
    paths
        .iter()
        .map(|path| absence_test(path))
        .collect::<Vec<_>>()
        .join(" || ")
}

/// Turns `has(x) && x != 1` into `!has(x) || x != 1`, wherever it is in the expression.
fn invert(source: &str, paths: &[String]) -> Option<String> {
    let sides = split(source, "||")?;
    if sides.len() > 1 {
        let sides = sides.into_iter().map(|side| invert(side, paths));
        return Some(sides.collect::<Option<Vec<_>>>()?.join(" || "));
    }
    let parts = split(source, "&&")?;
    if parts.len() > 1 {
        return invert_all(&parts, paths);
    }
    match enclosed(source) {
        Some(inner) => Some(format!("({})", invert(inner, paths)?)),
        None => Some(source.to_owned()),
    }
}

fn invert_all(parts: &[&str], paths: &[String]) -> Option<String> {
    let (mut gone, mut reading, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let program = parse(part)?;
        let root = program.expression();
        match presence(root) {
            Some(own) if paths.iter().any(|path| is_within(path, &own)) => gone.push(own),
            _ if paths.iter().any(|path| reads(root, path)) => reading.push(*part),
            _ => others.push(invert(part, paths)?),
        }
    }
    if gone.is_empty() || reading.is_empty() {
        let parts = parts.iter().map(|part| invert(part, paths));
        return Some(parts.collect::<Option<Vec<_>>>()?.join(" && "));
    }
    let read = match reading.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("({})", several.join(" && ")),
    };
    let inverted = format!("{} || {read}", tests(&gone));
    if others.is_empty() {
        return Some(inverted);
    }
    others.push(format!("({inverted})"));
    Some(others.join(" && "))
}

/// The path whose presence a node tests, by `given` too.
pub(super) fn presence(node: &IdedExpr) -> Option<String> {
    tested_path(node).or_else(|| {
        let call = call_of(node).filter(|call| call.func_name == super::constant::GIVEN)?;
        path(call.args.first()?)
    })
}

/// Whether a path is another one or below it.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Whether a node reads a path or something below it.
pub(super) fn reads(node: &IdedExpr, of: &str) -> bool {
    path(node).is_some_and(|path| is_within(&path, of))
        || children(node).into_iter().any(|child| reads(child, of))
}
