//! Evaluates a matcher tree for a response as Envoy would, as far as its inputs are known.

use regex::Regex;

use super::{ConfigMessage, NAMESPACE};

/// A request as a matcher sees it after `ext_authz`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'c> {
    /// The metadata `response_filter`.
    pub(super) filter: &'c str,
    /// The header `x-mcp-authz-method`, if there is one.
    pub(super) method: Option<&'c str>,
}

/// The result of a matcher.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hit<'n> {
    /// This action.
    Action(ConfigMessage<'n>),
    /// No action applies.
    Nothing,
    /// The tree reads an unknown input.
    Unknown(ConfigMessage<'n>),
}

/// The value of an input.
#[derive(Debug, Clone, Copy)]
enum InputValue<'c> {
    Text(&'c str),
    Nothing,
    /// An unknown input.
    Unknown,
}

impl<'c> From<Option<&'c str>> for InputValue<'c> {
    fn from(text: Option<&'c str>) -> Self {
        text.map_or(InputValue::Nothing, InputValue::Text)
    }
}

/// Evaluates an `xds.type.matcher.v3.Matcher`.
pub(super) fn evaluate<'n>(matcher: ConfigMessage<'n>, case: Case<'_>) -> Hit<'n> {
    for field in matcher.list("matcher_list.matchers") {
        let Some(predicate) = field.get("predicate") else {
            return Hit::Unknown(field);
        };
        match holds(predicate, case) {
            Some(false) => {}
            Some(true) if field.is("on_match.keep_matching") => {}
            Some(true) => match field.get("on_match").map(|then| follow(then, case)) {
                Some(Hit::Nothing) | None => {}
                Some(hit) => return hit,
            },
            None => return Hit::Unknown(predicate),
        }
    }
    if let Some(tree) = matcher.get("matcher_tree") {
        match branch(tree, case) {
            Ok(Some(then)) => match follow(then, case) {
                Hit::Nothing => {}
                hit @ (Hit::Action(_) | Hit::Unknown(_)) => return hit,
            },
            Ok(None) => {}
            Err(unknown) => return Hit::Unknown(unknown),
        }
    }
    let otherwise = matcher.get("on_no_match");
    otherwise.map_or(Hit::Nothing, |then| follow(then, case))
}

/// Follows an `OnMatch`.
fn follow<'n>(then: ConfigMessage<'n>, case: Case<'_>) -> Hit<'n> {
    if let Some(matcher) = then.get("matcher") {
        return evaluate(matcher, case);
    }
    then.get("action").map_or(Hit::Nothing, Hit::Action)
}

/// The matching branch of a matcher tree, if any.
fn branch<'n>(
    tree: ConfigMessage<'n>,
    case: Case<'_>,
) -> Result<Option<ConfigMessage<'n>>, ConfigMessage<'n>> {
    let value = match tree.get("input").map(|input| value(input, case)) {
        Some(InputValue::Text(value)) => value,
        Some(InputValue::Nothing) => return Ok(None),
        Some(InputValue::Unknown) | None => return Err(tree),
    };
    if let Some(map) = tree.at("exact_match_map.map") {
        let mut entries = map.entries();
        let found = entries.find(|(key, _)| key.as_str() == Some(value));
        return Ok(found.map(|(_, then)| then));
    }
    if let Some(map) = tree.at("prefix_match_map.map") {
        let begins = |key: &str| value.starts_with(key);
        let entries = map.entries();
        let found = entries.filter(|(key, _)| key.as_str().is_some_and(begins));
        let longest = found.max_by_key(|(key, _)| key.as_str().map(str::len));
        return Ok(longest.map(|(_, then)| then));
    }
    Err(tree)
}

/// Whether a predicate holds; `None` if that is unknown.
fn holds(predicate: ConfigMessage<'_>, case: Case<'_>) -> Option<bool> {
    if let Some(single) = predicate.get("single_predicate") {
        return single_holds(single, case);
    }
    if let Some(any) = predicate.get("or_matcher") {
        return combine(any.list("predicate").map(|one| holds(one, case)), true);
    }
    if let Some(all) = predicate.get("and_matcher") {
        return combine(all.list("predicate").map(|one| holds(one, case)), false);
    }
    let inner = predicate.get("not_matcher")?;
    holds(inner, case).map(|holds| !holds)
}

