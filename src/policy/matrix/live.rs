//! The tools that a running service has seen in the lists of servers, and their rows.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What a running service has seen in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTools {
    /// Where and when that was read.
    pub read: LiveRead,
    /// The tools by server.
    pub tools: BTreeMap<String, Vec<LiveTool>>,
}

/// A tool that was in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTool {
    /// Its name.
    pub name: String,
    /// Whether every call of it is refused because it is not recorded.
    pub is_refused: bool,
}

/// Where and when the tools of a running service were read, and what else there is to know of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRead {
    /// The URL.
    pub url: String,
    /// When.
    pub at: Timestamp,
    /// The revision of the policy that the service has in force.
    pub policy_revision: String,
    /// Servers of which lists have shown more tools than the service told.
    pub truncated: Vec<String>,
    /// Servers of which the service has seen no list.
    pub unseen: Vec<String>,
    /// Servers that the service does not have.
    pub absent: Vec<String>,
    /// Tools whose calls the service refuses because their description changed, with their servers.
    pub changed: Vec<(String, String)>,
    /// Tools whose names cannot be called, with their servers. They have no row.
    pub uncallable: Vec<(String, String)>,
}

/// Why a tool has a row only because a running service has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveRow {
    /// The policy decides about it.
    Judged,
    /// It is not recorded, and its server has such tools refused.
    Refused,
}

/// How many tools a remark names.
const NAMED_MAX: usize = 20;
/// How many characters of a name a remark has.
const NAME_CHARS_MAX: usize = 80;

/// As much of a name as a remark has: a server may choose names of any length.
fn beginning(name: &str) -> String {
    let mut text: String = name.chars().take(NAME_CHARS_MAX).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}

impl LiveRead {
    /// What a reader has to know beside the rows: one sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let servers = |servers: &[String], what: &str| {
            (!servers.is_empty()).then(|| format!("{}: {what}", servers.join(", ")))
        };
        let tools = |tools: &[(String, String)], what: &str| {
            let names = tools.iter().take(NAMED_MAX);
            let names = names.map(|(server, tool)| format!("{} on {server}", beginning(tool)));
            let mut names: Vec<String> = names.collect();
            let more = tools.len().saturating_sub(NAMED_MAX);
            names.extend((more > 0).then(|| format!("{more} more")));
            (!names.is_empty()).then(|| format!("{}: {what}", names.join(", ")))
        };
        let remarks = [
            servers(&self.truncated, "lists have shown more tools than these"),
            servers(&self.unseen, "the service has seen no list yet"),
            servers(&self.absent, "the service does not have this server"),
            tools(
                &self.changed,
                "the description has changed, so the service refuses it until that is accepted",
            ),
            tools(
                &self.uncallable,
                "listed, but no call can have this name, so it has no row",
            ),
        ];
        remarks.into_iter().flatten().collect()
    }
}
