//! Patterns over every URI that a template can expand to.

use std::collections::{HashSet, VecDeque};

use super::{Glob, PATTERN_TOKENS_MAX, Positions, Token};

/// A URI template (RFC 6570) as far as patterns need it: its literal parts, and where any text may
/// stand.
///
/// It represents at least its expansions and possibly more texts, because servers differ in what a
/// variable may match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UriTemplate(pub(crate) Box<[Token]>);

/// How many expansions of a template a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expansions {
    /// Every expansion.
    All,
    /// No expansion.
    None,
    /// Possibly some.
    Some,
}

/// How many steps one comparison may take; beyond that the result is left open.
const STEPS_MAX: usize = 1 << 13;

impl UriTemplate {
    /// Parses a template. From a malformed part on it stands for any text.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            tokens.extend(literal.chars().map(Token::Char));
            let (expression, next) = after.split_once('}').unwrap_or(("+", ""));
            let run = run(expression);
            let last = tokens.last().copied();
            match (last, run) {
                (Some(Token::RunAny), _) | (Some(Token::Run), Token::Run) => {}
                (Some(Token::Run), run) => {
                    tokens.pop();
                    tokens.push(run);
                }
                (_, run) => tokens.push(run),
            }
            rest = next;
        }
        tokens.extend(rest.chars().map(Token::Char));
        UriTemplate(tokens.into())
    }
}

/// The token for an expression (RFC 6570 §3.2). Only plain variables, labels and parameters contain
/// neither `/` nor `?`; some servers read a `*` as a list of segments.
/// contain neither `/` nor `?`; a `*` means a list of segments to some servers.
fn run(expression: &str) -> Token {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ',' | ':' | '%');
    let variables = expression.strip_prefix(';').unwrap_or(expression);
    if !variables.is_empty() && variables.chars().all(plain) {
        Token::Run
    } else {
        Token::RunAny
    }
}

impl Glob {
    /// How many expansions of a template the pattern matches. For patterns over URIs.
    #[must_use]
    pub(crate) fn matches_template(&self, template: &UriTemplate) -> Expansions {
        let literal = |token: &Token, own: char| *token == Token::Char(own);
        let mut prefix = self.prefix.chars();
        let mut tokens = &*template.0;
        while let Some((first, rest)) = tokens.split_first() {
            let mut ahead = prefix.clone();
            match ahead.next() {
                Some(own) if literal(first, own) => {
                    prefix = ahead;
                    tokens = rest;
                }
                Some(_) if matches!(first, Token::Char(_)) => return Expansions::None,
                Some(_) | None => break,
            }
        }
        let pattern: Vec<Token> = prefix
            .map(Token::Char)
            .chain(self.tokens.iter().copied())
            .take(PATTERN_TOKENS_MAX.saturating_add(1))
            .collect();
        if pattern.len() > PATTERN_TOKENS_MAX {
            return Expansions::Some;
        }
        compare(&pattern, tokens)
    }
}

/// Runs every text of the template through the pattern: each state is a position in the template
/// with all positions in the pattern that the same text can reach.
fn compare(pattern: &[Token], template: &[Token]) -> Expansions {
    let alphabet = alphabet(pattern);
    let mut start = Positions::default();
    start.add(pattern, 0);
    let mut seen = HashSet::from([(0, start)]);
    let mut open = VecDeque::from([(0, start)]);
    let (mut some, mut all) = (false, true);
    let mut steps = 0_usize;
    while let Some((place, positions)) = open.pop_front() {
        let Some(token) = template.get(place).copied() else {
            let matches = positions.contains(pattern.len());
            some |= matches;
            all &= matches;
            continue;
        };
        if positions.is_empty() {
            // The pattern matches no continuation of the text.
            all = false;
            continue;
        }
        let next = place.saturating_add(1);
        let mut reached = Vec::new();
        match token {
            Token::Char(character) => reached.push((next, positions.after(pattern, character))),
            run @ (Token::One | Token::OneAny | Token::Run | Token::RunAny) => {
                reached.push((next, positions));
                let more = alphabet.iter().filter(|character| run.takes(**character));
                reached.extend(more.map(|one| (place, positions.after(pattern, *one))));
            }
        }
        for state in reached {
            steps = steps.saturating_add(1);
            if steps > STEPS_MAX {
                return Expansions::Some;
            }
            if seen.insert(state) {
                open.push_back(state);
            }
        }
    }
    match (some, all) {
        (true, true) => Expansions::All,
        (false, _) => Expansions::None,
        (true, false) => Expansions::Some,
    }
}

