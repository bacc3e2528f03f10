//! What a message asks to do, and to which resource.

use smallvec::{SmallVec, smallvec};

use super::message::{Message, MessageKind};
use super::selection::Selected;
use crate::authz::{Action, ActionKind, Resource, Value};

/// One action on one resource. All targets of a message must be allowed, or none is performed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target<'m> {
    /// The method as written, and its kind.
    pub action: Action<'m>,
    /// The resource.
    pub resource: Resource<'m>,
    /// Its name as sent; for a template, the text without variables filled in.
    pub name: Option<&'m str>,
    /// The arguments of the call; see [`Message::arguments`].
    pub arguments: Option<&'m Value<'m>>,
    /// What the client answers to the server; see [`Message::input`].
    pub input: Option<&'m Value<'m>>,
    /// [`Message::meta`].
    pub meta: Option<&'m Value<'m>>,
}

/// The targets of a message, usually one.
pub(crate) type Targets<'m> = SmallVec<[Target<'m>; 1]>;

impl Message<'_> {
    /// The targets of the message, at least one.
    ///
    /// A method outside the table is [`ActionKind::Unknown`], except that any `notifications/*`
    /// without an id is open. A method of the table is judged the same with and without an id.
    #[must_use]
    pub fn targets(&self) -> Targets<'_> {
        let kind = self.action_kind();
        let arguments = self.arguments.as_ref();
        let target = |authorized_as, resource| Target {
            action: Action {
                method: &self.method,
                authorized_as,
                kind,
            },
            resource,
            name: resource.name(),
            arguments,
            input: self.input.as_ref(),
            meta: self.meta.as_ref(),
        };
        match &self.selected {
            Selected::Server | Selected::Unknown(_) => smallvec![target(None, Resource::Server)],
            Selected::Tool(name) => smallvec![target(None, Resource::Tool(name))],
            Selected::Prompt(name) => {
                smallvec![target(self.other_way(PROMPTS_GET), Resource::Prompt(name))]
            }
            Selected::Uri(uri) => {
                smallvec![target(self.other_way(RESOURCES_READ), Resource::Uri(uri))]
            }
            Selected::Template { sent, known } => {
                let text = known.as_deref().unwrap_or(sent);
                let resource = if text.contains('{') {
                    Resource::Template(text)
                } else {
                    Resource::Uri(text)
                };
                smallvec![Target {
                    name: Some(sent),
                    ..target(self.other_way(RESOURCES_READ), resource)
                }]
            }
            Selected::Task(id) => smallvec![target(None, Resource::Task(id))],
            Selected::Subscriptions { uris, tasks } if uris.is_empty() && tasks.is_empty() => {
                smallvec![target(None, Resource::Server)]
            }
            Selected::Subscriptions { uris, tasks } => {
                let uris = uris
                    .iter()
                    .map(|uri| target(Some(RESOURCES_READ), Resource::Uri(uri)));
                let tasks = tasks
                    .iter()
                    .map(|id| target(Some(TASKS_GET), Resource::Task(id)));
                uris.chain(tasks).collect()
            }
        }
    }

    fn action_kind(&self) -> ActionKind {
        let is_open_subscription = matches!(&self.selected, Selected::Subscriptions { uris, tasks }
            if uris.is_empty() && tasks.is_empty());
        if is_open_subscription {
            return ActionKind::Open;
        }
        match (self.entry, self.kind) {
            (_, MessageKind::Response { .. }) => ActionKind::Open,
            (Some(entry), MessageKind::Request { .. } | MessageKind::Notification) => entry.kind,
            (None, MessageKind::Notification) if self.method.starts_with("notifications/") => {
                ActionKind::Open
            }
            (None, MessageKind::Request { .. } | MessageKind::Notification) => ActionKind::Unknown,
        }
    }

    fn other_way(&self, method: &'static str) -> Option<&'static str> {
        let is_like_reading = self.entry.is_some_and(|entry| entry.is_like_reading);
        is_like_reading.then_some(method)
    }

    /// What `Mcp-Name` may say.
    pub(super) fn names(&self) -> SmallVec<[&str; 3]> {
        match &self.selected {
            Selected::Server | Selected::Subscriptions { .. } => SmallVec::new(),
            Selected::Tool(own)
            | Selected::Prompt(own)
            | Selected::Uri(own)
            | Selected::Template { sent: own, .. }
            | Selected::Task(own) => smallvec![&**own],
            Selected::Unknown(names) => names.iter().map(|own| &**own).collect(),
        }
    }
}

const PROMPTS_GET: &str = "prompts/get";
const RESOURCES_READ: &str = "resources/read";
const TASKS_GET: &str = "tasks/get";
