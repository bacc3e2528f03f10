//! A verified subject as JSON, for the way from the check of a request to the upstream's response.
//!
//! Envoy carries it in dynamic metadata, so that any replica can filter the response. It never comes
//! from a client: what a client sends reaches that metadata only through a check.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authz::{EmptyLists, Subject, UnknownFacts};
use crate::json::Json;

/// A [`Subject`] that can be written as JSON and read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "SubjectFields", into = "SubjectFields")]
pub struct SerializedSubject(pub Arc<Subject>);

/// The form in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectFields {
    issuer: Arc<str>,
    id: Arc<str>,
    agent: Option<Arc<str>>,
    groups: Vec<Arc<str>>,
    roles: Vec<Arc<str>>,
    scopes: Vec<Arc<str>>,
    tenant: Option<Arc<str>>,
    device: Option<Json<'static>>,
    claims: Json<'static>,
    /// The facts of the above that the token leaves out.
    unknown: Vec<Cow<'static, str>>,
}

/// The names of facts in `unknown`.
const FACTS: [&str; 5] = ["agent", "groups", "roles", "scopes", "tenant"];

fn names_of(unknown: UnknownFacts) -> Vec<Cow<'static, str>> {
    let UnknownFacts {
        agent,
        groups,
        roles,
        scopes,
        tenant,
        // Responses are not asked why a request was denied.
        empty: _,
    } = unknown;
    let named = FACTS
        .into_iter()
        .zip([agent, groups, roles, scopes, tenant]);
    let named = named.filter(|(_, is_unknown)| *is_unknown);
    named.map(|(name, _)| Cow::Borrowed(name)).collect()
}

fn unknown_of(names: &[Cow<'static, str>]) -> UnknownFacts {
    let [agent, groups, roles, scopes, tenant] =
        FACTS.map(|fact| names.iter().any(|name| name == fact));
    UnknownFacts {
        agent,
        groups,
        roles,
        scopes,
        tenant,
        empty: EmptyLists::default(),
    }
}

impl From<SerializedSubject> for SubjectFields {
    fn from(SerializedSubject(subject): SerializedSubject) -> Self {
        SubjectFields {
            issuer: Arc::clone(&subject.issuer),
            id: Arc::clone(&subject.id),
            agent: subject.agent.clone(),
            groups: subject.groups.clone(),
            roles: subject.roles.clone(),
            scopes: subject.scopes.clone(),
            tenant: subject.tenant.clone(),
            device: subject
                .device
                .as_ref()
                .map(|device| Json(Cow::Owned(device.clone()))),
            claims: Json(Cow::Owned(subject.claims.clone())),
            unknown: names_of(subject.unknown),
        }
    }
}

impl From<SubjectFields> for SerializedSubject {
    fn from(fields: SubjectFields) -> Self {
        SerializedSubject(Arc::new(Subject {
            issuer: fields.issuer,
            id: fields.id,
            agent: fields.agent,
            groups: fields.groups,
            roles: fields.roles,
            scopes: fields.scopes,
            tenant: fields.tenant,
            device: fields.device.map(|device| device.0.into_owned()),
            claims: fields.claims.0.into_owned(),
            unknown: unknown_of(&fields.unknown),
        }))
    }
}