/// The characters that a pattern distinguishes, and one that stands for all others.
fn alphabet(pattern: &[Token]) -> Vec<char> {
    let mut known: Vec<char> = pattern
        .iter()
        .filter_map(|token| match token {
            Token::Char(character) => Some(*character),
            Token::One | Token::OneAny | Token::Run | Token::RunAny => None,
        })
        .chain(['/', '?'])
        .collect();
    known.sort_unstable();
    known.dedup();
    // A private-use character that patterns do not contain; if one does, the result is `Some`.
    let other = ('\u{e000}'..'\u{f8ff}').find(|other| !known.contains(other));
    known.extend(other);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_all_some_or_no_expansions() {
        use Expansions::{All, None, Some};
        for (pattern, template, expected) in [
            ("docs://public/**", "docs://public/{name}", All),
            ("docs://public/*", "docs://public/{name}", All),
            ("docs://public/*", "docs://public/{+path}", Some),
            ("docs://public/**", "docs://public/{+path}", All),
            ("docs://public/*", "docs://public/{path*}", Some),
            ("docs://public/*", "docs://public{/path}", Some),
            ("docs://public/**", "docs://{area}/{name}", Some),
            ("docs://*/*", "docs://{area}/{name}", All),
            ("docs://private/**", "docs://public/{name}", None),
            ("docs://private/**", "docs://p{rest}", None),
            ("docs://private/x", "docs://p{+rest}", Some),
            ("docs://public/readme", "docs://public/{name}", Some),
            ("docs://public/readme", "docs://public/readme", All),
            ("docs://public/readme", "docs://public/readmex", None),
            ("docs://public/?", "docs://public/{name}", Some),
            ("docs://public/a*", "docs://public/{name}", Some),
            ("docs://public/a*", "docs://public/a{name}", All),
            ("docs://public/a*", "docs://public/b{name}", None),
            ("docs://public/*.md", "docs://public/{name}.md", All),
            ("docs://public/*.md", "docs://public/{name}.txt", None),
            ("docs://public/*.md", "docs://public/{name}{.kind}", Some),
            ("docs://x/*", "docs://x/a{?q,r}", Some),
            ("docs://x/**", "docs://x/a{?q,r}", All),
            ("docs://x/*", "docs://x/a{;q}", All),
            ("docs://x/*", "docs://x/a{&q}", Some),
            ("docs://x/*", "docs://x/a{#q}", Some),
            ("**", "{+url}", All),
            ("file:///**", "{+url}", Some),
            ("file:///**", "{url}", None),
            // From a malformed part on, any text is possible.
            ("docs://x/*", "docs://x/{", Some),
            ("docs://x/*", "docs://x/{}", Some),
            ("docs://x/*", "docs://x/{=a}", Some),
            ("docs://x/*", "docs://x/{a{b}", Some),
            ("docs://x/**", "docs://x/{a", All),
            ("docs://y/**", "docs://x/{a", None),
            ("*", "", All),
            ("a", "", None),
            ("docs://\u{e000}*", "docs://{a}", Some),
        ] {
            let glob = Glob::uri(pattern).unwrap();
            let found = glob.matches_template(&UriTemplate::parse(template));
            assert_eq!(found, expected, "{pattern} {template}");
        }
    }

    #[test]
    fn comparisons_that_would_take_long_are_left_open() {
        let pattern = format!("{}*", "*a?".repeat(80));
        let template = UriTemplate::parse(&"{+a}b".repeat(2000));
        let glob = Glob::uri(&pattern).unwrap();
        assert_eq!(glob.matches_template(&template), Expansions::Some);
        let long = Glob::uri(&format!("x{}", "a".repeat(5000))).unwrap();
        let template = UriTemplate::parse("x{a}");
        assert_eq!(long.matches_template(&template), Expansions::Some);
    }
}
