//! The kinds of lists that results carry: one row for each.

use crate::authz::Resource;

/// The properties of a kind of list.
#[derive(Debug)]
struct ListRow {
    /// The member of the result that is the list.
    member: &'static str,
    /// The member of an item that names it.
    naming: &'static str,
    /// The name of the list in metrics and audit.
    label: &'static str,
    /// The value of `response_filter` for a response that carries this list alone.
    response_filter: &'static str,
    /// The call that a listed item makes visible. `None` for a task, which policies do not filter.
    call: Option<ListedCall>,
}

/// The call that a client would make to a listed item.
#[derive(Debug, Clone, Copy)]
pub struct ListedCall {
    /// The method.
    pub method: &'static str,
    /// The resource of the call, by the name of the item.
    pub resource: fn(&str) -> Resource<'_>,
}

/// Declares the kinds of lists with their rows.
macro_rules! list_kinds {
    ($($(#[$doc:meta])* $kind:ident: $row:expr,)*) => {
        /// A list in a response.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ListKind {
            $($(#[$doc])* $kind,)*
        }

        impl ListKind {
            /// Every kind.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            const fn row(self) -> &'static ListRow {
                match self {
                    $(Self::$kind => &const { $row },)*
                }
            }
        }
    };
}

list_kinds! {
    /// Tools.
    Tools: ListRow {
        member: "tools",
        naming: "name",
        label: "tools",
        response_filter: "list/tools",
        call: Some(ListedCall { method: "tools/call", resource: |name| Resource::Tool(name) }),
    },
    /// Prompts.
    Prompts: ListRow {
        member: "prompts",
        naming: "name",
        label: "prompts",
        response_filter: "list/prompts",
        call: Some(ListedCall { method: "prompts/get", resource: |name| Resource::Prompt(name) }),
    },
    /// Resources: all of them, or those in a directory.
    Resources: ListRow {
        member: "resources",
        naming: "uri",
        label: "resources",
        response_filter: "list/resources",
        call: Some(ListedCall { method: "resources/read", resource: |name| Resource::Uri(name) }),
    },
    /// Resource templates.
    Templates: ListRow {
        member: "resourceTemplates",
        naming: "uriTemplate",
        label: "resource_templates",
        response_filter: "list/templates",
        call: Some(ListedCall { method: "resources/read", resource: |name| Resource::Template(name) }),
    },
    /// Tasks.
    Tasks: ListRow {
        member: "tasks",
        naming: "taskId",
        label: "tasks",
        response_filter: "list/tasks",
        call: None,
    },
}

impl ListKind {
    /// The member of the result that is the list.
    #[must_use]
    pub fn member(self) -> &'static str {
        self.row().member
    }

    /// The member of an item that names it.
    #[must_use]
    pub fn naming(self) -> &'static str {
        self.row().naming
    }

    /// The name of the list in metrics and audit.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.row().label
    }

    /// The value of `response_filter` for a response that carries this list alone.
    #[must_use]
    pub const fn response_filter(self) -> &'static str {
        self.row().response_filter
    }

    /// The call that an item of the list would get. `None` for a task, which policies do not
    /// filter.
    #[must_use]
    pub fn call(self) -> Option<ListedCall> {
        self.row().call
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Which lists a response may carry: several, if it answers a batch or resumes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListKinds(u8);

impl ListKinds {
    /// Every list.
    pub const ALL: Self = Self(u8::MAX >> (8 - ListKind::ALL.len()));
    /// No list: nothing is hidden.
    pub const NONE: Self = Self(0);

    /// These kinds and one more.
    #[must_use]
    pub fn with(self, kind: ListKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether `kind` is among them.
    #[must_use]
    pub fn contains(self, kind: ListKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<ListKind> for ListKinds {
    fn from_iter<I: IntoIterator<Item = ListKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}
