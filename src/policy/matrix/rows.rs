//! The rows of a matrix: the calls of one tool, judged for each caller.

use std::borrow::Cow;
use std::sync::Arc;

use super::live::LiveRow;
use crate::authz::{self, Glob, Policy, Preview, PreviewOutcome, TrustedHints};
use crate::policy::testing::{SampleCaller, Unasked};

/// A tool, or the tools that fit a pattern and have no row of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownTool {
    /// The tool of this name.
    Named(String),
    /// Any other tool that fits this pattern.
    Fitting(String),
}

/// One tool.
#[derive(Debug)]
pub struct ToolRow {
    /// Its server.
    pub server: String,
    /// The tool.
    pub tool: KnownTool,
    /// Whether only a running service has seen it, and what becomes of it then.
    pub live: Option<LiveRow>,
    /// Its risk class.
    pub class: String,
    /// One cell for each caller.
    pub cells: Vec<Preview>,
}

/// Judges the calls of one tool after another.
pub(super) struct RowJudge<'m> {
    pub(super) policy: &'m Policy,
    pub(super) hints: &'m Arc<TrustedHints>,
    pub(super) callers: &'m [SampleCaller],
}

impl RowJudge<'_> {
    pub(super) fn row(&self, server: &str, tool: KnownTool) -> Result<ToolRow, Unasked> {
        let (policy, hints) = (self.policy, self.hints);
        let name = tool.sample();
        let class = policy.class(server, &name, hints.of(server, &name));
        // Only the hints of an unrecorded tool are unknown.
        let class = class.map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let cell = |caller: &SampleCaller| {
            let call = caller.calling(server, &name, hints);
            call.ask(policy, |request| {
                let mut request = *request;
                request.context.stands = caller.stands;
                authz::preview(policy, &request, caller.time)
            })
        };
        let cells = self.callers.iter().map(cell).collect::<Result<_, _>>()?;
        Ok(ToolRow {
            server: server.to_owned(),
            tool,
            live: None,
            class,
            cells,
        })
    }
}

impl ToolRow {
    /// The row of a tool that only a running service has seen.
    pub(super) fn live(mut self, is_refused: bool) -> Self {
        self.live = Some(if is_refused {
            LiveRow::Refused
        } else {
            LiveRow::Judged
        });
        for cell in self.cells.iter_mut().filter(|_| is_refused) {
            *cell = Preview {
                outcome: PreviewOutcome::Deny,
                rules: Vec::new(),
            };
        }
        self
    }

    /// What a reader sees of the tool: its name or pattern, and where a row comes from that neither
    /// the policy nor a record has.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let name = self.tool.text();
        match self.live {
            None => name,
            Some(LiveRow::Judged) => format!("{name} (live)").into(),
            Some(LiveRow::Refused) => format!("{name} (live, refused: not recorded)").into(),
        }
    }
}

impl KnownTool {
    pub(super) fn of(glob: &Glob) -> Self {
        glob.exact().map_or_else(
            || KnownTool::Fitting(glob.as_str().to_owned()),
            |name| KnownTool::Named(name.to_string()),
        )
    }

    /// What a reader sees: the name, or `any other get_*`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            KnownTool::Named(name) => name.into(),
            KnownTool::Fitting(pattern) => format!("any other {pattern}").into(),
        }
    }

    /// The name that is judged; for a pattern, one that fits it and is unlikely to be any tool's.
    pub(super) fn sample(&self) -> String {
        match self {
            KnownTool::Named(name) => name.clone(),
            KnownTool::Fitting(pattern) => pattern.replace(['*', '?'], "~"),
        }
    }
}
