//! Renders a difference as one self-contained HTML page: each change with the rule as it was and as
//! it is.
//!
//! The template is `page/page.html`. As with the matrix, every text from a file is escaped, and the
//! page loads nothing.

use std::fmt;

use askama::Template;

use super::text::{RuleText, RuleTexts};
use super::{Difference, Entry, Replay};
use crate::policy::matrix::PageText;

/// The whole page. `texts` has the rules of the old and of the new policy.
///
/// # Errors
/// Never in practice: a string takes whatever is written to it.
pub fn html(
    difference: &Difference,
    names: [&str; 2],
    texts: [&RuleTexts; 2],
    replay: Option<&Replay>,
) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let whole = Page {
        difference,
        names,
        texts,
        replay,
    };
    whole.render_into(&mut page)?;
    page.push('\n');
    Ok(page)
}

#[derive(Template)]
#[template(path = "page.html", config = "src/policy/difference/page/askama.toml")]
struct Page<'d> {
    difference: &'d Difference,
    names: [&'d str; 2],
    texts: [&'d RuleTexts; 2],
    replay: Option<&'d Replay>,
}

impl Page<'_> {
    /// The rules that cause a change, as they are written on one side.
    fn rules(&self, entry: &Entry, side: usize) -> Vec<&RuleText> {
        let ids = entry.causes.iter().filter_map(|cause| cause.rule.get(side));
        let texts = self.texts.get(side);
        let found = ids.flatten().filter_map(|id| texts?.get(&**id));
        found.collect()
    }

    fn before(&self, entry: &Entry) -> Vec<&RuleText> {
        self.rules(entry, 0)
    }

    fn now(&self, entry: &Entry) -> Vec<&RuleText> {
        self.rules(entry, 1)
    }
}

fn class(entry: &Entry) -> &'static str {
    if entry.kind.grows() {
        "grows"
    } else if entry.kind.shrinks() {
        "shrinks"
    } else {
        "differs"
    }
}
