//! The fields of an audit record, and how they are written.
//!
//! Names follow OpenTelemetry's semantic conventions where those have one (`http.*`, `url.*`,
//! `client.address`, `mcp.*`); all others are this service's own. No field ever carries a
//! token, a secret or the value of an argument.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::authz::Value;
use crate::json::{self, Object};

/// How many argument names a record lists.
const ARGUMENT_NAMES_MAX: usize = 64;
/// How many characters of client text a field keeps.
const TEXT_CHARS_MAX: usize = 256;

/// One decision. Absent fields are left out of the line.
#[derive(Debug, Clone)]
pub struct Record {
    /// When the check began.
    pub time: Timestamp,
    /// The id that the answer and the upstream carry too.
    pub decision_id: Uuid,
    /// `x-request-id`, as Envoy set it.
    pub request_id: Option<String>,
    /// The trace the check belongs to, 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// `allow`, `deny`, `challenge`, `reject` or `fail`.
    pub decision: &'static str,
    /// The stable reason code.
    pub reason: &'static str,
    /// The rules that decided or allowed, in file order.
    pub rules: Vec<Arc<str>>,
    /// Rules that could not be evaluated.
    pub rules_indeterminate: Vec<Arc<str>>,
    /// The policy that was in force.
    pub policy_revision: Arc<str>,
    /// `iss` of the verified token.
    pub issuer: Option<Arc<str>>,
    /// `sub` of the verified token.
    pub subject: Option<Arc<str>>,
    /// The OAuth client acting for the subject.
    pub agent: Option<Arc<str>>,
    /// The subject's tenant.
    pub tenant: Option<Arc<str>>,
    /// The TLS peer of Envoy.
    pub peer: Option<String>,
    /// The address of the client.
    pub source: Option<IpAddr>,
    /// The HTTP method.
    pub http_method: Cow<'static, str>,
    /// The path, without its query.
    pub path: String,
    /// The status of the answer; absent when the request went to the upstream.
    pub status: Option<u16>,
    /// The configured name of the MCP server.
    pub server: Option<Arc<str>>,
    /// The JSON-RPC method; of a batch, that of the element that decided.
    pub method: Option<Cow<'static, str>>,
    /// The tool, prompt, resource URI or task.
    pub name: Option<Arc<str>>,
    /// The risk class of the tool.
    pub class: Option<Arc<str>>,
    /// How many messages the body carried, if it was a batch.
    pub batch: Option<usize>,
    /// The session, hashed.
    pub session: Option<SessionHash>,
    /// The protocol revision.
    pub protocol_version: Option<Cow<'static, str>>,
    /// What the arguments were, without their values.
    pub arguments: Option<Arguments>,
    /// What would be decided if the shadow rules counted; only where one of them matches.
    pub shadow: Option<WouldBe>,
    /// What the candidate policy would decide; only where it is something else.
    pub candidate: Option<WouldBe>,
    /// How long the check took, in seconds.
    pub duration_seconds: f64,
}

/// Client text as far as a record keeps it. What is that short in bytes is so in characters.
fn cut(text: &str) -> &str {
    if text.len() <= TEXT_CHARS_MAX {
        return text;
    }
    let end = text.char_indices().nth(TEXT_CHARS_MAX);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// A decision that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldBe {
    /// `allow`, `deny` or `challenge`.
    pub decision: &'static str,
    /// The reason code.
    pub reason: &'static str,
    /// The shadow rules that match, or the candidate's rules that decided.
    pub rules: Vec<Arc<str>>,
    /// The candidate policy.
    pub policy_revision: Option<Arc<str>>,
}

impl WouldBe {
    fn write(&self, object: &mut Object<'_>) {
        object.text("decision", self.decision);
        object.text("reason", self.reason);
        object.texts("rules", each(&self.rules));
        object.text_if("policy_revision", self.policy_revision.as_deref());
    }
}

fn each(texts: &[Arc<str>]) -> impl Iterator<Item = &str> {
    texts.iter().map(|text| &**text)
}

