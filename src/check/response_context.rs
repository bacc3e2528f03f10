//! What a check hands on to whoever sees the answer to the request.
//!
//! Answers that carry lists, open a session or create a task are looked at on their way back, by
//! this replica or another. What that takes travels as two members of the verdict's metadata:
//! `response_filter` says that the answer is to be looked at and why, which the PEP matches on,
//! and `response_context` has the proven caller and the rest of the request's context, sealed so that
//! only what a check said is believed.

mod keys;
mod seal;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Addressee;
use super::in_flight::lists_awaited;
use super::judgement::Context;
use super::read::Read;
use super::{HttpRequest, Server, SessionBinding, resume};
use crate::authn::{CarriedSubject, FoundPeer};
use crate::authz::{
    self, AccessRequest, Action, ActionKind, Declared, Http, PeerNames, Resource, Subject,
};
use crate::json::Json;
use crate::mcp::{Era, Id, ListKind, Lists, Message};
use crate::state::PlaceKey;

pub(super) use seal::Refused;

pub use keys::{HandoffStatus, InvalidHandoffKeys, KeyFault};
pub use seal::{HandoffSettings, Handoffs};

/// The member that the PEP matches on.
pub(super) const FILTER_FACT: &str = "response_filter";
/// What the values stand for of requests that count under a limit on how many are open at once, as
/// in [`RESPONSE_FILTERS`].
pub const OPEN_FILTERS: [(&str, bool); 9] = [
    (STREAM, false),
    ("list+stream", true),
    ("list/tools+stream", true),
    ("list/prompts+stream", true),
    ("list/resources+stream", true),
    ("list/templates+stream", true),
    ("list/tasks+stream", true),
    ("task+stream", true),
    ("initialize+stream", false),
];
/// What ends the codes of requests that have places under limits on how many are open at once: the
/// PEP shows them from their heads to the ends of their answers.
const STREAM: &str = "stream";
/// The member with the context.
pub(super) const CONTEXT_FACT: &str = "response_context";
/// Every value of `response_filter`, which PEPs match on, and whether the body of the answer is read.
pub const RESPONSE_FILTERS: [(&str, bool); 8] = [
    ("list", true),
    ("list/tools", true),
    ("list/prompts", true),
    ("list/resources", true),
    ("list/templates", true),
    ("list/tasks", true),
    ("task", true),
    ("initialize", false),
];
/// The longest context. The limits on tokens and headers keep it below unless they are raised.
const CONTEXT_BYTES_MAX: usize = 192 * 1024;

/// Why an answer is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    /// It may have these lists.
    pub(super) lists: Lists,
    /// It may create a task.
    pub(super) task: bool,
    /// It may open a session.
    pub(super) session: bool,
}

impl Expected {
    /// What an answer may have if nobody knows its request.
    pub(super) const ANYTHING: Expected = Expected {
        lists: Lists::ALL,
        task: false,
        session: false,
    };

    const NOTHING: Expected = Expected {
        lists: Lists::NONE,
        task: false,
        session: false,
    };

    pub(super) fn of(request: &HttpRequest<'_>, server: &Server, read: &Read<'_>) -> Self {
        let mut expected = Expected::NOTHING;
        // A stream that is resumed repeats answers that the client has missed. Any other GET
        // stream carries none (2025-03-26 and later), unless the server speaks 2024-11-05.
        let is_resumed = resume::resumes(request, server, read.era);
        let binds = server.settings.session_binding != SessionBinding::Off;
        if request.method == "GET" && (is_resumed || server.settings.answers_on_get) {
            expected.lists = Lists::ALL;
            expected.task = binds;
        }
        for message in read.messages() {
            expected.add(message, binds);
        }
        expected
    }

    /// What the answer to one message may have; `binds` says whether sessions and tasks are bound.
    pub(super) fn of_message(message: &Message<'_>, binds: bool) -> Self {
        let mut expected = Expected::NOTHING;
        expected.add(message, binds);
        expected
    }

