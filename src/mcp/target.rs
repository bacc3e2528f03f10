//! What a message asks to do, and to which resource.

use smallvec::{SmallVec, smallvec};

use super::inner_calls::InnerFault;
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
    /// Where it stands among calls inside calls.
    pub nesting: Nesting<'m>,
}

/// Where a target stands among calls inside calls. The inner calls of a message follow its outer
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting<'m> {
    /// It neither makes calls nor is made by one.
    None,
    /// It makes the calls that follow.
    Outer,
    /// It makes calls that cannot be told; none follows.
    Unreadable(&'m InnerFault),
    /// It is the first call that the outer one makes.
    FirstInner,
    /// It is a further one.
    Inner,
}

impl Nesting<'_> {
    /// Whether it is a call that another one makes.
    #[must_use]
    pub fn is_inner(self) -> bool {
        match self {
            Nesting::FirstInner | Nesting::Inner => true,
            Nesting::None | Nesting::Outer | Nesting::Unreadable(_) => false,
        }
    }
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
            nesting: Nesting::None,
        };
        match &self.selected {
            Selected::Server | Selected::Unknown(_) => smallvec![target(None, Resource::Server)],
            Selected::Tool(name) => self.calls(target(None, Resource::Tool(name))),
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

    /// The call of a tool, and then those that it makes. All of them have its method, its `_meta` and
    /// what the client answers.
    fn calls<'m>(&'m self, outer: Target<'m>) -> Targets<'m> {
        let inner = match &self.inner {
            Ok(inner) if inner.is_empty() => return smallvec![outer],
            Ok(inner) => inner,
            Err(fault) => {
                let nesting = Nesting::Unreadable(fault);
                return smallvec![Target { nesting, ..outer }];
            }
        };
        let calls = inner.iter().enumerate().map(|(at, call)| Target {
            resource: Resource::Tool(&call.name),
            name: Some(&call.name),
            arguments: call.arguments.as_ref(),
            nesting: if at == 0 {
                Nesting::FirstInner
            } else {
                Nesting::Inner
            },
            ..outer
        });
        let nesting = Nesting::Outer;
        std::iter::once(Target { nesting, ..outer })
            .chain(calls)
            .collect()
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
