//! Reads the lines of an audit: what each tells of the request that was decided.

use serde_json::{Map, Value as Json};

use super::universe::Surroundings;
use crate::authz::{
    ActionKind, Given, GivenArguments, Hints, PeerNames, Reach, RecordedOutcome, Target,
    TargetResource, Value,
};
use crate::mcp::{METHODS, Selector};

/// How many characters a record keeps of a text, and from how many bytes on it may have left some
/// out.
const CHARACTERS_KEPT: usize = 256;
const BYTES_KEPT: usize = 500;

/// One line of an audit.
#[derive(Debug, Clone, PartialEq)]
pub enum AuditLine {
    /// Nothing.
    Empty,
    /// No JSON object: cut off, or a line of another program.
    Broken,
    /// An event, which is no decision.
    Event(AuditRecord),
    /// A decision.
    Decision(AuditRecord),
}

/// A decision or an event, as it was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditRecord {
    members: Map<String, Json>,
}

/// One call of a recorded request.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedCall {
    /// What is asked.
    pub target: Target,
    /// The class that the tool had.
    pub class: Option<String>,
    /// The arguments, if the record leaves nothing of them out.
    pub arguments: Option<GivenArguments>,
}

impl AuditLine {
    /// Reads one line.
    #[must_use]
    pub fn read(line: &str) -> Self {
        if line.trim().is_empty() {
            return AuditLine::Empty;
        }
        let Ok(members) = serde_json::from_str(line) else {
            return AuditLine::Broken;
        };
        let record = AuditRecord { members };
        if record.has("event") {
            AuditLine::Event(record)
        } else {
            AuditLine::Decision(record)
        }
    }
}

impl AuditRecord {
    /// Whether the record has a member.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// A member.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Json> {
        self.members.get(key)
    }

    /// All of it.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::Object(self.members.clone())
    }

    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.members.get(key).and_then(Json::as_str)
    }

    /// A list of texts.
    #[must_use]
    pub fn list(&self, key: &str) -> Option<Vec<String>> {
        texts(self.members.get(key)?)
    }

    /// Whether something is left out of a text or a list.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.has("cut")
    }

    /// How a policy decided it; `None` if none did.
    #[must_use]
    pub fn outcome(&self) -> Option<RecordedOutcome> {
        Some(match self.text("reason")? {
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

    /// A text that certainly is whole.
    fn whole(&self, key: &str) -> Option<&str> {
        self.text(key).filter(|text| self.is_whole(text))
    }

    fn is_whole(&self, text: &str) -> bool {
        !self.is_cut()
            || (text.chars().count() < CHARACTERS_KEPT
                && Json::from(text).to_string().len() < BYTES_KEPT)
    }

    /// What was asked, under the old configuration and the new one; of a batch, by the message that
    /// decided.
    #[must_use]
    pub fn target(&self, around: [&Surroundings; 2]) -> Option<Target> {
        let name = match self.text("name") {
            Some(name) if !self.is_whole(name) => return None,
            name => name,
        };
        let method = self.whole("mcp.method.name").or_else(|| {
            // A GET or DELETE has no message.
            let method = self.text("http.request.method");
            method.filter(|method| *method != "POST" && !self.has("mcp.method.name"))
        })?;
        target(self.text("server")?, method, name, around)
    }

    /// The call and the calls inside it, as far as the record has them.
    #[must_use]
    pub fn calls(&self, around: &Surroundings) -> Option<Vec<RecordedCall>> {
        let outer = self.target([around; 2])?;
        let class = self.text("class").map(str::to_owned);
        let arguments = self.arguments(self.member("arguments"), &outer, around);
        let mut calls = vec![RecordedCall {
            target: outer.clone(),
            class,
            arguments,
        }];
        let Some(inner) = self.member("inner") else {
            return Some(calls);
        };
        let called = |name: &str| {
            let tool = self.is_whole(name).then_some(name);
            target(&outer.server, &outer.method, Some(tool?), [around; 2])
        };
        if let Some(names) = inner.get("names").and_then(texts) {
            let mut seen: Vec<String> = Vec::new();
            for name in names {
                if !seen.contains(&name) {
                    calls.push(RecordedCall {
                        target: called(&name)?,
                        class: None,
                        arguments: None,
                    });
                    seen.push(name);
                }
            }
            return Some(calls);
        }
        let target = called(inner.get("name")?.as_str()?)?;
        calls.push(RecordedCall {
            arguments: self.arguments(inner.get("arguments"), &target, around),
            class: inner.get("class").and_then(Json::as_str).map(str::to_owned),
            target,
        });
        Some(calls)
    }

    /// The arguments, if there are none or the object is empty: an object without names.
    fn arguments(
        &self,
        recorded: Option<&Json>,
        target: &Target,
        around: &Surroundings,
    ) -> Option<GivenArguments> {
        let defaults = match &target.resource {
            TargetResource::Tool(name) => around
                .defaults
                .get(&*target.server)
                .and_then(|tools| tools.get(&**name))
                .cloned(),
            TargetResource::Server
            | TargetResource::Prompt(_)
            | TargetResource::Uri(_)
            | TargetResource::AnyUri
            | TargetResource::Task => None,
        };
        let arguments = match recorded {
            None => None,
            Some(recorded) => {
                let names = recorded.get("names").and_then(texts)?;
                if !names.is_empty() || self.is_cut() {
                    return None;
                }
                Some(Value::Map(Vec::new()))
            }
        };
        Some(GivenArguments {
            arguments,
            defaults,
        })
    }

    /// What the record tells of the caller. Groups, roles and scopes are known only where it has
    /// them.
    #[must_use]
    pub fn given(&self) -> Option<Given> {
        let own = |key: &str| self.text(key).map(str::to_owned);
        let whole = |key: &str| self.whole(key).map(str::to_owned);
        // One that may be cut is not known; one that is not there may be none.
        let optional = |key: &str| {
            let is_known = !self.has(key) || self.whole(key).is_some();
            is_known.then(|| own(key))
        };
        let list = |key: &str| self.list(key).filter(|_| !self.is_cut());
        own("issuer").and(own("subject"))?;
        let peer = whole("peer").filter(|peer| !peer.contains(' '));
        Some(Given {
            issuer: whole("issuer"),
            id: whole("subject"),
            agent: optional("agent"),
            tenant: optional("tenant"),
            groups: list("groups"),
            roles: list("roles"),
            scopes: list("scopes"),
            peer: peer.map(|peer| PeerNames::called(&peer)),
            // The record has one name of a certificate that may have several.
            peer_is_partial: true,
            arguments: None,
            source: own("client.address").and_then(|address| address.parse().ok()),
            at: own("time").and_then(|time| time.parse().ok()),
            in_session: Some(self.has("mcp.session.id")),
            subject: None,
        })
    }
}

/// The texts of a list, if it has nothing else.
pub(super) fn texts(list: &Json) -> Option<Vec<String>> {
    let items = list.as_array()?.iter();
    items.map(|item| item.as_str().map(str::to_owned)).collect()
}

fn target(
    server: &str,
    method: &str,
    name: Option<&str>,
    around: [&Surroundings; 2],
) -> Option<Target> {
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
