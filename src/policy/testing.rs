//! Policy tests (SPEC §3.6): questions with the answers that the author wants, asked of the same
//! evaluation that the server runs.
//!
//! The tests of a policy are found by [`super::read_tests`]. They are run before a policy is taken
//! into force, and a policy that fails one is not.

mod document;
mod narration;
mod request;
mod subject;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use narration::{Named, effect_name, match_name, narrate, narrate_rule};
pub use request::{Listed, SampleAsk, SampleRequest, Unasked};

use crate::authz::{self, Policy, Subject};
use crate::yaml::{self, Findings, Node, Source};

/// What sample requests may take for granted.
#[derive(Debug, Clone, Default)]
pub struct SampleContext {
    /// The configured server names; without them, names are not checked.
    pub servers: Option<Vec<String>>,
    /// The issuer of subjects that do not name one.
    pub issuer: String,
}

/// Somebody who might call, for previews.
#[derive(Debug, Clone)]
pub struct SampleCaller {
    /// What a reader calls them.
    pub name: String,
    /// Who they are, taken as proved.
    pub subject: Subject,
    /// When they call.
    pub at: jiff::Timestamp,
    /// Where they call from; none: anywhere.
    pub from: Option<std::net::IpAddr>,
    /// The TLS peer.
    pub peer: Option<String>,
}

impl SampleCaller {
    /// Their call of one tool.
    #[must_use]
    pub fn calling(&self, server: &str, tool: &str) -> SampleRequest {
        let blank = SampleRequest {
            server: server.to_owned(),
            subject: self.subject.clone(),
            ask: SampleAsk::List(Listed::Tools),
            at: self.at,
            from: self.from,
            peer: self.peer.clone(),
            session: None,
            protocol_version: None,
            host: "localhost".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
        };
        blank.calling(Listed::Tools, tool)
    }
}

/// The tests of one or more files.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The files, and what is wrong with them.
    findings: Findings,
    tests: Vec<Test>,
}

/// One question with its answer.
#[derive(Debug, Clone)]
pub(super) struct Test {
    silence: Vec<&'static str>,
    name: String,
    place: Node,
    request: SampleRequest,
    expected: Expected,
}

#[derive(Debug, Clone)]
enum Expected {
    Call(Box<ExpectedCall>),
    List {
        visible: Vec<Expectation<String>>,
        hidden: Vec<Expectation<String>>,
    },
}

/// What is not said may be anything.
#[derive(Debug, Clone)]
struct ExpectedCall {
    decision: Option<Expectation<OutcomeName>>,
    reason: Option<Expectation<String>>,
    rule: Option<Expectation<String>>,
    scopes: Option<Expectation<Vec<String>>>,
}

/// A value and where it is expected.
#[derive(Debug, Clone)]
struct Expectation<T> {
    place: Node,
    value: T,
}

/// How a request can end, as tests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeName {
    /// Forwarded.
    Allow,
    /// Refused by the policy.
    Deny,
    /// Sent back for more.
    Challenge,
    /// Refused before the policy is asked.
    Reject,
}

impl OutcomeName {
    const ALL: [OutcomeName; 4] = [
        OutcomeName::Allow,
        OutcomeName::Deny,
        OutcomeName::Challenge,
        OutcomeName::Reject,
    ];

    /// The word in a test file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            OutcomeName::Allow => "allow",
            OutcomeName::Deny => "deny",
            OutcomeName::Challenge => "challenge",
            OutcomeName::Reject => "reject",
        }
    }
}

/// How the tests of a policy came out.
#[derive(Debug, Clone)]
pub struct Report {
    /// One for each test, in order.
    pub cases: Vec<CaseReport>,
    /// Every expectation that was not met, where it is written.
    pub failures: Findings,
    /// The rules that determined the decision of some test.
    pub reached: BTreeSet<Arc<str>>,
}

/// How one test came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The file it is in.
    pub file: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// Each expectation that was not met, with the explanation. Empty: it passed.
    pub failures: Vec<String>,
}

