//! Findings about Envoy's configuration, without repeats.

use std::collections::HashSet;

use crate::yaml::{Findings, Node, SourceId};

use super::ConfigMessage;

/// The name in front of a warning's text.
pub(super) const LINT: &str = "envoy";

/// Collects findings. A value that an alias repeats is reported once.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) findings: Findings,
    said: HashSet<(SourceId, usize, usize, String)>,
}

impl Report {
    pub(super) fn new(findings: Findings) -> Self {
        Report {
            findings,
            said: HashSet::new(),
        }
    }

    /// A mistake.
    pub(super) fn error(&mut self, at: ConfigMessage<'_>, message: impl Into<String>, help: &str) {
        self.error_at(at.node(), message.into(), help);
    }

    /// A mistake because something is missing.
    pub(super) fn missing(
        &mut self,
        from: ConfigMessage<'_>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.error_at(from.head(), message.into(), help);
    }

    /// A setting that may be intended.
    pub(super) fn warn(&mut self, at: ConfigMessage<'_>, message: impl Into<String>, help: &str) {
        self.warn_at(at.node(), message.into(), help);
    }

    /// A missing setting that may be intended.
    pub(super) fn warn_missing(
        &mut self,
        from: ConfigMessage<'_>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.warn_at(from.head(), message.into(), help);
    }

    /// Something that the files do not show.
    pub(super) fn unseen(&mut self, at: ConfigMessage<'_>, message: impl Into<String>) {
        let message = message.into();
        if self.is_new(at.node(), &message) {
            self.findings.note(at.node(), message);
        }
    }

    fn error_at(&mut self, node: &Node, message: String, help: &str) {
        if self.is_new(node, &message) {
            self.findings.error(node, message, help);
        }
    }

    fn warn_at(&mut self, node: &Node, message: String, help: &str) {
        if self.is_new(node, &message) {
            self.findings.lint(node, LINT, message, help);
        }
    }

    fn is_new(&mut self, node: &Node, message: &str) -> bool {
        let (start, end) = (node.span.start, node.span.end);
        self.said
            .insert((node.source, start, end, message.to_owned()))
    }
}
