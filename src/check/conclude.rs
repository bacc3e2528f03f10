//! How checks end: from a judgement, or a fault, to what the PEP is told.

use std::sync::Arc;

use http::StatusCode;
use uuid::Uuid;

use super::answer::{self, Addressee, Denied};
use super::handoff::{self, ContextTooLong, Expected, Handover};
use super::judgement::{Context, Judgement};
use super::{Answer, Outcome, Read, Reason, Server, Text, resume, session};
use crate::authn::AuthenticationError;
use crate::authz::{Decision, Denial, DenialReason};
use crate::mcp::{Era, Kind, Message};
use crate::state::State;
use crate::upstream::{self, Facts, Obligations};

/// How a check ends: the reason, and what the PEP is told.
pub(super) struct Ending {
    pub(super) reason: Reason,
    pub(super) outcome: Outcome,
    pub(super) rule: Option<Arc<str>>,
    /// What is said of the request to whoever sees its answer.
    pub(super) handoff: Option<Handover>,
}

impl Ending {
    pub(super) fn answer(reason: Reason, answer: Answer) -> Self {
        Ending {
            reason,
            outcome: Outcome::Answer(answer),
            rule: None,
            handoff: None,
        }
    }
}

/// A check that ends before a server is known.
pub(super) fn unread(decision_id: Uuid, status: StatusCode, reason: Reason) -> Ending {
    let to = Addressee {
        payload: None,
        refused_id: None,
        era: Era::Legacy,
        decision_id,
    };
    Ending::answer(reason, answer::rejected(&to, status, reason))
}

pub(super) fn failed(to: &Addressee<'_>, reason: Reason) -> Ending {
    Ending {
        reason,
        outcome: Outcome::Fail(answer::failed(to, reason)),
        rule: None,
        handoff: None,
    }
}

pub(super) fn unauthenticated(
    to: &Addressee<'_>,
    server: &Server,
    error: AuthenticationError,
) -> Ending {
    let reason = Reason::from(error);
    if error == AuthenticationError::KeysUnavailable {
        return failed(to, reason);
    }
    Ending::answer(reason, answer::unauthenticated(to, server, error))
}

impl Context<'_> {
    /// What is said of an allowed request for its answer. The request is refused after all if that
    /// is too long.
    pub(super) fn hand_over(
        &self,
        judgement: &mut Judgement,
        state: &dyn State,
        to: &Addressee<'_>,
        read: &Read<'_>,
    ) -> Option<Handover> {
        if !judgement.is_allowed() {
            return None;
        }
        let expected = Expected::of(self.request, self.server, read);
        let held = (judgement.session_started, &*judgement.places);
        let handover = handoff::handover(expected, self, read, to, held);
        handover.unwrap_or_else(|ContextTooLong| {
            judgement.give_back(state, self.decision_id);
            judgement.refuse(Reason::TooManyHeaders, 0);
            None
        })
    }

    pub(super) fn ending(
        &self,
        judgement: Judgement,
        handoff: Option<Handover>,
        to: &Addressee<'_>,
        read: &Read<'_>,
    ) -> Ending {
        let nothing_asked = Denial {
            reason: DenialReason::NoMatchingRule,
            rule: None,
            message: None,
            retry_after: None,
        };
        if let Some(reason) = judgement.refusal {
            let rejected = |status| answer::rejected(to, status, reason);
            let answer = if reason == Reason::IdInUse {
                rejected(StatusCode::BAD_REQUEST)
            } else if reason == Reason::TooManyHeaders {
                rejected(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            } else {
                answer::not_owned(to, self.server.settings.deny, reason)
            };
            return Ending::answer(reason, answer);
        }
        match judgement.decision.unwrap_or(Decision::Deny(nothing_asked)) {
            Decision::Allow(_) => {
                let mut obligations = self.obligations(to.decision_id, read);
                let assigned = judgement.assigned.as_ref();
                let assigned = assigned.map_or(&[][..], |assigned| &assigned.headers);
                let owned = &judgement.owned_headers;
                let names = self.request.header_names();
                upstream::assign(&mut obligations, assigned, owned, names);
                let rule = judgement.rules.first().cloned();
                let expected = Expected::of(self.request, self.server, read);
                if expected.reads_body() {
                    // What cannot be read could not be filtered.
                    let names = self.request.header_names();
                    let unreadable = names.filter(|name| UNREADABLE.contains(name));
                    obligations.remove.extend(unreadable.map(Text::copy));
                }
                Ending {
                    reason: Reason::Allowed,
                    outcome: Outcome::Allow(obligations),
                    rule,
                    handoff,
                }
            }
            Decision::Challenge(challenge) => {
                let reason = Reason::from(&challenge);
                let answer = answer::challenged(to, self.server, &challenge, reason);
                Ending {
                    reason,
                    outcome: Outcome::Answer(answer),
                    rule: Some(challenge.rule),
                    handoff: None,
                }
            }
            // INVARIANT: judging has settled it; were it not, nobody has taken from its limits.
            Decision::Limit(_) => failed(to, Reason::StateUnavailable),
            Decision::Deny(denial) => Ending {
                reason: Reason::from(denial.reason),
                outcome: Outcome::Answer(answer::denied(
                    to,
                    self.server.settings.deny,
                    Denied::new(&denial, judgement.misfit.as_ref()),
                )),
                rule: denial.rule,
                handoff: None,
            },
        }
    }

    fn obligations(&self, decision_id: Uuid, read: &Read<'_>) -> Obligations {
        let single = match read.messages() {
            [message] if !matches!(message.kind, Kind::Response { .. }) => Some(message),
            _ => None,
        };
        let targets = single.map(Message::targets).unwrap_or_default();
        let name = match targets.as_slice() {
            [target] => target.name,
            _ => None,
        };
        let facts = Facts {
            subject: self.subject,
            server: &self.server.name,
            method: single.map(|message| match message.entry {
                Some(entry) => entry.name.into(),
                None => Text::copy(&message.method),
            }),
            name: name.map(Text::copy),
            decision_id: decision_id.into(),
        };
        let names = self.request.header_names();
        let mut obligations =
            upstream::obligations(facts, self.server.settings.authorization, names);
        let session = read.routing.as_ref().and_then(|routing| routing.session);
        let unjudged = session::unjudged_headers(self.request, session);
        obligations.remove.extend(unjudged);
        let unheeded = resume::unheeded_headers(self.request, self.server, read.era);
        obligations.remove.extend(unheeded);
        obligations
    }
}

const ACCEPT_ENCODING: &str = "accept-encoding";
const RANGE: &str = "range";
/// What asks for an answer that cannot be read: coded, or a part.
const UNREADABLE: [&str; 2] = [ACCEPT_ENCODING, RANGE];

/// What is removed of requests that are allowed, some of it now and then, besides the headers that
/// are ours to set and those that steer the PEP's router.
pub const REMOVED: [&str; 6] = [
    upstream::AUTHORIZATION,
    upstream::DPOP,
    ACCEPT_ENCODING,
    RANGE,
    resume::HEADER,
    session::SESSION_HEADER,
];
