//! Warns of groups and scopes in policy tests that are probably misspelt.

use super::usage::named;
use crate::authz::Policy;
use crate::policy::silence::UNKNOWN_GROUP;
use crate::policy::testing::Suite;
use crate::yaml::Findings;

/// How many letters a name may differ from the one that was probably meant.
const SLIPS_MAX: usize = 2;

/// Warns of callers with a group or scope that is nearly one of the rules' names.
pub(super) fn misspelt(suite: &Suite, policy: &Policy) -> Findings {
    let (groups, scopes) = named(policy);
    let mut findings = suite.findings().clone();
    let tests = suite.tests().iter();
    for test in tests.filter(|test| !test.silence.contains(&UNKNOWN_GROUP)) {
        let subject = &test.request.subject;
        for (held, known) in [(&subject.groups, &groups), (&subject.scopes, &scopes)] {
            for name in held.iter().filter(|name| !known.contains(&***name)) {
                let near = |other: &&&str| strsim::damerau_levenshtein(name, other) <= SLIPS_MAX;
                let Some(near) = known.iter().find(near) else {
                    continue;
                };
                let message = format!("no rule names `{name}`");
                let help = format!("did you mean `{near}`?");
                findings.lint(&test.place, UNKNOWN_GROUP, message, help);
            }
        }
    }
    findings
}