    fn add(&mut self, message: &Message<'_>, binds: bool) {
        match message.entry.and_then(|entry| entry.lists) {
            Some(ListKind::Tasks) if !binds => {}
            Some(kind) => self.lists = self.lists.with(kind),
            None => {}
        }
        self.session |= binds && message.method == "initialize";
        self.task |= binds && message.may_create_task();
    }

    /// The value that the PEP matches on, one of [`RESPONSE_FILTERS`]; none if the answer is not to
    /// be looked at.
    pub(super) fn code(self) -> Option<&'static str> {
        let mut kinds = self.kinds();
        match (kinds.next(), kinds.next()) {
            (Some(_), Some(_)) => Some("list"),
            (Some(ListKind::Tools), None) => Some("list/tools"),
            (Some(ListKind::Prompts), None) => Some("list/prompts"),
            (Some(ListKind::Resources), None) => Some("list/resources"),
            (Some(ListKind::Templates), None) => Some("list/templates"),
            (Some(ListKind::Tasks), None) => Some("list/tasks"),
            (None, _) if self.task => Some("task"),
            (None, _) if self.session => Some("initialize"),
            (None, _) => None,
        }
    }

    /// A number that only what is looked at alike has.
    pub(super) fn number(self) -> u8 {
        let all = ListKind::ALL.into_iter();
        let flags = all.map(|kind| self.lists.contains(kind));
        let flags = flags.chain([self.task, self.session]);
        flags.fold(0, |number, flag| (number << 1) | u8::from(flag))
    }

    /// Whether the body of the answer is read.
    pub(super) fn reads_body(self) -> bool {
        self.task || !self.lists.is_empty()
    }

    fn kinds(self) -> impl Iterator<Item = ListKind> {
        let all = ListKind::ALL.into_iter();
        all.filter(move |kind| self.lists.contains(*kind))
    }
}

/// What is to be said for the answer to an allowed request.
pub(super) struct Handover {
    /// The value that the PEP matches on.
    pub(super) code: Cow<'static, str>,
    /// The context as text, yet to be sealed.
    pub(super) context: String,
}

impl Handover {
    /// Whether the answer is looked at, and not only its end waited for.
    pub(super) fn is_looked_at(&self) -> bool {
        self.code != STREAM
    }
}

/// The context of a request is too long to be carried to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContextTooLong;

/// What the verdict on an allowed request says for its answer, if it says anything.
///
/// # Errors
/// The context is too long. Without it lists would come out empty, and nobody would know when the
/// places of the request are free.
pub(super) fn handover(
    expected: Expected,
    context: &Context<'_>,
    read: &Read<'_>,
    to: &Addressee<'_>,
    (session_started, places): (Option<Timestamp>, &[PlaceKey]),
) -> Result<Option<Handover>, ContextTooLong> {
    let Some(code) = code(expected, places) else {
        return Ok(None);
    };
    let mut handoff = Handoff::of(expected, context, read, to, session_started);
    places.clone_into(&mut handoff.places);
    let context = handoff.text().ok_or(ContextTooLong)?;
    Ok(Some(Handover { code, context }))
}

/// The value that the PEP matches on for such an answer to a request with these places.
fn code(expected: Expected, places: &[PlaceKey]) -> Option<Cow<'static, str>> {
    match (expected.code(), places.is_empty()) {
        (None, true) => None,
        (Some(code), true) => Some(Cow::Borrowed(code)),
        (None, false) => Some(Cow::Borrowed(STREAM)),
        (Some(code), false) => Some(Cow::Owned(format!("{code}+{STREAM}"))),
    }
}

/// The TLS peer, as it was found. Of a list that is judged by a later policy it is unknown if no rule
/// asked when the request was judged.
#[derive(Debug, Clone, PartialEq)]
struct CarriedPeer(FoundPeer);

/// The form in which it is carried: what is left out is unknown.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerText {
    is_absent: bool,
    is_known: bool,
    uris: Vec<Arc<str>>,
    dns: Vec<Arc<str>>,
    subject: Option<Arc<str>>,
}

impl CarriedPeer {
    fn of(found: &FoundPeer) -> Self {
        CarriedPeer(found.clone())
    }
}

