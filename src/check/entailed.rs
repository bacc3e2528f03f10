//! What needs no rule of its own, because it belongs to something that the caller was allowed: the
//! tasks that the caller created, and the pages of the tools that the caller may call.

use super::context::RequestContext;
use super::server::SessionBinding;
use super::session::FoundBindings;
use super::targets::DecisionTarget;
use crate::authz::{self, AccessRequest, Action, ActionKind, Policy, Resource};
use crate::mcp::ListKind;
use crate::state::{State, StateUnavailable};

impl RequestContext<'_> {
    /// Whether a target of an access request needs no rule of its own.
    ///
    /// A task is the caller's if its server was seen to create it for the caller. Who was only the
    /// first to use its id may have guessed it, and needs a rule for each use. A list of tasks shows
    /// the caller's own. Where nothing is bound, nobody knows whose a task is.
    pub(super) async fn is_entailed(
        &self,
        target: &DecisionTarget<'_>,
        request: &AccessRequest<'_>,
        found: &FoundBindings,
        policy: &Policy,
        state: &dyn State,
    ) -> Result<bool, StateUnavailable> {
        if target.action.kind != ActionKind::Use {
            return Ok(false);
        }
        let entry = target.message.and_then(|message| message.entry);
        let Some(entry) = entry else {
            return Ok(false);
        };
        match target.resource {
            Resource::Task(id) => Ok(entry.is_creators && found.has_created(self.server, id)),
            Resource::Server => {
                let binds = self.server.settings.session_binding != SessionBinding::Off;
                Ok(binds && entry.is_creators && entry.lists == Some(ListKind::Tasks))
            }
            Resource::Uri(uri) if entry.name == RESOURCES_READ => {
                self.is_page_of_visible_tool(uri, request, policy, state)
                    .await
            }
            Resource::Uri(_) | Resource::Tool(_) | Resource::Prompt(_) | Resource::Template(_) => {
                Ok(false)
            }
        }
    }

    /// Whether the accepted definition of a tool that the caller may see has this page. Only a record
    /// counts: a server cannot make a page of what its operator has not accepted.
    async fn is_page_of_visible_tool(
        &self,
        uri: &str,
        request: &AccessRequest<'_>,
        policy: &Policy,
        state: &dyn State,
    ) -> Result<bool, StateUnavailable> {
        let server = &self.server.name;
        for tool in self.catalog.tools_of_page(server, uri) {
            let standing = self.catalog.standing(server, &tool);
            if standing.refusal.is_some() {
                continue;
            }
            let mut call = *request;
            call.action = Action {
                method: TOOLS_CALL,
                authorized_as: None,
                kind: ActionKind::Use,
            };
            call.resource = Resource::Tool(&tool);
            (call.arguments, call.input, call.meta) = (None, None, None);
            call.context.hints = standing.hints;
            call.context.readings = None;
            let readings = self.read(state, &authz::demands(policy, &call)).await?;
            call.context.readings = Some(&readings);
            if authz::is_visible(policy, &call) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

const RESOURCES_READ: &str = "resources/read";
const TOOLS_CALL: &str = "tools/call";
