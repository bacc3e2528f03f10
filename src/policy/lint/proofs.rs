//! Warns of tests that pass whatever the rules say.

use serde_json::Value as Json;

use super::context::Lint;
use crate::authz::{Decision, DenialReason, Effect, Glob, Mode, Names, Policy, Rule, What};
use crate::mcp::ListKind;
use crate::policy::silence::{UNKNOWN_ARGUMENT, VACUOUS_TEST};
use crate::policy::testing::{ExpectedOutcome, SampleAsk, Test};
use crate::policy::testing::{OutcomeName, Suite};
use crate::yaml::{Findings, Node, suggestion};

impl Lint<'_> {
    /// Tests that prove nothing, and arguments in tests that are nearly ones of the tool.
    pub(super) fn vacuous(&self, suite: &Suite, findings: &mut Findings) {
        for test in suite.tests() {
            if !test.silence.contains(&VACUOUS_TEST) {
                self.look_at_proof(test, findings);
            }
            if !test.silence.contains(&UNKNOWN_ARGUMENT) {
                self.look_at_sent(test, findings);
            }
        }
    }

    fn look_at_proof(&self, test: &Test, findings: &mut Findings) {
        let server = test.request.server.as_str();
        match &test.expected {
            ExpectedOutcome::List { visible, hidden } => {
                let SampleAsk::List(kind) = test.request.ask else {
                    return;
                };
                // Beside something that is shown, a name that is made up says what is not.
                let is_proof = !visible.is_empty()
                    || hidden
                        .iter()
                        .any(|name| self.knows(server, kind, &name.value));
                for name in hidden {
                    if let Some(help) = self.unknown_name(server, kind, &name.value, is_proof) {
                        report(&name.place, &name.value, &help, findings);
                    }
                }
            }
            ExpectedOutcome::Call(expected) => {
                let decision = expected.decision.as_ref().map(|one| one.value);
                let denies = decision == Some(OutcomeName::Deny)
                    || (decision.is_none() && expected.reason.is_some());
                if !denies || expected.rule.is_some() {
                    return;
                }
                let place = expected.decision.as_ref().map(|one| &one.place);
                let is_decided = || is_denied_by_a_rule(test, self.policy);
                let is_bare = expected.reason.is_none() && !self.is_allowed_something(server);
                if is_bare && !is_decided() {
                    let message =
                        format!("no rule allows anything on `{server}`, whatever is asked");
                    let help = "a test that expects `deny` proves something beside one that expects `allow`";
                    findings.lint(place.unwrap_or(&test.place), VACUOUS_TEST, message, help);
                    return;
                }
                let SampleAsk::Message { method, params } = &test.request.ask else {
                    return;
                };
                let kind = match method.as_str() {
                    "tools/call" => ListKind::Tools,
                    "prompts/get" => ListKind::Prompts,
                    _ => return,
                };
                let Some(name) = params.get("name").and_then(Json::as_str) else {
                    return;
                };
                let has_reason = expected.reason.is_some();
                if let Some(help) = self.unknown_name(server, kind, name, has_reason) {
                    report(&test.place, name, &help, findings);
                }
            }
        }
    }

    fn knows(&self, server: &str, kind: ListKind, name: &str) -> bool {
        self.unknown_name(server, kind, name, false).is_none()
    }

    /// What to say of a name that no tool, rule or snapshot has. `only_near`: it may be made up.
    fn unknown_name(
        &self,
        server: &str,
        kind: ListKind,
        name: &str,
        only_near: bool,
    ) -> Option<String> {
        let globs: Vec<&Glob> = self.globs(server, kind);
        let exact = globs.iter().filter_map(|glob| glob.exact());
        let mut known: Vec<&str> = exact.map(|name| &**name).collect();
        let recorded = self.context.tools.get(server);
        let recorded = recorded.filter(|_| kind == ListKind::Tools);
        known.extend(recorded.into_iter().flatten().map(String::as_str));
        known.sort_unstable();
        known.dedup();
        if known.contains(&name) {
            return None;
        }
        let is_matched = recorded.is_none() && globs.iter().any(|glob| glob.matches(name));
        let help = suggestion(name, &known);
        let is_near = help.starts_with("did you mean");
        let is_about_names = kind == ListKind::Tools;
        let is_unknown = is_about_names && !is_matched && !only_near;
        (is_near || is_unknown).then_some(help)
    }

    /// The patterns of rules and class tables over names of a kind on a server.
    fn globs(&self, server: &str, kind: ListKind) -> Vec<&Glob> {
        let rules = self.policy.rules().iter();
        let whats = rules.filter_map(|rule| rule.what.as_ref());
        let whats = whats.filter(|what| what.covers_server(server));
        let each = whats.flat_map(|what| [Some(what), what.not.as_deref()]);
        let each = each.flatten();
        let mut globs: Vec<&Glob> = each.flat_map(|what| named(what, kind)).collect();
        if kind == ListKind::Tools {
            globs.extend(
                self.tables
                    .iter()
                    .filter(|(own, _)| own == server)
                    .map(|(_, glob)| glob),
            );
        }
        globs
    }

    fn is_allowed_something(&self, server: &str) -> bool {
        let covers = |rule: &Rule| {
            let what = rule.what.as_ref();
            let names: Option<&Names> = what.and_then(|what| what.servers.as_ref());
            names.is_none_or(|names| names.iter().any(|name| **name == *server))
        };
        let mut rules = self.policy.rules().iter();
        rules.any(|rule| rule.effect == Effect::Allow && rule.mode == Mode::Enforce && covers(rule))
    }

    /// Arguments in a test that are nearly ones of its tool: what is tested then is their absence.
    fn look_at_sent(&self, test: &Test, findings: &mut Findings) {
        let SampleAsk::Message { method, params } = &test.request.ask else {
            return;
        };
        let name = params.get("name").and_then(Json::as_str);
        let arguments = params.get("arguments").and_then(Json::as_object);
        let (Some(name), Some(arguments), "tools/call") = (name, arguments, method.as_str()) else {
            return;
        };
        let tools = self.context.arguments.get(&test.request.server);
        let Some(declared) = tools.and_then(|tools| tools.get(name)) else {
            return;
        };
        let known: Vec<&str> = declared.names().collect();
        for sent in arguments.keys().filter(|sent| !declared.has(sent)) {
            let help = suggestion(sent, &known);
            let is_other_spelling = known.iter().any(|known| known.eq_ignore_ascii_case(sent));
            if help.starts_with("did you mean") && !is_other_spelling {
                let message = format!("`{name}` declares no argument `{sent}`");
                findings.lint(&test.place, UNKNOWN_ARGUMENT, message, help);
            }
        }
    }
}

fn report(place: &Node, name: &str, help: &str, findings: &mut Findings) {
    let message =
        format!("no tool, rule or snapshot knows `{name}`, so this holds whatever rules say");
    findings.lint(place, VACUOUS_TEST, message, help);
}

fn named(what: &What, kind: ListKind) -> &[Glob] {
    match kind {
        ListKind::Tools => what.tools.as_deref().unwrap_or_default(),
        ListKind::Prompts => what.prompts.as_deref().unwrap_or_default(),
        ListKind::Resources | ListKind::Templates | ListKind::Tasks => &[],
    }
}

/// Whether a rule decides the test, and not the lack of one.
fn is_denied_by_a_rule(test: &Test, policy: &Policy) -> bool {
    let decision = test.request.decide(policy).map(|found| found.decision);
    match decision {
        Ok(Decision::Deny(denial)) => denial.reason != DenialReason::NoMatchingRule,
        Ok(Decision::Allow(_) | Decision::Limit(_) | Decision::Challenge(_)) | Err(_) => true,
    }
}
