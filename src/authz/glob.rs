//! Patterns over names and URIs.
//!
//! Matching simulates the pattern's automaton, so its cost is bounded by text length times pattern
//! length for any input: no text makes a pattern slow.

mod joint;
mod template;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(super) use joint::representatives;
pub(super) use template::{Expansions, UriTemplate};

/// How many wildcards and characters may follow the literal start of a pattern.
pub const PATTERN_TOKENS_MAX: usize = 255;

/// A case-sensitive pattern: `*` is any run of characters, `?` is one.
///
/// For URIs neither matches `/` or `?`, `**` is a run of any characters, and `[?]` is a question
/// mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: Arc<str>,
    prefix: Box<str>,
    /// The tokens after the literal start. If empty, the pattern is that literal. INVARIANT: at
    /// most [`PATTERN_TOKENS_MAX`], and no two runs in a row.
    tokens: Box<[Token]>,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// No text could match it.
    #[error("the pattern is empty")]
    Empty,
    /// More than [`PATTERN_TOKENS_MAX`] characters from the first wildcard on.
    #[error("the pattern has more than {PATTERN_TOKENS_MAX} characters from its first wildcard on")]
    TooLong,
}

impl Glob {
    /// A pattern over names and argument values.
    ///
    /// # Errors
    /// If the text is empty or too long.
    pub fn name(text: &str) -> Result<Self, InvalidGlob> {
        Self::parse(text, false)
    }

    /// A pattern over URIs.
    ///
    /// # Errors
    /// If the text is empty or too long.
    pub fn uri(text: &str) -> Result<Self, InvalidGlob> {
        Self::parse(text, true)
    }

