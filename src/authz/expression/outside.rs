//! Operations over values that come from outside: where servers may read such a value in two
//! ways that lead to different results, an operation has none.
//!
//! Equality in CEL cannot fail, and its conversions take more than one form of a value, so the
//! operators and conversions over arguments, claims, the device and the URI are replaced by
//! these when an expression is loaded.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString, CelUInt, DYN_TYPE,
    STRING_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::functions::truth;
use super::origin::Origin;
use super::prepare::{CONSTANT_TYPE, Constant};
use super::{ENVIRONMENT, EXPRESSION_NESTED_VALUES_MAX};
use crate::authz::compare::{self, Readings};
use crate::authz::condition::Match;
use crate::authz::glob::Glob;
use crate::authz::json_text;
use crate::authz::request::Value;
use crate::authz::spelling;
use crate::authz::uri::{PlainUri, UriPattern, fold_uri};

/// The function that an operation on two values becomes, and on one.
pub(super) const BINARY: &str = "@binary";
pub(super) const UNARY: &str = "@unary";

/// What errors of both are said to come from.
pub(super) const COMPARISON: &str = "comparison";

/// An operation with what is known of its operands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) name: OperationName,
    pub(super) left: Origin,
    pub(super) right: Origin,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationName {
    Equals,
    NotEquals,
    Less,
    LessOrEquals,
    Greater,
    GreaterOrEquals,
    In,
    /// The member of an object.
    Member,
    /// Whether an object has a member.
    Has,
    /// Whether it has one that is not null.
    Given,
    /// The text of the URI against what the author wrote.
    Uri(UriTest),
    /// A conversion that accepts one form of a value.
    Convert(Conversion),
}

/// How the text of the URI is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UriTest {
    Glob,
    StartsWith,
    EndsWith,
    Contains,
}

/// What a value is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    Bool,
    Int,
    Uint,
    Num,
    /// A text, and nothing else.
    Text,
    /// A text, or that of an integer or a truth value, of which there is one.
    Spelled,
    Fold,
    Plain,
    List,
    Time,
}

/// The conversions of CEL, which are these for values from outside.
pub(super) const CEL_CONVERSIONS: &[(&str, Conversion)] = &[
    ("bool", Conversion::Bool),
    ("int", Conversion::Int),
    ("uint", Conversion::Uint),
    ("double", Conversion::Num),
    ("string", Conversion::Spelled),
    ("timestamp", Conversion::Time),
];

/// The functions that policies have for values from outside.
pub(super) const HELPERS: &[(&str, Conversion)] = &[
    ("num", Conversion::Num),
    ("text", Conversion::Text),
    ("fold", Conversion::Fold),
    ("plain", Conversion::Plain),
    ("list", Conversion::List),
    ("time", Conversion::Time),
];

/// Adds both functions.
pub(super) fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    let constant = || CONSTANT_TYPE.to_owned();
    environment.add_overload(BINARY, BINARY, vec![DYN_TYPE, DYN_TYPE, constant()], binary)?;
    environment.add_overload(UNARY, UNARY, vec![DYN_TYPE, constant()], unary)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "functions of CEL take their arguments so"
)]
fn binary<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [left, right, operation] = arguments.as_slice() else {
        return Err(no_result("not two values"));
    };
    let operation = operation_of(operation.as_ref())?;
    let (left, right) = (left.as_ref(), right.as_ref());
    let settle = |found: Match| match found {
        Match::Yes => Ok(truth(true)),
        Match::No => Ok(truth(false)),
        Match::Indeterminate | Match::Unknown => Err(no_result("servers may read it otherwise")),
    };
    match operation.name {
        OperationName::Equals => settle(equals(left, right, operation)),
        OperationName::NotEquals => settle(equals(left, right, operation).negate()),
        OperationName::Less => settle(order(left, right, operation, Ordering::is_lt)?),
        OperationName::LessOrEquals => settle(order(left, right, operation, Ordering::is_le)?),
        OperationName::Greater => settle(order(left, right, operation, Ordering::is_gt)?),
        OperationName::GreaterOrEquals => settle(order(left, right, operation, Ordering::is_ge)?),
        OperationName::In => settle(is_in(left, right, operation)?),
        OperationName::Member => member(left, right, operation),
        OperationName::Has => {
            let found = find_key(left, right, operation)?;
            Ok(truth(found.is_some()))
        }
        OperationName::Given => {
            let found = find_key(left, right, operation)?;
            let is_null = |value: &(dyn Val + 'v)| value.downcast_ref::<CelNull>().is_some();
            Ok(truth(found.is_some_and(|value| !is_null(value))))
        }
        OperationName::Uri(test) => settle(match_uri(left, right, test)?),
        OperationName::Convert(_) => Err(no_result("not an operation on two values")),
    }
}

