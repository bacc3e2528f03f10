//! The variables of an expression for one request. Each is built on first use.

mod missing;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::cel_value::{Unreadable, timestamp, truth};
use super::limits::{
    EXPRESSION_NESTED_BYTES_MAX, EXPRESSION_NESTED_VALUES_MAX, EXPRESSION_VALUES_MAX,
};
use super::lookup::{
    ForeignObject, Lookup, MCP_FIELDS, REQUEST_FIELDS, SOURCE_FIELDS, SUBJECT_FIELDS,
};
use crate::authz::path::{FoundValue, KeyOrigin, ValuePath, find_claim, is_left_out};
use crate::authz::peer::Peer;
use crate::authz::request::{AccessRequest, Resource};
use crate::authz::uri::{PlainUri, UriCell, UriForm};
use crate::authz::value::Value;

type Boxed<'a> = Box<dyn Val + 'a>;

/// The variables of one request. All rules evaluated for it share them, so each is built at most
/// once. An absent or too large variable is undefined, and so is one with half of a surrogate pair
/// in it; that is an error in CEL.
pub(crate) struct Variables<'a> {
    request: &'a AccessRequest<'a>,
    class: Option<&'a str>,
    uri: UriCell<'a>,
    roots: [OnceLock<Option<Boxed<'a>>>; ROOTS.len()],
}

/// The variables that are built as a whole, in the order of [`Variables::roots`].
const ROOTS: [&str; 10] = [
    "subject",
    "mcp",
    "source",
    "request",
    "args",
    "device",
    "subject.claims",
    "request.headers",
    "mcp.input",
    "mcp.meta",
];

impl<'a> Variables<'a> {
    pub(crate) fn new(request: &'a AccessRequest<'a>, class: Option<&'a str>) -> Self {
        Variables {
            request,
            class,
            uri: UriCell::default(),
            roots: Default::default(),
        }
    }

