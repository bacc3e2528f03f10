//! Which facts about a decision the PEP is told beside it.

/// A fact about a decision, for the PEP's log and later filters. Each costs Envoy a hundredth of
/// its work for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The kind of ending: `allow`, `deny`, …
    Decision,
    /// The stable reason code. Always told: an answer on its way back is known by it.
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
}

impl Fact {
    /// All of them.
    pub const ALL: [Fact; 12] = [
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
        }
    }
}
