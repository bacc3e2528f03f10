//! The JSON-RPC envelope: one body to one message or a batch, under the parsing rules of
//! `src/mcp/README.md`.
//!
//! The members of the envelope are gathered first and judged when the body is at its end, since
//! they may stand in any order. Unknown members of the envelope are checked like everything else
//! and then ignored: no server gives them a meaning.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::envelope::{Draft, Gathered};
use super::json::{META_PROTOCOL_VERSION, Reader, Syntax};
use super::refusal::{Refusal, RefusedBody};
use super::target::{self, Method, Selected};
use crate::authz::Value;

/// What [`decode`] accepts; the names are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeOptions {
    /// How deep arrays and objects may be nested, the message itself and a batch included.
    /// A value above 126 acts as 126.
    pub json_depth_max: usize,
    /// How many values and keys the body may have, whatever they belong to: each scalar, array,
    /// object and key of a member is one, the message itself and a batch included.
    pub json_values_max: usize,
    /// The length of a method, a tool's or prompt's name and a task id, in bytes after unescaping.
    pub name_bytes_max: usize,
    /// The length of a URI, in bytes after unescaping.
    pub uri_bytes_max: usize,
    /// How many elements a batch may have; 0 refuses batches.
    pub batch_max: usize,
    /// How many URIs and tasks together one `subscriptions/listen` may name.
    pub subscriptions_max: usize,
    /// Whether keys inside `arguments` may differ only in case (`fold_arguments: accept`). Equal
    /// keys are refused all the same.
    pub accept_folded_arguments: bool,
    /// Whether the body came as a string in which something stands for lost bytes: `!` where Envoy
    /// made it, U+FFFD where others did.
    pub lossy: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            json_depth_max: 64,
            json_values_max: 20_000,
            name_bytes_max: 256,
            uri_bytes_max: 8 * 1024,
            batch_max: 0,
            subscriptions_max: 256,
            accept_folded_arguments: false,
            lossy: false,
        }
    }
}

impl DecodeOptions {
    /// Whether bytes of a text may have been lost.
    pub(super) fn may_have_lost(&self, text: &str) -> bool {
        self.lossy && text.contains(['!', char::REPLACEMENT_CHARACTER])
    }
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every body is one message, and a box would cost each an allocation"
)]
pub enum Payload<'a> {
    /// One message.
    One(Message<'a>),
    /// A batch; never empty, without `initialize`, without modern messages, ids unique.
    Batch(Vec<Message<'a>>),
}

impl<'a> Payload<'a> {
    /// The messages, in order.
    #[must_use]
    pub fn messages(&self) -> &[Message<'a>] {
        match self {
            Payload::One(message) => std::slice::from_ref(message),
            Payload::Batch(messages) => messages,
        }
    }
}

/// One JSON-RPC message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Request, notification or response.
    pub kind: Kind<'a>,
    /// The method as written, unescaped; `response` for a response.
    pub method: Cow<'a, str>,
    /// The table's entry for the method. Absent for a method outside it and for a response.
    pub entry: Option<&'static Method>,
    /// What is called with: `arguments` of `tools/call`, `prompts/get` and of methods outside the
    /// table, `context.arguments` of `completion/complete`. Always an object; null is absent.
    pub arguments: Option<Value<'a>>,
    /// What a user or client answers to the server: `params.inputResponses` (2026-07-28), by the keys
    /// that the server chose; of a response the member `result`. Always an object; null is absent.
    pub input: Option<Value<'a>>,
    /// `params._meta`, always an object.
    pub meta: Option<Value<'a>>,
    /// `params.protocolVersion` of `initialize`: a proposal, not yet what is spoken.
    pub proposed_version: Option<Cow<'a, str>>,
    /// Whether the call is asked to run as a task, by `params.task` (2025-11-25).
    pub is_task: bool,
    /// What the method reaches.
    pub(super) selected: Selected<'a>,
}

