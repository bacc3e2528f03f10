//! The methods of MCP and their properties: one row for each.
//!
//! The server checks whether a method exists in the negotiated revision. Judging a request that the
//! server then does not know does no harm.

use super::list_kind::ListKind;
use super::params::Params;
use crate::authz::ActionKind;

/// One method of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about a method"
)]
pub struct Method {
    /// The method, matched exactly.
    pub name: &'static str,
    /// The form: request or notification.
    pub form: MethodForm,
    /// The kind of authority it needs.
    pub kind: ActionKind,
    /// The parameter that names what it reaches.
    pub selector: Selector,
    /// Whether a modern request must repeat the selector in `Mcp-Name`.
    pub needs_name_header: bool,
    /// Whether rules for the method that reads the resource also apply to this one: whoever may
    /// read a resource may subscribe to it and complete it.
    pub is_like_reading: bool,
    /// Whether revision 2026-07-28 removed it.
    pub is_legacy: bool,
    /// Whether its result may create a task.
    pub creates_task: bool,
    /// Whether the creator of a task may do it to that task without a rule of its own, or, of a list,
    /// sees its own tasks in it.
    pub is_creators: bool,
    /// The list that its result carries, whose items show what their reader may use.
    pub lists: Option<ListKind>,
}

impl Method {
    /// Whether a message with this method and without an id is refused.
    #[must_use]
    pub fn needs_id(&self) -> bool {
        self.form == MethodForm::Request
    }

    /// Whether a modern message with these parameters reaches nothing: revision 2026-07-28 removed
    /// the method, so servers answer 404, and the parameters name no resource either.
    pub(super) fn reaches_nothing(&self, params: &Params<'_>) -> bool {
        self.is_legacy && !params.iter().any(|(name, _)| name == "uri")
    }
}

/// Whether a method expects a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodForm {
    /// It does.
    Request,
    /// It does not.
    Notification,
}

/// The parameter that names what a method reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// None: the server as a whole.
    None,
    /// `params.name`, a tool.
    Tool,
    /// `params.name`, a prompt.
    Prompt,
    /// `params.uri`.
    Uri,
    /// `params.taskId`.
    Task,
    /// `params.ref`: a prompt by `name` or a resource by `uri`.
    Reference,
    /// `params.notifications.resourceSubscriptions[]` and `.taskIds[]`.
    Subscriptions,
}

impl Selector {
    /// The one parameter that is the name itself, where there is one.
    #[must_use]
    pub fn parameter(self) -> Option<&'static str> {
        match self {
            Selector::Tool | Selector::Prompt => Some("name"),
            Selector::Uri => Some("uri"),
            Selector::Task => Some("taskId"),
            Selector::None | Selector::Reference | Selector::Subscriptions => None,
        }
    }
}

/// Every method of the protocol and of its extensions, sorted by name.
///
/// `skills/list` is not open, although it lists: its result is not one of the filtered lists, so a
/// rule must name it, as with `tasks/*`.
pub const METHODS: &[Method] = &[
    like_reading(uses("completion/complete", Selector::Reference)),
    open("initialize"),
    open("logging/setLevel"),
    notification("notifications/cancelled"),
    notification("notifications/initialized"),
    notification("notifications/progress"),
    notification("notifications/roots/list_changed"),
    notification("notifications/tasks/status"),
    open("ping"),
    named(uses("prompts/get", Selector::Prompt)),
    listing(ListKind::Prompts, open("prompts/list")),
    listing(
        ListKind::Resources,
        uses("resources/directory/read", Selector::Uri),
    ),
    listing(ListKind::Resources, open("resources/list")),
    named(uses("resources/read", Selector::Uri)),
    legacy(like_reading(uses("resources/subscribe", Selector::Uri))),
    listing(ListKind::Templates, open("resources/templates/list")),
    legacy(like_reading(uses("resources/unsubscribe", Selector::Uri))),
    open("server/discover"),
    uses("skills/get", Selector::Uri),
    uses("skills/list", Selector::None),
    creators(uses("subscriptions/listen", Selector::Subscriptions)),
    creators(named(uses("tasks/cancel", Selector::Task))),
    creators(named(uses("tasks/get", Selector::Task))),
    creators(listing(ListKind::Tasks, uses("tasks/list", Selector::None))),
    creators(uses("tasks/result", Selector::Task)),
    creators(named(uses("tasks/update", Selector::Task))),
    creates_task(named(uses("tools/call", Selector::Tool))),
    listing(ListKind::Tools, open("tools/list")),
];

/// The method's row in the table.
pub(super) fn find(method: &str) -> Option<&'static Method> {
    METHODS.iter().find(|entry| entry.name == method)
}

const fn open(name: &'static str) -> Method {
    Method {
        name,
        form: MethodForm::Request,
        kind: ActionKind::Open,
        selector: Selector::None,
        needs_name_header: false,
        is_like_reading: false,
        is_legacy: false,
        creates_task: false,
        is_creators: false,
        lists: None,
    }
}

const fn notification(name: &'static str) -> Method {
    Method {
        form: MethodForm::Notification,
        ..open(name)
    }
}

const fn uses(name: &'static str, selector: Selector) -> Method {
    Method {
        kind: ActionKind::Use,
        selector,
        ..open(name)
    }
}

const fn named(method: Method) -> Method {
    Method {
        needs_name_header: true,
        ..method
    }
}

const fn listing(kind: ListKind, method: Method) -> Method {
    Method {
        lists: Some(kind),
        ..method
    }
}

const fn like_reading(method: Method) -> Method {
    Method {
        is_like_reading: true,
        ..method
    }
}

const fn legacy(method: Method) -> Method {
    Method {
        is_legacy: true,
        ..method
    }
}

const fn creators(method: Method) -> Method {
    Method {
        is_creators: true,
        ..method
    }
}

const fn creates_task(method: Method) -> Method {
    Method {
        creates_task: true,
        ..method
    }
}

impl ListKind {
    /// The method that lists all items of the kind.
    #[must_use]
    pub fn method(self) -> Option<&'static str> {
        let lists = |entry: &&Method| entry.lists == Some(self) && entry.selector == Selector::None;
        METHODS.iter().find(lists).map(|entry| entry.name)
    }
}
