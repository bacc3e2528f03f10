//! One request under evaluation: the input of selectors and expressions.

use super::classified::{Class, ClassifiedRequest};
use super::expression::{Expression, Variables};
use super::matching::Match;
use super::request::{AccessRequest, Resource};
use super::selectors::Why;
use super::uri::UriCell;

/// One request under evaluation: its class for the selectors, and its variables for the
/// expressions.
pub(super) struct Call<'a> {
    pub(super) target: ClassifiedRequest<'a>,
    pub(super) variables: Variables<'a>,
}

impl<'a> Call<'a> {
    /// A call whose class is already known.
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

    /// The result of an expression. It is unknown if the expression reads arguments that are not
    /// yet known. It is indeterminate if it reads an unknown class, even if it only tests whether
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

    /// The result of the selectors over purpose and behaviour. While the arguments are open, an
    /// unread window makes it unknown.
    pub(super) fn judge_why(&self, why: &Why) -> Match {
        let found = why.matches(&self.target);
        let is_open = self.target.arguments_open && found == Match::Indeterminate;
        if is_open && why.lacks_reading(&self.target) {
            return Match::Unknown;
        }
        found
    }
}