    /// Whether the arguments or the claims are too large for nested loops.
    pub(super) fn are_too_much_for_nested_loops(&self) -> bool {
        let is_too_much = |value: &Value<'_>| {
            value.count(EXPRESSION_NESTED_VALUES_MAX) > EXPRESSION_NESTED_VALUES_MAX
                || value.text_bytes() > EXPRESSION_NESTED_BYTES_MAX
        };
        let request = self.request;
        let sent = [request.arguments, request.input, request.meta];
        sent.into_iter().flatten().any(is_too_much) || is_too_much(&request.subject.claims)
    }

    /// Reads a part of the request by name, if it is present.
    pub(super) fn read<'b>(&'b self, lookup: &Lookup) -> Option<CowVal<'b, 'b>> {
        match lookup {
            Lookup::Field(record, field) => self.field(record, field).map(CowVal::Owned),
            Lookup::HasField(record, field) => {
                let is_known = !self.is_unknown(record, field);
                is_known.then(|| truth(self.has_field(record, field)))
            }
            Lookup::Header(name) => self.header(name).map(string).map(CowVal::Owned),
            Lookup::HasHeader(name) => Some(truth(self.header(name).is_some())),
            Lookup::Uri => {
                let uri = self.uri()?.to_owned();
                Some(CowVal::Owned(Box::new(uri)))
            }
            Lookup::Member(container, path) => match self.find(*container, path) {
                FoundValue::Value(member) => bounded(member).map(CowVal::Owned),
                FoundValue::Absent | FoundValue::Unclear => None,
            },
            Lookup::Has(container, path) => self.is_there(*container, path).map(truth),
            Lookup::Given(container, path) => match self.find(*container, path) {
                FoundValue::Value(member) => Some(truth(*member != Value::Null)),
                FoundValue::Absent => Some(truth(false)),
                FoundValue::Unclear => None,
            },
        }
    }

    /// The value that the client sent under a name; `None` if it sent none.
    fn sent(&self, container: ForeignObject) -> Option<&'a Value<'a>> {
        match container {
            ForeignObject::Arguments => self.request.arguments,
            ForeignObject::Input => self.request.input,
            ForeignObject::Meta => self.request.meta,
            ForeignObject::Device | ForeignObject::Claims => None,
        }
    }

    fn find(&self, container: ForeignObject, path: &ValuePath) -> FoundValue<'a, 'a> {
        match container {
            ForeignObject::Arguments | ForeignObject::Input | ForeignObject::Meta => {
                let sent = self.sent(container);
                sent.map_or(FoundValue::Absent, |sent| path.find(sent, KeyOrigin::Sent))
            }
            ForeignObject::Device => match self.request.context.device {
                Some(device) => path.find(device, KeyOrigin::Proven),
                None => FoundValue::Unclear,
            },
            ForeignObject::Claims => find_claim(&self.request.subject.claims, path),
        }
    }

    /// Whether a path is present; `None` if that is unclear.
    fn is_there(&self, container: ForeignObject, path: &ValuePath) -> Option<bool> {
        let (whole, keys) = match container {
            ForeignObject::Arguments | ForeignObject::Input | ForeignObject::Meta => {
                match self.sent(container) {
                    Some(sent) => (sent, KeyOrigin::Sent),
                    // A call without arguments has no names in them.
                    None => return (path.len() == 1).then_some(false),
                }
            }
            ForeignObject::Device => (self.request.context.device?, KeyOrigin::Proven),
            ForeignObject::Claims => (&self.request.subject.claims, KeyOrigin::Proven),
        };
        if !is_bounded(whole) {
            return None;
        }
        let left_out = container == ForeignObject::Claims && is_left_out(whole, path.as_str());
        let found = path.is_there(whole, keys)?;
        (found || !left_out).then_some(found)
    }

    /// The URI, if it can be evaluated.
    fn uri(&self) -> Option<&PlainUri<'a>> {
        match self.request.resource {
            Resource::Uri(uri) => self.uri.get(uri, self.request.context.uris),
            Resource::Server
            | Resource::Tool(_)
            | Resource::Prompt(_)
            | Resource::Template(_)
            | Resource::Task(_) => None,
        }
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        let mut headers = self.request.http.headers.iter();
        headers.find_map(|(other, value)| (other == name).then_some(&**value))
    }

    fn has_field(&self, record: &str, field: &str) -> bool {
        match (record, field) {
            ("subject", "claims") => is_bounded(&self.request.subject.claims),
            ("mcp", "arguments") => self.request.arguments.is_none_or(is_bounded),
            ("mcp", "input") => self.request.input.is_some(),
            ("mcp", "meta") => self.request.meta.is_some(),
            ("request", "headers") => true,
            _ => self.field(record, field).is_some(),
        }
    }

    /// Whether a field is neither present nor absent: its claim was left out, or the URI cannot be
    /// evaluated.
    fn is_unknown(&self, record: &str, field: &str) -> bool {
        let unknown = self.request.subject.unknown;
        match (record, field) {
            ("subject", "agent") => unknown.agent,
            ("subject", "tenant") => unknown.tenant,
            ("subject", "groups") => unknown.groups,
            ("subject", "roles") => unknown.roles,
            ("subject", "scopes") => unknown.scopes,
            ("source", "principal") => match self.request.peer {
                Peer::Absent => false,
                Peer::Unknown => true,
                Peer::Known(names) => names.principal().is_none(),
            },
            ("mcp", "uri" | "uri_folded") => {
                let is_uri = matches!(
                    self.request.resource,
                    Resource::Uri(_) | Resource::Template(_)
                );
                let is_opaque = self.request.context.uris == UriForm::Opaque;
                is_uri && (self.uri().is_none() || (is_opaque && field == "uri_folded"))
            }
            _ => false,
        }
    }

    fn root(&self, index: usize) -> Option<&(dyn Val + 'a)> {
        let name = ROOTS.get(index)?;
        let slot = self.roots.get(index)?;
        slot.get_or_init(|| self.build(name)).as_deref()
    }

    fn build(&self, name: &str) -> Option<Boxed<'a>> {
        let request = self.request;
        match name {
            "args" => self.all_sent(ForeignObject::Arguments),
            "mcp.input" => self.all_sent(ForeignObject::Input),
            "mcp.meta" => self.all_sent(ForeignObject::Meta),
            "device" => request.context.device.and_then(bounded),
            "subject.claims" => bounded(&request.subject.claims),
            "request.headers" => {
                let headers = request.http.headers.iter();
                Some(map(
                    headers.map(|(name, value)| (&**name, Some(string(value))))
                ))
            }
            "subject" => Some(self.record("subject", SUBJECT_FIELDS)),
            "mcp" => Some(self.record("mcp", MCP_FIELDS)),
            "source" => Some(self.record("source", SOURCE_FIELDS)),
            "request" => Some(self.record("request", REQUEST_FIELDS)),
            _ => None,
        }
    }

    fn record(&self, name: &str, fields: &'static [&'static str]) -> Boxed<'a> {
        map(fields.iter().map(|field| (*field, self.field(name, field))))
    }

    fn field(&self, record: &str, field: &str) -> Option<Boxed<'a>> {
        let request = self.request;
        let subject = request.subject;
        if self.is_unknown(record, field) {
            return None;
        }
        match (record, field) {
            ("subject", "issuer") => Some(string(&subject.issuer)),
            ("subject", "id") => Some(string(&subject.id)),
            ("subject", "agent") => subject.agent.as_deref().map(string),
            ("subject", "groups") => Some(strings(&subject.groups)),
            ("subject", "roles") => Some(strings(&subject.roles)),
            ("subject", "scopes") => Some(strings(&subject.scopes)),
            ("subject", "tenant") => subject.tenant.as_deref().map(string),
            ("subject", "claims") => bounded(&subject.claims),
            ("mcp", "server") => Some(string(request.server)),
            ("mcp", "method") => Some(string(request.action.method)),
            ("mcp", "name") => match request.resource {
                Resource::Tool(name) | Resource::Prompt(name) => Some(string(name)),
                Resource::Server | Resource::Uri(_) | Resource::Template(_) | Resource::Task(_) => {
                    None
                }
            },
            ("mcp", "uri") => {
                let uri = self.uri()?.as_str();
                Some(Box::new(CelString::from(uri.to_owned())))
            }
            ("mcp", "uri_folded") => {
                let folded = self.uri()?.shown_folded()?;
                Some(Box::new(CelString::from(folded)))
            }
            ("mcp", "class") => self.class.map(string),
            ("mcp", "arguments") => self.all_sent(ForeignObject::Arguments),
            ("mcp", "input") => self.all_sent(ForeignObject::Input),
            ("mcp", "meta") => self.all_sent(ForeignObject::Meta),
            ("mcp", "protocol_version") => request.protocol_version.map(string),
            ("mcp", "session") => request.session.map(string),
            ("source", "ip") => {
                let address = request.source?.to_canonical();
                Some(Box::new(CelString::from(address.to_string())))
            }
            ("source", "country") => request.context.country.map(string),
            ("source", "principal") => match request.peer {
                Peer::Known(names) => names.principal().map(string),
                Peer::Absent | Peer::Unknown => None,
            },
            ("request", "host") => Some(string(request.http.host)),
            ("request", "path") => Some(string(request.http.path)),
            ("request", "headers") => self.build("request.headers"),
            _ => None,
        }
    }

    /// A call without arguments has no names in them, which `has` can determine.
    fn all_sent(&self, container: ForeignObject) -> Option<Boxed<'a>> {
        match self.sent(container) {
            Some(sent) => bounded(sent),
            None => Some(map(std::iter::empty())),
        }
    }

    fn now(&self) -> Option<Boxed<'a>> {
        let now = timestamp(self.request.now.to_string()).ok()?;
        Some(now.into_owned())
    }
}

