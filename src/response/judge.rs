//! Judges what a response has: whose its sessions and tasks are, and which items of its lists the
//! caller may see.

use std::sync::Arc;

use jiff::Timestamp;

use super::evidence::{ListTally, ResponseEvidence};
use super::head::ResponseHead;
use super::refusal::ResponseRefusal;
use super::tool_watch::observe_tool;
use crate::audit::Event;
use crate::authz::{self, AccessRequest, Policy, Value};
use crate::catalog::ToolMarks;
use crate::check::response_context::ResponseContext;
use crate::check::session;
use crate::check::{Pipeline, Server};
use crate::mcp::{FoundPaths, FoundTools, ListItem, ListKind, SESSION_BYTES_MAX, Unjudged};
use crate::state::{BindingKey, Owner};

/// Judges for one response.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) evidence: ResponseEvidence,
    /// The context of the request. Without one nothing is shown.
    pub(super) context: Option<ResponseContext>,
    /// Whether a stream with this context has begun before. Then nothing new comes of it.
    pub(super) is_repeated: bool,
}

/// How much of an item's name a warning has.
const NAME_CHARS_MAX: usize = 128;

/// A text of the server, as a warning has it.
fn shown(name: &str) -> String {
    let beginning = name.chars().take(NAME_CHARS_MAX);
    beginning.flat_map(char::escape_debug).collect()
}

/// How many tools of a response the audit is told of one by one; further ones are only counted.
const TOLD_MAX: usize = 1000;

impl Judge {
    /// Nobody's, until the context is known.
    pub(super) fn new(pipeline: &Arc<Pipeline>) -> Self {
        Judge {
            pipeline: Arc::clone(pipeline),
            evidence: ResponseEvidence::new(pipeline, None),
            context: None,
            is_repeated: false,
        }
    }

    /// Judges for the caller of a request.
    pub(super) fn set_context(&mut self, context: ResponseContext, is_repeated: bool) {
        self.evidence = ResponseEvidence::new(&self.pipeline, Some(&context));
        self.context = Some(context);
        self.is_repeated = is_repeated;
    }

    /// Whether the responses of the server come on GET streams, or it is not known which one it is.
    pub(super) fn responds_on_get(&self) -> bool {
        self.guarded()
            .is_none_or(|(_, server)| server.settings.responses_on_get)
    }

    /// Warns operators of an item that is hidden because it cannot be judged. Each item is told once
    /// for each reason: an upstream must not be able to flood the log.
    pub(super) fn tell_unjudged(&self, kind: ListKind, why: Unjudged, name: Option<&str>) {
        let (server, list) = (self.evidence.server_name(), kind.member());
        let name = name.unwrap_or_default();
        let catalog = &self.pipeline.catalog;
        if catalog.tells_unreadable(server, list, why.code(), name) {
            let item = shown(name);
            tracing::warn!(server, list, %item, %why, "hidden from a list, as it cannot be judged");
        }
    }

    /// Binds the session that a response opens to the caller, before the client can know of it.
    pub(super) async fn bind_session(&self, head: &ResponseHead) -> Result<(), ResponseRefusal> {
        let mut issued = head.header("mcp-session-id");
        let (Some(id), another) = (issued.next(), issued.next()) else {
            return Ok(());
        };
        let is_id = !id.is_empty() && id.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        let is_long = id.len() > SESSION_BYTES_MAX;
        if another.is_some() || !is_id || is_long || id.contains(',') {
            return Err(ResponseRefusal::SessionId);
        }
        let now = (self.pipeline.clock)();
        self.bind(BindingKey::session, Event::session_bound, id, now)
            .await
    }

    /// Binds what a response issues to the caller, before its id is let out whole.
    pub(super) async fn bind(
        &self,
        key: fn(&str, &str) -> BindingKey,
        event: fn(&str) -> Event,
        id: &str,
        now: Timestamp,
    ) -> Result<(), ResponseRefusal> {
        let Some((context, server)) = self.guarded() else {
            return Ok(());
        };
        let Pipeline { state, metrics, .. } = &*self.pipeline;
        let (owner, key) = (Owner::of(context.subject()), key(&server.name, id));
        if self.is_repeated {
            let is_bound = session::is_bound(&**state, server, owner, key, now).await?;
            return is_bound.then_some(()).ok_or(ResponseRefusal::Context);
        }
        session::bind_issued(&**state, metrics, server, owner, key, now).await?;
        self.evidence.record(event(id));
        Ok(())
    }

