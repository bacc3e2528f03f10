//! Dates in texts.

use crate::authz::value::Value;

/// An ISO 8601 date, alone or followed by a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Date {
    day: jiff::civil::Date,
    has_time: bool,
}

impl Date {
    /// Parses the date that a text spells.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let (day, time) = text.split_at_checked(10)?;
        let is_plain = day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let is_time = |byte: u8| byte.is_ascii_digit() || b":.+-TtZz ".contains(&byte);
        let has_time = !time.is_empty();
        let good = is_plain
            && (!has_time || time.starts_with(['T', 't', ' ']))
            && time.bytes().all(is_time);
        Some(Date {
            day: good.then(|| day.parse().ok()).flatten()?,
            has_time,
        })
    }

    /// Servers that read dates accept many forms, including numbers of seconds or milliseconds.
    /// Only another day in the plainest form is a different date to all of them.
    pub(super) fn is_far_from(self, value: &Value<'_>) -> bool {
        match value {
            Value::String(text) => match Date::of(text) {
                Some(other) if self.has_time || other.has_time => {
                    let apart = self.day.duration_since(other.day).abs();
                    // Two offsets may move a time by more than a day.
                    apart > jiff::SignedDuration::from_hours(48)
                }
                Some(other) => self.day != other.day,
                None => !text.chars().any(char::is_numeric),
            },
            Value::List(items) => items.iter().all(|item| self.is_far_from(item)),
            Value::Map(members) => members.iter().all(|(name, value)| {
                self.is_far_from(&Value::of_text(name)) && self.is_far_from(value)
            }),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Unsound(_) => false,
        }
    }
}