impl Message<'_> {
    /// Whether the answer to the message may create a task: the call asks for one, or its client
    /// says that it understands them (extension `io.modelcontextprotocol/tasks`).
    #[must_use]
    pub fn may_create_task(&self) -> bool {
        let capabilities = || self.meta.as_ref()?.member(META_CLIENT_CAPABILITIES);
        let extension = || {
            capabilities()?
                .member("extensions")?
                .member(TASKS_EXTENSION)
        };
        self.method == TOOLS_CALL && (self.is_task || extension().is_some())
    }

    /// The protocol version in `_meta`, which makes a message modern.
    #[must_use]
    pub fn envelope_version(&self) -> Option<&str> {
        self.meta.as_ref()?.member(META_PROTOCOL_VERSION)?.as_str()
    }
}

/// What form a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Wants an answer with this id.
    Request {
        /// The id to answer with.
        id: Id<'a>,
    },
    /// Wants none.
    Notification,
    /// Answers a request of the server.
    Response {
        /// The server's id.
        id: Id<'a>,
    },
}

impl<'a> Kind<'a> {
    /// The id to answer with, if an answer is wanted.
    #[must_use]
    pub fn answer_id(&self) -> Option<Id<'a>> {
        match self {
            Kind::Request { id } => Some(*id),
            Kind::Notification | Kind::Response { .. } => None,
        }
    }
}

/// An id as it was written: the JSON text of a string of at most 256 bytes between its quotes, or
/// of an integer of at most 2^53−1.
///
/// INVARIANT: made only here, from checked JSON, so it may be put into JSON as it is.
/// `-0`, `1.0` and `1e3` are refused: no server repeats them as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// The JSON text, byte for byte, with the quotes of a string.
    #[must_use]
    pub fn lexeme(&self) -> &'a str {
        self.0
    }

    /// An id from its JSON text, if that is one.
    #[must_use]
    pub fn new(lexeme: &'a str) -> Option<Self> {
        Self::parse(lexeme).ok().map(|(id, _)| id)
    }

    /// What the id is to servers that keep ids as texts or numbers: of a text that spells an
    /// integer, the integer, so that `7`, `"7"`, `"07"`, `"7.0"` and `" 0x7 "` are one.
    #[must_use]
    pub fn folded(&self) -> String {
        match Self::parse(self.0) {
            Ok((_, IdValue::Text(text))) => match spelled_integer(&text) {
                Some(number) => number.to_string(),
                // No number has a quote.
                None => format!("\"{text}"),
            },
            Ok((_, IdValue::Number(number))) => number.to_string(),
            Err(_) => self.0.to_owned(),
        }
    }

    fn parse(lexeme: &'a str) -> Result<(Self, IdValue), Refusal> {
        let value = if lexeme.starts_with('"') {
            // Answers repeat it as it is written, so that is what counts.
            if lexeme.len() > ID_BYTES_MAX.saturating_add(r#""""#.len()) {
                return Err(Refusal::IdTooLong);
            }
            let text = serde_json::from_str(lexeme);
            IdValue::Text(text.map_err(|_| Refusal::IdInvalid)?)
        } else {
            let number: i64 = lexeme.parse().map_err(|_| Refusal::IdInvalid)?;
            let is_plain = lexeme.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            if !is_plain || lexeme == "-0" || number.unsigned_abs() > SAFE_INTEGER_MAX {
                return Err(Refusal::IdInvalid);
            }
            IdValue::Number(number)
        };
        Ok((Self(lexeme), value))
    }
}

