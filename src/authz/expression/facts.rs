//! What an expression can see of a request, built when it first looks.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use crate::authz::request::{AccessRequest, Resource, Value};

use super::functions::truth;
use super::{ENVIRONMENT, EXPRESSION_VALUES_MAX};

type Boxed<'a> = Box<dyn Val + 'a>;

/// The variables of one request. Shared by all rules that are evaluated for it, so each is built
/// at most once; one that is absent or too large resolves to nothing, which is an error in CEL.
pub(in crate::authz) struct Facts<'a> {
    request: &'a AccessRequest<'a>,
    class: Option<&'a str>,
    roots: [OnceLock<Option<Boxed<'a>>>; ROOTS.len()],
}

/// Something of a request that an expression reads by name.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// A field of one of our records.
    Field(&'static str, &'static str),
    /// Whether that is there.
    HasField(&'static str, &'static str),
    /// A member of an object.
    Member(Container, Box<str>),
    /// Whether the object has it.
    Has(Container, Box<str>),
}

/// An object whose members others chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// The arguments of the call.
    Arguments,
    /// What is known of the device.
    Device,
    /// The claims of the token.
    Claims,
    /// The headers of the request.
    Headers,
}

/// The variables that are built as a whole, in the order of [`Facts::roots`].
const ROOTS: [&str; 8] = [
    "subject",
    "mcp",
    "source",
    "request",
    "args",
    "device",
    "subject.claims",
    "request.headers",
];

impl<'a> Facts<'a> {
    pub(in crate::authz) fn new(request: &'a AccessRequest<'a>, class: Option<&'a str>) -> Self {
        Facts {
            request,
            class,
            roots: Default::default(),
        }
    }

    /// Whether the arguments or the claims hold more values than `most`.
    pub(super) fn has_more_values_than(&self, most: usize) -> bool {
        let arguments = self
            .request
            .arguments
            .is_some_and(|value| count(value, most) > most);
        arguments || count(&self.request.subject.claims, most) > most
    }

    /// What an expression reads by name, if it is there.
    pub(super) fn read<'b>(&'b self, reading: &Reading) -> Option<CowVal<'b, 'b>> {
        match reading {
            Reading::Field(record, field) => self.field(record, field).map(CowVal::Owned),
            Reading::HasField(record, field) => Some(truth(self.has_field(record, field))),
            Reading::Member(Container::Headers, name) => {
                self.header(name).map(string).map(CowVal::Owned)
            }
            Reading::Has(Container::Headers, name) => Some(truth(self.header(name).is_some())),
            Reading::Member(container, name) => {
                let member = self.container(*container)?.member(name)?;
                bounded(member).map(CowVal::Owned)
            }
            Reading::Has(Container::Arguments, _) if self.request.arguments.is_none() => {
                Some(truth(false))
            }
            Reading::Has(container, name) => {
                let whole = self.container(*container)?;
                let is_object = matches!(whole, Value::Map(_));
                (is_object && is_bounded(whole)).then(|| truth(whole.member(name).is_some()))
            }
        }
    }

    fn container(&self, container: Container) -> Option<&'a Value<'a>> {
        match container {
            Container::Arguments => self.request.arguments,
            Container::Device => self.request.context.device,
            Container::Claims => Some(&self.request.subject.claims),
            Container::Headers => None,
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
            ("request", "headers") => true,
            _ => self.field(record, field).is_some(),
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
            "args" => self.arguments(),
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
            ("mcp", "uri") => match request.resource {
                Resource::Uri(uri) => Some(string(uri)),
                Resource::Server
                | Resource::Tool(_)
                | Resource::Prompt(_)
                | Resource::Template(_)
                | Resource::Task(_) => None,
            },
            ("mcp", "class") => self.class.map(string),
            ("mcp", "arguments") => self.arguments(),
            ("mcp", "protocol_version") => request.protocol_version.map(string),
            ("mcp", "session") => request.session.map(string),
            ("source", "ip") => {
                let address = request.source?.to_canonical();
                Some(Box::new(CelString::from(address.to_string())))
            }
            ("source", "country") => request.context.country.map(string),
            ("source", "principal") => request.peer.map(string),
            ("request", "host") => Some(string(request.http.host)),
            ("request", "path") => Some(string(request.http.path)),
            ("request", "headers") => self.build("request.headers"),
            _ => None,
        }
    }

    /// A call without arguments has none to name, which `has` can tell.
    fn arguments(&self) -> Option<Boxed<'a>> {
        match self.request.arguments {
            Some(arguments) => bounded(arguments),
            None => Some(map(std::iter::empty())),
        }
    }

    /// CEL's own conversion, so that the type is the one its functions know.
    fn now(&self) -> Option<Boxed<'a>> {
        let environment = ENVIRONMENT.as_ref().ok()?;
        let text: CowVal<'_, '_> = CowVal::owned(CelString::from(self.request.now.to_string()));
        let arguments = vec![text];
        let convert = environment.find_overload("timestamp", &arguments)?;
        convert(arguments).ok().map(CowVal::into_owned)
    }
}

pub(super) const SUBJECT_FIELDS: &[&str] = &[
    "issuer", "id", "agent", "groups", "roles", "scopes", "tenant", "claims",
];
pub(super) const MCP_FIELDS: &[&str] = &[
    "server",
    "method",
    "name",
    "uri",
    "class",
    "arguments",
    "protocol_version",
    "session",
];
pub(super) const SOURCE_FIELDS: &[&str] = &["ip", "principal", "country"];
pub(super) const REQUEST_FIELDS: &[&str] = &["host", "path", "headers"];

impl VariableResolver for Facts<'_> {
    /// What is left once [`Reading`]s have been told apart: whole variables, and names that CEL
    /// tries on its way to one.
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
        let value: Option<Boxed<'b>> = match record {
            "args" | "mcp.arguments" => self.request.arguments?.member(field).and_then(bounded),
            "device" => self.request.context.device?.member(field).and_then(bounded),
            "subject.claims" => self.request.subject.claims.member(field).and_then(bounded),
            _ => self.field(record, field),
        };
        value.map(CowVal::Owned)
    }
}

/// The number of values in a value, or some number above `most` if there are more.
fn count(value: &Value<'_>, most: usize) -> usize {
    let sum = |total: usize, value: &Value<'_>| {
        if total > most {
            total
        } else {
            total.saturating_add(count(value, most))
        }
    };
    match value {
        Value::List(items) => items.iter().fold(1, sum),
        Value::Map(members) => members.iter().map(|(_, value)| value).fold(1, sum),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_) => 1,
    }
}

fn is_bounded(value: &Value<'_>) -> bool {
    count(value, EXPRESSION_VALUES_MAX) <= EXPRESSION_VALUES_MAX
}

fn bounded<'a>(value: &'a Value<'_>) -> Option<Boxed<'a>> {
    is_bounded(value).then(|| convert(value))
}

fn convert<'a>(value: &'a Value<'_>) -> Boxed<'a> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Int(value) => Box::new(CelInt::from(*value)),
        Value::Uint(value) => Box::new(CelUInt::from(*value)),
        Value::Float(value) => Box::new(CelDouble::from(*value)),
        Value::String(value) => string(value),
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

/// A map of the members that are there.
fn map<'a>(members: impl Iterator<Item = (&'a str, Option<Boxed<'a>>)>) -> Boxed<'a> {
    let members = members.filter_map(|(name, value)| Some((CelMapKey::from(name), value?)));
    let members: HashMap<CelMapKey<'a>, Boxed<'a>> = members.collect();
    Box::new(CelMap::from(members))
}
