//! Runs one test: asks the policy, compares, and explains what differs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::expectation::{Expectation, ExpectedCall, ExpectedOutcome, Test};
use super::report::SuiteReport;
use super::request::{SampleAsk, Unasked};
use super::wording::{NamedDecision, narrate, narrate_fault};
use crate::authz::{self, Effect, Policy, Rule, Rules};
use crate::mcp::ListKind;
use crate::yaml::{Node, quoted, suggestion};

/// One test under way.
pub(super) struct RunningTest<'r> {
    pub(super) test: &'r Test,
    pub(super) report: &'r mut SuiteReport,
    pub(super) failures: Vec<String>,
}

impl RunningTest<'_> {
    pub(super) fn run(&mut self, policy: &Policy) {
        let test = self.test;
        self.look_for_limits(policy);
        match &test.expected {
            ExpectedOutcome::Call(expected) => self.run_call(policy, expected),
            ExpectedOutcome::List { visible, hidden } => {
                let SampleAsk::List(listed) = test.request.ask else {
                    return;
                };
                for (names, shown) in [(visible, true), (hidden, false)] {
                    for name in names {
                        self.look(policy, listed, name, shown);
                    }
                }
            }
        }
    }

    /// Looks whether the limits that are said to be exhausted are there.
    fn look_for_limits(&mut self, policy: &Policy) {
        let team = self.test.team.as_ref().map(|team| format!("{team}/"));
        let own = |id: &str| team.as_ref().map(|team| format!("{team}{id}"));
        let is_limit = |rule: &&Rule| matches!(rule.effect, Effect::Limit(_) | Effect::Open(_));
        let limits = policy.rules().iter().filter(is_limit);
        let limits: Vec<&str> = limits.map(|rule| &*rule.id).collect();
        let mut unknown: Vec<&str> = Vec::new();
        for id in &self.test.request.situation.exhausted {
            // Those of a team are there twice, with its name and without.
            let bare = team.as_deref().and_then(|team| id.strip_prefix(team));
            let id = bare.unwrap_or(id);
            let known = limits.contains(&id) || own(id).is_some_and(|id| limits.contains(&&*id));
            if !known && !unknown.contains(&id) {
                unknown.push(id);
            }
        }
        for id in unknown {
            let message = format!("`exhausted`: the policy has no limit `{id}`");
            let help = suggestion(id, &limits);
            self.fail(&self.test.place, &message, &[help]);
        }
    }

    fn look(&mut self, policy: &Policy, listed: ListKind, name: &Expectation<String>, shown: bool) {
        let call = self.test.request.calling(listed, &name.value);
        let seen = call.ask(policy, |request| {
            let by = authz::showing_or_hiding(policy, request);
            (authz::is_visible(policy, request), by)
        });
        let words = |shown| if shown { "visible" } else { "hidden" };
        if let Ok((_, by)) = &seen {
            self.report.reached.extend(by.iter().cloned());
        }
        match seen {
            Ok((seen, _)) if seen == shown => {}
            Ok((seen, by)) => {
                let by = if by.is_empty() {
                    "by no rule".to_owned()
                } else {
                    format!("by {}", quoted(&by))
                };
                let (wanted, seen) = (words(shown), words(seen));
                let message = format!("expected {wanted}, got {seen} {by}");
                let explained = call.ask(policy, |request| authz::explain(policy, request));
                let lines = explained.map_or(Vec::new(), |explained| narrate(&explained, None));
                self.fail(&name.place, &message, &lines);
            }
            Err(error) => self.fail(&name.place, &error.to_string(), &[]),
        }
    }

    fn run_call(&mut self, policy: &Policy, expected: &ExpectedCall) {
        let ExpectedCall {
            decision,
            reason,
            rule,
            scopes,
            headers,
        } = expected;
        let asked = self.test.request.decide(policy);
        let mut given = Vec::new();
        let (named, rules, why) = match asked {
            Ok(evaluation) => {
                self.report.reached.extend(evaluation.rules.iter().cloned());
                self.reach_shadow(policy);
                given = evaluation.assigned.headers;
                (
                    NamedDecision::of(&evaluation.decision),
                    evaluation.rules,
                    None,
                )
            }
            Err(Unasked::Rejected(why)) => (NamedDecision::REJECTED, Vec::new(), Some(why)),
            Err(error @ Unasked::Several(_)) => {
                return self.fail(&self.test.place, &error.to_string(), &[]);
            }
        };
        let mut wrong: Vec<(&Node, String)> = Vec::new();
        if let Some(one) = decision.as_ref().filter(|one| one.value != named.outcome) {
            wrong.push((
                &one.place,
                expected_got(one.value.word(), &named.to_string()),
            ));
        }
        if let Some(one) = reason
            .as_ref()
            .filter(|one| named.reason != Some(&*one.value))
        {
            let got = named.reason.unwrap_or_default();
            wrong.push((&one.place, expected_got(&one.value, got)));
        }
        let rule = rule.as_ref().map(|one| self.named_rule(policy, one));
        if let Some(one) = &rule {
            let message = compare_rule(policy, one, &rules);
            wrong.extend(message.map(|message| (&one.place, message)));
        }
        if let Some(one) = scopes {
            let sorted = |scopes: &[String]| scopes.iter().cloned().collect::<BTreeSet<_>>();
            if sorted(&one.value) != sorted(&named.scopes) {
                let got = named.scopes.join(" ");
                wrong.push((&one.place, expected_got(&one.value.join(" "), &got)));
            }
        }
        wrong.extend(compare_headers(headers, &given));
        let lines = match why {
            _ if wrong.is_empty() => return,
            Some(why) => vec![why],
            None => self.explain(policy, rule.as_ref().map(|rule| rule.value.as_str())),
        };
        // Where the decision itself is another, the rest follows from it.
        let most = if decision
            .as_ref()
            .is_some_and(|one| one.value != named.outcome)
        {
            1
        } else {
            wrong.len()
        };
        for (place, message) in wrong.into_iter().take(most) {
            self.fail(place, &message, &lines);
        }
    }

    /// The rule that is meant: a team calls its rules by the ids in its files.
    fn named_rule(&self, policy: &Policy, wanted: &Expectation<String>) -> Expectation<String> {
        let team = self.test.team.as_ref();
        let own = team.map(|team| format!("{team}/{}", wanted.value));
        let own = own.filter(|id| policy.rules().iter().any(|rule| *rule.id == **id));
        Expectation {
            place: wanted.place.clone(),
            value: own.unwrap_or_else(|| wanted.value.clone()),
        }
    }

    /// A shadow rule is reached where it matches: it decides nothing.
    fn reach_shadow(&mut self, policy: &Policy) {
        if !policy.has_shadow() {
            return;
        }
        let rehearsed = self.test.request.ask_all(policy, |all, _| {
            let all = all.iter();
            all.flat_map(|request| authz::rehearse(policy, request, Rules::All).shadow)
                .collect::<Vec<_>>()
        });
        self.report.reached.extend(rehearsed.unwrap_or_default());
    }

    /// Looks at every rule, so only where something is wrong.
    fn explain(&self, policy: &Policy, expected_rule: Option<&str>) -> Vec<String> {
        let explained = self.test.request.ask_all(policy, |all, fault| {
            let explained = all.iter().map(|request| authz::explain(policy, request));
            let mut lines: Vec<String> = explained
                .flat_map(|explained| narrate(&explained, expected_rule))
                .collect();
            lines.extend(fault.map(narrate_fault));
            lines
        });
        explained.unwrap_or_default()
    }

    fn fail(&mut self, place: &Node, message: &str, lines: &[String]) {
        let message = format!("test `{}`: {message}", self.test.name);
        let explanation = lines.join("\n");
        self.report
            .failures
            .error(place, message.as_str(), explanation.as_str());
        let whole = if explanation.is_empty() {
            message
        } else {
            format!("{message}\n{explanation}")
        };
        self.failures.push(whole);
    }
}

