//! `Mcp-Param-…`: the headers that repeat an argument which the tool's schema marks by
//! `x-mcp-header` (2026-07-28, Streamable HTTP, Custom Headers from Tool Parameters).

use std::cmp::Ordering;

use super::copies::Copies;
use super::name::TextHeader;
use crate::authz::Value;
use crate::mcp::header::Header;
use crate::mcp::refusal::Refusal;

/// Compares the lines of one header with the argument that it repeats. Returns its value if it came
/// more than once, so that the upstream can get it once.
///
/// An argument that is absent or null has no header. Numbers are compared as numbers. An argument
/// that no header can repeat (a list, an object, a fraction) has none either; its server refuses it.
///
/// # Errors
/// The header is missing, malformed, has two values, or is not that of the argument.
pub fn check_param<'a>(
    lines: impl Iterator<Item = &'a str>,
    repeats_kept_apart: bool,
    argument: Option<&Value<'_>>,
) -> Result<Option<&'a str>, Refusal> {
    let text = argument.and_then(repeated);
    let texts = text.as_deref();
    let header = TextHeader::of(Header::Param, lines, repeats_kept_apart, texts.as_slice())?;
    let Some(header) = header else {
        // Half of a surrogate pair has no base64 form, and its client has something to say.
        let is_unsound = matches!(argument, Some(Value::Unsound(_)));
        return if text.is_none() && !is_unsound {
            Ok(None)
        } else {
            Err(Refusal::HeaderMissing(Header::Param))
        };
    };
    let Copies { value, is_repeated } = header.copies;
    if header.is_own || is_same_number(&header.text, argument) {
        Ok(is_repeated.then_some(value))
    } else {
        Err(Refusal::HeaderMismatch(Header::Param))
    }
}

/// The text that repeats an argument.
fn repeated(argument: &Value<'_>) -> Option<String> {
    match argument {
        Value::String(text) => Some(text.clone().into_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Uint(number) => Some(number.to_string()),
        Value::Float(number) if number.fract() == 0.0 => Some(number.to_string()),
        Value::Null | Value::Float(_) | Value::Unsound(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// Whether a text is the number of an argument, however it is written.
fn is_same_number(text: &str, argument: Option<&Value<'_>>) -> bool {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let is_exact = |own: i128| text.parse() == Ok(own);
    let is_double = |own: f64| {
        let number = text.parse::<f64>().ok();
        number.and_then(|number| number.partial_cmp(&own)) == Some(Ordering::Equal)
    };
    is_plain
        && match argument {
            Some(Value::Int(own)) => {
                let small = i32::try_from(*own);
                is_exact(i128::from(*own)) || small.is_ok_and(|own| is_double(f64::from(own)))
            }
            Some(Value::Uint(own)) => is_exact(i128::from(*own)),
            Some(Value::Float(own)) => is_double(*own),
            Some(
                Value::Null
                | Value::Bool(_)
                | Value::String(_)
                | Value::Unsound(_)
                | Value::List(_)
                | Value::Map(_),
            )
            | None => false,
        }
}
