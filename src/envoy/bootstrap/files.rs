//! The files of one Envoy: those that were named, and those that they refer to.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::yaml::{self, Data, Findings, Node, Source};

use super::ConfigMessage;

/// How many files are read at most. A bootstrap refers to a few.
const FILES_MAX: usize = 256;

/// Reads files and the files that they name as sources of listeners, routes, clusters and filters.
/// An unreadable file is an error where it is named. Relative paths start at Envoy's working
/// directory; `read` must do the same.
pub(super) fn load(
    named: Vec<Source>,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
    findings: &mut Findings,
) -> Vec<Node> {
    let mut trees = Vec::new();
    let mut seen: HashSet<PathBuf> = named.iter().map(|one| PathBuf::from(&one.name)).collect();
    let mut waiting = named;
    while let Some(source) = waiting.pop() {
        let id = findings.add_source(source);
        let Some(tree) = yaml::parse(id, findings) else {
            continue;
        };
        if !matches!(tree.data, Data::Map(_)) {
            findings.error(
                &tree,
                format!("Envoy's configuration is a mapping, found {}", tree.kind()),
                "a bootstrap, or a file with `resources`",
            );
            continue;
        }
        let mut pointers = Vec::new();
        // A config dump already contains what a running Envoy has read.
        if !ConfigMessage::of(&tree).is_dump() {
            find_pointers(&tree, &mut pointers);
        }
        for pointer in pointers {
            let Some(path) = pointer.as_str() else {
                continue;
            };
            if seen.len() >= FILES_MAX || !seen.insert(PathBuf::from(path)) {
                continue;
            }
            match read(Path::new(path)) {
                Ok(text) => waiting.push(Source {
                    name: path.to_owned(),
                    text,
                }),
                Err(error) => findings.error(
                    pointer,
                    format!("cannot read the file that Envoy loads this from: {error}"),
                    "relative paths start at the working directory, as in Envoy",
                ),
            }
        }
        trees.push(tree);
    }
    trees
}

/// Members with paths to other things: secrets, and endpoints.
const NOT_FOLLOWED: [&str; 4] = ["sds_config", "sdsConfig", "eds_config", "edsConfig"];

/// Members that name a source, possibly only by `path`, as older versions did.
const SOURCES: [&str; 6] = [
    "lds_config",
    "ldsConfig",
    "cds_config",
    "cdsConfig",
    "config_source",
    "configSource",
];

fn find_pointers<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    let message = ConfigMessage::of(node);
    if let Some(path) = message.at("path_config_source.path") {
        found.push(path.node());
    }
    for item in message.items() {
        find_pointers(item.node(), found);
    }
    for (key, value) in message.entries() {
        let is_source = key.as_str().is_some_and(|key| SOURCES.contains(&key));
        if is_source && let Some(path) = value.get("path") {
            found.push(path.node());
        }
        let is_skipped = key.as_str().is_none_or(|key| NOT_FOLLOWED.contains(&key));
        if !is_skipped {
            find_pointers(value.node(), found);
        }
    }
}
