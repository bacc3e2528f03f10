//! Folds URIs to a form that is equal for all URIs that some server may treat as the same resource.
//!
//! Folding only makes rules less certain: no rule matches by it, and URIs with different folds are
//! different to every reader.

use std::sync::Arc;

use crate::authz::glob::{Glob, InvalidGlob, Token};

/// Folds a URI: drops the query, ignores `//`, decodes the escapes of reserved characters, converts
/// to lower case, cuts parameters and colons off the end of each segment, and drops empty segments.
/// So `note://s/x`, `note:///s/x`, `note:s/x`, `note://S/x/`, `note://s/x?q` and `note://s/x;v=1`
/// fold to the same text.
pub(super) fn fold(uri: &str) -> String {
    let tokens: Vec<Token> = uri.chars().map(Token::Char).collect();
    let folded = fold_tokens(&tokens);
    let literal = folded.into_iter().filter_map(|token| match token {
        Token::Char(character) => Some(character),
        Token::One | Token::OneAny | Token::Run | Token::RunAny => None,
    });
    literal.collect()
}

/// Folds a pattern: the result matches the fold of every normal URI that the pattern matches.
/// Usually the result is one pattern. A wildcard in place of a host may match no host. A wildcard
/// that crosses everything, before something like a query, may match the start of the query.
pub(super) fn fold_pattern(pattern: &Glob) -> Result<Box<[Glob]>, InvalidGlob> {
    let tokens = pattern.all_tokens();
    let whole = fold_tokens(&tokens);
    let without_host = without_host(&whole);
    let forms = [Some(whole), without_host, before_query(&tokens)];
    let text: Arc<str> = pattern.as_str().into();
    let glob = |tokens: Vec<Token>| Glob::from_tokens(Arc::clone(&text), &tokens);
    forms.into_iter().flatten().map(glob).collect()
}

/// The fold of a pattern up to a run that may match the beginning of a query.
fn before_query(tokens: &[Token]) -> Option<Vec<Token>> {
    let run = tokens.iter().position(|token| *token == Token::RunAny)?;
    let (start, rest) = tokens.split_at_checked(run.saturating_add(1))?;
    let is_query = |token: &Token| matches!(token, Token::Char('=' | '&'));
    rest.iter().any(is_query).then(|| fold_tokens(start))
}

/// Folds the tokens of a template, for comparison with folded patterns.
pub(super) fn fold_template(tokens: &[Token]) -> Box<[Token]> {
    fold_tokens(tokens).into()
}

/// The folded pattern without its first segment, if that consists only of wildcards.
fn without_host(folded: &[Token]) -> Option<Vec<Token>> {
    let colon = folded.iter().position(|token| *token == Token::Char(':'))?;
    let (scheme, rest) = folded.split_at_checked(colon.saturating_add(1))?;
    let segment = rest.strip_prefix(&[Token::Char('/')]).unwrap_or(rest);
    let end = segment
        .iter()
        .position(|token| *token == Token::Char('/'))?;
    let (segment, rest) = segment.split_at_checked(end)?;
    let is_open = !segment.is_empty() && segment.iter().all(|token| token.is_run());
    is_open.then(|| [scheme, rest].concat())
}

fn fold_tokens(tokens: &[Token]) -> Vec<Token> {
    let query = tokens.iter().position(|token| *token == Token::Char('?'));
    let tokens = tokens
        .get(..query.unwrap_or(tokens.len()))
        .unwrap_or(tokens);
    let (scheme, rest) = split_scheme(tokens);
    let mut folded = scheme;
    let rest = lower(&decode(rest));
    let mut is_first = folded.is_empty();
    for segment in rest.split(|token| *token == Token::Char('/')) {
        let segment = if is_first { segment } else { cut(segment) };
        if segment.is_empty() {
            continue;
        }
        if !is_first {
            folded.push(Token::Char('/'));
        }
        if is_first {
            // The wildcard may match the scheme and what follows it, so it may cross what is
            // between them.
            push_open(&mut folded, segment);
        } else {
            folded.extend_from_slice(segment);
        }
        is_first = false;
    }
    joined_runs(folded)
}

/// The scheme with its colon, if it is literal, and the rest.
fn split_scheme(tokens: &[Token]) -> (Vec<Token>, &[Token]) {
    let is_literal = |token: &Token| matches!(token, Token::Char(character) if *character != '/');
    let literal = tokens.iter().take_while(|token| is_literal(token)).count();
    let colon = tokens.iter().position(|token| *token == Token::Char(':'));
    match colon.filter(|colon| *colon < literal) {
        Some(colon) => {
            let (scheme, rest) = tokens
                .split_at_checked(colon.saturating_add(1))
                .unwrap_or((tokens, &[]));
            (lower(scheme), rest)
        }
        None => (Vec::new(), tokens),
    }
}

/// Appends a segment that may hold the scheme: its wildcards, and what follows a colon, match any
/// text.
fn push_open(folded: &mut Vec<Token>, segment: &[Token]) {
    for token in segment {
        match token {
            Token::Char(':') => folded.extend([Token::Char(':'), Token::RunAny]),
            Token::Char(_) => folded.push(*token),
            Token::One | Token::OneAny | Token::Run | Token::RunAny => folded.push(Token::RunAny),
        }
    }
}

/// Merges adjacent runs, because a pattern has no two runs in a row.
fn joined_runs(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (joined.last().copied(), token) {
            (Some(Token::RunAny), Token::Run | Token::RunAny) | (Some(Token::Run), Token::Run) => {}
            (Some(Token::Run), Token::RunAny) => {
                joined.pop();
                joined.push(token);
            }
            _ => joined.push(token),
        }
    }
    joined
}

/// Decodes the escapes of reserved characters, in either case.
fn decode(tokens: &[Token]) -> Vec<Token> {
    let mut decoded = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        if let [
            Token::Char('%'),
            Token::Char(high),
            Token::Char(low),
            after @ ..,
        ] = rest
            && let Some(reserved) = reserved(*high, *low)
        {
            decoded.push(Token::Char(reserved));
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

fn reserved(high: char, low: char) -> Option<char> {
    let value = high
        .to_digit(16)?
        .checked_mul(16)?
        .checked_add(low.to_digit(16)?)?;
    char::from_u32(value).filter(|character| "!$&'()*+,;=:@".contains(*character))
}

fn lower(tokens: &[Token]) -> Vec<Token> {
    let lower = |token: &Token| match token {
        Token::Char(character) => Token::Char(character.to_ascii_lowercase()),
        Token::One | Token::OneAny | Token::Run | Token::RunAny => *token,
    };
    tokens.iter().map(lower).collect()
}

/// A segment without its parameters and the colons at its end.
fn cut(segment: &[Token]) -> &[Token] {
    let end = segment.iter().position(|token| *token == Token::Char(';'));
    let mut segment = segment
        .get(..end.unwrap_or(segment.len()))
        .unwrap_or(segment);
    while let Some((Token::Char(':'), before)) = segment.split_last() {
        segment = before;
    }
    segment
}
