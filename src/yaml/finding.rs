//! Collects what is wrong with files, and shows it with its place and a remedy.

use std::ops::Range;
use std::sync::OnceLock;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::lines::LineMarks;
use super::source::{Source, SourceId};
use super::tree::Node;

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
    sources: Vec<Placed>,
    findings: Vec<Finding>,
}

/// A file with its places, once somebody asks for one.
#[derive(Debug, Clone)]
struct Placed {
    source: Source,
    lines: OnceLock<LineMarks>,
    /// The bytes that no excerpt shows.
    hidden: Vec<Range<usize>>,
    /// The team whose it is, where it is one's.
    team: Option<String>,
    /// The names that it may have although they are not what they appear to be.
    odd_names: Vec<String>,
}

impl PartialEq for Placed {
    /// The places follow from the text.
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Placed {}

impl Placed {
    fn lines(&self) -> &LineMarks {
        self.lines.get_or_init(|| LineMarks::of(&self.source.text))
    }

    /// Line and column of a byte, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        self.lines().position(&self.source.text, offset)
    }
}

/// The most findings that are shown with their excerpts: nobody reads more.
const SHOWN_MAX: usize = 1000;
/// The longest excerpt, in bytes: many findings in one long line would show it as many times.
const EXCERPT_BYTES_MAX: usize = 64 << 10;

impl Findings {
    /// No files, no findings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file in, so that findings can point into it.
    pub fn add_source(&mut self, source: Source) -> SourceId {
        self.sources.push(Placed {
            source,
            lines: OnceLock::new(),
            hidden: Vec::new(),
            team: None,
            odd_names: Vec::new(),
        });
        SourceId(self.sources.len().saturating_sub(1))
    }

    /// The text of a file taken in; empty for an id of another set.
    #[must_use]
    pub fn text(&self, source: SourceId) -> &str {
        self.sources
            .get(source.0)
            .map_or("", |placed| placed.source.text.as_str())
    }

    /// The name of a file taken in; empty for an id of another set.
    #[must_use]
    pub fn name(&self, source: SourceId) -> &str {
        self.sources
            .get(source.0)
            .map_or("", |placed| placed.source.name.as_str())
    }

    /// Says that a file is a team's. Each finding in it names the team.
    pub fn set_team(&mut self, source: SourceId, team: &str) {
        if let Some(placed) = self.sources.get_mut(source.0) {
            placed.team = Some(team.to_owned());
        }
    }

    /// Says which names a file may have although they are not what they appear to be.
    pub fn set_odd_names(&mut self, source: SourceId, names: Vec<String>) {
        if let Some(placed) = self.sources.get_mut(source.0) {
            placed.odd_names = names;
        }
    }

    /// Whether a file may have such a name.
    #[must_use]
    pub fn has_odd_name(&self, source: SourceId, name: &str) -> bool {
        let placed = self.sources.get(source.0);
        placed.is_some_and(|placed| placed.odd_names.iter().any(|own| own == name))
    }

    /// The team whose file it is.
    #[must_use]
    pub fn team(&self, source: SourceId) -> Option<&str> {
        self.sources.get(source.0)?.team.as_deref()
    }

    /// The findings in some of the files.
    #[must_use]
    pub fn in_sources(&self, is_one: impl Fn(SourceId) -> bool) -> Findings {
        let mut some = self.clone();
        some.findings.retain(|finding| is_one(finding.source));
        some
    }

    /// The findings that another set does not have.
    #[must_use]
    pub fn without(mut self, known: &Findings) -> Findings {
        let known = known.to_lines();
        let new: Vec<bool> = self
            .findings
            .iter()
            .map(|one| !known.contains(&self.one_line(one)))
            .collect();
        let mut new = new.into_iter();
        self.findings.retain(|_| new.next().unwrap_or(true));
        self
    }

    /// What a finding says, and whose file it is in.
    fn told(&self, finding: &Finding) -> String {
        match self.team(finding.source) {
            Some(team) => format!("team `{team}`: {}", finding.message),
            None => finding.message.clone(),
        }
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
        self.lint_at(node.source, node.span.clone(), lint, message, help);
    }

    /// Records what a lint says about a part of a file.
    pub fn lint_at(
        &mut self,
        source: SourceId,
        span: Range<usize>,
        lint: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.push(Severity::Warning, source, span, message, help, Some(lint));
    }

