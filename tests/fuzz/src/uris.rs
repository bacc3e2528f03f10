//! Comparing URIs, as a policy does it.

use jiff::Timestamp;
use mcp_authz::authz::{
    AccessRequest, Action, ActionKind, Context, Decision, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, UriForm, UriPattern, Value, evaluate, never_normal,
};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::yaml::Source;
use serde_json::json;

/// A pattern and a URI, a line each: only what the pattern matches as it is spelled is allowed, and
/// what it matches in some spelling is denied.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (pattern, uri) = text.split_once('\n').unwrap_or((text, text));
    let Ok(parsed) = UriPattern::new(pattern) else {
        return;
    };
    for form in [UriForm::Normal, UriForm::Strict, UriForm::Opaque] {
        drop(never_normal(&parsed, form));
    }
    let rule = |effect: &str, uri: Option<&str>| {
        let mut rule = json!({"id": effect, "effect": effect});
        if let Some(uri) = uri {
            rule["what"] = json!({"resources": [uri]});
        }
        rule
    };
    let allows = policy(&json!({"rules": [rule("allow", Some(pattern))]}));
    let denies = policy(&json!({"rules": [rule("allow", None), rule("deny", Some(pattern))]}));
    let matches = parsed.glob().matches(uri);
    for form in [UriForm::Normal, UriForm::Strict, UriForm::Opaque] {
        if let Some(policy) = &allows {
            assert!(matches || !is_allowed(policy, uri, form), "{form:?}");
        }
        let Some(policy) = &denies else { continue };
        assert!(!matches || !is_allowed(policy, uri, form), "{form:?}");
        if matches && form != UriForm::Opaque {
            for spelling in spellings(uri) {
                assert!(!is_allowed(policy, &spelling, form), "{form:?} {spelling}");
            }
        }
    }
}

/// The same URI by RFC 3986 §6.2.2, spelled otherwise.
fn spellings(uri: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    if let Some((scheme, rest)) = uri.split_once(':') {
        spellings.push(format!("{}:{rest}", scheme.to_ascii_uppercase()));
        let at = rest.find(|c: char| c.is_ascii_alphabetic());
        if let Some((before, after)) = at.and_then(|at| rest.split_at_checked(at)) {
            let mut letters = after.chars();
            let letter = letters.next().map_or(0, u32::from);
            spellings.push(format!(
                "{scheme}:{before}%{letter:02x}{}",
                letters.as_str()
            ));
        }
    }
    spellings
}

/// `None` where the policy is refused.
fn policy(document: &serde_json::Value) -> Option<Policy> {
    let source = Source {
        name: "f.yaml".to_owned(),
        text: document.to_string(),
    };
    compile(&[source], &CompileContext::default()).ok()
}

fn is_allowed(policy: &Policy, uri: &str, uris: UriForm) -> bool {
    let subject = Subject {
        issuer: "https://idp.test".into(),
        id: "alice".into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Map(Vec::new()),
        unknown: UnknownFacts::default(),
    };
    let request = AccessRequest {
        subject: &subject,
        peer: Peer::Absent,
        server: "s",
        action: Action {
            method: "resources/read",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Uri(uri),
        arguments: None,
        input: None,
        meta: None,
        protocol_version: None,
        session: None,
        source: None,
        http: Http {
            host: "localhost",
            path: "/mcp",
            headers: &[],
        },
        now: Timestamp::UNIX_EPOCH,
        context: Context {
            uris,
            ..Context::default()
        },
    };
    matches!(evaluate(policy, &request).decision, Decision::Allow(_))
}

pub(super) fn uri_seeds() -> Vec<Vec<u8>> {
    [
        "note://s/*\nnote://s/x",
        "note://s/**\nnote://s/a/b?q=1#f",
        "file:///srv/public/x.txt\nfile:///srv/public/x.txt",
        "https://[2001:db8::1]:443/a;p=1/b\nhttps://[2001:DB8::1]/a/b",
        "n*://s/%41%2f..\nnote://s/A",
        "db:\u{e9}/*\ndb:e\u{301}/x",
    ]
    .map(Vec::from)
    .to_vec()
}
