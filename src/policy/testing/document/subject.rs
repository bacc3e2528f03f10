//! `subject` of a request, and `subjects` of a preview: assumed, not proved. This is for tests and
//! previews of a policy, and no request that comes from outside gets here.

use std::sync::Arc;

use super::values::{address, facts, peer, timestamp};
use crate::authz::{EmptyLists, PreviewTime, Stands, Subject, UnknownFacts, Value};
use crate::policy::issuers::Issuers;
use crate::policy::testing::caller::{SampleCaller, default_time};
use crate::policy::testing::context::SampleContext;
use crate::yaml::{Data, Fields, Findings, Node, list_or_one, string};

/// Reads `subject`.
pub(super) fn read_subject(
    node: &Node,
    context: &SampleContext,
    findings: &mut Findings,
) -> Option<Subject> {
    let mut fields = Fields::open(node, "`subject`", findings)?;
    let subject = subject_fields(&mut fields, context, findings);
    fields.finish(findings);
    Some(subject)
}

/// Reads one of `subjects`: a subject with a name for the reader, and where it calls from.
pub(super) fn read_caller(
    node: &Node,
    context: &SampleContext,
    findings: &mut Findings,
) -> Option<SampleCaller> {
    let mut fields = Fields::open(node, "a subject", findings)?;
    let name = fields.optional("name", findings, string);
    let subject = subject_fields(&mut fields, context, findings);
    let from = fields.optional("from", findings, address);
    let peer = fields.optional("peer", findings, peer);
    let at = fields.optional("at", findings, timestamp);
    fields.finish(findings);
    Some(SampleCaller {
        name: name.unwrap_or_else(|| subject.id.to_string()),
        subject,
        at: at.or(context.at).or_else(default_time)?,
        time: match at {
            Some(_) => PreviewTime::Then,
            None => PreviewTime::FromThen,
        },
        from,
        peer,
        stands: Stands::ForOneCaller,
    })
}

/// The subject that a token with these facts would have.
fn subject_fields(
    fields: &mut Fields<'_>,
    context: &SampleContext,
    findings: &mut Findings,
) -> Subject {
    let mut texts = |key, findings: &mut Findings| {
        let Some(node) = fields.node_of(key) else {
            return Vec::new();
        };
        // A caller without groups is a caller worth testing.
        if node.data == Data::List(Vec::new()) {
            return Vec::new();
        }
        list_or_one(node, findings, string).unwrap_or_default()
    };
    let groups = texts("groups", findings);
    let roles = texts("roles", findings);
    let scopes = texts("scopes", findings);
    let mut is_empty = |key| {
        let node = fields.node_of(key);
        node.is_some_and(|node| node.data == Data::List(Vec::new()))
    };
    let empty = EmptyLists {
        groups: is_empty("groups"),
        roles: is_empty("roles"),
        scopes: is_empty("scopes"),
    };
    let scopes = scopes.iter().flat_map(|text| text.split_ascii_whitespace());
    let named = fields.optional("issuer", findings, |node, findings| {
        issuer_name(node, &context.issuers, findings)
    });
    let mut text = |key| fields.optional(key, findings, string).map(Arc::from);
    Subject {
        issuer: named.unwrap_or_else(|| context.issuer.as_str().into()),
        id: text("id").unwrap_or_else(|| "anyone".into()),
        agent: text("agent"),
        groups: groups.into_iter().map(Arc::from).collect(),
        roles: roles.into_iter().map(Arc::from).collect(),
        scopes: scopes.map(Arc::from).collect(),
        tenant: text("tenant"),
        device: None,
        claims: fields
            .optional("claims", findings, facts)
            .unwrap_or(Value::Map(Vec::new())),
        unknown: UnknownFacts {
            empty,
            ..UnknownFacts::default()
        },
    }
}

/// An `iss`, which never has the variable of an issuer with several tenants.
fn issuer_name(node: &Node, issuers: &Issuers, findings: &mut Findings) -> Option<Arc<str>> {
    let name = string(node, findings)?;
    if name.contains(['{', '}']) {
        let message = format!("no token has the `iss` `{name}`");
        findings.error(node, message, "name the issuer of one tenant");
        return None;
    }
    if let Some(help) = issuers.unknown(&name) {
        findings.error(node, format!("unknown issuer `{name}`"), help);
        return None;
    }
    Some(name.into())
}

/// A subject with nothing but what is given, for previews.
#[must_use]
pub fn sample_subject(id: &str, issuer: &str) -> Subject {
    Subject {
        issuer: issuer.into(),
        id: id.into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Map(Vec::new()),
        unknown: UnknownFacts::default(),
    }
}
