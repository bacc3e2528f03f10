//! What is found in results, and what is not.

use super::*;
use crate::mcp::Unjudged;

fn paths(list: &str, server: Option<&str>) -> FoundPaths {
    let path = |text| ValuePath::of_argument(text).unwrap();
    FoundPaths {
        list: path(list),
        server: server.map(path),
    }
}

fn read(result: &str) -> Result<FoundTools, UnclearResult> {
    FoundTools::read(result.as_bytes(), &paths("result", None), 64)
}

fn names(found: &FoundTools) -> Vec<Option<&str>> {
    found.tools().map(|tool| tool.name.ok()).collect()
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
            r#"{"content":[{"type":"text","text":"[{\"name\":\"b\",\"x\":\"\u2028\"}]"}],"#,
            "\n        ",
            r#""structuredContent":{"result":[{"name":"b"}],"n":1.50},"_meta":{"k":2}}"#,
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

/// What is left of a result if nothing but `a` is shown.
fn only_a(result: &str) -> Result<String, UnclearResult> {
    let found = read(result)?;
    let shown: Vec<_> = names(&found)
        .iter()
        .map(|name| *name == Some("a"))
        .collect();
    Ok(found.shown(&shown).unwrap_or_else(|| result.to_owned()))
}

#[test]
fn what_the_python_sdks_return_of_a_list_is_found() {
    for (before, after) in [
        // Each item in a text of its own.
        (
            r#"{"content":[{"type":"text","text":"{\n  \"name\": \"b\"\n}"},{"type":"text","text":"{\"name\":\"a\",\"x\":[1]}"}],"structuredContent":{"result":[{"name":"b"},{"name":"a","x":[1]}]}}"#,
            r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"x\":[1]}"}],"structuredContent":{"result":[{"name":"a","x":[1]}]}}"#,
        ),
        (
            r#"{"structuredContent":{"result":["a","b"]},"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
            r#"{"structuredContent":{"result":["a"]},"content":[{"type":"text","text":"a"}]}"#,
        ),
        // Without a type of the result, nothing but the texts.
        (
            r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"inputSchema\":{}}"},{"type":"text","text":"{\"name\":\"b\",\"description\":\"B\"}"}]}"#,
            r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"inputSchema\":{}}"}]}"#,
        ),
        // A text that is JSON, and the same text once more.
        (
            r#"{"content":[{"type":"text","text":"[\"a\",\"b\"]"}],"structuredContent":{"result":"[\"a\",\"b\"]"}}"#,
            r#"{"content":[{"type":"text","text":"[\"a\"]"}],"structuredContent":{"result":"[\"a\"]"}}"#,
        ),
        (
            r#"{"content":[{"type":"text","text":"{\"result\": [\"b\"]}"}],"structuredContent":{"result":"{\"result\": [\"b\"]}"}}"#,
            r#"{"content":[{"type":"text","text":"{\"result\": []}"}],"structuredContent":{"result":"{\"result\": []}"}}"#,
        ),
    ] {
        assert_eq!(only_a(before).as_deref(), Ok(after), "{before}");
    }
}

#[test]
fn texts_that_are_not_the_items_of_a_list_are_unclear() {
    for result in [
        // Another one, one more, one less, another order.
        r#"{"content":[{"type":"text","text":"{\"name\":\"b\"}"}],"structuredContent":{"result":[{"name":"a"}]}}"#,
        r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"structuredContent":{"result":["a"]}}"#,
        r#"{"content":[{"type":"text","text":"a"}],"structuredContent":{"result":["a","b"]}}"#,
        r#"{"content":[{"type":"text","text":"b"},{"type":"text","text":"a"}],"structuredContent":{"result":["a","b"]}}"#,
        // A name twice, and an object for a name.
        r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"name\":\"b\"}"}],"structuredContent":{"result":[{"name":"a"}]}}"#,
        r#"{"content":[{"type":"text","text":"{\"name\":\"a\"} b"}],"structuredContent":{"result":[{"name":"a"}]}}"#,
        r#"{"content":[{"type":"text","text":"a, b"}],"structuredContent":{"result":["a"]}}"#,
        // A text beside a list in another one.
        r#"{"content":[{"type":"text","text":"[\"a\"]"},{"type":"text","text":"b"}]}"#,
        r#"{"content":[{"type":"text","text":"a"},{"type":"image","data":""}],"structuredContent":{"result":["a"]}}"#,
        // Alone, with room for others.
        r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"found\":[{\"name\":\"b\"}]}"}]}"#,
        r#"{"content":[{"type":"text","text":"{\"name\":\"a\",\"found\":{\"b\":1}}"}]}"#,
        r#"{"content":[{"type":"text","text":"{\"name\":\"a\"}, {\"name\":\"b\"}"}]}"#,
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"text","text":"{\"title\":\"a\"}"}]}"#,
        // Wrapped beside something else, or wrapped and no list.
        r#"{"structuredContent":{"result":"[\"a\"]","other":1}}"#,
        r#"{"structuredContent":{"result":"a"}}"#,
        r#"{"structuredContent":{"result":"[\"a\"] [\"b\"]"}}"#,
        r#"{"structuredContent":{"result":{"tools":["a"]}}}"#,
    ] {
        assert_eq!(only_a(result), Err(UnclearResult::NoList), "{result}");
    }
}

