//! Responses that are one JSON text.

use super::*;
use crate::authz::Value;
use crate::mcp::ListKinds;

fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

/// `(result, filtered, reported)`.
fn check_results(settings: ListingSettings, rows: &[(&str, &str, &[&str])]) {
    for (before, after, log) in rows {
        let (out, reported) = pass(settings, result(before));
        assert_eq!(out, result(after), "{before}");
        assert_eq!(reported, *log, "{before}");
    }
}

#[test]
fn an_item_goes_with_one_comma() {
    check_results(
        settings(),
        &[
            (r#"{"tools":[]}"#, r#"{"tools":[]}"#, &[]),
            (
                r#"{"tools":[{"name":"a"}]}"#,
                r#"{"tools":[{"name":"a"}]}"#,
                &["tools a"],
            ),
            (
                r#"{"tools":[{"name":"hide"}]}"#,
                r#"{"tools":[]}"#,
                &["tools hide"],
            ),
            (
                r#"{"tools":[{"name":"hide"},{"name":"a"},{"name":"b"}]}"#,
                r#"{"tools":[{"name":"a"},{"name":"b"}]}"#,
                &["tools hide", "tools a", "tools b"],
            ),
            (
                r#"{"tools":[{"name":"a"},{"name":"hide"},{"name":"b"}]}"#,
                r#"{"tools":[{"name":"a"},{"name":"b"}]}"#,
                &["tools a", "tools hide", "tools b"],
            ),
            (
                r#"{"tools":[{"name":"a"},{"name":"hide"},{"name":"hide2"}],"x":1}"#,
                r#"{"tools":[{"name":"a"}],"x":1}"#,
                &["tools a", "tools hide", "tools hide2"],
            ),
            (
                "{\"tools\": [\n  {\"name\":\"hide\"},\n  {\"name\":\"a\"},\n  {\"name\":\"hide\"} ,\t{\"name\":\"b\"}\n] }",
                "{\"tools\": [\n  \n  {\"name\":\"a\"} ,\t{\"name\":\"b\"}\n] }",
                &["tools hide", "tools a", "tools hide", "tools b"],
            ),
        ],
    );
}

#[test]
fn every_kind_is_named_by_its_own_member() {
    check_results(
        settings(),
        &[
            (
                r#"{"prompts":[{"name":"hide"},{"name":"p"}],"nextCursor":"c"}"#,
                r#"{"prompts":[{"name":"p"}],"nextCursor":"c"}"#,
                &["prompts hide", "prompts p"],
            ),
            (
                r#"{"resources":[{"uri":"hide:","name":"n"},{"uri":"u:","name":"hide"}]}"#,
                r#"{"resources":[{"uri":"u:","name":"hide"}]}"#,
                &["resources hide:", "resources u:"],
            ),
            (
                r#"{"resourceTemplates":[{"uriTemplate":"hide:{x}","name":"n"}]}"#,
                r#"{"resourceTemplates":[]}"#,
                &["resourceTemplates hide:{x}"],
            ),
            (
                r#"{"tasks":[{"taskId":"hide"},{"taskId":"t"}]}"#,
                r#"{"tasks":[{"taskId":"t"}]}"#,
                &["tasks hide", "tasks t"],
            ),
        ],
    );
}

#[test]
fn other_lists_pass() {
    let only_prompts = ListingSettings {
        lists: [ListKind::Prompts].into_iter().collect(),
        ..settings()
    };
    check_results(
        only_prompts,
        &[(
            r#"{"tools":[{"name":"hide"}],"prompts":[{"name":"hide"}],"tasks":null}"#,
            r#"{"tools":[{"name":"hide"}],"prompts":[],"tasks":null}"#,
            &["prompts hide"],
        )],
    );
}

#[test]
fn lists_stand_in_results_only() {
    let hidden = r#"{"tools":[{"name":"hide"}]}"#;
    for same in [
        hidden.to_owned(),
        format!(r#"{{"params":{hidden}}}"#),
        format!(r#"{{"error":{hidden}}}"#),
        format!(r#"{{"result":[{hidden}]}}"#),
        format!(r#"{{"result":{{"result":{hidden}}}}}"#),
        format!(r#"{{"result":{{"_meta":{hidden}}}}}"#),
        format!(r#"[[{{"result":{hidden}}}]]"#),
        r#"{"result":{"tools2":[{"name":"hide"}]}}"#.to_owned(),
        r#"{"result":"tools"}"#.to_owned(),
        r#"{"result":null,"error":{"code":-32000,"message":"m"}}"#.to_owned(),
    ] {
        assert_eq!(pass(settings(), &same), (same, vec![]));
    }
}

#[test]
fn each_element_of_a_batch_is_a_response() {
    let batch = r#" [ {"id":1,"result":{"tools":[{"name":"hide"}]}}, 7, {"result":{"prompts":[{"name":"hide"}],"tools":[{"name":"a"}]},"id":1} ] "#;
    let (out, log) = pass(settings(), batch);
    assert_eq!(
        out,
        r#" [ {"id":1,"result":{"tools":[]}}, 7, {"result":{"prompts":[],"tools":[{"name":"a"}]},"id":1} ] "#
    );
    assert_eq!(log, ["tools hide", "prompts hide", "tools a"]);
}

#[test]
fn keys_are_read_as_any_client_could_read_them() {
    let item = r#"[{"name":"hide"}]"#;
    let long = format!(r#""tools\u0000{}""#, "x".repeat(300));
    for key in [
        r#""tools""#,
        r#""Tools""#,
        r#""\u0074ools""#,
        r#""\u0054\u004f\u004f\u004c\u0053""#,
        r#""tool\u017f""#,
        "\"tool\u{17f}\"",
        r#""tools\u0000""#,
        r#""TOOLS\u0000x""#,
        long.as_str(),
    ] {
        for result in [
            r#""result""#,
            r#""Result""#,
            r#""re\u017Fult""#,
            r#""result\u0000\u0000""#,
        ] {
            let (out, _) = pass(settings(), format!(r"{{{result}:{{{key}:{item}}}}}"));
            assert_eq!(out, format!(r"{{{result}:{{{key}:[]}}}}"));
        }
    }
    let (out, _) = pass(
        settings(),
        format!(r#"{{"result":{{"tools":{item},"tools":{item}}},"result":{{"tools":{item}}}}}"#),
    );
    assert_eq!(
        out,
        r#"{"result":{"tools":[],"tools":[]},"result":{"tools":[]}}"#
    );
    let task = "\"tas\u{212a}s\"";
    let (out, _) = pass(
        settings(),
        format!(r#"{{"result":{{{task}:[{{"taskId":"hide"}}]}}}}"#),
    );
    assert_eq!(out, format!(r#"{{"result":{{{task}:[]}}}}"#));
}

#[test]
fn other_keys_are_not_taken_for_lists() {
    let long = format!(r#""{}tools""#, "x".repeat(300));
    for key in [
        r#""tool""#,
        r#""tools ""#,
        r#""\\u0000tools""#,
        r#""tools\\u0000""#,
        r#""\ud800""#,
        r#""\u0000tools""#,
        r#""""#,
        long.as_str(),
    ] {
        let same = result(&format!(r#"{{{key}:[{{"name":"hide"}}]}}"#));
        assert_eq!(pass(settings(), &same), (same, vec![]));
    }
}

#[test]
fn unjudgeable_items_are_hidden() {
    let long = "x".repeat(300);
    let rows = [
        ("7", Unjudged::NotAnObject),
        ("-0.5e+3", Unjudged::NotAnObject),
        ("null", Unjudged::NotAnObject),
        (r#""tool""#, Unjudged::NotAnObject),
        (r#"[{"name":"a"}]"#, Unjudged::NotAnObject),
        ("{}", Unjudged::Unnamed),
        (r#"{"title":"a"}"#, Unjudged::Unnamed),
        (r#"{"name":7}"#, Unjudged::Unnamed),
        (r#"{"name":null}"#, Unjudged::Unnamed),
        (r#"{"name":["a"]}"#, Unjudged::Unnamed),
        (r#"{"name":"a","name":"a"}"#, Unjudged::Ambiguous),
        (r#"{"name":"a","n\u0061me":"b"}"#, Unjudged::Ambiguous),
        (r#"{"name":"a","Name":"b"}"#, Unjudged::Ambiguous),
        (r#"{"Name":"a"}"#, Unjudged::Ambiguous),
        (r#"{"name":"a","URI":"b"}"#, Unjudged::Ambiguous),
        (r#"{"name":"a","x-y":1,"X-y":1}"#, Unjudged::Ambiguous),
        (r#"{"name":"a","name\u0000":"b"}"#, Unjudged::Ambiguous),
        (
            r#"{"name":"a","annotations":{"readOnlyHint":true,"readOnlyHint":false}}"#,
            Unjudged::Ambiguous,
        ),
        (
            r#"{"name":"a","annotations":{"ReadOnlyHint":true}}"#,
            Unjudged::Ambiguous,
        ),
        (
            r#"{"name":"a","inputSchema":{"type":"object","type":"x"}}"#,
            Unjudged::Ambiguous,
        ),
        (r#"{"name":"a\ud800"}"#, Unjudged::Unsound),
        (r#"{"\udc00":1,"name":"a"}"#, Unjudged::Unsound),
        (r#"{"name":"a","x":[{"\udc00":1}]}"#, Unjudged::Unsound),
        (r#"{"name":"a","size":1e999}"#, Unjudged::Unsound),
        (
            &format!(r#"{{"name":"a","x":"{long}"}}"#),
            Unjudged::TooLarge,
        ),
    ];
    for (item, unjudged) in rows {
        let told = format!("tools: {unjudged}");
        for (before, after) in [
            (format!(r#"{{"tools":[{item}]}}"#), r#"{"tools":[]}"#),
            (
                format!(r#"{{"tools":[{item} ,{{"name":"b"}}]}}"#),
                r#"{"tools":[ {"name":"b"}]}"#,
            ),
            (
                format!(r#"{{"tools":[{{"name":"b"}}, {item}]}}"#),
                r#"{"tools":[{"name":"b"}]}"#,
            ),
        ] {
            let outcome = check(settings(), result(&before));
            assert_eq!(outcome.out, result(after), "{item}");
            assert!(outcome.log.contains(&told), "{item} {:?}", outcome.log);
            assert_eq!(outcome.counts.unjudged, 1, "{item}");
            assert_eq!(outcome.counts.hidden, 0, "{item}");
        }
    }
}

#[test]
fn half_of_a_surrogate_pair_passes_in_text() {
    let same = result(
        r#"{"tools":[{"name":"a","title":"\udc00","inputSchema":{"default":"x\ud83d"}},{"name":"b"}]}"#,
    );
    let told = vec!["tools a".to_owned(), "tools b".to_owned()];
    assert_eq!(pass(settings(), &same), (same, told));
}

#[test]
fn what_is_wrong_with_one_item_does_not_take_the_others_away() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let item = |inside: &[u8]| {
        let text = [&b"{\"name\":\"a\",\"x\":"[..], inside, b"}"].concat();
        let list = [
            &b"{\"result\":{\"tools\":[{\"name\":\"b\"},"[..],
            text.as_slice(),
            &b",{\"name\":\"c\"}]}}"[..],
        ];
        list.concat()
    };
    // The response has three levels around its items, and an item two around what is in it.
    for (inside, unjudged) in [
        (b"\"\xff\"".to_vec(), Some(Unjudged::Unsound)),
        (b"\"\xc3\"".to_vec(), Some(Unjudged::Unsound)),
        (b"{\"\xff\":1}".to_vec(), Some(Unjudged::Unsound)),
        (deep(12).into_bytes(), None),
        (deep(13).into_bytes(), Some(Unjudged::TooDeep)),
        (deep(100).into_bytes(), Some(Unjudged::TooDeep)),
        (deep(500).into_bytes(), Some(Unjudged::TooLarge)),
        (deep(5000).into_bytes(), Some(Unjudged::TooLarge)),
    ] {
        let response = item(&inside);
        for size in [1, 7, response.len()] {
            let (_, outcome) = filter(settings(), response.chunks(size));
            assert_eq!(outcome.end, Ok(()), "{unjudged:?}");
            let told = match unjudged {
                Some(unjudged) => format!("tools: {unjudged}"),
                None => "tools a".to_owned(),
            };
            assert_eq!(outcome.log, ["tools b", told.as_str(), "tools c"]);
            let without = r#"{"result":{"tools":[{"name":"b"},{"name":"c"}]}}"#;
            assert_eq!(outcome.out == without, unjudged.is_some());
        }
    }
}

#[test]
fn an_item_that_nests_without_bounds_ends_where_it_ends() {
    let open = r#"{"name":"a","x":"#.to_owned() + &r#"[{"]":"#.repeat(3000);
    let inside = r#""[\\\"]}{","y":[[],{}]"#;
    let deep = open + inside + &"}]".repeat(3000) + "}";
    let response = result(&format!(
        r#"{{"tools":[{{"name":"b"}},{deep},{{"name":"c"}}]}}"#
    ));
    let settings = ListingSettings {
        item_bytes_max: 256 * 1024,
        ..settings()
    };
    for size in [1, 1000, response.len()] {
        let (_, outcome) = filter(settings, response.as_bytes().chunks(size));
        assert_eq!(outcome.end, Ok(()));
        let told = format!("tools: {}", Unjudged::TooDeep);
        assert_eq!(outcome.log, ["tools b", told.as_str(), "tools c"]);
        assert_eq!(
            outcome.out,
            result(r#"{"tools":[{"name":"b"},{"name":"c"}]}"#)
        );
    }
    let end = response.find(r#",{"name":"c"}"#).unwrap();
    let (_, outcome) = filter(settings, [&response.as_bytes()[..end - 2]]);
    assert_eq!(outcome.end, Err(Unreadable::Incomplete));
}

#[test]
fn free_data_of_an_item_may_have_keys_that_differ_in_case() {
    let same = result(
        r#"{"tools":[{"name":"a","inputSchema":{"properties":{"ID":{},"id":{},"Name":{}}},"_meta":{"X":1,"x":2}}]}"#,
    );
    assert_eq!(pass(settings(), &same), (same, vec!["tools a".to_owned()]));
}

#[test]
fn white_space_counts_towards_an_item_only_after_its_comma() {
    let space = " ".repeat(300);
    let before = result(&format!(
        r#"{{"tools":[{space}{{"name":"a"}}{space},{{"name":"b"}},{space}{{"name":"c"}}{space}]}}"#
    ));
    let after = result(&format!(
        r#"{{"tools":[{space}{{"name":"a"}}{space},{{"name":"b"}}{space}]}}"#
    ));
    let (out, log) = pass(settings(), before);
    assert_eq!(out, after);
    assert_eq!(log, ["tools a", "tools b", "tools: an item is too large"]);
}

#[test]
fn the_limit_of_an_item_is_exact() {
    // The comma counts too.
    let item = |bytes: usize| format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes - 11));
    assert_eq!(item(255).len(), 255);
    let (_, log) = pass(
        settings(),
        result(&format!(r#"{{"tools":[{},{}]}}"#, item(256), item(255))),
    );
    assert_eq!(log.len(), 2);
    assert!(
        log.iter().all(|line| line.starts_with("tools x")),
        "{log:?}"
    );
    for items in [item(257), format!("{},{}", item(9 + 11), item(256))] {
        let (_, log) = pass(settings(), result(&format!(r#"{{"tools":[{items}]}}"#)));
        assert_eq!(log.last().unwrap(), "tools: an item is too large");
    }
}

#[test]
fn a_list_that_is_not_an_array_becomes_an_empty_one() {
    let told: &[&str] = &["tools: the list is not an array"];
    check_results(
        settings(),
        &[
            (r#"{"tools":null,"x":1}"#, r#"{"tools":[],"x":1}"#, told),
            (r#"{"tools": 12 }"#, r#"{"tools": [] }"#, told),
            (r#"{"tools":12}"#, r#"{"tools":[]}"#, told),
            (r#"{"tools":"[{}]"}"#, r#"{"tools":[]}"#, told),
            (
                r#"{"tools":{"0":{"name":"a"},"b":[[]]},"x":{}}"#,
                r#"{"tools":[],"x":{}}"#,
                told,
            ),
        ],
    );
}

#[test]
fn a_cache_scope_is_made_private() {
    check_results(
        settings(),
        &[
            (
                r#"{"cacheScope":"public","tools":[]}"#,
                r#"{"cacheScope":"private","tools":[]}"#,
                &[],
            ),
            (
                r#"{"tools":[],"cacheScope" : "private" }"#,
                r#"{"tools":[],"cacheScope" : "private" }"#,
                &[],
            ),
            (
                r#"{"tools":[],"cacheScope":{"a":["public"]},"ttlMs":1}"#,
                r#"{"tools":[],"cacheScope":"private","ttlMs":1}"#,
                &[],
            ),
            (
                r#"{"cacheScope":1,"cachescope":"public","cache\u0053cope":true}"#,
                r#"{"cacheScope":"private","cachescope":"private","cache\u0053cope":"private"}"#,
                &[],
            ),
            (
                r#"{"_meta":{"cacheScope":"public"},"tools":[]}"#,
                r#"{"_meta":{"cacheScope":"public"},"tools":[]}"#,
                &[],
            ),
        ],
    );
    let same = r#"{"cacheScope":"public","params":{"cacheScope":"public"}}"#;
    assert_eq!(pass(settings(), same), (same.to_owned(), vec![]));
}

#[test]
fn a_modern_list_gets_a_cache_scope() {
    let modern = ListingSettings {
        make_private: true,
        ..settings()
    };
    check_results(
        modern,
        &[
            (
                r#"{"tools":[]}"#,
                r#"{"tools":[],"cacheScope":"private"}"#,
                &[],
            ),
            (
                r#"{"tools":[{"name":"hide"}], "ttlMs":1 }"#,
                r#"{"tools":[], "ttlMs":1 ,"cacheScope":"private"}"#,
                &["tools hide"],
            ),
            (
                r#"{"tools":null}"#,
                r#"{"tools":[],"cacheScope":"private"}"#,
                &["tools: the list is not an array"],
            ),
            (
                r#"{"cacheScope":"public","tools":[]}"#,
                r#"{"cacheScope":"private","tools":[]}"#,
                &[],
            ),
            // A case-sensitive client sees no scope in it.
            (
                r#"{"CacheScope":"public","tools":[]}"#,
                r#"{"CacheScope":"private","tools":[],"cacheScope":"private"}"#,
                &[],
            ),
            // Results without a list are other responses.
            ("{}", "{}", &[]),
            (
                r#"{"resultType":"input_required"}"#,
                r#"{"resultType":"input_required"}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn new_tasks_are_told() {
    let calls = ListingSettings {
        lists: ListKinds::NONE,
        new_tasks: true,
        make_private: true,
        ..settings()
    };
    let too_large = "tasks: an item is too large";
    for (same, log) in [
        (
            r#"{"task":{"taskId":"t-1","status":"working"}}"#,
            vec!["task t-1"],
        ),
        (
            r#"{"resultType":"task","taskId":"t\u002d1"}"#,
            vec!["task t-1"],
        ),
        (r#"{"t\u0061skId":"12345678"}"#, vec!["task 12345678"]),
        (r#"{"taskId":"a","taskId":"b"}"#, vec!["task a", "task b"]),
        (r#"{"taskId":"123456789"}"#, vec![too_large]),
        (r#"{"taskId":"\ud800"}"#, vec![too_large]),
        (r#"{"taskId":"a\u0000"}"#, vec![too_large]),
        (r#"{"taskId":7,"task":"x"}"#, vec![]),
        (
            r#"{"_meta":{"taskId":"a"},"task":{"x":{"taskId":"b"}}}"#,
            vec![],
        ),
        (
            r#"{"content":[{"type":"text","text":"x"}],"cacheScope":"public"}"#,
            vec![],
        ),
        (r#"{"tools":[{"name":"hide"}]}"#, vec![]),
    ] {
        let same = result(same);
        let log = log.into_iter().map(str::to_owned).collect();
        assert_eq!(pass(calls, &same), (same, log));
    }
    // The caller may withhold the id from the client until it is bound.
    let mut listing = Listing::new(calls);
    let mut input: &[u8] = br#"{"result":{"taskId":"t","ttlMs":1}}"#;
    assert_eq!(
        listing.read(&mut input),
        Ok(ListingStep::NewTask("t".to_owned()))
    );
    assert_eq!(listing.take_output(), br#"{"result":{"taskId":"t""#);
    assert_eq!(listing.read(&mut input), Ok(ListingStep::More));
    assert_eq!(listing.take_output(), br#","ttlMs":1}}"#);
}

#[test]
fn an_incomplete_text_ends_the_response() {
    let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
    let rows: &[(&[u8], Unreadable)] = &[
        (b"", Unreadable::Incomplete),
        (b" \n", Unreadable::Incomplete),
        (
            br#"{"result":{"tools":[{"name":"a"}"#,
            Unreadable::Incomplete,
        ),
        (b"[1", Unreadable::Incomplete),
        (b"-", Unreadable::Incomplete),
        (b"1.", Unreadable::Incomplete),
        (b"nul", Unreadable::Incomplete),
        (b"\"a", Unreadable::Incomplete),
        (b"\"\xc3", Unreadable::Incomplete),
        (b"{}{}", Unreadable::TrailingData),
        (b"{},", Unreadable::TrailingData),
        (b"01", Unreadable::TrailingData),
        (b"1 2", Unreadable::TrailingData),
        (b"{}\x0c", Unreadable::TrailingData),
        (b"\xef\xbb\xbf{}", Unreadable::Bom),
        (deep.as_bytes(), Unreadable::TooDeep),
        (b"[\"\xc3\"]", Unreadable::NotUtf8),
        (b"\"\xff\"", Unreadable::NotUtf8),
        (b"\"\xed\xa0\x80\"", Unreadable::NotUtf8),
        (b"\"\xc3\\n\"", Unreadable::NotUtf8),
        (b"\"\xf0\x9f\x98a\"", Unreadable::NotUtf8),
    ];
    check_faults(rows);
}

/// `(response, fault)`
fn check_faults(rows: &[(&[u8], Unreadable)]) {
    for (response, fault) in rows {
        let outcome = check(settings(), response);
        assert_eq!(
            outcome.end,
            Err(*fault),
            "{}",
            String::from_utf8_lossy(response)
        );
        assert!(!outcome.out.contains("hide"));
    }
}

#[test]
fn text_that_is_not_json_ends_the_response() {
    let responses: &[&[u8]] = &[
        b"[1,]",
        b"[,1]",
        b"{\"a\":1,}",
        b"{,}",
        b"{\"a\" 1}",
        b"{\"a\":}",
        b"{\"a\"}",
        b"{a:1}",
        b"{1:1}",
        b"{'a':1}",
        b"[1 2]",
        b"[1}",
        b"{]",
        b"]",
        b"// c\n{}",
        b"NaN",
        b"Infinity",
        b"+1",
        b".5",
        b"[-]",
        b"[1.]",
        b"[1e]",
        b"[1e+]",
        b"[00]",
        b"[True]",
        b"[trux]",
        b"\"\n\"",
        b"\"\x00\"",
        b"\"\\x\"",
        b"\"\\u12g4\"",
        b"\"\\u12\"",
        b"\xc2\xa0{}",
        b"\x0b{}",
        br#"{"result":{"tools":[{"name":"hide"},]}}"#,
        br#"{"result":{"tools":[{"name":"hide" "x":1}]}}"#,
    ];
    for response in responses {
        check_faults(&[(response, Unreadable::NotJson)]);
    }
}

#[test]
fn strange_but_valid_json_is_forwarded() {
    for same in [
        "0",
        "-0",
        "-0.0E-0",
        "1e999",
        " [ ] ",
        "\t{\r\n}\t",
        "null",
        r#""""#,
        "\"\u{7f}\u{80}\u{10ffff}\u{feff}\"",
        r#"{"":{"":[[],{},"\"\\\/\b\f\n\r\t\ud800\uDFFF"]}}"#,
        "[true,false,null,1.5e+10,-1]",
        r#"{"a":1,"a":2}"#,
    ] {
        assert_eq!(pass(settings(), same), (same.to_owned(), vec![]));
    }
    let deep = format!("{}{}", "[".repeat(16), "]".repeat(16));
    assert_eq!(pass(settings(), &deep), (deep, vec![]));
}

#[test]
fn a_fault_ends_all_output() {
    let mut listing = Listing::new(settings());
    let mut input: &[u8] = br#"{"result":{"tools":[{"name":"a"},{"name":"b"}"#;
    let Ok(ListingStep::Item(item)) = listing.read(&mut input) else {
        panic!("no item");
    };
    assert_eq!(
        item.value,
        Value::Map(vec![("name".into(), Value::String("a".into()))])
    );
    listing.settle(true);
    assert!(matches!(listing.read(&mut input), Ok(ListingStep::Item(_))));
    assert!(listing.is_untouched());
    assert_eq!(
        listing.take_output(),
        br#"{"result":{"tools":[{"name":"a"}"#
    );
    assert!(!listing.is_untouched());
    let mut broken: &[u8] = b"}";
    assert_eq!(listing.read(&mut broken), Err(Unreadable::NotJson));
    // No part of the item: only the nesting and the last key.
    assert_eq!(listing.held(), 3 + "tools".len());
    listing.settle(true);
    let mut more: &[u8] = b"]";
    assert_eq!(listing.read(&mut more), Err(Unreadable::NotJson));
    assert_eq!(listing.finish(), Err(Unreadable::NotJson));
    listing.abandon("{}");
    assert_eq!(listing.take_output(), b"");
}

#[test]
fn an_item_that_is_not_settled_is_hidden() {
    let mut listing = Listing::new(settings());
    let mut input: &[u8] = br#"{"result":{"tools":[{"name":"a"},{"name":"b"}]}}"#;
    while !input.is_empty() {
        assert!(listing.read(&mut input).is_ok());
    }
    assert_eq!(listing.finish(), Ok(()));
    assert_eq!(listing.take_output(), br#"{"result":{"tools":[]}}"#);
    assert_eq!(listing.counts().hidden, 2);
    assert!(listing.counts() != ListingCounts::default());
}
