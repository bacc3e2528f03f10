//! The trusted headers of an allowed request.
//!
//! Every `x-mcp-authz-*` header that reaches the upstream was written here: ours overwrite what
//! the client sent, all others of that prefix are removed, and so are the client's credentials.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::authz::Subject;
use crate::byte_class;
use crate::text::Text;

/// The prefix of the headers that only this service writes.
pub const OWN_PREFIX: &str = "x-mcp-authz-";

/// The headers that are set for every server, except those without a value.
pub const OWN: [&str; SET_MAX] = [
    "x-mcp-authz-subject",
    "x-mcp-authz-issuer",
    "x-mcp-authz-agent",
    "x-mcp-authz-tenant",
    "x-mcp-authz-server",
    "x-mcp-authz-method",
    "x-mcp-authz-name",
    "x-mcp-authz-decision-id",
];

/// Beginnings of the headers by which a client that Envoy takes for an internal one tells its
/// router to run a request again, more than once at a time, or to wait otherwise ("router filter",
/// HTTP headers consumed, in Envoy's documentation).
const STEERING_PREFIXES: [&str; 4] = [
    "x-envoy-retry-",
    "x-envoy-retriable-",
    "x-envoy-hedge-",
    "x-envoy-upstream-",
];

/// Further headers of that kind, and the one that names the span of a request.
const STEERING: [&str; 3] = [
    "x-envoy-max-retries",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-decorator-operation",
];

/// Those of them that Envoy 1.40 documents.
pub const ROUTER_HEADERS: [&str; 14] = [
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-canary",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-decorator-operation",
];

/// Header changes for the upstream request. A name is never in both lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obligations {
    /// Set, overwriting whatever the client sent. Values are visible ASCII and never empty.
    pub set: Vec<(Text, Text)>,
    /// Removed.
    pub remove: Vec<Text>,
}

/// What happens to the client's `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthorizationHeader {
    /// It is removed: the token was issued for this service's audience, not for the upstream's
    /// own calls (MCP authorization, token passthrough).
    #[default]
    Remove,
    /// It is passed on, for an upstream that validates the token itself.
    Pass,
}

/// What the upstream learns.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The verified caller.
    pub subject: &'a Subject,
    /// The configured name of the MCP server.
    pub server: &'a Arc<str>,
    /// The MCP method, where there is one.
    pub method: Option<Text>,
    /// The tool, prompt, resource URI or task.
    pub name: Option<Text>,
    /// The id of the decision.
    pub decision_id: Text,
}

/// The header changes for an allowed request with these header names (in lower case).
#[must_use]
pub(super) fn obligations<'h>(
    facts: Facts<'_>,
    authorization: AuthorizationHeader,
    headers: impl Iterator<Item = &'h str>,
) -> Obligations {
    let subject = facts.subject;
    let mut set: Vec<(Text, Text)> = Vec::with_capacity(SET_MAX);
    let texts = [
        Some((&subject.id).into()),
        Some((&subject.issuer).into()),
        subject.agent.as_ref().map(Text::from),
        subject.tenant.as_ref().map(Text::from),
        Some(facts.server.into()),
        facts.method,
        facts.name,
        Some(facts.decision_id),
    ];
    for (name, value) in OWN.into_iter().zip(texts) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            set.push((name.into(), header_value(value)));
        }
    }
    let mut remove: Vec<Text> = Vec::with_capacity(REMOVED_MIN);
    // Each name that is removed costs Envoy a hundredth of its work, so only what is there is.
    let others = headers.filter(|name| {
        *name == DPOP
            || is_ours(name) && set.iter().all(|(own, _)| own != name)
            || steers_envoy(name)
    });
    remove.extend(others.map(Text::copy));
    remove.sort_unstable_by(|one, other| one.cmp(other));
    remove.dedup();
    if authorization == AuthorizationHeader::Remove {
        remove.push(AUTHORIZATION.into());
    }
    Obligations { set, remove }
}