    /// Records what a lint found about a node, if it is too wrong to be accepted.
    pub fn lint_error(
        &mut self,
        node: &Node,
        lint: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (source, span) = (node.source, node.span.clone());
        let (message, help) = (message.into(), help.into());
        self.push(Severity::Error, source, span, message, help, Some(lint));
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

    /// Has a node shown with no finding: it may hold a secret.
    pub fn hide(&mut self, node: &Node) {
        if let Some(placed) = self.sources.get_mut(node.source.0) {
            placed.hidden.push(node.span.clone());
        }
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

    /// How many findings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The line a node starts on, from 1.
    #[must_use]
    pub fn line(&self, node: &Node) -> usize {
        let placed = self.sources.get(node.source.0);
        placed.map_or(1, |placed| placed.position(node.span.start).0)
    }

    /// Line and column of a finding's start, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, finding: &Finding) -> (usize, usize) {
        let placed = self.sources.get(finding.source.0);
        placed.map_or((1, 1), |placed| placed.position(finding.span.start))
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
        self.first_lines(usize::MAX)
    }

    /// The same for the first ones.
    #[must_use]
    pub fn first_lines(&self, count: usize) -> Vec<String> {
        let first = self.sorted().into_iter().take(count);
        first.map(|finding| self.one_line(finding)).collect()
    }

    fn one_line(&self, finding: &Finding) -> String {
        let (line, column) = self.position(finding);
        let name = self.name(finding.source);
        let name_of_lint = finding.lint.map(|name| format!("[{name}]"));
        let which = name_of_lint.unwrap_or_default();
        let severity = finding.severity.name();
        let help = finding.help.as_ref().map(|help| format!(" ({help})"));
        let help = help.unwrap_or_default();
        let message = self.told(finding);
        format!("{name}:{line}:{column}: {severity}{which}: {message}{help}")
    }

    /// The first thousand findings with their excerpts, as a compiler shows them, and how many more
    /// there are.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let first = self.sorted().into_iter().take(SHOWN_MAX);
        let mut reports: Vec<String> = first
            .map(|finding| self.render_one(&renderer, finding))
            .collect();
        let beyond = self.findings.len().saturating_sub(reports.len());
        if beyond > 0 {
            reports.push(format!("and {beyond} more"));
        }
        reports.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, finding: &Finding) -> String {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(self.told(finding));
        let title = match finding.lint {
            Some(lint) => title.id(lint),
            None => title,
        };
        let name = self.name(finding.source);
        let (line, column) = self.position(finding);
        let excerpt = excerpt(self.text(finding.source), &finding.span);
        let is_hidden = |(excerpt, span): &(&str, Range<usize>)| {
            let first = finding.span.start.saturating_sub(span.start);
            let last = first.saturating_add(excerpt.len());
            let placed = self.sources.get(finding.source.0);
            let mut hidden = placed.into_iter().flat_map(|placed| &placed.hidden);
            hidden.any(|span| span.start < last && first < span.end)
        };
        let group = match excerpt.filter(|excerpt| !is_hidden(excerpt)) {
            Some((excerpt, span)) => title.element(
                Snippet::source(excerpt)
                    .path(name)
                    .line_start(line)
                    .annotation(AnnotationKind::Primary.span(span)),
            ),
            None => title.element(Origin::path(name).line(line).char_column(column)),
        };
        let group = match &finding.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}

/// The lines that a span is on, and the span in them: what is shown of a finding costs what is
/// shown, and not the file. `None` if that is nothing, or too much to show.
fn excerpt<'t>(text: &'t str, span: &Range<usize>) -> Option<(&'t str, Range<usize>)> {
    // A span may end within a character, and no excerpt can.
    let end = text.ceil_char_boundary(span.end);
    let start = text.floor_char_boundary(span.start.min(end));
    // A line that is longer is not even searched for its ends.
    let reach = |from: usize, by: usize| from.saturating_add(by).min(text.len());
    let bytes = text.as_bytes();
    let before = bytes.get(start.saturating_sub(EXCERPT_BYTES_MAX)..start)?;
    let after = bytes.get(end..reach(end, EXCERPT_BYTES_MAX))?;
    let behind = before.iter().rev().position(|byte| *byte == b'\n');
    let ahead = after.iter().position(|byte| *byte == b'\n');
    let first = match behind {
        Some(behind) => start.saturating_sub(behind),
        None if before.len() == start => 0,
        None => return None,
    };
    let last = match ahead {
        Some(ahead) => reach(end, ahead),
        None if reach(end, EXCERPT_BYTES_MAX) == text.len() => text.len(),
        None => return None,
    };
    let excerpt = text.get(first..last)?;
    let is_shown = (1..=EXCERPT_BYTES_MAX).contains(&excerpt.len());
    is_shown.then(|| {
        (
            excerpt,
            start.saturating_sub(first)..end.saturating_sub(first),
        )
    })
}
