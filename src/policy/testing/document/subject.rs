//! `subject` of a request, and `subjects` of a preview.

use super::values::{address, facts, peer, timestamp};
use crate::authz::Subject;
use crate::policy::testing::caller::{SampleCaller, default_time};
use crate::policy::testing::subject::AssumedSubject;
use crate::yaml::{Data, Fields, Findings, Node, list_or_one, string};

/// Reads `subject`.
pub(super) fn read_subject(node: &Node, issuer: &str, findings: &mut Findings) -> Option<Subject> {
    let mut fields = Fields::open(node, "`subject`", findings)?;
    let subject = subject_fields(&mut fields, findings);
    fields.finish(findings);
    Some(subject.assume(issuer))
}

/// Reads one of `subjects`: a subject with a name for the reader, and where it calls from.
pub(super) fn read_caller(
    node: &Node,
    issuer: &str,
    findings: &mut Findings,
) -> Option<SampleCaller> {
    let mut fields = Fields::open(node, "a subject", findings)?;
    let name = fields.optional("name", findings, string);
    let subject = subject_fields(&mut fields, findings).assume(issuer);
    let from = fields.optional("from", findings, address);
    let peer = fields.optional("peer", findings, peer);
    let at = fields.optional("at", findings, timestamp);
    fields.finish(findings);
    Some(SampleCaller {
        name: name.unwrap_or_else(|| subject.id.to_string()),
        subject,
        at: at.or_else(default_time)?,
        from,
        peer,
    })
}

fn subject_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> AssumedSubject {
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
    AssumedSubject {
        issuer: fields.optional("issuer", findings, string),
        id: fields.optional("id", findings, string),
        agent: fields.optional("agent", findings, string),
        groups,
        roles,
        scopes: scopes
            .iter()
            .flat_map(|text| text.split_ascii_whitespace().map(str::to_owned))
            .collect(),
        tenant: fields.optional("tenant", findings, string),
        claims: fields.optional("claims", findings, facts),
    }
}