/// Adds the headers that the policy sets. Each of `owned` that is not set now is removed: what the
/// policy says under that name somewhere is never the client's to say.
pub fn assign<'h>(
    obligations: &mut Obligations,
    assigned: &[(Arc<str>, Option<String>)],
    owned: &[Arc<str>],
    headers: impl Iterator<Item = &'h str>,
) {
    for name in owned {
        let found = assigned.iter().find(|(known, _)| known == name);
        match found.and_then(|(_, value)| value.as_deref()) {
            Some(value) if !value.is_empty() => {
                let value = header_value(Text::copy(value));
                obligations.set.push((name.into(), value));
            }
            Some(_) | None => obligations.remove.push(name.into()),
        }
    }
    if !owned.is_empty() {
        let alike = headers.filter(|name| name.contains('_'));
        let alike = alike.filter(|name| owned.iter().any(|own| reads_as(name, own)));
        obligations.remove.extend(alike.map(Text::copy));
    }
}

/// The header with the client's token.
pub const AUTHORIZATION: &str = "authorization";
/// The header with the proof that the client holds the token's key (RFC 9449).
pub const DPOP: &str = "dpop";

/// How many headers are set at most, without those of the policy.
pub const SET_MAX: usize = 8;
/// Room for the headers that are removed of nearly all requests.
const REMOVED_MIN: usize = 4;

/// Whether a program that gets headers as variables could take one for the other, whose name has
/// no `_`.
#[must_use]
pub fn reads_as(name: &str, other: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.len() == other.len() && name.bytes().map(fold).eq(other.bytes())
}

/// Whether an upstream could take a header for one of ours. Servers that hand headers to programs
/// as variables (CGI, WSGI) cannot tell `_` from `-`.
fn is_ours(name: &str) -> bool {
    begins_as(name, OWN_PREFIX)
}

/// Whether a header tells Envoy's router how to run the request. What was decided once is to run
/// once, and another Envoy further on may read `_` as `-`.
fn steers_envoy(name: &str) -> bool {
    begins_as(name, "x-envoy-")
        && (STEERING_PREFIXES.iter().any(|own| begins_as(name, own))
            || STEERING.iter().any(|own| reads_as(name, own)))
}

/// Whether a name begins with a prefix that has no `_`, if `_` is read as `-`.
fn begins_as(name: &str, prefix: &str) -> bool {
    let same = |(byte, own): (u8, u8)| byte == own || (byte == b'_' && own == b'-');
    name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(same)
}

