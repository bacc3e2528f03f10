//! The names that rules may use, of tables and of the configuration.

use std::collections::HashMap;

use crate::authz::{HintedClass, UNCLASSIFIED};
use crate::policy::context::CompileContext;
use crate::policy::document::ToolTable;
use crate::policy::layer::Layer;
use crate::yaml::{self, Data, Findings, Node, Source};

/// The names that rules may use.
pub(super) struct KnownNames<'c> {
    pub(super) servers: Option<&'c [String]>,
    /// The classes of each server with a table or with trusted annotations.
    pub(super) classes: HashMap<String, Vec<String>>,
    /// Servers of teams without usable files of which no table was ever known. They deny everything.
    untold: Vec<String>,
}

impl<'c> KnownNames<'c> {
    pub(super) fn new(
        tables: &[ToolTable<'_>],
        layers: &[Layer<'_>],
        context: &'c CompileContext,
    ) -> Self {
        let name = |node: &Node| node.as_str().unwrap_or_default().to_owned();
        let table = |table: &ToolTable<'_>| {
            let classes = table.classes.iter().map(|(class, _)| name(class)).collect();
            (name(table.server), classes)
        };
        let mut classes: HashMap<String, Vec<String>> = tables.iter().map(table).collect();
        for server in context.hints.servers() {
            let own = classes.entry(server.to_owned()).or_default();
            own.extend(HintedClass::ALL.map(|class| class.name().to_owned()));
        }
        let mut untold = Vec::new();
        for layer in layers.iter().filter(|layer| layer.files.is_none()) {
            let Some(team) = layer.team else { continue };
            let last: Option<Vec<_>> = layer.last.map(|last| last.iter().map(tables_of).collect());
            let is_told = last
                .as_ref()
                .is_some_and(|last| last.iter().all(Option::is_some));
            if !is_told {
                let has_table = |server: &&String| classes.contains_key(*server);
                untold.extend(team.servers.iter().filter(|one| !has_table(one)).cloned());
            }
            for (server, class) in last.into_iter().flatten().flatten().flatten() {
                if team.has(&server) {
                    classes.entry(server).or_default().push(class);
                }
            }
        }
        KnownNames {
            servers: context.servers.as_deref(),
            classes,
            untold,
        }
    }

    /// Whether a rule about these servers decides nothing at the moment: all of them deny everything,
    /// and their classes are not known. A rule that is about any other server too has to name classes
    /// that are known: it would lose one without anybody being told.
    pub(super) fn are_untold(&self, about: impl Fn(&str) -> bool) -> bool {
        let is_untold = |server: &String| self.untold.contains(server);
        let is_all = |all: &[String]| all.iter().all(|one| !about(one) || is_untold(one));
        self.untold.iter().any(|server| about(server)) && self.servers.is_some_and(is_all)
    }

    /// What to say of a class that no table has.
    pub(super) fn class_help(&self, name: &str, known: Vec<&str>) -> String {
        if self.untold.is_empty() {
            return suggestion(name, known);
        }
        format!(
            "the classes of {} are not known while the files of their team cannot be used; {}",
            yaml::quoted(&self.untold),
            suggestion(name, known)
        )
    }

    pub(super) fn check_server(&self, node: &Node, findings: &mut Findings) {
        let name = node.as_str().filter(|name| !name.is_empty());
        let (Some(name), Some(servers)) = (name, self.servers) else {
            return;
        };
        if !servers.iter().any(|server| server == name) {
            let known = servers.iter().map(String::as_str).collect();
            findings.error(
                node,
                format!("unknown server `{name}`"),
                suggestion(name, known),
            );
        }
    }

    /// A class must exist on some server that the rule applies to.
    pub(super) fn check_class(&self, node: &Node, servers: &[&str], findings: &mut Findings) {
        let checkable = |name: &&str| !name.is_empty() && *name != UNCLASSIFIED;
        let Some(name) = node.as_str().filter(checkable) else {
            return;
        };
        let about = |server: &str| servers.is_empty() || servers.contains(&server);
        let tables = self.classes.iter().filter(|(server, _)| about(server));
        let mut known: Vec<&str> = tables
            .flat_map(|(_, classes)| classes)
            .map(String::as_str)
            .collect();
        if !known.contains(&name) {
            known.push(UNCLASSIFIED);
            findings.error(
                node,
                format!("unknown class `{name}`"),
                self.class_help(name, known),
            );
        }
    }
}

/// The servers and classes of the tables in a file; none if it is no YAML.
fn tables_of(source: &Source) -> Option<Vec<(String, String)>> {
    let mut findings = Findings::new();
    let id = findings.add_source(source.clone());
    let tree = yaml::parse(id, &mut findings)?;
    let entries = |node: &Node| match &node.data {
        Data::Map(entries) => entries.clone(),
        Data::Null
        | Data::Bool(_)
        | Data::Int(_)
        | Data::Float(_)
        | Data::String(_)
        | Data::List(_) => Vec::new(),
    };
    let mut found = Vec::new();
    for (server, classes) in tree.member("tools").map(entries).unwrap_or_default() {
        for (class, _) in entries(&classes) {
            if let (Some(server), Some(class)) = (server.as_str(), class.as_str()) {
                found.push((server.to_owned(), class.to_owned()));
            }
        }
    }
    Some(found)
}

/// The nearest of some names, which may be in any order and have repeats.
pub(super) fn suggestion(name: &str, mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    yaml::suggestion(name, &known)
}
