//! Warns of global rules by class on servers whose classes a team decides.

use super::context::Lint;
use crate::authz::{Effect, Mode, Rule, What};
use crate::policy::silence::TEAM_TABLE;
use crate::yaml::quoted;

impl Lint<'_> {
    /// A team that moves a tool to another class takes it out of a global rule.
    pub(super) fn look_at_owners(&mut self, rule: &Rule) {
        let is_global = |id: &str| self.places.get(id).is_some_and(|place| !place.is_of_team);
        if rule.effect == Effect::Allow || rule.mode != Mode::Enforce || !is_global(&rule.id) {
            return;
        }
        let what = rule.what.as_ref();
        let has_classes = |what: &What| {
            let not = what.not.as_deref();
            what.classes.is_some() || not.is_some_and(|not| not.classes.is_some())
        };
        let expression = rule.expression.as_ref();
        let way: &[&str] = if what.is_some_and(has_classes) {
            &["what", "classes"]
        } else if expression.is_some_and(crate::authz::Expression::reads_class) {
            &["if"]
        } else {
            return;
        };
        let covers = |server: &str| what.is_none_or(|what| what.covers_server(server));
        let owned = self.owners.iter().filter(|(server, _)| covers(server));
        let (servers, mut teams): (Vec<&str>, Vec<&str>) = owned
            .map(|(server, team)| (server.as_str(), team.as_str()))
            .unzip();
        teams.dedup();
        if servers.is_empty() {
            return;
        }
        let message = format!(
            "which tools of {} the rule is about is up to the table of the team {}",
            quoted(&servers),
            quoted(&teams)
        );
        let help = "write the table into a global file, or grant the team only some `classes`";
        self.warn(rule, way, TEAM_TABLE, &message, help);
    }
}
