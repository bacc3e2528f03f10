//! Prints a recorded decision as people read it, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::decided_by::DecidedBy;
use crate::authz::{Match, Mode};
use crate::policy::difference::{
    AuditRecord, Hindsight, HindsightCall, HindsightFinding, HindsightRule, SaidFact,
};
use crate::policy::matrix::shown;
use crate::policy::testing::{effect_name, match_name};

/// A file that was read.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) name: String,
    /// Lines that are not empty.
    pub(super) lines: usize,
}

/// One recorded decision.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) place: String,
    pub(super) record: AuditRecord,
    pub(super) by: DecidedBy,
    /// What the policy says of it, if it is asked about such a request.
    pub(super) hindsight: Option<Hindsight>,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) id: &'a str,
    pub(super) revision: &'a str,
    pub(super) decisions: Vec<Explained>,
    pub(super) events: Vec<(String, AuditRecord)>,
    pub(super) broken: Vec<String>,
    pub(super) files: Vec<ReadFile>,
}

/// A text of lines.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// One line, without what a terminal acts upon.
    fn add(&mut self, line: &str) {
        self.0.push_str(&shown(line));
        self.0.push('\n');
    }
}

pub(super) fn text(all: &Shown<'_>) -> String {
    let mut lines = Lines::default();
    for (at, one) in all.decisions.iter().enumerate() {
        if at > 0 {
            lines.add("");
        }
        decision(&mut lines, one);
    }
    for (at, (place, event)) in all.events.iter().enumerate() {
        if at == 0 && !all.decisions.is_empty() {
            lines.add("");
        }
        let kind = event.text("event").unwrap_or_default();
        lines.add(&format!("{place}: event {kind}: {}", event.json()));
    }
    lines.0
}

fn decision(lines: &mut Lines, one: &Explained) {
    let Explained {
        place,
        record,
        by,
        hindsight,
    } = one;
    let own = |key: &str| record.text(key).unwrap_or_default();
    lines.add(&format!(
        "{place}: decision {} at {}",
        own("decision_id"),
        own("time")
    ));
    lines.add(&asked(record));
    recorded(lines, record);
    let Some(hindsight) = hindsight else {
        lines.add(by.sentence());
        return;
    };
    if *by != DecidedBy::Policy {
        lines.add(by.sentence());
    }
    let revision = &hindsight.revision;
    lines.add(&match hindsight.is_same_revision {
        Some(true) => format!("judged by: policy revision {revision}, the one that is recorded"),
        Some(false) => {
            format!("judged by: policy revision {revision}, another than the one that is recorded")
        }
        None => format!("judged by: policy revision {revision}; the record names none"),
    });
    if !hindsight.rules_gone.is_empty() {
        let gone = hindsight.rules_gone.join(", ");
        lines.add(&format!("rules that this policy does not have: {gone}"));
    }
    for call in &hindsight.calls {
        rules(lines, call, hindsight.calls.len() > 1);
    }
    lines.add("");
    verdict(lines, hindsight);
    lines.add(&agreement(one, hindsight));
    lines.add("not in the record, and so neither absent nor there:");
    for missing in &hindsight.unrecorded {
        lines.add(&format!("  {}", missing.text));
    }
}

/// Who asked for what.
fn asked(record: &AuditRecord) -> String {
    let own = |key: &str| record.text(key);
    let who = own("subject").map_or("somebody", |subject| subject);
    let method = own("mcp.method.name").or(own("http.request.method"));
    let method = method.unwrap_or("something");
    let what = own("name").map_or_else(String::new, |name| format!(" `{name}`"));
    let server = own("server").map_or_else(
        || format!("at path {}", own("url.path").unwrap_or_default()),
        str::to_owned,
    );
    format!("{who} asked {server} for {method}{what}")
}

