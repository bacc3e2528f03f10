//! What is wrong with a file, where, and what would be right.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::tree::Node;

/// One file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How messages name it: its path as the operator wrote it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The index of a [`Source`] in its [`Findings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub(super) usize);

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not say what is meant.
    Warning,
    /// Nothing is wrong, but something could not be looked at.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// The file it is in.
    pub source: SourceId,
    /// The bytes of the file it is about.
    pub span: Range<usize>,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// The name of the lint that found it, if one did: what a rule can silence.
    pub lint: Option<&'static str>,
}

/// The findings of a set of files, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    sources: Vec<Source>,
    findings: Vec<Finding>,
}

impl Findings {
    /// No files, no findings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file in, so that findings can point into it.
    pub fn add_source(&mut self, source: Source) -> SourceId {
        self.sources.push(source);
        SourceId(self.sources.len().saturating_sub(1))
    }

    /// The text of a file taken in; empty for an id of another set.
    #[must_use]
    pub fn text(&self, source: SourceId) -> &str {
        self.sources
            .get(source.0)
            .map_or("", |source| source.text.as_str())
    }

    /// The name of a file taken in; empty for an id of another set.
    #[must_use]
    pub fn name(&self, source: SourceId) -> &str {
        self.sources
            .get(source.0)
            .map_or("", |source| source.name.as_str())
    }

    /// Records an error about a node.
    pub fn error(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.error_at(node.source, node.span.clone(), message, help);
    }

    /// Records an error about a stretch of a file. An empty `help` is left out.
    pub fn error_at(
        &mut self,
        source: SourceId,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(
            Severity::Error,
            source,
            span,
            message.into(),
            help.into(),
            None,
        );
    }

    /// Records what a lint found about a node. An empty `help` is left out.
    pub fn lint(
        &mut self,
        node: &Node,
        lint: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(
            Severity::Warning,
            node.source,
            node.span.clone(),
            message.into(),
            help.into(),
            Some(lint),
        );
    }

    /// Records about a node what could not be looked at.
    pub fn note(&mut self, node: &Node, message: impl Into<String>) {
        self.push(
            Severity::Note,
            node.source,
            node.span.clone(),
            message.into(),
            String::new(),
            None,
        );
    }

    /// Takes over the files and findings of another set, behind its own.
    pub fn absorb(&mut self, other: Findings) {
        let before = self.sources.len();
        self.sources.extend(other.sources);
        let moved = other.findings.into_iter().map(|finding| Finding {
            source: SourceId(finding.source.0.saturating_add(before)),
            ..finding
        });
        self.findings.extend(moved);
    }

    fn push(
        &mut self,
        severity: Severity,
        source: SourceId,
        span: Range<usize>,
        message: String,
        help: String,
        lint: Option<&'static str>,
    ) {
        let help = (!help.is_empty()).then_some(help);
        self.findings.push(Finding {
            severity,
            source,
            span,
            message,
            help,
            lint,
        });
    }

    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// How many findings weigh this much.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let same = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(same).count()
    }

    /// The findings in the order of files and positions.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| (finding.source, finding.span.start, finding.span.end));
        sorted
    }

    /// The line a node starts on, from 1.
    #[must_use]
    pub fn line(&self, node: &Node) -> usize {
        let before = self.text(node.source).get(..node.span.start);
        before
            .map_or(0, |text| text.matches('\n').count())
            .saturating_add(1)
    }

    /// Line and column of a finding's start, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, finding: &Finding) -> (usize, usize) {
        let text = self.text(finding.source);
        let before = text.get(..finding.span.start).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let last = before.rsplit('\n').next().unwrap_or(before);
        (line, last.chars().count().saturating_add(1))
    }

    /// How many findings there are, in words: `2 errors, 1 warning`.
    #[must_use]
    pub fn total(&self) -> String {
        let counts = [Severity::Error, Severity::Warning].map(|severity| {
            let is_one = |finding: &&Finding| finding.severity == severity;
            (severity.name(), self.findings.iter().filter(is_one).count())
        });
        let parts = counts.iter().filter(|(_, count)| *count > 0);
        let parts = parts.map(|(name, count)| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("{count} {name}{plural}")
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// One line for each finding: `file:line:column: severity: message (help)`.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        self.sorted()
            .into_iter()
            .map(|finding| {
                let (line, column) = self.position(finding);
                let name = self.name(finding.source);
                let name_of_lint = finding.lint.map(|name| format!("[{name}]"));
                let which = name_of_lint.unwrap_or_default();
                let severity = finding.severity.name();
                let help = finding.help.as_ref().map(|help| format!(" ({help})"));
                let help = help.unwrap_or_default();
                format!(
                    "{name}:{line}:{column}: {severity}{which}: {}{help}",
                    finding.message
                )
            })
            .collect()
    }

    /// Every finding with its excerpt, as a compiler shows it.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let reports = self
            .sorted()
            .into_iter()
            .map(|finding| self.render_one(&renderer, finding));
        reports.collect::<Vec<_>>().join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, finding: &Finding) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let text = self.text(finding.source);
        let end = finding.span.end.min(text.len());
        let span = finding.span.start.min(end)..end;
        let snippet = Snippet::source(text)
            .path(self.name(finding.source))
            .annotation(AnnotationKind::Primary.span(span));
        let title = level.primary_title(finding.message.as_str());
        let title = match finding.lint {
            Some(lint) => title.id(lint),
            None => title,
        };
        let group = title.element(snippet);
        let group = match &finding.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}
