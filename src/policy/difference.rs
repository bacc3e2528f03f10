//! Whose access changes between two policies, in words.
//!
//! ```
//! use mcp_authz::policy::difference::{Difference, Surroundings};
//! use mcp_authz::policy::{CompileContext, compile};
//! use mcp_authz::yaml::Source;
//!
//! let source = |text: &str| Source {
//!     name: "policy.yaml".to_owned(),
//!     text: text.to_owned(),
//! };
//! let read = |text: &str| compile(&[source(text)], &CompileContext::default()).unwrap();
//! let old = read("
//! rules:
//! - {id: staff, effect: allow, who: {groups: [staff, interns]}, what: {servers: [github], tools: [del]}}
//! ");
//! let new = read("
//! rules:
//! - {id: staff, effect: allow, who: {groups: [staff]}, what: {servers: [github], tools: [del]}}
//! ");
//! let now = "2026-11-20T10:00:00Z".parse().unwrap();
//! let difference = Difference::of([&old, &new], [&Surroundings::default(); 2], now, &[]);
//! let sentences = difference.sentences();
//! assert_eq!(
//!     sentences.first().unwrap(),
//!     "group interns may no longer call del, connect on github, unless group staff [staff: changed]"
//! );
//! ```
//!
//! `universe` lists what can be asked, [`authz`](crate::authz) compares, `wording` puts it into
//! words, and `page` renders it as HTML. `text` finds the rules in the files.

mod entry;
mod facts;
mod hindsight;
mod page;
mod record;
mod recorded;
mod summary;
mod text;
mod universe;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

pub use entry::{Entry, EntryCause, RuleChange, RuleChangeKind};
pub use facts::{SaidFact, SaidSituation};
pub use hindsight::{Hindsight, HindsightCall, HindsightFinding, HindsightRule, Unrecorded};
pub use page::html;
pub use record::{AuditLine, AuditRecord};
pub use recorded::{Replay, ReplayedRecord, Replayer};
pub use summary::{ReloadSummary, reload_summary};
pub use text::{RuleText, RuleTexts, rule_texts};
pub use universe::{Asked, Named, Surroundings, Universe};
pub use wording::{because, cause_word, detail, entry_what, kind_word};

use super::testing::SampleCaller;
use crate::authz::{
    CauseKind, Change, ChangeKind, Comparison, Given, Mode, Policy, Rule, matched_rules,
};

/// Every change of access between two policies.
#[derive(Debug)]
pub struct Difference {
    /// The revisions of both.
    pub revisions: [Arc<str>; 2],
    /// From which moment on decisions are compared.
    pub from: Timestamp,
    /// The changes, what grows first.
    pub entries: Vec<Entry>,
    /// The rules that differ, whether a decision does or not.
    pub rules: Vec<RuleChange>,
    /// The rules that are only called something else: as what, and now.
    pub renamed: Vec<[Arc<str>; 2]>,
    /// What is not compared, and may differ.
    pub not_compared: Vec<String>,
    /// What is to be known of the comparison.
    pub notes: Vec<String>,
    /// Servers of which not everything could be compared, and why.
    pub unknown: Vec<(String, String)>,
    /// Headers that are taken from clients by only one of both: its name, and whether by the new one.
    pub headers: Vec<(Arc<str>, bool)>,
}

/// What tells one entry from another, apart from the things it is about.
type EntryKey = (Option<String>, ChangeKind, Arc<str>, Change);

impl Difference {
    /// Compares an old policy with a new one: for everybody, or for these callers alone.
    #[must_use]
    pub fn of(
        [old, new]: [&Policy; 2],
        around: [&Surroundings; 2],
        from: Timestamp,
        callers: &[SampleCaller],
    ) -> Self {
        let comparison = Comparison::new(old, new, from);
        Self::by(comparison, [old, new], around, callers)
    }

    /// Compares by a comparison of both policies.
    pub(super) fn by(
        comparison: Comparison<'_>,
        [old, new]: [&Policy; 2],
        around: [&Surroundings; 2],
        callers: &[SampleCaller],
    ) -> Self {
        let universe = Universe::of([old, new], around);
        let targets = universe.asked.iter().map(|asked| asked.target.clone());
        let mut comparison = comparison.among(targets);
        let given: Vec<(Option<String>, Option<Given>)> = if callers.is_empty() {
            vec![(None, None)]
        } else {
            let each = callers.iter();
            each.map(|caller| (Some(caller.name.clone()), Some(given(caller))))
                .collect()
        };
        let too_many = "patterns over names are too many to be told apart";
        let mut unknown: BTreeMap<String, String> = universe
            .incomplete
            .into_iter()
            .map(|server| (server, too_many.to_owned()))
            .collect();
        let mut things: BTreeMap<EntryKey, Vec<Asked>> = BTreeMap::new();
        for asked in universe.asked {
            let server = &asked.target.server;
            if comparison.is_given_up() {
                unknown.insert(server.to_string(), "it takes too long".to_owned());
                break;
            }
            for (name, given) in &given {
                match comparison.changes(&asked.target, given.as_ref()) {
                    Ok(changes) => {
                        for change in changes {
                            let key = (name.clone(), change.kind, Arc::clone(server), change);
                            things.entry(key).or_default().push(asked.clone());
                        }
                    }
                    Err(error) => {
                        unknown.insert(server.to_string(), error.to_string());
                    }
                }
            }
        }
        let entries = things
            .into_iter()
            .map(|((subject, kind, server, change), things)| Entry {
                subject,
                kind,
                server,
                things,
                causes: causes(&change, [old, new]),
                situations: wording::situations(&change, &comparison),
                is_cut: change.is_cut,
                details: change.details,
            });
        let mut entries: Vec<Entry> = entries.collect();
        let rank = |kind| ChangeKind::ALL.iter().position(|one| *one == kind);
        entries.sort_by_key(|entry| (entry.subject.clone(), rank(entry.kind)));
        Difference {
            revisions: [Arc::clone(old.revision()), Arc::clone(new.revision())],
            from: comparison.from(),
            entries,
            rules: rule_changes(old, new),
            renamed: renamed(old, new),
            not_compared: Vec::new(),
            notes: Vec::new(),
            unknown: unknown.into_iter().collect(),
            headers: headers(old, new),
        }
    }

