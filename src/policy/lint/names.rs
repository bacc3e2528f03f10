//! Warns of conditions that compare with tools which no record and no class table has.

use std::collections::BTreeSet;

use super::context::Lint;
use super::usage::{TOOLS_CALL, is_call};
use crate::authz::{
    Expression, Glob, NameCase, NameKind, NameTest, ResourceKind, Rule, ToolClasses, What,
};
use crate::policy::document::span_at;
use crate::policy::silence::UNKNOWN_TOOL;
use crate::yaml::suggestion;

/// The tools of the servers that a rule applies to, as far as they are known.
struct Tools<'l> {
    /// The names in records, and those that tables name exactly.
    names: BTreeSet<&'l str>,
    /// The tables of servers without a record, whose patterns stand for tools.
    tables: Vec<&'l ToolClasses>,
}

impl Tools<'_> {
    /// Whether some tool may pass a test.
    fn may_pass(&self, test: &NameTest) -> bool {
        let by_pattern = |table: &&ToolClasses| {
            let mut patterns = table.patterns();
            patterns.any(|(glob, _)| !test.is_exact() || glob.matches(&test.text))
        };
        self.names.iter().any(|name| test.accepts(name)) || self.tables.iter().any(by_pattern)
    }
}

impl<'l> Lint<'l> {
    /// Whether some test of a name is at fault by itself.
    pub(super) fn look_at_name_tests(&mut self, rule: &Rule) -> bool {
        let Some(condition) = &rule.expression else {
            return false;
        };
        let tests = condition.name_tests().iter();
        let is_name = |test: &&NameTest| test.kind == NameKind::Name && test.is_sole;
        let tests: Vec<&NameTest> = tests
            .filter(is_name)
            .filter(|test| may_be_of_a_call(condition, test))
            .collect();
        let what = rule.what.as_ref();
        if tests.is_empty() || what.is_some_and(|what| !may_be_about_tools(what)) {
            return false;
        }
        let mut is_at_fault = false;
        let tools = self.tools_of(what);
        for test in tests {
            let selected = what.and_then(|what| what.tools.as_deref());
            let may_be = |glob: &Glob| match glob.exact() {
                Some(tool) => test.accepts(tool),
                None => !test.is_exact() || glob.matches(&test.text),
            };
            let is_selected = selected.is_none_or(|globs| globs.iter().any(may_be));
            match &tools {
                Some(tools) if !tools.may_pass(test) => {
                    is_at_fault = true;
                    let message = if test.is_exact() {
                        format!("no known tool has the name `{}`", test.text)
                    } else {
                        format!("no known tool passes the test against `{}`", test.text)
                    };
                    let known: Vec<&str> = tools.names.iter().copied().collect();
                    let help = suggestion(&test.text, &known);
                    let is_sure = tools.tables.is_empty() && what.is_some_and(is_about_tools);
                    self.tell(rule, test.column, is_sure, (message, help));
                }
                Some(_) | None if !is_selected => {
                    is_at_fault = true;
                    let message = if test.is_exact() {
                        format!("the rule does not apply to `{}`", test.text)
                    } else {
                        let text = &test.text;
                        format!("no tool of the rule passes the test against `{text}`")
                    };
                    let help = "`tools` of the rule does not match it".to_owned();
                    self.tell(rule, test.column, false, (message, help));
                }
                Some(_) | None => {}
            }
        }
        is_at_fault
    }

    /// The tools of all servers that a rule applies to; `None` if nothing is known of one of them.
    fn tools_of(&self, what: Option<&What>) -> Option<Tools<'l>> {
        let (context, policy) = (self.context, self.policy);
        let tables = || policy.tables().map(|(server, table)| (&**server, table));
        let configured = context.issuers.of_servers.keys().map(String::as_str);
        let mut servers: BTreeSet<&str> = configured.collect();
        servers.extend(context.tools.keys().map(String::as_str));
        servers.extend(tables().map(|(server, _)| server));
        servers.retain(|server| what.is_none_or(|what| what.covers_server(server)));
        let mut tools = Tools {
            names: BTreeSet::new(),
            tables: Vec::new(),
        };
        for server in servers {
            let table = tables()
                .find(|(own, _)| *own == server)
                .map(|(_, table)| table);
            let exact = table.into_iter().flat_map(ToolClasses::exact);
            tools.names.extend(exact.map(|(name, _)| &**name));
            let is_indirect = context.indirect.contains_key(server);
            match context.tools.get(server) {
                Some(recorded) if !is_indirect => {
                    tools.names.extend(recorded.iter().map(String::as_str));
                }
                // The record does not have the tools that others call.
                Some(_) | None => tools.tables.push(table?),
            }
        }
        (!tools.names.is_empty() || !tools.tables.is_empty()).then_some(tools)
    }

    /// Points to the text of a test: an error where the comparison can never hold.
    pub(super) fn tell(
        &mut self,
        rule: &Rule,
        column: Option<usize>,
        is_sure: bool,
        (message, help): (String, String),
    ) {
        if !is_sure {
            self.warn_in_condition(rule, column, UNKNOWN_TOOL, (message, help));
            return;
        }
        let node = self.place(rule, &["if"], UNKNOWN_TOOL);
        if let (Some(node), Some(condition)) = (node, &rule.expression) {
            let span = span_at(column, condition.as_str(), node, &self.findings);
            self.findings.error_at(node.source, span, message, help);
        }
    }
}

/// Whether a test is one of those that a tool call has to pass in some case.
fn may_be_of_a_call(condition: &Expression, test: &NameTest) -> bool {
    let has_test = |case: &&NameCase| {
        let mut tests = case.facts.iter().flat_map(|fact| &fact.tests);
        tests.any(|own| own.column == test.column)
    };
    let may_be_a_call = |case: &NameCase| {
        let mut facts = case.facts.iter();
        facts.all(|fact| fact.kind != NameKind::Method || fact.accepts(TOOLS_CALL))
    };
    let mut cases = condition.name_cases().iter().filter(has_test).peekable();
    cases.peek().is_none() || cases.any(may_be_a_call)
}

/// Whether a rule applies to tool calls and nothing else.
pub(super) fn is_about_tools(what: &What) -> bool {
    let methods = what.methods.as_deref();
    methods.is_some_and(|methods| methods.iter().all(is_call))
        || what.kinds() == [ResourceKind::Tool]
}

/// Whether a rule may apply to a tool call.
fn may_be_about_tools(what: &What) -> bool {
    let kinds = what.kinds();
    (kinds.is_empty() || kinds.contains(&ResourceKind::Tool))
        && what
            .methods
            .as_deref()
            .is_none_or(|methods| methods.iter().any(is_call))
}
