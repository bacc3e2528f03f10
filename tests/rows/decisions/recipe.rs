//! The recipes for identity providers in the reference of the configuration, as tables prove them.

use std::collections::BTreeSet;
use std::path::Path;

use super::table::Table;
use crate::harness::{Test, tests};

/// The file of the keys of every issuer of a recipe.
pub(super) const KEYS: &str = "recipe.jwks";

pub(super) fn tests() -> Vec<Test> {
    tests![every_recipe_has_a_table].into()
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/providers.md");
    std::fs::read_to_string(path).unwrap()
}

/// The sections with a recipe, each with its heading.
fn recipes(document: &str) -> impl Iterator<Item = (&str, &str)> {
    let sections = document.split("\n## ").skip(1);
    let sections = sections.filter_map(|section| section.split_once('\n'));
    sections.filter_map(|(heading, text)| {
        let (_, rest) = text.split_once("```yaml\n")?;
        let (recipe, _) = rest.split_once("```")?;
        recipe.starts_with("issuers:").then_some((heading, recipe))
    })
}

/// The recipe under a heading.
pub(super) fn text(heading: &str) -> String {
    let document = document();
    let found = recipes(&document).find(|(own, _)| *own == heading);
    let (_, recipe) = found.unwrap_or_else(|| panic!("no recipe `{heading}`"));
    format!("listen: 127.0.0.1:9001\npolicy: policy.yaml\n{recipe}")
}

fn every_recipe_has_a_table() {
    let document = document();
    let written: BTreeSet<&str> = recipes(&document).map(|(heading, _)| heading).collect();
    let tables = Table::all();
    let proved: BTreeSet<&str> = tables
        .iter()
        .filter_map(|table| table.recipe.as_deref())
        .collect();
    assert_eq!(written, proved);
    assert_eq!(document.matches("```yaml\n").count(), written.len());
}
