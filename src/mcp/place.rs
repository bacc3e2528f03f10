//! The shape of the protocol: which objects of a message belong to it, which members they have, and
//! which members are kept.

/// The place of an object in a message. It decides which of the object's keys belong to the
/// protocol and which members are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectPlace {
    /// The message itself.
    Message,
    /// `params`.
    Params,
    /// `params.ref`.
    Reference,
    /// `params._meta`.
    Meta,
    /// `params.notifications`.
    Notifications,
    /// `params.context`.
    Context,
    /// `params.argument`.
    Argument,
    /// `params.task`.
    Task,
    /// `params.arguments` and everything in it.
    Arguments,
    /// An item of a list in a response.
    Item,
    /// The annotations of an item.
    Hints,
    /// Everything else in an item: schemas and metadata, whose keys only the server defines.
    Data,
    /// Everything else.
    Free,
}

impl ObjectPlace {
    /// The place of the member `key`, and whether it is kept if this object is.
    pub(super) fn member(self, key: &str) -> (ObjectPlace, bool) {
        match (self, key) {
            (ObjectPlace::Params, "ref") => (ObjectPlace::Reference, true),
            (ObjectPlace::Params, "_meta") => (ObjectPlace::Meta, true),
            (ObjectPlace::Params, "notifications") => (ObjectPlace::Notifications, true),
            (ObjectPlace::Params, "context") => (ObjectPlace::Context, true),
            (ObjectPlace::Params, "argument") => (ObjectPlace::Argument, true),
            (ObjectPlace::Params, "task") => (ObjectPlace::Task, true),
            (
                ObjectPlace::Params,
                "name" | "uri" | "taskId" | "protocolVersion" | "inputResponses",
            )
            | (ObjectPlace::Notifications, "resourceSubscriptions" | "taskIds")
            | (ObjectPlace::Context, "arguments")
            | (ObjectPlace::Argument, "name")
            | (ObjectPlace::Reference | ObjectPlace::Meta | ObjectPlace::Free, _) => {
                (ObjectPlace::Free, true)
            }
            (ObjectPlace::Params, "arguments") | (ObjectPlace::Arguments, _) => {
                (ObjectPlace::Arguments, true)
            }
            (ObjectPlace::Item, "annotations") => (ObjectPlace::Hints, true),
            (ObjectPlace::Item | ObjectPlace::Hints | ObjectPlace::Data, _) => {
                (ObjectPlace::Data, true)
            }
            (
                ObjectPlace::Message
                | ObjectPlace::Params
                | ObjectPlace::Notifications
                | ObjectPlace::Context
                | ObjectPlace::Argument
                | ObjectPlace::Task,
                _,
            ) => (ObjectPlace::Free, false),
        }
    }
}

/// The place of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValuePlace {
    pub(super) place: ObjectPlace,
    /// Whether the value is kept.
    pub(super) keep: bool,
    /// How many arrays and objects enclose it.
    pub(super) depth: usize,
}

impl ValuePlace {
    /// The member `key` of the object in this place.
    pub(super) fn member(self, key: &str) -> Self {
        let (place, keep) = self.place.member(key);
        Self {
            place,
            keep: self.keep && keep,
            depth: self.depth.saturating_add(1),
        }
    }
}

impl ObjectPlace {
    /// The members that any revision or extension of the protocol defines in this place.
    pub(super) fn members(self) -> &'static [&'static str] {
        match self {
            ObjectPlace::Message => &["jsonrpc", "id", "method", "params", "result", "error"],
            ObjectPlace::Params => PARAMS,
            ObjectPlace::Reference => &["type", "name", "uri", "title"],
            ObjectPlace::Meta => &["progressToken", "traceparent", "tracestate", "baggage"],
            ObjectPlace::Notifications => &[
                "toolsListChanged",
                "promptsListChanged",
                "resourcesListChanged",
                "resourceSubscriptions",
                "taskIds",
            ],
            ObjectPlace::Context => &["arguments"],
            ObjectPlace::Argument => &["name", "value"],
            ObjectPlace::Task => &["ttl"],
            ObjectPlace::Item => ITEM,
            ObjectPlace::Hints => HINTS,
            ObjectPlace::Arguments | ObjectPlace::Data | ObjectPlace::Free => &[],
        }
    }
}

/// The member of `_meta` that makes a message modern.
pub(super) const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

pub(super) const META_PREFIX: &str = "io.modelcontextprotocol/";

pub(super) const META_MEMBERS: &[&str] = &[
    META_PROTOCOL_VERSION,
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/authorization",
    "io.modelcontextprotocol/authorization-context-id",
];

const PARAMS: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "capabilities",
    "clientInfo",
    "context",
    "cursor",
    "data",
    "inputResponses",
    "level",
    "message",
    "name",
    "notifications",
    "progress",
    "progressToken",
    "protocolVersion",
    "reason",
    "ref",
    "requestId",
    "requestState",
    "task",
    "taskId",
    "total",
    "uri",
];

/// The members of tools, prompts, resources, templates and tasks.
const ITEM: &[&str] = &[
    "_meta",
    "annotations",
    "arguments",
    "createdAt",
    "description",
    "execution",
    "icons",
    "inputSchema",
    "lastUpdatedAt",
    "mimeType",
    "name",
    "outputSchema",
    "pollInterval",
    "pollIntervalMs",
    "size",
    "status",
    "statusMessage",
    "taskId",
    "title",
    "ttl",
    "ttlMs",
    "uri",
    "uriTemplate",
];

const HINTS: &[&str] = &[
    "audience",
    "destructiveHint",
    "idempotentHint",
    "lastModified",
    "openWorldHint",
    "priority",
    "readOnlyHint",
    "title",
];