/// A value as it travels: as it is if that is unmistakable, otherwise as `=?base64?…?=`, the
/// form that MCP defines for its own headers (2026-07-28, header mirroring).
fn header_value(value: Text) -> Text {
    let is_plain = |byte| matches!(byte, b' '..=b'~');
    let plain = byte_class::all(value.as_bytes(), b' ', is_plain)
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.starts_with("=?base64?");
    if plain {
        value
    } else {
        format!("=?base64?{}?=", STANDARD.encode(&*value)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::Value;

    fn subject(id: &str) -> Subject {
        Subject {
            issuer: Arc::from("https://idp.test"),
            id: Arc::from(id),
            agent: None,
            groups: Vec::new(),
            roles: Vec::new(),
            scopes: Vec::new(),
            tenant: Some(Arc::from("acme")),
            device: None,
            claims: Value::Null,
            unknown: crate::authz::UnknownFacts::default(),
        }
    }

    fn facts<'a>(subject: &'a Subject, server: &'a Arc<str>) -> Facts<'a> {
        Facts {
            subject,
            server,
            method: Some("tools/call".into()),
            name: Some("get_issue".into()),
            decision_id: "00000000-0000-7000-8000-000000000000".into(),
        }
    }

    #[test]
    fn ours_are_set_and_every_other_of_the_prefix_is_removed() {
        let names = [
            "accept",
            "authorization",
            "dpop",
            "dpop",
            "x-mcp-authz-subject",
            "x-mcp-authz-agent",
            "x_mcp_authz_subject",
            "x-mcp-authz-role",
            "x-mcp-authz-role",
            "x-mcp-authority",
        ];
        let subject = subject("alice");
        let changes = obligations(
            facts(&subject, &Arc::from("github")),
            AuthorizationHeader::Remove,
            names.into_iter(),
        );
        let set: Vec<(&str, &str)> = changes
            .set
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(
            set,
            [
                ("x-mcp-authz-subject", "alice"),
                ("x-mcp-authz-issuer", "https://idp.test"),
                ("x-mcp-authz-tenant", "acme"),
                ("x-mcp-authz-server", "github"),
                ("x-mcp-authz-method", "tools/call"),
                ("x-mcp-authz-name", "get_issue"),
                (
                    "x-mcp-authz-decision-id",
                    "00000000-0000-7000-8000-000000000000"
                ),
            ]
        );
        assert_eq!(
            changes.remove,
            [
                "dpop",
                "x-mcp-authz-agent",
                "x-mcp-authz-role",
                "x_mcp_authz_subject",
                "authorization",
            ]
        );
    }

    #[test]
    fn every_header_that_envoy_documents_for_its_router_is_known() {
        for name in ROUTER_HEADERS {
            assert!(steers_envoy(name), "{name}");
            assert!(steers_envoy(&name.replace('-', "_")), "{name}");
        }
    }

    #[test]
    fn what_makes_envoy_run_a_request_again_is_removed() {
        let steering = [
            "x-envoy-decorator-operation",
            "x-envoy-expected-rq-timeout-ms",
            "x-envoy-hedge-on-per-try-timeout",
            "x-envoy-max-retries",
            "x-envoy-retriable-header-names",
            "x-envoy-retriable-status-codes",
            "x-envoy-retry-grpc-on",
            "x-envoy-retry-on",
            "x-envoy-upstream-alt-stat-name",
            "x-envoy-upstream-rq-per-try-timeout-ms",
            "x-envoy-upstream-rq-timeout-alt-response",
            "x-envoy-upstream-rq-timeout-ms",
            "x-envoy-upstream-stream-duration-ms",
            "x_envoy_max_retries",
            "x_envoy_retry_on",
        ];
        let envoys_own = [
            "x-envoy-external-address",
            "x-envoy-internal",
            "x-envoy-retry",
            "x-envoy-max-retries-",
            "x-envoy",
        ];
        let subject = subject("alice");
        let got = obligations(
            facts(&subject, &Arc::from("github")),
            AuthorizationHeader::Pass,
            steering.into_iter().chain(envoys_own),
        );
        assert_eq!(got.remove, steering);
    }

    #[test]
    fn the_token_goes_on_only_where_that_was_asked_for() {
        let subject = subject("alice");
        let got = obligations(
            facts(&subject, &Arc::from("github")),
            AuthorizationHeader::Pass,
            ["authorization", "dpop"].into_iter(),
        );
        assert_eq!(got.remove, ["dpop"]);
    }

    #[test]
    fn values_that_a_header_cannot_carry_are_encoded() {
        for (value, expected) in [
            ("alice", "alice"),
            ("Alice B.", "Alice B."),
            (" alice", "=?base64?IGFsaWNl?="),
            ("a\r\nx: y", "=?base64?YQ0KeDogeQ==?="),
            ("älice", "=?base64?w6RsaWNl?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ] {
            assert_eq!(header_value(value.into()), expected);
        }
    }

    #[test]
    fn a_variable_does_not_tell_dashes_from_underscores() {
        let other = "mcp-session-id";
        for name in ["mcp-session-id", "mcp_session_id", "mcp-session_id"] {
            assert!(reads_as(name, other), "{name}");
        }
        for name in ["mcp-session-id-", "mcp-session-i", "mcp.session-id", ""] {
            assert!(!reads_as(name, other), "{name}");
        }
    }
}
