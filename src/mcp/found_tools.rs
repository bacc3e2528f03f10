//! The result of a tool that searches tools: its lists of what was found.
//!
//! Servers give such a list twice: in `structuredContent`, and as the JSON text of a content item.
//! Whoever reads one of them must see no more than in the other, so a result is read as a whole, and
//! one that may have a list in a third form is not let through.

use std::borrow::Cow;

use super::key_rules::fold;
use crate::authz::{Value, ValuePath};
use crate::json::{self, Json};

/// The result of a search, read as a whole.
#[derive(Debug)]
pub struct FoundTools {
    result: Value<'static>,
    /// The numbers of the content items whose text is a list, and what each is.
    texts: Vec<(usize, Value<'static>)>,
    path: ValuePath,
}

/// One tool that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundTool<'f> {
    /// Its name; none: it cannot be judged.
    pub name: Option<&'f str>,
    /// Its description as lists have it; none: only a part of that is there.
    pub whole: Option<&'f Value<'f>>,
}

/// Why the result of a search cannot be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnclearResult {
    /// It is not JSON, has a key twice, or nests too deep.
    #[error("the result cannot be read as JSON")]
    NotJson,
    /// It is not an object.
    #[error("the result is not an object")]
    NotAnObject,
    /// A key is nearly that of a member of results.
    #[error("a key of the result is nearly that of another member")]
    Ambiguous,
    /// It stands for a task, whose result comes later.
    #[error("the result comes later, as that of a task")]
    Task,
    /// A part of it has no list where the configuration says.
    #[error("a part of the result has no list at the configured path")]
    NoList,
}

/// The members of a result that matter here.
const MEMBERS: [&str; 6] = [CONTENT, STRUCTURED, IS_ERROR, COMPATIBLE, "task", "taskId"];
const CONTENT: &str = "content";
const STRUCTURED: &str = "structuredContent";
/// Where results were before 2024-10-07, which official clients still accept.
const COMPATIBLE: &str = "toolResult";
const IS_ERROR: &str = "isError";

impl FoundTools {
    /// Reads a result. `path` leads to the list in `structuredContent`, and in the JSON text of a
    /// content item, unless that text is the list itself. An error has to have no list.
    ///
    /// # Errors
    /// If some of it may have a list that is not found here.
    pub fn read(text: &[u8], path: &ValuePath, depth_max: usize) -> Result<Self, UnclearResult> {
        let depth_max = depth_max.min(DEPTH_MAX_CEILING);
        let result = json::decode(text, depth_max).map_err(|_| UnclearResult::NotJson)?;
        let Value::Map(members) = &result else {
            return Err(UnclearResult::NotAnObject);
        };
        if members.iter().any(|(key, _)| is_nearly_known(key)) {
            return Err(UnclearResult::Ambiguous);
        }
        if ["task", "taskId"]
            .iter()
            .any(|key| result.member(key).is_some())
        {
            return Err(UnclearResult::Task);
        }
        if result.member(COMPATIBLE).is_some() {
            return Err(UnclearResult::NoList);
        }
        let is_error = result.member(IS_ERROR) == Some(&Value::Bool(true));
        let missing = if is_error {
            Ok(())
        } else {
            Err(UnclearResult::NoList)
        };
        match result.member(STRUCTURED) {
            None | Some(Value::Null) => {}
            Some(structured) if list(structured, path).is_some() => {}
            Some(_) => missing?,
        }
        let mut texts = Vec::new();
        for (at, item) in content(&result)?.iter().enumerate() {
            let decoded =
                text_of(item).and_then(|text| json::decode(text.as_bytes(), depth_max).ok());
            match decoded {
                Some(value) if text_list(&value, path).is_some() => texts.push((at, value)),
                Some(_) | None => missing?,
            }
        }
        Ok(FoundTools {
            result,
            texts,
            path: path.clone(),
        })
    }

