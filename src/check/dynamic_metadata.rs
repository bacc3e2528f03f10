//! The facts about a decision that the PEP gets beside it, for its log and later filters.

use std::sync::Arc;

use crate::audit::Record;
use crate::text::Text;

/// A fact about a decision, for the PEP's log and later filters. Each costs Envoy a hundredth of
/// its work for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The kind of decision: `allow`, `deny`, …
    Decision,
    /// The stable reason code. Always told: the response filter knows by it that a check was made.
    Reason,
    /// The id of the decision.
    DecisionId,
    /// The first rule that decided.
    Rule,
    /// The caller.
    Subject,
    /// Who vouches for the caller.
    Issuer,
    /// The OAuth client.
    Agent,
    /// The caller's tenant.
    Tenant,
    /// The configured name of the MCP server.
    Server,
    /// The MCP method.
    Method,
    /// The tool, prompt, resource URI or task.
    Name,
    /// The risk class of the tool.
    Class,
    /// The tool that the called tool calls.
    InnerName,
}

impl Fact {
    /// All of them.
    pub const ALL: [Fact; 13] = [
        Fact::Decision,
        Fact::Reason,
        Fact::DecisionId,
        Fact::Rule,
        Fact::Subject,
        Fact::Issuer,
        Fact::Agent,
        Fact::Tenant,
        Fact::Server,
        Fact::Method,
        Fact::Name,
        Fact::Class,
        Fact::InnerName,
    ];

    /// Those that are told unless the configuration says otherwise.
    pub const USUAL: [Fact; 7] = [
        Fact::Reason,
        Fact::DecisionId,
        Fact::Rule,
        Fact::Subject,
        Fact::Server,
        Fact::Method,
        Fact::Name,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fact::Decision => "decision",
            Fact::Reason => "reason",
            Fact::DecisionId => "decision_id",
            Fact::Rule => "rule",
            Fact::Subject => "subject",
            Fact::Issuer => "issuer",
            Fact::Agent => "agent",
            Fact::Tenant => "tenant",
            Fact::Server => "server",
            Fact::Method => "method",
            Fact::Name => "name",
            Fact::Class => "class",
            Fact::InnerName => "inner_name",
        }
    }
}

/// The facts that are configured and known of a check; `rule` is the first that decided.
pub(super) fn metadata(
    facts: &[Fact],
    record: &Record,
    rule: Option<&Arc<str>>,
) -> Vec<(Text, Text)> {
    let text = |value: &Option<Arc<str>>| value.as_ref().map(Text::from);
    let value = |fact: &Fact| match fact {
        Fact::Decision => Some(record.decision.into()),
        Fact::Reason => Some(record.reason.into()),
        Fact::DecisionId => Some(record.decision_id.into()),
        Fact::Rule => rule.map(Text::from),
        Fact::Subject => text(&record.subject),
        Fact::Issuer => text(&record.issuer),
        Fact::Agent => text(&record.agent),
        Fact::Tenant => text(&record.tenant),
        Fact::Server => text(&record.server),
        Fact::Method => record.method.clone().map(Text::from),
        Fact::Name => text(&record.name),
        Fact::Class => text(&record.class),
        Fact::InnerName => record.inner.as_ref().map(|inner| Text::from(&inner.name)),
    };
    let mut metadata = Vec::with_capacity(FACTS_MAX);
    let present = facts
        .iter()
        .filter_map(|fact| Some((fact.name().into(), value(fact)?)));
    metadata.extend(present);
    metadata
}

/// How many facts there are at most, but for those of the policy.
const FACTS_MAX: usize = 15;