    /// Whether a listed thing is for the caller to see.
    pub(super) async fn is_shown(
        &self,
        policy: &Policy,
        item: &ListItem<'_>,
        told: &mut usize,
        now: Timestamp,
    ) -> Result<bool, ResponseRefusal> {
        let Some((context, server)) = self.guarded() else {
            return Ok(false);
        };
        let name = &*item.name;
        let Some(mut request) = context.access_request(item.kind, name, now) else {
            let (state, owner) = (&*self.pipeline.state, Owner::of(context.subject()));
            if context.shows_own_tasks() {
                let key = BindingKey::task(&server.name, name);
                return Ok(session::is_bound(state, server, owner, key, now).await?);
            }
            let visible = session::visible_tasks(state, server, owner, &[name], now).await?;
            return Ok(visible == [true]);
        };
        request.context.uris = server.settings.uris;
        if item.kind == ListKind::Tools && self.is_repeated {
            let standing = self
                .pipeline
                .catalog
                .compare(&server.name, name, &item.value);
            if standing.refusal.is_some() {
                return Ok(false);
            }
            request.context.hints = standing.hints;
        } else if item.kind == ListKind::Tools {
            let reader = self.evidence.reader(now, *told >= TOLD_MAX);
            let (pipeline, tool) = (&self.pipeline, &item.value);
            let observed = observe_tool(pipeline, server, policy, name, tool, &reader);
            *told += usize::from(observed.is_new) + usize::from(observed.change.is_some());
            if observed.refusal.is_some() {
                return Ok(false);
            }
            request.context.hints = observed.hints;
        }
        if item.kind == ListKind::Resources {
            request.context.is_entailed = self.is_page_shown(policy, context, name, now).await?;
        }
        let is_shown = self.is_visible(policy, &request).await?;
        if is_shown && item.kind == ListKind::Tools {
            self.look_at_page(policy, context, item, now).await?;
        }
        Ok(is_shown)
    }

    /// Warns operators of a tool that is shown to a caller who may not read its page, and whose
    /// client shows nothing then. Each tool is told once.
    async fn look_at_page(
        &self,
        policy: &Policy,
        context: &ResponseContext,
        item: &ListItem<'_>,
        now: Timestamp,
    ) -> Result<(), ResponseRefusal> {
        let meta = item.value.member("_meta");
        let Some(page) = meta.and_then(|_| ToolMarks::of(&item.value).page) else {
            return Ok(());
        };
        let (catalog, server) = (&self.pipeline.catalog, context.server());
        let Some(mut request) = context.access_request(ListKind::Resources, &page, now) else {
            return Ok(());
        };
        let recorded = catalog.tools_of_page(server, &page);
        request.context.is_entailed = recorded.iter().any(|tool| **tool == *item.name);
        if let Some((_, server)) = self.guarded() {
            request.context.uris = server.settings.uris;
        }
        if self.is_visible(policy, &request).await?
            || !catalog.tells_unreadable(server, ListKind::Tools.member(), "page", &item.name)
        {
            return Ok(());
        }
        let (tool, page) = (shown(&item.name), shown(&page));
        tracing::warn!(
            server = &**server,
            %tool,
            %page,
            "a tool is listed for a caller who may not read its page: record the tool in \
             `tools_snapshot`, or allow the page in `what.resources`"
        );
        Ok(())
    }

    /// Whether a tool of this description is to be hidden whatever the policy says.
    fn is_refused(&self, name: &str, description: &Value<'_>) -> bool {
        self.guarded().is_none_or(|(_, server)| {
            let catalog = &self.pipeline.catalog;
            let standing = catalog.compare(&server.name, name, description);
            standing.refusal.is_some()
        })
    }