/// The integer that some server reads of a text, as Python's `int` and `JavaScript`'s `Number` do.
/// Larger ones stay texts: rounded, different ids would be one.
fn spelled_integer(text: &str) -> Option<i64> {
    const LONGEST: usize = 32;
    if text.len() > LONGEST {
        return None;
    }
    let text = text.trim().replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let based = radixes.iter().find_map(|(prefix, radix)| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(digits, *radix).ok()
    });
    let number = match based {
        Some(number) => number,
        // A fraction of zeros, as in `7.0`.
        None => match digits.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            Some(_) | None => digits,
        }
        .parse()
        .ok()?,
    };
    let is_safe = number >= 0 && number.unsigned_abs() <= SAFE_INTEGER_MAX;
    is_safe
        .then_some(number)
        .and_then(|number: i64| number.checked_mul(sign))
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads a body.
///
/// # Errors
/// The [`Refusal`], with the id and the method as far as they are sure. Where several apply, a
/// body that is no JSON or has too many values comes first, then the first fault of keys and
/// depth, then the envelope.
pub fn decode<'a>(body: &'a [u8], options: &DecodeOptions) -> Result<Payload<'a>, RefusedBody<'a>> {
    // What comes before a fault in the encoding is read all the same: it may name the method.
    let utf8 = std::str::from_utf8(body);
    let text = utf8.unwrap_or_else(|_| {
        let first = body.utf8_chunks().next();
        first.map_or("", |chunk| chunk.valid())
    });
    let mut reader = Reader::new(text, options);
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
        if self.result.is_some() || self.error.is_some() {
            return Err(Refusal::MethodWithResult);
        }
        let Some(Value::String(method)) = &self.method else {
            return Err(Refusal::MethodNotString);
        };
        let method = target::check_name(method.clone(), options)?;
        if RESERVED_METHODS.contains(&method.as_ref()) {
            return Err(Refusal::MethodReserved);
        }
        let kind = match self.id.map(Id::parse).transpose()? {
            Some((id, _)) => Kind::Request { id },
            None => Kind::Notification,
        };
        let entry = target::find(&method);
        if kind == Kind::Notification && entry.is_some_and(Method::needs_id) {
            return Err(Refusal::IdMissing);
        }
        let mut params = match self.params.take() {
            None => Vec::new(),
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
            target::select(entry, &mut params, options)?
        };
        let arguments = target::arguments(entry, &mut params)?;
        let input = target::input(&mut params)?;
        let proposed_version = match target::take(&mut params, "protocolVersion") {
            Some(Value::String(version)) if method == INITIALIZE => Some(version),
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
            is_task: target::take(&mut params, "task").is_some(),
            selected,
        })
    }

    fn judge_response(&mut self) -> Result<Message<'a>, Refusal> {
        let outcome = match (&self.result, &self.error) {
            (None, None) => return Err(Refusal::MethodMissing),
            (Some(_), Some(_)) => return Err(Refusal::ResponseMalformed),
            (Some(outcome), None) | (None, Some(outcome)) => outcome,
        };
        if !matches!(outcome, Value::Map(_)) || self.params.is_some() {
            return Err(Refusal::ResponseMalformed);
        }
        let lexeme = self.id.ok_or(Refusal::ResponseMalformed)?;
        let (id, _) = Id::parse(lexeme)?;
        let result = self.result.take();
        Ok(Message {
            kind: Kind::Response { id },
            method: Cow::Borrowed(RESPONSE),
            entry: None,
            arguments: None,
            input: result.map(|result| Value::Map(vec![(Cow::Borrowed(RESULT), result)])),
            meta: None,
            proposed_version: None,
            is_task: false,
            selected: Selected::Server,
        })
    }

    /// Keeps the id and the method as far as they are sure. After a syntax error nobody can say
    /// what else the sender meant, so there is no id (JSON-RPC 2.0 §5: null).
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
        let is_response = match message.kind {
            Kind::Response { .. } => true,
            Kind::Request { .. } | Kind::Notification => false,
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
    let Some(meta) = target::take(params, "_meta") else {
        return Ok(None);
    };
    if !matches!(meta, Value::Map(_)) {
        return Err(Refusal::MetaInvalid);
    }
    let version = meta.member(META_PROTOCOL_VERSION);
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

/// The value of an id, to compare ids that are spelled differently.
#[derive(Debug, PartialEq, Eq, Hash)]
enum IdValue {
    Number(i64),
    Text(String),
}

/// What no JSON text may begin with (RFC 8259 §8.1).
const BYTE_ORDER_MARK: char = '\u{feff}';
/// What a response is called where a method is asked for.
const RESPONSE: &str = "response";
/// What the answer in a response is called.
const RESULT: &str = "result";
const TOOLS_CALL: &str = "tools/call";
const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";
const INITIALIZE: &str = "initialize";
const RESERVED_METHODS: &[&str] = &["GET", "DELETE", "OPTIONS", RESPONSE];
/// The longest id that is a string, in bytes as it is written between its quotes.
const ID_BYTES_MAX: usize = 256;
/// 2^53−1: beyond it, a JavaScript server answers another number.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
