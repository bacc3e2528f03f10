//! Puts changes of access into sentences.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{Entry, EntryCause, RuleChangeKind};
use super::facts::{self, SaidFact, SaidSituation};
use super::universe::{Asked, Named};

use crate::authz::{
    ActionKind, Ask, CauseKind, Change, ChangeKind, Comparison, Detail, Fact, Hints, Reach,
    Setting, Situation, TargetResource,
};
use crate::yaml::duration_text;

/// How many facts of a list a sentence has.
const LISTED_MAX: usize = 8;

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
            (fact, true) => said.all_of.push(facts::fact(fact)),
            (fact, false) => said.none_of.push(facts::fact(fact)),
        }
    }
    said.none_of.sort_by_key(|fact| fact.kind == "unclear");
    said
}

/// Stands for what a sentence is about.
const WHAT: &str = "\u{0}";

/// The sentences of some entries: what is said alike of several things is said once.
pub(super) fn joined(entries: &[Entry]) -> Vec<String> {
    let mut said: Vec<(String, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        for sentence in sentences(entry) {
            match said.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, about)) => about.push(entry),
                None => said.push((sentence, vec![entry])),
            }
        }
    }
    let sentences = said.into_iter().map(|(sentence, about)| {
        let mut servers: Vec<(&Arc<str>, Vec<&Asked>)> = Vec::new();
        for entry in about {
            match servers
                .iter_mut()
                .find(|(server, _)| **server == entry.server)
            {
                Some((_, things)) => things.extend(&entry.things),
                None => servers.push((&entry.server, entry.things.iter().collect())),
            }
        }
        let what = servers.iter().map(|(server, things)| what(server, things));
        sentence.replace(WHAT, &what.collect::<Vec<_>>().join(" and "))
    });
    sentences.collect()
}

/// The sentences of one entry, with a place for what it is about.
fn sentences(entry: &Entry) -> Vec<String> {
    let because = format!(" [{}]", because(entry));
    let mut sentences: Vec<String> = merged(&entry.situations)
        .into_iter()
        .map(|(who, situation)| {
            let who = entry.subject.clone().unwrap_or(who);
            let (all, none) = conditions(&situation);
            let said = says(entry, &who, WHAT);
            let part = if situation.is_part {
                " as far as a rule allows it"
            } else {
                ""
            };
            format!("{said}{all}{part}{none}{because}")
        })
        .collect();
    if entry.is_cut {
        let who = entry.subject.as_deref().unwrap_or("others");
        let said = says(entry, who, WHAT);
        sentences.push(format!("{said}, and in more cases{because}"));
    }
    sentences
}

/// Situations of the same callers, with the ways in which the call may be: all facts of one of them
/// hold.
struct Merged {
    calls: Vec<Vec<SaidFact>>,
    none_of: Vec<SaidFact>,
    is_part: bool,
}

