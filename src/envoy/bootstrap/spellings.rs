//! Values that Envoy reads differently than this code, or in one of two ways.

use crate::yaml::{Data, Node};

use super::{ConfigMessage, Report};

/// Checks everything in a file.
pub(super) fn look(node: &Node, report: &mut Report) {
    match &node.data {
        Data::Map(entries) => {
            for (key, other) in ConfigMessage::of(node).doubled() {
                let message = format!("`{other}` is set too, and Envoy may use either");
                report.error(ConfigMessage::of(key), message, "keep one of them");
            }
            for (_, value) in entries {
                look(value, report);
            }
        }
        Data::List(items) => {
            for item in items {
                look(item, report);
            }
        }
        Data::Int(_) if is_octal(node, report) => {
            let message = "Envoy reads a number that begins with 0 as octal";
            report.error(ConfigMessage::of(node), message, "write it without the 0");
        }
        Data::Int(_) | Data::Null | Data::Bool(_) | Data::Float(_) | Data::String(_) => {}
    }
}

fn is_octal(node: &Node, report: &Report) -> bool {
    let text = report.findings.text(node.source).get(node.span.clone());
    let digits = text.and_then(|text| text.trim_start_matches(['+', '-']).strip_prefix('0'));
    digits.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}
