//! Mistakes in a single field, as rows of a table.

use super::{ConfigMessage, Report};

/// When a field is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldFault {
    /// It is `true`.
    True,
    /// It is `false`; the default is `true`.
    False,
    /// It is not `true`: `false` or missing.
    NotTrue,
    /// It is present.
    Given,
    /// It has this value of an enumeration, by name and number.
    Is(&'static str, i64),
    /// It has any other value than this.
    IsNot(&'static str, i64),
}

/// The severity of a mistake.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weight {
    /// It is a mistake.
    Error,
    /// It may be intended.
    Warning,
}

/// One mistake: the path of the field, when it is wrong, its severity, its consequence, and what to
/// write instead.
pub(super) type Row = (&'static str, FieldFault, Weight, &'static str, &'static str);

/// Checks a message against a table.
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
