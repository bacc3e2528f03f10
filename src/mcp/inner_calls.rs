//! Calls inside calls: a tool that calls another tool, which its arguments name.
//!
//! A server with very many tools may show two of them, one that searches and one that calls what was
//! found: `call_tool` with `{"name": "delete_note", "arguments": {"id": 7}}`. A rule about
//! `delete_note` has to see that call, so it becomes a target of its own beside the call of
//! `call_tool`. What cannot be read is never taken for no call.

use std::borrow::Cow;

use super::indirect::{FoundPaths, IndirectTool, InnerForm, InnerPaths, qualified};
use super::options::DecodeOptions;
use super::place::{ObjectPlace, ValuePlace};
use super::reader::BodyReader;
use crate::authz::{Value, ValuePath, argument};

/// The call of a tool that another tool is asked to make.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InnerCall<'a> {
    pub(super) name: Cow<'a, str>,
    /// Always an object; null counts as absent.
    pub(super) arguments: Option<Value<'a>>,
}

/// Why the inner calls of a call cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerFault {
    /// The place of the fault, as a JSON Pointer into the arguments of the outer call. Made of the
    /// configured paths and of positions in a list, without any text of the client.
    pub place: String,
    /// What is wrong there: `missing`, `empty`, `type`, `unclear`, `length`, `text`, `json`, `many`,
    /// `nested`, `default` or `task`.
    pub kind: &'static str,
}

/// How many calls one call may make.
const CALLS_MAX: usize = 256;

/// Nothing is there.
const MISSING: &str = "missing";
/// The name is an empty text, or the list has no item.
const EMPTY: &str = "empty";
/// The value has another type.
const TYPE: &str = "type";
/// Servers may read another value there, or none.
const UNCLEAR: &str = "unclear";
/// The name exceeds `name_bytes_max`.
const LENGTH: &str = "length";
/// Bytes of the name may have been lost.
const TEXT: &str = "text";
/// The string is not the JSON text of an object, or one that servers may read in two ways.
const JSON: &str = "json";
/// The list has more than [`CALLS_MAX`] items.
const MANY: &str = "many";
/// Nothing is there, and the tool has a default for it.
const DEFAULT: &str = "default";
/// The call of a tool that finds others is to run as a task.
const TASK: &str = "task";
/// The inner tool calls other tools itself, or finds them in a result that would come as another's.
const NESTED: &str = "nested";

/// Where the result of a tool has a list of tools, if it is one that finds tools.
pub(super) fn results(tool: &str, options: &DecodeOptions) -> Option<FoundPaths> {
    let known = options.indirect.as_deref().unwrap_or_default();
    let indirect = known.iter().find(|one| one.is_meant_by(tool))?;
    indirect.results.clone()
}

/// Reads the calls that a call of a tool makes: none if it is no tool that makes any. What a tool
/// finds as a task would come as the result of another request, so such a call is a fault too.
///
/// # Errors
/// If some server could make another call than is read here.
pub(super) fn inner_calls<'a>(
    tool: &str,
    arguments: Option<&Value<'a>>,
    is_task: bool,
    options: &DecodeOptions,
) -> Result<Vec<InnerCall<'a>>, InnerFault> {
    let known = options.indirect.as_deref().unwrap_or_default();
    let indirect = known.iter().find(|one| one.is_meant_by(tool));
    if is_task && indirect.is_some_and(|one| one.results.is_some()) {
        return Err(InnerFault::new(String::new(), TASK));
    }
    let Some(paths) = indirect.and_then(|one| one.inner.as_ref()) else {
        return Ok(Vec::new());
    };
    let mut reading = Reading {
        paths,
        known,
        options,
        values_left: options.json_values_max,
    };
    let nothing = Value::Map(Vec::new());
    let arguments = arguments.unwrap_or(&nothing);
    let Some(path) = &paths.calls else {
        return Ok(vec![reading.call(arguments, "")?]);
    };
    let place = pointer("", path);
    let fault = |kind| Err(InnerFault::new(place.clone(), kind));
    let items = match argument(arguments, path) {
        Err(_) => return fault(UNCLEAR),
        Ok(None | Some(Value::Null)) => return fault(MISSING),
        Ok(Some(Value::List(items))) => items,
        Ok(Some(_)) => return fault(TYPE),
    };
    if items.is_empty() {
        return fault(EMPTY);
    }
    if items.len() > CALLS_MAX {
        return fault(MANY);
    }
    let items = items.iter().enumerate();
    items
        .map(|(at, item)| reading.call(item, &format!("{place}/{at}")))
        .collect()
}

