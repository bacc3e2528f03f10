//! Reads `silence`: the names of lints that an author turns off.

use super::decode::{choice, list};
use super::finding::Findings;
use super::tree::{Data, Node};

/// Reads a list of names, each of which has to be one of `lints`.
pub fn silence(
    lints: &'static [&'static str],
    elsewhere: Elsewhere,
) -> impl Fn(&Node, &mut Findings) -> Option<Vec<&'static str>> {
    let words: Vec<(&'static str, &'static str)> =
        lints.iter().map(|name| (*name, *name)).collect();
    move |node, findings| {
        // It silences nothing, which does no harm.
        if node.data == Data::List(Vec::new()) {
            return Some(Vec::new());
        }
        list(node, findings, |node, findings| {
            let name = node.as_str().filter(|name| !lints.contains(name));
            let mut others = elsewhere.iter();
            let other = name.and_then(|name| others.find(|(lints, _)| lints.contains(&name)));
            let Some((name, (_, place))) = name.zip(other) else {
                return choice(&words)(node, findings);
            };
            let message = format!("`{name}` cannot be silenced here");
            findings.error(node, message, format!("{place} silences it"));
            None
        })
    }
}

/// Lists of other lints, each with what silences them.
pub type Elsewhere = &'static [(&'static [&'static str], &'static str)];

/// The names in the `silence` of a mapping that was read before.
#[must_use]
pub fn silence_of(node: &Node) -> Vec<&str> {
    let names = node.member("silence").map_or(&[][..], Node::items);
    names.iter().filter_map(Node::as_str).collect()
}