/// Situations that differ only in one fact about the caller are one: "group a or group b".
fn merged(situations: &[SaidSituation]) -> Vec<(String, Merged)> {
    let mut merged: Vec<(Vec<String>, SaidSituation)> = Vec::new();
    for situation in situations {
        let (who, all_of): (Vec<SaidFact>, Vec<SaidFact>) = situation
            .all_of
            .iter()
            .cloned()
            .partition(|fact| fact.is_caller);
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
    let mut by_who: Vec<(String, Merged)> = Vec::new();
    for (who, rest) in merged {
        let who = if who.is_empty() {
            "everybody".to_owned()
        } else {
            listed(&who, "or")
        };
        let alike = by_who.iter_mut().find(|(known, own)| {
            let are_told = !rest.all_of.is_empty() && !own.calls.iter().any(Vec::is_empty);
            *known == who && are_told && own.none_of == rest.none_of && own.is_part == rest.is_part
        });
        match alike {
            Some((_, own)) => own.calls.push(rest.all_of),
            None => by_who.push((
                who,
                Merged {
                    calls: vec![rest.all_of],
                    none_of: rest.none_of,
                    is_part: rest.is_part,
                },
            )),
        }
    }
    by_who
}

/// What has to hold, and what must not.
fn conditions(situation: &Merged) -> (String, String) {
    let phrases = |facts: &[SaidFact]| -> Vec<String> {
        facts.iter().map(|fact| fact.phrase.clone()).collect()
    };
    let calls = situation.calls.iter();
    let calls: Vec<String> = calls.map(|facts| phrases(facts).join(" and ")).collect();
    let all = listed(&calls, "or");
    let none = phrases(&situation.none_of);
    let all = if all.is_empty() {
        String::new()
    } else {
        format!(" {all}")
    };
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

fn says(entry: &Entry, who: &str, what: &str) -> String {
    match entry.kind {
        ChangeKind::Gained => format!("{who} may now {what}"),
        ChangeKind::Freed => format!("{who} may now {what} without stepping up"),
        ChangeKind::MayStepUp => format!("{who} may now {what} after stepping up"),
        ChangeKind::MustStepUp => format!("{who} must now step up to {what}"),
        ChangeKind::LostStepUp => format!("{who} may no longer step up to {what}"),
        ChangeKind::Lost => format!("{who} may no longer {what}"),
        ChangeKind::AsksElse => asks(&entry.details, who, what),
        ChangeKind::LimitLooser => format!("{who} may {what} more often"),
        ChangeKind::LimitStricter => format!("{who} may {what} less often"),
        ChangeKind::LimitElse => format!("{who} may {what} under another limit"),
        ChangeKind::SetsElse => {
            let names: Vec<String> = entry.details.iter().map(detail).collect();
            let names = listed(&names, "and");
            format!("{who} may {what} as before, with another {names}")
        }
    }
}

/// What a step-up asks for now, and no longer.
fn asks(details: &[Detail], who: &str, what: &str) -> String {
    let of = |is_new: bool| -> Vec<String> {
        let details = details.iter().filter(|one| match one {
            Detail::AsksFor(_) => is_new,
            Detail::AsksNoLonger(_) => !is_new,
            Detail::Sets(_, _) => false,
        });
        details.map(detail).collect()
    };
    let (now, before) = (listed(&of(true), "and"), listed(&of(false), "and"));
    match (now.as_str(), before.as_str()) {
        (now, "") => format!("{who} must now also have {now} to step up to {what}"),
        ("", before) => format!("{who} need no longer have {before} to step up to {what}"),
        (now, before) => {
            format!("{who} must now have {now} instead of {before} to step up to {what}")
        }
    }
}

/// What a change is about, in words.
#[must_use]
pub fn detail(detail: &Detail) -> String {
    match detail {
        Detail::AsksFor(ask) | Detail::AsksNoLonger(ask) => match ask {
            Ask::Scope(scope) => format!("scope {scope}"),
            Ask::Acr(values) => format!("acr {}", listed(&texts(values), "or")),
            Ask::LoginWithin(most) => format!("a login at most {} ago", duration_text(*most)),
        },
        Detail::Sets(Setting::Header, name) => format!("header {name}"),
        Detail::Sets(Setting::Metadata, name) => format!("metadata {name}"),
    }
}

/// The edits that cause a change: "a: removed; b and c: the class of the tool".
#[must_use]
pub fn because(entry: &Entry) -> String {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for cause in &entry.causes {
        let how = cause_word(entry, cause).to_owned();
        let id = cause.id().map(ToString::to_string);
        match said.iter_mut().find(|(known, _)| *known == how) {
            Some((_, ids)) => ids.extend(id),
            None => said.push((how, id.into_iter().collect())),
        }
    }
    let said = said.into_iter().map(|(how, ids)| {
        if ids.is_empty() {
            how
        } else {
            format!("{}: {how}", listed(&ids, "and"))
        }
    });
    said.collect::<Vec<_>>().join("; ")
}

/// How an edit brings a change about.
#[must_use]
pub fn cause_word(entry: &Entry, cause: &EntryCause) -> &'static str {
    let reaches = entry.things.iter().map(|thing| thing.target.reaches);
    match cause.kind {
        CauseKind::Rule => cause.how.map_or("changed", RuleChangeKind::word),
        CauseKind::Class => "the class of the tool",
        CauseKind::Order => "the order of rules",
        CauseKind::Reach => match reaches.into_iter().next() {
            Some([Reach::NoServer, _]) => "the server is new",
            Some([_, Reach::NoServer]) => "the server is gone",
            Some([_, _]) | None => "unknown_tools or the recorded tools of the server",
        },
    }
}

/// What an entry is about: "call a, b on github".
#[must_use]
pub fn entry_what(entry: &Entry) -> String {
    what(&entry.server, &entry.things.iter().collect::<Vec<_>>())
}

fn what(server: &str, things: &[&Asked]) -> String {
    let mut by_verb: BTreeMap<(u8, String), Vec<String>> = BTreeMap::new();
    for thing in things {
        let (rank, verb, name) = said_thing(thing);
        let names = by_verb.entry((rank, verb)).or_default();
        names.extend(name.filter(|name| !names.contains(name)));
    }
    // What goes with a call of its own is said with it.
    if by_verb.keys().any(|(rank, _)| *rank < 9) {
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
    format!("{} on {server}", parts.join(", "))
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
            let is_told = thing
                .methods
                .iter()
                .any(|one| **one == *"notifications/initialized");
            if is_connecting {
                (3, "connect".to_owned(), None)
            } else if is_told {
                (9, "notify".to_owned(), None)
            } else {
                (
                    4,
                    "use".to_owned(),
                    Some(listed(&texts(&thing.methods), "and")),
                )
            }
        }
        (_, TargetResource::Server | TargetResource::Task) => (
            4,
            "use".to_owned(),
            Some(listed(&texts(&thing.methods), "and")),
        ),
        (
            _,
            TargetResource::Tool(_)
            | TargetResource::Prompt(_)
            | TargetResource::Uri(_)
            | TargetResource::AnyUri,
        ) => (
            5,
            format!("use {} of", listed(&texts(&thing.methods), "and")),
            Some(name),
        ),
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
        let [old, new] = self.target.hints;
        let told = if matches!(new, Hints::Trusted(Some(_))) {
            new
        } else {
            old
        };
        match told {
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
