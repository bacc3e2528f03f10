//! The rules of a policy as they are written.

use std::collections::HashMap;

use crate::yaml::{self, Findings, Source};

/// The text of each rule by its id, and where it is.
pub type RuleTexts = HashMap<String, RuleText>;

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// The file and the line.
    pub place: String,
    /// The text.
    pub text: String,
}

/// The rules of the files of a policy. A file that is no policy has none.
#[must_use]
pub fn rule_texts(sources: &[Source]) -> RuleTexts {
    let mut texts = RuleTexts::new();
    for source in sources {
        let mut findings = Findings::new();
        let id = findings.add_source(source.clone());
        let root = yaml::parse(id, &mut findings);
        let rules = root.as_ref().and_then(|root| root.member("rules"));
        for rule in rules.map_or(&[][..], yaml::Node::items) {
            let name = rule.member("id").and_then(yaml::Node::as_str);
            let text = source.text.get(rule.span.clone());
            if let Some((name, text)) = name.zip(text) {
                let before = source.text.get(..rule.span.start).unwrap_or_default();
                let column = before.chars().rev().take_while(|one| *one != '\n').count();
                let text = RuleText {
                    place: format!("{}:{}", source.name, findings.line(rule)),
                    text: outdented(text, column),
                };
                texts.insert(name.to_owned(), text);
            }
        }
    }
    texts
}

/// A text that begins in some column, with its further lines moved to the left by as much.
fn outdented(text: &str, column: usize) -> String {
    let mut lines = text.trim_end().lines();
    let mut all: Vec<&str> = lines.next().into_iter().collect();
    for line in lines {
        let blanks = line.chars().take_while(|one| *one == ' ').count();
        all.push(line.get(blanks.min(column)..).unwrap_or_default());
    }
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_as_it_is_written() {
        let text = "rules:\n- {id: a, effect: deny}\n- id: b\n  effect: deny\n  # why\n  who: {groups: [x]}\n\n- id: c\n  effect: deny\n";
        let source = Source {
            name: "p.yaml".to_owned(),
            text: text.to_owned(),
        };
        let texts = rule_texts(&[source]);
        let told = |id: &str| (texts[id].place.as_str(), texts[id].text.as_str());
        assert_eq!(told("a"), ("p.yaml:2", "{id: a, effect: deny}"));
        assert_eq!(
            told("b"),
            ("p.yaml:3", "id: b\neffect: deny\n# why\nwho: {groups: [x]}")
        );
        assert_eq!(told("c"), ("p.yaml:8", "id: c\neffect: deny"));
    }
}
