//! Warns of names of callers that look like another name of the policy.

use std::collections::BTreeMap;

use super::context::Lint;
use crate::authz::{Expression, NameKind, Rule};
use crate::policy::silence::SIMILAR_NAMES;
use crate::yaml::{look, passes_for_latin};

/// How long a word has to be for one letter more, less or elsewhere to be a slip.
const WORD_MIN: usize = 6;

/// The names of each kind, as they look, in the order of the rules that name them first.
type Looks = BTreeMap<&'static str, Vec<(String, String)>>;

impl Lint<'_> {
    /// Each kind of names by itself: a group may be called as a role.
    pub(super) fn look_at_similar_names(&mut self) {
        let policy = self.policy;
        let mut seen: Looks = BTreeMap::new();
        let foreign: Vec<&str> = policy
            .rules()
            .iter()
            .flat_map(|rule| names_of(rule).into_iter().flat_map(|(_, _, names)| names))
            .filter(|name| name.chars().any(|c| c.is_alphabetic() && !c.is_ascii()))
            .collect();
        let is_only_latin_looking = foreign.iter().all(|name| passes_for_latin(name));
        for rule in policy.rules() {
            for (kind, way, names) in names_of(rule) {
                let known = seen.entry(kind).or_default();
                let mut found = None;
                for name in names {
                    if known.iter().any(|(other, _)| other == name) {
                        continue;
                    }
                    let own = look(name);
                    let other = known.iter().find(|(other, seen)| {
                        *seen == own || (kind != "subjects" && is_slip(name, other))
                    });
                    if let Some((other, _)) = other {
                        let message =
                            format!("`{name}` is nearly `{other}`, which another rule names");
                        found = Some((message, format!("did you mean `{other}`?")));
                    } else if is_only_latin_looking && passes_for_latin(name) {
                        let shown: String = name.escape_unicode().collect();
                        let message = format!("each letter of `{name}` looks like a Latin one");
                        found = Some((message, format!("it is `{shown}`")));
                    }
                    known.push((name.to_string(), own));
                }
                if let Some((message, help)) = found {
                    self.warn(rule, &way, SIMILAR_NAMES, &message, &help);
                }
            }
        }
    }
}

type Named<'r> = (&'static str, Vec<&'static str>, Vec<&'r str>);

/// The names of callers that a rule has, each list with its kind and place.
fn names_of(rule: &Rule) -> Vec<Named<'_>> {
    let mut all = Vec::new();
    for (who, before) in [
        (rule.who.as_ref(), &["who"][..]),
        (
            rule.who.as_ref().and_then(|who| who.not.as_deref()),
            &["who", "not"][..],
        ),
    ] {
        let lists = who.into_iter().flat_map(|who| who.kinds().names);
        for (kind, names) in lists {
            if let Some(names) = names.filter(|_| !["issuers", "peers"].contains(&kind)) {
                let mut way = before.to_vec();
                way.push(kind);
                all.push((kind, way, names.iter().map(|name| &**name).collect()));
            }
        }
    }
    let tests = rule.expression.as_ref().map(Expression::name_tests);
    for test in tests.into_iter().flatten().filter(|test| test.is_exact()) {
        if let Some(kind) = kind_of(test.kind).filter(|_| !test.text.is_empty()) {
            all.push((kind, vec!["if"], vec![&*test.text]));
        }
    }
    all
}

/// The key of `who` for the names that a condition tests.
fn kind_of(kind: NameKind) -> Option<&'static str> {
    match kind {
        NameKind::Subject => Some("subjects"),
        NameKind::Agent => Some("agents"),
        NameKind::Tenant => Some("tenants"),
        NameKind::Group => Some("groups"),
        NameKind::Role => Some("roles"),
        NameKind::Scope => Some("scopes"),
        NameKind::Class
        | NameKind::Name
        | NameKind::Server
        | NameKind::Method
        | NameKind::Revision
        | NameKind::Uri
        | NameKind::Issuer
        | NameKind::Peer
        | NameKind::Fact
        | NameKind::Argument => None,
    }
}

/// Whether two names differ by one slip in one word: a letter too many, too few, or two in the wrong
/// order. The last letter may make a plural, and a letter for another may count (`team-a`, `team-b`).
fn is_slip(one: &str, other: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(|c: char| !c.is_alphanumeric());
        words.map(str::to_lowercase).collect()
    };
    let (ones, others) = (words(one), words(other));
    if ones.len() != others.len() {
        return false;
    }
    let mut different = ones.iter().zip(&others).filter(|(one, other)| one != other);
    let (Some((one, other)), None) = (different.next(), different.next()) else {
        return false;
    };
    let is_word = |word: &str| word.len() >= WORD_MIN && word.chars().all(char::is_alphabetic);
    let is_swapped = one.len() == other.len() && {
        let (mut ones, mut others): (Vec<_>, Vec<_>) =
            (one.chars().collect(), other.chars().collect());
        ones.sort_unstable();
        others.sort_unstable();
        ones == others
    };
    let is_plural = one.trim_end_matches('s') == other.trim_end_matches('s');
    is_word(one)
        && is_word(other)
        && !is_plural
        && (one.len() != other.len() || is_swapped)
        && strsim::damerau_levenshtein(one, other) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_names() {
        for (one, other) in [
            ("engineering", "enginering"),
            ("contractors", "contractros"),
            ("acme-engineering", "acme-engineeering"),
        ] {
            assert!(is_slip(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("team-a", "team-b"),
            ("team1", "team2"),
            ("engineer", "engineers"),
            ("dev", "devs"),
            ("internal", "external"),
            ("notes:read", "notes:reads"),
            ("eng-north", "eng-south"),
            ("reader", "render"),
        ] {
            assert!(!is_slip(one, other), "{one} {other}");
        }
    }
}
