//! What a request asks for, one target for each thing that the policy decides about.

use smallvec::{SmallVec, smallvec};

use super::context::RequestContext;
use super::parse::ParsedRequest;
use super::policies::Policies;
use crate::authz::{Action, ActionKind, Resource, Value};
use crate::catalog::Standing;
use crate::mcp::{Message, Nesting};

/// One thing that a request asks for.
pub(super) struct DecisionTarget<'a> {
    pub(super) action: Action<'a>,
    pub(super) resource: Resource<'a>,
    pub(super) arguments: Option<&'a Value<'a>>,
    pub(super) input: Option<&'a Value<'a>>,
    pub(super) meta: Option<&'a Value<'a>>,
    pub(super) proposed_version: Option<&'a str>,
    pub(super) message: Option<&'a Message<'a>>,
    /// Where it stands among calls inside calls.
    pub(super) nesting: Nesting<'a>,
    /// What is known of the tool, if it is one.
    pub(super) standing: Standing,
}

/// Everything that a request asks for, in its order.
pub(super) fn targets<'a>(
    context: &RequestContext<'a>,
    policies: Policies<'_>,
    parsed: &'a ParsedRequest<'_>,
) -> SmallVec<[DecisionTarget<'a>; 1]> {
    let standing = |resource: Resource<'_>| {
        let (catalog, server) = (context.catalog, &context.server.name);
        match resource {
            Resource::Tool(name) => {
                let mut standing = catalog.standing(server, name);
                let is_named = || {
                    policies
                        .each()
                        .any(|policy| policy.names_tool(server, name))
                };
                standing.is_unlisted = standing.is_unlisted && !is_named();
                standing
            }
            Resource::Server
            | Resource::Prompt(_)
            | Resource::Uri(_)
            | Resource::Template(_)
            | Resource::Task(_) => Standing::of_none(catalog.hints(server)),
        }
    };
    if parsed.payload.is_none() {
        let action = Action {
            method: context.request.method,
            authorized_as: None,
            kind: ActionKind::Open,
        };
        let resource = Resource::Server;
        return smallvec![DecisionTarget {
            action,
            resource,
            arguments: None,
            input: None,
            meta: None,
            proposed_version: None,
            message: None,
            nesting: Nesting::None,
            standing: standing(resource),
        }];
    }
    let messages = parsed.messages().iter();
    messages
        .flat_map(|message| {
            message
                .targets()
                .into_iter()
                .map(move |target| DecisionTarget {
                    action: target.action,
                    resource: target.resource,
                    arguments: target.arguments,
                    input: target.input,
                    meta: target.meta,
                    proposed_version: message.proposed_version.as_deref(),
                    message: Some(message),
                    nesting: target.nesting,
                    standing: standing(target.resource),
                })
        })
        .collect()
}