/// The headers that are not set as wanted.
fn compare_headers<'t>(
    wanted: &'t [(String, Expectation<String>)],
    given: &[(Arc<str>, Option<String>)],
) -> Vec<(&'t Node, String)> {
    let value = |name: &str| {
        let set = given.iter().find(|(given, _)| **given == *name);
        set.and_then(|(_, value)| value.as_deref())
            .unwrap_or("nothing")
    };
    let wrong = wanted.iter().filter(|(name, one)| value(name) != one.value);
    wrong
        .map(|(name, one)| {
            let message = expected_got(&format!("{name}: {}", one.value), value(name));
            (&one.place, message)
        })
        .collect()
}

/// What is wrong with the rules that decided, if one other than the wanted one did.
fn compare_rule(
    policy: &Policy,
    wanted: &Expectation<String>,
    rules: &[Arc<str>],
) -> Option<String> {
    if rules.iter().any(|id| **id == *wanted.value) {
        return None;
    }
    if !policy.rules().iter().any(|rule| *rule.id == *wanted.value) {
        return Some(format!("the policy has no rule `{}`", wanted.value));
    }
    let got: Vec<&str> = rules.iter().map(|id| &**id).collect();
    Some(expected_got(&wanted.value, &got.join(", ")))
}

fn expected_got(expected: &str, got: &str) -> String {
    let got = if got.is_empty() { "nothing" } else { got };
    format!("expected `{expected}`, got `{got}`")
}
