//! `why`: purposes and behaviour; and `by`, which limits also use.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::authz::{Behaviour, Count, KeyPart, Why, Window};
use crate::yaml::{Fields, Findings, Node, choice, duration, integer, list};

use super::belonging::finish;
use super::block::{names, open};

/// The range of a window's length, or of a limit's period.
pub(super) const PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24 * 31);
/// The largest threshold of a window.
const MORE_THAN_MAX: u64 = 1_000_000;
/// The same for tools, each of which must be remembered.
const TOOLS_MORE_THAN_MAX: u64 = 100;

pub(super) fn read_why(node: &Node, findings: &mut Findings) -> Option<Why> {
    let mut fields = open(node, "`why`", findings)?;
    let mut why = read_block(&mut fields, findings);
    let not = fields.optional("not", findings, |node, findings| {
        let mut fields = open(node, "`not`", findings)?;
        let why = read_block(&mut fields, findings);
        finish(fields, "why", findings);
        Some(why)
    });
    finish(fields, "why", findings);
    why.not = not.map(Box::new);
    Some(why)
}

fn read_block(fields: &mut Fields<'_>, findings: &mut Findings) -> Why {
    let purposes = fields.optional("purposes", findings, names);
    let mut behaviours = Vec::new();
    for (key, count, most) in [
        ("calls", Count::Calls, MORE_THAN_MAX),
        ("denials", Count::Denials, MORE_THAN_MAX),
        ("distinct_tools", Count::DistinctTools, TOOLS_MORE_THAN_MAX),
    ] {
        behaviours.extend(fields.optional(key, findings, |node, findings| {
            read_behaviour(node, key, count, most, findings)
        }));
    }
    Why {
        purposes,
        behaviours: behaviours.into(),
        not: None,
    }
}

fn read_behaviour(
    node: &Node,
    key: &str,
    count: Count,
    most: u64,
    findings: &mut Findings,
) -> Option<Behaviour> {
    let mut fields = Fields::open(node, &format!("`{key}`"), findings)?;
    let more_than = fields.required("more_than", findings, integer(0..=most));
    let per = fields.required("per", findings, duration(PERIODS));
    let by = fields.required("by", findings, read_by);
    finish(fields, "why", findings);
    let window = Window {
        count,
        per: per?,
        by: by?,
    };
    Some(Behaviour {
        window,
        more_than: u32::try_from(more_than?).ok()?,
    })
}

/// The parts by which calls are distinguished, in a fixed order whatever the order in the file.
pub(super) fn read_by(node: &Node, findings: &mut Findings) -> Option<Box<[KeyPart]>> {
    let part = choice(&[
        ("subject", KeyPart::Subject),
        ("agent", KeyPart::Agent),
        ("tenant", KeyPart::Tenant),
        ("session", KeyPart::Session),
        ("server", KeyPart::Server),
        ("tool", KeyPart::Tool),
    ]);
    let mut parts = list(node, findings, part)?;
    parts.sort_unstable();
    parts.dedup();
    Some(parts.into())
}
