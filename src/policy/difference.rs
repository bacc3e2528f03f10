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
//! let difference = Difference::of([&old, &new], &Surroundings::default(), now, &[]);
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

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use entry::{Entry, RuleChange, RuleChangeKind};
pub use facts::{SaidFact, SaidSituation};
pub use hindsight::{Hindsight, HindsightCall, HindsightFinding, HindsightRule, Unrecorded};
pub use page::html;
pub use record::{AuditLine, AuditRecord};
pub use recorded::{Replay, ReplayedRecord, Replayer};
pub use summary::{ReloadSummary, reload_summary};
pub use text::{RuleText, RuleTexts, rule_texts};
pub use universe::{Asked, Named, Surroundings, Universe};
pub use wording::{entry_what, kind_word};

use super::testing::SampleCaller;
use crate::authz::{Change, ChangeKind, Comparison, Given, Mode, Policy, Rule};

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
        around: &Surroundings,
        from: Timestamp,
        callers: &[SampleCaller],
    ) -> Self {
        let comparison = Comparison::new(old, new, from);
        Self::by(comparison, [old, new], around, callers)
    }

    /// Compares by a comparison of both policies.
    pub(super) fn by(
        mut comparison: Comparison<'_>,
        [old, new]: [&Policy; 2],
        around: &Surroundings,
        callers: &[SampleCaller],
    ) -> Self {
        let universe = Universe::of([old, new], around);
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
            .map(|((subject, kind, server, change), things)| {
                let id = |policy: &Policy, at: Option<usize>| {
                    let rule = at.and_then(|at| policy.rules().get(at));
                    rule.map(|rule| Arc::clone(&rule.id))
                };
                Entry {
                    subject,
                    kind,
                    server,
                    things,
                    rule: [id(old, change.rule.0), id(new, change.rule.1)],
                    situations: wording::situations(&change, &comparison),
                    is_cut: change.is_cut,
                }
            });
        let mut entries: Vec<Entry> = entries.collect();
        let rank = |kind| ChangeKind::ALL.iter().position(|one| *one == kind);
        entries.sort_by_key(|entry| (entry.subject.clone(), rank(entry.kind)));
        Difference {
            revisions: [Arc::clone(old.revision()), Arc::clone(new.revision())],
            from: comparison.from(),
            entries,
            rules: rule_changes(old, new),
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

    /// Whether some access grows, or may grow as far as is known.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.counts().0 > 0 || !self.unknown.is_empty()
    }

    /// Whether something changes, or may change as far as is known.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.entries.is_empty() || !self.unknown.is_empty() || !self.headers.is_empty()
    }

    /// How a rule differs.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<RuleChangeKind> {
        let rule = self.rules.iter().find(|rule| *rule.id == *id);
        rule.map(|rule| rule.how)
    }

    /// Each change as a sentence.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let entries = self.entries.iter();
        entries.flat_map(|entry| self.sentences_of(entry)).collect()
    }

    /// The sentences of one change.
    #[must_use]
    pub fn sentences_of(&self, entry: &Entry) -> Vec<String> {
        let [old, new] = &entry.rule;
        let rule = new.as_ref().or(old.as_ref());
        wording::sentences(entry, rule.and_then(|id| self.rule(id)))
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

/// The rules that differ. Shadow rules count as none.
pub(super) fn rule_changes(old: &Policy, new: &Policy) -> Vec<RuleChange> {
    let enforced = |policy: &'_ Policy| -> BTreeMap<Arc<str>, Rule> {
        let rules = policy.rules().iter();
        let rules = rules.filter(|rule| rule.mode == Mode::Enforce);
        rules
            .map(|rule| (Arc::clone(&rule.id), rule.clone()))
            .collect()
    };
    let (old, new) = (enforced(old), enforced(new));
    let mut changes = Vec::new();
    for (id, rule) in &new {
        let how = match old.get(id) {
            None => RuleChangeKind::Added,
            Some(before) if !before.decides_like(rule) => RuleChangeKind::Changed,
            Some(_) => continue,
        };
        let id = Arc::clone(id);
        changes.push(RuleChange { id, how });
    }
    for id in old.keys().filter(|id| !new.contains_key(*id)) {
        changes.push(RuleChange {
            id: Arc::clone(id),
            how: RuleChangeKind::Removed,
        });
    }
    changes
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
