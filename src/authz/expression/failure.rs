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
    /// Explains the cause in words, and again without any text of the request. `references` are
    /// those of the expression.
    pub(super) fn tell(
        &self,
        variables: &Variables<'_>,
        references: &[Reference],
    ) -> (String, String) {
        let same = |text: String| (text.clone(), text);
        let error = match self {
            Failure::TooMuch => {
                return same("there are too many values for nested loops".to_owned());
            }
            Failure::NotTrueOrFalse => return same("it is neither true nor false".to_owned()),
            Failure::Error(error) => error,
        };
        if let ExecutionError::UndeclaredReference(name) = error {
            return match lookup(name, references) {
                Some(lookup) => variables.why_missing(lookup),
                None => same(format!("there is no `{name}`")),
            };
        }
        let read = read(references);
        let of = |text: String| format!("{text}{read}");
        if let ExecutionError::NoSuchKey(key) = error {
            let told = format!("there is no key `{}`", key.escape_debug());
            return (of(told), of("there is no such key".to_owned()));
        }
        if let ExecutionError::NoSuchOverload(error) = error {
            let name = error.function().trim_matches('_');
            return same(of(format!("`{name}` is not defined for this value")));
        }
        if let ExecutionError::FunctionError { function, message } = error {
            let is_ours = function == COMPARISON;
            return if is_ours {
                same(of(message.clone()))
            } else {
                let told = format!("`{function}`: {message}");
                (of(told), of(format!("`{function}` has no result")))
            };
        }
        // Other errors would reveal the values.
        same(of(
            "the operation is not defined for these values".to_owned()
        ))
    }
}

/// The most variables that are named.
const READ_MAX: usize = 3;

/// The variables that an expression reads, as the end of a text.
fn read(references: &[Reference]) -> String {
    let mut names: Vec<String> = Vec::new();
    for reference in references {
        if let Reference::Lookup(lookup) = reference {
            let name = lookup.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let more = if names.len() > READ_MAX { ", …" } else { "" };
    names.truncate(READ_MAX);
    format!(" (`if` reads {}{more})", names.join(", "))
}

fn lookup<'r>(name: &str, references: &'r [Reference]) -> Option<&'r Lookup> {
    match references.get(reference_number(name)?)? {
        Reference::Lookup(lookup) => Some(lookup),
        Reference::Constant(_) => None,
    }
}
