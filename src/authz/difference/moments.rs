//! Which clocks can show their times at one moment, and between which fixed moments it can be.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::diagram::FactId;
use crate::authz::selectors::Clock;

/// How long all clocks repeat themselves: years in which a time zone's rules change are rare.
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 8);

/// Every way in which the facts can hold at one moment from `from` on: those that do. Between two
/// fixed moments more than a week apart, each clock shows everything that it ever does, together with
/// whatever the others show at the same offsets from UTC.
pub(super) fn ways(
    clocks: &[(FactId, Clock)],
    moments: &[(FactId, Timestamp)],
    from: Timestamp,
) -> Vec<Vec<FactId>> {
    let mut edges: BTreeSet<Timestamp> = moments
        .iter()
        .map(|(_, moment)| *moment)
        .filter(|moment| *moment > from)
        .collect();
    edges.insert(from);
    let edges: Vec<Timestamp> = edges.into_iter().collect();
    let mut ways = BTreeSet::new();
    for (at, start) in edges.iter().enumerate() {
        let end = edges.get(at.saturating_add(1)).copied();
        let past = moments.iter().filter(|(_, moment)| moment <= start);
        let past: Vec<FactId> = past.map(|(id, _)| *id).collect();
        for moment in samples(clocks, *start, end) {
            let mut way = past.clone();
            let showing = clocks.iter().filter(|(_, clock)| clock.shows(moment));
            way.extend(showing.map(|(id, _)| *id));
            ways.insert(way);
        }
    }
    ways.into_iter().collect()
}

/// Moments of a span at which every state of the clocks in it is shown.
fn samples(
    clocks: &[(FactId, Clock)],
    start: Timestamp,
    end: Option<Timestamp>,
) -> BTreeSet<Timestamp> {
    let mut samples = BTreeSet::from([start]);
    if clocks.is_empty() {
        return samples;
    }
    let last = start.checked_add(YEAR).unwrap_or(Timestamp::MAX);
    let last = end.map_or(last, |end| end.min(last));
    let zones = zones(clocks);
    let mut seen = BTreeSet::new();
    let mut day = start;
    let mut is_covered_until = start;
    while day < last {
        let offsets: Vec<i32> = zones
            .iter()
            .map(|zone| zone.to_offset(day).seconds())
            .collect();
        // Where offsets change on the way, the days around it are looked at too.
        if seen.insert(offsets) {
            is_covered_until = day.checked_add(WEEK).unwrap_or(last);
        }
        if day <= is_covered_until {
            add_day(clocks, day, start, last, &mut samples);
        }
        let Ok(next) = day.checked_add(SignedDuration::from_hours(24)) else {
            break;
        };
        day = next;
    }
    samples
}

fn zones(clocks: &[(FactId, Clock)]) -> Vec<TimeZone> {
    let mut zones: Vec<TimeZone> = Vec::new();
    for (_, clock) in clocks {
        if !zones.contains(&clock.timezone) {
            zones.push(clock.timezone.clone());
        }
    }
    zones
}

/// The moments about a day at which some clock may change.
fn add_day(
    clocks: &[(FactId, Clock)],
    day: Timestamp,
    start: Timestamp,
    last: Timestamp,
    samples: &mut BTreeSet<Timestamp>,
) {
    let mut minutes: BTreeMap<usize, (TimeZone, BTreeSet<i64>)> = BTreeMap::new();
    for zone in zones(clocks).into_iter().enumerate() {
        minutes.insert(zone.0, (zone.1, BTreeSet::from([0])));
    }
    for (zone, own) in minutes.values_mut() {
        for (_, clock) in clocks.iter().filter(|(_, clock)| clock.timezone == *zone) {
            if let Some(hours) = clock.between {
                own.extend([i64::from(hours.start), i64::from(hours.end)]);
            }
        }
    }
    for (zone, minutes) in minutes.into_values() {
        let date = day.to_zoned(zone.clone()).date();
        for minute in minutes {
            let local = date
                .to_datetime(jiff::civil::Time::midnight())
                .checked_add(SignedDuration::from_mins(minute));
            let moment = local.ok().and_then(|local| {
                let zoned = local.to_zoned(zone.clone()).ok()?;
                Some(zoned.timestamp())
            });
            let moment = moment.filter(|moment| *moment >= start && *moment < last);
            samples.extend(moment);
        }
    }
}
