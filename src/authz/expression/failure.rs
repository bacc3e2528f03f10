//! Explains in words why an expression has no result.

use cel::ExecutionError;

use super::lookup::Lookup;
use super::outside::COMPARISON;
use super::precompute::{Reference, reference_number};
use super::variables::Variables;

/// The cause of having no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments or claims hold more values than the loops may iterate over.
    TooMuch,
    /// The result is not a boolean.
    NotTrueOrFalse,
    /// The evaluation failed.
    Error(ExecutionError),
}

impl Failure {
    /// Explains the cause in words. `references` are those of the expression.
    pub(super) fn tell(&self, variables: &Variables<'_>, references: &[Reference]) -> String {
        let error = match self {
            Failure::TooMuch => return "there are too many values for nested loops".to_owned(),
            Failure::NotTrueOrFalse => return "it is neither true nor false".to_owned(),
            Failure::Error(error) => error,
        };
        if let ExecutionError::UndeclaredReference(name) = error {
            return match lookup(name, references) {
                Some(lookup) => variables.why_missing(lookup),
                None => format!("there is no `{name}`"),
            };
        }
        if let ExecutionError::NoSuchKey(key) = error {
            return format!("there is no key `{}`", key.escape_debug());
        }
        if let ExecutionError::NoSuchOverload(error) = error {
            let name = error.function().trim_matches('_');
            return format!("`{name}` is not defined for this value");
        }
        if let ExecutionError::FunctionError { function, message } = error {
            let is_ours = function == COMPARISON;
            return if is_ours {
                message.clone()
            } else {
                format!("`{function}`: {message}")
            };
        }
        // Other errors would reveal the values.
        "the operation is not defined for these values".to_owned()
    }
}

fn lookup<'r>(name: &str, references: &'r [Reference]) -> Option<&'r Lookup> {
    match references.get(reference_number(name)?)? {
        Reference::Lookup(lookup) => Some(lookup),
        Reference::Constant(_) => None,
    }
}