impl Serialize for CarriedPeer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match &self.0 {
            FoundPeer::Absent => PeerText {
                is_absent: true,
                ..PeerText::default()
            },
            FoundPeer::Unknown => PeerText::default(),
            FoundPeer::Known(known) => PeerText {
                is_known: true,
                uris: known.uris.clone(),
                dns: known.dns.clone(),
                subject: known.subject.clone(),
                ..PeerText::default()
            },
        };
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CarriedPeer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = PeerText::deserialize(deserializer)?;
        let PeerText {
            is_absent,
            is_known,
            uris,
            dns,
            subject,
        } = text;
        Ok(CarriedPeer(match (is_known, is_absent) {
            (true, _) => FoundPeer::Known(Arc::new(PeerNames { uris, dns, subject })),
            (false, true) => FoundPeer::Absent,
            (false, false) => FoundPeer::Unknown,
        }))
    }
}

/// The context of a request, for its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Handoff {
    decision_id: Uuid,
    server: Arc<str>,
    /// Lists, by the member of a result that they are.
    lists: Vec<Cow<'static, str>>,
    task: bool,
    /// How many lists there are in the whole answer, one for each id that waits for one.
    #[serde(default, skip_serializing_if = "is_zero")]
    lists_awaited: usize,
    /// The places that it has under limits on how many are open at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<PlaceKey>,
    session_opens: bool,
    modern: bool,
    /// The id of the request as JSON text, if a single answer is awaited.
    id: Option<String>,
    subject: CarriedSubject,
    peer: CarriedPeer,
    source: Option<IpAddr>,
    country: Option<String>,
    device: Option<Json<'static>>,
    purpose: Purpose,
    protocol_version: Option<String>,
    session: Option<String>,
    session_started: Option<Timestamp>,
    host: String,
    path: String,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    Nothing,
    As(String),
    Unclear,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Handoff {
    fn of(
        expected: Expected,
        context: &Context<'_>,
        read: &Read<'_>,
        to: &Addressee<'_>,
        session_started: Option<Timestamp>,
    ) -> Self {
        let routing = read.routing.as_ref();
        let purpose = match context.declared_purpose(read.messages().first()) {
            Declared::Nothing => Purpose::Nothing,
            Declared::As(purpose) => Purpose::As(purpose.to_owned()),
            Declared::Unclear => Purpose::Unclear,
        };
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        Handoff {
            decision_id: to.decision_id,
            server: Arc::clone(&context.server.name),
            lists: expected
                .kinds()
                .map(|kind| Cow::Borrowed(kind.member()))
                .collect(),
            task: expected.task,
            lists_awaited: lists_awaited(read, context.server),
            places: Vec::new(),
            session_opens: expected.session,
            modern: read.era == Era::Modern,
            id: to.id().map(|id| id.lexeme().to_owned()),
            subject: CarriedSubject(Arc::clone(context.subject)),
            peer: CarriedPeer::of(context.peer),
            source: context.request.source,
            country: context.country.map(str::to_owned),
            device: context
                .device
                .map(|device| Json(Cow::Owned(device.clone()))),
            purpose,
            protocol_version: routing
                .and_then(|routing| routing.protocol_version)
                .map(str::to_owned),
            session: routing
                .and_then(|routing| routing.session)
                .map(str::to_owned),
            session_started,
            host: context.host.to_owned(),
            path: context.request.path_only().to_owned(),
            headers: context
                .headers
                .iter()
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
        }
    }

    /// As text; none if it is too long.
    fn text(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (text.len() <= CONTEXT_BYTES_MAX).then_some(text)
    }

    /// Reads a context.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Why the answer is to be looked at.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            lists: ListKind::ALL
                .into_iter()
                .filter(|kind| self.lists.iter().any(|member| *member == kind.member()))
                .collect(),
            task: self.task,
            session: self.session_opens,
        }
    }

    /// The id of the decision about the request.
    pub(super) fn decision_id(&self) -> Uuid {
        self.decision_id
    }

    /// How many lists there are in the whole answer.
    pub(super) fn lists_awaited(&self) -> usize {
        self.lists_awaited
    }

    /// The places that the request has.
    pub(super) fn places(&self) -> &[PlaceKey] {
        &self.places
    }

    /// The value that the PEP matches on.
    pub(super) fn code(&self) -> Option<Cow<'static, str>> {
        code(self.expected(), &self.places)
    }

    /// Whether a code is that of a request with places.
    pub(super) fn has_places(code: &str) -> bool {
        code == STREAM
            || code
                .strip_suffix(STREAM)
                .is_some_and(|code| code.ends_with('+'))
    }

    /// The name of the server.
    pub(super) fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// The proven caller.
    pub(super) fn subject(&self) -> &Arc<Subject> {
        &self.subject.0
    }

    /// Whether the request was one of the modern era.
    pub(super) fn is_modern(&self) -> bool {
        self.modern
    }

    /// The id to answer with, if one answer is awaited and its id is one.
    pub(super) fn id(&self) -> Option<Id<'_>> {
        self.id.as_deref().and_then(Id::new)
    }

    /// The call that a listed thing would get, from the caller and in the context of the request.
    /// None for a task, which no policy is asked about.
    pub(super) fn access_request<'a>(
        &'a self,
        kind: ListKind,
        name: &'a str,
        now: Timestamp,
    ) -> Option<AccessRequest<'a>> {
        let (method, resource) = match kind {
            ListKind::Tools => ("tools/call", Resource::Tool(name)),
            ListKind::Prompts => ("prompts/get", Resource::Prompt(name)),
            ListKind::Resources => ("resources/read", Resource::Uri(name)),
            ListKind::Templates => ("resources/read", Resource::Template(name)),
            ListKind::Tasks => return None,
        };
        Some(AccessRequest {
            subject: &self.subject.0,
            peer: self.peer.0.as_peer(),
            server: &self.server,
            action: Action {
                method,
                authorized_as: None,
                kind: ActionKind::Use,
            },
            resource,
            arguments: None,
            input: None,
            meta: None,
            protocol_version: self.protocol_version.as_deref(),
            session: self.session.as_deref(),
            source: self.source,
            http: Http {
                host: &self.host,
                path: &self.path,
                headers: &self.headers,
            },
            now,
            context: authz::Context {
                session_started: self.session_started,
                purpose: match &self.purpose {
                    Purpose::Nothing => Declared::Nothing,
                    Purpose::As(purpose) => Declared::As(purpose),
                    Purpose::Unclear => Declared::Unclear,
                },
                country: self.country.as_deref(),
                device: self.device.as_ref().map(|device| &*device.0),
                ..authz::Context::default()
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_that_peps_are_told_to_match_on() {
        let mut given: Vec<(&str, bool)> = Vec::new();
        let kinds = ListKind::ALL;
        for chosen in 0..1_usize << kinds.len() {
            for (task, session) in [(false, false), (true, false), (false, true), (true, true)] {
                let lists = kinds.iter().enumerate();
                let lists = lists.filter(|(at, _)| chosen >> at & 1 == 1);
                let expected = Expected {
                    lists: lists.fold(Lists::NONE, |lists, (_, kind)| lists.with(*kind)),
                    task,
                    session,
                };
                if let Some(code) = expected.code() {
                    let known = RESPONSE_FILTERS.iter().find(|(known, _)| *known == code);
                    let (_, reads_body) = *known.unwrap();
                    assert_eq!(expected.reads_body(), reads_body, "{code}");
                    given.push((code, reads_body));
                }
            }
        }
        let never = RESPONSE_FILTERS.iter().filter(|code| !given.contains(code));
        assert_eq!(never.count(), 0);
        let open = RESPONSE_FILTERS.map(|(code, reads)| (format!("{code}+{STREAM}"), reads));
        let stream = (STREAM.to_owned(), false);
        let known = OPEN_FILTERS.map(|(code, reads)| (code.to_owned(), reads));
        let all: Vec<_> = std::iter::once(stream).chain(open).collect();
        assert_eq!(all, known);
    }
}
