//! Why an expression has no result, in words.

use cel::ExecutionError;

use super::facts::{Facts, Reading};
use super::outside::COMPARISON;
use super::prepare::{Reference, reference_number};

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments or claims hold more than the loops may look at.
    TooMuch,
    /// The result is something else.
    NotTrueOrFalse,
    /// It has come to an error.
    Error(ExecutionError),
}

impl Failure {
    /// `references` are those of the expression.
    pub(super) fn tell(&self, facts: &Facts<'_>, references: &[Reference]) -> String {
        let error = match self {
            Failure::TooMuch => return "there are too many values for loops in loops".to_owned(),
            Failure::NotTrueOrFalse => return "it is neither true nor false".to_owned(),
            Failure::Error(error) => error,
        };
        if let ExecutionError::UndeclaredReference(name) = error {
            return match reading(name, references) {
                Some(reading) => facts.why_missing(reading),
                None => format!("there is no `{name}`"),
            };
        }
        if let ExecutionError::NoSuchKey(key) = error {
            return format!("there is no key `{}`", key.escape_debug());
        }
        if let ExecutionError::NoSuchOverload(error) = error {
            let name = error.function().trim_matches('_');
            return format!("`{name}` is not defined for such a value");
        }
        if let ExecutionError::FunctionError { function, message } = error {
            let is_ours = function == COMPARISON;
            return if is_ours {
                message.clone()
            } else {
                format!("`{function}`: {message}")
            };
        }
        // Others would show the values.
        "what it does is not defined for these values".to_owned()
    }
}

fn reading<'r>(name: &str, references: &'r [Reference]) -> Option<&'r Reading> {
    match references.get(reference_number(name)?)? {
        Reference::Reading(reading) => Some(reading),
        Reference::Constant(_) => None,
    }
}
