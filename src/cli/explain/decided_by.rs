//! What of the service made a recorded decision.

use crate::check::{DecisionKind, Reason};

/// What made a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecidedBy {
    /// The policy.
    Policy,
    /// The check of tools, which refuses what the policy does not deny.
    Tools,
    /// The authentication.
    Authentication,
    /// What is remembered of sessions and tasks.
    Session,
    /// The address that was asked, or the page that asked.
    Address,
    /// The request itself, which was not acceptable.
    Request,
    /// Nothing: no decision was possible.
    Nothing,
    /// The service, which answered by itself.
    Service,
    /// This version does not know the reason.
    Unknown,
}

const TOOLS: [Reason; 4] = [
    Reason::UnknownTool,
    Reason::ToolChanged,
    Reason::ArgumentsInvalid,
    Reason::InnerCallInvalid,
];
const SESSIONS: [Reason; 4] = [
    Reason::SessionMismatch,
    Reason::SessionUnknown,
    Reason::TaskMismatch,
    Reason::TaskUnknown,
];
const ADDRESSES: [Reason; 2] = [Reason::UnknownServer, Reason::OriginNotAllowed];
/// Of the authentication, besides those with 401.
const CREDENTIALS: [Reason; 3] = [
    Reason::KeysUnavailable,
    Reason::TokenInQuery,
    Reason::RepeatedCredentials,
];

impl DecidedBy {
    /// What decides with a reason.
    pub(super) fn of(code: &str) -> Self {
        let known = Reason::ALL.iter().find(|reason| reason.code() == code);
        let Some(reason) = known else {
            return DecidedBy::Unknown;
        };
        let groups: [(&[Reason], DecidedBy); 4] = [
            (&TOOLS, DecidedBy::Tools),
            (&SESSIONS, DecidedBy::Session),
            (&ADDRESSES, DecidedBy::Address),
            (&CREDENTIALS, DecidedBy::Authentication),
        ];
        for (reasons, by) in groups {
            if reasons.contains(reason) {
                return by;
            }
        }
        match reason.decision() {
            DecisionKind::Deny if reason.status() == http::StatusCode::UNAUTHORIZED => {
                DecidedBy::Authentication
            }
            DecisionKind::Allow | DecisionKind::Deny | DecisionKind::Challenge => DecidedBy::Policy,
            DecisionKind::Reject => DecidedBy::Request,
            DecisionKind::Fail => DecidedBy::Nothing,
            DecisionKind::Reply => DecidedBy::Service,
        }
    }

    /// Whether a policy is asked about such a request.
    pub(super) fn asks_policy(self) -> bool {
        matches!(self, DecidedBy::Policy | DecidedBy::Tools)
    }

    /// The word in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            DecidedBy::Policy => "policy",
            DecidedBy::Tools => "tools",
            DecidedBy::Authentication => "authentication",
            DecidedBy::Session => "session",
            DecidedBy::Address => "address",
            DecidedBy::Request => "request",
            DecidedBy::Nothing => "nothing",
            DecidedBy::Service => "service",
            DecidedBy::Unknown => "unknown",
        }
    }

    /// The sentence for people.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            DecidedBy::Policy => "a policy decided",
            DecidedBy::Tools => {
                "the check of tools refused it, whatever the policy: it refuses what the policy does not deny"
            }
            DecidedBy::Authentication => "the caller was not authenticated, so no policy was asked",
            DecidedBy::Session => "the session or the task was refused, so no policy was asked",
            DecidedBy::Address => {
                "the address or the calling page was refused, so no policy was asked"
            }
            DecidedBy::Request => "the request was rejected for its form, so no policy decided",
            DecidedBy::Nothing => "no decision was possible, so no policy decided",
            DecidedBy::Service => "the service answered by itself, and no policy was asked",
            DecidedBy::Unknown => {
                "this version does not know the reason, so it cannot tell what decided"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::difference::{AuditLine, AuditRecord};

    fn record(code: &str) -> AuditRecord {
        match AuditLine::read(&format!(r#"{{"reason":"{code}"}}"#)) {
            AuditLine::Decision(record) => record,
            line @ (AuditLine::Empty | AuditLine::Broken | AuditLine::Event(_)) => {
                panic!("{line:?}")
            }
        }
    }

    /// A reason that is new has to be one of a policy in both places or in neither.
    #[test]
    fn the_reasons_of_a_policy_are_those_that_a_replay_takes_for_them() {
        for reason in Reason::ALL {
            let by = DecidedBy::of(reason.code());
            let is_policy = record(reason.code()).outcome().is_some();
            assert_eq!(by == DecidedBy::Policy, is_policy, "{reason:?}");
            assert_ne!(by, DecidedBy::Unknown, "{reason:?}");
        }
        assert_eq!(DecidedBy::of("of_tomorrow"), DecidedBy::Unknown);
    }

    #[test]
    fn each_reason_has_its_decider() {
        for (code, expected) in [
            ("audience_mismatch", DecidedBy::Authentication),
            ("missing_token", DecidedBy::Authentication),
            ("keys_unavailable", DecidedBy::Authentication),
            ("step_up_required", DecidedBy::Policy),
            ("duplicate_key", DecidedBy::Request),
            ("unknown_tool", DecidedBy::Tools),
            ("session_unknown", DecidedBy::Session),
            ("unknown_server", DecidedBy::Address),
            ("cancelled", DecidedBy::Nothing),
            ("metadata", DecidedBy::Service),
        ] {
            assert_eq!(DecidedBy::of(code), expected, "{code}");
        }
    }
}
