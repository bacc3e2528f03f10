//! Which recorded decisions another policy would change, as far as the records tell.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::universe::{Surroundings, Universe};
use crate::authz::{
    ActionKind, Comparison, Given, Hints, PeerNames, Policy, Reach, RecordedOutcome, Replayed,
    Target, TargetResource,
};
use crate::mcp::{METHODS, Selector};

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
        if line.trim().is_empty() {
            return;
        }
        let Ok(record) = serde_json::from_str::<Json>(line) else {
            let record = replayed(place, &Json::Null, "the line is no record");
            return self.replay.unknown.push(record);
        };
        // A line that is no decision is an event.
        if record.get("event").is_some() {
            return;
        }
        let Some(outcome) = text(&record, "reason").and_then(outcome) else {
            if record.get("reason").is_some() {
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

    fn judge(&mut self, record: &Json, outcome: RecordedOutcome) -> Result<Replayed, &'static str> {
        if record.get("cut").is_some() {
            return Err("the record is cut");
        }
        if record.get("batch").is_some() || record.get("inner").is_some() {
            return Err("the request has several parts");
        }
        let target = target(record, self.around).ok_or("the record does not name the request")?;
        let given = given(record).ok_or("the record does not name the caller")?;
        let rules: Vec<String> = list(record, "rules").unwrap_or_default();
        let is_of_old = text(record, "policy_revision") == Some(&**self.old.revision());
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

fn replayed(place: &str, record: &Json, because: &'static str) -> ReplayedRecord {
    let own = |key: &str| text(record, key).unwrap_or_default().to_owned();
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

fn text<'r>(record: &'r Json, key: &str) -> Option<&'r str> {
    record.get(key).and_then(Json::as_str)
}

fn list(record: &Json, key: &str) -> Option<Vec<String>> {
    let items = record.get(key)?.as_array()?;
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    texts.collect()
}

/// `None` if no policy decided it.
fn outcome(reason: &str) -> Option<RecordedOutcome> {
    Some(match reason {
        "allowed" => RecordedOutcome::Allowed,
        "denied_by_rule" => RecordedOutcome::DeniedByRule,
        "indeterminate" => RecordedOutcome::Indeterminate,
        "no_matching_rule" | "unknown_method" => RecordedOutcome::NoRule,
        "sender_constraint_required" => RecordedOutcome::Unprovable,
        "rate_limited" => RecordedOutcome::RateLimited,
        "insufficient_scope" | "step_up_required" => RecordedOutcome::Challenged,
        _ => return None,
    })
}

/// What was asked.
fn target(record: &Json, around: [&Surroundings; 2]) -> Option<Target> {
    let server = text(record, "server")?;
    let method = text(record, "mcp.method.name").or_else(|| {
        // A GET or DELETE has no message.
        text(record, "http.request.method").filter(|method| *method != "POST")
    })?;
    let name = text(record, "name");
    let entry = METHODS.iter().find(|entry| entry.name == method);
    let (kind, resource) = match entry {
        None if method.starts_with("notifications/") => (ActionKind::Open, TargetResource::Server),
        None if ["GET", "DELETE", "OPTIONS", "response"].contains(&method) => {
            (ActionKind::Open, TargetResource::Server)
        }
        None => (ActionKind::Unknown, TargetResource::Server),
        Some(entry) => {
            let resource = match entry.selector {
                Selector::None => TargetResource::Server,
                Selector::Tool => TargetResource::Tool(name?.into()),
                Selector::Prompt => TargetResource::Prompt(name?.into()),
                Selector::Uri => TargetResource::Uri(name?.into()),
                Selector::Task => TargetResource::Task,
                // Which of several things it reached is not recorded.
                Selector::Reference | Selector::Subscriptions => return None,
            };
            (entry.kind, resource)
        }
    };
    let reading = entry.is_some_and(|entry| entry.is_like_reading);
    let hints = match &resource {
        TargetResource::Tool(name) => around.map(|around| around.hints.of(server, name)),
        TargetResource::Server
        | TargetResource::Prompt(_)
        | TargetResource::Uri(_)
        | TargetResource::AnyUri
        | TargetResource::Task => [Hints::Untrusted; 2],
    };
    let [_, next] = around;
    Some(Target {
        stands_for_others: false,
        reaches: [Reach::Rules; 2],
        server: server.into(),
        method: method.into(),
        authorized_as: reading.then(|| "resources/read".into()),
        kind,
        resource,
        hints,
        uris: next.uris.get(server).copied().unwrap_or_default(),
    })
}

/// What the record tells of the caller. Groups, roles and scopes are known only where it has them.
fn given(record: &Json) -> Option<Given> {
    let own = |key: &str| text(record, key).map(str::to_owned);
    let peer = own("peer").filter(|peer| !peer.contains(' '));
    Some(Given {
        issuer: Some(own("issuer")?),
        id: Some(own("subject")?),
        agent: Some(own("agent")),
        tenant: Some(own("tenant")),
        groups: list(record, "groups"),
        roles: list(record, "roles"),
        scopes: list(record, "scopes"),
        peer: peer.map(|peer| PeerNames::called(&peer)),
        source: own("client.address").and_then(|address| address.parse().ok()),
        at: own("time").and_then(|time| time.parse().ok()),
        in_session: Some(record.get("mcp.session.id").is_some()),
        subject: None,
    })
}
