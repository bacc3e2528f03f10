//! Prints a difference as sentences, as a table and as JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::policy::difference::{
    Difference, Entry, EntryCause, Replay, ReplayedRecord, RuleTexts, SaidFact, because,
    cause_word, detail, entry_what, kind_word,
};
use crate::policy::matrix::shown;

/// How many recorded decisions are shown one by one where people read.
const RECORDS_SHOWN: usize = 100;

/// Everything that is shown.
pub(super) struct Shown<'d> {
    pub(super) difference: &'d Difference,
    pub(super) names: [&'d str; 2],
    pub(super) texts: [&'d RuleTexts; 2],
    pub(super) replay: Option<&'d Replay>,
}

pub(super) fn sentences(all: &Shown<'_>) -> String {
    let mut text = head(all);
    for sentence in all.difference.sentences() {
        line(&mut text, &shown(&sentence));
    }
    text.push_str(&foot(all));
    text
}

/// One line, without what a terminal acts upon.
fn line(text: &mut String, said: &str) {
    text.push_str(said);
    text.push('\n');
}

/// Both revisions.
fn head(all: &Shown<'_>) -> String {
    let [old, new] = &all.difference.revisions;
    let [from, to] = all.names.map(shown);
    let at = all.difference.from;
    format!("{from} (revision {old}) -> {to} (revision {new}), for calls from {at} on\n")
}

/// What is no change of a decision, and the sums.
fn foot(all: &Shown<'_>) -> String {
    let difference = all.difference;
    let mut text = String::new();
    for (server, why) in &difference.unknown {
        line(
            &mut text,
            &format!("not known for {}: {why}", shown(server)),
        );
    }
    for what in &difference.not_compared {
        line(&mut text, &shown(&format!("not compared: {what}")));
    }
    for note in &difference.notes {
        line(&mut text, &shown(&format!("note: {note}")));
    }
    for [old, new] in &difference.renamed {
        line(
            &mut text,
            &shown(&format!("rule {old} is now called {new}")),
        );
    }
    for (header, is_new) in &difference.headers {
        let how = if *is_new {
            "no longer reaches"
        } else {
            "now reaches"
        };
        line(
            &mut text,
            &format!("the header {header} of a client {how} the servers"),
        );
    }
    let (grow, shrink) = difference.counts();
    let rest = difference
        .entries
        .len()
        .saturating_sub(grow)
        .saturating_sub(shrink);
    let rules = difference.rules.len();
    line(
        &mut text,
        &format!("{grow} grow, {shrink} shrink, {rest} differ otherwise; {rules} rule(s) differ"),
    );
    if let Some(replay) = all.replay {
        text.push_str(&replayed(replay));
    }
    text
}

fn replayed(replay: &Replay) -> String {
    let mut text = String::new();
    let both = [&replay.changed, &replay.unknown];
    for records in both {
        for record in records.iter().take(RECORDS_SHOWN) {
            line(&mut text, &shown(&said_record(record)));
        }
        let more = records.len().saturating_sub(RECORDS_SHOWN);
        if more > 0 {
            line(
                &mut text,
                &format!("and {more} more; `--format json` has all"),
            );
        }
    }
    let (changed, unknown) = (replay.changed.len(), replay.unknown.len());
    let Replay {
        same, undecided, ..
    } = replay;
    let sums = format!(
        "recorded decisions: {changed} would change, {same} would not, {unknown} unknown, {undecided} not decided by a policy"
    );
    line(&mut text, &sums);
    text
}

fn said_record(record: &ReplayedRecord) -> String {
    let [server, method, name] = &record.asked;
    let mut text = format!("{}: ", record.place);
    if !record.decision_id.is_empty() {
        // Writing to a string cannot fail.
        let _ok = write!(
            text,
            "{} {} asked {server} for {method}",
            record.decision_id, record.subject
        );
        if !name.is_empty() {
            let _ok = write!(text, " {name}");
        }
        let _ok = write!(text, ": {} -> ", record.reason);
    }
    let _ok = write!(text, "{}", record.would_be);
    if !record.because.is_empty() {
        let _ok = write!(text, " ({})", record.because);
    }
    text
}

pub(super) fn table(all: &Shown<'_>) -> String {
    let mut lines: Vec<[String; 6]> =
        vec![["CHANGE", "WHO", "WHAT", "WHERE", "UNLESS", "RULE"].map(str::to_owned)];
    for entry in &all.difference.entries {
        let what = entry_what(entry);
        for situation in &entry.situations {
            let (who, place): (Vec<&SaidFact>, Vec<&SaidFact>) =
                situation.all_of.iter().partition(|fact| fact.is_caller);
            let join = |facts: Vec<&SaidFact>, word: &str| {
                let phrases = facts.into_iter().map(|fact| fact.phrase.clone());
                phrases.collect::<Vec<_>>().join(word)
            };
            let who = entry.subject.clone().unwrap_or_else(|| {
                if who.is_empty() {
                    "everybody".to_owned()
                } else {
                    join(who, " with ")
                }
            });
            let part = if situation.is_part {
                "as far as a rule allows it "
            } else {
                ""
            };
            let place = format!("{part}{}", join(place, " and "));
            let cells = [
                kind_word(entry.kind).to_owned(),
                who,
                what.clone(),
                place.trim_end().to_owned(),
                join(situation.none_of.iter().collect(), " or "),
                because(entry),
            ];
            lines.push(cells.map(|cell| shown(&cell)));
        }
        if entry.is_cut {
            let more = ["", "and more", "", "", "", ""].map(str::to_owned);
            lines.push(more);
        }
    }
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = head(all);
    for cells in &lines {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let padding = width.saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(padding))
        });
        line(&mut text, padded.collect::<Vec<_>>().join("  ").trim_end());
    }
    text.push_str(&foot(all));
    text
}