    /// A pattern that matches only this text, whatever characters it has.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Glob {
            text: text.into(),
            prefix: text.into(),
            tokens: Box::default(),
        }
    }

    /// A pattern for a text with a run before it, after it or both.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn around(before: bool, text: &str, behind: bool) -> Result<Self, InvalidGlob> {
        let run = |there: bool| there.then_some(Token::RunAny);
        let tokens = run(before).into_iter();
        let tokens = tokens
            .chain(text.chars().map(Token::Char))
            .chain(run(behind));
        Self::from_tokens(text.into(), &tokens.collect::<Vec<_>>())
    }

    fn parse(text: &str, uri: bool) -> Result<Self, InvalidGlob> {
        if text.is_empty() {
            return Err(InvalidGlob::Empty);
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match (character, tokens.last(), uri) {
                ('*', Some(Token::Run), true) => {
                    tokens.pop();
                    tokens.push(Token::RunAny);
                }
                ('*', Some(Token::RunAny), _) => {}
                ('*', _, true) => tokens.push(Token::Run),
                ('*', _, false) => tokens.push(Token::RunAny),
                ('?', _, true) => tokens.push(Token::One),
                ('?', _, false) => tokens.push(Token::OneAny),
                ('[', _, true) if rest.as_str().starts_with("?]") => {
                    rest = rest.as_str().strip_prefix("?]").unwrap_or_default().chars();
                    tokens.push(Token::Char('?'));
                }
                (other, ..) => tokens.push(Token::Char(other)),
            }
        }
        Self::from_tokens(text.into(), &tokens)
    }

    /// A pattern of these tokens; `text` is its displayed form.
    pub(super) fn from_tokens(text: Arc<str>, tokens: &[Token]) -> Result<Self, InvalidGlob> {
        let literal = |token: &Token| match token {
            Token::Char(character) => Some(*character),
            Token::One | Token::OneAny | Token::Run | Token::RunAny => None,
        };
        let prefix: Vec<char> = tokens.iter().map_while(literal).collect();
        let rest = tokens.get(prefix.len()..).unwrap_or_default();
        if rest.len() > PATTERN_TOKENS_MAX {
            return Err(InvalidGlob::TooLong);
        }
        Ok(Glob {
            text,
            prefix: prefix.into_iter().collect(),
            tokens: rest.into(),
        })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The only matching text, if there is just one and it is the pattern itself.
    #[must_use]
    pub fn exact(&self) -> Option<&Arc<str>> {
        (self.tokens.is_empty() && *self.text == *self.prefix).then_some(&self.text)
    }

    /// The characters every matching text starts with.
    #[must_use]
    pub fn literal_start(&self) -> &str {
        &self.prefix
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(&*self.prefix) else {
            return false;
        };
        match &*self.tokens {
            [] => rest.is_empty(),
            [Token::RunAny] => true,
            tokens => simulate(tokens, rest),
        }
    }

    /// A text that both patterns match, if there is one. For patterns over names.
    #[must_use]
    pub fn common_match(&self, other: &Glob) -> Option<String> {
        let shorter = self.prefix.len().min(other.prefix.len());
        if self.prefix.as_bytes().get(..shorter) != other.prefix.as_bytes().get(..shorter) {
            return None;
        }
        common_text(&self.all_tokens(), &other.all_tokens())
    }

    /// The literal start and the tokens after it.
    pub(super) fn all_tokens(&self) -> Vec<Token> {
        self.prefix
            .chars()
            .map(Token::Char)
            .chain(self.tokens.iter().copied())
            .collect()
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// One character but `/` and `?`.
    One,
    /// One character.
    OneAny,
    /// A run without `/` and `?`.
    Run,
    /// A run.
    RunAny,
}

impl Token {
    /// Whether it can stand for no character and for many.
    pub(super) fn is_run(self) -> bool {
        matches!(self, Token::Run | Token::RunAny)
    }

    fn takes(self, character: char) -> bool {
        match self {
            Token::Char(own) => own == character,
            Token::One | Token::Run => !matches!(character, '/' | '?'),
            Token::OneAny | Token::RunAny => true,
        }
    }
}

/// The positions in a pattern that are reachable with the text read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Positions([u64; 4]);

impl Positions {
    /// Adds a position and those reachable from it without another character.
    fn add(&mut self, tokens: &[Token], mut position: usize) {
        self.set(position);
        while tokens.get(position).is_some_and(|token| token.is_run()) {
            position = position.saturating_add(1);
            self.set(position);
        }
    }

    fn set(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    fn contains(self, position: usize) -> bool {
        self.0
            .get(position / 64)
            .is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// The positions after one more character.
    fn after(self, tokens: &[Token], character: char) -> Self {
        let mut next = Positions::default();
        for position in self.iter() {
            let Some(token) = tokens.get(position).filter(|token| token.takes(character)) else {
                continue;
            };
            let step = usize::from(!token.is_run());
            next.add(tokens, position.saturating_add(step));
        }
        next
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        self.0
            .into_iter()
            .zip([0_usize, 64, 128, 192])
            .flat_map(|(mut word, base)| {
                std::iter::from_fn(move || {
                    let bit = (word != 0).then(|| word.trailing_zeros())?;
                    word &= word.wrapping_sub(1);
                    usize::try_from(bit).ok()?.checked_add(base)
                })
            })
    }
}

fn simulate(tokens: &[Token], text: &str) -> bool {
    let mut current = Positions::default();
    current.add(tokens, 0);
    for character in text.chars() {
        current = current.after(tokens, character);
        if current.is_empty() {
            return false;
        }
    }
    current.contains(tokens.len())
}

/// Searches both automata at once for a text that both accept.
fn common_text(left: &[Token], right: &[Token]) -> Option<String> {
    type Pair = (usize, usize);
    let goal = (left.len(), right.len());
    let mut from: HashMap<Pair, (Pair, Option<char>)> = HashMap::from([((0, 0), ((0, 0), None))]);
    let mut queue = VecDeque::from([(0, 0)]);
    while let Some(pair) = queue.pop_front() {
        if pair == goal {
            return Some(spell(&from, goal));
        }
        for (next, character) in steps(left, right, pair) {
            from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                (pair, character)
            });
        }
    }
    None
}

type ProductStep = ((usize, usize), Option<char>);

fn steps(left: &[Token], right: &[Token], (at_left, at_right): (usize, usize)) -> Vec<ProductStep> {
    let (after_left, after_right) = (at_left.saturating_add(1), at_right.saturating_add(1));
    let (own, other) = (left.get(at_left).copied(), right.get(at_right).copied());
    let mut steps = Vec::new();
    if own.is_some_and(Token::is_run) {
        steps.push(((after_left, at_right), None));
    }
    if other.is_some_and(Token::is_run) {
        steps.push(((at_left, after_right), None));
    }
    if let (Some(own), Some(other)) = (own, other) {
        let character = match (own, other) {
            (Token::Char(literal), _) | (_, Token::Char(literal)) => literal,
            _ => 'x',
        };
        if own.takes(character) && other.takes(character) && !(own.is_run() && other.is_run()) {
            let next_left = if own.is_run() { at_left } else { after_left };
            let next_right = if other.is_run() {
                at_right
            } else {
                after_right
            };
            steps.push(((next_left, next_right), Some(character)));
        }
    }
    steps
}

fn spell(from: &HashMap<(usize, usize), ProductStep>, goal: (usize, usize)) -> String {
    let mut text: Vec<char> = Vec::new();
    let mut pair = goal;
    while pair != (0, 0) {
        let Some((before, character)) = from.get(&pair) else {
            break;
        };
        text.extend(character);
        pair = *before;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests;
