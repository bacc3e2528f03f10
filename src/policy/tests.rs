//! The decisions of compiled policies, block by block.

mod combining;
mod compiling;
mod effects;
mod expression;
mod lists;
mod place;
mod what;
mod when;
mod who;
mod why;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::testing::NamedDecision;
use super::{CompileContext, compile};
use crate::authz::{
    AccessRequest, Action, ActionKind, Context, Decision, Evaluation, Http, Peer, PeerNames,
    Policy, Resource, Subject, UnknownFacts, Value, evaluate,
};
use crate::yaml::Source;

fn context() -> CompileContext {
    let servers = Some(vec!["github".to_owned(), "files".to_owned()]);
    CompileContext {
        servers,
        ..CompileContext::default()
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn lines(text: &str, context: &CompileContext) -> Vec<String> {
    match compile(&[source("p.yaml", text)], context) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}

fn policy(text: &str) -> Policy {
    compile(&[source("p.yaml", text)], &context())
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

/// A call of the tool `get_issue` on `github` by alice, unless changed.
#[derive(Clone)]
struct SampleCall<'a> {
    subject: Subject,
    peer: Option<PeerNames>,
    method: &'a str,
    kind: ActionKind,
    resource: Resource<'a>,
    arguments: Option<Value<'a>>,
    source: Option<IpAddr>,
    context: Context<'a>,
}

fn text(text: &str) -> Value<'_> {
    Value::String(Cow::Borrowed(text))
}

fn object<'a>(members: &[(&'a str, Value<'a>)]) -> Value<'a> {
    Value::Map(
        members
            .iter()
            .map(|(key, value)| (Cow::Borrowed(*key), value.clone()))
            .collect(),
    )
}

fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
    texts.iter().map(|text| Arc::from(*text)).collect()
}

impl Default for SampleCall<'_> {
    fn default() -> Self {
        SampleCall {
            subject: Subject {
                issuer: "https://idp".into(),
                id: "alice".into(),
                agent: Some("cursor".into()),
                groups: arcs(&["engineering", "oncall"]),
                roles: arcs(&["dev"]),
                scopes: arcs(&["repo:read"]),
                tenant: None,
                device: None,
                unknown: UnknownFacts::default(),
                claims: object(&[
                    ("https://x.y/level", Value::Int(3)),
                    ("org", object(&[("unit", text("core"))])),
                    ("tags", Value::List(vec![text("a"), text("b")])),
                ]),
            },
            peer: Some(PeerNames::called("spiffe://td/agent")),
            method: "tools/call",
            kind: ActionKind::Use,
            resource: Resource::Tool("get_issue"),
            arguments: Some(object(&[("owner", text("acme")), ("n", Value::Int(5))])),
            source: Some("10.1.2.3".parse().unwrap()),
            context: Context::default(),
        }
    }
}

impl<'a> SampleCall<'a> {
    fn open(method: &'a str) -> Self {
        let (kind, resource) = (ActionKind::Open, Resource::Server);
        SampleCall {
            method,
            kind,
            resource,
            arguments: None,
            ..SampleCall::default()
        }
    }

    fn on(method: &'a str, resource: Resource<'a>) -> Self {
        SampleCall {
            method,
            resource,
            arguments: None,
            ..SampleCall::default()
        }
    }

    fn with(arguments: &[(&'a str, Value<'a>)]) -> Self {
        SampleCall {
            arguments: Some(object(arguments)),
            ..SampleCall::default()
        }
    }

    fn request<'r>(&'r self, headers: &'r [(Cow<'r, str>, Cow<'r, str>)]) -> AccessRequest<'r> {
        AccessRequest {
            subject: &self.subject,
            peer: self.peer.as_ref().map_or(Peer::Absent, Peer::Known),
            server: "github",
            action: Action {
                method: self.method,
                authorized_as: None,
                kind: self.kind,
            },
            resource: self.resource,
            arguments: self.arguments.as_ref(),
            input: None,
            meta: None,
            protocol_version: Some("2025-06-18"),
            session: None,
            source: self.source,
            http: Http {
                host: "mcp.example.com",
                path: "/github/mcp",
                headers,
            },
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
            context: self.context,
        }
    }

    fn decide(&self, policy: &Policy) -> Evaluation {
        evaluate(policy, &self.request(&HEADERS))
    }
}

const HEADERS: [(Cow<'_, str>, Cow<'_, str>); 1] =
    [(Cow::Borrowed("user-agent"), Cow::Borrowed("test"))];

fn outcome(evaluation: &Evaluation) -> &'static str {
    match &evaluation.decision {
        Decision::Allow(_) => "allow",
        denied @ Decision::Deny(_) => NamedDecision::of(denied).reason.unwrap(),
        Decision::Challenge(_) => "challenge",
        Decision::Limit(_) => "limit",
    }
}

const TOOLS: &str = "tools: {github: {read: [get_*], write: [create_*, get_token]}}\n";

/// Checks selectors as a deny (with an allow for everything) and as an allow.
fn check(selectors: &str, call: &SampleCall<'_>, expected: &str) {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}\n";
    let deny = policy(&format!(
        "{TOOLS}rules:\n{everything}- {{id: x, effect: deny, {selectors}}}\n"
    ));
    let mut allow = selectors.to_owned();
    if !selectors.contains("who:") {
        allow += ", who: {anyone: true}";
    }
    if !selectors.contains("what:") {
        allow += ", what: {servers: [github]}";
    }
    let allow = policy(&format!(
        "{TOOLS}rules:\n- {{id: x, effect: allow, {allow}}}\n"
    ));
    let (denied, allowed) = match expected {
        "yes" => ("denied_by_rule", "allow"),
        "no" => ("allow", "no_matching_rule"),
        // Only a scope is missing, which the client can obtain.
        "lacks" => ("allow", "challenge"),
        "?" => ("indeterminate", "no_matching_rule"),
        other => panic!("{other}"),
    };
    assert_eq!(outcome(&call.decide(&deny)), denied, "deny {selectors}");
    assert_eq!(outcome(&call.decide(&allow)), allowed, "allow {selectors}");
}