impl VariableResolver for Variables<'_> {
    /// Resolves what remains besides [`Lookup`]s: whole variables, and prefixes that CEL tries on
    /// its way to one.
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let variable = if variable == "mcp.arguments" {
            "args"
        } else {
            variable
        };
        if let Some(index) = ROOTS.iter().position(|root| *root == variable) {
            return self.root(index).map(CowVal::Borrowed);
        }
        if variable == "now" {
            return self.now().map(CowVal::Owned);
        }
        let (record, field) = variable.rsplit_once('.')?;
        // Members of objects are lookups: only they account for how servers read keys.
        let value: Option<Boxed<'b>> = match record {
            "args" | "mcp.arguments" | "mcp.input" | "mcp.meta" | "device" | "subject.claims" => {
                None
            }
            _ => self.field(record, field),
        };
        value.map(CowVal::Owned)
    }
}

fn is_bounded(value: &Value<'_>) -> bool {
    value.count(EXPRESSION_VALUES_MAX) <= EXPRESSION_VALUES_MAX
}

fn bounded<'a>(value: &'a Value<'_>) -> Option<Boxed<'a>> {
    (is_bounded(value) && value.is_sound()).then(|| convert(value))
}

fn convert<'a>(value: &'a Value<'_>) -> Boxed<'a> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Int(value) => Box::new(CelInt::from(*value)),
        Value::Uint(value) => Box::new(CelUInt::from(*value)),
        Value::Float(value) => Box::new(CelDouble::from(*value)),
        Value::String(value) => string(value),
        Value::Unsound(_) => Box::new(Unreadable),
        Value::List(items) => {
            let items: Vec<Boxed<'a>> = items.iter().map(convert).collect();
            Box::new(CelList::from(items))
        }
        Value::Map(members) => map(members
            .iter()
            .map(|(name, value)| (&**name, Some(convert(value))))),
    }
}

fn string(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

fn strings(texts: &[Arc<str>]) -> Boxed<'_> {
    let items: Vec<Boxed<'_>> = texts.iter().map(|text| string(text)).collect();
    Box::new(CelList::from(items))
}

/// A map of the members that are present.
fn map<'a>(members: impl Iterator<Item = (&'a str, Option<Boxed<'a>>)>) -> Boxed<'a> {
    let members = members.filter_map(|(name, value)| Some((CelMapKey::from(name), value?)));
    let members: HashMap<CelMapKey<'a>, Boxed<'a>> = members.collect();
    Box::new(CelMap::from(members))
}