pub(super) fn json(all: &Shown<'_>) -> String {
    let difference = all.difference;
    let [old, new] = &difference.revisions;
    let (grown, shrunk) = difference.counts();
    let entries = difference
        .entries
        .iter()
        .map(|entry| entry_json(all, entry));
    let rules = difference
        .rules
        .iter()
        .map(|rule| json!({"rule": &*rule.id, "how": rule.how.word()}));
    let headers = difference.headers.iter();
    let headers =
        headers.map(|(name, is_new)| json!({"header": &**name, "removed_by_new": is_new}));
    let unknown = difference.unknown.iter();
    let unknown = unknown.map(|(server, why)| json!({"server": server, "why": why}));
    let renamed = difference.renamed.iter();
    let renamed = renamed.map(|[old, new]| json!({"old": &**old, "new": &**new}));
    let mut whole = json!({
        "old": {"policy": all.names[0], "policy_revision": &**old},
        "new": {"policy": all.names[1], "policy_revision": &**new},
        "from": difference.from.to_string(),
        "complete": difference.is_complete(),
        "grown": grown,
        "shrunk": shrunk,
        "changes": entries.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
        "client_headers": headers.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "renamed": renamed.collect::<Vec<_>>(),
        "not_compared": difference.not_compared,
        "notes": difference.notes,
    });
    if let (Some(replay), Some(members)) = (all.replay, whole.as_object_mut()) {
        let each =
            |records: &[ReplayedRecord]| -> Vec<Json> { records.iter().map(record_json).collect() };
        let replay = json!({
            "changed": each(&replay.changed),
            "unknown": each(&replay.unknown),
            "same": replay.same,
            "not_decided_by_policy": replay.undecided,
        });
        members.insert("recorded".to_owned(), replay);
    }
    format!("{whole:#}\n")
}

fn record_json(record: &ReplayedRecord) -> Json {
    let [server, method, name] = &record.asked;
    json!({
        "place": record.place,
        "decision_id": record.decision_id,
        "subject": record.subject,
        "server": server,
        "method": method,
        "name": name,
        "reason": record.reason,
        "would_be": record.would_be,
        "why": record.because,
    })
}

fn entry_json(all: &Shown<'_>, entry: &Entry) -> Json {
    let facts = |facts: &[SaidFact]| -> Vec<Json> {
        let each = facts.iter();
        each.map(|fact| json!({"fact": fact.kind, "value": fact.value}))
            .collect()
    };
    let situations = entry.situations.iter().map(|situation| {
        json!({
            "all_of": facts(&situation.all_of),
            "none_of": facts(&situation.none_of),
            "only_where_allowed": situation.is_part,
        })
    });
    let things = entry.things.iter().map(|thing| {
        let methods: Vec<&str> = thing.methods.iter().map(|method| &**method).collect();
        json!({
            "methods": methods,
            "name": thing.name(),
            "fits": thing.patterns(),
        })
    });
    let rule = |id: Option<&Arc<str>>, at: usize| {
        let id = id?;
        let texts = all.texts.get(at)?.get(&**id);
        Some(json!({
            "id": &**id,
            "place": texts.map(|text| &text.place),
            "text": texts.map(|text| &text.text),
        }))
    };
    let cause = |cause: &EntryCause| {
        let [old, new] = &cause.rule;
        json!({
            "how": cause_word(entry, cause),
            "old_rule": rule(old.as_ref(), 0),
            "new_rule": rule(new.as_ref(), 1),
        })
    };
    json!({
        "subject": entry.subject,
        "change": kind_word(entry.kind),
        "grows": entry.kind.grows(),
        "shrinks": entry.kind.shrinks(),
        "server": &*entry.server,
        "things": things.collect::<Vec<_>>(),
        "situations": situations.collect::<Vec<_>>(),
        "more_situations": entry.is_cut,
        "details": entry.details.iter().map(detail).collect::<Vec<_>>(),
        "causes": entry.causes.iter().map(cause).collect::<Vec<_>>(),
        "old_rule": rule(entry.rule(0), 0),
        "new_rule": rule(entry.rule(1), 1),
        "sentences": all.difference.sentences_of(entry),
    })
}

/// Every kind of change has a word of its own.
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::authz::ChangeKind;

    use super::*;

    #[test]
    fn every_kind_of_change_has_its_word() {
        let words: BTreeSet<&str> = ChangeKind::ALL.into_iter().map(kind_word).collect();
        assert_eq!(words.len(), ChangeKind::ALL.len());
    }
}
