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

use super::cut::{Limited, cut};
use crate::authz::Value;
use crate::json::{self, Object};

/// How many argument names a record lists.
const ARGUMENT_NAMES_MAX: usize = 64;
/// How many bytes the names of rules that decided, or of arguments, may take as they are written.
const LONG_LIST_BYTES_MAX: usize = 2048;
/// How many bytes other names of rules may take.
const SHORT_LIST_BYTES_MAX: usize = 640;

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
    /// The TLS peer of Envoy: who it proved to be where it has to, else who Envoy says.
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
    /// Whether some text of the above is less than what was sent. What is left out only as the
    /// record is written counts besides.
    pub is_cut: bool,
    /// How long the check took, in seconds.
    pub duration_seconds: f64,
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
    fn write(&self, object: &mut Object<'_>, is_cut: &mut bool) {
        object.text("decision", self.decision);
        object.text("reason", self.reason);
        let mut limited = Limited { object, is_cut };
        limited.texts("rules", each(&self.rules), SHORT_LIST_BYTES_MAX);
        limited.text_if("policy_revision", self.policy_revision.as_deref());
    }
}

fn each(texts: &[Arc<str>]) -> impl Iterator<Item = &str> {
    texts.iter().map(|text| &**text)
}

impl Record {
    /// Appends the record as a JSON object of less than [`super::LINE_BYTES_MAX`].
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let Record {
            time: _,
            decision_id: _,
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
            arguments: _,
            shadow: _,
            candidate: _,
            is_cut,
            duration_seconds,
        } = self;
        let mut is_cut = *is_cut;
        let mut whole = Object::begin(to);
        self.write_begin(&mut whole);
        let mut object = Limited {
            object: &mut whole,
            is_cut: &mut is_cut,
        };
        object.text_if("request_id", request_id.as_deref());
        object.text_if("trace_id", trace_id.as_deref());
        object.text("decision", decision);
        object.text("reason", reason);
        object.texts("rules", each(rules), LONG_LIST_BYTES_MAX);
        if !rules_indeterminate.is_empty() {
            let rules = each(rules_indeterminate);
            object.texts("rules_indeterminate", rules, SHORT_LIST_BYTES_MAX);
        }
        object.text("policy_revision", policy_revision);
        object.text_if("issuer", issuer.as_deref());
        object.text_if("subject", subject.as_deref());
        object.text_if("agent", agent.as_deref());
        object.text_if("tenant", tenant.as_deref());
        object.text_if("peer", peer.as_deref());
        object.object.value_if("client.address", source.as_ref());
        object.text("http.request.method", http_method);
        object.text("url.path", path);
        let status = status.as_ref();
        object.object.value_if("http.response.status_code", status);
        object.text_if("server", server.as_deref());
        object.text_if("mcp.method.name", method.as_deref());
        object.text_if("name", name.as_deref());
        object.text_if("class", class.as_deref());
        object.object.value_if("batch", batch.as_ref());
        object.object.value_if("mcp.session.id", session.as_ref());
        object.text_if("mcp.protocol.version", protocol_version.as_deref());
        self.write_objects(&mut whole, is_cut);
        whole.value("duration_seconds", duration_seconds);
        whole.end();
    }

    fn write_begin(&self, whole: &mut Object<'_>) {
        let mut id = [0; 36];
        let id = self.decision_id.hyphenated().encode_lower(&mut id);
        whole.value("time", &self.time);
        whole.text("decision_id", id);
    }

    /// Adds what is an object itself, and whether anything is left out.
    fn write_objects(&self, whole: &mut Object<'_>, mut is_cut: bool) {
        whole.object_if("arguments", self.arguments.as_ref(), |arguments, object| {
            arguments.write(object, &mut is_cut);
        });
        for (name, would_be) in [("shadow", &self.shadow), ("candidate", &self.candidate)] {
            whole.object_if(name, would_be.as_ref(), |would_be, object| {
                would_be.write(object, &mut is_cut);
            });
        }
        whole.value_if("cut", is_cut.then_some(&true));
    }

    /// Client text as far as a record keeps it: at most 256 characters, and 512 bytes as it is
    /// written. `is_cut` becomes true where that is not all of it.
    #[must_use]
    pub fn text(text: &str, is_cut: &mut bool) -> String {
        kept(text, is_cut).to_owned()
    }

    /// The same, to be shared.
    #[must_use]
    pub fn shared(text: &str, is_cut: &mut bool) -> Arc<str> {
        kept(text, is_cut).into()
    }

    /// The same of text that is mostly one of these words, which then are not copied.
    #[must_use]
    pub fn word(text: &str, known: &[&'static str], is_cut: &mut bool) -> Cow<'static, str> {
        match known.iter().find(|word| **word == text) {
            Some(word) => Cow::Borrowed(word),
            None => Cow::Owned(Record::text(text, is_cut)),
        }
    }
}

fn kept<'t>(text: &'t str, is_cut: &mut bool) -> &'t str {
    let kept = cut(text);
    *is_cut |= kept.len() < text.len();
    kept
}

/// The arguments of a call as evidence: which there were, and a digest that two equal calls
/// share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Top-level names in sorted order, at most 64, and as many as fit.
    pub names: Names,
    /// `sha256:` and the digest of the arguments as JSON without white space, members sorted by
    /// name at every depth.
    pub digest: json::Digest,
}

impl Arguments {
    fn write(&self, object: &mut Object<'_>, is_cut: &mut bool) {
        *is_cut |= self.names.is_cut;
        let mut limited = Limited { object, is_cut };
        limited.texts("names", self.names.iter(), LONG_LIST_BYTES_MAX);
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
    /// Whether there were more, or longer ones.
    is_cut: bool,
}

impl Names {
    fn of(mut names: Vec<&str>) -> Self {
        names.sort_unstable();
        let mut is_cut = names.len() > ARGUMENT_NAMES_MAX;
        names.truncate(ARGUMENT_NAMES_MAX);
        for name in &mut names {
            *name = kept(name, &mut is_cut);
        }
        let mut text = String::with_capacity(names.iter().map(|name| name.len()).sum());
        let add = |name| {
            text.push_str(name);
            text.len()
        };
        let ends = names.into_iter().map(add).collect();
        Names { text, ends, is_cut }
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