impl Record {
    /// Appends the record as a JSON object.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let Record {
            time,
            decision_id,
            request_id,
            trace_id,
            decision,
            reason,
            rules,
            rules_indeterminate,
            policy_revision,
            issuer,
            subject,
            agent,
            tenant,
            peer,
            source,
            http_method,
            path,
            status,
            server,
            method,
            name,
            class,
            batch,
            session,
            protocol_version,
            arguments,
            shadow,
            candidate,
            duration_seconds,
        } = self;
        let mut object = Object::begin(to);
        object.value("time", time);
        object.text(
            "decision_id",
            decision_id.hyphenated().encode_lower(&mut [0; 36]),
        );
        object.text_if("request_id", request_id.as_deref());
        object.text_if("trace_id", trace_id.as_deref());
        object.text("decision", decision);
        object.text("reason", reason);
        object.texts("rules", each(rules));
        if !rules_indeterminate.is_empty() {
            object.texts("rules_indeterminate", each(rules_indeterminate));
        }
        object.text("policy_revision", policy_revision);
        object.text_if("issuer", issuer.as_deref());
        object.text_if("subject", subject.as_deref());
        object.text_if("agent", agent.as_deref());
        object.text_if("tenant", tenant.as_deref());
        object.text_if("peer", peer.as_deref());
        object.value_if("client.address", source.as_ref());
        object.text("http.request.method", http_method);
        object.text("url.path", path);
        object.value_if("http.response.status_code", status.as_ref());
        object.text_if("server", server.as_deref());
        object.text_if("mcp.method.name", method.as_deref());
        object.text_if("name", name.as_deref());
        object.text_if("class", class.as_deref());
        object.value_if("batch", batch.as_ref());
        object.value_if("mcp.session.id", session.as_ref());
        object.text_if("mcp.protocol.version", protocol_version.as_deref());
        object.object_if("arguments", arguments.as_ref(), Arguments::write);
        object.object_if("shadow", shadow.as_ref(), WouldBe::write);
        object.object_if("candidate", candidate.as_ref(), WouldBe::write);
        object.value("duration_seconds", duration_seconds);
        object.end();
    }

    /// Client text as far as a record keeps it.
    #[must_use]
    pub fn text(text: &str) -> String {
        cut(text).to_owned()
    }

    /// The same, to be shared.
    #[must_use]
    pub fn shared(text: &str) -> Arc<str> {
        cut(text).into()
    }

    /// The same of text that is mostly one of these words, which then are not copied.
    #[must_use]
    pub fn word(text: &str, known: &[&'static str]) -> Cow<'static, str> {
        match known.iter().find(|word| **word == text) {
            Some(word) => Cow::Borrowed(word),
            None => Cow::Owned(Record::text(text)),
        }
    }
}

/// The arguments of a call as evidence: which there were, and a digest that two equal calls
/// share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Top-level names in sorted order, at most 64.
    pub names: Names,
    /// `sha256:` and the digest of the arguments as JSON without white space, members sorted by
    /// name at every depth.
    pub digest: json::Digest,
}

impl Arguments {
    fn write(&self, object: &mut Object<'_>) {
        object.texts("names", self.names.iter());
        object.value("digest", &self.digest);
    }

    /// Describes the arguments of a call.
    #[must_use]
    pub fn of(arguments: &Value<'_>) -> Self {
        let names = match arguments {
            Value::Map(members) => Names::of(members.iter().map(|(name, _)| &**name).collect()),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => Names::default(),
        };
        Arguments {
            names,
            digest: json::Digest::of(arguments),
        }
    }
}

/// Names, each as far as a record keeps it, in one text instead of many.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Names {
    text: String,
    /// Where in `text` each ends.
    ends: Vec<usize>,
}

impl Names {
    fn of(mut names: Vec<&str>) -> Self {
        names.sort_unstable();
        names.truncate(ARGUMENT_NAMES_MAX);
        let length = names.iter().map(|name| name.len().min(TEXT_CHARS_MAX));
        let mut text = String::with_capacity(length.sum());
        let add = |name| {
            text.push_str(cut(name));
            text.len()
        };
        let ends = names.into_iter().map(add).collect();
        Names { text, ends }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let name = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            name
        })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

/// A session id as evidence shows it: enough to join records, not enough to use the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionHash([u8; 8]);

impl SessionHash {
    /// Hashes an id as it is on the wire.
    #[must_use]
    pub fn of(session: &str) -> Self {
        let digest = digest(&SHA256, session.as_bytes());
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        SessionHash(short)
    }
}

impl Serialize for SessionHash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(json::hex(&self.0, &mut [0; 16]))
    }
}
