//! A verified subject on its way from the check of a request to the answer of the upstream.
//!
//! The PEP carries it, so that any replica can filter the answer. It never comes from a client:
//! what a client sends reaches the PEP's dynamic metadata only through a check.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authz::{Subject, UnknownFacts};
use crate::json::Json;

/// A [`Subject`] that can be written as JSON and read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct CarriedSubject(pub Arc<Subject>);

/// The form in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
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
    }
}

impl From<CarriedSubject> for Form {
    fn from(CarriedSubject(subject): CarriedSubject) -> Self {
        Form {
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

impl From<Form> for CarriedSubject {
    fn from(carried: Form) -> Self {
        CarriedSubject(Arc::new(Subject {
            issuer: carried.issuer,
            id: carried.id,
            agent: carried.agent,
            groups: carried.groups,
            roles: carried.roles,
            scopes: carried.scopes,
            tenant: carried.tenant,
            device: carried.device.map(|device| device.0.into_owned()),
            claims: carried.claims.0.into_owned(),
            unknown: unknown_of(&carried.unknown),
        }))
    }
}
