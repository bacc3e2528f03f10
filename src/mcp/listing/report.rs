//! What a listing reports to its caller.

use super::fault::Unjudged;
use super::item::ListItem;
use crate::mcp::list_kind::ListKind;

/// Where [`Listing::read`](super::Listing::read) stopped.
#[derive(Debug, PartialEq)]
pub enum ListingStep<'a> {
    /// The input is used up.
    More,
    /// An item, to be judged by [`Listing::settle`](super::Listing::settle). It is hidden if that is
    /// not called.
    Item(ListItem<'a>),
    /// Something in this list cannot be judged; it is hidden, and the caller has nothing to do.
    /// Of a new task whose id cannot be told, the id passes and is not known.
    Unjudged(ListKind, Unjudged),
    /// A new task has this id, the last bytes of which are the last that were let out.
    NewTask(String),
}

/// What a [`Listing`](super::Listing) did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingCounts {
    /// Lists met, each repeat included.
    pub lists: u64,
    /// Errors met in the place of results.
    pub errors: u64,
    /// Items kept.
    pub kept: u64,
    /// Items hidden because they were judged so.
    pub hidden: u64,
    /// Items and lists hidden unjudged, and ids of new tasks not told.
    pub unjudged: u64,
}
