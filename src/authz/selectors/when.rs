//! `when`: days and hours, spans of time, and the age of the login and of the session.

use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::authz::matching::Match;
use crate::authz::request::AccessRequest;
use crate::authz::value::Value;

/// How far an issuer's clock may be ahead of ours; it is the largest `leeway`.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Selectors over the time of the decision. Keys combine with AND.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct When {
    /// Days and hours on a local clock.
    pub clock: Option<Clock>,
    /// The first moment at which the block holds.
    pub from: Option<Timestamp>,
    /// The first moment at which it no longer does.
    pub until: Option<Timestamp>,
    /// The greatest age of the login (claim `auth_time`).
    pub auth_age_max: Option<Duration>,
    /// The greatest age of the session, from when this service first saw it.
    pub session_age_max: Option<Duration>,
    /// When it must not be.
    pub not: Option<Box<When>>,
}

/// Days and hours on a local clock, daylight saving included.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// The days; empty means every day.
    pub days: Box<[Weekday]>,
    /// The hours; `None` means the whole day.
    pub between: Option<Hours>,
    /// The time zone of the clock.
    pub timezone: TimeZone,
}

/// A part of the day in minutes since midnight, from the start inclusive to the end exclusive. If
/// the end is not after the start, it is on the next day, and the whole span belongs to the day on
/// which it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The start.
    pub start: u16,
    /// The end.
    pub end: u16,
}

impl When {
    /// Whether the block reads the age of the session.
    pub(crate) fn has_session_age(&self) -> bool {
        let not = self.not.as_ref();
        self.session_age_max.is_some() || not.is_some_and(|not| not.has_session_age())
    }

    /// Whether, at some time after `now`, the block could hold where it does not, or not hold where it
    /// does: its hours and its dates change by themselves.
    pub(crate) fn varies_after(&self, now: Timestamp) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            return false;
        }
        let begins = self.from.is_some_and(|from| from > now);
        let not = self.not.as_ref();
        begins
            || self.until.is_some()
            || self.clock.is_some()
            || not.is_some_and(|not| not.varies_after(now))
    }

    /// Whether the block holds at no time from `now` on: what was granted until then is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let not = self.not.as_ref();
        self.until.is_some_and(|until| until <= now) || not.is_some_and(|not| not.lasts(now))
    }

    /// Whether the block holds for ever from `now` on.
    fn lasts(&self, now: Timestamp) -> bool {
        let When {
            clock,
            from,
            until,
            auth_age_max,
            session_age_max,
            not,
        } = self;
        let has_end = clock.is_some()
            || until.is_some()
            || auth_age_max.is_some()
            || session_age_max.is_some();
        !has_end
            && from.is_none_or(|from| from <= now)
            && not.as_ref().is_none_or(|not| not.is_over(now))
    }

    /// An unknown age is neither young nor old.
    pub(crate) fn matches(&self, request: &AccessRequest<'_>) -> Match {
        let When {
            clock,
            from,
            until,
            auth_age_max,
            session_age_max,
            not,
        } = self;
        let now = request.now;
        let clock = clock.as_ref();
        let plain = Match::all([
            clock.map_or(Match::Yes, |clock| Match::of(clock.shows(now))),
            from.map_or(Match::Yes, |from| Match::of(now >= from)),
            until.map_or(Match::Yes, |until| Match::of(now < until)),
        ]);
        let auth_age = auth_age_max.map_or(Match::Yes, |most| match_auth_age(request, most));
        let session_age = session_age_max.map_or(Match::Yes, |most| {
            match_age(request.context.session_started, now, most)
        });
        let not = not.as_ref();
        let not = not.map_or(Match::Yes, |when| when.matches(request).negate());
        Match::all([plain, auth_age, session_age, not])
    }
}

/// The time of the login, by the token (claim `auth_time`, `OpenID` Connect Core §2).
pub(crate) enum AuthTime {
    /// The token does not say.
    Absent,
    /// What it says is no time.
    NoTime,
    /// Then.
    At(Timestamp),
}

impl AuthTime {
    pub(crate) fn of(request: &AccessRequest<'_>) -> Self {
        let since_epoch = match request.subject.claims.member("auth_time") {
            None => return AuthTime::Absent,
            Some(Value::Int(seconds)) => Some(SignedDuration::from_secs(*seconds)),
            Some(Value::Float(seconds)) => SignedDuration::try_from_secs_f64(*seconds).ok(),
            Some(
                Value::Null
                | Value::Bool(_)
                | Value::Uint(_)
                | Value::String(_)
                | Value::Unsound(_)
                | Value::List(_)
                | Value::Map(_),
            ) => None,
        };
        let login = since_epoch.and_then(|since| Timestamp::from_duration(since).ok());
        login.map_or(AuthTime::NoTime, AuthTime::At)
    }
}

