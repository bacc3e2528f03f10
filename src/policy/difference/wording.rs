//! Puts changes of access into sentences.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::universe::{Asked, Named};
use super::{Difference, Entry};
use crate::authz::{
    ActionKind, Change, ChangeKind, ClaimSelector, Clock, Comparison, ExpectedValue, Fact,
    Hints, Situation, TargetResource, Unclear, Value, ValueSelector, Window,
};
use crate::yaml::duration_text;

/// How many facts of a list a sentence has.
const LISTED_MAX: usize = 8;

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

/// The situations of a change in words: those in which something cannot be told come last.
pub(super) fn situations(change: &Change, comparison: &Comparison<'_>) -> Vec<SaidSituation> {
    let situations = change.situations.iter();
    let mut said: Vec<SaidSituation> = situations
        .map(|situation| self::situation(situation, comparison))
        .collect();
    said.sort_by_key(|one| one.all_of.iter().any(|fact| fact.kind == "unclear"));
    said
}

fn situation(situation: &Situation, comparison: &Comparison<'_>) -> SaidSituation {
    let mut said = SaidSituation {
        all_of: Vec::new(),
        none_of: Vec::new(),
        is_part: situation.is_part,
    };
    for (id, holds) in &situation.facts {
        let Some(fact) = comparison.fact(*id) else {
            continue;
        };
        match (fact, holds) {
            (Fact::Since(moment), false) => said.all_of.push(SaidFact {
                is_caller: false,
                kind: "before",
                value: moment.to_string(),
                phrase: format!("before {moment}"),
            }),
            (fact, true) => said.all_of.push(self::fact(fact)),
            (fact, false) => said.none_of.push(self::fact(fact)),
        }
    }
    said.none_of.sort_by_key(|fact| fact.kind == "unclear");
    said
}

fn fact(fact: &Fact) -> SaidFact {
    let said = |is_caller, kind, value: String, phrase: String| SaidFact {
        is_caller,
        kind,
        value,
        phrase,
    };
    let who = |kind: &'static str, name: &Arc<str>| {
        said(true, kind, name.to_string(), format!("{kind} {name}"))
    };
    let call = |kind, value: String, phrase: String| said(false, kind, value, phrase);
    match fact {
        Fact::Issuer(name) => who("issuer", name),
        Fact::Subject(name) => who("subject", name),
        Fact::Group(name) => who("group", name),
        Fact::Role(name) => who("role", name),
        Fact::Scope(name) => who("scope", name),
        Fact::Tenant(name) => who("tenant", name),
        Fact::Agent(name) => who("client", name),
        Fact::Peer(name) => who("peer", name),
        Fact::Acr(name) => who("acr", name),
        Fact::AnyTenant => said(true, "any_tenant", String::new(), "some tenant".to_owned()),
        Fact::AnyAgent => said(true, "any_client", String::new(), "some client".to_owned()),
        Fact::Claim(selector) => {
            let claim = claim(selector);
            said(true, "claim", claim.clone(), format!("claim {claim}"))
        }
        Fact::LoginWithin(most) => {
            let most = duration_text(*most);
            let phrase = format!("a login at most {most} ago");
            said(true, "login_within", most, phrase)
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
        Fact::Network(network) => {
            call("network", network.to_string(), format!("from {network}"))
        }
        Fact::Country(code) => call("country", code.to_string(), format!("from country {code}")),
        Fact::Device(selector) => {
            let device = claim(selector);
            call("device", device.clone(), format!("on a device with {device}"))
        }
        Fact::Purpose(name) => call("purpose", name.to_string(), format!("for purpose {name}")),
        Fact::MoreThan(window, most) => {
            let count = format!("more than {most} {}", self::window(window));
            call("behaviour", count.clone(), format!("after {count}"))
        }
        Fact::Argument(selector) => {
            let argument = argument(selector);
            call("argument", argument.clone(), format!("with argument {argument}"))
        }
        Fact::Uri(pattern) => call("uri", pattern.to_string(), format!("of {pattern}")),
        Fact::Expression(text) => call("if", text.to_string(), format!("where `{text}`")),
        Fact::Unclear(what) => {
            let what = unclear(what);
            call("unclear", what.clone(), format!("where {what} cannot be told"))
        }
    }
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
        Unclear::Expression(text) => format!("`{text}`"),
    }
}

fn claim(selector: &ClaimSelector) -> String {
    format!("{} = {}", selector.path.as_str(), values(&selector.expected))
}

