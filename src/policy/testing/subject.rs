//! The subject of a policy test: assumed, not proved.

use std::sync::Arc;

use crate::authz::{Subject, UnknownFacts, Value};

/// Who a policy test says is calling.
#[derive(Debug, Clone, Default)]
pub(super) struct AssumedSubject {
    pub(super) issuer: Option<String>,
    pub(super) id: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) tenant: Option<String>,
    pub(super) claims: Option<Value<'static>>,
}

impl AssumedSubject {
    /// The subject that a token with these facts would have. Nothing was verified: this is for
    /// tests and previews of a policy, and no request that comes from outside gets here.
    pub(super) fn assume(self, default_issuer: &str) -> Subject {
        let texts = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect();
        Subject {
            issuer: self.issuer.as_deref().unwrap_or(default_issuer).into(),
            id: self.id.as_deref().unwrap_or("anyone").into(),
            agent: self.agent.map(Arc::from),
            groups: texts(self.groups),
            roles: texts(self.roles),
            scopes: texts(self.scopes),
            tenant: self.tenant.map(Arc::from),
            device: None,
            claims: self.claims.unwrap_or(Value::Map(Vec::new())),
            unknown: UnknownFacts::default(),
        }
    }
}

/// A subject with nothing but what is given, for previews.
#[must_use]
pub fn sample_subject(id: &str, issuer: &str) -> Subject {
    let assumed = AssumedSubject {
        id: Some(id.to_owned()),
        ..Default::default()
    };
    assumed.assume(issuer)
}
