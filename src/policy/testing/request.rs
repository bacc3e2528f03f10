//! The request of a policy test. It becomes an access request by the same steps as one from
//! outside: its message is written as JSON-RPC and decoded again.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::authz::{
    self, AccessRequest, Action, ActionKind, Context, Count, CountedWindow, Decision, Declared,
    Http, KeyPart, Peer, PeerNames, Policy, Readings, Resource, Stands, Subject, Taken,
    TrustedHints, UriForm, Value, Window,
};
use crate::mcp::{
    DecodeOptions, IndirectTool, InnerFault, ListKind, METHODS, Message, MethodForm, Nesting,
    Target, decode,
};

/// One request that a policy can be asked about without a server.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// The configured server.
    pub server: String,
    /// The caller, assumed to be proved.
    pub subject: Subject,
    /// What is asked.
    pub ask: SampleAsk,
    /// When.
    pub at: Timestamp,
    /// Where from.
    pub from: Option<IpAddr>,
    /// The TLS peer.
    pub peer: Option<PeerNames>,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// The protocol revision.
    pub protocol_version: Option<String>,
    /// The authority, in lower case.
    pub host: String,
    /// The path.
    pub path: String,
    /// Header names in lower case, unique.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// What is known around the request.
    pub situation: Situation,
}

/// What the service would know around a request.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// The country of the source.
    pub country: Option<String>,
    /// What is known of the device; an object.
    pub device: Option<Value<'static>>,
    /// What the client says the call is for.
    pub purpose: Option<String>,
    /// How old the session is.
    pub session_age: Option<SignedDuration>,
    /// What the caller did before, within every window.
    pub seen: History,
    /// The limit rules that have no room left.
    pub exhausted: Vec<String>,
    /// What trusted annotations say of recorded tools.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, where it is not as usual.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools.
    pub defaults: Arc<ToolDefaults>,
    /// The tools of servers that call other tools.
    pub indirect: Arc<IndirectTools>,
}

/// The tools of servers that call other tools, by server.
pub type IndirectTools = HashMap<String, Arc<[IndirectTool]>>;

/// The defaults of the arguments of recorded tools, by server and tool: objects shaped like the
/// arguments.
pub type ToolDefaults = HashMap<String, HashMap<String, Value<'static>>>;

/// What a caller did before.
///
/// Every window counts the numbers, and those that count a tool count each call of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Calls.
    pub calls: u64,
    /// Denied calls.
    pub denials: u64,
    /// Tools other than the one at hand.
    pub distinct_tools: u64,
    /// Calls of tools of the same server.
    pub tools: Vec<String>,
}

/// What a sample request asks.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleAsk {
    /// A JSON-RPC method with its parameters.
    Message {
        /// The method.
        method: String,
        /// `params`.
        params: Map<String, Json>,
    },
    /// A GET or DELETE without a message.
    Bare(&'static str),
    /// What a list shows, one of [`sample_lists`].
    List(ListKind),
}

/// The kinds of lists whose items a test can name: an item is named as its call names it. A template
/// is not, and a task has no call.
pub fn sample_lists() -> impl Iterator<Item = ListKind> {
    ListKind::ALL.into_iter().filter(|kind| {
        let entry = kind.call().and_then(|call| {
            let mut methods = METHODS.iter();
            methods.find(|entry| entry.name == call.method)
        });
        entry.is_some_and(|entry| entry.selector.parameter() == Some(kind.naming()))
    })
}

/// Why a sample request reaches no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// It would be rejected before a policy is asked; why, in the words of the refusal.
    #[error("{0}")]
    Rejected(String),
    /// It is about several things, and a policy is asked about each by itself.
    #[error("the request is about {0} things; ask about one at a time")]
    Several(usize),
}

impl SampleRequest {
    /// The request for one listed thing: the call that it would get.
    #[must_use]
    pub fn calling(&self, listed: ListKind, name: &str) -> SampleRequest {
        let method = listed
            .call()
            .map_or_else(String::new, |call| call.method.to_owned());
        let params = Map::from_iter([(listed.naming().to_owned(), json!(name))]);
        SampleRequest {
            ask: SampleAsk::Message { method, params },
            ..self.clone()
        }
    }

