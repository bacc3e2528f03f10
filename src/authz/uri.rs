//! URIs of MCP resources, as rules compare them.
//!
//! Servers pass a URI through different parsers, which change blanks, case, escapes, dot segments,
//! empty ports and more. So rules are evaluated only over URIs that every parser leaves unchanged.
//! If a rule would match another spelling that some server treats as the same resource, it has no
//! result.

mod fold;
mod normal;

use std::borrow::Cow;
use std::sync::OnceLock;

use super::glob::{Expansions, Glob, InvalidGlob, Token, UriTemplate};
use super::matching::Match;

/// How a server reads URIs (`uris` in its configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UriForm {
    /// It may parse them. A URI in normal form can be evaluated; another spelling of a URI that a
    /// rule names has no result.
    #[default]
    Normal,
    /// It may split them by hand. A URI can be evaluated only if no reader treats it as equal to
    /// another.
    Strict,
    /// It compares texts: it neither parses nor decodes. Every URI without control characters can
    /// be evaluated, and each is a separate resource.
    Opaque,
}

/// A URI that every reader of a server takes for the same resource. Only such URIs are compared.
#[derive(Debug, Clone)]
pub(super) struct PlainUri<'u> {
    text: Cow<'u, str>,
    /// The folded form with a trailing slash; `None` if the server compares texts.
    folded: Option<String>,
}

impl<'u> PlainUri<'u> {
    /// The URI, if it can be evaluated.
    pub(super) fn new(text: &'u str, form: UriForm) -> Option<Self> {
        let is_plain = match form {
            UriForm::Normal => normal::is_normal(text),
            UriForm::Strict => normal::is_strict(text),
            UriForm::Opaque => !text.contains(char::is_control),
        };
        is_plain.then(|| PlainUri {
            text: Cow::Borrowed(text),
            folded: (form != UriForm::Opaque).then(|| {
                let mut folded = fold::fold(text);
                folded.push('/');
                folded
            }),
        })
    }

    /// A text that was built from a URI, compared as a URI.
    pub(super) fn made(text: &'u str) -> Self {
        PlainUri {
            text: Cow::Borrowed(text),
            folded: Some(fold::fold(text) + "/"),
        }
    }

    /// The text, which is the same for every reader.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The same with an owned text.
    pub(super) fn to_owned(&self) -> PlainUri<'static> {
        PlainUri {
            text: Cow::Owned(self.text.clone().into_owned()),
            folded: self.folded.clone(),
        }
    }

    /// The folded form; the text itself if the server compares texts.
    fn folded(&self) -> &str {
        self.folded.as_ref().map_or(&self.text, |folded| {
            folded.strip_suffix('/').unwrap_or(folded)
        })
    }

    /// The folded form as policies see it, with nothing between the scheme and the rest:
    /// `note:s/x`.
    pub(super) fn shown_folded(&self) -> Option<String> {
        self.folded.as_ref()?;
        Some(as_shown(self.folded()))
    }

    /// Whether it equals the URI that a rule names.
    pub(super) fn equals(&self, other: &str) -> Match {
        if self.text == other {
            return Match::Yes;
        }
        match &self.folded {
            Some(_) if self.folded() == fold::fold(other) => Match::Indeterminate,
            Some(_) | None => Match::No,
        }
    }
}

/// The URI of a request, parsed once.
#[derive(Debug, Default)]
pub(crate) struct UriCell<'u>(OnceLock<Option<PlainUri<'u>>>);

impl<'u> UriCell<'u> {
    /// The URI, if it can be evaluated.
    pub(super) fn get(&self, text: &'u str, form: UriForm) -> Option<&PlainUri<'u>> {
        self.0.get_or_init(|| PlainUri::new(text, form)).as_ref()
    }
}

/// A pattern over URIs.
#[derive(Debug, Clone, PartialEq)]
pub struct UriPattern {
    glob: Glob,
    /// Patterns for the folds of all URIs that the pattern matches.
    folded: Box<[Glob]>,
}

impl UriPattern {
    /// Parses a pattern: `*` is a run without `/` and `?`, `?` is one such character, `**` is a run
    /// of any characters, and `[?]` is a question mark.
    ///
    /// # Errors
    /// If the text is empty or too long.
    pub fn new(text: &str) -> Result<Self, InvalidGlob> {
        Self::of(Glob::uri(text)?)
    }

    /// A pattern over whole texts, in which `*` matches any characters.
    pub(super) fn of(glob: Glob) -> Result<Self, InvalidGlob> {
        Ok(UriPattern {
            folded: fold::fold_pattern(&glob)?,
            glob,
        })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.glob.as_str()
    }

    /// The pattern over the text of URIs in normal form.
    #[must_use]
    pub fn glob(&self) -> &Glob {
        &self.glob
    }

    /// Whether a URI matches.
    pub(super) fn matches(&self, uri: &PlainUri<'_>) -> Match {
        if self.glob.matches(&uri.text) {
            return Match::Yes;
        }
        let Some(with_slash) = &uri.folded else {
            return Match::No;
        };
        let mut folded = self.folded.iter();
        if folded.any(|glob| glob.matches(uri.folded()) || glob.matches(with_slash)) {
            Match::Indeterminate
        } else {
            Match::No
        }
    }

