//! The limits within which a body is decoded.

use std::sync::Arc;

use super::indirect::IndirectTool;

/// What [`decode`](crate::mcp::decode()) accepts; the names are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeOptions {
    /// How deep arrays and objects may be nested, including the message itself and a batch. A value
    /// above 126 acts as 126.
    pub json_depth_max: usize,
    /// How many values and keys the body may have in total: each scalar, array, object and member
    /// key counts as one, including the message itself and a batch.
    pub json_values_max: usize,
    /// The length of a method, a tool's or prompt's name and a task id, in bytes after unescaping.
    pub name_bytes_max: usize,
    /// The length of a URI, in bytes after unescaping.
    pub uri_bytes_max: usize,
    /// How many elements a batch may have; 0 refuses batches.
    pub batch_max: usize,
    /// How many URIs and tasks together one `subscriptions/listen` may name.
    pub subscriptions_max: usize,
    /// Whether keys inside `arguments` may differ only in case (`fold_arguments: accept`). Equal
    /// keys are refused all the same.
    pub accept_folded_arguments: bool,
    /// Whether the body arrived as a string in which lost bytes were replaced: by `!` if Envoy made
    /// it, by U+FFFD if another proxy did.
    pub lossy: bool,
    /// The tools of the server that call others.
    pub indirect: Option<Arc<[IndirectTool]>>,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            json_depth_max: 64,
            json_values_max: 20_000,
            name_bytes_max: 256,
            uri_bytes_max: 8 * 1024,
            batch_max: 0,
            subscriptions_max: 256,
            accept_folded_arguments: false,
            lossy: false,
            indirect: None,
        }
    }
}

impl DecodeOptions {
    /// Whether bytes of a text may have been lost.
    pub(super) fn may_have_lost(&self, text: &str) -> bool {
        self.lossy && text.contains(['!', char::REPLACEMENT_CHARACTER])
    }
}