fn argument(selector: &ValueSelector) -> String {
    format!("{} = {}", selector.path.as_str(), values(&selector.expected))
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
    format!("{what} in {}", duration_text(window.per))
}

/// The sentences of one entry.
pub(super) fn sentences(difference: &Difference, entry: &Entry) -> Vec<String> {
    let what = entry_what(entry);
    let because = because(difference, entry);
    let mut sentences: Vec<String> = merged(&entry.situations)
        .into_iter()
        .map(|(who, situation)| {
            let who = entry.subject.clone().unwrap_or(who);
            let (all, none) = conditions(&situation);
            let said = says(entry.kind, &who, &what);
            let part = if situation.is_part { " where a rule allows it" } else { "" };
            format!("{said}{part}{all}{none}{because}")
        })
        .collect();
    if entry.is_cut {
        let who = entry.subject.as_deref().unwrap_or("others");
        sentences.push(format!("{}, and in more cases{because}", says(entry.kind, who, &what)));
    }
    sentences
}

/// Situations that differ only in one fact about the caller are one: "group a or group b".
fn merged(situations: &[SaidSituation]) -> Vec<(String, SaidSituation)> {
    let mut merged: Vec<(Vec<String>, SaidSituation)> = Vec::new();
    for situation in situations {
        let (who, all_of): (Vec<SaidFact>, Vec<SaidFact>) =
            situation.all_of.iter().cloned().partition(|fact| fact.is_caller);
        let rest = SaidSituation {
            all_of,
            ..situation.clone()
        };
        let who: Vec<String> = who.into_iter().map(|fact| fact.phrase).collect();
        match merged.iter_mut().find(|(_, known)| *known == rest) {
            Some((all, _)) if !who.is_empty() => all.push(who.join(" with ")),
            Some(_) | None if who.is_empty() => merged.push((Vec::new(), rest)),
            Some(_) | None => merged.push((vec![who.join(" with ")], rest)),
        }
    }
    let named = merged.into_iter().map(|(who, rest)| {
        let who = if who.is_empty() { "everybody".to_owned() } else { listed(&who, "or") };
        (who, rest)
    });
    named.collect()
}

/// What has to hold, and what must not.
fn conditions(situation: &SaidSituation) -> (String, String) {
    let phrases = |facts: &[SaidFact]| -> Vec<String> {
        facts.iter().map(|fact| fact.phrase.clone()).collect()
    };
    let all = phrases(&situation.all_of);
    let none = phrases(&situation.none_of);
    let all = if all.is_empty() { String::new() } else { format!(" {}", all.join(" and ")) };
    let none = if none.is_empty() {
        String::new()
    } else {
        format!(", unless {}", listed(&none, "or"))
    };
    (all, none)
}

fn listed(all: &[String], word: &str) -> String {
    let shown: Vec<&str> = all.iter().take(LISTED_MAX).map(String::as_str).collect();
    let more = all.len().saturating_sub(shown.len());
    match shown.as_slice() {
        [before @ .., last] if !before.is_empty() && more == 0 => {
            format!("{} {word} {last}", before.join(", "))
        }
        [one] => (*one).to_owned(),
        all if more > 0 => format!("{} {word} {more} more", all.join(", ")),
        all => all.join(", "),
    }
}

/// A word for a kind of change, which stays the same.
#[must_use]
pub fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Gained => "gained",
        ChangeKind::Freed => "gained_without_step_up",
        ChangeKind::MayStepUp => "gained_by_step_up",
        ChangeKind::MustStepUp => "step_up_required",
        ChangeKind::LostStepUp => "step_up_lost",
        ChangeKind::Lost => "lost",
        ChangeKind::AsksElse => "step_up_differs",
        ChangeKind::LimitLooser => "limit_looser",
        ChangeKind::LimitStricter => "limit_stricter",
        ChangeKind::LimitElse => "limit_differs",
        ChangeKind::SetsElse => "sets_differently",
    }
}

fn says(kind: ChangeKind, who: &str, what: &str) -> String {
    match kind {
        ChangeKind::Gained => format!("{who} may now {what}"),
        ChangeKind::Freed => format!("{who} may now {what} without stepping up"),
        ChangeKind::MayStepUp => format!("{who} may now {what} after stepping up"),
        ChangeKind::MustStepUp => format!("{who} must now step up to {what}"),
        ChangeKind::LostStepUp => format!("{who} may no longer step up to {what}"),
        ChangeKind::Lost => format!("{who} may no longer {what}"),
        ChangeKind::AsksElse => format!("{who} must step up to {what} with something else"),
        ChangeKind::LimitLooser => format!("{who} may {what} more often"),
        ChangeKind::LimitStricter => format!("{who} may {what} less often"),
        ChangeKind::LimitElse => format!("{who} may {what} under another limit"),
        ChangeKind::SetsElse => {
            format!("{who} may {what} as before, with other headers or metadata")
        }
    }
}

