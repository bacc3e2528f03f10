//! Which recorded decisions another policy would change, as far as the records tell.

use std::collections::BTreeMap;

use super::record::{AuditLine, AuditRecord};
use super::universe::{Surroundings, Universe};
use crate::authz::{Comparison, Policy, RecordedOutcome, Replayed};

/// What becomes of the decisions of an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// How many would end alike.
    pub same: usize,
    /// How many no policy decided: a refused token, a malformed body.
    pub undecided: usize,
    /// Those that would end otherwise.
    pub changed: Vec<ReplayedRecord>,
    /// Those of which the record does not tell enough.
    pub unknown: Vec<ReplayedRecord>,
}

/// One recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedRecord {
    /// The file and the line.
    pub place: String,
    /// The id of the decision.
    pub decision_id: String,
    /// The subject.
    pub subject: String,
    /// What was asked: server, method and name.
    pub asked: [String; 3],
    /// How it ended.
    pub reason: String,
    /// How it would end: `allow`, `challenge`, `deny`, `deny or challenge`, `unknown`.
    pub would_be: &'static str,
    /// Why it is not known.
    pub because: &'static str,
}

/// Reads audit records, one to a line, and asks what the new policy would have decided.
#[derive(Debug)]
pub struct Replayer<'p> {
    comparison: Comparison<'p>,
    old: &'p Policy,
    around: [&'p Surroundings; 2],
    /// Many records are alike.
    known: BTreeMap<String, Replayed>,
    /// What became of them so far.
    pub replay: Replay,
}

impl<'p> Replayer<'p> {
    /// None yet.
    #[must_use]
    pub fn new([old, new]: [&'p Policy; 2], around: [&'p Surroundings; 2]) -> Self {
        let comparison = Comparison::new(old, new, jiff::Timestamp::UNIX_EPOCH);
        let asked = Universe::of([old, new], around).asked;
        Replayer {
            comparison: comparison.among(asked.into_iter().map(|asked| asked.target)),
            old,
            around,
            known: BTreeMap::new(),
            replay: Replay::default(),
        }
    }

    /// Reads one line. `place` is its file and number.
    pub fn read(&mut self, place: &str, line: &str) {
        let record = match AuditLine::read(line) {
            AuditLine::Empty | AuditLine::Event(_) => return,
            AuditLine::Broken => {
                let record = AuditRecord::default();
                let record = replayed(place, &record, "the line is no record");
                return self.replay.unknown.push(record);
            }
            AuditLine::Decision(record) => record,
        };
        let Some(outcome) = record.outcome() else {
            if record.has("reason") {
                self.replay.undecided = self.replay.undecided.saturating_add(1);
            } else {
                let record = replayed(place, &record, "the record has no reason");
                self.replay.unknown.push(record);
            }
            return;
        };
        let mut told = replayed(
            place,
            &record,
            "the record does not tell enough of the request",
        );
        match self.judge(&record, outcome) {
            Ok(Replayed::Same) => self.replay.same = self.replay.same.saturating_add(1),
            Ok(Replayed::Unknown) => self.replay.unknown.push(told),
            Ok(found) => {
                told.would_be = word(found);
                told.because = "";
                self.replay.changed.push(told);
            }
            Err(because) => {
                told.because = because;
                self.replay.unknown.push(told);
            }
        }
    }

    fn judge(
        &mut self,
        record: &AuditRecord,
        outcome: RecordedOutcome,
    ) -> Result<Replayed, &'static str> {
        if record.is_cut() {
            return Err("the record is cut");
        }
        if record.has("batch") || record.has("inner") {
            return Err("the request has several parts");
        }
        let target = record
            .target(self.around)
            .ok_or("the record does not name the request")?;
        let given = record
            .given()
            .ok_or("the record does not name the caller")?;
        let rules: Vec<String> = record.list("rules").unwrap_or_default();
        let is_of_old = record.text("policy_revision") == Some(&**self.old.revision());
        // A moment is looked at by what the clocks show, which differs from line to line.
        let key = format!("{target:?} {given:?} {outcome:?} {rules:?} {is_of_old}");
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let found = self
            .comparison
            .replay(&target, &given, (outcome, &rules), is_of_old)
            .map_err(|_| "the rules are too many and too different to be compared")?;
        self.known.insert(key, found);
        Ok(found)
    }
}

fn word(found: Replayed) -> &'static str {
    match found {
        Replayed::Same => "the same",
        Replayed::Allowed => "allow",
        Replayed::Challenged => "challenge",
        Replayed::Denied => "deny",
        Replayed::Stopped => "deny or challenge",
        Replayed::Unknown => "unknown",
    }
}

fn replayed(place: &str, record: &AuditRecord, because: &'static str) -> ReplayedRecord {
    let own = |key: &str| record.text(key).unwrap_or_default().to_owned();
    ReplayedRecord {
        place: place.to_owned(),
        decision_id: own("decision_id"),
        subject: own("subject"),
        asked: [own("server"), own("mcp.method.name"), own("name")],
        reason: own("reason"),
        would_be: "unknown",
        because,
    }
}