    /// How many changes let somebody do more, and how many less.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let count = |test: fn(ChangeKind) -> bool| {
            self.entries.iter().filter(|entry| test(entry.kind)).count()
        };
        (count(ChangeKind::grows), count(ChangeKind::shrinks))
    }

    /// Whether everything could be compared.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unknown.is_empty() && self.not_compared.is_empty()
    }

    /// Whether some access grows, or may grow as far as is known.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.counts().0 > 0 || !self.is_complete()
    }

    /// Whether something changes, or may change as far as is known.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.entries.is_empty() || !self.is_complete() || !self.headers.is_empty()
    }

    /// Each change as a sentence. Changes that differ only in what they are about share one.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        wording::joined(&self.entries)
    }

    /// The sentences of one change.
    #[must_use]
    pub fn sentences_of(&self, entry: &Entry) -> Vec<String> {
        wording::joined(std::slice::from_ref(entry))
    }
}

/// What is known of a named caller. When it calls is left open.
fn given(caller: &SampleCaller) -> Given {
    Given {
        subject: Some(caller.subject.clone()),
        source: caller.from,
        peer: caller.peer.clone(),
        ..Given::default()
    }
}

/// The edits that cause a change, with the ids of their rules.
fn causes(change: &Change, [old, new]: [&Policy; 2]) -> Vec<EntryCause> {
    let rule = |policy: &'_ Policy, at: Option<usize>| -> Option<Rule> {
        let rule = at.and_then(|at| policy.rules().get(at));
        rule.filter(|rule| rule.mode == Mode::Enforce).cloned()
    };
    let causes = change.causes.iter().map(|cause| {
        let rules = [rule(old, cause.rule.0), rule(new, cause.rule.1)];
        let how = match (&rules, cause.kind) {
            ([None, Some(_)], CauseKind::Rule) => Some(RuleChangeKind::Added),
            ([Some(_), None], CauseKind::Rule) => Some(RuleChangeKind::Removed),
            (_, CauseKind::Rule) => Some(RuleChangeKind::Changed),
            (_, CauseKind::Class | CauseKind::Order | CauseKind::Reach) => None,
        };
        EntryCause {
            kind: cause.kind,
            rule: rules.map(|rule| rule.map(|rule| rule.id)),
            how,
        }
    });
    let mut causes: Vec<EntryCause> = causes.collect();
    causes.sort();
    causes
}

fn enforced(policy: &Policy) -> Vec<Rule> {
    let rules = policy.rules().iter();
    let rules = rules.filter(|rule| rule.mode == Mode::Enforce);
    rules.cloned().collect()
}

/// The rules that differ. Shadow rules count as none, and a rule with another id is the same.
pub(super) fn rule_changes(old: &Policy, new: &Policy) -> Vec<RuleChange> {
    let (old, new) = (enforced(old), enforced(new));
    let matched = matched_rules(&old, &new);
    let mut changes = Vec::new();
    for (at, rule) in new.iter().enumerate() {
        let before = matched.get(&at).and_then(|before| old.get(*before));
        let how = match before {
            None => RuleChangeKind::Added,
            Some(before) if !before.decides_like(rule) => RuleChangeKind::Changed,
            Some(_) => continue,
        };
        let id = Arc::clone(&rule.id);
        changes.push(RuleChange { id, how });
    }
    let kept: BTreeSet<usize> = matched.into_values().collect();
    for (_, rule) in old.iter().enumerate().filter(|(at, _)| !kept.contains(at)) {
        changes.push(RuleChange {
            id: Arc::clone(&rule.id),
            how: RuleChangeKind::Removed,
        });
    }
    changes.sort_by(|one, other| (one.how, &one.id).cmp(&(other.how, &other.id)));
    changes
}

/// The rules that are only called something else.
fn renamed(old: &Policy, new: &Policy) -> Vec<[Arc<str>; 2]> {
    let (old, new) = (enforced(old), enforced(new));
    let mut renamed: Vec<[Arc<str>; 2]> = matched_rules(&old, &new)
        .into_iter()
        .filter_map(|(at, before)| Some([&old.get(before)?.id, &new.get(at)?.id].map(Arc::clone)))
        .filter(|[old, new]| old != new)
        .collect();
    renamed.sort();
    renamed
}

/// The headers that only one policy sets, and so takes from clients.
fn headers(old: &Policy, new: &Policy) -> Vec<(Arc<str>, bool)> {
    let only = |one: &Policy, other: &Policy, is_new: bool| -> Vec<(Arc<str>, bool)> {
        let names = one.set_headers().iter();
        let names = names.filter(|name| !other.set_headers().contains(name));
        names.map(|name| (Arc::clone(name), is_new)).collect()
    };
    [only(old, new, false), only(new, old, true)].concat()
}