/// One call that is read for its inner calls.
struct Reading<'o> {
    paths: &'o InnerPaths,
    /// All tools of the server that call or find others.
    known: &'o [IndirectTool],
    options: &'o DecodeOptions,
    /// How many more values and keys the JSON texts inside may have together.
    values_left: usize,
}

impl Reading<'_> {
    /// Reads the call that an object at `place` describes.
    fn call<'a>(&mut self, object: &Value<'a>, place: &str) -> Result<InnerCall<'a>, InnerFault> {
        if !matches!(object, Value::Map(_)) {
            return Err(InnerFault::new(place.to_owned(), TYPE));
        }
        let fault = |path, kind| InnerFault::new(pointer(place, path), kind);
        let paths = self.paths;
        let name = self.text(object, &paths.name);
        let mut name = name.map_err(|kind| fault(&paths.name, kind))?;
        if self.known.iter().any(|one| one.is_meant_by(&name)) {
            return Err(fault(&paths.name, NESTED));
        }
        if let Some(path) = &paths.server {
            let server = self.text(object, path).map_err(|kind| fault(path, kind))?;
            let own = qualified(&server, &name).ok_or_else(|| fault(path, UNCLEAR))?;
            if own.len() > self.options.name_bytes_max {
                return Err(fault(path, LENGTH));
            }
            name = Cow::Owned(own);
        }
        let arguments = self.arguments(object);
        Ok(InnerCall {
            name,
            arguments: arguments.map_err(|kind| fault(&paths.arguments, kind))?,
        })
    }

    /// The name at a path.
    fn text<'a>(&self, object: &Value<'a>, path: &ValuePath) -> Result<Cow<'a, str>, &'static str> {
        let name = match argument(object, path) {
            Err(_) => return Err(UNCLEAR),
            Ok(None | Some(Value::Null)) => return Err(MISSING),
            Ok(Some(Value::String(name))) => name,
            Ok(Some(_)) => return Err(TYPE),
        };
        if name.is_empty() {
            return Err(EMPTY);
        }
        if name.len() > self.options.name_bytes_max {
            return Err(LENGTH);
        }
        if self.options.may_have_lost(name) {
            return Err(TEXT);
        }
        Ok(name.clone())
    }

    fn arguments<'a>(&mut self, object: &Value<'a>) -> Result<Option<Value<'a>>, &'static str> {
        match (argument(object, &self.paths.arguments), self.paths.form) {
            (Err(_), _) => Err(UNCLEAR),
            (Ok(None | Some(Value::Null)), _) => Ok(None),
            (Ok(Some(arguments @ Value::Map(_))), _) => Ok(Some(arguments.clone())),
            // No server reads an object in it.
            (Ok(Some(Value::String(text))), InnerForm::Json) if text.is_empty() => Ok(None),
            (Ok(Some(Value::String(text))), InnerForm::Json) => self.json(text).map(Some),
            (Ok(Some(_)), _) => Err(TYPE),
        }
    }

    /// Reads a JSON text by the rules for the arguments of a body.
    fn json(&mut self, text: &str) -> Result<Value<'static>, &'static str> {
        let options = DecodeOptions {
            json_values_max: self.values_left,
            ..self.options.clone()
        };
        let mut reader = BodyReader::new(text, &options);
        let read = reader.value(ValuePlace {
            place: ObjectPlace::Arguments,
            keep: true,
            depth: 0,
        });
        self.values_left = reader.values_left();
        let is_whole = reader.is_at_end();
        match (read, reader.into_fault()) {
            (Ok(arguments @ Value::Map(_)), None) if is_whole => Ok(arguments.into_owned()),
            (_, _) => Err(JSON),
        }
    }
}

impl InnerFault {
    /// The arguments of an inner call are left out, and the outer tool declares a default for them.
    #[must_use]
    pub fn defaulted(paths: &InnerPaths) -> Self {
        InnerFault::new(pointer("", &paths.arguments), DEFAULT)
    }

    fn new(place: String, kind: &'static str) -> Self {
        InnerFault { place, kind }
    }
}

/// The place that a path leads to from another.
fn pointer(place: &str, path: &ValuePath) -> String {
    format!("{place}/{}", path.as_str().replace('.', "/"))
}
