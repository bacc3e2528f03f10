//! YAML text to typed values, with every finding at once.
//!
//! Three steps: [`parse`] turns text into a tree that knows where each node stands, [`Fields`]
//! and the scalar readers turn nodes into values, and [`Findings`] collects what is wrong on the
//! way, to be shown together. A reader that returns `None` has always left a finding, so a file
//! is good exactly when its findings are empty.
//!
//! What a file means is not here: that belongs to `config.rs` and `policy/document.rs`.

mod decode;
mod finding;
mod places;
mod tree;

pub use decode::{
    Fields, boolean, bytes, choice, duration, duration_text, integer, list, list_or_one, network,
    string, url,
};
pub use finding::{Finding, Findings, Severity, Source, SourceId};
pub use tree::{Data, Node, parse};

#[cfg(test)]
mod tests;
