//! The names of counters. Calls with the same name are counted together.

use super::holder::Holder;
use crate::authz::matching::Match;
use crate::authz::request::{AccessRequest, Resource, Stands};
use crate::authz::window::KeyPart;

/// The exact name of a counter: no two counters share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterKey {
    bytes: Box<[u8]>,
    holder: Holder,
}

impl CounterKey {
    /// The key as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The holder of the counter.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// A counter with this name.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        use super::holder::HolderKind;

        CounterKey {
            bytes: name.as_bytes().into(),
            holder: Holder {
                kind: HolderKind::Server,
                issuer: None,
                name: name.into(),
                is_rehearsed: false,
            },
        }
    }

    /// The counter of a request for these parts. `Err` is [`Match::No`] if the request does not
    /// have a part at all, and [`Match::Indeterminate`] if a part is unknown.
    pub(crate) fn new(
        name: &[u8],
        by: &[KeyPart],
        request: &AccessRequest<'_>,
    ) -> Result<Self, Match> {
        let mut key = Vec::with_capacity(128);
        add(&mut key, name);
        let subject = request.subject;
        for part in by {
            // INVARIANT: parts are sorted, so equal parts are in equal positions; the tag
            // identifies the part.
            key.push(*part as u8);
            match part {
                KeyPart::Subject => add_all(&mut key, [&*subject.issuer, &subject.id]),
                KeyPart::Agent => {
                    let agent = subject.agent.as_deref().ok_or(Match::Indeterminate)?;
                    add_all(&mut key, [&*subject.issuer, agent]);
                }
                KeyPart::Tenant => {
                    let tenant = subject.tenant.as_deref().ok_or(Match::Indeterminate)?;
                    add_all(&mut key, [&*subject.issuer, tenant]);
                }
                KeyPart::Session => {
                    let session = request.session.ok_or(Match::Indeterminate)?;
                    let owner = [&*subject.issuer, &subject.id, request.server];
                    add_all(&mut key, owner);
                    add(&mut key, session.as_bytes());
                }
                KeyPart::Server => add(&mut key, request.server.as_bytes()),
                KeyPart::Tool => {
                    let tool = tool(request).ok_or(Match::No)?;
                    add(&mut key, request.server.as_bytes());
                    // Otherwise callers could create any number of counters with made-up names.
                    if !request.context.tool_is_unlisted {
                        add(&mut key, tool.as_bytes());
                    }
                }
            }
        }
        Ok(CounterKey {
            bytes: key.into(),
            holder: Holder::of(by, request).ok_or(Match::Indeterminate)?,
        })
    }

    /// The same counter, kept apart from the real one, for rehearsals.
    #[must_use]
    pub fn within(&self, space: &str) -> Self {
        let mut key = Vec::with_capacity(self.bytes.len().saturating_add(16));
        add(&mut key, space.as_bytes());
        key.extend(&self.bytes);
        let holder = Holder {
            is_rehearsed: true,
            ..self.holder.clone()
        };
        CounterKey {
            bytes: key.into(),
            holder,
        }
    }
}

/// Adds a part after its length, so that no two lists of parts give the same bytes.
fn add(key: &mut Vec<u8>, part: &[u8]) {
    key.extend(part.len().to_be_bytes());
    key.extend(part);
}

fn add_all<const N: usize>(key: &mut Vec<u8>, parts: [&str; N]) {
    for part in parts {
        add(key, part.as_bytes());
    }
}

pub(crate) fn tool<'a>(request: &AccessRequest<'a>) -> Option<&'a str> {
    match request.resource {
        Resource::Tool(name) => Some(name),
        Resource::Server
        | Resource::Prompt(_)
        | Resource::Uri(_)
        | Resource::Template(_)
        | Resource::Task(_) => None,
    }
}

/// Checks that a request has every part that it would be counted by. It returns the error of
/// [`CounterKey::new`] without building a key. A request that stands for others has them all.
pub(crate) fn check_parts(by: &[KeyPart], request: &AccessRequest<'_>) -> Result<(), Match> {
    let is_said = match request.context.stands {
        Stands::ForItself => false,
        Stands::ForOneCaller | Stands::ForCallers => true,
    };
    if !is_said && request.lacking(by).next().is_some() {
        return Err(Match::Indeterminate);
    }
    let is_missing = by.contains(&KeyPart::Tool) && tool(request).is_none();
    if is_missing { Err(Match::No) } else { Ok(()) }
}