/// What was recorded.
fn recorded(lines: &mut Lines, record: &AuditRecord) {
    let own = |key: &str| record.text(key);
    let mut line = format!(
        "recorded: {} ({})",
        own("decision").unwrap_or("no decision"),
        own("reason").unwrap_or("no reason")
    );
    let rules = record.list("rules").unwrap_or_default();
    if !rules.is_empty() {
        // Writing to a string cannot fail.
        let _ok = write!(line, " by {}", rules.join(", "));
    }
    if let Some(revision) = own("policy_revision") {
        let _ok = write!(line, ", policy revision {revision}");
    }
    lines.add(&line);
    if let Some(detail) = own("detail") {
        lines.add(&format!("at fault: {detail}"));
    }
    for (key, said) in [
        ("aud", "audiences of the token"),
        ("rules_near", "missed by one selector"),
        ("rules_indeterminate", "could not be evaluated"),
    ] {
        let list = record.list(key).unwrap_or_default();
        if !list.is_empty() {
            lines.add(&format!("{said}: {}", list.join(", ")));
        }
    }
    if let Some(unverified) = record.member("unverified") {
        for (key, said) in [("issuer", "issuer"), ("kid", "key id")] {
            if let Some(text) = unverified.get(key).and_then(Json::as_str) {
                lines.add(&format!(
                    "the token says of itself, unproved: {said} {text}"
                ));
            }
        }
    }
}

fn rules(lines: &mut Lines, call: &HindsightCall, is_one_of_several: bool) {
    lines.add("");
    if is_one_of_several {
        let name = call.name.as_deref().unwrap_or_default();
        lines.add(&format!("{} `{name}`", call.method));
    }
    let was = call.class_recorded.as_deref();
    if let Some(class) = &call.class {
        lines.add(&match was {
            Some(was) if *was != **class => format!("class: {class}, recorded as {was}"),
            Some(_) | None => format!("class: {class}"),
        });
    }
    for rule in &call.rules {
        let mark = if call.determining.contains(&rule.id) {
            "=>"
        } else {
            "  "
        };
        let effect = effect_word(rule);
        lines.add(&format!(
            "{mark} {} ({effect}): {}",
            rule.id,
            found(&rule.found)
        ));
        let about = &rule.about;
        let said = about.origin();
        let said = said.iter().map(String::as_str);
        for said in said.chain(about.description.as_deref()) {
            lines.add(&format!("     # {said}"));
        }
        for (name, own) in &rule.selectors {
            let sign = match own.found {
                Match::Yes => "+",
                Match::No => "-",
                Match::Indeterminate | Match::Unknown => "?",
            };
            lines.add(&format!("     {sign} {name}: {}", found(own)));
        }
    }
}

fn effect_word(rule: &HindsightRule) -> String {
    let effect = effect_name(&rule.effect);
    match rule.mode {
        Mode::Enforce => effect.to_owned(),
        Mode::Shadow => format!("{effect}, shadow"),
    }
}

fn found(finding: &HindsightFinding) -> String {
    match finding.found {
        Match::Unknown => format!("depends on {}", phrases(&finding.depends_on)),
        found @ (Match::Yes | Match::No | Match::Indeterminate) => match_name(found).to_owned(),
    }
}

fn phrases(facts: &[SaidFact]) -> String {
    let each = facts.iter().map(|fact| fact.phrase.as_str());
    each.collect::<Vec<_>>().join("; ")
}

fn verdict(lines: &mut Lines, hindsight: &Hindsight) {
    let reasons = hindsight.reasons.join(" or ");
    match hindsight.decisions.as_slice() {
        [] => {
            let because = hindsight.because.unwrap_or("nothing is known of it");
            lines.add(&format!("unknown: {because}"));
        }
        [only] => {
            let by: Vec<&str> = hindsight
                .calls
                .iter()
                .flat_map(|call| call.determining.iter().map(|id| &**id))
                .collect();
            let by = if by.is_empty() {
                String::new()
            } else {
                format!(" by {}", by.join(", "))
            };
            lines.add(&format!("{only} ({reasons}){by}"));
        }
        several => {
            lines.add(&format!("depends ({}) on:", several.join(" or ")));
            for fact in &hindsight.depends_on {
                lines.add(&format!("  {}", fact.phrase));
            }
        }
    }
}

/// Whether the policy decides as recorded; `None` if that cannot be told or compared.
fn agrees(one: &Explained, hindsight: &Hindsight) -> Option<bool> {
    let decision = one.record.text("decision")?;
    let compared = hindsight.agrees(decision);
    match one.by {
        DecidedBy::Policy => compared,
        // What was refused for its tool may have been allowed by the policy.
        DecidedBy::Tools
        | DecidedBy::Authentication
        | DecidedBy::Session
        | DecidedBy::Address
        | DecidedBy::Request
        | DecidedBy::Nothing
        | DecidedBy::Service
        | DecidedBy::Unknown => None,
    }
}