fn operation_of(value: &dyn Val) -> Result<Operation, ExecutionError> {
    match value.downcast_ref::<Constant>() {
        Some(Constant::Operation(operation)) => Ok(*operation),
        Some(Constant::Pattern(_) | Constant::Network(_) | Constant::Glob(_)) | None => {
            Err(no_result("no operation"))
        }
    }
}

/// Whether two values are one.
fn equals(left: &dyn Val, right: &dyn Val, operation: Operation) -> Match {
    let Operation {
        left: from_left,
        right: from_right,
        ..
    } = operation;
    if from_left.uri || from_right.uri {
        let found = equals_uri(left, right).or_else(|| equals_uri(right, left));
        return match found {
            // An argument that is compared with the URI may still be read otherwise.
            Some(Match::No) if from_left.outside || from_right.outside => {
                equals_values(left, right, operation)
            }
            Some(found) => found,
            None => equals_values(left, right, operation),
        };
    }
    equals_values(left, right, operation)
}

fn equals_values(left: &dyn Val, right: &dyn Val, operation: Operation) -> Match {
    let is_element = operation.left.element || operation.right.element;
    let named = if is_element {
        compare::equals_as_key
    } else {
        compare::equals
    };
    match (to_value(left), to_value(right)) {
        (Some(Value::String(left)), Some(Value::String(right)))
            if operation.left.made || operation.right.made =>
        {
            compare::equals_made(&left, &right)
        }
        (Some(left), Some(right)) => match (operation.left.outside, operation.right.outside) {
            (true, true) => compare::equals_mutually(&left, &right),
            (true, false) => named(&right, &left),
            (false, _) => named(&left, &right),
        },
        // Neither JSON: a time, bytes or a type. What is made of a value from outside is another
        // thing to whoever reads the value otherwise.
        (_, _) if left == right => Match::Yes,
        (_, _) => Match::Indeterminate,
    }
}

/// Whether a text is the URI; nothing if the first is no URI or the other no text.
fn equals_uri(uri: &dyn Val, other: &dyn Val) -> Option<Match> {
    let text = |value: &dyn Val| {
        value
            .downcast_ref::<CelString<'_>>()
            .map(|text| text.inner().to_owned())
    };
    if let Some(uri) = uri.downcast_ref::<PlainUri<'static>>() {
        return match text(other) {
            Some(other) => Some(uri.equals(&other)),
            None => other
                .downcast_ref::<PlainUri<'static>>()
                .map(|other| uri.equals(other.as_str())),
        };
    }
    // Something that was made of the URI: whether it was parsed is not known any more.
    let (one, two) = (text(uri)?, text(other)?);
    Some(if one == two {
        Match::Yes
    } else if fold_uri(&one) == fold_uri(&two) {
        Match::Indeterminate
    } else {
        Match::No
    })
}

/// Numbers are ordered if every reading of them is ordered alike; texts and truth values from
/// outside not at all.
fn order(
    left: &dyn Val,
    right: &dyn Val,
    operation: Operation,
    test: fn(Ordering) -> bool,
) -> Result<Match, ExecutionError> {
    let readings = |value: &dyn Val, origin: Origin| {
        let readings = to_value(value).as_ref().and_then(Readings::of);
        readings.map(|readings| {
            if origin.outside {
                readings
            } else {
                readings.plain()
            }
        })
    };
    let pair = readings(left, operation.left).zip(readings(right, operation.right));
    if let Some((left, right)) = pair {
        return Ok(left.compare(right, test));
    }
    if to_value(left).is_some() || to_value(right).is_some() {
        return Err(no_result("servers may read it otherwise"));
    }
    let comparer = left.as_comparer().ok_or_else(|| no_result("no order"))?;
    comparer.compare(right).map(|order| Match::of(test(order)))
}

