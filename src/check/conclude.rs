//! Concludes a check: from a decision, or a reason to end early, to what the PEP is told.

use std::sync::Arc;

use uuid::Uuid;

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::parse::{ParsedRequest, Rejection};
use super::reason::{DecisionKind, Reason};
use super::reply::{self, Addressee, Challenged, Denied};
use super::response_context::{ContextTooLong, Handover, ResponseContents, hand_over};
use super::server::Face;
use super::verdict::{LocalReply, Outcome};
use crate::authn::{AuthenticationError, AuthenticationFailure};
use crate::authz::{Decision, Denial, DenialReason};
use crate::mcp::Era;
use crate::state::State;
use crate::upstream::Obligations;

/// How a check ends: the reason, and what the PEP is told.
pub(super) struct Conclusion {
    pub(super) reason: Reason,
    pub(super) outcome: Outcome,
    pub(super) rule: Option<Arc<str>>,
    /// What is said of the request to whoever sees its response.
    pub(super) handoff: Option<Handover>,
}

impl Conclusion {
    /// Sends a reply.
    pub(super) fn reply(reason: Reason, reply: LocalReply) -> Self {
        Conclusion {
            reason,
            outcome: Outcome::Reply(reply),
            rule: None,
            handoff: None,
        }
    }
}

/// Concludes a check whose body was not looked at.
pub(super) fn unparsed(decision_id: Uuid, reason: Reason) -> Conclusion {
    Conclusion::reply(reason, reply::rejected(&nobody(decision_id), reason))
}

/// Concludes a check of a request for a metadata document that no server has.
pub(super) fn no_metadata(decision_id: Uuid) -> Conclusion {
    let reply = reply::no_metadata(&nobody(decision_id));
    Conclusion::reply(Reason::UnknownServer, reply)
}

fn nobody(decision_id: Uuid) -> Addressee<'static> {
    Addressee {
        payload: None,
        refused_id: None,
        era: Era::Legacy,
        supported: &[],
        decision_id,
    }
}

/// Concludes a check of a request that is not acceptable.
pub(super) fn rejected(rejection: &Rejection, to: &Addressee<'_>) -> Conclusion {
    match rejection {
        Rejection::Shape(reason) => Conclusion::reply(*reason, reply::rejected(to, *reason)),
        Rejection::Message(refusal) => {
            Conclusion::reply(Reason::from(refusal), reply::refused(to, refusal))
        }
    }
}

pub(super) fn failed(to: &Addressee<'_>, reason: Reason) -> Conclusion {
    Conclusion {
        reason,
        outcome: Outcome::Fail(reply::failed(to, reason)),
        rule: None,
        handoff: None,
    }
}

pub(super) fn unauthenticated(
    to: &Addressee<'_>,
    face: &Face,
    failure: &AuthenticationFailure,
) -> Conclusion {
    let reason = Reason::from(failure.error);
    if failure.error == AuthenticationError::KeysUnavailable {
        return failed(to, reason);
    }
    Conclusion::reply(reason, reply::unauthenticated(to, face, failure))
}

impl RequestContext<'_> {
    /// What is said of an allowed request for its response. If that is too long, the request is
    /// rejected after all.
    pub(super) fn hand_over(
        &self,
        decided: &mut RequestDecision,
        state: &dyn State,
        to: &Addressee<'_>,
        parsed: &ParsedRequest<'_>,
    ) -> Option<Handover> {
        if !decided.is_allowed() {
            return None;
        }
        let contents = ResponseContents::of(self.request, self.server, parsed);
        let handed_over = hand_over(contents, self, parsed, to, decided);
        handed_over.unwrap_or_else(|ContextTooLong| {
            decided.give_back(state, self.decision_id);
            decided.refuse(Reason::TooManyHeaders, 0);
            None
        })
    }

    /// Concludes the check of a request that was decided, and prepared if it is allowed.
    pub(super) fn conclude(
        &self,
        decided: RequestDecision,
        prepared: Option<Obligations>,
        handoff: Option<Handover>,
        to: &Addressee<'_>,
    ) -> Conclusion {
        let nothing_asked = Denial {
            reason: DenialReason::NoMatchingRule,
            rule: None,
            message: None,
            retry_after: None,
        };
        if let Some(reason) = decided.refusal {
            let reply = match &decided.header_fault {
                Some(refusal) => reply::refused(to, refusal),
                None if reason.decision() == DecisionKind::Reject => reply::rejected(to, reason),
                None => reply::not_owned(to, self.server.settings.deny, reason),
            };
            return Conclusion::reply(reason, reply);
        }
        match decided.decision.unwrap_or(Decision::Deny(nothing_asked)) {
            Decision::Allow(_) => {
                // INVARIANT: an allow was prepared; were it not, nobody has said what is kept from
                // the upstream.
                let Some(obligations) = prepared else {
                    return failed(to, Reason::StateUnavailable);
                };
                Conclusion {
                    reason: Reason::Allowed,
                    outcome: Outcome::Allow(obligations),
                    rule: decided.rules.first().cloned(),
                    handoff,
                }
            }
            Decision::Challenge(challenge) => {
                let reason = Reason::from(&challenge);
                let by = Challenged {
                    server: self.server,
                    face: self.face,
                    subject: self.subject,
                    challenge: &challenge,
                };
                let reply = reply::challenged(to, by);
                Conclusion {
                    reason,
                    outcome: Outcome::Reply(reply),
                    rule: Some(challenge.rule),
                    handoff: None,
                }
            }
            // INVARIANT: judging has settled it; were it not, nobody has taken from its limits.
            Decision::Limit(_) => failed(to, Reason::StateUnavailable),
            Decision::Deny(denial) => Conclusion {
                reason: Reason::from(denial.reason),
                outcome: Outcome::Reply(reply::denied(
                    to,
                    self.server.settings.deny,
                    Denied::new(&denial, decided.misfit.as_ref()),
                )),
                rule: denial.rule,
                handoff: None,
            },
        }
    }
}
