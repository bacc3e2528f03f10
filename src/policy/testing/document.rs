//! Decodes files of policy tests, and the requests and subjects that commands read.

mod expectation;
mod request;
mod subject;
mod values;

pub use subject::sample_subject;

use super::caller::SampleCaller;
use super::context::SampleContext;
use super::expectation::{ExpectedOutcome, Test};
use super::request::{SampleAsk, SampleRequest};
use crate::policy::document::method_fault;
use crate::policy::silence::silenced;
use crate::yaml::{self, Fields, Findings, Node, Source, list, string};

/// The reason for which a method outside the protocol is denied.
const UNKNOWN_METHOD: &str = "unknown_method";

/// Reads `tests` of one file.
pub(super) fn read_tests(
    root: &Node,
    context: &SampleContext,
    findings: &mut Findings,
) -> Vec<Test> {
    let Some(mut fields) = Fields::open(root, "a file of policy tests", findings) else {
        return Vec::new();
    };
    let mut tests = Vec::new();
    fields.required("tests", findings, |node, findings| {
        list(node, findings, |node, findings| {
            tests.extend(read_test(node, context, findings));
            Some(())
        })
    });
    fields.finish(findings);
    tests
}

fn read_test(node: &Node, context: &SampleContext, findings: &mut Findings) -> Option<Test> {
    let mut fields = Fields::open(node, "a test", findings)?;
    let name = fields.required("name", findings, |node, findings| {
        Some((node.clone(), string(node, findings)?))
    });
    let request = fields.required("request", findings, |node, findings| {
        request::read_request(node, context, findings)
    });
    let listed = match request.as_ref().map(|request| &request.ask) {
        Some(SampleAsk::List(listed)) => Some(*listed),
        Some(SampleAsk::Message { .. } | SampleAsk::Bare(_)) | None => None,
    };
    let silence = fields
        .optional("silence", findings, silenced)
        .unwrap_or_default();
    let whole = request.is_some();
    let expected = fields.required("expect", findings, |node, findings| {
        let read = expectation::read_expect(node, findings)?;
        if whole && listed.is_some() != matches!(read, ExpectedOutcome::List { .. }) {
            let help = "`visible` and `hidden` go with `list`, everything else without it";
            findings.error(node, "the expectation does not go with the request", help);
        }
        Some(read)
    });
    fields.finish(findings);
    refuse_method(node, expected.as_ref(), findings);
    let (name_node, name) = name?;
    Some(Test {
        silence,
        name,
        place: name_node,
        request: request?,
        expected: expected?,
    })
}

/// Refuses a method that nobody sends, unless the test is about that.
fn refuse_method(test: &Node, expected: Option<&ExpectedOutcome>, findings: &mut Findings) {
    let method = test
        .member("request")
        .and_then(|node| node.member("method"));
    let (Some(method), Some(ExpectedOutcome::Call(expected))) = (method, expected) else {
        return;
    };
    let reason = expected.reason.as_ref();
    if reason.is_some_and(|reason| reason.value == UNKNOWN_METHOD) {
        return;
    }
    if let Some(fault) = method.as_str().and_then(method_fault) {
        let help = format!(
            "{}; a test of it expects `reason: {UNKNOWN_METHOD}`",
            fault.help
        );
        findings.error(method, fault.message, help);
    }
}

/// Reads one request: a mapping as in a test, or one under the key `request`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_request(source: Source, context: &SampleContext) -> Result<SampleRequest, Findings> {
    read_file(source, |root, findings| {
        let node = root.member("request").unwrap_or(root);
        request::read_request(node, context, findings)
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
        let mut fields = Fields::open(root, "a file of subjects", findings)?;
        let subjects = fields.required("subjects", findings, |node, findings| {
            list(node, findings, |node, findings| {
                subject::read_caller(node, context, findings)
            })
        });
        fields.finish(findings);
        subjects
    })
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