    /// Every tool in it, in a fixed order; one that is there twice comes twice.
    pub fn tools(&self) -> impl Iterator<Item = FoundTool<'_>> {
        let structured = self.result.member(STRUCTURED);
        let structured = structured.and_then(|value| list(value, &self.path));
        let texts = self.texts.iter();
        let texts = texts.filter_map(|(_, value)| text_list(value, &self.path));
        structured.into_iter().chain(texts).flatten().map(found)
    }

    /// How many of them are in the first list: further lists repeat them.
    #[must_use]
    pub fn first_list_len(&self) -> usize {
        let structured = self.result.member(STRUCTURED);
        let structured = structured.and_then(|value| list(value, &self.path));
        let texts = || {
            let mut texts = self.texts.iter();
            texts.find_map(|(_, value)| text_list(value, &self.path))
        };
        structured.or_else(texts).map_or(0, Vec::len)
    }

    /// The result without the tools that are not to be shown, by their order; `None` if it stays as
    /// it is. A tool that nothing is said of is not shown.
    #[must_use]
    pub fn shown(mut self, shown: &[bool]) -> Option<String> {
        if self.tools().count() == shown.len() && shown.iter().all(|is| *is) {
            return None;
        }
        let mut shown = shown.iter().copied();
        let mut retain = |items: &mut Vec<Value<'static>>| {
            items.retain(|_| shown.next().unwrap_or(false));
        };
        let path = &self.path;
        let structured = member_mut(&mut self.result, STRUCTURED);
        if let Some(items) = structured.and_then(|value| list_mut(value, path)) {
            retain(items);
        }
        for (at, mut value) in self.texts {
            if let Some(items) = text_list_mut(&mut value, path) {
                retain(items);
            }
            let item = match member_mut(&mut self.result, CONTENT) {
                Some(Value::List(items)) => items.get_mut(at),
                Some(_) | None => None,
            };
            if let Some(text) = item.and_then(|item| member_mut(item, "text")) {
                *text = Value::String(Cow::Owned(written(value)));
            }
        }
        Some(written(self.result))
    }
}

/// Whether some client may take a key for that of another member.
fn is_nearly_known(key: &str) -> bool {
    let spelled = Cow::Borrowed(key);
    let folded = fold(&spelled);
    let is_near = |member: &&str| *member != key && member.eq_ignore_ascii_case(&folded);
    key.contains('\0') || MEMBERS.iter().any(is_near)
}

fn content<'v>(result: &'v Value<'static>) -> Result<&'v [Value<'static>], UnclearResult> {
    match result.member(CONTENT) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::List(items)) => Ok(items),
        Some(_) => Err(UnclearResult::NoList),
    }
}

/// The text of a content item, if it is one of text.
fn text_of<'v>(item: &'v Value<'static>) -> Option<&'v str> {
    let kind = item.member("type").and_then(Value::as_str);
    kind.filter(|kind| *kind == "text")?;
    item.member("text")?.as_str()
}

fn found<'f>(item: &'f Value<'static>) -> FoundTool<'f> {
    FoundTool {
        name: item.as_str().or_else(|| item.member("name")?.as_str()),
        whole: item.member("inputSchema").map(|_| item),
    }
}

fn list<'v>(value: &'v Value<'static>, path: &ValuePath) -> Option<&'v Vec<Value<'static>>> {
    let mut names = path.as_str().split('.');
    let found = names.try_fold(value, |value, name| value.member(name));
    as_list(found?)
}

fn as_list<'v>(value: &'v Value<'static>) -> Option<&'v Vec<Value<'static>>> {
    if let Value::List(items) = value {
        Some(items)
    } else {
        None
    }
}

fn text_list<'v>(value: &'v Value<'static>, path: &ValuePath) -> Option<&'v Vec<Value<'static>>> {
    as_list(value).or_else(|| list(value, path))
}

fn list_mut<'v>(
    value: &'v mut Value<'static>,
    path: &ValuePath,
) -> Option<&'v mut Vec<Value<'static>>> {
    let mut value = value;
    for name in path.as_str().split('.') {
        value = member_mut(value, name)?;
    }
    if let Value::List(items) = value {
        Some(items)
    } else {
        None
    }
}

fn text_list_mut<'v>(
    value: &'v mut Value<'static>,
    path: &ValuePath,
) -> Option<&'v mut Vec<Value<'static>>> {
    if matches!(value, Value::List(_)) {
        return if let Value::List(items) = value {
            Some(items)
        } else {
            None
        };
    }
    list_mut(value, path)
}

fn member_mut<'v>(value: &'v mut Value<'static>, key: &str) -> Option<&'v mut Value<'static>> {
    let Value::Map(members) = value else {
        return None;
    };
    members
        .iter_mut()
        .find_map(|(name, value)| (name == key).then_some(value))
}

