//! Checks the names that conditions compare with: a name that no table knows never matches.

use std::sync::Arc;

use super::known::{KnownNames, suggestion};
use super::written::written_fault;
use crate::authz::{Expression, MethodPattern, NameKind, NameTest, UNCLASSIFIED, What};
use crate::mcp::{LEGACY_REVISIONS, METHODS, MODERN_REVISION};
use crate::policy::context::CompileContext;
use crate::policy::document::{RuleDocument, span_at};
use crate::policy::teams::TeamSettings;
use crate::yaml::{Findings, Node};

/// What stands for a method where a request has none of MCP's.
const OTHER_METHODS: [&str; 4] = ["GET", "DELETE", "OPTIONS", "response"];

/// What conditions are compared with, beside the tables.
struct Known<'c> {
    names: &'c KnownNames<'c>,
    context: &'c CompileContext,
    /// The methods that rules name.
    methods: Vec<&'c MethodPattern>,
}

/// Checks the names in the conditions of all rules.
pub(super) fn check_conditions(
    rules: &[(Option<&TeamSettings>, Vec<RuleDocument<'_>>)],
    names: &KnownNames<'_>,
    context: &CompileContext,
    findings: &mut Findings,
) {
    let rules = || rules.iter().flat_map(|(_, rules)| rules);
    let whats = rules().filter_map(|rule| rule.what.as_ref());
    let methods = whats.filter_map(|what| what.what.methods.as_deref());
    let known = Known {
        names,
        context,
        methods: methods.flatten().collect(),
    };
    for rule in rules() {
        let (Some(condition), Some(node)) = (&rule.condition, rule.node.member("if")) else {
            continue;
        };
        let what = rule.what.as_ref().map(|what| &what.what);
        let mut said = Vec::new();
        for test in condition.name_tests() {
            let is_accepted = findings.has_odd_name(node.source, &test.text);
            let fault = known
                .fault(test, what)
                .or_else(|| written_fault(test, is_accepted));
            // One text may be compared with several fields.
            let Some(fault) = fault.map(|fault| (test.column, fault)) else {
                continue;
            };
            if !said.contains(&fault) {
                error_at(node, condition, test, fault.1.clone(), findings);
                said.push(fault);
            }
        }
    }
}

fn error_at(
    node: &Node,
    condition: &Expression,
    test: &NameTest,
    (message, help): (String, String),
    findings: &mut Findings,
) {
    let span = span_at(test.column, condition.as_str(), node, findings);
    findings.error_at(node.source, span, message, help);
}

impl Known<'_> {
    /// Why no name passes a test, and what would.
    fn fault(&self, test: &NameTest, what: Option<&What>) -> Option<(String, String)> {
        if !test.is_sole {
            return None;
        }
        match test.kind {
            NameKind::Class => self.class_fault(test, what),
            NameKind::Server => self.server_fault(test, what),
            NameKind::Method => self.method_fault(test),
            NameKind::Issuer => {
                let names = &self.context.issuers.names;
                if names.is_empty() {
                    return None;
                }
                unknown("issuer", test, names.iter().map(String::as_str).collect())
            }
            NameKind::Revision => revision_fault(test),
            // Which tools a server has is known of a moment; a lint compares them, and the names of
            // callers with those of other rules.
            NameKind::Name
            | NameKind::Uri
            | NameKind::Subject
            | NameKind::Agent
            | NameKind::Tenant
            | NameKind::Group
            | NameKind::Role
            | NameKind::Scope
            | NameKind::Peer
            | NameKind::Fact
            | NameKind::Argument => None,
        }
    }

    fn class_fault(&self, test: &NameTest, what: Option<&What>) -> Option<(String, String)> {
        let is_about = |server: &str| what.is_none_or(|what| what.covers_server(server));
        if self.names.are_untold(is_about) {
            return None;
        }
        let tables = self.names.classes.iter();
        let tables = tables.filter(|(server, _)| is_about(server));
        let mut known: Vec<&str> = tables
            .flat_map(|(_, classes)| classes)
            .map(String::as_str)
            .collect();
        known.push(UNCLASSIFIED);
        let selected = what.and_then(|what| what.classes.as_deref());
        let help = || self.names.class_help(&test.text, known.clone());
        let fault = unknown("class", test, known.clone());
        let fault = fault.map(|(message, _)| (message, help()));
        fault.or_else(|| excluded("classes", test, selected))
    }

    fn server_fault(&self, test: &NameTest, what: Option<&What>) -> Option<(String, String)> {
        let selected = what.and_then(|what| what.servers.as_deref());
        let names = self.names.servers;
        let fault = names
            .and_then(|names| unknown("server", test, names.iter().map(String::as_str).collect()));
        fault.or_else(|| excluded("servers", test, selected))
    }

    fn method_fault(&self, test: &NameTest) -> Option<(String, String)> {
        let is_named = self.methods.iter().any(|pattern| match pattern {
            MethodPattern::Exact(name) => test.accepts(name),
            // A method under the prefix may pass a test of a part.
            MethodPattern::Under(prefix) => !test.is_exact() || test.text.starts_with(&**prefix),
        });
        if is_named {
            return None;
        }
        let methods = METHODS.iter().map(|method| method.name);
        unknown("method", test, methods.chain(OTHER_METHODS).collect())
    }
}

/// The fault of a test that no known name passes.
fn unknown(what: &str, test: &NameTest, known: Vec<&str>) -> Option<(String, String)> {
    if known.iter().any(|name| test.accepts(name)) {
        return None;
    }
    let message = if test.is_exact() {
        format!("unknown {what} `{}`", test.text)
    } else {
        format!("no known {what} passes the test against `{}`", test.text)
    };
    Some((message, suggestion(&test.text, known)))
}

/// The fault of a test that nothing passes to which the rule applies.
fn excluded(key: &str, test: &NameTest, selected: Option<&[Arc<str>]>) -> Option<(String, String)> {
    let selected = selected?;
    if selected.iter().any(|name| test.accepts(name)) {
        return None;
    }
    let message = format!("the rule does not apply to `{}`", test.text);
    Some((message, format!("`{key}` of the rule does not have it")))
}

/// Revisions are dates, and there may be later ones.
fn revision_fault(test: &NameTest) -> Option<(String, String)> {
    let is_date = test.text.parse::<jiff::civil::Date>().is_ok();
    let is_later = is_date && test.text.as_str() > MODERN_REVISION;
    if !test.is_exact() || is_later {
        return None;
    }
    let known = LEGACY_REVISIONS.iter().copied().chain([MODERN_REVISION]);
    unknown("revision of the protocol", test, known.collect())
}
