//! What the parts of a condition say of the values that they compare.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};
use ipnet::IpNet;

use super::super::constant::{IP_IN, parse_network};
use super::super::depth::children;
use super::super::lookup::{call_of, field_of, text_of, truth_of};
use super::super::proposals::presence;
use super::super::shown::shown;
use super::super::totality::{path, tested_path};
use super::ranges::{results, turned};
use super::term::{Constant, Value, constant, given_path, of_arguments, presence_term, term};
use super::texts::TextTest;

/// What a part says of a term.
#[derive(Debug, Clone)]
pub(super) enum Says {
    /// It is one of these.
    Named(Vec<Constant>),
    /// It is none of these.
    Not(Vec<Constant>),
    /// It is at least this, or more if the bound is strict.
    Least(Constant, bool),
    /// It is at most this, or less if the bound is strict.
    Most(Constant, bool),
    /// It is a whole number.
    Whole,
    /// It passes a test, or it does not.
    Text(TextTest, bool),
    /// It is in a network, or it is not.
    Within(IpNet, bool),
    /// How one of two values compares with the other: less, equal, greater or unlike.
    Order([bool; 4]),
    /// The part needs the path, and has no result without it.
    Needed,
    /// The path is absent.
    Absent,
    /// It is not what the part says, whatever it is.
    Never,
}

/// Something that is said of a term.
#[derive(Debug)]
pub(super) struct Fact {
    /// The term.
    pub(super) of: String,
    /// The same as its author wrote it.
    pub(super) shown: String,
    pub(super) says: Says,
}

/// What a part says by coming out as `truth`.
pub(super) fn facts(node: &IdedExpr, truth: bool) -> Vec<Fact> {
    let mut found = Vec::new();
    let mut say = |of: String, shown: String, says: Says| found.push(Fact { of, shown, says });
    if let Some(literal) = truth_of(node) {
        if literal != truth {
            say(term(node), shown(node), Says::Never);
        }
        return found;
    }
    say(term(node), shown(node), is(truth));
    if let Some(own) = tested_path(node) {
        let path = of_arguments(own);
        let says = if truth { Says::Needed } else { Says::Absent };
        say(path, shown(node), says);
        return found;
    }
    if let Some(path) = given_path(node) {
        let null = vec![Constant {
            value: Value::Null,
            shown: "null".to_owned(),
        }];
        if truth {
            say(presence_term(&path), format!("has({path})"), is(true));
            say(path.clone(), path.clone(), Says::Not(null));
            say(path.clone(), path, Says::Needed);
        } else {
            say(path.clone(), path, Says::Named(null));
        }
        return found;
    }
    for path in needed(node) {
        say(path.clone(), path, Says::Needed);
    }
    if let Some(call) = call_of(node) {
        found.extend(of_call(call, truth));
    }
    found
}

fn is(truth: bool) -> Says {
    Says::Named(vec![Constant {
        value: Value::Bool(truth),
        shown: truth.to_string(),
    }])
}

fn fact(node: &IdedExpr, says: Says) -> Fact {
    Fact {
        of: term(node),
        shown: shown(node),
        says,
    }
}

fn of_call(call: &CallExpr, truth: bool) -> Vec<Fact> {
    let operands: Vec<&IdedExpr> = call
        .target
        .as_deref()
        .into_iter()
        .chain(&call.args)
        .collect();
    let [left, right] = operands.as_slice() else {
        return Vec::new();
    };
    let name = call.func_name.as_str();
    match name {
        operators::IN => of_membership(left, right, truth),
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => of_comparison(name, left, right, truth),
        IP_IN => {
            let network = text_of(right).and_then(parse_network);
            let says = network.map(|network| Says::Within(network, truth));
            says.map(|says| fact(left, says)).into_iter().collect()
        }
        // Their spellings are compared as URIs.
        _ if is_uri(left) => Vec::new(),
        _ => {
            let test = text_of(right).and_then(|text| TextTest::new(name, text));
            let says = test.map(|test| Says::Text(test, truth));
            says.map(|says| fact(left, says)).into_iter().collect()
        }
    }
}

fn is_uri(node: &IdedExpr) -> bool {
    matches!(field_of(&node.expr), Some(("mcp", "uri" | "uri_folded", _)))
}

