//! Ends a comparison that nobody wants any more.

use std::sync::Arc;

/// Says when nobody wants the result any more.
#[derive(Clone)]
pub(super) struct GiveUp(pub(super) Arc<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for GiveUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GiveUp")
    }
}
