//! How the callers of a server are told that they may not: `deny` and `challenge`.

use super::super::claims;
use super::super::words::Words;
use crate::check::{ChallengeScopes, DenySettings, DenyShape, Disclose, ScopeResults};
use crate::yaml::{self, Fields, Findings, Node};

/// What `deny` says.
#[derive(Debug, Default)]
pub(super) struct Deny {
    shape: Option<DenyShape>,
    disclose: Disclose,
    scope_results: ScopeResults,
}

impl Deny {
    /// The settings. Clients of a server that responds on the GET stream look at nothing but the
    /// status of a reply to POST.
    pub(super) fn settings(
        self,
        responds_on_get: bool,
        node: Option<&Node>,
        findings: &mut Findings,
    ) -> (DenySettings, ScopeResults) {
        let usual = if responds_on_get {
            DenyShape::Http403
        } else {
            DenyShape::default()
        };
        let shape = self.shape.unwrap_or(usual);
        if let (DenyShape::Http403, Some(node), true) =
            (shape, node, self.scope_results != ScopeResults::None)
        {
            let message = "with `shape: http_403` a denial has no result to tell of scopes in";
            let help = "`insufficient_scope: challenge`, or another `shape`; with \
                        `responses_on_get: true` that one is the default";
            let node = node.member("insufficient_scope").unwrap_or(node);
            findings.error(node, message, help);
        }
        let settings = DenySettings {
            shape,
            disclose: self.disclose,
        };
        (settings, self.scope_results)
    }
}

/// Reads `deny`.
pub(super) fn deny(node: &Node, findings: &mut Findings) -> Option<Deny> {
    let mut fields = Fields::open(node, "`deny`", findings)?;
    let shape = fields.optional("shape", findings, yaml::choice(DenyShape::WORDS));
    let disclose = fields
        .optional("disclose", findings, yaml::choice(Disclose::WORDS))
        .unwrap_or_default();
    let words = yaml::choice(SCOPE_RESULTS);
    let in_result = fields.optional("insufficient_scope", findings, words);
    let agents_node = fields.node_of("insufficient_scope_agents");
    let agents = match agents_node {
        Some(node) => Some(claims::clients(node, findings)?),
        None => None,
    };
    fields.finish(findings);
    let scope_results = match (in_result, agents) {
        (Some(true), Some(agents)) => ScopeResults::Agents(agents),
        (Some(true), None) => ScopeResults::All,
        (Some(false) | None, Some(_)) => {
            let message = "no result tells these agents of missing scopes";
            let help = "`insufficient_scope: result`, or leave it out";
            findings.error(agents_node.unwrap_or(node), message, help);
            return None;
        }
        (Some(false) | None, None) => ScopeResults::None,
    };
    Some(Deny {
        shape,
        disclose,
        scope_results,
    })
}

/// The words of where a missing scope is told.
pub(super) const SCOPE_RESULTS: &[(&str, bool)] = &[("challenge", false), ("result", true)];

/// Reads `challenge`.
pub(super) fn challenge(node: &Node, findings: &mut Findings) -> Option<ChallengeScopes> {
    let mut fields = Fields::open(node, "`challenge`", findings)?;
    let scopes = fields
        .optional("scopes", findings, yaml::choice(ChallengeScopes::WORDS))
        .unwrap_or_default();
    fields.finish(findings);
    Some(scopes)
}