    /// Whether a URI that cannot be evaluated could match: yes, unless its scheme differs.
    pub(super) fn could_match(&self, text: &str) -> Match {
        let own = self.glob.literal_start().split_once(':');
        match (own, sure_scheme(text)) {
            (Some((own, _)), Some(scheme)) if !own.eq_ignore_ascii_case(scheme) => Match::No,
            _ => Match::Indeterminate,
        }
    }

    /// How many of a template's expansions match; [`Match::Unknown`] for some. If only another
    /// spelling of them matches, there is no result.
    pub(super) fn matches_template(&self, text: &str, form: UriForm) -> Match {
        if !literals_are_plain(text, form) {
            return self.could_match(text);
        }
        let template = UriTemplate::parse(text);
        match self.glob.matches_template(&template) {
            Expansions::All => return Match::Yes,
            Expansions::Some => return Match::Unknown,
            Expansions::None if form == UriForm::Opaque => return Match::No,
            Expansions::None => {}
        }
        let folded = fold::fold_template(&template.0);
        let with_slash = [&folded[..], &[Token::Char('/')]].concat();
        let forms = [UriTemplate(folded), UriTemplate(with_slash.into())];
        let could_match = |glob: &Glob| {
            let mut forms = forms.iter();
            forms.any(|form| glob.matches_template(form) != Expansions::None)
        };
        if self.folded.iter().any(could_match) {
            Match::Indeterminate
        } else {
            Match::No
        }
    }
}

/// Whether a pattern matches no URI that can be evaluated, because no such URI contains its literal
/// part. Returns the correct pattern, or an empty text if there is no telling.
#[must_use]
pub fn never_normal(pattern: &UriPattern, form: UriForm) -> Option<String> {
    let tokens = pattern.glob.all_tokens();
    let stand_in = |one: &str, any: &str| -> String {
        let text = tokens.iter().map(|token| match token {
            Token::Char(character) => character.to_string(),
            Token::One => "x".to_owned(),
            Token::Run => one.to_owned(),
            Token::OneAny | Token::RunAny => any.to_owned(),
        });
        text.collect()
    };
    let could_be = |text: &str| match form {
        UriForm::Normal => normal::is_normal(text),
        UriForm::Strict => normal::is_strict(text),
        UriForm::Opaque => true,
    };
    let mut pairs = ["x", "1", ""].into_iter().flat_map(|one| {
        let any = ["x", "1", "", "x/x", "x?x", "x://x/x"];
        any.into_iter().map(move |any| (one, any))
    });
    let starts_open = !pattern.glob.literal_start().contains(':');
    let occurs = |one: char| one.is_ascii_alphanumeric() || "[]-._~!$&'()*+,;=:@/?%".contains(one);
    let is_possible = |token: &Token| match token {
        Token::Char(character) => occurs(*character),
        Token::One | Token::OneAny | Token::Run | Token::RunAny => true,
    };
    let possible = tokens.iter().all(is_possible);
    if possible && (starts_open || pairs.any(|(one, any)| could_be(&stand_in(one, any)))) {
        return None;
    }
    // Only a pattern without wildcards can be suggested to its author.
    let has_wildcards = tokens.iter().any(|token| !matches!(token, Token::Char(_)));
    let parsed = url::Url::parse(&stand_in("x", "x")).ok().map(String::from);
    let right = parsed.filter(|text| !has_wildcards && could_be(text));
    Some(right.unwrap_or_default())
}

/// A form that is equal for all texts that some server treats as the same resource.
pub(super) fn fold_uri(text: &str) -> String {
    fold::fold(text)
}

fn as_shown(folded: &str) -> String {
    folded.replacen(":/", ":", 1)
}

/// The folded form of a text as policies see it. A folded URI folds to itself.
pub(super) fn shown_fold(text: &str) -> String {
    as_shown(&fold::fold(text))
}

/// The same for a text with which a folded URI may begin.
pub(super) fn shown_fold_start(text: &str) -> String {
    // This keeps the end of the text from being taken for the end of a segment.
    const REST: char = '\0';
    let folded = shown_fold(&format!("{text}{REST}"));
    folded.strip_suffix(REST).unwrap_or(&folded).to_owned()
}

/// The scheme that every reader finds in a text, which may not be a valid URI otherwise.
fn sure_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (!scheme.is_empty() && scheme.bytes().all(plain)).then_some(scheme)
}

/// Whether the literal parts of a template may occur in a URI that can be evaluated. A template
/// that may expand to any scheme has no literal to check.
fn literals_are_plain(template: &str, form: UriForm) -> bool {
    let (start, _) = template.split_once('{').unwrap_or((template, ""));
    if !start.contains(':') {
        return true;
    }
    ["x", "1"]
        .iter()
        .any(|value| PlainUri::new(&expand(template, value), form).is_some())
}

/// Expands a template with the same value for every variable; an unclosed expression expands to
/// nothing.
fn expand(template: &str, value: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        text.push_str(literal);
        let (expression, next) = after.split_once('}').unwrap_or(("", ""));
        match expression.chars().next() {
            Some(operator @ ('/' | '.' | ';')) => {
                text.push(operator);
                text.push_str(value);
            }
            Some('?' | '&' | '#') | None => {}
            Some(_) => text.push_str(value),
        }
        rest = next;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
