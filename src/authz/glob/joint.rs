//! Names that stand for all others: one for each set of patterns that some name fits together.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::{Glob, Positions, Token};

/// How many sets of positions are looked at.
const STATES_MAX: usize = 20_000;

/// Where one pattern is after some characters: in its literal start, or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Live {
    pattern: usize,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Start(usize),
    Tail(Positions),
}

/// A text, and the patterns that it and nothing else of those given fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::authz) struct Representative {
    pub(in crate::authz) name: String,
    /// The positions of the patterns.
    pub(in crate::authz) fits: Vec<usize>,
}

/// One name for each set of `patterns` that some name other than those of `taken` fits and no
/// further pattern does. `None` if the patterns are too many to be told apart. For patterns over
/// names.
pub(in crate::authz) fn representatives(
    patterns: &[&Glob],
    taken: &BTreeSet<&str>,
) -> Option<Vec<Representative>> {
    let literals: Vec<Glob> = taken.iter().map(|name| Glob::literal(name)).collect();
    let all: Vec<Automaton<'_>> = patterns
        .iter()
        .copied()
        .chain(&literals)
        .map(Automaton::new)
        .collect();
    let first: Vec<Live> = (0..all.len())
        .map(|pattern| all_start(pattern, &all))
        .collect();
    let mut seen: HashSet<Vec<Live>> = HashSet::from([first.clone()]);
    let mut queue = VecDeque::from([(first, String::new())]);
    let mut found: Vec<Representative> = Vec::new();
    let mut known: HashSet<Vec<usize>> = HashSet::new();
    while let Some((state, name)) = queue.pop_front() {
        for character in characters(&state, &all) {
            let next: Vec<Live> = state
                .iter()
                .filter_map(|live| {
                    let at = all.get(live.pattern)?.after(live.at, character)?;
                    Some(Live { at, ..*live })
                })
                .collect();
            let accepts = |live: &&Live| {
                all.get(live.pattern)
                    .is_some_and(|one| one.accepts(live.at))
            };
            let fits = next.iter().filter(accepts).map(|live| live.pattern);
            let fits: Vec<usize> = fits.collect();
            let is_taken = fits.iter().any(|pattern| *pattern >= patterns.len());
            let name = || format!("{name}{character}");
            if !is_taken && known.insert(fits.clone()) {
                found.push(Representative { name: name(), fits });
            }
            if seen.len() >= STATES_MAX {
                return None;
            }
            if seen.insert(next.clone()) {
                queue.push_back((next, name()));
            }
        }
    }
    Some(found)
}

fn all_start(pattern: usize, all: &[Automaton<'_>]) -> Live {
    let at = all.get(pattern).map_or(At::Start(0), |one| one.settle(0));
    Live { pattern, at }
}

/// The characters that some pattern waits for, and one that none does.
fn characters(state: &[Live], all: &[Automaton<'_>]) -> BTreeSet<char> {
    let mut wanted = BTreeSet::new();
    for live in state {
        if let Some(one) = all.get(live.pattern) {
            one.wanted(live.at, &mut wanted);
        }
    }
    let other = ('x'..='z').chain('a'..='w').chain('\u{e000}'..='\u{f8ff}');
    let mut other = other.filter(|character| !wanted.contains(character));
    let other = other.next();
    wanted.extend(other);
    wanted
}

/// One pattern, character by character.
struct Automaton<'p> {
    start: Vec<char>,
    tokens: &'p [Token],
}

impl<'p> Automaton<'p> {
    fn new(glob: &'p Glob) -> Self {
        Automaton {
            start: glob.prefix.chars().collect(),
            tokens: &glob.tokens,
        }
    }

    /// After so many characters of the literal start.
    fn settle(&self, read: usize) -> At {
        if read < self.start.len() {
            return At::Start(read);
        }
        let mut positions = Positions::default();
        positions.add(self.tokens, 0);
        At::Tail(positions)
    }

    fn accepts(&self, at: At) -> bool {
        match at {
            At::Start(_) => false,
            At::Tail(positions) => positions.contains(self.tokens.len()),
        }
    }

    fn after(&self, at: At, character: char) -> Option<At> {
        match at {
            At::Start(read) => (self.start.get(read) == Some(&character))
                .then(|| self.settle(read.saturating_add(1))),
            At::Tail(positions) => {
                let next = positions.after(self.tokens, character);
                (!next.is_empty()).then_some(At::Tail(next))
            }
        }
    }

    fn wanted(&self, at: At, wanted: &mut BTreeSet<char>) {
        match at {
            At::Start(read) => wanted.extend(self.start.get(read)),
            At::Tail(positions) => {
                let tokens = positions.iter().filter_map(|at| self.tokens.get(at));
                wanted.extend(tokens.filter_map(|token| match token {
                    Token::Char(character) => Some(*character),
                    Token::One | Token::OneAny | Token::Run | Token::RunAny => None,
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], taken: &[&str]) -> Vec<Vec<usize>> {
        let globs: Vec<Glob> = patterns
            .iter()
            .map(|text| Glob::name(text).unwrap())
            .collect();
        let globs: Vec<&Glob> = globs.iter().collect();
        let taken = taken.iter().copied().collect();
        let found = representatives(&globs, &taken).unwrap();
        for one in &found {
            for (at, glob) in globs.iter().enumerate() {
                assert_eq!(glob.matches(&one.name), one.fits.contains(&at), "{one:?}");
            }
            assert!(!taken.contains(&*one.name));
        }
        let mut fits: Vec<Vec<usize>> = found.into_iter().map(|one| one.fits).collect();
        fits.sort();
        fits
    }

    #[test]
    fn every_possible_set_of_patterns_has_one_name_and_no_other() {
        let none: [usize; 0] = [];
        assert_eq!(found(&[], &[]), [none]);
        assert_eq!(
            found(&["get_*", "*_me"], &[]),
            [&none[..], &[0], &[0, 1], &[1]]
        );
        // The only name that the first fits and the second does not is taken.
        assert_eq!(found(&["ab*", "ab?*"], &[]), [&none[..], &[0], &[0, 1]]);
        assert_eq!(found(&["ab*", "ab?*"], &["ab"]), [&none[..], &[0, 1]]);
        assert_eq!(found(&["?", "x"], &["y"]), [&none[..], &[0], &[0, 1]]);
        assert_eq!(found(&["*"], &["x"]), [[0]]);
    }

    #[test]
    fn too_many_patterns_are_reported() {
        let globs: Vec<Glob> = ('a'..='z')
            .map(|letter| Glob::name(&format!("*{letter}*")).unwrap())
            .collect();
        let globs: Vec<&Glob> = globs.iter().collect();
        assert_eq!(representatives(&globs, &BTreeSet::new()), None);
    }
}
