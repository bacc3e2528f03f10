//! One request under evaluation: what selectors and expressions are judged over.

use super::classified::{Class, ClassifiedRequest};
use super::expression::{Expression, Variables};
use super::matching::Match;
use super::request::{AccessRequest, Resource};
use super::selectors::Why;
use super::uri::UriCell;

/// One request under evaluation.
pub(super) struct Call<'a> {
    pub(super) target: ClassifiedRequest<'a>,
    pub(super) variables: Variables<'a>,
}

impl<'a> Call<'a> {
    /// A call whose class is known already.
    pub(super) fn of_class(class: Class<'a>, request: &'a AccessRequest<'a>) -> Self {
        let target = ClassifiedRequest {
            request,
            class,
            arguments_open: false,
            uri: UriCell::default(),
        };
        Call {
            target,
            variables: Variables::new(request, class.known()),
        }
    }

    /// What an expression says. One that reads what is not decided yet says nothing yet, and one
    /// that reads a class that cannot be told cannot be evaluated, even if it only asks whether
    /// there is one.
    pub(super) fn judge(&self, expression: &Expression) -> Match {
        let is_template = matches!(self.target.request.resource, Resource::Template(_));
        let is_open = self.target.arguments_open
            && (expression.reads_call() || (is_template && expression.reads_uri()));
        if is_open {
            return Match::Unknown;
        }
        if self.target.class == Class::Unknown && expression.reads_class() {
            return Match::Indeterminate;
        }
        expression.evaluate(&self.variables)
    }

    /// What is said of purpose and behaviour. Where the arguments are open, so is what was not
    /// read of the windows.
    pub(super) fn judge_why(&self, why: &Why) -> Match {
        let request = self.target.request;
        let found = why.matches(request);
        let is_open = self.target.arguments_open && found == Match::Indeterminate;
        if is_open && why.lacks_reading(request) {
            return Match::Unknown;
        }
        found
    }
}
