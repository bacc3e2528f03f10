//! YAML text to typed values, with every finding at once.
//!
//! Three steps: [`parse`] turns text into a tree that knows where each node stands, [`Fields`]
//! and the scalar readers turn nodes into values, and [`Findings`] collects what is wrong on the
//! way, to be shown together. A reader that returns `None` has always left a finding, so a file
//! is good exactly when its findings are empty.
//!
//! ```
//! use std::time::Duration;
//!
//! use mcp_authz::yaml::{Fields, Findings, Source, boolean, duration, parse};
//!
//! let mut findings = Findings::new();
//! let source = findings.add_source(Source {
//!     name: "lamp.yaml".to_owned(),
//!     text: "on: maybe\nfade: 2s\ncolor: red\n".to_owned(),
//! });
//! let root = parse(source, &mut findings).unwrap();
//! let mut fields = Fields::open(&root, "a lamp", &mut findings).unwrap();
//! let is_on = fields.required("on", &mut findings, boolean);
//! let range = Duration::ZERO..=Duration::from_secs(10);
//! let fade = fields.optional("fade", &mut findings, duration(range));
//! fields.finish(&mut findings);
//!
//! assert_eq!((is_on, fade), (None, Some(Duration::from_secs(2))));
//! assert_eq!(
//!     findings.to_lines(),
//!     [
//!         "lamp.yaml:1:5: error: expected `true` or `false`, found a string",
//!         "lamp.yaml:3:1: error: unknown key `color` (known here: `on`, `fade`)",
//!     ]
//! );
//! ```
//!
//! What a file means is not here: that belongs to `config/` and `policy/document/`. The files build
//! on each other in this order: `source`, `tree`, `finding` (with `lines`, which knows lines and
//! columns), `parse`, `decode` (with `words`, which knows what was probably meant), `names`.

mod decode;
mod finding;
mod lines;
mod names;
mod parse;
mod silence;
mod source;
mod tree;
mod words;

pub use decode::{
    Fields, boolean, bytes, choice, duration, duration_text, integer, list, list_or_one, network,
    string, url,
};
pub use finding::{Finding, Findings, Severity};
pub use names::{NameFault, look, name, name_fault, odd_names, passes_for_latin, refuse_doubtful};
pub use parse::parse;
pub use silence::{Elsewhere, silence, silence_of};
pub use source::{Source, SourceId};
pub use tree::{Data, Node};
pub use words::{quoted, suggestion};

#[cfg(test)]
mod tests;