    /// Whether a tool of which no more than the name is known here is for the caller to see.
    async fn is_named_shown(
        &self,
        policy: &Policy,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, ResponseRefusal> {
        let Some((context, server)) = self.guarded() else {
            return Ok(false);
        };
        let Some(mut request) = context.access_request(ListKind::Tools, name, now) else {
            return Ok(false);
        };
        let standing = self.pipeline.catalog.standing(&server.name, name);
        if standing.refusal.is_some() {
            return Ok(false);
        }
        request.context.uris = server.settings.uris;
        request.context.hints = standing.hints;
        self.is_visible(policy, &request).await
    }

    async fn is_visible(
        &self,
        policy: &Policy,
        request: &AccessRequest<'_>,
    ) -> Result<bool, ResponseRefusal> {
        let demands = authz::demands(policy, request);
        if demands.is_empty() {
            return Ok(authz::is_visible(policy, request));
        }
        let readings = self.pipeline.state.read(&demands, request.now).await?;
        let mut request = *request;
        request.context.readings = Some(&readings);
        Ok(authz::is_visible(policy, &request))
    }

    /// The result of a tool that finds tools as the caller may see it; `None` if that is all of it.
    pub(super) async fn found_tools(
        &self,
        policy: &Policy,
        result: &[u8],
        tally: &mut ListTally,
        now: Timestamp,
    ) -> Result<Option<String>, ResponseRefusal> {
        let paths = self.context.as_ref().and_then(ResponseContext::results);
        let paths = paths.ok_or(ResponseRefusal::Unreadable)?;
        let depth_max = self.pipeline.limits.json_depth_max;
        let unclear = |why| {
            let (server, tool) = (self.evidence.server_name(), self.finders(&paths));
            tracing::warn!(server, tool, %why, "what a tool has found cannot be filtered");
            ResponseRefusal::Unreadable
        };
        let found = FoundTools::read(result, &paths, depth_max).map_err(unclear)?;
        let counted = found.first_list_len();
        let mut shown = Vec::new();
        for (at, tool) in found.tools().enumerate() {
            // There may be thousands; others are to have their turn.
            tokio::task::consume_budget().await;
            let is_shown = match (tool.name, tool.whole) {
                (Err(why), _) => {
                    self.tell_unjudged(ListKind::Tools, why, tool.told_name);
                    false
                }
                (Ok(name), None) => self.is_named_shown(policy, name, now).await?,
                (Ok(name), Some(value)) => {
                    // How much of a description is found may be the client's choice, so it is
                    // compared with what is known, and not remembered.
                    !self.is_refused(name, value) && self.is_named_shown(policy, name, now).await?
                }
            };
            if at < counted {
                match tool.name {
                    Err(why) => tally.count_unjudged(ListKind::Tools, why),
                    Ok(_) => tally.count(ListKind::Tools, is_shown),
                }
            }
            shown.push(is_shown);
        }
        Ok(found.shown(&shown))
    }

    /// The tools whose results have a list at these paths, as the configuration names them: one, as a
    /// rule.
    fn finders(&self, paths: &FoundPaths) -> String {
        let indirect = self.guarded().and_then(|(_, server)| {
            let known = server.settings.indirect.as_deref();
            known.map(|known| {
                known
                    .iter()
                    .filter(|one| one.results.as_ref() == Some(paths))
            })
        });
        let names = indirect.into_iter().flatten().map(|one| one.tool.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether a listed resource is the page of a tool that the caller may see, by its recorded
    /// definition.
    async fn is_page_shown(
        &self,
        policy: &Policy,
        context: &ResponseContext,
        uri: &str,
        now: Timestamp,
    ) -> Result<bool, ResponseRefusal> {
        let catalog = &self.pipeline.catalog;
        for tool in catalog.tools_of_page(context.server(), uri) {
            let standing = catalog.standing(context.server(), &tool);
            let call = context.access_request(ListKind::Tools, &tool, now);
            let Some(mut call) = call.filter(|_| standing.refusal.is_none()) else {
                continue;
            };
            call.context.hints = standing.hints;
            if self.is_visible(policy, &call).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The context of the request and its server, if both are known.
    fn guarded(&self) -> Option<(&ResponseContext, &Arc<Server>)> {
        let context = self.context.as_ref()?;
        Some((context, self.pipeline.servers.by_name(context.server())?))
    }
}
