//! Decodes a body to one JSON-RPC message or a batch.
//!
//! The members of a message are gathered first and judged at the end of the body, because they may
//! stand in any order. Unknown members of the message are checked like everything else and then
//! ignored, because no server gives them a meaning.

use std::borrow::Cow;
use std::collections::HashSet;

use super::envelope::{Draft, Gathered};
use super::id::Id;
use super::inner_calls::{inner_calls, results};
use super::message::{INITIALIZE, Message, MessageKind, Payload};
use super::method::{Method, find};
use super::options::DecodeOptions;
use super::params::take;
use super::place::META_PROTOCOL_VERSION;
use super::reader::BodyReader;
use super::refusal::Refusal;
use super::selection::{Selected, arguments, check_name, input, select};
use crate::authz::Value;
use crate::json::Syntax;

/// A refused body, with what was readable in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedBody<'a> {
    /// The reason.
    pub refusal: Refusal,
    /// The id to reply with, as far as the body was read. Absent if the body is not JSON or is a
    /// batch, or if the id is missing, invalid or duplicated.
    pub id: Option<Id<'a>>,
    /// The method for the audit record: present if it was read exactly once, as a string within its
    /// limit. Never present for a batch.
    pub method: Option<Cow<'a, str>>,
}

/// Reads a body.
///
/// # Errors
/// The [`Refusal`], with the id and the method as far as they are certain. Where several apply, a
/// body that is not JSON or has too many values comes first, then the first fault of keys and
/// depth, then the envelope.
pub fn decode<'a>(body: &'a [u8], options: &DecodeOptions) -> Result<Payload<'a>, RefusedBody<'a>> {
    // The text before an encoding fault is read anyway, because it may name the method.
    let utf8 = std::str::from_utf8(body);
    let text = utf8.unwrap_or_else(|_| {
        let first = body.utf8_chunks().next();
        first.map_or("", |chunk| chunk.valid())
    });
    let mut reader = BodyReader::new(text, options);
    let mut gathered = Gathered::Nothing;
    let read = gathered.read(&mut reader);
    let refusal = if text.starts_with(BYTE_ORDER_MARK) {
        Some(Refusal::Bom)
    } else if utf8.is_err() {
        Some(Refusal::NotUtf8)
    } else {
        match read {
            Err(Syntax::Incomplete) => Some(Refusal::IncompleteJson),
            Err(Syntax::Invalid) => Some(Refusal::InvalidJson),
            Err(Syntax::TooMany) => Some(Refusal::TooManyValues),
            Ok(()) if !reader.is_at_end() => Some(Refusal::TrailingData),
            Ok(()) => reader.into_fault(),
        }
    };
    match (refusal, gathered) {
        (Some(refusal), Gathered::One(draft)) => Err(draft.refuse(refusal, options)),
        (Some(refusal), Gathered::Nothing | Gathered::Many(_)) => Err(refuse_unknown(refusal)),
        (None, Gathered::Nothing) => Err(refuse_unknown(Refusal::NotAnObject)),
        (None, Gathered::One(mut draft)) => match draft.judge(options) {
            Ok(message) => Ok(Payload::One(message)),
            Err(refusal) => Err(draft.refuse(refusal, options)),
        },
        (None, Gathered::Many(drafts)) => judge_batch(drafts, options)
            .map(Payload::Batch)
            .map_err(refuse_unknown),
    }
}