fn is_in(left: &dyn Val, right: &dyn Val, operation: Operation) -> Result<Match, ExecutionError> {
    if let Some(list) = right.downcast_ref::<CelList<'_>>() {
        let items = list.inner().iter();
        return Ok(items.fold(Match::No, |found, item| {
            found.or(equals(left, &**item, operation))
        }));
    }
    let map = right.downcast_ref::<CelMap<'_>>();
    let map = map.ok_or_else(|| no_result("neither a list nor an object"))?;
    let is_key = |value: Value<'_>| match value {
        Value::String(_) | Value::Int(_) | Value::Uint(_) | Value::Bool(_) => true,
        Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => false,
    };
    if !to_value(left).is_some_and(is_key) {
        return Err(no_result("no key of an object"));
    }
    let text = left.downcast_ref::<CelString<'_>>();
    let is_plain = operation.left.is_plain() && operation.right.is_plain();
    let found = map.inner().iter().map(|(key, value)| {
        let key = key.inner();
        let own = key.downcast_ref::<CelString<'_>>();
        let is_near = text
            .zip(own)
            .is_some_and(|(text, own)| spelling::is_same_key(text.inner(), own.inner()));
        if key == left {
            Match::Yes
        } else if operation.right.sent && is_near {
            Match::Indeterminate
        } else if is_plain {
            Match::No
        } else if operation.right.outside && equals(left, &**value, operation) != Match::No {
            // A server that wants a list may take the members for its elements.
            Match::Indeterminate
        } else {
            equals(left, key, operation)
        }
    });
    Ok(found.fold(Match::No, Match::or))
}

fn member<'b, 'v>(
    left: &(dyn Val + 'v),
    key: &dyn Val,
    operation: Operation,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    if left.downcast_ref::<CelMap<'_>>().is_some() {
        let found = find_key(left, key, operation)?;
        let found = found.ok_or_else(|| no_result("no such key"))?;
        return Ok(CowVal::Owned(found.clone_as_boxed()));
    }
    let indexer = left.as_indexer().ok_or_else(|| no_result("no members"))?;
    indexer
        .get(key)
        .map(|found| CowVal::Owned(found.into_owned()))
}

/// The member of an object, unless a server may find another one under the key.
fn find_key<'b, 'v>(
    object: &'b (dyn Val + 'v),
    key: &dyn Val,
    operation: Operation,
) -> Result<Option<&'b (dyn Val + 'v)>, ExecutionError> {
    let map = object.downcast_ref::<CelMap<'_>>();
    let map = map.ok_or_else(|| no_result("not an object"))?;
    let mut own = None;
    let text = key.downcast_ref::<CelString<'_>>();
    for (other, value) in map.inner() {
        if other.inner() == key {
            own = Some(&**value);
            continue;
        }
        let other = other.inner().downcast_ref::<CelString<'_>>();
        if let (Some(key), Some(other)) = (text, other)
            && operation.left.sent
            && spelling::is_same_key(key.inner(), other.inner())
        {
            return Err(no_result("a server may take another key for it"));
        }
    }
    Ok(own)
}

/// Whether the URI matches what the author wrote about its text.
fn match_uri(uri: &dyn Val, part: &dyn Val, test: UriTest) -> Result<Match, ExecutionError> {
    let part = part.downcast_ref::<CelString<'_>>();
    let part = part.ok_or_else(|| no_result("not a text"))?.inner();
    let pattern = match test {
        UriTest::Glob => Glob::name(part),
        UriTest::StartsWith => Glob::around(false, part, true),
        UriTest::EndsWith => Glob::around(true, part, false),
        UriTest::Contains => Glob::around(true, part, true),
    };
    let pattern = pattern.and_then(UriPattern::of);
    let pattern = pattern.map_err(|error| no_result(&error.to_string()))?;
    if let Some(uri) = uri.downcast_ref::<PlainUri<'static>>() {
        return Ok(pattern.matches(uri));
    }
    // Something that was made of the URI.
    let made = uri.downcast_ref::<CelString<'_>>();
    let made = made.ok_or_else(|| no_result("not a text"))?;
    Ok(pattern.matches(&PlainUri::made(made.inner())))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "functions of CEL take their arguments so"
)]
fn unary<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, operation] = arguments.as_slice() else {
        return Err(no_result("not one value"));
    };
    let OperationName::Convert(conversion) = operation_of(operation.as_ref())?.name else {
        return Err(no_result("not an operation on one value"));
    };
    if conversion == Conversion::Time {
        return time(value.as_ref());
    }
    let value = to_value(value.as_ref()).ok_or_else(|| no_result("not a JSON value"))?;
    let converted = convert(conversion, &value);
    converted.ok_or_else(|| no_result("not of the one form that is accepted"))
}

