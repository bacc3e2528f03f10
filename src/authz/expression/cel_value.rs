//! Conversions between JSON values and CEL values.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
    STRING_TYPE, Type,
};
use cel::common::value::CowVal;
use cel::common::value::{StaticVal, Val};
use cel::{Env, ExecutionError};

use crate::authz::uri::PlainUri;
use crate::authz::value::Value;

/// Converts a value to CEL, with owned strings.
pub(super) fn to_val<'v>(value: &Value<'_>) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Int(value) => Box::new(CelInt::from(*value)),
        Value::Uint(value) => Box::new(CelUInt::from(*value)),
        Value::Float(value) => Box::new(CelDouble::from(*value)),
        Value::String(value) => Box::new(CelString::from(value.to_string())),
        Value::Unsound(_) => Box::new(Unreadable),
        Value::List(items) => Box::new(CelList::from(items.iter().map(to_val).collect::<Vec<_>>())),
        Value::Map(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (CelMapKey::from(key.to_string()), to_val(value)));
            Box::new(CelMap::from(members.collect::<HashMap<_, _>>()))
        }
    }
}

/// Converts a CEL value to JSON, if possible.
pub(super) fn to_value(value: &dyn Val) -> Option<Value<'_>> {
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

/// A value of which nothing can be said. Variables do not have it: [`to_value`] knows no such value,
/// so no operation would have a result either.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unreadable;

impl Val for Unreadable {
    fn get_type(&self) -> &Type {
        &UNREADABLE_TYPE
    }

    fn cel_type() -> &'static Type {
        &UNREADABLE_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Unreadable {}

static UNREADABLE_TYPE: Type = Type::new_unspecified_type("@unreadable");

/// A URI as the operators over URIs receive it.
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

/// A boolean result without an allocation.
pub(super) fn truth<'b, 'v>(truth: bool) -> CowVal<'b, 'v> {
    CowVal::Borrowed(if truth {
        &CelBool::TRUE
    } else {
        &CelBool::FALSE
    })
}

/// A timestamp that CEL converts from text, so that CEL's functions accept its type.
pub(super) fn timestamp<'b, 'v>(text: String) -> Result<CowVal<'b, 'v>, ExecutionError> {
    static STANDARD: LazyLock<Env> = LazyLock::new(Env::stdlib);
    let arguments: Vec<CowVal<'b, 'v>> = vec![CowVal::owned(CelString::from(text))];
    let convert = STANDARD.find_overload("timestamp", &arguments);
    let convert = convert.ok_or_else(|| ExecutionError::function_error("timestamp", "no times"))?;
    convert(arguments)
}
