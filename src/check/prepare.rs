//! Prepares an allowed request for the upstream: what it gets, and what is kept from it.
//!
//! This is the step between decision and verdict, and it may wait for the network. Limits have
//! counted the request by then. If the step fails, or the check is given up meanwhile, the request
//! keeps none of its places.

use super::context::RequestContext;
use super::decision::RequestDecision;
use super::parse::ParsedRequest;
use super::response_context::ResponseContents;
use super::takings::WaitingPlaces;
use super::{resume, session};
use crate::mcp::{Header, Message, MessageKind, Nesting};
use crate::state::State;
use crate::text::Text;
use crate::upstream::{self, AuthorizationHeader, Facts, Obligations, UpstreamFault};

impl RequestContext<'_> {
    /// What the upstream gets with the request; `None` if it is not allowed.
    ///
    /// # Errors
    /// The request must not be forwarded. It has given its places back.
    pub(super) async fn prepare(
        &self,
        decided: &mut RequestDecision,
        state: &dyn State,
        parsed: &ParsedRequest<'_>,
    ) -> Result<Option<Obligations>, UpstreamFault> {
        if !decided.is_allowed() {
            return Ok(None);
        }
        let held = WaitingPlaces::new(&mut decided.places, state, self.decision_id);
        let names = self.request.header_names();
        let facts = self.facts_told(parsed);
        let told = upstream::prepare(facts, self.server.settings.authorization, names).await;
        let mut obligations = told.inspect_err(|fault| {
            tracing::error!(%fault, "an allowed request cannot be forwarded");
        })?;
        held.keep();
        let session = parsed.routing.as_ref().and_then(|routing| routing.session);
        let unjudged = session::unjudged_headers(self.request, session);
        obligations.remove.extend(unjudged);
        let unheeded = resume::unheeded_headers(self.request, self.server, parsed.era);
        obligations.remove.extend(unheeded);
        let assigned = decided.assigned.as_ref();
        let assigned = assigned.map_or(&[][..], |assigned| &assigned.headers);
        let names = self.request.header_names();
        upstream::assign(&mut obligations, assigned, &decided.owned_headers, names);
        correct(&mut obligations, &parsed.corrections);
        obligations.set.append(&mut decided.copies);
        self.keep_token(&mut obligations);
        let contents = ResponseContents::of(self.request, self.server, parsed);
        if contents.reads_body() {
            // A response that cannot be read could not be filtered.
            let names = self.request.header_names();
            let unreadable = names.filter(|name| UNREADABLE.contains(name));
            obligations.remove.extend(unreadable.map(Text::copy));
        }
        Ok(Some(obligations))
    }

    /// Keeps the header from the upstream that has the token in the place of `authorization`, as
    /// `authorization` is kept from it.
    fn keep_token(&self, obligations: &mut Obligations) {
        let settings = &self.server.settings;
        let Some(header) = settings.token.header.as_deref() else {
            return;
        };
        if settings.authorization == AuthorizationHeader::Pass {
            return;
        }
        let names = self.request.header_names();
        for name in names.filter(|name| upstream::reads_as(name, header)) {
            let is_set = obligations.set.iter().any(|(set, _)| **set == *name);
            let is_removed = obligations.remove.iter().any(|removed| **removed == *name);
            if !is_set && !is_removed {
                obligations.remove.push(Text::copy(name));
            }
        }
    }

    /// What the upstream is told of the decision.
    fn facts_told<'p>(&'p self, parsed: &'p ParsedRequest<'_>) -> Facts<'p> {
        let single = match parsed.messages() {
            [message] if !matches!(message.kind, MessageKind::Response { .. }) => Some(message),
            _ => None,
        };
        let targets = single.map(Message::targets).unwrap_or_default();
        // Of calls inside a call the server is told the outer one, whose name it got.
        let name = match targets.as_slice() {
            [target] => target.name,
            [target, ..] if target.nesting == Nesting::Outer => target.name,
            _ => None,
        };
        Facts {
            subject: self.subject,
            server: &self.server.name,
            method: single.map(|message| match message.entry {
                Some(entry) => entry.name.into(),
                None => Text::copy(&message.method),
            }),
            name: name.map(Text::copy),
            decision_id: self.decision_id.into(),
        }
    }
}

/// Lets the upstream see headers as they count. What is kept from it stays so.
fn correct(obligations: &mut Obligations, corrections: &[(Header, Option<&str>)]) {
    for (header, value) in corrections {
        let name = header.as_str();
        let set = obligations.set.iter().map(|(name, _)| name);
        if obligations
            .remove
            .iter()
            .chain(set)
            .any(|own| &**own == name)
        {
            continue;
        }
        match value {
            Some(value) => obligations.set.push((name.into(), Text::copy(value))),
            None => obligations.remove.push(name.into()),
        }
    }
}

const ACCEPT_ENCODING: &str = "accept-encoding";
const RANGE: &str = "range";
/// What asks for a response that cannot be read: coded, or a part.
const UNREADABLE: [&str; 2] = [ACCEPT_ENCODING, RANGE];

const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// What is set of requests that are allowed where it came more than once, besides the headers that
/// are ours to set and those of the policy.
pub const CORRECTED: [&str; 5] = [
    "content-type",
    "mcp-method",
    "mcp-name",
    PROTOCOL_VERSION,
    session::SESSION_HEADER,
];

/// What is removed of requests that are allowed, some of it now and then, besides the headers that
/// are ours to set and those that steer the PEP's router.
pub const REMOVED: [&str; 7] = [
    PROTOCOL_VERSION,
    upstream::AUTHORIZATION,
    upstream::DPOP,
    ACCEPT_ENCODING,
    RANGE,
    resume::HEADER,
    session::SESSION_HEADER,
];
