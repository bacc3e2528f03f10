//! The method table (`src/mcp/README.md`, "Methods"): what a message wants done, and to what.
//!
//! Whether a method exists in the revision that is spoken is left to the server: judging a
//! request that the server then does not know harms nobody.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::jsonrpc::{DecodeOptions, Kind, Message};
use super::listing::ListKind;
use super::refusal::Refusal;
use super::template;
use crate::authz::{Action, ActionKind, Resource, Value};

/// One method of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// The method, matched exactly.
    pub name: &'static str,
    /// Whether it is a request or a notification.
    pub form: Form,
    /// What kind of authority it needs.
    pub kind: ActionKind,
    /// The parameter that names what it reaches.
    pub selector: Selector,
    /// Whether a modern request must repeat the selector in `Mcp-Name` (MCP 2026-07-28, Streamable
    /// HTTP, Standard Request Headers).
    pub needs_name_header: bool,
    /// The list that its result carries, whose items show what their reader may use.
    pub lists: Option<ListKind>,
}

impl Method {
    /// Whether a message with this method and without an id is refused.
    #[must_use]
    pub fn needs_id(&self) -> bool {
        self.form == Form::Request
    }

    /// Whether a modern message with these parameters reaches nothing: the method is one that
    /// revision 2026-07-28 has removed, whose servers answer 404, and names no resource either.
    pub(super) fn reaches_nothing(&self, params: &Params<'_>) -> bool {
        matches!(self.name, "resources/subscribe" | "resources/unsubscribe")
            && !params.iter().any(|(name, _)| name == "uri")
    }
}

/// Whether a method wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
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

/// One thing a message wants done. All targets of a message must be allowed, or none of it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target<'m> {
    /// The method as written, and its kind.
    pub action: Action<'m>,
    /// What is reached.
    pub resource: Resource<'m>,
    /// What it is called, as sent: of a template the text whose variables are not filled in.
    pub name: Option<&'m str>,
    /// What it is called with; see [`Message::arguments`].
    pub arguments: Option<&'m Value<'m>>,
    /// What is answered to the server; see [`Message::input`].
    pub input: Option<&'m Value<'m>>,
    /// [`Message::meta`].
    pub meta: Option<&'m Value<'m>>,
}

/// What a message wants done, which mostly is one thing.
pub(crate) type Targets<'m> = SmallVec<[Target<'m>; 1]>;

/// Every method of the protocol and of its extensions for tasks and skills, sorted by name.
///
/// The open ones need no rule (`src/policy/README.md`). `skills/list` is not among them: its answer
/// is none of the lists that are filtered, so a rule has to name it, as for `tasks/*`.
pub const METHODS: &[Method] = &[
    uses("completion/complete", Selector::Reference),
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
    uses("resources/subscribe", Selector::Uri),
    listing(ListKind::Templates, open("resources/templates/list")),
    uses("resources/unsubscribe", Selector::Uri),
    open("server/discover"),
    uses("skills/get", Selector::Uri),
    uses("skills/list", Selector::None),
    uses("subscriptions/listen", Selector::Subscriptions),
    named(uses("tasks/cancel", Selector::Task)),
    named(uses("tasks/get", Selector::Task)),
    listing(ListKind::Tasks, uses("tasks/list", Selector::None)),
    uses("tasks/result", Selector::Task),
    named(uses("tasks/update", Selector::Task)),
    named(uses("tools/call", Selector::Tool)),
    listing(ListKind::Tools, open("tools/list")),
];

