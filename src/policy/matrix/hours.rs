//! Words when a rule applies, for readers of a matrix.

use jiff::civil::Weekday;

use crate::authz::{Clock, Hours, When};

const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// The hours and dates of a block, such as `mon-fri 09:00-18:00 Europe/Berlin, until
/// 2026-12-20T00:00:00Z`; `None` if it has none.
pub(super) fn told(when: &When) -> Option<String> {
    let When {
        clock,
        from,
        until,
        auth_age_max: _,
        session_age_max: _,
        not,
    } = when;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(clock.as_ref().map(clock_text));
    parts.extend(from.map(|from| format!("from {from}")));
    parts.extend(until.map(|until| format!("until {until}")));
    let not = not.as_ref().and_then(|not| told(not));
    parts.extend(not.map(|not| format!("not {not}")));
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn clock_text(clock: &Clock) -> String {
    let Clock {
        days,
        between,
        timezone,
    } = clock;
    let zone = timezone.iana_name().unwrap_or("local time");
    let days = (!days.is_empty()).then(|| days_text(days));
    let hours = between.map(|Hours { start, end }| {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{}-{}", time(start), time(end))
    });
    let parts = days.into_iter().chain(hours).chain([zone.to_owned()]);
    parts.collect::<Vec<_>>().join(" ")
}

/// The days from Monday on, runs of three and more as `mon-fri`.
fn days_text(days: &[Weekday]) -> String {
    let is_in = |day: &Weekday| days.contains(day);
    let runs = DAYS.chunk_by(|one, next| is_in(one) == is_in(next));
    let runs = runs.filter(|run| run.first().is_some_and(is_in));
    let texts = runs.map(|run| {
        let names: Vec<&str> = run.iter().map(|day| name(*day)).collect();
        match names.as_slice() {
            [first, _, .., last] => format!("{first}-{last}"),
            few => few.join(","),
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn clock(days: &[Weekday], between: Option<(u16, u16)>) -> When {
        When {
            clock: Some(Clock {
                days: days.into(),
                between: between.map(|(start, end)| Hours { start, end }),
                timezone: TimeZone::get("Europe/Berlin").unwrap(),
            }),
            ..When::default()
        }
    }

    #[test]
    fn hours_and_dates_are_told_as_the_policy_says_them() {
        let until = When {
            until: Some("2026-12-20T00:00:00Z".parse().unwrap()),
            ..When::default()
        };
        let work = clock(&DAYS[..5], Some((540, 1080)));
        for (when, expected) in [
            (work.clone(), Some("mon-fri 09:00-18:00 Europe/Berlin")),
            (
                clock(&[DAYS[5], DAYS[0], DAYS[1], DAYS[6], DAYS[3]], None),
                Some("mon,tue,thu,sat,sun Europe/Berlin"),
            ),
            (
                clock(&[], Some((1320, 5))),
                Some("22:00-00:05 Europe/Berlin"),
            ),
            (until.clone(), Some("until 2026-12-20T00:00:00Z")),
            (
                When {
                    not: Some(Box::new(work)),
                    ..until
                },
                Some("until 2026-12-20T00:00:00Z, not mon-fri 09:00-18:00 Europe/Berlin"),
            ),
            (When::default(), None),
        ] {
            assert_eq!(told(&when).as_deref(), expected);
        }
    }
}
