//! What a listing reports to its caller.

use super::fault::Unjudged;
use super::item::ListItem;
use crate::mcp::list_kind::ListKind;

/// Where [`Listing::read`](super::Listing::read) stopped.
#[derive(Debug, PartialEq)]
pub enum ListingStep<'a> {
    /// The input is used up.
    More,
    /// An item to be judged by [`Listing::settle`](super::Listing::settle). It is hidden if that is
    /// not called.
    Item(ListItem<'a>),
    /// A whole result, to be settled by [`Listing::replace`](super::Listing::replace).
    Result(&'a [u8]),
    /// Something in this list cannot be judged; it is hidden, and the caller has nothing to do. For
    /// a new task whose id cannot be read, the id is forwarded and stays unknown. The name of the item
    /// is for operators, as far as it can be told.
    Unjudged(ListKind, Unjudged, Option<String>),
    /// A new task has this id, whose last bytes are the last that were forwarded.
    NewTask(String),
}

/// What a [`Listing`](super::Listing) has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingCounts {
    /// Lists found, each repeat included, and results held back.
    pub lists: u64,
    /// Errors found in place of results.
    pub errors: u64,
    /// Items kept.
    pub kept: u64,
    /// Items that the caller hid.
    pub hidden: u64,
    /// Items and lists hidden unjudged, and ids of new tasks that could not be reported.
    pub unjudged: u64,
}
