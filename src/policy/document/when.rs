//! `when`: clocks, spans and ages.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::authz::{Clock, Hours, When};
use crate::yaml::{Data, Fields, Findings, Node, duration, list, list_or_one, string};

use super::belonging::finish;
use super::block::open;

/// The range of an age limit.
pub(super) const AGES: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24 * 366);

pub(super) fn read_when(node: &Node, findings: &mut Findings) -> Option<When> {
    let mut fields = open(node, "`when`", findings)?;
    let (timezone_node, timezone) = read_zone(&mut fields, findings);
    let not_node = fields.node_of("not");
    let mut when = read_block(&mut fields, timezone.as_ref(), findings);
    let not = not_node.and_then(|node| {
        let mut fields = open(node, "`not`", findings)?;
        let (own_node, own) = read_zone(&mut fields, findings);
        let not = read_block(&mut fields, own.as_ref().or(timezone.as_ref()), findings);
        finish(fields, "when", findings);
        refuse_idle_zone(own_node, not.clock.is_some(), findings);
        Some(not)
    });
    finish(fields, "when", findings);
    let inherited = not.as_ref().is_some_and(|not| not.clock.is_some());
    refuse_idle_zone(timezone_node, when.clock.is_some() || inherited, findings);
    when.not = not.map(Box::new);
    Some(when)
}

/// A zone without a clock probably means that the clock was forgotten.
fn refuse_idle_zone(node: Option<&Node>, used: bool, findings: &mut Findings) {
    if let Some(node) = node.filter(|_| !used && !findings.has_errors()) {
        let help = "it belongs to `days` and `between`";
        findings.error(node, "`timezone` has no effect", help);
    }
}

fn read_zone<'n>(
    fields: &mut Fields<'n>,
    findings: &mut Findings,
) -> (Option<&'n Node>, Option<TimeZone>) {
    let node = fields.node_of("timezone");
    let zone = node.and_then(|node| {
        let name = string(node, findings)?;
        let zone = TimeZone::get(&name).ok();
        if zone.is_none() {
            let help = "a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`";
            findings.error(node, format!("unknown time zone `{name}`"), help);
        }
        zone
    });
    (node, zone)
}

fn read_block(fields: &mut Fields<'_>, zone: Option<&TimeZone>, findings: &mut Findings) -> When {
    let days_node = fields.node_of("days");
    let hours_node = fields.node_of("between");
    let days = days_node.and_then(|node| list_or_one(node, findings, read_days));
    let hours = hours_node.and_then(|node| read_hours(node, findings));
    let clock = days_node.or(hours_node).and_then(|node| {
        let Some(zone) = zone else {
            if fields.node_of("timezone").is_none() {
                let help = "set `timezone`, such as `UTC`";
                findings.error(node, "the time zone of the clock is missing", help);
            }
            return None;
        };
        Some(Clock {
            days: days.unwrap_or_default().concat().into(),
            between: hours,
            timezone: zone.clone(),
        })
    });
    let until_node = fields.node_of("until");
    let from = fields.optional("from", findings, read_moment);
    let until = until_node.and_then(|node| read_moment(node, findings));
    if let (Some(from), Some(until), Some(node)) = (from, until, until_node)
        && until <= from
    {
        findings.error(
            node,
            "`until` is not after `from`, so this never matches",
            "",
        );
    }
    When {
        clock,
        from,
        until,
        auth_age_max: fields.optional("auth_age_max", findings, duration(AGES)),
        session_age_max: fields.optional("session_age_max", findings, duration(AGES)),
        not: None,
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A day, or a range of days, which may wrap around the end of the week.
fn read_days(node: &Node, findings: &mut Findings) -> Option<Vec<Weekday>> {
    let text = string(node, findings)?;
    let day = |name: &str| {
        DAYS.iter()
            .find(|(day, _)| *day == name)
            .map(|(_, day)| *day)
    };
    let range = match text.split_once('-') {
        Some((first, last)) => day(first).zip(day(last)),
        None => day(&text).map(|day| (day, day)),
    };
    let Some((first, last)) = range else {
        let help = "`mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`, or a range such as `mon-fri`";
        findings.error(node, format!("`{text}` is not a day"), help);
        return None;
    };
    let mut days = vec![first];
    let mut day = first;
    while day != last {
        day = day.next();
        days.push(day);
    }
    Some(days)
}

fn read_hours(node: &Node, findings: &mut Findings) -> Option<Hours> {
    let hours = match &node.data {
        Data::List(items) => match items.as_slice() {
            [start, end] => Some((start, end)),
            _ => None,
        },
        Data::Null
        | Data::Bool(_)
        | Data::Int(_)
        | Data::Float(_)
        | Data::String(_)
        | Data::Map(_) => None,
    };
    let Some((start, end)) = hours else {
        let help = "such as `[\"09:00\", \"18:00\"]`";
        findings.error(node, "`between` is a list of two times of the day", help);
        return None;
    };
    let times = list(node, findings, read_minute)?;
    let &[from, to] = times.as_slice() else {
        return None;
    };
    if from == to {
        let (from, to) = (start.as_str(), end.as_str());
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        let help = "leave `between` out if the whole day is meant";
        findings.error(
            node,
            format!("nothing is between `{from}` and `{to}`"),
            help,
        );
        return None;
    }
    Some(Hours {
        start: from,
        end: to,
    })
}

/// Minutes since midnight.
fn read_minute(node: &Node, findings: &mut Findings) -> Option<u16> {
    let text = node.as_str().unwrap_or_default();
    let number = |text: &str, most: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.filter(|number: &u16| *number <= most)
    };
    let time = text
        .split_once(':')
        .and_then(|(hour, minute)| number(hour, 23).zip(number(minute, 59)));
    let minutes = time.map(|(hour, minute)| hour.saturating_mul(60).saturating_add(minute));
    if minutes.is_none() {
        let help = "`\"HH:MM\"` in quotes, from `\"00:00\"` to `\"23:59\"`";
        findings.error(node, "not a time of the day", help);
    }
    minutes
}

/// An RFC 3339 timestamp.
pub(super) fn read_moment(node: &Node, findings: &mut Findings) -> Option<Timestamp> {
    let text = string(node, findings)?;
    let moment = text.parse().ok().filter(|_| is_rfc3339(&text));
    if moment.is_none() {
        let help = "RFC 3339 with its offset, such as `2026-11-20T10:00:00Z`";
        findings.error(node, format!("`{text}` is not a timestamp"), help);
    }
    moment
}

/// The parser accepts more forms than RFC 3339 §5.6 allows.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    let offset_start = bytes.len().checked_sub(6);
    let numeric = offset_start.is_some_and(|at| {
        at >= 19 && (has(at, b'+') || has(at, b'-')) && has(at.saturating_add(3), b':')
    });
    has(4, b'-')
        && has(7, b'-')
        && has(10, b'T')
        && has(13, b':')
        && has(16, b':')
        && (numeric || (text.len() >= 20 && text.ends_with('Z')))
}
