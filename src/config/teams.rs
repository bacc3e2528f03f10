//! `policies`, what is delegated to teams, and `state_dir`, where the last good policy is kept.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::reader::ConfigReader;
use super::silence::BESIDE_TEAMS;
use crate::check::ServerSettings;
use crate::policy::{LINTS, LastGoodSettings, OnError, TeamEffect, TeamSettings};
use crate::yaml::{self, Fields, Findings, Node};

/// How long the name of a team may be, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The key of the longest age, which says nothing without the directory.
const MAX_AGE: &str = "last_good_max_age";

impl ConfigReader<'_> {
    /// Reads what is delegated to teams, and where the last good policy is kept.
    pub(super) fn delegated(
        self,
        fields: &mut Fields<'_>,
        servers: Option<&[ServerSettings]>,
        findings: &mut Findings,
    ) -> (Vec<TeamSettings>, Option<LastGoodSettings>) {
        let teams = fields.optional("policies", findings, |node, findings| {
            self.teams(node, servers, findings)
        });
        (teams.unwrap_or_default(), self.last_good(fields, findings))
    }

    /// Reads `policies`. Without `servers`, which are wrong then, their names are not checked.
    fn teams(
        self,
        node: &Node,
        servers: Option<&[ServerSettings]>,
        findings: &mut Findings,
    ) -> Option<Vec<TeamSettings>> {
        let mut names: HashSet<String> = HashSet::new();
        let mut owners: HashMap<String, String> = HashMap::new();
        yaml::list(node, findings, |node, findings| {
            let team = self.team(node, findings)?;
            let place = node.member("name").unwrap_or(node);
            let is_alike = |name: &&String| name.eq_ignore_ascii_case(&team.name);
            if let Some(other) = names.iter().find(is_alike) {
                let message = format!("there is another team `{other}`");
                let help = "the ids of its rules begin with the name, and names that differ only in \
                            case are taken for each other";
                findings.error(place, message, help);
            }
            names.insert(team.name.clone());
            for node in node.member("servers").map_or(&[][..], Node::items) {
                let name = node.as_str().unwrap_or_default();
                let known = servers.into_iter().flatten();
                let known: Vec<&str> = known.map(|server| server.name.as_str()).collect();
                if servers.is_some() && !known.contains(&name) {
                    let message = format!("unknown server `{name}`");
                    findings.error(node, message, yaml::suggestion(name, &known));
                }
                if let Some(owner) = owners.insert(name.to_owned(), team.name.clone()) {
                    let message =
                        format!("the server `{name}` is one of the team `{owner}` already");
                    let help =
                        "a server has one team, so that no team's mistake is another's outage";
                    findings.error(node, message, help);
                }
            }
            Some(team)
        })
    }

    fn team(self, node: &Node, findings: &mut Findings) -> Option<TeamSettings> {
        let mut fields = Fields::open(node, "a team's policy", findings)?;
        let name = fields.required("name", findings, team_name);
        let files = fields.required("files", findings, yaml::string);
        let names = |node: &Node, findings: &mut Findings| yaml::list(node, findings, yaml::string);
        let servers = fields.required("servers", findings, names);
        let effects = TeamEffect::ALL.map(|effect| (effect.word(), effect));
        let effects = fields.optional("effects", findings, |node, findings| {
            yaml::list(node, findings, yaml::choice(&effects))
        });
        let classes = fields.optional("classes", findings, names);
        let headers = fields.optional("headers", findings, names);
        let metadata = fields.optional("metadata", findings, names);
        let silence = fields.optional("silence", findings, yaml::silence(LINTS, BESIDE_TEAMS));
        let words = [OnError::Keep, OnError::Deny].map(|it| (it.word(), it));
        let on_error = fields.optional("on_error", findings, yaml::choice(&words));
        fields.finish(findings);
        Some(TeamSettings {
            name: name?,
            files: self.path(&files?),
            servers: servers?,
            effects: effects.unwrap_or_else(|| TeamEffect::ALL.to_vec()),
            classes,
            headers: headers.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
            silence: silence.unwrap_or_default(),
            on_error: on_error.unwrap_or(OnError::Keep),
        })
    }

    /// Reads `state_dir` and `last_good_max_age`.
    fn last_good(
        self,
        fields: &mut Fields<'_>,
        findings: &mut Findings,
    ) -> Option<LastGoodSettings> {
        let dir = fields.optional("state_dir", findings, yaml::string);
        let node = fields.node_of(MAX_AGE);
        let span = yaml::duration(Duration::from_secs(1)..=Duration::from_hours(24 * 365));
        let max_age = node.and_then(|node| span(node, findings));
        let Some(dir) = dir else {
            if let Some(node) = node.filter(|_| !findings.has_errors()) {
                let help = "`state_dir` names the directory of the last good policy";
                findings.error(
                    node,
                    format!("`{MAX_AGE}` says nothing without `state_dir`"),
                    help,
                );
            }
            return None;
        };
        Some(LastGoodSettings {
            dir: self.path(&dir),
            max_age: max_age.unwrap_or(LastGoodSettings::MAX_AGE),
        })
    }
}

/// What the ids of rules may begin with.
fn team_name(node: &Node, findings: &mut Findings) -> Option<String> {
    let name = yaml::string(node, findings)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        let help = format!("letters, digits and `-_.`, at most {NAME_BYTES_MAX}");
        findings.error(node, format!("`{name}` cannot be the name of a team"), help);
        return None;
    }
    Some(name)
}

/// The teams, as the effective configuration has them.
pub(super) fn all_shown(teams: &[TeamSettings]) -> Option<Value> {
    given(teams).map(|teams| teams.iter().map(shown).collect())
}

/// A list that says something: an empty one is not read.
fn given<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}

fn shown(team: &TeamSettings) -> Value {
    let TeamSettings {
        name,
        files,
        servers,
        effects,
        classes,
        headers,
        metadata,
        silence,
        on_error,
    } = team;
    json!({
        "name": name,
        "files": files,
        "servers": servers,
        "effects": effects.iter().map(|effect| effect.word()).collect::<Vec<_>>(),
        "classes": classes,
        "headers": given(headers),
        "metadata": given(metadata),
        "silence": given(silence),
        "on_error": on_error.word(),
    })
}
