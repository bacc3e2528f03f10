//! What may be asked of a server, as far as the rules of two policies tell it apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::authz::classes::Hints;
use crate::authz::classified::{Class, ClassifiedRequest};
use crate::authz::peer::Peer;
use crate::authz::policy::Policy;
use crate::authz::request::{AccessRequest, Action, ActionKind, Context, Http, Resource};
use crate::authz::subject::{Subject, UnknownFacts};
use crate::authz::uri::{UriCell, UriForm};
use crate::authz::value::Value;
use crate::authz::window::Window;

/// One kind of request: all requests of it differ only in facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The server.
    pub server: Arc<str>,
    /// The method.
    pub method: Arc<str>,
    /// A method that reaches the same.
    pub authorized_as: Option<Arc<str>>,
    /// The kind of authority that it needs.
    pub kind: ActionKind,
    /// What it reaches.
    pub resource: TargetResource,
    /// What trusted annotations say of the tool, under the old configuration and the new one.
    pub hints: [Hints; 2],
    /// Whether it gets as far as the rules, under each of them.
    pub reaches: [Reach; 2],
    /// How the server reads URIs.
    pub uris: UriForm,
    /// Whether its name stands for all others that fit the same patterns.
    pub stands_for_others: bool,
}

/// Whether a request gets as far as the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// It does.
    Rules,
    /// There is no such server.
    NoServer,
    /// The server refuses tools that are not recorded, and this is one.
    UnknownTool,
}

/// What a request reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetResource {
    /// The server as a whole.
    Server,
    /// A tool of this name, which may stand for others that fit the same patterns.
    Tool(Arc<str>),
    /// Likewise a prompt.
    Prompt(Arc<str>),
    /// Exactly this URI.
    Uri(Arc<str>),
    /// Any other URI: which patterns it fits are facts.
    AnyUri,
    /// A task.
    Task,
}

impl Target {
    /// A request of this kind by nobody: what it says of the caller is never looked at.
    pub(super) fn request<'a>(&'a self, nobody: &'a Subject, side: usize) -> AccessRequest<'a> {
        AccessRequest {
            subject: nobody,
            peer: Peer::Absent,
            server: &self.server,
            action: Action {
                method: &self.method,
                authorized_as: self.authorized_as.as_deref(),
                kind: self.kind,
            },
            resource: match &self.resource {
                TargetResource::Server => Resource::Server,
                TargetResource::Tool(name) => Resource::Tool(name),
                TargetResource::Prompt(name) => Resource::Prompt(name),
                TargetResource::Uri(uri) => Resource::Uri(uri),
                TargetResource::AnyUri => Resource::Uri(""),
                TargetResource::Task => Resource::Task(""),
            },
            arguments: None,
            input: None,
            meta: None,
            protocol_version: None,
            session: None,
            source: None,
            http: Http {
                host: "",
                path: "",
                headers: &[],
            },
            now: Timestamp::UNIX_EPOCH,
            context: Context {
                hints: self.hints.get(side).copied().unwrap_or_default(),
                uris: self.uris,
                ..Context::default()
            },
        }
    }
}

/// A target with the class that a policy gives it.
pub(super) struct Judged<'a> {
    pub(super) asked: ClassifiedRequest<'a>,
    pub(super) is_any_uri: bool,
    pub(super) stands_for_others: bool,
    /// The class that the other policy gives it, if that is another one.
    pub(super) other_class: Option<Class<'a>>,
    /// Which policy's tables: of the old one or of the new one.
    pub(super) tables: usize,
    /// The blocks of windows that count other calls by the other tables.
    recounted: &'a BTreeSet<Arc<str>>,
}

impl<'a> Judged<'a> {
    /// A target by the tables of both policies.
    pub(super) fn both(
        policies: [&'a Policy; 2],
        target: &'a Target,
        requests: &'a [AccessRequest<'a>; 2],
        recounted: &'a BTreeSet<Arc<str>>,
    ) -> [Self; 2] {
        let [was, is] = requests;
        let class = |policy: &'a Policy, request: &'a AccessRequest<'a>| {
            Policy::class_in(request, policy.class_of(request))
        };
        let [old, new] = policies;
        let classes = [class(old, was), class(new, is)];
        let [before, after] = classes;
        [(was, before, after, 0), (is, after, before, 1)].map(|(request, class, other, tables)| {
            Judged {
                asked: ClassifiedRequest {
                    request,
                    class,
                    arguments_open: false,
                    uri: UriCell::default(),
                },
                is_any_uri: target.resource == TargetResource::AnyUri,
                stands_for_others: target.stands_for_others,
                other_class: (class != other).then_some(other),
                tables,
                recounted,
            }
        })
    }

    /// A window as the tables fill it: with another name for each policy if they differ in what it
    /// counts.
    pub(super) fn counted(&self, window: &Window) -> Window {
        let mut window = window.clone();
        if let Some(of) = window
            .of
            .as_mut()
            .filter(|of| self.recounted.contains(&of.name))
        {
            let tables = if self.tables == 0 { "old" } else { "new" };
            of.name = format!("{} by the {tables} classes", of.name).into();
        }
        window
    }

    pub(super) fn is_tool(&self) -> bool {
        matches!(self.asked.request.resource, Resource::Tool(_))
    }
}

/// A caller of whom nothing is known, for requests of which only the target is looked at.
pub(super) fn nobody() -> Subject {
    Subject {
        issuer: "".into(),
        id: "".into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Map(Vec::new()),
        unknown: UnknownFacts::default(),
    }
}
