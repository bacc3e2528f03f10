//! What a record does not hold of the request that it is about.

use super::SaidFact;
use crate::authz::TargetResource;
use crate::policy::difference::record::{AuditRecord, RecordedCall, texts};
use crate::policy::difference::universe::Surroundings;

/// Something that a record does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// What.
    pub what: &'static str,
    /// How much of it.
    pub text: String,
}

/// What no record holds.
const NEVER: [(&str, &str); 7] = [
    (
        "claims",
        "the other claims of the token, and when the caller logged in",
    ),
    ("device", "the facts about the device"),
    ("country", "the country of the address"),
    ("purpose", "the purpose that the client declared"),
    ("headers", "the headers of the request and its `_meta`"),
    ("session_age", "how old the session was"),
    (
        "counts",
        "what windows had counted, and whether limits had room",
    ),
];

/// What the record does not hold. `kind` by `kind`, because what is missing is neither absent nor
/// there.
pub(super) fn of(record: &AuditRecord) -> Vec<Unrecorded> {
    let mut all = Vec::new();
    let mut add = |what: &'static str, text: String| all.push(Unrecorded { what, text });
    if record.is_cut() {
        let text = "the record is cut: what its lists and its longest texts leave out";
        add("cut", text.to_owned());
    }
    if let Some(total) = others(record) {
        add(
            "batch",
            format!("the {total} other message(s) of the batch"),
        );
    }
    let inner = record.member("inner");
    let both = [
        record.member("arguments"),
        inner.and_then(|inner| inner.get("arguments")),
    ];
    for arguments in both.into_iter().flatten() {
        let names = arguments.get("names").and_then(texts).unwrap_or_default();
        if !names.is_empty() {
            let names = names.join(", ");
            add(
                "arguments",
                format!("the values of the arguments; it has their names ({names}) and a digest"),
            );
        }
    }
    for (what, list) in [
        ("groups", "groups"),
        ("roles", "roles"),
        ("scopes", "scopes"),
    ] {
        if record.list(what).is_none() {
            add(
                what,
                format!("{list}: none, or they were not wholly known, or `audit.groups` was off"),
            );
        }
    }
    for (what, text) in [
        ("agent", "the client: none, or it could not be told"),
        ("tenant", "the tenant: none, or it could not be told"),
        ("client.address", "the address of the client"),
    ] {
        if !record.has(what) {
            add(what, text.to_owned());
        }
    }
    let peer = if record.has("peer") {
        "other names of the TLS peer"
    } else {
        "the TLS peer"
    };
    add("peer", peer.to_owned());
    for (what, text) in NEVER {
        add(what, text.to_owned());
    }
    all
}

/// Whole parts of the request that the record leaves out: each may be allowed, challenged or denied.
pub(super) fn parts(
    record: &AuditRecord,
    around: &Surroundings,
    calls: &[RecordedCall],
) -> Vec<SaidFact> {
    let said = |kind, value: String, phrase: String| SaidFact {
        is_caller: false,
        kind,
        value,
        phrase,
    };
    let mut parts = Vec::new();
    if let Some(total) = others(record) {
        let phrase = format!("the {total} other message(s) of the batch");
        parts.push(said("batch", total.to_string(), phrase));
    }
    let has_inner = record.has("inner");
    if has_inner && record.is_cut() {
        let phrase = "calls inside the call that the record may leave out".to_owned();
        parts.push(said("inner", String::new(), phrase));
    }
    let outer = calls.first().filter(|_| !has_inner);
    let calls_others = outer.is_some_and(|outer| {
        let TargetResource::Tool(name) = &outer.target.resource else {
            return false;
        };
        let tools = around.indirect.get(&*outer.target.server);
        let mut tools = tools.into_iter().flat_map(|tools| tools.iter());
        tools.any(|tool| tool.inner.is_some() && tool.is_meant_by(name))
    });
    if calls_others {
        let phrase = "the calls inside the call, which the record does not have".to_owned();
        parts.push(said("inner", String::new(), phrase));
    }
    parts
}

/// How many messages of a batch the record is not about.
fn others(record: &AuditRecord) -> Option<u64> {
    let batch = record.member("batch")?.as_u64()?;
    Some(batch.saturating_sub(1)).filter(|others| *others > 0)
}
