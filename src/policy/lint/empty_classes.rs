//! Warns of classes that only some of the servers of a rule have.

use super::context::Lint;
use crate::authz::{Expression, HintedClass, NameKind, Rule, Sense, UNCLASSIFIED, What};
use crate::policy::silence::EMPTY_CLASS;
use crate::yaml::quoted;

impl Lint<'_> {
    /// A class that one of several named servers lacks: the rule reaches nothing there.
    pub(super) fn look_at_empty_classes(&mut self, rule: &Rule) {
        let Some(what) = &rule.what else { return };
        for class in what.classes.iter().flatten() {
            if let Some((message, help)) = self.lacking_class(what, class) {
                self.warn(rule, &["what", "classes"], EMPTY_CLASS, &message, &help);
            }
        }
        let tests = rule
            .expression
            .as_ref()
            .map_or(&[][..], Expression::name_tests);
        // A condition that also names the server says where the class is.
        if tests.iter().any(|test| test.kind == NameKind::Server) {
            return;
        }
        let classes = tests.iter().filter(|test| {
            test.kind == NameKind::Class
                && test.is_sole
                && test.is_exact()
                && test.sense == Sense::Holds
        });
        for test in classes {
            if let Some(found) = self.lacking_class(what, &test.text) {
                self.warn_in_condition(rule, test.column, EMPTY_CLASS, found);
            }
        }
    }

    /// What to say of a class that some of the servers that a block names have, and others do not.
    fn lacking_class(&self, what: &What, class: &str) -> Option<(String, String)> {
        if class == UNCLASSIFIED {
            return None;
        }
        let named = what.servers.iter().flatten().map(|server| &**server);
        let named: Vec<&str> = named.filter(|server| what.covers_server(server)).collect();
        let (having, lacking): (Vec<&str>, Vec<&str>) = named
            .into_iter()
            .partition(|server| self.may_have(server, class));
        if having.is_empty() || lacking.is_empty() {
            return None;
        }
        let message = format!(
            "no tool of {} can be in the class `{class}`: the rule reaches nothing there",
            quoted(&lacking)
        );
        let help = format!(
            "the class is one of {}; name the servers in a rule each, with their own classes",
            quoted(&having)
        );
        Some((message, help))
    }

    /// Whether a tool of a server may be in a class, by a table or by trusted annotations.
    fn may_have(&self, server: &str, class: &str) -> bool {
        let hinted = || HintedClass::ALL.iter().any(|own| own.name() == class);
        let mut tables = self.policy.tables().filter(|(own, _)| &***own == server);
        self.untold.iter().any(|own| own == server)
            || (self.context.hints.trusts(server) && hinted())
            || tables.any(|(_, table)| {
                let exact = table.exact().map(|(_, own)| own);
                let mut all = exact.chain(table.patterns().map(|(_, own)| own));
                all.any(|own| &**own == class)
            })
    }
}
