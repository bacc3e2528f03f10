//! What a check hands on to whoever sees the response to its request.
//!
//! Responses that carry lists, open a session or create a task are filtered on their way back, by
//! this replica or another. The verdict's metadata has two members for that: `response_filter`,
//! which the PEP matches on, says that the response is to be filtered and why, and
//! `response_context` has the proven caller and the rest of the request's context, sealed so that
//! only what a check said is believed.

mod filter_codes;
mod handover;
mod keys;
mod seal;
mod serialized_peer;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::RequestContext;
use super::parse::ParsedRequest;
use super::reply::Addressee;
use crate::authn::SerializedSubject;
use crate::authz::{self, AccessRequest, Action, ActionKind, Declared, Http, Subject, ValuePath};
use crate::json::Json;
use crate::mcp::{Era, FoundPaths, Id, ListKind, Message};
use crate::state::PlaceKey;
use filter_codes::{STREAM, filter_code};
use serialized_peer::SerializedPeer;

pub(crate) use filter_codes::ResponseContents;
pub(crate) use seal::ContextRefusal;

pub(super) use filter_codes::lists_awaited;
pub(super) use handover::{ContextTooLong, Handover, hand_over};

pub use filter_codes::{OPEN_FILTERS, RESPONSE_FILTERS, filtered_method};
pub use keys::{HandoffStatus, InvalidHandoffKeys, KeyFault};
pub use seal::{HandoffSettings, Handoffs};

/// The member that the PEP matches on.
pub(crate) const FILTER_FACT: &str = "response_filter";
/// The member with the context.
pub(crate) const CONTEXT_FACT: &str = "response_context";
/// The longest context. The limits on tokens and headers keep it below unless they are raised.
const CONTEXT_BYTES_MAX: usize = 192 * 1024;

/// The context of a request, for its response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about a response"
)]
pub(crate) struct ResponseContext {
    decision_id: Uuid,
    server: Arc<str>,
    /// Lists, by the member of a result that they are.
    lists: Vec<Cow<'static, str>>,
    task: bool,
    /// Where its result has a list of tools, if it is that of a tool that finds tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    results: Option<String>,
    /// Where each item of that list has its server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    results_server: Option<String>,
    /// How many lists there are in the whole response, one for each id that waits for one.
    #[serde(default, skip_serializing_if = "is_zero")]
    lists_awaited: usize,
    /// The places that it has under limits on how many are open at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<PlaceKey>,
    session_opens: bool,
    /// Whether the response lasts as long as its client wants it: a GET stream, or a subscription.
    #[serde(default, skip_serializing_if = "is_false")]
    standing: bool,
    /// Whether a list of tasks shows the caller's own alone.
    #[serde(default, skip_serializing_if = "is_false")]
    own_tasks: bool,
    modern: bool,
    /// The id of the request as JSON text, if a single response is awaited.
    id: Option<String>,
    subject: SerializedSubject,
    peer: SerializedPeer,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}

impl ResponseContext {
    fn of(
        contents: ResponseContents,
        context: &RequestContext<'_>,
        parsed: &ParsedRequest<'_>,
        to: &Addressee<'_>,
        session_started: Option<Timestamp>,
    ) -> Self {
        let routing = parsed.routing.as_ref();
        let purpose = match context
            .purpose
            .declared(context.request, parsed.messages().first())
        {
            Declared::Nothing => Purpose::Nothing,
            Declared::As(purpose) => Purpose::As(purpose.to_owned()),
            Declared::Unclear => Purpose::Unclear,
        };
        let mut messages = parsed.messages().iter();
        let found = messages.find_map(|message| message.results.as_ref());
        let server = found.and_then(|found| found.server.as_ref());
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        ResponseContext {
            decision_id: to.decision_id,
            server: Arc::clone(&context.server.name),
            lists: contents
                .kinds()
                .map(|kind| Cow::Borrowed(kind.member()))
                .collect(),
            task: contents.task,
            results: found.map(|found| found.list.as_str().to_owned()),
            results_server: server.map(|path| path.as_str().to_owned()),
            lists_awaited: lists_awaited(parsed, context.server),
            places: Vec::new(),
            own_tasks: false,
            session_opens: contents.session,
            standing: context.request.method == "GET"
                || parsed.messages().iter().any(Message::is_subscription),
            modern: parsed.era == Era::Modern,
            id: to.id().map(|id| id.lexeme().to_owned()),
            subject: SerializedSubject(Arc::clone(context.subject)),
            peer: SerializedPeer::of(context.peer),
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
    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What the response may have that is filtered or bound.
    pub(crate) fn contents(&self) -> ResponseContents {
        ResponseContents {
            lists: ListKind::ALL
                .into_iter()
                .filter(|kind| self.lists.iter().any(|member| *member == kind.member()))
                .collect(),
            task: self.task,
            session: self.session_opens,
            results: self.results.is_some(),
        }
    }

    /// Where the result has a list of tools; none for one that finds no tools.
    pub(crate) fn results(&self) -> Option<FoundPaths> {
        let path = |text| ValuePath::of_argument(text).ok();
        Some(FoundPaths {
            list: path(self.results.as_deref()?)?,
            server: match &self.results_server {
                Some(text) => Some(path(text)?),
                None => None,
            },
        })
    }

    /// The id of the decision about the request.
    pub(crate) fn decision_id(&self) -> Uuid {
        self.decision_id
    }

    /// How many lists there are in the whole response.
    pub(crate) fn lists_awaited(&self) -> usize {
        self.lists_awaited
    }

    /// The places that the request has.
    pub(crate) fn places(&self) -> &[PlaceKey] {
        &self.places
    }

    /// The value that the PEP matches on.
    pub(crate) fn code(&self) -> Option<Cow<'static, str>> {
        filter_code(self.contents(), &self.places)
    }

    /// Whether a code is that of a request with places.
    pub(crate) fn has_places(code: &str) -> bool {
        code == STREAM
            || code
                .strip_suffix(STREAM)
                .is_some_and(|code| code.ends_with('+'))
    }

    /// The name of the server.
    pub(crate) fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// The proven caller.
    pub(crate) fn subject(&self) -> &Arc<Subject> {
        &self.subject.0
    }

    /// Whether the response lasts as long as its client wants it.
    pub(crate) fn is_standing(&self) -> bool {
        self.standing
    }

    /// Whether a list of tasks shows the caller's own alone, because no rule allows the list.
    pub(crate) fn shows_own_tasks(&self) -> bool {
        self.own_tasks
    }

    /// Whether the request was one of the modern era.
    pub(crate) fn is_modern(&self) -> bool {
        self.modern
    }

    /// The id to reply with, if one response is awaited and its id is one.
    pub(crate) fn id(&self) -> Option<Id<'_>> {
        self.id.as_deref().and_then(Id::new)
    }

    /// The call that a listed thing would get, from the caller and in the context of the request.
    /// None for a task, which no policy is asked about.
    pub(crate) fn access_request<'a>(
        &'a self,
        kind: ListKind,
        name: &'a str,
        now: Timestamp,
    ) -> Option<AccessRequest<'a>> {
        let call = kind.call()?;
        Some(AccessRequest {
            subject: &self.subject.0,
            peer: self.peer.0.as_peer(),
            server: &self.server,
            action: Action {
                method: call.method,
                authorized_as: None,
                kind: ActionKind::Use,
            },
            resource: (call.resource)(name),
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