fn of_membership(item: &IdedExpr, within: &IdedExpr, truth: bool) -> Vec<Fact> {
    if let Expr::List(list) = &within.expr {
        let items = list.elements.iter().map(constant);
        let Some(items) = items.collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let says = if truth {
            Says::Named(items)
        } else {
            Says::Not(items)
        };
        return [vec![fact(item, says)], of_range(item)].concat_facts();
    }
    if !truth {
        return Vec::new();
    }
    // What has an item is not empty.
    vec![Fact {
        of: format!("size({})", term(within)),
        shown: format!("size({})", shown(within)),
        says: Says::Least(
            Constant {
                value: Value::Number(1.0),
                shown: "1".to_owned(),
            },
            false,
        ),
    }]
}

/// Joins lists of facts.
trait ConcatFacts {
    fn concat_facts(self) -> Vec<Fact>;
}

impl<const N: usize> ConcatFacts for [Vec<Fact>; N] {
    fn concat_facts(self) -> Vec<Fact> {
        self.into_iter().flatten().collect()
    }
}

fn of_comparison(name: &str, left: &IdedExpr, right: &IdedExpr, truth: bool) -> Vec<Fact> {
    let (node, literal, name) = match (constant(left), constant(right)) {
        (None, Some(literal)) => (left, literal, name),
        (Some(literal), None) => (right, literal, turned(name)),
        (None, None) => return vec![of_order(name, left, right, truth)],
        (Some(_), Some(_)) => return Vec::new(),
    };
    let says = match (name, truth) {
        (operators::EQUALS, true) | (operators::NOT_EQUALS, false) => Says::Named(vec![literal]),
        (operators::EQUALS, false) | (operators::NOT_EQUALS, true) => Says::Not(vec![literal]),
        (operators::LESS, true) | (operators::GREATER_EQUALS, false) => Says::Most(literal, true),
        (operators::GREATER, true) | (operators::LESS_EQUALS, false) => Says::Least(literal, true),
        (operators::LESS_EQUALS, true) | (operators::GREATER, false) => Says::Most(literal, false),
        _ => Says::Least(literal, false),
    };
    let mut found = of_range(node);
    if let Says::Named(values) = &says
        && let [one] = values.as_slice()
        && one.value == Value::Other("[]".to_owned())
    {
        found.push(Fact {
            of: format!("size({})", term(node)),
            shown: format!("size({})", shown(node)),
            says: Says::Named(vec![Constant {
                value: Value::Number(0.0),
                shown: "0".to_owned(),
            }]),
        });
    }
    found.push(fact(node, says));
    found
}

/// The numbers that a function gives.
fn of_range(node: &IdedExpr) -> Vec<Fact> {
    let Some((least, most)) = results(node) else {
        return Vec::new();
    };
    let bound = |number: f64| Constant {
        value: Value::Number(number),
        shown: number.to_string(),
    };
    vec![
        fact(node, Says::Whole),
        fact(node, Says::Least(bound(least), false)),
        fact(node, Says::Most(bound(most), false)),
    ]
}

/// How two values compare that are both read, the one with the smaller term first.
fn of_order(name: &str, left: &IdedExpr, right: &IdedExpr, truth: bool) -> Fact {
    let (own, other) = (term(left), term(right));
    let (of, name) = if own <= other {
        (format!("{own} ? {other}"), name)
    } else {
        (format!("{other} ? {own}"), turned(name))
    };
    let mut orders = match name {
        operators::EQUALS => [false, true, false, false],
        operators::NOT_EQUALS => [true, false, true, true],
        operators::LESS => [true, false, false, false],
        operators::LESS_EQUALS => [true, true, false, false],
        operators::GREATER => [false, false, true, false],
        _ => [false, true, true, false],
    };
    if !truth {
        orders = orders.map(|order| !order);
    }
    Fact {
        of,
        shown: shown(left),
        says: Says::Order(orders),
    }
}

/// The paths without which a node has no result.
fn needed(node: &IdedExpr) -> Vec<String> {
    if presence(node).is_some() {
        return Vec::new();
    }
    if let Some(path) = path(node) {
        return vec![of_arguments(path)];
    }
    let parts = match &node.expr {
        Expr::Comprehension(inner) => vec![&inner.iter_range],
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => Vec::new(),
            (operators::CONDITIONAL, [test, ..]) => vec![test],
            _ => children(node),
        },
        Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => children(node),
    };
    parts.into_iter().flat_map(needed).collect()
}