impl Message<'_> {
    /// What the message wants done: at least one target.
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
            (_, Kind::Response { .. }) => ActionKind::Open,
            (Some(entry), Kind::Request { .. } | Kind::Notification) => entry.kind,
            (None, Kind::Notification) if self.method.starts_with("notifications/") => {
                ActionKind::Open
            }
            (None, Kind::Request { .. } | Kind::Notification) => ActionKind::Unknown,
        }
    }

    fn other_way(&self, method: &'static str) -> Option<&'static str> {
        let is_listed = matches!(
            self.method.as_ref(),
            "completion/complete" | "resources/subscribe" | "resources/unsubscribe"
        );
        is_listed.then_some(method)
    }

    /// Whether `Mcp-Name` may say this.
    pub(super) fn is_named(&self, name: &str) -> bool {
        match &self.selected {
            Selected::Server | Selected::Subscriptions { .. } => false,
            Selected::Tool(own)
            | Selected::Prompt(own)
            | Selected::Uri(own)
            | Selected::Template { sent: own, .. }
            | Selected::Task(own) => own == name,
            Selected::Unknown(names) => names.iter().any(|own| own == name),
        }
    }
}

/// What a message reaches, by the parameter that names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selected<'a> {
    Server,
    Tool(Cow<'a, str>),
    Prompt(Cow<'a, str>),
    Uri(Cow<'a, str>),
    /// What a URI template can become.
    Template {
        sent: Cow<'a, str>,
        /// With the variables filled in that are known, if there are some.
        known: Option<String>,
    },
    Task(Cow<'a, str>),
    Subscriptions {
        uris: Vec<Cow<'a, str>>,
        tasks: Vec<Cow<'a, str>>,
    },
    /// A method outside the table reaches nobody knows what; these are its `name`, `uri` and
    /// `taskId` where they are strings, to be compared with `Mcp-Name`.
    Unknown(Vec<Cow<'a, str>>),
}

/// The kept members of `params`. INVARIANT: keys are unique.
pub(super) type Params<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The table's entry for a method.
pub(super) fn find(method: &str) -> Option<&'static Method> {
    METHODS.iter().find(|entry| entry.name == method)
}

/// Takes the member `key` out of `params`.
pub(super) fn take<'a>(params: &mut Params<'a>, key: &str) -> Option<Value<'a>> {
    let index = params.iter().position(|(name, _)| name == key)?;
    Some(params.swap_remove(index).1)
}

/// Reads what the method reaches.
pub(super) fn select<'a>(
    entry: Option<&Method>,
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let Some(entry) = entry else {
        return select_unknown(params, options);
    };
    Ok(match entry.selector {
        Selector::None => Selected::Server,
        Selector::Tool => Selected::Tool(check_name(text(params, "name")?, options)?),
        Selector::Prompt => Selected::Prompt(check_name(text(params, "name")?, options)?),
        Selector::Uri => Selected::Uri(check_uri(text(params, "uri")?, options)?),
        Selector::Task => Selected::Task(check_name(text(params, "taskId")?, options)?),
        Selector::Reference => select_reference(params, options)?,
        Selector::Subscriptions => select_subscriptions(params, options)?,
    })
}

/// Reads what the method is called with. `arguments` has the same form whatever the method.
pub(super) fn arguments<'a>(
    entry: Option<&Method>,
    params: &mut Params<'a>,
) -> Result<Option<Value<'a>>, Refusal> {
    let own = object_or_null(take(params, "arguments"))?;
    let Some(entry) = entry else {
        return Ok(own);
    };
    match entry.selector {
        Selector::Tool | Selector::Prompt => Ok(own),
        Selector::Reference => match object_or_null(take(params, "context"))? {
            Some(Value::Map(mut context)) => object_or_null(take(&mut context, "arguments")),
            Some(_) | None => Ok(None),
        },
        Selector::None | Selector::Uri | Selector::Task | Selector::Subscriptions => Ok(None),
    }
}

/// Reads what is answered to the server, whatever the method.
pub(super) fn input<'a>(params: &mut Params<'a>) -> Result<Option<Value<'a>>, Refusal> {
    object_or_null(take(params, "inputResponses")).map_err(|_| Refusal::ParamsInvalid)
}

/// Checks a method, name or task id against its limit.
pub(super) fn check_name<'a>(
    name: Cow<'a, str>,
    options: &DecodeOptions,
) -> Result<Cow<'a, str>, Refusal> {
    if name.len() > options.name_bytes_max {
        return Err(Refusal::NameTooLong);
    }
    check_lossy(name, options)
}

