//! Numbers as servers read them.

use std::cmp::Ordering;

use crate::authz::matching::Match;
use crate::authz::value::Value;

/// From here on, not every integer has a double of its own.
const EXACT_MAX: u64 = 1 << 53;

/// The readings of a number: as written, as a double, and truncated to an integer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberReadings([Number; 3]);

/// A number that is compared exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

impl NumberReadings {
    /// The readings of a number; `None` for any other value.
    pub(crate) fn of(value: &Value<'_>) -> Option<Self> {
        let number = Number::of(value)?;
        let double = number.as_double();
        Some(NumberReadings([
            number,
            Number::of_double(double),
            Number::of_double(double.trunc()),
        ]))
    }

    /// Only the exact number, for all three readings.
    pub(crate) fn plain(self) -> Self {
        let NumberReadings([number, ..]) = self;
        NumberReadings([number; 3])
    }

    /// Compares it with another number; there is a result only if all readings agree.
    pub(crate) fn compare(self, other: Self, test: fn(Ordering) -> bool) -> Match {
        let mut results = self.0.iter().flat_map(|one| {
            other
                .0
                .iter()
                .map(|other| one.order(*other).is_some_and(test))
        });
        let first = results.next().unwrap_or(false);
        if results.all(|result| result == first) {
            Match::of(first)
        } else {
            Match::Indeterminate
        }
    }
}

impl Number {
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Number::Integer(i128::from(*number))),
            Value::Uint(number) => Some(Number::Integer(i128::from(*number))),
            Value::Float(number) => Some(Number::of_double(*number)),
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Unsound(_)
            | Value::List(_)
            | Value::Map(_) => None,
        }
    }

    /// A double that is integral and within the range of JSON integers becomes that integer.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked first"
    )]
    pub(super) fn of_double(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() < 1e20 {
            Number::Integer(number as i128)
        } else {
            Number::Float(number)
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "servers round in the same way")]
    fn as_double(self) -> f64 {
        match self {
            Number::Integer(number) => number as f64,
            Number::Float(number) => number,
        }
    }

    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(one), Number::Integer(other)) => Some(one.cmp(&other)),
            (Number::Integer(_) | Number::Float(_), _) => {
                self.as_double().partial_cmp(&other.as_double())
            }
        }
    }

    /// Whether every reading distinguishes two numbers: as doubles, by more than two where doubles
    /// are coarse, and truncated to integers.
    #[expect(clippy::float_cmp, reason = "servers compare doubles like this")]
    pub(super) fn is_far(self, other: Self) -> bool {
        let (one, two) = (self.as_double(), other.as_double());
        let is_coarse =
            one.abs().min(two.abs()) >= Number::Integer(i128::from(EXACT_MAX)).as_double();
        let apart = match (self, other) {
            (Number::Integer(one), Number::Integer(other)) if is_coarse => one.abs_diff(other) > 2,
            _ => true,
        };
        apart && one != two && one.trunc() != two.trunc()
    }

    /// The strings to which JavaScript, Java and Python convert it.
    pub(super) fn spellings(self) -> Vec<String> {
        let double = self.as_double();
        let mut spelled = match self {
            Number::Integer(number) => vec![number.to_string(), format!("{number}.0")],
            Number::Float(number) => vec![number.to_string()],
        };
        // Exponents: JavaScript from 1e21, Python from 1e16, Java from 1e7, and below about 1e-3.
        let scientific = format!("{double:e}");
        if let Some((digits, exponent)) = scientific.split_once('e') {
            let point = if digits.contains('.') { "" } else { ".0" };
            let (sign, size) = match exponent.strip_prefix('-') {
                Some(size) => ("-", size),
                None => ("+", exponent),
            };
            spelled.push(format!("{digits}e{sign}{size}"));
            spelled.push(format!("{digits}e{sign}{size:0>2}"));
            spelled.push(format!("{digits}{point}e{exponent}"));
            spelled.push(scientific.clone());
        }
        if double.to_string() != spelled.first().map_or("", String::as_str) {
            spelled.push(double.to_string());
        }
        if double == 0.0 {
            spelled.extend(["-0".to_owned(), "-0.0".to_owned()]);
        }
        spelled
    }
}
