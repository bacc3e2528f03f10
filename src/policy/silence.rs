//! The names of a policy's lints, and `silence`, by which a rule, a test or a file turns some off.

use crate::yaml::{self, Findings, Node};

/// Another rule already does everything that this rule does.
pub(super) const SHADOWED_RULE: &str = "shadowed-rule";
/// A rule can never have an effect.
pub(super) const UNREACHABLE_RULE: &str = "unreachable-rule";
/// No recorded tool has this name or matches this pattern.
pub(super) const UNKNOWN_TOOL: &str = "unknown-tool";
/// No recorded tool is in this class.
pub(super) const EMPTY_CLASS: &str = "empty-class";
/// The expression of a deny or require rule has no result for some requests, which denies them.
pub(super) const FALLIBLE_DENY: &str = "fallible-deny";
/// An expression reads arguments, but the rule also applies to requests without arguments.
pub(super) const ARGUMENTS_EVERYWHERE: &str = "arguments-everywhere";
/// No test is decided by the rule.
pub(super) const UNTESTED_RULE: &str = "untested-rule";
/// A test's caller has a group or scope that is nearly one of the rules' names.
pub(super) const UNKNOWN_GROUP: &str = "unknown-group";
/// An allow of the class `destructive` has no limit.
pub(super) const UNLIMITED_DESTRUCTIVE: &str = "unlimited-destructive";
/// The time of a rule has passed.
pub(super) const EXPIRED_RULE: &str = "expired-rule";
/// A pattern also matches parts of values, and a match lets a call through.
pub(super) const UNANCHORED_REGEX: &str = "unanchored-regex";
/// An allow names forbidden values instead of allowed ones.
pub(super) const NEGATED_ALLOW: &str = "negated-allow";
/// A refusing rule searches for a part of a text that can be spelled differently.
pub(super) const SPELLED_TEXT: &str = "spelled-text";
/// An allow tests the text of a URI.
pub(super) const URI_IN_EXPRESSION: &str = "uri-in-expression";
/// A pattern over resources matches no URI that is evaluated.
pub(super) const URI_NEVER_NORMAL: &str = "uri-never-normal";
/// A pattern over resources has a query.
pub(super) const URI_QUERY: &str = "uri-query";
/// A refusing rule converts an external value.
pub(super) const CONVERSION_IN_DENY: &str = "conversion-in-deny";
/// Any of several issuers could have given the names of callers.
pub(super) const ANY_ISSUER: &str = "any-issuer";
/// Only Envoy vouches for the name of a TLS peer.
pub(super) const UNVERIFIED_PEERS: &str = "unverified-peers";
/// No recorded tool declares an argument that the rule reads.
pub(super) const UNKNOWN_ARGUMENT: &str = "unknown-argument";
/// A refusing rule exempts requests without a value, although it refuses all but some values.
pub(super) const ABSENT_PASSES: &str = "absent-passes";
/// A `.` in a regular expression that looks like a host name or an address.
pub(super) const UNESCAPED_DOT: &str = "unescaped-dot";
/// A value that no recorded tool takes for an argument.
pub(super) const ARGUMENT_VALUE: &str = "argument-value";
/// No token has a claim that the rule reads, as far as is known.
pub(super) const UNKNOWN_CLAIM: &str = "unknown-claim";
/// A name of callers looks like another one.
pub(super) const SIMILAR_NAMES: &str = "similar-names";
/// Everyone may use a whole server.
pub(super) const OPEN_SERVER: &str = "open-server";
/// A pattern of an allow matches nearly every tool.
pub(super) const BROAD_PATTERN: &str = "broad-pattern";
/// Everyone may call a tool that destroys.
pub(super) const EVERYONE_MAY_DESTROY: &str = "everyone-may-destroy";
/// A deny for callers without a scope never asks for it.
pub(super) const SCOPE_NEVER_ASKED: &str = "scope-never-asked";
/// A scope looks like a pattern.
pub(super) const LITERAL_SCOPE: &str = "literal-scope";
/// Two lists of names that a caller must have both, where either was probably meant.
pub(super) const BOTH_NEEDED: &str = "both-needed";
/// An allow excludes only what has two properties at once.
pub(super) const NOT_BOTH: &str = "not-both";
/// Calls are counted by what some callers lack.
pub(super) const ABSENT_KEY: &str = "absent-key";
/// A rule in shadow mode ends by itself.
pub(super) const NEVER_ENFORCED: &str = "never-enforced";
/// A test passes whatever the rules say.
pub(super) const VACUOUS_TEST: &str = "vacuous-test";

/// A global rule by class depends on a table that a team writes.
pub(super) const TEAM_TABLE: &str = "team-table";

/// Every lint of a policy.
pub const LINTS: &[&str] = &[
    SHADOWED_RULE,
    UNREACHABLE_RULE,
    UNKNOWN_TOOL,
    EMPTY_CLASS,
    FALLIBLE_DENY,
    ARGUMENTS_EVERYWHERE,
    UNTESTED_RULE,
    UNKNOWN_GROUP,
    UNLIMITED_DESTRUCTIVE,
    EXPIRED_RULE,
    UNANCHORED_REGEX,
    NEGATED_ALLOW,
    SPELLED_TEXT,
    URI_IN_EXPRESSION,
    URI_NEVER_NORMAL,
    URI_QUERY,
    CONVERSION_IN_DENY,
    UNKNOWN_ARGUMENT,
    ANY_ISSUER,
    UNVERIFIED_PEERS,
    ABSENT_PASSES,
    UNESCAPED_DOT,
    ARGUMENT_VALUE,
    UNKNOWN_CLAIM,
    SIMILAR_NAMES,
    OPEN_SERVER,
    BROAD_PATTERN,
    EVERYONE_MAY_DESTROY,
    SCOPE_NEVER_ASKED,
    LITERAL_SCOPE,
    BOTH_NEEDED,
    NOT_BOTH,
    ABSENT_KEY,
    NEVER_ENFORCED,
    VACUOUS_TEST,
    TEAM_TABLE,
];

/// Every lint of a server in the configuration.
pub const SERVER_LINTS: &[&str] = &[
    "passed-token",
    "unused-scope",
    "unrecorded-tools",
    "unchecked-arguments",
    "unshared-sessions",
    "telling-status",
    "unknown-indirect-tool",
    "unruled-inner-tools",
    "unadvertised-scope",
    "unheard-denials",
    "no-authorization-server",
    "unrecorded-by-pattern",
];

/// Every lint of an issuer in the configuration.
pub const ISSUER_LINTS: &[&str] = &[
    "chosen-subject",
    "plain-http",
    "unusable-key",
    UNKNOWN_CLAIM,
];

/// Reads `silence`: names of lints, all known.
pub(super) fn silenced(node: &Node, findings: &mut Findings) -> Option<Vec<&'static str>> {
    const ELSEWHERE: yaml::Elsewhere = &[
        (
            SERVER_LINTS,
            "`silence` of the server, in the configuration,",
        ),
        (
            ISSUER_LINTS,
            "`silence` of the issuer, in the configuration,",
        ),
    ];
    yaml::silence(LINTS, ELSEWHERE)(node, findings)
}