/// Whether the login is at most this old.
pub(crate) fn match_auth_age(request: &AccessRequest<'_>, most: Duration) -> Match {
    let login = match AuthTime::of(request) {
        AuthTime::Absent | AuthTime::NoTime => None,
        AuthTime::At(login) => Some(login),
    };
    match_age(login, request.now, most)
}

fn match_age(since: Option<Timestamp>, now: Timestamp, most: Duration) -> Match {
    let Some(age) = since.map(|since| now.duration_since(since)) else {
        return Match::Indeterminate;
    };
    if age < -CLOCK_AHEAD_MAX {
        return Match::Indeterminate;
    }
    Match::of(SignedDuration::try_from(most).map_or(true, |most| age <= most))
}

impl Clock {
    pub(crate) fn shows(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.timezone.clone());
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let (shown, began_yesterday) = self
            .between
            .map_or((true, false), |hours| hours.show(minute));
        let today = local.weekday();
        let day = if began_yesterday {
            today.previous()
        } else {
            today
        };
        shown && (self.days.is_empty() || self.days.contains(&day))
    }
}

impl Hours {
    /// Whether the minute is within the hours, and whether it belongs to a span that began on the
    /// day before.
    fn show(self, minute: i32) -> (bool, bool) {
        let (start, end) = (i32::from(self.start), i32::from(self.end));
        if start < end {
            return ((start..end).contains(&minute), false);
        }
        (minute >= start || minute < end, minute < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(days: &[Weekday], between: Option<(u16, u16)>, zone: &str) -> Clock {
        Clock {
            days: days.into(),
            between: between.map(|(start, end)| Hours {
                start: start * 60,
                end: end * 60,
            }),
            timezone: TimeZone::get(zone).unwrap(),
        }
    }

    #[test]
    fn the_clock_shows_local_time() {
        let work = &[
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
        ];
        let office = clock(work, Some((9, 18)), "Europe/Berlin");
        let night = clock(&[Weekday::Friday], Some((22, 6)), "Europe/Berlin");
        let early = clock(&[], Some((2, 3)), "Europe/Berlin");
        let evening = clock(&[], Some((18, 0)), "UTC");
        let sunday = clock(&[Weekday::Sunday], None, "Asia/Kolkata");
        for (clock, now, shows) in [
            // Winter is UTC+1, summer UTC+2.
            (&office, "2026-01-05T07:59:59Z", false),
            (&office, "2026-01-05T08:00:00Z", true),
            (&office, "2026-01-05T16:59:59Z", true),
            (&office, "2026-01-05T17:00:00Z", false),
            (&office, "2026-07-06T07:00:00Z", true),
            (&office, "2026-07-06T16:00:00Z", false),
            (&office, "2026-01-10T12:00:00Z", false),
            // Friday night lasts into Saturday, and Thursday night is not Friday's.
            (&night, "2026-01-09T21:00:00Z", true),
            (&night, "2026-01-10T04:59:59Z", true),
            (&night, "2026-01-10T05:00:00Z", false),
            (&night, "2026-01-09T04:00:00Z", false),
            (&night, "2026-01-10T21:30:00Z", false),
            // Clocks go from 2:00 to 3:00 on 29 March, and show 2:xx twice on 25 October.
            (&early, "2026-03-29T00:59:59Z", false),
            (&early, "2026-03-29T01:00:00Z", false),
            (&early, "2026-10-24T23:59:59Z", false),
            (&early, "2026-10-25T00:00:00Z", true),
            (&early, "2026-10-25T01:59:59Z", true),
            (&early, "2026-10-25T02:00:00Z", false),
            (&evening, "2026-01-05T23:59:59Z", true),
            (&evening, "2026-01-06T00:00:00Z", false),
            (&sunday, "2026-01-03T18:30:00Z", true),
            (&sunday, "2026-01-04T18:30:00Z", false),
        ] {
            assert_eq!(clock.shows(now.parse().unwrap()), shows, "{clock:?} {now}");
        }
    }

    #[test]
    fn ages_count_to_the_second_and_clocks_may_differ_a_little() {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let hour = Duration::from_hours(1);
        for (since, expected) in [
            (None, Match::Indeterminate),
            (Some("2026-01-05T11:00:00Z"), Match::Yes),
            (Some("2026-01-05T10:59:59Z"), Match::No),
            (Some("2026-01-05T12:05:00Z"), Match::Yes),
            (Some("2026-01-05T12:05:01Z"), Match::Indeterminate),
        ] {
            let since = since.map(|since| since.parse().unwrap());
            assert_eq!(match_age(since, now, hour), expected, "{since:?}");
        }
    }
}