fn check_uri<'a>(uri: Cow<'a, str>, options: &DecodeOptions) -> Result<Cow<'a, str>, Refusal> {
    if uri.len() > options.uri_bytes_max {
        return Err(Refusal::UriTooLong);
    }
    check_lossy(uri, options)
}

fn check_lossy<'a>(text: Cow<'a, str>, options: &DecodeOptions) -> Result<Cow<'a, str>, Refusal> {
    if options.may_have_lost(&text) {
        return Err(Refusal::LossyText);
    }
    Ok(text)
}

fn text<'a>(params: &mut Params<'a>, key: &str) -> Result<Cow<'a, str>, Refusal> {
    match take(params, key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::SelectorNotString),
        None => Err(Refusal::SelectorMissing),
    }
}

fn select_unknown<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut names = Vec::new();
    for key in ["name", "taskId", "uri"] {
        if let Some(Value::String(text)) = take(params, key) {
            let text = if key == "uri" {
                check_uri(text, options)?
            } else {
                check_name(text, options)?
            };
            names.push(text);
        }
    }
    Ok(Selected::Unknown(names))
}

fn select_reference<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut members = match take(params, "ref") {
        Some(Value::Map(members)) => members,
        Some(_) => return Err(Refusal::ReferenceInvalid),
        None => return Err(Refusal::SelectorMissing),
    };
    let kind = text(&mut members, "type")?;
    let has = |key| members.iter().any(|(name, _)| name == key);
    if has("name") && has("uri") {
        return Err(Refusal::ReferenceInvalid);
    }
    match kind.as_ref() {
        "ref/prompt" => Ok(Selected::Prompt(check_name(
            text(&mut members, "name")?,
            options,
        )?)),
        "ref/resource" => {
            let sent = check_uri(text(&mut members, "uri")?, options)?;
            if !sent.contains('{') {
                return Ok(Selected::Uri(sent));
            }
            let known = template::fill_in(&sent, params, options.uri_bytes_max);
            Ok(Selected::Template { sent, known })
        }
        _ => Err(Refusal::ReferenceInvalid),
    }
}

fn select_subscriptions<'a>(
    params: &mut Params<'a>,
    options: &DecodeOptions,
) -> Result<Selected<'a>, Refusal> {
    let mut notifications = match take(params, "notifications") {
        None => Vec::new(),
        Some(Value::Map(members)) => members,
        Some(_) => return Err(Refusal::SelectorNotString),
    };
    let uris = texts(take(&mut notifications, "resourceSubscriptions"))?;
    let tasks = texts(take(&mut notifications, "taskIds"))?;
    if uris.len().saturating_add(tasks.len()) > options.subscriptions_max {
        return Err(Refusal::TooManySubscriptions);
    }
    let uris = uris
        .into_iter()
        .map(|uri| check_uri(uri, options))
        .collect::<Result<_, _>>()?;
    let tasks = tasks
        .into_iter()
        .map(|id| check_name(id, options))
        .collect::<Result<_, _>>()?;
    Ok(Selected::Subscriptions { uris, tasks })
}

fn texts(list: Option<Value<'_>>) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let items = match list {
        None => return Ok(Vec::new()),
        Some(Value::List(items)) => items,
        Some(_) => return Err(Refusal::SelectorNotString),
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(text) = item else {
            return Err(Refusal::SelectorNotString);
        };
        texts.push(text);
    }
    Ok(texts)
}

fn object_or_null(value: Option<Value<'_>>) -> Result<Option<Value<'_>>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Map(members)) => Ok(Some(Value::Map(members))),
        Some(_) => Err(Refusal::ArgumentsInvalid),
    }
}

const fn open(name: &'static str) -> Method {
    Method {
        name,
        form: Form::Request,
        kind: ActionKind::Open,
        selector: Selector::None,
        needs_name_header: false,
        lists: None,
    }
}

const fn notification(name: &'static str) -> Method {
    Method {
        form: Form::Notification,
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

const PROMPTS_GET: &str = "prompts/get";
const RESOURCES_READ: &str = "resources/read";
const TASKS_GET: &str = "tasks/get";
