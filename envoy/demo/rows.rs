//! What is tried, and what must come of it.

use serde_json::{Value, json};

use crate::issuer::{ALICE, BOB, MALLORY, Person};
use crate::server::WELCOME_URI;

/// What must come of a row. The client has to see `saw` somewhere in its answer.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    /// Empty where mcp-authz is not asked.
    pub(crate) decision: &'static str,
    /// The stable reason code; not compared where there is none.
    pub(crate) reason: Option<&'static str>,
    pub(crate) saw: &'static str,
}

/// What a client does in a session.
pub(crate) enum Step {
    ListTools,
    Read(&'static str),
    Prompt(&'static str),
    Call(&'static str, Value),
}

impl Step {
    /// The JSON-RPC method, and the name or URI that goes with it.
    pub(crate) fn target(&self) -> (&'static str, &'static str) {
        match self {
            Self::ListTools => ("tools/list", ""),
            Self::Read(uri) => ("resources/read", uri),
            Self::Prompt(name) => ("prompts/get", name),
            Self::Call(tool, _) => ("tools/call", tool),
        }
    }
}

/// Which kind of token a session has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Good,
    None,
    /// Ended an hour ago.
    Expired,
    /// For another server.
    OtherAudience,
    /// With the issuer's name and key id, signed with a key of the caller's own.
    Forged,
}

/// The protocol era a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize` and a session, up to 2025-11-25.
    Legacy,
    /// `server/discover` and no session, 2026-07-28.
    Modern,
}

impl Era {
    /// The method with which a connection begins.
    pub(crate) fn opening(self) -> &'static str {
        match self {
            Self::Legacy => "initialize",
            Self::Modern => "server/discover",
        }
    }
}

/// One client session.
pub(crate) struct Session {
    /// As the table calls it.
    pub(crate) who: &'static str,
    pub(crate) person: Person,
    pub(crate) token: Token,
    pub(crate) scope: &'static str,
    pub(crate) era: Era,
    /// What must come of connecting; without it connecting has no row, but has to succeed.
    pub(crate) connect: Option<Expected>,
    pub(crate) steps: Vec<(Step, Expected)>,
}

/// The scope every session asks for.
const SCOPE: &str = "notes";

const fn allowed(saw: &'static str) -> Expected {
    Expected {
        decision: "allow",
        reason: None,
        saw,
    }
}

const fn denied(reason: &'static str, saw: &'static str) -> Expected {
    Expected {
        decision: "deny",
        reason: Some(reason),
        saw,
    }
}

const fn challenged(reason: &'static str, saw: &'static str) -> Expected {
    Expected {
        decision: "challenge",
        reason: Some(reason),
        saw,
    }
}

/// Every session, in order: later ones see the notes that earlier ones made.
pub(crate) fn sessions() -> Vec<Session> {
    let mut all = vec![engineer(), engineer_with_scope(), supporter()];
    all.extend(refused());
    all
}

fn engineer() -> Session {
    let note = |title| json!({"title": title, "text": "demo"});
    Session {
        who: "alice (engineering)",
        person: ALICE,
        token: Token::Good,
        scope: SCOPE,
        era: Era::Legacy,
        connect: Some(allowed("connected")),
        steps: vec![
            (
                Step::ListTools,
                allowed("5: create_note, delete_note, get_note, list_notes, whoami"),
            ),
            (Step::Read(WELCOME_URI), allowed("Welcome")),
            (Step::Prompt("summarize"), allowed("Summarize")),
            (Step::Call("list_notes", json!({})), allowed("1: groceries")),
            (
                Step::Call("create_note", note("plan")),
                allowed("created note 2"),
            ),
            (
                Step::Call("create_note", note("Secret plan")),
                denied("denied_by_rule", "isError"),
            ),
            (
                Step::Call("get_note", json!({"id": 2})),
                allowed("plan: demo"),
            ),
            (
                Step::Call("delete_note", json!({"id": 2})),
                challenged(
                    "insufficient_scope",
                    "403 insufficient_scope, scope notes:delete",
                ),
            ),
            // The same session goes on after a denial and after a challenge.
            (Step::Call("list_notes", json!({})), allowed("2: plan")),
        ],
    }
}

fn engineer_with_scope() -> Session {
    Session {
        who: "alice +notes:delete",
        scope: "notes notes:delete",
        connect: None,
        steps: vec![(
            Step::Call("delete_note", json!({"id": 2})),
            allowed("deleted note 2"),
        )],
        ..engineer()
    }
}

fn supporter() -> Session {
    Session {
        who: "bob (support)",
        person: BOB,
        era: Era::Modern,
        connect: Some(allowed("connected")),
        steps: vec![
            // The same server, and what he may use of it.
            (Step::ListTools, allowed("3: get_note, list_notes, whoami")),
            (
                Step::Call("get_note", json!({"id": 1})),
                allowed("groceries: milk"),
            ),
            // Each session pretends to be `admin` in a trusted header; none of that arrives.
            (
                Step::Call("whoami", json!({})),
                allowed("no token, subject=bob"),
            ),
            (
                Step::Call("create_note", json!({"title": "plan"})),
                denied("no_matching_rule", "isError"),
            ),
        ],
        ..engineer()
    }
}

/// Those who do not get as far as a session.
fn refused() -> Vec<Session> {
    let session = |who, person, token, expected| Session {
        who,
        person,
        token,
        connect: Some(expected),
        steps: Vec::new(),
        ..engineer()
    };
    vec![
        session(
            "mallory (no group)",
            MALLORY,
            Token::Good,
            denied("no_matching_rule", "error"),
        ),
        session(
            "no token",
            ALICE,
            Token::None,
            denied("missing_token", "401"),
        ),
        session(
            "expired token",
            ALICE,
            Token::Expired,
            denied("token_expired", "401 invalid_token"),
        ),
        session(
            "other audience",
            ALICE,
            Token::OtherAudience,
            denied("audience_mismatch", "401 invalid_token"),
        ),
        session(
            "forged token",
            ALICE,
            Token::Forged,
            denied("invalid_signature", "401 invalid_token"),
        ),
    ]
}