impl Suite {
    /// Reads the files. No files are no tests.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn read(sources: &[Source], context: &SampleContext) -> Result<Self, Findings> {
        let mut findings = Findings::new();
        let mut tests: Vec<Test> = Vec::new();
        for source in sources {
            let id = findings.add_source(source.clone());
            let Some(root) = yaml::parse(id, &mut findings) else {
                continue;
            };
            for test in document::read_tests(&root, context, &mut findings) {
                if tests.iter().any(|other| other.name == test.name) {
                    let message = format!("there is another test named `{}`", test.name);
                    findings.error(&test.place, message, "names tell failures apart");
                }
                tests.push(test);
            }
        }
        if findings.has_errors() {
            return Err(findings);
        }
        Ok(Suite { findings, tests })
    }

    /// How many tests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Warns of callers with a group or scope that no rule names, but for a slip of the pen.
    pub(super) fn misspelt(&self, policy: &Policy, lint: &'static str) -> Findings {
        let (groups, scopes) = super::lint::named(policy);
        let mut findings = self.findings.clone();
        for test in self
            .tests
            .iter()
            .filter(|test| !test.silence.contains(&lint))
        {
            let subject = &test.request.subject;
            for (held, known) in [(&subject.groups, &groups), (&subject.scopes, &scopes)] {
                for name in held.iter().filter(|name| !known.contains(&***name)) {
                    let near = |other: &&&str| strsim::damerau_levenshtein(name, other) <= 2;
                    let Some(near) = known.iter().find(near) else {
                        continue;
                    };
                    let message = format!("no rule knows `{name}`");
                    findings.lint(
                        &test.place,
                        lint,
                        message,
                        format!("did you mean `{near}`?"),
                    );
                }
            }
        }
        findings
    }

    /// Asks the policy every question.
    #[must_use]
    pub fn run(&self, policy: &Policy) -> Report {
        let mut report = Report {
            cases: Vec::new(),
            failures: self.findings.clone(),
            reached: BTreeSet::new(),
        };
        for test in &self.tests {
            let mut case = Case {
                test,
                report: &mut report,
                failures: Vec::new(),
            };
            case.run(policy);
            let failures = case.failures;
            let file = self.findings.name(test.place.source).to_owned();
            let line = self.findings.line(&test.place);
            report.cases.push(CaseReport {
                name: test.name.clone(),
                file,
                line,
                failures,
            });
        }
        report
    }
}

/// Reads one request: a mapping as in a test, or one under the key `request`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_request(source: Source, context: &SampleContext) -> Result<SampleRequest, Findings> {
    read_file(source, |root, findings| {
        let node = root.member("request").unwrap_or(root);
        document::read_request(node, context, findings)
    })
}

/// Reads `subjects`: a list of subjects with names.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_subjects(
    source: Source,
    context: &SampleContext,
) -> Result<Vec<SampleCaller>, Findings> {
    read_file(source, |root, findings| {
        let mut fields = yaml::Fields::open(root, "a file of subjects", findings)?;
        let subjects = fields.required("subjects", findings, |node, findings| {
            yaml::list(node, findings, |node, findings| {
                document::read_caller(node, &context.issuer, findings)
            })
        });
        fields.finish(findings);
        subjects
    })
}

/// A subject with nothing but what is given, for previews.
#[must_use]
pub fn sample_subject(id: &str, issuer: &str) -> Subject {
    let assumed = subject::AssumedSubject {
        id: Some(id.to_owned()),
        ..Default::default()
    };
    assumed.assume(issuer)
}

fn read_file<T>(
    source: Source,
    read: impl FnOnce(&Node, &mut Findings) -> Option<T>,
) -> Result<T, Findings> {
    let mut findings = Findings::new();
    let id = findings.add_source(source);
    let read = yaml::parse(id, &mut findings).and_then(|root| read(&root, &mut findings));
    match read {
        Some(value) if !findings.has_errors() => Ok(value),
        Some(_) | None => Err(findings),
    }
}

/// One test under way.
struct Case<'r> {
    test: &'r Test,
    report: &'r mut Report,
    failures: Vec<String>,
}

impl Case<'_> {
    fn run(&mut self, policy: &Policy) {
        let test = self.test;
        match &test.expected {
            Expected::Call(expected) => self.run_call(policy, expected),
            Expected::List { visible, hidden } => {
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

    fn look(&mut self, policy: &Policy, listed: Listed, name: &Expectation<String>, shown: bool) {
        let call = self.test.request.calling(listed, &name.value);
        let seen = call.ask(|request| authz::is_visible(policy, request));
        let words = |shown| if shown { "visible" } else { "hidden" };
        match seen {
            Ok(seen) if seen == shown => {}
            Ok(seen) => {
                let message = format!("expected {}, got {}", words(shown), words(seen));
                let explained = call.ask(|request| authz::explain(policy, request));
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
        } = expected;
        let asked = self
            .test
            .request
            .ask(|request| authz::evaluate(policy, request));
        let (named, rules, why) = match asked {
            Ok(evaluation) => {
                self.report.reached.extend(evaluation.rules.iter().cloned());
                (Named::of(&evaluation.decision), evaluation.rules, None)
            }
            Err(Unasked::Rejected(why)) => (Named::REJECTED, Vec::new(), Some(why)),
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
        if let Some(one) = rule {
            wrong.extend(compare_rule(policy, one, &rules).map(|message| (&one.place, message)));
        }
        if let Some(one) = scopes {
            let sorted = |scopes: &[String]| scopes.iter().cloned().collect::<BTreeSet<_>>();
            if sorted(&one.value) != sorted(&named.scopes) {
                let got = named.scopes.join(" ");
                wrong.push((&one.place, expected_got(&one.value.join(" "), &got)));
            }
        }
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

    /// Looks at every rule, so only where something is wrong.
    fn explain(&self, policy: &Policy, expected_rule: Option<&str>) -> Vec<String> {
        let explained = self
            .test
            .request
            .ask(|request| authz::explain(policy, request));
        explained.map_or(Vec::new(), |explained| narrate(&explained, expected_rule))
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

#[cfg(test)]
mod tests;