/// Combines several results: `settles` decides whatever the others are.
fn combine(all: impl Iterator<Item = Option<bool>>, settles: bool) -> Option<bool> {
    let mut result = Some(!settles);
    for one in all {
        if one == Some(settles) {
            return one;
        }
        result = result.and(one);
    }
    result
}

fn single_holds(predicate: ConfigMessage<'_>, case: Case<'_>) -> Option<bool> {
    let value = match value(predicate.get("input")?, case) {
        InputValue::Text(value) => Some(value),
        InputValue::Nothing => None,
        InputValue::Unknown => return None,
    };
    if let Some(pattern) = predicate.get("value_match") {
        return value.map_or(Some(false), |value| string_holds(pattern, value));
    }
    let typed = predicate.at("custom_match.typed_config")?.typed()?;
    if !typed.is("input_matchers.metadata.v3.Metadata") {
        return None;
    }
    let found = value_holds(typed.body.get("value")?, value)?;
    Some(found != typed.body.is("invert"))
}

/// The value of an input for a request.
fn value<'c>(input: ConfigMessage<'_>, case: Case<'c>) -> InputValue<'c> {
    let Some(typed) = input.get("typed_config").and_then(ConfigMessage::typed) else {
        return InputValue::Unknown;
    };
    let header = typed.body.text_of("header_name");
    if typed.is("DynamicMetadataInput") {
        metadata(typed.body, case)
    } else if typed.is("HttpRequestHeaderMatchInput")
        && header.eq_ignore_ascii_case("x-mcp-authz-method")
    {
        case.method.into()
    } else {
        InputValue::Unknown
    }
}

fn metadata<'c>(input: ConfigMessage<'_>, case: Case<'c>) -> InputValue<'c> {
    let space = input.text_of("filter");
    let path: Vec<&str> = input.list("path").map(|part| part.text_of("key")).collect();
    match path.as_slice() {
        ["response_filter"] if space == NAMESPACE => InputValue::Text(case.filter),
        ["method"] if space == NAMESPACE => case.method.into(),
        // Envoy writes to exactly that namespace, whatever the filter's name.
        _ if space != NAMESPACE && space.starts_with(NAMESPACE) => InputValue::Nothing,
        _ => InputValue::Unknown,
    }
}

/// Evaluates a `ValueMatcher` for a text or a missing value.
fn value_holds(matcher: ConfigMessage<'_>, value: Option<&str>) -> Option<bool> {
    if let Some(any) = matcher.get("or_match") {
        return combine(
            any.list("value_matchers")
                .map(|one| value_holds(one, value)),
            true,
        );
    }
    if let Some(present) = matcher.get("present_match") {
        return present.truth().map(|wanted| wanted && value.is_some());
    }
    if let Some(pattern) = matcher.get("string_match") {
        return value.map_or(Some(false), |value| string_holds(pattern, value));
    }
    // The value is not a number, boolean or list.
    Some(false)
}

/// Evaluates a `StringMatcher`; `None` if its kind is unknown.
pub(super) fn string_holds(matcher: ConfigMessage<'_>, value: &str) -> Option<bool> {
    let folds = matcher.is("ignore_case");
    let fold = |text: &str| {
        if folds {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        }
    };
    let value = &fold(value);
    let part = |name: &str| matcher.get(name).and_then(ConfigMessage::text).map(fold);
    if let Some(text) = part("exact") {
        return Some(*value == text);
    }
    if let Some(text) = part("prefix") {
        return Some(value.starts_with(&text));
    }
    if let Some(text) = part("suffix") {
        return Some(value.ends_with(&text));
    }
    if let Some(text) = part("contains") {
        return Some(value.contains(&text));
    }
    regex_holds(matcher.get("safe_regex")?, value)
}

/// Evaluates a `RegexMatcher`, which matches whole texts; `None` if it cannot be parsed.
pub(super) fn regex_holds(matcher: ConfigMessage<'_>, value: &str) -> Option<bool> {
    let regex = matcher.get("regex").and_then(ConfigMessage::text)?;
    let regex = Regex::new(&format!("^(?:{regex})$")).ok()?;
    Some(regex.is_match(value))
}
