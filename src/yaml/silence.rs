//! Reads `silence`: the names of lints that an author turns off.

use super::decode::{choice, list};
use super::finding::Findings;
use super::tree::Node;

/// Reads a list of names, each of which has to be one of `lints`.
pub fn silence(
    lints: &[&'static str],
) -> impl Fn(&Node, &mut Findings) -> Option<Vec<&'static str>> {
    let words: Vec<(&'static str, &'static str)> =
        lints.iter().map(|name| (*name, *name)).collect();
    move |node, findings| list(node, findings, choice(&words))
}

/// The names in the `silence` of a mapping that was read before.
#[must_use]
pub fn silence_of(node: &Node) -> Vec<&str> {
    let names = node.member("silence").map_or(&[][..], Node::items);
    names.iter().filter_map(Node::as_str).collect()
}
