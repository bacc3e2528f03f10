//! Operations over external values. If servers may read such a value in two ways with different
//! results, the operation has none.
//!
//! Equality in CEL cannot fail, and its conversions accept more than one form of a value. So at
//! load these operations replace the operators and conversions over arguments, claims, the device
//! and the URI.

mod convert;
mod operation;

use std::cmp::Ordering;

use cel::common::types::{CelList, CelMap, CelNull, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

pub(super) use operation::{
    BINARY, CEL_CONVERSIONS, COMPARISON, Conversion, HELPERS, Operation, OperationName, UNARY,
    UriTest,
};

use super::cel_value::{to_value, truth};
use super::constant::{CONSTANT_TYPE, Constant};
use super::origin::Origin;
use crate::authz::compare::NumberReadings;
use crate::authz::glob::Glob;
use crate::authz::matching::Match;
use crate::authz::uri::{PlainUri, UriPattern, fold_uri};
use crate::authz::value::Value;
use crate::authz::{compare, spelling};
use operation::no_result;

/// Declares both functions.
pub(super) fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    let constant = || CONSTANT_TYPE.to_owned();
    environment.add_overload(BINARY, BINARY, vec![DYN_TYPE, DYN_TYPE, constant()], binary)?;
    environment.add_overload(UNARY, UNARY, vec![DYN_TYPE, constant()], unary)
}

#[expect(clippy::needless_pass_by_value, reason = "CEL requires this signature")]
fn binary<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [left, right, operation] = arguments.as_slice() else {
        return Err(no_result("not two values"));
    };
    let operation = operation_of(operation.as_ref())?;
    let (left, right) = (left.as_ref(), right.as_ref());
    let settle = |found: Match| match found {
        Match::Yes => Ok(truth(true)),
        Match::No => Ok(truth(false)),
        Match::Indeterminate | Match::Unknown => Err(no_result("servers may read it differently")),
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
        Some(Constant::Pattern(_, _) | Constant::Network(_) | Constant::Glob(_)) | None => {
            Err(no_result("no operation"))
        }
    }
}

/// Whether two values are equal.
fn equals(left: &dyn Val, right: &dyn Val, operation: Operation) -> Match {
    let Operation {
        left: from_left,
        right: from_right,
        ..
    } = operation;
    if from_left.uri || from_right.uri {
        let found = equals_uri(left, right).or_else(|| equals_uri(right, left));
        return match found {
            // A server may still read an argument differently that is compared with the URI.
            Some(Match::No) if from_left.outside || from_right.outside => {
                equals_values(left, right, operation)
            }
            Some(found) => found,
            // The URI is nested inside, where its spellings are not compared.
            None if equals_values(left, right, operation) == Match::Yes => Match::Yes,
            None => Match::Indeterminate,
        };
    }
    equals_values(left, right, operation)
}

fn equals_values(left: &dyn Val, right: &dyn Val, operation: Operation) -> Match {
    // An element of a loop may be the key of an object.
    let is_element = operation.left.element || operation.right.element;
    match (to_value(left), to_value(right)) {
        (Some(Value::String(left)), Some(Value::String(right)))
            if operation.left.made || operation.right.made =>
        {
            compare::equals_made(&left, &right)
        }
        (Some(left), Some(right)) if is_element && compare::are_near_keys(&left, &right) => {
            Match::Indeterminate
        }
        (Some(left), Some(right)) => match (operation.left.outside, operation.right.outside) {
            (true, true) => compare::equals_mutually(&left, &right),
            (true, false) => compare::equals(&right, &left),
            (false, _) => compare::equals(&left, &right),
        },
        // Not JSON on either side: a time, bytes or a type. If a server reads an external value
        // differently, what it derives from the value also differs.
        (_, _) if left == right => Match::Yes,
        (_, _) => Match::Indeterminate,
    }
}

/// Whether a text equals the URI; `None` if the first value is not a URI or the second not a text.
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
    // A text built from the URI: whether the URI was parsed is no longer known.
    let (one, two) = (text(uri)?, text(other)?);
    Some(if one == two {
        Match::Yes
    } else if fold_uri(&one) == fold_uri(&two) {
        Match::Indeterminate
    } else {
        Match::No
    })
}

/// Numbers are ordered if all of their readings agree; external texts and booleans are not ordered.
fn order(
    left: &dyn Val,
    right: &dyn Val,
    operation: Operation,
    test: fn(Ordering) -> bool,
) -> Result<Match, ExecutionError> {
    let readings = |value: &dyn Val, origin: Origin| {
        let readings = to_value(value).as_ref().and_then(NumberReadings::of);
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
        return Err(no_result("servers may read it differently"));
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
        Value::Null | Value::Float(_) | Value::Unsound(_) | Value::List(_) | Value::Map(_) => false,
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
            // A server that expects a list may take the members for its elements.
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

/// Tests the text of the URI against what the author wrote.
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
    let pattern = pattern.map_err(|_| no_result("not a regular expression"))?;
    if let Some(uri) = uri.downcast_ref::<PlainUri<'static>>() {
        return Ok(pattern.matches(uri));
    }
    // A text built from the URI.
    let made = uri.downcast_ref::<CelString<'_>>();
    let made = made.ok_or_else(|| no_result("not a text"))?;
    Ok(pattern.matches(&PlainUri::made(made.inner())))
}

#[expect(clippy::needless_pass_by_value, reason = "CEL requires this signature")]
fn unary<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, operation] = arguments.as_slice() else {
        return Err(no_result("not one value"));
    };
    let OperationName::Convert(conversion) = operation_of(operation.as_ref())?.name else {
        return Err(no_result("not an operation on one value"));
    };
    convert::convert(conversion, value.as_ref())
}
