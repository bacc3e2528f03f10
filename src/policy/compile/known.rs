//! The names that rules may use, of tables and of the configuration.

use std::collections::HashMap;

use crate::authz::{HintedClass, UNCLASSIFIED};
use crate::policy::context::CompileContext;
use crate::policy::document::ToolTable;
use crate::policy::layer::Layer;
use crate::yaml::{self, Findings, Node};

/// The names that rules may use.
pub(super) struct KnownNames<'c> {
    pub(super) servers: Option<&'c [String]>,
    /// The classes of each server with a table or with trusted annotations.
    pub(super) classes: HashMap<String, Vec<String>>,
    /// Servers of teams without usable files, which may have had a table.
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
        let untold = layers.iter().filter(|layer| layer.files.is_none());
        let untold = untold.filter_map(|layer| layer.team);
        KnownNames {
            servers: context.servers.as_deref(),
            classes,
            untold: untold.flat_map(|team| team.servers.clone()).collect(),
        }
    }

    /// Whether the classes of one of these servers are not known at the moment.
    pub(super) fn lacks_classes_of(&self, about: impl Fn(&str) -> bool) -> bool {
        self.untold.iter().any(|server| about(server))
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
        if self.lacks_classes_of(about) {
            return;
        }
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
                suggestion(name, known),
            );
        }
    }
}

/// The nearest of some names, which may be in any order and have repeats.
pub(super) fn suggestion(name: &str, mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    yaml::suggestion(name, &known)
}