#[test]
fn what_is_wrong_with_one_item_does_not_take_the_others_away() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    for (item, why) in [
        (r#"{"name":"b","x":1e999}"#.to_owned(), Unjudged::Unsound),
        (r#"{"name":"b\ud83d"}"#.to_owned(), Unjudged::Unsound),
        (r#"{"name":"b","\ud83d":1}"#.to_owned(), Unjudged::Unsound),
        (r#""\ud83d""#.to_owned(), Unjudged::Unsound),
        (r#"{"name":"b","name":"a"}"#.to_owned(), Unjudged::Ambiguous),
        (r#"{"name":"a","Name":"b"}"#.to_owned(), Unjudged::Ambiguous),
        (
            format!(r#"{{"name":"b","x":{}}}"#, deep(70)),
            Unjudged::TooDeep,
        ),
        (
            format!(r#"{{"name":"b","x":{}}}"#, deep(2000)),
            Unjudged::TooDeep,
        ),
        ("[]".to_owned(), Unjudged::NotAnObject),
        (r#"{"title":"b"}"#.to_owned(), Unjudged::Unnamed),
    ] {
        let list = format!(r#"[{{"name":"a"}}, {item}]"#);
        let text = serde_json::to_string(&list).unwrap();
        let result = format!(
            r#"{{"structuredContent":{{"result":{list}}},"content":[{{"type":"text","text":{text}}}]}}"#
        );
        let found = read(&result).unwrap();
        let second = found.tools().nth(1).unwrap();
        assert_eq!(second.name, Err(why), "{item}");
        let left = r#"{"structuredContent":{"result":[{"name":"a"}]},"content":[{"type":"text","text":"[{\"name\":\"a\"}]"}]}"#;
        assert_eq!(only_a(&result).as_deref(), Ok(left), "{item}");
    }
    // Half of a surrogate pair in a description passes as it is.
    let same = r#"{"structuredContent":{"result":[{"name":"a","x":"\ud83d"}]},"content":[{"type":"text","text":"[{\"name\":\"a\",\"x\":\"\\ud83d\"}]"}]}"#;
    assert_eq!(only_a(same).as_deref(), Ok(same));
    let more = same.replace(r#"[{"name""#, r#"["b",{"name""#);
    let more = more.replace(r#"[{\"name\""#, r#"[\"b\", {\"name\""#);
    assert_eq!(only_a(&more).as_deref(), Ok(same));
    // What is in no item has to be sound.
    let bytes = b"{\"structuredContent\":{\"result\":[]},\"_meta\":\"\xff\"}";
    let path = paths("result", None);
    let fault = FoundTools::read(bytes, &path, 64).map(drop);
    assert_eq!(fault, Err(UnclearResult::NotJson));
    let bytes = b"{\"structuredContent\":{\"result\":[\"a\",\"\xff\"]}}";
    let found = FoundTools::read(bytes, &path, 64).unwrap();
    assert_eq!(names(&found), [Some("a"), None]);
    let left = r#"{"structuredContent":{"result":["a"]}}"#;
    assert_eq!(found.shown(&[true, false]).as_deref(), Some(left));
}

#[test]
fn a_tool_of_a_server_behind_this_one_has_its_name_too() {
    let names_of = |server: &str, result: &str| {
        let found = FoundTools::read(result.as_bytes(), &paths("tools", Some(server)), 64);
        found.map(|found| {
            let names = found.tools().map(|tool| tool.name.map(str::to_owned));
            names.collect::<Vec<_>>()
        })
    };
    let unnamed = || Err(Unjudged::Unnamed);
    let result = r#"{"structuredContent":{"tools":[{"name":"get","server":"a"},{"name":"get","server":"b"},{"name":"get"},{"name":"get","server":""},{"name":"c","server":"a/b"},{"name":"b/c","server":"a"},{"name":"get","server":7},"a/get"]}}"#;
    let expected = vec![
        Ok("a/get".to_owned()),
        Ok("b/get".to_owned()),
        unnamed(),
        unnamed(),
        unnamed(),
        Ok("a/b/c".to_owned()),
        unnamed(),
        unnamed(),
    ];
    assert_eq!(names_of("server", result), Ok(expected));
    let nested = r#"{"structuredContent":{"tools":[{"name":"get","of":{"server":"a"}}]}}"#;
    let expected = vec![Ok("a/get".to_owned())];
    assert_eq!(names_of("of.server", nested), Ok(expected));
    // A text that repeats the name of another server's tool.
    let other = r#"{"structuredContent":{"tools":[{"name":"get","server":"a"}]},"content":[{"type":"text","text":"{\"name\":\"get\",\"server\":\"b\"}"}]}"#;
    assert_eq!(names_of("server", other), Err(UnclearResult::NoList));
    let same = other.replace(r#"\"b\""#, r#"\"a\""#);
    let expected = vec![Ok("a/get".to_owned())];
    assert_eq!(names_of("server", &same), Ok(expected));
}
