//! Reads expected values of arguments, claims and devices, each at a path.

use crate::authz::{ClaimSelector, ExpectedValue, InvalidPath, Value, ValuePath};
use crate::yaml::{Data, Findings, Node, list_or_one, refuse_doubtful};

use super::block::exact_text;
use super::signs::{Sign, comparison};

/// Claims of a token, or facts about a device: compared exactly.
pub(super) fn read_facts(
    node: &Node,
    what: &str,
    findings: &mut Findings,
) -> Option<Box<[ClaimSelector]>> {
    let text = |node: &Node, findings: &mut Findings| {
        let text = exact_text(node, findings)?;
        if let Some(Sign { message, help }) = comparison(&text) {
            findings.error(node, message, help);
            return None;
        }
        Some(ExpectedValue::Exactly(Value::String(text.into())))
    };
    let read = read_values(node, what, (ValuePath::of_claim, text), findings)?;
    Some(
        read.into_iter()
            .map(|(path, expected)| ClaimSelector { path, expected })
            .collect(),
    )
}

/// Expected values by path.
pub(super) type Values = Vec<(ValuePath, Box<[ExpectedValue]>)>;

/// How a path is read, and how a text is.
pub(super) type Reading = (
    fn(&str) -> Result<ValuePath, InvalidPath>,
    fn(&Node, &mut Findings) -> Option<ExpectedValue>,
);

/// A mapping from paths to a value or a list of values.
pub(super) fn read_values(
    node: &Node,
    what: &str,
    (path, text): Reading,
    findings: &mut Findings,
) -> Option<Values> {
    let Data::Map(entries) = &node.data else {
        findings.error(
            node,
            format!("{what} must be a mapping, found {}", node.kind()),
            "",
        );
        return None;
    };
    if entries.is_empty() {
        findings.error(
            node,
            format!("{what} is empty"),
            "an empty block never means `everything`",
        );
    }
    let mut values = Vec::new();
    for (key, value) in entries.iter().filter(|(_, value)| value.data != Data::Null) {
        let path = read_path(key, path, findings);
        let expected = list_or_one(value, findings, |node, findings| {
            read_value(node, text, findings)
        });
        values.extend(path.zip(expected.map(Box::from)));
    }
    Some(values)
}

fn read_path(
    key: &Node,
    parse: fn(&str) -> Result<ValuePath, InvalidPath>,
    findings: &mut Findings,
) -> Option<ValuePath> {
    let text = key.as_str().unwrap_or_default();
    match parse(text) {
        Ok(_) if !refuse_doubtful(text, key, findings) => None,
        Ok(path) => Some(path),
        Err(error) => {
            let help = match error {
                InvalidPath::Empty => "names joined by dots, such as `issue.owner`",
                InvalidPath::Form | InvalidPath::Position => {
                    "names joined by dots, such as `issue.owner`; for lists use `if`, for instance \
                     `args.items.exists(item, item.owner == \"acme\")`"
                }
                InvalidPath::TooLong => "use `if` and name the members one by one",
            };
            findings.error(key, format!("`{text}` can never match: {error}"), help);
            None
        }
    }
}

fn read_value(
    node: &Node,
    text: fn(&Node, &mut Findings) -> Option<ExpectedValue>,
    findings: &mut Findings,
) -> Option<ExpectedValue> {
    match &node.data {
        Data::String(_) => text(node, findings),
        Data::Int(number) => Some(ExpectedValue::Exactly(Value::Int(*number))),
        Data::Float(number) if number.is_finite() => {
            Some(ExpectedValue::Exactly(Value::Float(*number)))
        }
        Data::Bool(truth) => Some(ExpectedValue::Exactly(Value::Bool(*truth))),
        Data::Float(_) | Data::Null | Data::List(_) | Data::Map(_) => {
            let message = format!(
                "expected a string, a number or a boolean, found {}",
                node.kind()
            );
            findings.error(node, message, "");
            None
        }
    }
}
