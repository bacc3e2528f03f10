//! Conversions with a fixed meaning: each accepts only the forms that every reader reads alike.

use cel::ExecutionError;
use cel::common::types::{CelDouble, CelInt, CelList, CelString, CelUInt};
use cel::common::value::{CowVal, Val};

use super::operation::{Conversion, no_result};
use crate::authz::expression::cel_value::{timestamp, to_val, to_value, truth};
use crate::authz::expression::limits::EXPRESSION_NESTED_VALUES_MAX;
use crate::authz::value::Value;
use crate::authz::{json_text, spelling};

/// Converts a value, if it has an accepted form.
pub(super) fn convert<'b, 'v>(
    to: Conversion,
    value: &dyn Val,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    if to == Conversion::Time {
        return time(value);
    }
    let value = to_value(value).ok_or_else(|| no_result("not a JSON value"))?;
    let converted = accepted(to, &value);
    converted.ok_or_else(|| no_result("not of the one form that is accepted"))
}

/// The conversions, each from the forms that every reader reads alike.
fn accepted<'b, 'v>(to: Conversion, value: &Value<'_>) -> Option<CowVal<'b, 'v>> {
    let text = |text: String| CowVal::owned(CelString::from(text));
    Some(match (to, value) {
        // `"false"` is true to a server that treats every non-empty text as true.
        (Conversion::Bool, Value::Bool(value)) => truth(*value),
        (Conversion::Bool, Value::String(text)) if text == "true" => truth(true),
        (Conversion::Int, value) => CowVal::owned(CelInt::from(integer(value)?)),
        (Conversion::Uint, value) => {
            CowVal::owned(CelUInt::from(u64::try_from(integer(value)?).ok()?))
        }
        (Conversion::Num, value) => CowVal::owned(CelDouble::from(number(value)?)),
        (Conversion::Text | Conversion::Spelled, Value::String(own)) => text(own.to_string()),
        (Conversion::Spelled, Value::Bool(truth)) => text(truth.to_string()),
        (Conversion::Spelled, Value::Int(number)) => text(number.to_string()),
        (Conversion::Fold, Value::String(own)) => text(spelling::fold(own).into_owned()),
        (Conversion::Plain, Value::String(own)) => text(spelling::visible(own)),
        (Conversion::List, Value::List(items)) => list(items),
        (Conversion::List, Value::String(text)) if text.len() > LIST_BYTES_MAX => return None,
        (Conversion::List, Value::String(text)) => match json_text::parse(text)? {
            // Loops over the arguments count their values, and a text counts as one.
            Value::List(items) if items.len() <= EXPRESSION_NESTED_VALUES_MAX => list(&items),
            Value::List(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::Map(_) => return None,
        },
        _ => return None,
    })
}

/// The longest text that is parsed as a list, in bytes.
const LIST_BYTES_MAX: usize = 16 << 10;

/// Every reader distinguishes integers up to this one.
const INTEGER_MAX: i64 = 1 << 53;

/// A number without a fraction, or its plainest spelling.
fn integer(value: &Value<'_>) -> Option<i64> {
    let number = match value {
        Value::Int(number) => *number,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked first"
        )]
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => *number as i64,
        Value::String(text) if is_plain_integer(text) => text.parse().ok()?,
        Value::Float(_)
        | Value::Uint(_)
        | Value::Null
        | Value::Bool(_)
        | Value::String(_)
        | Value::Unsound(_)
        | Value::List(_)
        | Value::Map(_) => return None,
    };
    (number.unsigned_abs() < INTEGER_MAX.unsigned_abs()).then_some(number)
}

/// A number, or its plainest spelling, with or without a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "doubles represent these integers exactly"
)]
fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::String(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            (is_plain_integer(whole) && digits).then(|| text.parse().ok())?
        }
        Value::Int(_) => integer(value).map(|number| number as f64),
        Value::Uint(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Unsound(_)
        | Value::List(_)
        | Value::Map(_) => None,
    }
}

/// `-?(0|[1-9][0-9]*)`.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" || !digits.starts_with('0');
    plain && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// An RFC 3339 time with its offset. Numbers are not accepted: to some servers they count seconds,
/// to others milliseconds.
fn time<'b, 'v>(value: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = value.downcast_ref::<CelString<'_>>();
    let text = text.ok_or_else(|| no_result("not a text"))?;
    let is_plain = text.inner().parse::<jiff::Timestamp>().is_ok()
        && text.inner().contains('T')
        && !text.inner().contains(['t', 'z', '[']);
    if !is_plain {
        return Err(no_result("not a time of RFC 3339"));
    }
    timestamp(text.inner().to_owned())
}

fn list<'b, 'v>(items: &[Value<'_>]) -> CowVal<'b, 'v> {
    CowVal::owned(CelList::from(items.iter().map(to_val).collect::<Vec<_>>()))
}
