//! Facts in words.

use std::sync::Arc;

use crate::authz::{
    AskedExpression, ClaimSelector, Clock, ExpectedValue, Fact, Unclear, Value, ValueSelector,
    Window,
};
use crate::yaml::duration_text;

/// A conjunction in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SaidSituation {
    /// What holds.
    pub all_of: Vec<SaidFact>,
    /// What does not.
    pub none_of: Vec<SaidFact>,
    /// Whether it changes only where an allow rule grants.
    pub is_part: bool,
}

/// A fact in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SaidFact {
    /// Whether it is about the caller, and not about the call.
    pub is_caller: bool,
    /// The kind, such as `group`. `unclear` says that something cannot be told.
    pub kind: &'static str,
    /// Its value.
    pub value: String,
    /// The fact as a sentence has it after "for" or "unless".
    pub phrase: String,
}

/// A fact in words.
pub(super) fn fact(fact: &Fact) -> SaidFact {
    of_caller(fact).unwrap_or_else(|| of_call(fact))
}

/// A fact about the caller.
fn of_caller(fact: &Fact) -> Option<SaidFact> {
    let said = |kind, value: String, phrase: String| SaidFact {
        is_caller: true,
        kind,
        value,
        phrase,
    };
    let who = |kind: &'static str, name: &Arc<str>| {
        said(kind, name.to_string(), format!("{kind} {name}"))
    };
    Some(match fact {
        Fact::Issuer(name) => who("issuer", name),
        Fact::Subject(name) => who("subject", name),
        Fact::Group(name) => who("group", name),
        Fact::Role(name) => who("role", name),
        Fact::Scope(name) => who("scope", name),
        Fact::Tenant(name) => who("tenant", name),
        Fact::Agent(name) => who("client", name),
        Fact::Peer(name) => who("peer", name),
        Fact::Acr(name) => who("acr", name),
        Fact::AnyTenant => said("any_tenant", String::new(), "some tenant".to_owned()),
        Fact::AnyAgent => said("any_client", String::new(), "some client".to_owned()),
        Fact::Claim(selector) => {
            let claim = claim(selector);
            said("claim", claim.clone(), format!("claim {claim}"))
        }
        Fact::LoginWithin(most) => {
            let most = duration_text(*most);
            let phrase = format!("a login at most {most} ago");
            said("login_within", most, phrase)
        }
        Fact::SessionWithin(_)
        | Fact::InSession
        | Fact::Clock(_)
        | Fact::Since(_)
        | Fact::Network(_)
        | Fact::Country(_)
        | Fact::Device(_)
        | Fact::Purpose(_)
        | Fact::MoreThan(_, _)
        | Fact::Argument(_)
        | Fact::Uri(_)
        | Fact::Expression(_)
        | Fact::Unclear(_) => return None,
    })
}

/// A fact about the call.
fn of_call(fact: &Fact) -> SaidFact {
    let call = |kind, value: String, phrase: String| SaidFact {
        is_caller: false,
        kind,
        value,
        phrase,
    };
    match fact {
        Fact::Issuer(name)
        | Fact::Subject(name)
        | Fact::Group(name)
        | Fact::Role(name)
        | Fact::Scope(name)
        | Fact::Tenant(name)
        | Fact::Agent(name)
        | Fact::Peer(name)
        | Fact::Acr(name) => call("name", name.to_string(), name.to_string()),
        Fact::AnyTenant | Fact::AnyAgent | Fact::Claim(_) | Fact::LoginWithin(_) => {
            call("caller", String::new(), String::new())
        }
        Fact::SessionWithin(most) => {
            let most = duration_text(*most);
            let phrase = format!("in a session at most {most} old");
            call("session_within", most, phrase)
        }
        Fact::InSession => call("in_session", String::new(), "in a session".to_owned()),
        Fact::Clock(clock) => {
            let clock = self::clock(clock);
            call("clock", clock.clone(), format!("at {clock}"))
        }
        Fact::Since(moment) => call("since", moment.to_string(), format!("from {moment} on")),
        Fact::Network(network) => call("network", network.to_string(), format!("from {network}")),
        Fact::Country(code) => call("country", code.to_string(), format!("from country {code}")),
        Fact::Device(selector) => {
            let device = claim(selector);
            call(
                "device",
                device.clone(),
                format!("on a device with {device}"),
            )
        }
        Fact::Purpose(name) => call("purpose", name.to_string(), format!("for purpose {name}")),
        Fact::MoreThan(window, most) => {
            let count = format!("more than {most} {}", self::window(window));
            call(
                "behaviour",
                count.clone(),
                format!("after {}", plain(&count)),
            )
        }
        Fact::Argument(selector) => {
            let argument = argument(selector);
            call(
                "argument",
                argument.clone(),
                format!("with argument {argument}"),
            )
        }
        Fact::Uri(pattern) => call("uri", pattern.to_string(), format!("of {pattern}")),
        Fact::Expression(asked) => {
            let said = format!("if {}", expression(asked, "`"));
            call("if", expression(asked, ""), said)
        }
        Fact::Unclear(what) => {
            let what = unclear(what);
            let said = format!("if {} cannot be told", plain(&what));
            call("unclear", what, said)
        }
    }
}

