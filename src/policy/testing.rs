//! Policy tests: questions with the answers that the author wants, asked of the same
//! evaluation that the server runs.
//!
//! The tests of a policy are found by [`super::read_tests`]. They are run before a policy is taken
//! into force, and a policy that fails one is not.

mod case;
mod document;
mod narration;
mod request;
mod subject;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use narration::{Named, effect_name, match_name, narrate, narrate_rule, narrate_selector};
pub use request::{Listed, SampleAsk, SampleRequest, ToolDefaults, Unasked};

use crate::authz::{PeerNames, Policy, Subject, TrustedHints, UriForm};
use crate::yaml::{self, Findings, Node, Source};
use case::Case;

/// What sample requests may take for granted.
#[derive(Debug, Clone, Default)]
pub struct SampleContext {
    /// The configured server names; without them, names are not checked.
    pub servers: Option<Vec<String>>,
    /// The issuer of subjects that do not name one.
    pub issuer: String,
    /// What trusted annotations say of recorded tools.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, where it is not as usual.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools.
    pub defaults: Arc<ToolDefaults>,
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
    pub peer: Option<PeerNames>,
}

impl SampleCaller {
    /// Their call of one tool, where trusted annotations say this.
    #[must_use]
    pub fn calling(&self, server: &str, tool: &str, hints: &Arc<TrustedHints>) -> SampleRequest {
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
            situation: request::Situation {
                hints: Arc::clone(hints),
                ..request::Situation::default()
            },
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
    /// Headers that rules set; others may be set too.
    headers: Vec<(String, Expectation<String>)>,
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
        let mut names = HashSet::new();
        for source in sources {
            let id = findings.add_source(source.clone());
            let Some(root) = yaml::parse(id, &mut findings) else {
                continue;
            };
            for test in document::read_tests(&root, context, &mut findings) {
                if !names.insert(test.name.clone()) {
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
        self.ask_while(policy, || true).0
    }

    /// The same, for as long as it is wanted: `None` when it was not to the end.
    #[must_use]
    pub fn run_while(&self, policy: &Policy, is_wanted: impl Fn() -> bool) -> Option<Report> {
        let (report, is_whole) = self.ask_while(policy, is_wanted);
        is_whole.then_some(report)
    }

    fn ask_while(&self, policy: &Policy, is_wanted: impl Fn() -> bool) -> (Report, bool) {
        let mut report = Report {
            cases: Vec::new(),
            failures: self.findings.clone(),
            reached: BTreeSet::new(),
        };
        for test in &self.tests {
            if !is_wanted() {
                return (report, false);
            }
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
        (report, true)
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

#[cfg(test)]
mod tests;