impl<'a> Draft<'a> {
    fn judge(&mut self, options: &DecodeOptions) -> Result<Message<'a>, Refusal> {
        if self.jsonrpc.as_ref().and_then(Value::as_str) != Some("2.0") {
            return Err(Refusal::JsonrpcVersion);
        }
        if self.method.is_none() {
            return self.judge_response();
        }
        // Serializers that leave nothing out write an error of null. Every reader takes the message
        // for the call that it is, but some take any `result` for that of a response.
        if self.result.is_some() || self.has_error() {
            return Err(Refusal::MethodWithResult);
        }
        let method = match &self.method {
            Some(Value::String(method)) => method,
            Some(Value::Unsound(_)) => return Err(Refusal::InvalidJson),
            Some(_) | None => return Err(Refusal::MethodNotString),
        };
        let method = check_name(method.clone(), options)?;
        if RESERVED_METHODS.contains(&method.as_ref()) {
            return Err(Refusal::MethodReserved);
        }
        let kind = match self.id.map(Id::parse).transpose()? {
            Some((id, _)) => MessageKind::Request { id },
            None => MessageKind::Notification,
        };
        let entry = find(&method);
        if kind == MessageKind::Notification && entry.is_some_and(Method::needs_id) {
            return Err(Refusal::IdMissing);
        }
        let mut params = match self.params.take() {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Map(members)) => members,
            Some(_) => return Err(Refusal::ParamsInvalid),
        };
        let meta = meta(&mut params)?;
        let is_modern = meta
            .as_ref()
            .is_some_and(|meta| meta.member(META_PROTOCOL_VERSION).is_some());
        let selected = if is_modern && entry.is_some_and(|entry| entry.reaches_nothing(&params)) {
            Selected::Server
        } else {
            select(entry, &mut params, options)?
        };
        let arguments = arguments(entry, &mut params)?;
        let is_task = take(&mut params, "task").is_some();
        let inner = selected.tool().map_or(Ok(Vec::new()), |tool| {
            inner_calls(tool, arguments.as_ref(), is_task, options)
        });
        let input = input(&mut params)?;
        let proposed_version = match take(&mut params, "protocolVersion") {
            Some(Value::String(version)) if method == INITIALIZE => Some(version),
            Some(Value::Unsound(_)) if method == INITIALIZE => return Err(Refusal::InvalidJson),
            Some(_) if method == INITIALIZE => return Err(Refusal::ProtocolVersionInvalid),
            Some(_) | None => None,
        };
        Ok(Message {
            kind,
            method,
            entry,
            arguments,
            input,
            meta,
            proposed_version,
            is_task,
            results: selected.tool().and_then(|tool| results(tool, options)),
            selected,
            inner,
        })
    }

    /// Whether there is an `error` that is one. An error of null is none.
    fn has_error(&self) -> bool {
        self.error
            .as_ref()
            .is_some_and(|error| *error != Value::Null)
    }

    /// Judges a response. A result of null is one without content, and beside an error it is none, as
    /// an error of null is beside a result.
    fn judge_response(&mut self) -> Result<Message<'a>, Refusal> {
        let outcome = match (&self.result, &self.error) {
            (None, None | Some(Value::Null)) => return Err(Refusal::MethodMissing),
            (Some(outcome), None | Some(Value::Null))
            | (None | Some(Value::Null), Some(outcome)) => outcome,
            (Some(_), Some(_)) => return Err(Refusal::ResponseMalformed),
        };
        let has_params = self
            .params
            .as_ref()
            .is_some_and(|params| *params != Value::Null);
        if !matches!(outcome, Value::Map(_) | Value::Null) || has_params {
            return Err(Refusal::ResponseMalformed);
        }
        let lexeme = self.id.ok_or(Refusal::ResponseMalformed)?;
        let (id, _) = Id::parse(lexeme)?;
        let result = self.result.take().filter(|it| *it != Value::Null);
        Ok(Message {
            kind: MessageKind::Response { id },
            method: Cow::Borrowed(RESPONSE),
            entry: None,
            arguments: None,
            input: result.map(|result| Value::Map(vec![(Cow::Borrowed(RESULT), result)])),
            meta: None,
            proposed_version: None,
            is_task: false,
            selected: Selected::Server,
            inner: Ok(Vec::new()),
            results: None,
        })
    }

    /// Keeps the id and the method as far as they are certain. After a syntax error the rest of the
    /// sender's intent is unknown, so there is no id (JSON-RPC 2.0 §5: null).
    fn refuse(self, refusal: Refusal, options: &DecodeOptions) -> RefusedBody<'a> {
        let is_json = !matches!(
            refusal,
            Refusal::NotUtf8
                | Refusal::Bom
                | Refusal::InvalidJson
                | Refusal::IncompleteJson
                | Refusal::TrailingData
        );
        let is_response = self.method.is_none() && (self.result.is_some() || self.error.is_some());
        let id = if is_json && !self.id_is_unsure && !is_response {
            self.id.and_then(Id::new)
        } else {
            None
        };
        let method = match self.method {
            Some(Value::String(method))
                if !self.method_is_unsure && method.len() <= options.name_bytes_max =>
            {
                Some(method)
            }
            Some(_) | None => None,
        };
        RefusedBody {
            refusal,
            id,
            method,
        }
    }
}

fn judge_batch<'a>(
    drafts: Vec<Draft<'a>>,
    options: &DecodeOptions,
) -> Result<Vec<Message<'a>>, Refusal> {
    if drafts.is_empty() {
        return Err(Refusal::BatchEmpty);
    }
    let mut ids = HashSet::new();
    let mut messages = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        let message = draft.judge(options)?;
        if message.method == INITIALIZE {
            return Err(Refusal::BatchInitialize);
        }
        if message.envelope_version().is_some() {
            return Err(Refusal::BatchModern);
        }
        if message.results.is_some() {
            return Err(Refusal::BatchSearch);
        }
        let is_response = match message.kind {
            MessageKind::Response { .. } => true,
            MessageKind::Request { .. } | MessageKind::Notification => false,
        };
        if let Some(Ok((_, id))) = draft.id.map(Id::parse)
            && !ids.insert((is_response, id))
        {
            return Err(Refusal::BatchDuplicateId);
        }
        messages.push(message);
    }
    Ok(messages)
}

/// `params._meta`, whose protocol version must be a string where it is present.
fn meta<'a>(params: &mut Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Option<Value<'a>>, Refusal> {
    let meta = match take(params, "_meta") {
        None | Some(Value::Null) => return Ok(None),
        Some(meta @ Value::Map(_)) => meta,
        Some(_) => return Err(Refusal::MetaInvalid),
    };
    let version = meta.member(META_PROTOCOL_VERSION);
    if matches!(version, Some(Value::Unsound(_))) {
        return Err(Refusal::InvalidJson);
    }
    if version.is_some_and(|version| version.as_str().is_none()) {
        return Err(Refusal::ProtocolVersionInvalid);
    }
    Ok(Some(meta))
}

fn refuse_unknown(refusal: Refusal) -> RefusedBody<'static> {
    RefusedBody {
        refusal,
        id: None,
        method: None,
    }
}

/// No JSON text may begin with this character (RFC 8259 §8.1).
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Stands in place of the method for a response.
const RESPONSE: &str = "response";

/// The member of a response that holds its result.
const RESULT: &str = "result";

/// What stands in place of the method where a request has none.
pub const RESERVED_METHODS: &[&str] = &["GET", "DELETE", "OPTIONS", RESPONSE];