/// Whether a fact is one of those that cannot be told where something is unclear.
pub(super) fn is_about(fact: &Fact, what: &Unclear) -> bool {
    match what {
        Unclear::Groups => matches!(fact, Fact::Group(_)),
        Unclear::Roles => matches!(fact, Fact::Role(_)),
        Unclear::Scopes => matches!(fact, Fact::Scope(_)),
        Unclear::Tenant => matches!(fact, Fact::Tenant(_)),
        Unclear::Agent => matches!(fact, Fact::Agent(_)),
        Unclear::Peer => matches!(fact, Fact::Peer(_)),
        Unclear::Claim(own) => matches!(fact, Fact::Claim(one) if one == own),
        Unclear::Login => matches!(fact, Fact::LoginWithin(_)),
        Unclear::Session => matches!(fact, Fact::SessionWithin(_)),
        Unclear::Source => matches!(fact, Fact::Network(_)),
        Unclear::Country => matches!(fact, Fact::Country(_)),
        Unclear::Device => matches!(fact, Fact::Device(_)),
        Unclear::DeviceFact(own) => matches!(fact, Fact::Device(one) if one == own),
        Unclear::Purpose => matches!(fact, Fact::Purpose(_)),
        Unclear::Window(own) => matches!(fact, Fact::MoreThan(one, _) if one == own),
        Unclear::Argument(own) => matches!(fact, Fact::Argument(one) if one == own),
        Unclear::Uri(own) => matches!(fact, Fact::Uri(one) if one == own),
        Unclear::Expression(own) => matches!(fact, Fact::Expression(one) if one == own),
    }
}

/// The block that a window counts, without the signs of JSON: `{"tools": "a"}` is `(tools: a)`.
fn plain(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" of {") else {
        return text.to_owned();
    };
    let Some((block, after)) = rest.rsplit_once('}') else {
        return text.to_owned();
    };
    format!("{before} ({}){after}", block.replace(['"', '{', '}'], ""))
}

fn unclear(what: &Unclear) -> String {
    match what {
        Unclear::Groups => "the caller's groups".to_owned(),
        Unclear::Roles => "the caller's roles".to_owned(),
        Unclear::Scopes => "the token's scopes".to_owned(),
        Unclear::Tenant => "the tenant".to_owned(),
        Unclear::Agent => "the client".to_owned(),
        Unclear::Peer => "the peer".to_owned(),
        Unclear::Claim(selector) => format!("claim {}", claim(selector)),
        Unclear::Login => "the time of the login".to_owned(),
        Unclear::Session => "the age of the session".to_owned(),
        Unclear::Source => "the address".to_owned(),
        Unclear::Country => "the country".to_owned(),
        Unclear::Device => "the device".to_owned(),
        Unclear::DeviceFact(selector) => format!("the device's {}", claim(selector)),
        Unclear::Purpose => "the purpose".to_owned(),
        Unclear::Window(window) => format!("how many {}", self::window(window)),
        Unclear::Argument(selector) => format!("argument {}", argument(selector)),
        Unclear::Uri(pattern) => format!("whether the URI is {pattern}"),
        Unclear::Expression(asked) => expression(asked, "`"),
    }
}

fn expression(asked: &AskedExpression, quote: &str) -> String {
    let AskedExpression { text, class } = asked;
    let of = class.as_ref().map(|class| format!(" for class {class}"));
    format!("{quote}{text}{quote}{}", of.unwrap_or_default())
}

fn claim(selector: &ClaimSelector) -> String {
    format!(
        "{} = {}",
        selector.path.as_str(),
        values(&selector.expected)
    )
}

fn argument(selector: &ValueSelector) -> String {
    format!(
        "{} = {}",
        selector.path.as_str(),
        values(&selector.expected)
    )
}

fn values(expected: &[ExpectedValue]) -> String {
    let each = expected.iter().map(|value| match value {
        ExpectedValue::Pattern(pattern) => pattern.as_str().to_owned(),
        ExpectedValue::Exactly(value) => match value {
            Value::String(text) => text.to_string(),
            Value::Null => "null".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Uint(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Unsound(_) | Value::List(_) | Value::Map(_) => "?".to_owned(),
        },
    });
    each.collect::<Vec<_>>().join(" or ")
}

fn clock(clock: &Clock) -> String {
    let mut parts = Vec::new();
    if !clock.days.is_empty() {
        let days = clock.days.iter().map(|day| {
            let name = format!("{day:?}").to_lowercase();
            name.chars().take(3).collect::<String>()
        });
        parts.push(days.collect::<Vec<_>>().join(","));
    }
    if let Some(hours) = clock.between {
        let minute = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        parts.push(format!("{}-{}", minute(hours.start), minute(hours.end)));
    }
    parts.push(clock.timezone.iana_name().unwrap_or("UTC").to_owned());
    parts.join(" ")
}

fn window(window: &Window) -> String {
    let what = window.count.name().replace('_', " ");
    let of = window.of.as_ref();
    let of = of.map_or_else(String::new, |of| format!(" of {}", of.name));
    format!("{what}{of} in {}", duration_text(window.per))
}
