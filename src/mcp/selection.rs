//! What a message reaches, read from its parameters.

use std::borrow::Cow;

use super::method::{Method, Selector};
use super::options::DecodeOptions;
use super::params::{Params, take};
use super::refusal::Refusal;
use super::template;
use crate::authz::Value;

/// What a message reaches, by the parameter that names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selected<'a> {
    Server,
    Tool(Cow<'a, str>),
    Prompt(Cow<'a, str>),
    Uri(Cow<'a, str>),
    /// A URI template and what it can become.
    Template {
        sent: Cow<'a, str>,
        /// With the known variables filled in, if there are any.
        known: Option<String>,
    },
    Task(Cow<'a, str>),
    Subscriptions {
        uris: Vec<Cow<'a, str>>,
        tasks: Vec<Cow<'a, str>>,
    },
    /// A method outside the table, whose resource is unknown. These are its `name`, `uri` and
    /// `taskId` where they are strings, to be compared with `Mcp-Name`.
    Unknown(Vec<Cow<'a, str>>),
}

impl Selected<'_> {
    /// The tool that is called.
    pub(super) fn tool(&self) -> Option<&str> {
        match self {
            Selected::Tool(name) => Some(name),
            Selected::Server
            | Selected::Prompt(_)
            | Selected::Uri(_)
            | Selected::Template { .. }
            | Selected::Task(_)
            | Selected::Subscriptions { .. }
            | Selected::Unknown(_) => None,
        }
    }
}

/// Reads what the method reaches.
pub(super) fn select<'a>(
    entry: Option<&Method>,
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let Some(entry) = entry else {
        return select_unknown(params, options);
    };
    Ok(match entry.selector {
        Selector::None => Selected::Server,
        Selector::Tool => Selected::Tool(check_name(text(params, "name")?, options)?),
        Selector::Prompt => Selected::Prompt(check_name(text(params, "name")?, options)?),
        Selector::Uri => Selected::Uri(check_uri(text(params, "uri")?, options)?),
        Selector::Task => Selected::Task(check_name(text(params, "taskId")?, options)?),
        Selector::Reference => select_reference(params, options)?,
        Selector::Subscriptions => select_subscriptions(params, options)?,
    })
}

/// Reads the arguments of the call. `arguments` has the same form for every method.
pub(super) fn arguments<'a>(
    entry: Option<&Method>,
    params: &mut Params<'a>,
) -> Result<Option<Value<'a>>, Refusal> {
    let own = object_or_null(take(params, "arguments"))?;
    let Some(entry) = entry else {
        return Ok(own);
    };
    match entry.selector {
        Selector::Tool | Selector::Prompt => Ok(own),
        Selector::Reference => match object_or_null(take(params, "context"))? {
            Some(Value::Map(mut context)) => object_or_null(take(&mut context, "arguments")),
            Some(_) | None => Ok(None),
        },
        Selector::None | Selector::Uri | Selector::Task | Selector::Subscriptions => Ok(None),
    }
}

/// Reads what is answered to the server, for any method.
pub(super) fn input<'a>(params: &mut Params<'a>) -> Result<Option<Value<'a>>, Refusal> {
    object_or_null(take(params, "inputResponses")).map_err(|_| Refusal::ParamsInvalid)
}

/// Checks a method, name or task id against its limit.
pub(super) fn check_name<'a>(
    name: Cow<'a, str>,
    options: &DecodeOptions,
) -> Result<Cow<'a, str>, Refusal> {
    if name.len() > options.name_bytes_max {
        return Err(Refusal::NameTooLong);
    }
    check_lossy(name, options)
}

fn check_uri<'a>(uri: Cow<'a, str>, options: &DecodeOptions) -> Result<Cow<'a, str>, Refusal> {
    if uri.len() > options.uri_bytes_max {
        return Err(Refusal::UriTooLong);
    }
    check_lossy(uri, options)
}

fn check_lossy<'a>(text: Cow<'a, str>, options: &DecodeOptions) -> Result<Cow<'a, str>, Refusal> {
    if options.may_have_lost(&text) {
        return Err(Refusal::LossyText);
    }
    Ok(text)
}

fn text<'a>(params: &mut Params<'a>, key: &str) -> Result<Cow<'a, str>, Refusal> {
    match take(params, key) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Unsound(_)) => Err(Refusal::InvalidJson),
        Some(_) => Err(Refusal::SelectorNotString),
        None => Err(Refusal::SelectorMissing),
    }
}

fn select_unknown<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut names = Vec::new();
    for key in ["name", "taskId", "uri"] {
        match take(params, key) {
            Some(Value::String(text)) if key == "uri" => names.push(check_uri(text, options)?),
            Some(Value::String(text)) => names.push(check_name(text, options)?),
            Some(Value::Unsound(_)) => return Err(Refusal::InvalidJson),
            Some(_) | None => {}
        }
    }
    Ok(Selected::Unknown(names))
}

fn select_reference<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut members = match take(params, "ref") {
        Some(Value::Map(members)) => members,
        Some(_) => return Err(Refusal::ReferenceInvalid),
        None => return Err(Refusal::SelectorMissing),
    };
    let kind = text(&mut members, "type")?;
    let has = |key| {
        let mut named = members.iter().filter(|(name, _)| name == key);
        named.any(|(_, value)| *value != Value::Null)
    };
    if has("name") && has("uri") {
        return Err(Refusal::ReferenceInvalid);
    }
    match kind.as_ref() {
        "ref/prompt" => Ok(Selected::Prompt(check_name(
            text(&mut members, "name")?,
            options,
        )?)),
        "ref/resource" => {
            let sent = check_uri(text(&mut members, "uri")?, options)?;
            if !sent.contains('{') {
                return Ok(Selected::Uri(sent));
            }
            let known = template::fill_in(&sent, params, options.uri_bytes_max);
            Ok(Selected::Template { sent, known })
        }
        _ => Err(Refusal::ReferenceInvalid),
    }
}

fn select_subscriptions<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut notifications = match take(params, "notifications") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Map(members)) => members,
        Some(_) => return Err(Refusal::SelectorNotString),
    };
    let uris = texts(take(&mut notifications, "resourceSubscriptions"))?;
    let tasks = texts(take(&mut notifications, "taskIds"))?;
    if uris.len().saturating_add(tasks.len()) > options.subscriptions_max {
        return Err(Refusal::TooManySubscriptions);
    }
    let uris = uris
        .into_iter()
        .map(|uri| check_uri(uri, options))
        .collect::<Result<_, _>>()?;
    let tasks = tasks
        .into_iter()
        .map(|id| check_name(id, options))
        .collect::<Result<_, _>>()?;
    Ok(Selected::Subscriptions { uris, tasks })
}

fn texts(list: Option<Value<'_>>) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let items = match list {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::List(items)) => items,
        Some(_) => return Err(Refusal::SelectorNotString),
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::String(text) => texts.push(text),
            Value::Unsound(_) => return Err(Refusal::InvalidJson),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_) => return Err(Refusal::SelectorNotString),
        }
    }
    Ok(texts)
}

fn object_or_null(value: Option<Value<'_>>) -> Result<Option<Value<'_>>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Map(members)) => Ok(Some(Value::Map(members))),
        Some(_) => Err(Refusal::ArgumentsInvalid),
    }
}
