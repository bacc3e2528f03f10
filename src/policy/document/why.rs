//! `why`: purposes and behaviour; and `by`, which limits also use.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::authz::{Behaviour, Count, CountedPart, KeyPart, Why, Window};
use crate::yaml::{Data, Fields, Findings, Node, choice, duration, integer, list};

use super::belonging::finish;
use super::block::{names, open};
use super::what::{WhatDocument, read_what};

/// The range of a window's length, or of a limit's period.
pub(super) const PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24 * 31);
/// The largest threshold of a window.
const MORE_THAN_MAX: u64 = 1_000_000;
/// The same for tools, each of which must be remembered.
const TOOLS_MORE_THAN_MAX: u64 = 100;

/// `why`, with the blocks that say what its windows count.
#[derive(Debug)]
pub(crate) struct WhyDocument<'n> {
    pub(crate) why: Why,
    pub(crate) counted: Vec<WhatDocument<'n>>,
}

pub(super) fn read_why<'n>(node: &'n Node, findings: &mut Findings) -> Option<WhyDocument<'n>> {
    let mut counted = Vec::new();
    let mut fields = open(node, "`why`", findings)?;
    let mut why = read_block(&mut fields, &mut counted, findings);
    let not = fields.optional("not", findings, |node, findings| {
        let mut fields = open(node, "`not`", findings)?;
        let why = read_block(&mut fields, &mut counted, findings);
        finish(fields, "why", findings);
        Some(why)
    });
    finish(fields, "why", findings);
    why.not = not.map(Box::new);
    Some(WhyDocument { why, counted })
}

fn read_block<'n>(
    fields: &mut Fields<'n>,
    counted: &mut Vec<WhatDocument<'n>>,
    findings: &mut Findings,
) -> Why {
    let purposes = fields.optional("purposes", findings, names);
    let mut behaviours = Vec::new();
    for (key, count, most) in [
        ("calls", Count::Calls, MORE_THAN_MAX),
        ("denials", Count::Denials, MORE_THAN_MAX),
        ("distinct_tools", Count::DistinctTools, TOOLS_MORE_THAN_MAX),
    ] {
        behaviours.extend(fields.optional(key, findings, |node, findings| {
            read_behaviour(node, (key, count, most), counted, findings)
        }));
    }
    Why {
        purposes,
        behaviours: behaviours.into(),
        not: None,
    }
}

fn read_behaviour<'n>(
    node: &'n Node,
    (key, count, most): (&str, Count, u64),
    counted: &mut Vec<WhatDocument<'n>>,
    findings: &mut Findings,
) -> Option<Behaviour> {
    let mut fields = Fields::open(node, &format!("`{key}`"), findings)?;
    let more_than = fields.required("more_than", findings, integer(0..=most));
    let per = fields.required("per", findings, duration(PERIODS));
    let by = fields.required("by", findings, read_by);
    let of = fields.node_of("of");
    let what = of.and_then(|node| read_what(node, "`of`", findings));
    finish(fields, "why", findings);
    let part = of.map(|node| CountedPart {
        name: canonical(node).into(),
        is_sure: true,
    });
    let selected = what.as_ref().map(|what| Arc::new(what.what.clone()));
    counted.extend(what);
    if part.is_some() != selected.is_some() {
        return None;
    }
    let window = Window {
        count,
        per: per?,
        by: by?,
        of: part,
        lacking: Box::default(),
    };
    let more_than = u32::try_from(more_than?).ok()?;
    Some(Behaviour::new(window, selected, more_than))
}

/// A block as a text that is the same whatever the order of its keys and values, and whether a list
/// of one is written as a list.
fn canonical(node: &Node) -> String {
    match &node.data {
        Data::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                format!(
                    "{:?}: {}",
                    key.as_str().unwrap_or_default(),
                    canonical(value)
                )
            };
            let mut entries: Vec<String> = entries.iter().map(entry).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(", "))
        }
        Data::List(items) => {
            let mut items: Vec<String> = items.iter().map(canonical).collect();
            items.sort_unstable();
            items.dedup();
            match items.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            }
        }
        Data::String(text) => format!("{text:?}"),
        Data::Null => "null".to_owned(),
        Data::Bool(value) => value.to_string(),
        Data::Int(value) => value.to_string(),
        Data::Float(value) => value.to_string(),
    }
}

/// The parts by which calls are distinguished, in a fixed order whatever the order in the file.
pub(super) fn read_by(node: &Node, findings: &mut Findings) -> Option<Box<[KeyPart]>> {
    let words = KeyPart::ALL.map(|part| (part.name(), part));
    let part = choice(&words);
    let mut parts = list(node, findings, part)?;
    parts.sort_unstable();
    parts.dedup();
    Some(parts.into())
}