/// A value as JSON text, without characters at which some clients break the lines of a stream.
fn written(value: Value<'static>) -> String {
    // A value that was read can be written.
    let text = serde_json::to_string(&Json(Cow::Owned(value))).unwrap_or_default();
    text.replace('\u{85}', "\\u0085")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// `serde_json` refuses the 128th level.
const DEPTH_MAX_CEILING: usize = 126;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(result: &str) -> Result<FoundTools, UnclearResult> {
        FoundTools::read(
            result.as_bytes(),
            &ValuePath::of_argument("result").unwrap(),
            64,
        )
    }

    fn names(found: &FoundTools) -> Vec<Option<&str>> {
        found.tools().map(|tool| tool.name).collect()
    }

    #[test]
    fn what_is_hidden_is_hidden_wherever_it_is() {
        let result = r#"{"content":[{"type":"text","text":"[{\"name\":\"a\"},{\"name\":\"b\",\"x\":\"\u2028\"}]"}],
            "structuredContent":{"result":[{"name":"a","inputSchema":{}},{"name":"b"}],"n":1.50},"_meta":{"k":2}}"#;
        let found = read(result).unwrap();
        assert_eq!(names(&found), [Some("a"), Some("b"), Some("a"), Some("b")]);
        let whole: Vec<_> = found.tools().map(|tool| tool.whole.is_some()).collect();
        assert_eq!(
            (whole, found.first_list_len()),
            (vec![true, false, false, false], 2)
        );
        assert_eq!(
            found.shown(&[false, true, false, true]).unwrap(),
            concat!(
                r#"{"content":[{"type":"text","text":"[{\"name\":\"b\",\"x\":\"\\u2028\"}]"}],"#,
                r#""structuredContent":{"result":[{"name":"b"}],"n":1.5},"_meta":{"k":2}}"#,
            )
        );
        assert_eq!(read(result).unwrap().shown(&[true; 4]), None);
        let none = read(result).unwrap().shown(&[]).unwrap();
        assert!(!none.contains("name"), "{none}");
    }

    #[test]
    fn lists_are_found_in_their_forms() {
        for (result, expected) in [
            (r#"{"content":[]}"#, vec![]),
            ("{}", vec![]),
            (r#"{"content":null,"structuredContent":null}"#, vec![]),
            (
                r#"{"resultType":"input_required","inputRequests":{}}"#,
                vec![],
            ),
            (
                r#"{"structuredContent":{"result":["a","b"]}}"#,
                vec![Some("a"), Some("b")],
            ),
            (
                r#"{"structuredContent":{"result":[7,{"title":"x"},{"name":1}]}}"#,
                vec![None, None, None],
            ),
            (
                r#"{"content":[{"type":"text","text":"{\"result\":[\"a\"]}"}]}"#,
                vec![Some("a")],
            ),
            (
                r#"{"content":[{"type":"text","text":"[\"a\"]"},{"type":"text","text":"[\"b\"]"}]}"#,
                vec![Some("a"), Some("b")],
            ),
            (
                r#"{"isError":true,"content":[{"type":"text","text":"no such"}]}"#,
                vec![],
            ),
            (
                r#"{"isError":true,"content":[{"type":"text","text":"[\"a\"]"}]}"#,
                vec![Some("a")],
            ),
            (
                r#"{"isError":true,"structuredContent":{"result":["a"]}}"#,
                vec![Some("a")],
            ),
        ] {
            let found = read(result).unwrap_or_else(|error| panic!("{result}: {error}"));
            assert_eq!(names(&found), expected, "{result}");
        }
    }

    #[test]
    fn a_result_that_may_have_a_list_elsewhere_is_unclear() {
        for (result, expected) in [
            (
                r#"{"content":[],"toolResult":["a"]}"#,
                UnclearResult::NoList,
            ),
            (
                r#"{"content":[],"toolresult":["a"]}"#,
                UnclearResult::Ambiguous,
            ),
            ("{", UnclearResult::NotJson),
            (r#"{"content":[],"content":[]}"#, UnclearResult::NotJson),
            ("[]", UnclearResult::NotAnObject),
            ("null", UnclearResult::NotAnObject),
            (
                r#"{"structuredcontent":{"result":[]}}"#,
                UnclearResult::Ambiguous,
            ),
            (r#"{"Content":[]}"#, UnclearResult::Ambiguous),
            (r#"{"iserror":true}"#, UnclearResult::Ambiguous),
            (r#"{"content\u0000":[]}"#, UnclearResult::Ambiguous),
            (r#"{"task":{"taskId":"t"}}"#, UnclearResult::Task),
            (r#"{"taskId":"t","resultType":"task"}"#, UnclearResult::Task),
            (
                r#"{"structuredContent":{"tools":[]}}"#,
                UnclearResult::NoList,
            ),
            (
                r#"{"structuredContent":{"result":{}}}"#,
                UnclearResult::NoList,
            ),
            (r#"{"structuredContent":[]}"#, UnclearResult::NoList),
            (r#"{"content":"a, b"}"#, UnclearResult::NoList),
            (
                r#"{"content":[{"type":"text","text":"a, b"}]}"#,
                UnclearResult::NoList,
            ),
            (
                r#"{"content":[{"type":"text","text":"{\"tools\":[]}"}]}"#,
                UnclearResult::NoList,
            ),
            (
                r#"{"content":[{"type":"image","data":""}]}"#,
                UnclearResult::NoList,
            ),
            (
                r#"{"content":[{"type":"Text","text":"[]"}]}"#,
                UnclearResult::NoList,
            ),
            (r#"{"content":["[]"]}"#, UnclearResult::NoList),
            (
                r#"{"structuredContent":{"result":[]},"content":[{"type":"text","text":"a, b"}]}"#,
                UnclearResult::NoList,
            ),
        ] {
            assert_eq!(read(result).map(|_| ()), Err(expected), "{result}");
        }
    }
}