fn agreement(one: &Explained, hindsight: &Hindsight) -> String {
    let reason = one.record.text("reason").unwrap_or_default();
    let is_same = hindsight.is_same_revision == Some(true);
    let has_reason = hindsight.reasons.contains(&reason);
    let said = match agrees(one, hindsight) {
        Some(true) if has_reason => "agrees with the record",
        Some(true) => "agrees with the record, for another reason",
        Some(false) if is_same => {
            "differs from the record, although the revision is the same: the configuration, a record of tools or the line itself is another"
        }
        Some(false) => "differs from the record",
        None if one.by != DecidedBy::Policy => {
            "not compared: the policy did not make the decision that is recorded"
        }
        None if is_same && !hindsight.decisions.is_empty() => {
            "cannot be compared for certain, and contradicts nothing: the policy is the same, so what the record does not hold was as the decision needs it"
        }
        None => "cannot be compared with the record for certain",
    };
    said.to_owned()
}

pub(super) fn json(all: &Shown<'_>) -> String {
    let events = all
        .events
        .iter()
        .map(|(place, event)| json!({"place": place, "event": event.json()}));
    let files = all
        .files
        .iter()
        .map(|file| json!({"file": file.name, "lines": file.lines}));
    let whole = json!({
        "decision_id": all.id,
        "policy_revision": all.revision,
        "decisions": all.decisions.iter().map(decision_json).collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "no_records": all.broken,
        "read": files.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn decision_json(one: &Explained) -> Json {
    let (place, recorded, by) = (&one.place, one.record.json(), one.by.word());
    let Some(hindsight) = &one.hindsight else {
        return json!({"place": place, "recorded": recorded, "decided_by": by});
    };
    let decision = match hindsight.decisions.as_slice() {
        [] => "unknown",
        [only] => only,
        _ => "depends",
    };
    let unrecorded = hindsight
        .unrecorded
        .iter()
        .map(|one| json!({"what": one.what, "text": one.text}));
    json!({
        "place": place,
        "recorded": recorded,
        "decided_by": by,
        "same_revision": hindsight.is_same_revision,
        "agrees": agrees(one, hindsight),
        "rules_gone": hindsight.rules_gone,
        "unrecorded": unrecorded.collect::<Vec<_>>(),
        "judged": {
            "decision": decision,
            "decisions": hindsight.decisions,
            "reasons": hindsight.reasons,
            "depends_on": facts_json(&hindsight.depends_on),
            "because": hindsight.because,
            "calls": hindsight.calls.iter().map(call_json).collect::<Vec<_>>(),
        },
    })
}

fn call_json(call: &HindsightCall) -> Json {
    let rules = call.rules.iter().map(|rule| {
        let selectors = rule.selectors.iter().map(|(name, own)| {
            json!({"name": name, "found": found_word(own.found), "depends_on": facts_json(&own.depends_on)})
        });
        json!({
            "id": &*rule.id,
            "effect": effect_name(&rule.effect),
            "shadow": rule.mode == Mode::Shadow,
            "decides": call.determining.contains(&rule.id),
            "found": found_word(rule.found.found),
            "depends_on": facts_json(&rule.found.depends_on),
            "selectors": selectors.collect::<Vec<_>>(),
        })
    });
    json!({
        "method": &*call.method,
        "name": call.name.as_deref(),
        "class": call.class.as_deref(),
        "class_recorded": call.class_recorded,
        "rules": rules.collect::<Vec<_>>(),
    })
}

fn found_word(found: Match) -> &'static str {
    match found {
        Match::Yes => "matches",
        Match::No => "does_not_match",
        Match::Indeterminate => "cannot_be_evaluated",
        Match::Unknown => "depends",
    }
}

fn facts_json(facts: &[SaidFact]) -> Json {
    let each = facts
        .iter()
        .map(|fact| json!({"kind": fact.kind, "value": fact.value, "phrase": fact.phrase}));
    each.collect()
}
