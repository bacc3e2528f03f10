//! Puts decisions and explanations into words.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::authz::{
    Decision, DenialReason, Effect, Explanation, Match, RuleExplanation, SelectorExplanation,
};

use super::expectation::OutcomeName;
use crate::mcp::InnerFault;

/// A decision as tests name it: the outcome, its stable reason code and the scopes asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDecision {
    /// The outcome.
    pub outcome: OutcomeName,
    /// The reason code, as clients and audit see it; none for a rejection.
    pub reason: Option<&'static str>,
    /// All scopes that a challenge asks for.
    pub scopes: Vec<String>,
}

impl fmt::Display for NamedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome.word())?;
        self.reason
            .map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl NamedDecision {
    /// What becomes of a request that no policy is asked about.
    pub(super) const REJECTED: NamedDecision = NamedDecision {
        outcome: OutcomeName::Reject,
        reason: None,
        scopes: Vec::new(),
    };

    /// Names a decision.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        let (outcome, reason, scopes) = match decision {
            // A limit that is not settled yet: there is room as far as this goes.
            Decision::Allow(_) | Decision::Limit(_) => (OutcomeName::Allow, "allowed", Vec::new()),
            Decision::Challenge(challenge) => {
                let scopes = challenge.scopes.iter().map(ToString::to_string).collect();
                let reason = if challenge.missing.is_empty() {
                    "step_up_required"
                } else {
                    "insufficient_scope"
                };
                (OutcomeName::Challenge, reason, scopes)
            }
            Decision::Deny(denial) => (OutcomeName::Deny, denial_code(denial.reason), Vec::new()),
        };
        NamedDecision {
            outcome,
            reason: Some(reason),
            scopes,
        }
    }
}

/// The code of `check::Reason`, which a test compares.
pub(super) fn denial_code(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::DeniedByRule => "denied_by_rule",
        DenialReason::Indeterminate => "indeterminate",
        DenialReason::NoMatchingRule => "no_matching_rule",
        DenialReason::UnknownMethod => "unknown_method",
        DenialReason::SenderConstraint => "sender_constraint_required",
        DenialReason::UnknownTool => "unknown_tool",
        DenialReason::ToolChanged => "tool_changed",
        DenialReason::ArgumentsInvalid => "arguments_invalid",
        DenialReason::InnerCallInvalid => "inner_call_invalid",
        DenialReason::RateLimited => "rate_limited",
    }
}

/// `allow`, `deny` and so on, as a rule says it.
#[must_use]
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Require(_) => "require",
        Effect::Limit(_) | Effect::Open(_) => "limit",
    }
}

/// How something came out.
#[must_use]
pub fn match_name(found: Match) -> &'static str {
    match found {
        Match::Yes => "matches",
        Match::No => "does not match",
        Match::Indeterminate => "cannot be evaluated",
        Match::Unknown => "depends on the arguments",
    }
}

/// How a selector came out, and why it could not be evaluated, where a value is the cause.
#[must_use]
pub fn narrate_selector(selector: &SelectorExplanation) -> String {
    let found = match_name(selector.found);
    selector.because.as_ref().map_or_else(
        || found.to_owned(),
        |because| format!("{found}: {}", because.told()),
    )
}

/// One line about one rule: how it came out, and the selectors because of which it did not match.
#[must_use]
pub fn narrate_rule(rule: &RuleExplanation) -> String {
    let mut line = format!(
        "`{}` ({}) {}",
        rule.id,
        effect_name(&rule.effect),
        match_name(rule.found)
    );
    // What a matching requirement asks for in vain.
    let is_asking = rule.found == Match::Yes && matches!(rule.effect, Effect::Require(_));
    let failing = if is_asking { Match::No } else { rule.found };
    let because = rule
        .selectors
        .iter()
        .filter(|one| failing != Match::Yes && one.found == failing);
    let because: Vec<Cow<'_, str>> = because
        .map(|one| match &one.because {
            Some(because) => format!("{} ({})", one.name, because.told()).into(),
            None => Cow::Borrowed(one.name.as_str()),
        })
        .collect();
    if !because.is_empty() {
        // Writing to a string cannot fail.
        let _ok = write!(line, ": {}", because.join(", "));
    }
    line
}

/// Why the calls inside a call cannot be told.
#[must_use]
pub fn narrate_fault(fault: &InnerFault) -> String {
    let InnerFault { place, kind } = fault;
    format!("the call inside it cannot be told, at `{place}`: {kind}")
}

/// The lines that matter for a decision: the rules that made it, those that cannot be evaluated,
/// and the one that was expected.
#[must_use]
pub fn narrate(explanation: &Explanation, expected_rule: Option<&str>) -> Vec<String> {
    let evaluation = &explanation.evaluation;
    let matters = |rule: &&RuleExplanation| {
        evaluation.rules.contains(&rule.id)
            || evaluation.indeterminate.contains(&rule.id)
            || expected_rule == Some(&*rule.id)
    };
    let mut lines: Vec<String> = explanation
        .rules
        .iter()
        .filter(matters)
        .map(narrate_rule)
        .collect();
    if lines.is_empty() {
        let allows = explanation
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allow);
        lines.extend(allows.take(NEAR_RULES_MAX).map(narrate_rule));
    }
    lines
}

/// How many allow rules are shown where none matched.
const NEAR_RULES_MAX: usize = 5;
