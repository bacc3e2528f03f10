//! `names` of a policy file: names that are not what they appear to be, and that the issuer gives.

use super::super::decode::{list, string};
use super::super::finding::Findings;
use super::super::tree::Node;
use super::shown::{escaped, is_plain, is_visible, quoted};

/// Reads `names`: names that are not what they appear to be, which the file may have all the same.
pub fn odd_names(node: &Node, findings: &mut Findings) -> Option<()> {
    let names = list(node, findings, odd_name)?;
    findings.set_odd_names(node.source, names);
    Some(())
}

fn odd_name(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = string(node, findings)?;
    if is_plain(&text) {
        let help = "`names` is for names that may be taken for others: leave it out";
        findings.error(node, format!("`{text}` is plain"), help);
        return None;
    }
    let written = findings.text(node.source).get(node.span.clone());
    let is_seen = |character: char| written.is_some_and(|written| written.contains(character));
    let mut odd = text.chars().filter(|character| !is_visible(*character));
    if odd.any(is_seen) {
        let message = format!("`{}` is not written in escapes", escaped(&text));
        findings.error(node, message, format!("write `{}`", quoted(&text)));
        return None;
    }
    Some(text)
}
