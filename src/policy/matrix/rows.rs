//! The rows of a matrix: the calls of one tool, judged for each caller.

use std::borrow::Cow;
use std::sync::Arc;

use super::{KnownTool, LiveRow, MatrixError, ToolRow};
use crate::authz::{self, Policy, Preview, PreviewOutcome, TrustedHints};
use crate::policy::testing::SampleCaller;

/// Judges the calls of one tool after another.
pub(super) struct RowJudge<'m> {
    pub(super) policy: &'m Policy,
    pub(super) hints: &'m Arc<TrustedHints>,
    pub(super) callers: &'m [SampleCaller],
}

impl RowJudge<'_> {
    pub(super) fn row(&self, server: &str, tool: KnownTool) -> Result<ToolRow, MatrixError> {
        let (policy, hints) = (self.policy, self.hints);
        let name = tool.sample();
        let class = policy.class(server, &name, hints.of(server, &name));
        // Only the hints of an unrecorded tool are unknown.
        let class = class.map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let cell = |caller: &SampleCaller| {
            let call = caller.calling(server, &name, hints);
            call.ask(policy, |request| {
                authz::preview(policy, request, caller.time)
            })
        };
        let cells = self.callers.iter().map(cell).collect::<Result<_, _>>();
        let cells = cells.map_err(|cause| MatrixError::Unasked {
            tool: name.clone(),
            cause,
        })?;
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