/// The rule that causes it.
fn because(difference: &Difference, entry: &Entry) -> String {
    let [old, new] = &entry.rule;
    let Some(id) = new.as_ref().or(old.as_ref()) else {
        return " [the order of rules]".to_owned();
    };
    let how = difference.rule(id).map_or("the class of the tool", |how| how.word());
    format!(" [{id}: {how}]")
}

/// What an entry is about: "call a, b on github".
#[must_use]
pub fn entry_what(entry: &Entry) -> String {
    let mut by_verb: BTreeMap<(u8, String), Vec<String>> = BTreeMap::new();
    for thing in &entry.things {
        let (rank, verb, name) = said_thing(thing);
        let names = by_verb.entry((rank, verb)).or_default();
        names.extend(name.filter(|name| !names.contains(name)));
    }
    // What goes with a call of its own is said with it.
    if by_verb.keys().any(|(rank, _)| *rank == 0) {
        by_verb.retain(|(rank, _), _| *rank < 9);
    }
    let parts: Vec<String> = by_verb
        .into_iter()
        .map(|((_, verb), names)| {
            if names.is_empty() {
                verb
            } else {
                format!("{verb} {}", listed(&names, "and"))
            }
        })
        .collect();
    format!("{} on {}", parts.join(", "), entry.server)
}

/// A verb with its rank among others, and a name to put behind it.
fn said_thing(thing: &Asked) -> (u8, String, Option<String>) {
    let method = &*thing.target.method;
    let name = thing.name();
    match (method, &thing.target.resource) {
        ("tools/call", _) => (0, "call".to_owned(), Some(name)),
        ("prompts/get", _) => (1, "get prompt".to_owned(), Some(name)),
        ("resources/read", _) => (2, "read".to_owned(), Some(name)),
        (_, TargetResource::Server) if thing.target.kind == ActionKind::Open => {
            let is_connecting = thing.methods.iter().any(|one| **one == *"initialize");
            let is_told = thing.methods.iter().any(|one| **one == *"notifications/initialized");
            if is_connecting {
                (3, "connect".to_owned(), None)
            } else if is_told {
                (9, "notify".to_owned(), None)
            } else {
                (4, "use".to_owned(), Some(listed(&texts(&thing.methods), "and")))
            }
        }
        (_, TargetResource::Server | TargetResource::Task) => {
            (4, "use".to_owned(), Some(listed(&texts(&thing.methods), "and")))
        }
        (
            _,
            TargetResource::Tool(_)
            | TargetResource::Prompt(_)
            | TargetResource::Uri(_)
            | TargetResource::AnyUri,
        ) => (5, format!("use {} of", listed(&texts(&thing.methods), "and")), Some(name)),
    }
}

fn texts(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Asked {
    /// The name of what is reached, in words.
    #[must_use]
    pub fn name(&self) -> String {
        let noun = match self.target.resource {
            TargetResource::Tool(_) => "tool",
            TargetResource::Prompt(_) => "prompt",
            TargetResource::Uri(_) | TargetResource::AnyUri => "resource",
            TargetResource::Server | TargetResource::Task => "",
        };
        let name = match &self.named {
            Named::Nothing => String::new(),
            Named::Exactly(name) => name.to_string(),
            Named::Fitting(patterns) if patterns.is_empty() => format!("any other {noun}"),
            Named::Fitting(patterns) => {
                let patterns = texts(patterns).join(" and ");
                format!("any other {noun} that fits {patterns}")
            }
        };
        match self.target.hints {
            Hints::Trusted(Some(class)) if matches!(self.named, Named::Fitting(_)) => {
                format!("{name} (annotated as {})", class.name())
            }
            Hints::Trusted(_) | Hints::Untrusted => name,
        }
    }

    /// The patterns that it stands for other names of; none if it has a name of its own.
    #[must_use]
    pub fn patterns(&self) -> Option<Vec<String>> {
        match &self.named {
            Named::Fitting(patterns) => Some(texts(patterns)),
            Named::Nothing | Named::Exactly(_) => None,
        }
    }
}
