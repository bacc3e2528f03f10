//! The operations that replace operators, tests and conversions over external values.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SelectExpr, operators};

use super::constant::{GIVEN, GLOB, IP_IN, MATCHES};
use super::origin::Origin;
use super::outside::{CEL_CONVERSIONS, Conversion, HELPERS, OperationName, UriTest};

/// Splits a select into its operand and the name that it selects.
pub(super) fn taken_apart(select: &mut SelectExpr) -> (IdedExpr, IdedExpr) {
    let name = std::mem::take(&mut select.field);
    let key = IdedExpr {
        expr: Expr::Literal(LiteralValue::String(name.into())),
        ..IdedExpr::default()
    };
    (std::mem::take(&mut *select.operand), key)
}

/// The operation that replaces an operator.
pub(super) fn operator(function: &str) -> Option<OperationName> {
    Some(match function {
        operators::EQUALS => OperationName::Equals,
        operators::NOT_EQUALS => OperationName::NotEquals,
        operators::LESS => OperationName::Less,
        operators::LESS_EQUALS => OperationName::LessOrEquals,
        operators::GREATER => OperationName::Greater,
        operators::GREATER_EQUALS => OperationName::GreaterOrEquals,
        operators::IN => OperationName::In,
        operators::INDEX => OperationName::Member,
        _ => return None,
    })
}

/// The operation that replaces a test of the URI's text, and the source of the text.
pub(super) fn uri_test(
    call: &CallExpr,
    target: Option<Origin>,
    arguments: &[Origin],
) -> Option<(OperationName, Origin)> {
    let test = match call.func_name.as_str() {
        GLOB => UriTest::Glob,
        "startsWith" => UriTest::StartsWith,
        "endsWith" => UriTest::EndsWith,
        "contains" => UriTest::Contains,
        _ => return None,
    };
    let origin = match (target, arguments) {
        (Some(target), [_]) => target,
        (None, [first, _]) => *first,
        _ => return None,
    };
    (origin.uri && !origin.outside).then_some((OperationName::Uri(test), origin))
}

/// The operation that replaces a conversion. CEL's own conversions are replaced only over external
/// values.
pub(super) fn conversion(function: &str, origin: Origin) -> Option<Conversion> {
    let named = |list: &[(&str, Conversion)]| {
        let found = list.iter().find(|(own, _)| *own == function);
        found.map(|(_, conversion)| *conversion)
    };
    named(HELPERS).or_else(|| named(CEL_CONVERSIONS).filter(|_| origin.outside))
}

pub(super) fn is_helper(call: &CallExpr) -> bool {
    HELPERS.iter().any(|(name, _)| *name == call.func_name)
}

/// The origins of the result of a call.
pub(super) fn result_of(call: &CallExpr, arguments: &[Origin], all: Origin) -> Origin {
    const TESTS: [&str; 16] = [
        operators::EQUALS,
        operators::NOT_EQUALS,
        operators::LESS,
        operators::LESS_EQUALS,
        operators::GREATER,
        operators::GREATER_EQUALS,
        operators::IN,
        operators::LOGICAL_AND,
        operators::LOGICAL_OR,
        operators::LOGICAL_NOT,
        "contains",
        "startsWith",
        "endsWith",
        MATCHES,
        GLOB,
        IP_IN,
    ];
    let function = call.func_name.as_str();
    match (function, arguments) {
        (operators::CONDITIONAL, [_, yes, no]) => yes.and(*no),
        (operators::ADD, _) => Origin {
            made: all.outside,
            ..all
        },
        ("duration" | GIVEN, _) => Origin::PLAIN,
        (_, [origin]) if call.target.is_none() => match conversion(function, *origin) {
            // The one form that these accept is the same to every reader.
            Some(Conversion::Bool | Conversion::Int | Conversion::Uint | Conversion::Time) => {
                Origin::PLAIN
            }
            _ if TESTS.contains(&function) => Origin::PLAIN,
            _ => all,
        },
        _ if TESTS.contains(&function) => Origin::PLAIN,
        _ => all,
    }
}
