//! The open containers of a response, and the members in them that matter.

use std::borrow::Cow;

use crate::json::unescape;
use crate::mcp::key_rules;
use crate::mcp::list_kind::ListKind;

/// An open container whose members matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenPlace {
    /// An array of messages.
    Batch,
    Message,
    Result {
        /// Whether it contained a list.
        has_list: bool,
        /// Whether it has a `cacheScope`.
        has_scope: bool,
    },
    List {
        kind: ListKind,
        /// Whether an item was kept.
        has_items: bool,
    },
    /// `result.task`.
    Task,
}

/// A member of such a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Result,
    Error,
    List(ListKind),
    /// `cacheScope`, and whether it is spelled exactly like that.
    CacheScope(bool),
    Task,
    TaskId,
    Other,
}

impl Member {
    /// The member that a key names. The key is compared after unescaping, without regard to case
    /// and up to a NUL, because some clients read it like that. `spelling` is the key as written,
    /// or its beginning if `is_cut`.
    pub(super) fn of(place: Option<&OpenPlace>, spelling: &[u8], is_cut: bool) -> Self {
        let Some((key, is_whole)) = unescape(spelling) else {
            return Member::Other;
        };
        if is_cut && is_whole {
            return Member::Other;
        }
        let key = Cow::Owned(key);
        let folded = key_rules::fold(&key);
        match place {
            Some(OpenPlace::Message) if folded == "result" => Member::Result,
            Some(OpenPlace::Message) if folded == "error" => Member::Error,
            Some(OpenPlace::Result { .. }) => match folded.as_ref() {
                "cachescope" => Member::CacheScope(is_whole && key == CACHE_SCOPE),
                "task" if is_whole && key == "task" => Member::Task,
                "taskid" if is_whole && key == "taskId" => Member::TaskId,
                _ => ListKind::ALL
                    .into_iter()
                    .find(|kind| kind.member().eq_ignore_ascii_case(&folded))
                    .map_or(Member::Other, Member::List),
            },
            Some(OpenPlace::Task) if is_whole && key == "taskId" => Member::TaskId,
            Some(
                OpenPlace::Message | OpenPlace::Batch | OpenPlace::List { .. } | OpenPlace::Task,
            )
            | None => Member::Other,
        }
    }
}

const CACHE_SCOPE: &str = "cacheScope";
