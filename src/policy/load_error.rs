//! Why a policy was not put into force.

use std::sync::Arc;

use super::files::ReadPolicyError;
use crate::yaml::Findings;

/// How many findings logs and readiness list.
const LINES_MAX: usize = 100;

/// Why a policy was not put into force.
#[derive(Debug, thiserror::Error)]
pub enum LoadPolicyError {
    /// Its files could not be read.
    #[error(transparent)]
    Read(#[from] Arc<ReadPolicyError>),
    /// It has errors.
    #[error("the policy has {}", .0.total())]
    Invalid(Findings),
    /// It fails its tests.
    #[error("the policy fails its tests in {} place(s)", .0.len())]
    Tests(Findings),
    /// A newer policy superseded it.
    #[error("the policy was replaced while its tests ran")]
    Replaced,
}

impl LoadPolicyError {
    /// One line for each fault; after the first hundred, only how many more there are.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            LoadPolicyError::Read(_) | LoadPolicyError::Replaced => vec![self.to_string()],
            LoadPolicyError::Invalid(findings) | LoadPolicyError::Tests(findings) => {
                finding_lines(findings)
            }
        }
    }
}

impl From<ReadPolicyError> for LoadPolicyError {
    fn from(error: ReadPolicyError) -> Self {
        LoadPolicyError::Read(Arc::new(error))
    }
}

/// One line for each finding; after the first hundred, only how many more there are.
pub(super) fn finding_lines(findings: &Findings) -> Vec<String> {
    let mut lines = findings.first_lines(LINES_MAX);
    let beyond = findings.len().saturating_sub(lines.len());
    if beyond > 0 {
        lines.push(format!("and {beyond} more"));
    }
    lines
}