/// The conversions, each from the forms that every reader takes for the same.
fn convert<'b, 'v>(to: Conversion, value: &Value<'_>) -> Option<CowVal<'b, 'v>> {
    let text = |text: String| CowVal::owned(CelString::from(text));
    Some(match (to, value) {
        // `"false"` is true to a server that takes every text that is not empty for true.
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
        (Conversion::List, Value::String(text)) => match json_text::parse(text)? {
            // Loops over the arguments count their values, and a text is one.
            Value::List(items) if items.len() <= EXPRESSION_NESTED_VALUES_MAX => list(&items),
            Value::List(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Map(_) => return None,
        },
        _ => return None,
    })
}

/// The largest integer up to which every reader keeps integers apart.
const INTEGER_MAX: i64 = 1 << 53;

/// A number without a fraction, or the plainest text of one.
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
        | Value::List(_)
        | Value::Map(_) => return None,
    };
    (number.unsigned_abs() < INTEGER_MAX.unsigned_abs()).then_some(number)
}

/// A number, or the plainest text of one, with a fraction or without.
#[expect(
    clippy::cast_precision_loss,
    reason = "integers are below what doubles keep apart"
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
        Value::Uint(_) | Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// `-?(0|[1-9][0-9]*)`.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" || !digits.starts_with('0');
    plain && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A moment as RFC 3339 writes it, with its offset. Never a number: to some servers it counts
/// seconds, to others milliseconds.
fn time<'b, 'v>(value: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = value.downcast_ref::<CelString<'_>>();
    let text = text.ok_or_else(|| no_result("not a text"))?;
    let is_plain = text.inner().parse::<jiff::Timestamp>().is_ok()
        && text.inner().contains('T')
        && !text.inner().contains(['t', 'z', '[']);
    let environment = ENVIRONMENT.as_ref().ok().filter(|_| is_plain);
    let environment = environment.ok_or_else(|| no_result("not a time of RFC 3339"))?;
    let arguments: Vec<CowVal<'b, 'v>> =
        vec![CowVal::owned(CelString::from(text.inner().to_owned()))];
    let convert = environment.find_overload("timestamp", &arguments);
    let convert = convert.ok_or_else(|| no_result("no times"))?;
    convert(arguments)
}

fn list<'b, 'v>(items: &[Value<'_>]) -> CowVal<'b, 'v> {
    CowVal::owned(CelList::from(items.iter().map(to_val).collect::<Vec<_>>()))
}

/// A value in CEL, with texts of its own.
fn to_val<'v>(value: &Value<'_>) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Int(value) => Box::new(CelInt::from(*value)),
        Value::Uint(value) => Box::new(CelUInt::from(*value)),
        Value::Float(value) => Box::new(CelDouble::from(*value)),
        Value::String(value) => Box::new(CelString::from(value.to_string())),
        Value::List(items) => Box::new(CelList::from(items.iter().map(to_val).collect::<Vec<_>>())),
        Value::Map(members) => {
            let members = members.iter().map(|(key, value)| {
                (
                    cel::common::types::CelMapKey::from(key.to_string()),
                    to_val(value),
                )
            });
            Box::new(CelMap::from(
                members.collect::<std::collections::HashMap<_, _>>(),
            ))
        }
    }
}

/// The JSON value that a value of CEL is, if it is one.
fn to_value(value: &dyn Val) -> Option<Value<'_>> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return Some(Value::String(Cow::Borrowed(text.inner())));
    }
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Some(Value::Bool(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Some(Value::Int(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelDouble>() {
        return value
            .inner()
            .is_finite()
            .then(|| Value::Float(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        let number = *value.inner();
        return Some(i64::try_from(number).map_or(Value::Uint(number), Value::Int));
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Some(Value::Null);
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let items = list.inner().iter().map(|item| to_value(&**item));
        return items.collect::<Option<_>>().map(Value::List);
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let members = map.inner().iter().map(|(key, value)| {
            let key = key.inner().downcast_ref::<CelString<'_>>()?;
            Some((Cow::Borrowed(key.inner()), to_value(&**value)?))
        });
        return members.collect::<Option<_>>().map(Value::Map);
    }
    let uri = value.downcast_ref::<PlainUri<'static>>()?;
    Some(Value::String(Cow::Borrowed(uri.as_str())))
}

fn no_result(why: &str) -> ExecutionError {
    ExecutionError::function_error(COMPARISON, why)
}

/// The URI as the operators above take it.
impl Val for PlainUri<'static> {
    fn get_type(&self) -> &Type {
        &STRING_TYPE
    }

    fn cel_type() -> &'static Type {
        &STRING_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for PlainUri<'static> {}
