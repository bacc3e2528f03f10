//! The lints of a configuration by name.

use crate::yaml::Elsewhere;

/// The client's token is handed on to the server.
pub(super) const PASSED_TOKEN: &str = "passed-token";
/// A scope is asked for that no rule looks at.
pub(super) const UNUSED_SCOPE: &str = "unused-scope";
/// Something rests on the definitions of tools, and which are accepted is not recorded.
pub(super) const UNRECORDED_TOOLS: &str = "unrecorded-tools";
/// Rules read arguments that nothing holds against the recorded schemas.
pub(super) const UNCHECKED_ARGUMENTS: &str = "unchecked-arguments";
/// What belongs to a subject does so in each process by itself.
pub(super) const UNSHARED_SESSIONS: &str = "unshared-sessions";
/// What is denied is told from what is unknown by the status.
pub(super) const TELLING_STATUS: &str = "telling-status";
/// Users may choose the claim that says who a subject is.
pub(super) const CHOSEN_SUBJECT: &str = "chosen-subject";
/// Keys come over plain http.
pub(super) const PLAIN_HTTP: &str = "plain-http";
/// A key in `jwks_file` verifies no token.
pub const UNUSABLE_KEY: &str = "unusable-key";

/// The sample token of an issuer has no claim that the configuration reads.
pub const UNKNOWN_CLAIM: &str = "unknown-claim";
/// A directory has policy files in its directories, which are not read.
pub const UNREAD_POLICY: &str = "unread-policy";
/// Rules allow tools by pattern, and what was never recorded fits it.
pub(super) const UNRECORDED_BY_PATTERN: &str = "unrecorded-by-pattern";

/// The lints that an issuer can silence.
pub const ISSUER_LINTS: &[&str] = &[CHOSEN_SUBJECT, PLAIN_HTTP, UNUSABLE_KEY, UNKNOWN_CLAIM];

/// No recorded tool has the name of one that is to call others.
pub(super) const UNKNOWN_INDIRECT_TOOL: &str = "unknown-indirect-tool";
/// No rule allows a tool that another one calls.
pub(super) const UNRULED_INNER_TOOLS: &str = "unruled-inner-tools";
/// A scope has no advertised name, as the map gives it to another.
pub(super) const UNADVERTISED_SCOPE: &str = "unadvertised-scope";
/// Clients wait for a denial elsewhere than it is told.
pub(super) const UNHEARD_DENIALS: &str = "unheard-denials";
/// A client without a token is told of no place to get one.
pub(super) const NO_AUTHORIZATION_SERVER: &str = "no-authorization-server";

/// The lints that a server can silence.
pub const LINTS: &[&str] = &[
    PASSED_TOKEN,
    UNUSED_SCOPE,
    UNRECORDED_TOOLS,
    UNCHECKED_ARGUMENTS,
    UNSHARED_SESSIONS,
    TELLING_STATUS,
    UNKNOWN_INDIRECT_TOOL,
    UNRULED_INNER_TOOLS,
    UNADVERTISED_SCOPE,
    UNHEARD_DENIALS,
    NO_AUTHORIZATION_SERVER,
    UNRECORDED_BY_PATTERN,
];

const OF_SERVERS: (&[&str], &str) = (LINTS, "`silence` of the server");
const OF_ISSUERS: (&[&str], &str) = (ISSUER_LINTS, "`silence` of the issuer");
const OF_RULES: (&[&str], &str) = (
    crate::policy::LINTS,
    "`silence` of the rule, or of its file,",
);

/// The lints that a server does not silence.
pub(super) const BESIDE_SERVERS: Elsewhere = &[OF_ISSUERS, OF_RULES];
/// The lints that an issuer does not silence.
pub(super) const BESIDE_ISSUERS: Elsewhere = &[OF_SERVERS, OF_RULES];
/// The lints that a team does not silence.
pub(super) const BESIDE_TEAMS: Elsewhere = &[OF_SERVERS, OF_ISSUERS];

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_knows_where_these_lints_are_silenced() {
        assert_eq!(super::LINTS, crate::policy::SERVER_LINTS);
        assert_eq!(super::ISSUER_LINTS, crate::policy::ISSUER_LINTS);
    }
}
