//! Mistakes that one field tells, as rows of a table.

use super::{ConfigMessage, Report};

/// When a field is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldFault {
    /// It is `true`.
    True,
    /// It is `false`; without it, it is `true`.
    False,
    /// It is not `true`: `false` or not there.
    NotTrue,
    /// It is there.
    Given,
    /// It has this value of an enumeration, by name and number.
    Is(&'static str, i64),
    /// It has any other value than this.
    IsNot(&'static str, i64),
}

/// How much it weighs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weight {
    /// It is a mistake.
    Error,
    /// It may be meant.
    Warning,
}

/// One mistake: the field with dots between the messages it is in, when it is wrong, what comes of
/// it, and what to write instead.
pub(super) type Row = (&'static str, FieldFault, Weight, &'static str, &'static str);

/// Holds a message against a table.
pub(super) fn look(at: ConfigMessage<'_>, rows: &[Row], report: &mut Report) {
    for (path, when, weight, says, write) in rows {
        let field = at.at(path);
        let is_true = field.is_some_and(|field| field.truth() == Some(true));
        let is_wrong = match when {
            FieldFault::True => is_true,
            FieldFault::False => field.is_some_and(|field| field.truth() == Some(false)),
            FieldFault::NotTrue => !is_true,
            FieldFault::Given => field.is_some(),
            FieldFault::Is(name, number) => at.has_choice(path, name, *number),
            FieldFault::IsNot(name, number) => !at.has_choice(path, name, *number),
        };
        if !is_wrong {
            continue;
        }
        match (weight, field) {
            (Weight::Error, Some(field)) => report.error(field, *says, write),
            (Weight::Error, None) => report.missing(at, *says, write),
            (Weight::Warning, Some(field)) => report.warn(field, *says, write),
            (Weight::Warning, None) => report.warn_missing(at, *says, write),
        }
    }
}
