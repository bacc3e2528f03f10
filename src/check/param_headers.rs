//! Compares `Mcp-Param-…` headers with the arguments that they repeat, where the schema of the tool
//! is known.
//!
//! Whoever reads the body has to (2026-07-28, Streamable HTTP, Server Validation): a proxy further
//! on may route or decide by the header. A header that no schema marks is nobody's to judge and
//! passes.

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::parse::ParsedRequest;
use super::reason::Reason;
use super::targets::DecisionTarget;
use crate::mcp::{Era, Refusal, check_param};
use crate::text::Text;

impl RequestContext<'_> {
    /// Refuses a request that would pass, if one of its headers is not that of its argument.
    pub(super) fn refuse_other_params(
        &self,
        decided: &mut RequestDecision,
        parsed: &ParsedRequest<'_>,
        targets: &[DecisionTarget<'_>],
    ) {
        let [target, inner @ ..] = targets else {
            return;
        };
        // Of a call with calls inside it, the headers are those of the outer one.
        if !inner.iter().all(|one| one.nesting.is_inner()) {
            return;
        }
        if parsed.era != Era::Modern || !decided.may_be_allowed() {
            return;
        }
        match self.param_copies(target) {
            Ok(copies) => decided.copies = copies,
            Err(refusal) => {
                decided.refuse(Reason::from(&refusal), 0);
                decided.header_fault = Some(refusal);
            }
        }
    }

    /// The headers that came more than once, with their one value.
    fn param_copies(&self, target: &DecisionTarget<'_>) -> Result<Vec<(Text, Text)>, Refusal> {
        let mut copies = Vec::new();
        let marks = target.standing.marks.as_deref();
        for mark in marks.map_or(&[][..], |marks| &marks.headers) {
            let lines = self
                .request
                .header(&mark.header)
                .map(|line| line.trim_matches([' ', '\t']));
            let argument = mark.find(target.arguments);
            let kept_apart = self.request.repeats_kept_apart;
            if let Some(value) = check_param(lines, kept_apart, argument)? {
                copies.push((Text::copy(&mark.header), Text::copy(value)));
            }
        }
        Ok(copies)
    }
}
