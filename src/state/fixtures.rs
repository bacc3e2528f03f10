//! Requests of the store tests, derived from policies as a check derives them.

use jiff::Timestamp;

use super::{Bind, BindingKey, Owner, Reply, State, Whose};
use crate::authz::{
    AccessRequest, Action, ActionKind, Context, Decision, Http, LimitDemand, Peer, Policy,
    Readings, Resource, Subject, Taken, UnknownFacts, Value, WindowDemand, evaluate, events,
};

/// The caller and the call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'w> {
    pub(super) issuer: &'w str,
    pub(super) id: &'w str,
    pub(super) agent: &'w str,
    pub(super) tenant: &'w str,
    pub(super) session: &'w str,
    pub(super) tool: &'w str,
    pub(super) tool_is_unlisted: bool,
}

impl<'w> Who<'w> {
    /// A subject of the issuer `i` with the tool `t`.
    pub(super) fn new(id: &'w str) -> Self {
        Who {
            issuer: "i",
            id,
            agent: "agent",
            tenant: "tenant",
            session: "session",
            tool: "t",
            tool_is_unlisted: false,
        }
    }

    pub(super) fn of(self, issuer: &'w str) -> Self {
        Who { issuer, ..self }
    }

    pub(super) fn with(self, tool: &'w str) -> Self {
        Who { tool, ..self }
    }

    pub(super) fn owner(self) -> Owner {
        Owner::new(self.issuer, self.id)
    }

    fn request<T>(self, then: impl FnOnce(&AccessRequest<'_>) -> T) -> T {
        let subject = Subject {
            issuer: self.issuer.into(),
            id: self.id.into(),
            agent: Some(self.agent.into()),
            groups: Vec::new(),
            roles: Vec::new(),
            scopes: Vec::new(),
            tenant: Some(self.tenant.into()),
            device: None,
            claims: Value::Null,
            unknown: UnknownFacts::default(),
        };
        then(&AccessRequest {
            subject: &subject,
            peer: Peer::Absent,
            server: "s",
            action: Action {
                method: "tools/call",
                authorized_as: None,
                kind: ActionKind::Use,
            },
            resource: Resource::Tool(self.tool),
            arguments: None,
            input: None,
            meta: None,
            protocol_version: None,
            session: Some(self.session),
            source: None,
            http: Http {
                host: "h",
                path: "/",
                headers: &[],
            },
            now: at(0),
            context: Context {
                tool_is_unlisted: self.tool_is_unlisted,
                ..Context::default()
            },
        })
    }
}

/// The test's epoch plus this many seconds.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A policy that allows everything within limits such as `{calls: 1, per: 1m, by: [subject]}`.
pub(super) fn limited(limits: &[&str]) -> Policy {
    let limit = |(number, limit): (usize, &&str)| {
        format!("- {{id: limit-{number}, effect: limit, limit: {limit}}}\n")
    };
    compile(&limits.iter().enumerate().map(limit).collect::<String>())
}

/// A policy that reads windows such as `calls: {more_than: 1, per: 1m, by: [subject]}`.
pub(super) fn watched(windows: &[&str]) -> Policy {
    let window = |(number, window): (usize, &&str)| {
        format!("- {{id: window-{number}, effect: deny, why: {{{window}}}}}\n")
    };
    compile(&windows.iter().enumerate().map(window).collect::<String>())
}

fn compile(rules: &str) -> Policy {
    let all = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [s]}}";
    let source = crate::yaml::Source {
        name: "p".to_owned(),
        text: format!("rules:\n{all}\n{rules}"),
    };
    crate::policy::compile(&[source], &crate::policy::CompileContext::default())
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

/// The limits of a policy for a call.
pub(super) fn limits(policy: &Policy, who: Who<'_>) -> Vec<LimitDemand> {
    who.request(|request| {
        let decision = evaluate(policy, request).decision;
        let Decision::Limit(pending) = &decision else {
            panic!("{decision:?}")
        };
        pending.takings().calls.clone()
    })
}

/// The windows of a policy for a call that is denied, so that all of them count it.
pub(super) fn windows(policy: &Policy, who: Who<'_>) -> Vec<WindowDemand> {
    who.request(|request| events(policy, request, true))
}

pub(super) fn session(id: &str) -> BindingKey {
    BindingKey::session("s", id)
}

/// The reply of a store that never waits.
pub(super) fn ready<T>(mut reply: Reply<'_, T>) -> T {
    let waker = std::task::Waker::noop();
    match std::pin::Pin::new(&mut reply).poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(reply) => reply.unwrap(),
        std::task::Poll::Pending => panic!("memory waits for nothing"),
    }
}

/// A store that is asked at given seconds, and never waits.
pub(super) trait StoreAt: State + Sized {
    fn take_at(&self, policy: &Policy, who: Who<'_>, seconds: i64) -> Taken {
        ready(self.take(&limits(policy, who), at(seconds)))
    }

    fn record_at(&self, policy: &Policy, who: Who<'_>, seconds: i64) {
        ready(self.record(&windows(policy, who), at(seconds)));
    }

    /// The reading of each window.
    fn read_at(&self, policy: &Policy, who: Who<'_>, seconds: i64) -> Vec<Option<u64>> {
        let windows = windows(policy, who);
        let readings: Readings = ready(self.read(&windows, at(seconds)));
        let shown = windows
            .iter()
            .map(|demand| readings.reading(&demand.window));
        shown.collect()
    }

    fn bind_at(&self, key: BindingKey, who: Who<'_>, how: Bind, seconds: i64) -> Whose {
        ready(self.bind(&[key], who.owner(), how, at(seconds))).remove(0)
    }

    /// The owner, as seen by some subject of the issuer `i`.
    fn whose_at(&self, key: BindingKey, seconds: i64) -> Whose {
        self.whose_for(Who::new("asking"), key, seconds)
    }

    fn whose_for(&self, asking: Who<'_>, key: BindingKey, seconds: i64) -> Whose {
        ready(self.bindings(&[key], asking.owner(), at(seconds))).remove(0)
    }
}

impl<S: State + Sized> StoreAt for S {}

/// Whether something is bound to this caller.
pub(super) fn is_of(whose: Whose, who: Who<'_>) -> bool {
    matches!(whose, Whose::Of(binding) if binding.owner == who.owner())
}
