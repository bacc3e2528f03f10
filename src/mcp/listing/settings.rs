//! What a listing filters, and within which limits.

use crate::mcp::list_kind::ListKinds;

/// How a response carries its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: one JSON text.
    Json,
    /// `text/event-stream`: one JSON text per event.
    EventStream,
}

/// What a [`Listing`](super::Listing) filters, and within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingSettings {
    /// The lists to filter. Others are forwarded.
    pub lists: ListKinds,
    /// How messages are carried.
    pub framing: Framing,
    /// Whether to add a `cacheScope` to a result with a list that lacks one (revision 2026-07-28).
    /// An existing one becomes `private` in any case, as long as `lists` are filtered.
    pub make_private: bool,
    /// Whether to report the ids of new tasks: `result.task.taskId` (revision 2025-11-25) and
    /// `result.taskId` (the extension `io.modelcontextprotocol/tasks`). They are forwarded
    /// unchanged.
    pub new_tasks: bool,
    /// Whether to hold each result back as a whole, to be [replaced](super::Listing::replace). Its
    /// lists, its `cacheScope` and its tasks are then the caller's to find.
    pub whole_results: bool,
    /// The largest size of an item in bytes, including the comma in front of it, the white space
    /// between and, in an event stream, framing inside it. A larger item is hidden, and a response with
    /// a larger result to hold back cannot be read.
    pub item_bytes_max: usize,
    /// The longest id of a new task, in bytes after unescaping. A longer one is not reported.
    pub task_id_bytes_max: usize,
    /// How deep arrays and objects may be nested, including the message itself and a batch. A value
    /// above 126 acts as 126.
    pub depth_max: usize,
}

impl Default for ListingSettings {
    fn default() -> Self {
        Self {
            lists: ListKinds::ALL,
            framing: Framing::Json,
            make_private: false,
            new_tasks: false,
            whole_results: false,
            item_bytes_max: 256 * 1024,
            task_id_bytes_max: 256,
            depth_max: 64,
        }
    }
}
