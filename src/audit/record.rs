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
/// The most bytes that the names of deciding rules, or of arguments, may take in escaped form.
const LONG_LIST_BYTES_MAX: usize = 1536;
/// The most bytes that other names of rules may take.
const SHORT_LIST_BYTES_MAX: usize = 640;
/// How many bytes the names of arguments may take where a record has those of two calls.
const BRIEF_LIST_BYTES_MAX: usize = 520;
/// How many bytes the names of inner tools may take.
const INNER_NAMES_BYTES_MAX: usize = 256;

/// Writes one field in one form.
macro_rules! write_field {
    (text, $line:ident, $name:literal, $value:expr) => {
        $line.text($name, &$value)
    };
    (text_if, $line:ident, $name:literal, $value:expr) => {
        $line.text_if($name, $value.as_deref())
    };
    (short_text_if, $line:ident, $name:literal, $value:expr) => {
        $line.short_text_if($name, $value.as_deref())
    };
    (value, $line:ident, $name:literal, $value:expr) => {
        $line.object.value($name, &$value)
    };
    (value_if, $line:ident, $name:literal, $value:expr) => {
        $line.object.value_if($name, $value.as_ref())
    };
    (id, $line:ident, $name:literal, $value:expr) => {{
        let mut text = Uuid::encode_buffer();
        let text = $value.hyphenated().encode_lower(&mut text);
        $line.object.text($name, text);
    }};
    (long_list, $line:ident, $name:literal, $value:expr) => {
        $line.texts($name, each(&$value), LONG_LIST_BYTES_MAX)
    };
    (short_list_if_any, $line:ident, $name:literal, $value:expr) => {
        if !$value.is_empty() {
            $line.texts($name, each(&$value), SHORT_LIST_BYTES_MAX);
        }
    };
    (object_if, $line:ident, $name:literal, $value:expr) => {
        $line.object_if($name, $value.as_ref(), |of, object, is_cut| {
            of.write(object, is_cut);
        })
    };
    // What is left out while the record is written counts too.
    (cut, $line:ident, $name:literal, $value:expr) => {{
        let is_cut = *$line.is_cut;
        $line.object.value_if($name, is_cut.then_some(&true));
    }};
}

/// Declares the record from its table of fields.
macro_rules! record {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $name:literal, $form:ident;)+) => {
        /// One decision. Absent fields are left out of the line.
        #[derive(Debug, Clone, Default)]
        pub struct Record {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Record {
            /// The name of each field in a line, in the order of the line.
            pub const FIELDS: &[&str] = &[$($name),+];

            fn write_fields(&self, line: &mut Limited<'_, '_>) {
                $(write_field!($form, line, $name, self.$field);)+
            }
        }
    };
}

// Each row: the field, its type, its name in the line, and the form in which it is written. A new
// field is a row here, and the assignment where its value is known.
record! {
    /// When the check began.
    time: Timestamp = "time", value;
    /// The id, which the local reply or the upstream gets too.
    decision_id: Uuid = "decision_id", id;
    /// `x-request-id`, as Envoy set it.
    request_id: Option<String> = "request_id", text_if;
    /// The trace the check belongs to, 32 hexadecimal digits.
    trace_id: Option<String> = "trace_id", text_if;
    /// `allow`, `deny`, `challenge`, `reject` or `fail`.
    decision: &'static str = "decision", text;
    /// The stable reason code.
    reason: &'static str = "reason", text;
    /// What is at fault: the name of a claim, a header or a member, the claims that are absent, or
    /// the place of a misfit.
    detail: Option<String> = "detail", text_if;
    /// The rules that decided or allowed, in file order.
    rules: Vec<Arc<str>> = "rules", long_list;
    /// The owners and tickets of these rules, where they say so.
    rules_origins: Vec<Arc<str>> = "rules_origins", short_list_if_any;
    /// Rules that could not be evaluated.
    rules_indeterminate: Vec<Arc<str>> = "rules_indeterminate", short_list_if_any;
    /// Of a request that no rule allows, the allow rules that it misses by one selector, and which.
    rules_near: Vec<Arc<str>> = "rules_near", short_list_if_any;
    /// The revision of the policy in force.
    policy_revision: Arc<str> = "policy_revision", text;
    /// `iss` of the verified token.
    issuer: Option<Arc<str>> = "issuer", text_if;
    /// `sub` of the verified token.
    subject: Option<Arc<str>> = "subject", text_if;
    /// The key that signed the verified token of a caller who is refused all the same.
    key_id: Option<Arc<str>> = "kid", short_text_if;
    /// `aud` of a verified token that is for another audience.
    audience: Vec<Arc<str>> = "aud", short_list_if_any;
    /// What a token says of itself that was not verified.
    unverified: Option<Unverified> = "unverified", object_if;
    /// The OAuth client acting for the subject.
    agent: Option<Arc<str>> = "agent", text_if;
    /// The subject's tenant.
    tenant: Option<Arc<str>> = "tenant", text_if;
    /// The subject's groups.
    groups: Vec<Arc<str>> = "groups", short_list_if_any;
    /// Its roles.
    roles: Vec<Arc<str>> = "roles", short_list_if_any;
    /// The scopes of the token.
    scopes: Vec<Arc<str>> = "scopes", short_list_if_any;
    /// The TLS peer of Envoy: its verified name with `peers`, else the name that Envoy reports.
    peer: Option<String> = "peer", text_if;
    /// The address of the client.
    source: Option<IpAddr> = "client.address", value_if;
    /// The HTTP method.
    http_method: Cow<'static, str> = "http.request.method", text;
    /// The path, without its query.
    path: String = "url.path", text;
    /// The status of the local reply; absent when the request went to the upstream.
    status: Option<u16> = "http.response.status_code", value_if;
    /// The configured name of the MCP server.
    server: Option<Arc<str>> = "server", text_if;
    /// The JSON-RPC method; of a batch, that of the element that decided.
    method: Option<Cow<'static, str>> = "mcp.method.name", text_if;
    /// The tool, prompt, resource URI or task.
    name: Option<Arc<str>> = "name", text_if;
    /// The risk class of the tool.
    class: Option<Arc<str>> = "class", text_if;
    /// How many messages the body carried, if it was a batch.
    batch: Option<usize> = "batch", value_if;
    /// The session, hashed.
    session: Option<SessionHash> = "mcp.session.id", value_if;
    /// The protocol revision.
    protocol_version: Option<Cow<'static, str>> = "mcp.protocol.version", text_if;
    /// The names and digest of the arguments, without their values.
    arguments: Option<Arguments> = "arguments", object_if;
    /// The call that the tool makes of another tool.
    inner: Option<InnerCall> = "inner", object_if;
    /// The decision if the shadow rules counted. Present only where one of them matches.
    shadow: Option<WouldBe> = "shadow", object_if;
    /// The decision of the candidate policy. Present only where it differs.
    candidate: Option<WouldBe> = "candidate", object_if;
    /// Whether a text above is shortened already. Serialization adds what it shortens itself.
    is_cut: bool = "cut", cut;
    /// How long the check took, in seconds.
    duration_seconds: f64 = "duration_seconds", value;
}

