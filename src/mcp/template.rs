//! Fills in the variables of a URI template that the client of a completion has already chosen.
//!
//! The client names a template and sends the values of some variables in `context.arguments`. The
//! completion of another variable then concerns fewer resources, and is judged accordingly if every
//! server reads the values alike.

use std::borrow::Cow;

use super::key_rules::fold;
use super::params::Params;
use crate::authz::Value;

/// The template with its known variables filled in, if there are any.
///
/// A variable is known if it is alone in its expression, without an operator or a modifier, its
/// value is a string that no expansion changes, and no other key could be taken for its name. The
/// variable to be completed is not known: the completion may return any value of it. A template
/// that would exceed `bytes_max` stays as it is, and so does one with too many arguments.
pub(super) fn fill_in(template: &str, params: &Params<'_>, bytes_max: usize) -> Option<String> {
    let Value::Map(arguments) = member(params, "context")?.member("arguments")? else {
        return None;
    };
    if arguments.len() > ARGUMENTS_MAX {
        return None;
    }
    let completed = squeeze(member(params, "argument")?.member("name")?.as_str()?);
    let keys: Vec<String> = arguments.iter().map(|(key, _)| squeeze(key)).collect();
    let value = |name: &str| {
        let squeezed = squeeze(name);
        let mut same = arguments
            .iter()
            .zip(&keys)
            .filter_map(|(argument, key)| (*key == squeezed).then_some(argument));
        let (Some((key, value)), None) = (same.next(), same.next()) else {
            return None;
        };
        let value = value.as_str().filter(|value| is_literal(value))?;
        (key == name && squeezed != completed).then_some(value)
    };
    let mut filled = String::with_capacity(template.len());
    let mut is_filled = false;
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((expression, next)) = after.split_once('}') else {
            break;
        };
        filled.push_str(literal);
        let known = is_variable(expression).then(|| value(expression)).flatten();
        match known {
            Some(value) => filled.push_str(value),
            None => filled.extend(["{", expression, "}"]),
        }
        is_filled |= known.is_some();
        if filled.len() > bytes_max {
            return None;
        }
        rest = next;
    }
    filled.push_str(rest);
    (is_filled && filled.len() <= bytes_max).then_some(filled)
}

/// With more arguments, filling in a template could take long.
const ARGUMENTS_MAX: usize = 64;

fn member<'p, 'a>(params: &'p Params<'a>, key: &str) -> Option<&'p Value<'a>> {
    let found = params.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value)
}

/// Whether an expression is one plain variable.
fn is_variable(expression: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !expression.is_empty() && expression.bytes().all(is_plain)
}

/// Whether expansion leaves a value unchanged (RFC 3986 §2.3), and it is not a dot segment.
fn is_literal(value: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(value, "" | "." | "..") && value.bytes().all(is_unreserved)
}

/// A name reduced for servers that ignore case and word separators.
fn squeeze(name: &str) -> String {
    let is_joint = |c: char| matches!(c, '_' | '-') || c.is_whitespace();
    let joined = name.chars().filter(|c| !is_joint(*c)).collect();
    fold(&Cow::Owned(joined)).into_owned()
}