    /// Shows the request to `judge` as a policy sees it; of calls inside a call, the outer one.
    ///
    /// # Errors
    /// When no policy would be asked.
    pub fn ask<T>(
        &self,
        policy: &Policy,
        judge: impl FnOnce(&AccessRequest<'_>) -> T,
    ) -> Result<T, Unasked> {
        let first = self.ask_all(policy, |all, _| all.first().map(judge))?;
        first.ok_or(Unasked::Several(0))
    }

    /// Shows `judge` everything that a policy is asked about: the request and the calls inside it, or
    /// why those cannot be told.
    ///
    /// # Errors
    /// When no policy would be asked.
    pub fn ask_all<T>(
        &self,
        policy: &Policy,
        judge: impl FnOnce(&[AccessRequest<'_>], Option<&InnerFault>) -> T,
    ) -> Result<T, Unasked> {
        let readings = self.readings(policy);
        let (method, params) = match &self.ask {
            SampleAsk::Message { method, params } => (method, params),
            SampleAsk::Bare(method) => return Ok(judge(&[self.bare(method, &readings)], None)),
            SampleAsk::List(_) => return Ok(judge(&[self.bare("list", &readings)], None)),
        };
        let body = body(method, params);
        let options = DecodeOptions {
            indirect: self.situation.indirect.get(&self.server).cloned(),
            ..DecodeOptions::default()
        };
        let payload = decode(body.as_bytes(), &options)
            .map_err(|refused| Unasked::Rejected(refused.refusal.to_string()))?;
        let targets: Vec<_> = payload
            .messages()
            .iter()
            .flat_map(Message::targets)
            .collect();
        let fault = match targets.as_slice() {
            [target] => match target.nesting {
                Nesting::Unreadable(fault) => Some(fault),
                Nesting::None | Nesting::Outer | Nesting::FirstInner | Nesting::Inner => None,
            },
            [outer, ..] if outer.nesting == Nesting::Outer => None,
            several => return Err(Unasked::Several(several.len())),
        };
        let all = targets
            .iter()
            .map(|target| self.about(target, method, &readings));
        Ok(judge(&all.collect::<Vec<_>>(), fault))
    }

    fn about<'a>(
        &'a self,
        target: &Target<'a>,
        method: &'a str,
        readings: &'a Readings,
    ) -> AccessRequest<'a> {
        let mut request = self.bare(method, readings);
        request.action = target.action;
        request.resource = target.resource;
        request.arguments = target.arguments;
        request.input = target.input;
        request.meta = target.meta;
        let name = target.resource.name().unwrap_or_default();
        request.context.hints = self.situation.hints.of(&self.server, name);
        if let Resource::Tool(name) = target.resource {
            let tools = self.situation.defaults.get(&self.server);
            request.context.defaults = tools.and_then(|tools| tools.get(name));
        }
        request
    }

    /// Settles a decision that hangs on limits: there is room but where the request says that
    /// there is none.
    pub fn settle(&self, decision: Decision) -> Decision {
        let Decision::Limit(pending) = decision else {
            return decision;
        };
        let is_exhausted = |rule: &str| self.situation.exhausted.iter().any(|id| id == rule);
        let takings = pending.takings();
        let mut places = takings.places.iter();
        if let Some(first) = places.position(|place| is_exhausted(&place.rule)) {
            return pending.refuse(first);
        }
        let mut limits = takings.calls.iter();
        let taken = match limits.position(|limit| is_exhausted(&limit.rule)) {
            Some(first) => Taken::Exhausted {
                first,
                retry_after: Duration::from_secs(1),
            },
            None => Taken::All,
        };
        pending.settle(taken)
    }

    fn readings(&self, policy: &Policy) -> Readings {
        let seen = &self.situation.seen;
        let mut readings = Readings::default();
        let unread = Readings::default();
        let mut call = self.bare(TOOLS_CALL, &unread);
        if let Some(tool) = self.tool() {
            call.resource = Resource::Tool(tool);
            call.context.hints = self.situation.hints.of(&self.server, tool);
        }
        for one in policy.windows() {
            let CountedWindow { window, .. } = one;
            let reading = match window.count {
                _ if window.is_unsure() || !authz::may_have_counted(policy, &call, one) => 0,
                Count::Calls => seen.calls,
                Count::Denials => seen.denials,
                Count::DistinctTools => seen.distinct_tools,
            };
            let is_counted = |tool: &&str| self.has_counted(policy, window, tool);
            let called = seen.tools.iter().map(String::as_str);
            let counted = match window.count {
                Count::Calls | Count::Denials => called.filter(is_counted).count(),
                Count::DistinctTools => {
                    let called = called.chain(self.tool()).filter(is_counted);
                    called.collect::<HashSet<_>>().len()
                }
            };
            let counted = u64::try_from(counted).unwrap_or(u64::MAX);
            readings.insert(window.clone(), reading.saturating_add(counted));
        }
        readings
    }

    /// The tool that is called.
    fn tool(&self) -> Option<&str> {
        match &self.ask {
            SampleAsk::Message { method, params } if method == TOOLS_CALL => {
                params.get("name").and_then(Json::as_str)
            }
            SampleAsk::Message { .. } | SampleAsk::Bare(_) | SampleAsk::List(_) => None,
        }
    }

    /// Whether a window counts a call of a tool of this server.
    fn has_counted(&self, policy: &Policy, window: &Window, tool: &str) -> bool {
        let unread = Readings::default();
        let mut call = self.bare(TOOLS_CALL, &unread);
        call.action.kind = ActionKind::Use;
        call.resource = Resource::Tool(tool);
        call.context.hints = self.situation.hints.of(&self.server, tool);
        // By tool, only calls of the same tool are counted together.
        if window.by.contains(&KeyPart::Tool) && self.tool() != Some(tool) {
            return false;
        }
        let counting = authz::events(policy, &call, false);
        counting.iter().any(|event| event.window == *window)
    }

    fn bare<'a>(&'a self, method: &'a str, readings: &'a Readings) -> AccessRequest<'a> {
        let situation = &self.situation;
        let purpose = situation.purpose.as_deref();
        AccessRequest {
            subject: &self.subject,
            peer: self.peer.as_ref().map_or(Peer::Absent, Peer::Known),
            server: &self.server,
            action: Action {
                method,
                authorized_as: None,
                kind: ActionKind::Open,
            },
            resource: Resource::Server,
            arguments: None,
            input: None,
            meta: None,
            protocol_version: self.protocol_version.as_deref(),
            session: self.session.as_deref(),
            source: self.from,
            http: Http {
                host: &self.host,
                path: &self.path,
                headers: &self.headers,
            },
            now: self.at,
            context: Context {
                session_started: situation
                    .session_age
                    .and_then(|age| self.at.checked_sub(age).ok()),
                purpose: purpose.map_or(Declared::Nothing, Declared::As),
                country: situation.country.as_deref(),
                device: situation.device.as_ref(),
                readings: Some(readings),
                hints: situation.hints.of(&self.server, ""),
                uris: situation
                    .uris
                    .get(&self.server)
                    .copied()
                    .unwrap_or_default(),
                defaults: None,
                tool_is_unlisted: false,
                is_entailed: false,
                stands: Stands::ForItself,
            },
        }
    }
}

/// What the client answers to the server.
pub(super) const INPUT: &str = "inputResponses";
/// The method of calls of tools.
const TOOLS_CALL: &str = "tools/call";
/// The method of a test that is an answer to a request of the server.
const RESPONSE: &str = "response";

/// The message on the wire. What the protocol has as a notification gets no id.
fn body(method: &str, params: &Map<String, Json>) -> String {
    if method == RESPONSE {
        let answers = params.get(INPUT).and_then(|input| input.get("result"));
        return json!({"jsonrpc": "2.0", "id": 1, "result": answers}).to_string();
    }
    let entry = METHODS.iter().find(|entry| entry.name == method);
    let notification = entry.map_or(method.starts_with("notifications/"), |entry| {
        entry.form == MethodForm::Notification
    });
    let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
    if let (false, Some(members)) = (notification, message.as_object_mut()) {
        members.insert("id".to_owned(), json!(1));
    }
    message.to_string()
}