/// What a token says of itself that nobody has proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// `iss`.
    pub issuer: Option<String>,
    /// `kid`.
    pub key_id: Option<String>,
}

impl Unverified {
    fn write(&self, object: &mut Object<'_>, is_cut: &mut bool) {
        let mut limited = Limited { object, is_cut };
        limited.short_text_if("issuer", self.issuer.as_deref());
        limited.short_text_if("kid", self.key_id.as_deref());
    }
}

/// A hypothetical decision.
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
        let mut is_cut = self.is_cut;
        let mut object = Object::begin(to);
        self.write_fields(&mut Limited {
            object: &mut object,
            is_cut: &mut is_cut,
        });
        object.end();
    }

    /// The part of client text that a record keeps: at most 256 characters, and 512 bytes in escaped
    /// form. Sets `is_cut` if the text is longer.
    #[must_use]
    pub fn text(text: &str, is_cut: &mut bool) -> String {
        kept(text, is_cut).to_owned()
    }

    /// The same, as a shared text.
    #[must_use]
    pub fn shared(text: &str, is_cut: &mut bool) -> Arc<str> {
        kept(text, is_cut).into()
    }

    /// The same for text that is mostly one of these words, which are shared and not copied.
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

/// A call that a tool makes of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerCall {
    /// The inner tool: of several, that of the call that decided, or else the first.
    pub name: Arc<str>,
    /// Its risk class.
    pub class: Option<Arc<str>>,
    /// What the arguments of that call were, without their values.
    pub arguments: Option<Arguments>,
    /// The inner tools of all calls, in their order, where there are several.
    pub names: Vec<Arc<str>>,
}

impl InnerCall {
    fn write(&self, object: &mut Object<'_>, is_cut: &mut bool) {
        let mut limited = Limited { object, is_cut };
        limited.text("name", &self.name);
        limited.text_if("class", self.class.as_deref());
        limited.object_if("arguments", self.arguments.as_ref(), Arguments::write);
        if !self.names.is_empty() {
            limited.texts("names", each(&self.names), INNER_NAMES_BYTES_MAX);
        }
    }
}

/// The arguments of a call as evidence: their names, and a digest that equal calls share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Top-level names in sorted order, at most 64, and as many as fit.
    pub names: ArgumentNames,
    /// `sha256:` and the digest of the arguments as JSON without white space, members sorted by
    /// name at every depth.
    pub digest: json::Digest,
    /// How many bytes the names may take as they are written.
    names_bytes_max: usize,
}

impl Arguments {
    fn write(&self, object: &mut Object<'_>, is_cut: &mut bool) {
        *is_cut |= self.names.is_cut;
        let mut limited = Limited { object, is_cut };
        limited.texts("names", self.names.iter(), self.names_bytes_max);
        object.value("digest", &self.digest);
    }

    /// Describes the arguments of a call.
    #[must_use]
    pub fn of(arguments: &Value<'_>) -> Self {
        Arguments::within(arguments, LONG_LIST_BYTES_MAX)
    }

    /// The same, with fewer names, for a record with the arguments of two calls.
    #[must_use]
    pub fn brief(arguments: &Value<'_>) -> Self {
        Arguments::within(arguments, BRIEF_LIST_BYTES_MAX)
    }

    fn within(arguments: &Value<'_>, names_bytes_max: usize) -> Self {
        let names = match arguments {
            Value::Map(members) => {
                ArgumentNames::of(members.iter().map(|(name, _)| &**name).collect())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::List(_) => ArgumentNames::default(),
        };
        Arguments {
            names,
            digest: json::Digest::of(arguments),
            names_bytes_max,
        }
    }
}

/// Names in one allocation, each shortened to what a record keeps.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ArgumentNames {
    text: String,
    /// The end of each name in `text`.
    ends: Vec<usize>,
    /// Whether names were left out or shortened.
    is_cut: bool,
}

impl ArgumentNames {
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
        ArgumentNames { text, ends, is_cut }
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

impl fmt::Debug for ArgumentNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

/// A hashed session id: it joins records, and cannot be used as a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionHash([u8; 8]);

impl SessionHash {
    /// Hashes an id in its form on the wire.
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
