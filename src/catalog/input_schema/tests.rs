use super::*;
use crate::json;

fn value(text: &str) -> Value<'static> {
    json::decode(text.as_bytes(), 120).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn schema(text: &str) -> InputSchema {
    InputSchema::new(Some(&value(text)))
}

/// The fault, as a client reads it.
fn fault(schema: &InputSchema, arguments: &str) -> Option<String> {
    assert_eq!(schema.unusable(), None);
    let checked = schema.check(Some(&value(arguments)));
    checked.err().map(|error| error.to_string())
}

const TOOL: &str = r#"{
    "type": "object",
    "properties": {
        "force": {"type": "boolean"},
        "count": {"type": "integer", "maximum": 9},
        "mode": {"enum": ["fast", "slow"]},
        "opts": {"type": "object", "properties": {"a/b~c": {"type": "string", "minLength": 2}},
                 "additionalProperties": false},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "when": {"type": "string", "format": "date"},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]}
    },
    "required": ["force"],
    "additionalProperties": false
}"#;

#[test]
fn arguments_fit_to_the_letter() {
    let tool = schema(TOOL);
    for (arguments, expected) in [
        (r#"{"force": true}"#, None),
        (r#"{"force": false, "count": 5.0, "mode": "slow"}"#, None),
        (r#"{"force": true, "when": "no date"}"#, None),
        (r#"{"force": true, "either": null, "tags": []}"#, None),
        (r#"{"force": "true"}"#, Some("at `/force`: type")),
        (r#"{"force": 1}"#, Some("at `/force`: type")),
        (r#"{"force": null}"#, Some("at `/force`: type")),
        ("{}", Some("at `/force`: required")),
        (r#"{"Force": true}"#, Some("additionalProperties")),
        (
            r#"{"force": true, "Force": true}"#,
            Some("additionalProperties"),
        ),
        (
            r#"{"force": true, "count": "5"}"#,
            Some("at `/count`: type"),
        ),
        (
            r#"{"force": true, "count": 5.5}"#,
            Some("at `/count`: type"),
        ),
        (
            r#"{"force": true, "count": 10}"#,
            Some("at `/count`: maximum"),
        ),
        (
            r#"{"force": true, "mode": "Fast"}"#,
            Some("at `/mode`: enum"),
        ),
        (
            r#"{"force": true, "tags": ["a", "B"]}"#,
            Some("at `/tags/1`: pattern"),
        ),
        (
            r#"{"force": true, "tags": ["a\n"]}"#,
            Some("at `/tags/0`: pattern"),
        ),
        (
            r#"{"force": true, "opts": {"a/b~c": "x"}}"#,
            Some("at `/opts/a~1b~0c`: minLength"),
        ),
        (
            r#"{"force": true, "opts": {"secret": "x"}}"#,
            Some("at `/opts`: additionalProperties"),
        ),
        (
            r#"{"force": true, "either": 1}"#,
            Some("at `/either`: anyOf"),
        ),
        ("[]", Some("type")),
    ] {
        assert_eq!(fault(&tool, arguments).as_deref(), expected, "{arguments}");
    }
    let absent = tool.check(None).unwrap_err();
    assert_eq!((absent.path.as_str(), absent.kind), ("/force", "required"));
    assert_eq!(schema("{}").check(None), Ok(()));
}

#[test]
fn numbers_are_compared_as_what_they_are() {
    let big = schema(
        r#"{"properties": {"id": {"enum": [9007199254740993, 18446744073709551615, -9223372036854775808, 0.1]}}}"#,
    );
    for (id, fits) in [
        ("9007199254740993", true),
        ("9007199254740992", false),
        ("18446744073709551615", true),
        ("18446744073709551614", false),
        ("-9223372036854775808", true),
        ("-9223372036854775807", false),
        ("0.1", true),
        ("0.10000000000000002", false),
    ] {
        let found = fault(&big, &format!(r#"{{"id": {id}}}"#));
        assert_eq!(found.is_none(), fits, "{id}");
    }
}

#[test]
fn a_fault_has_no_text_of_the_client() {
    let map = schema(
        r#"{"properties": {"known": {"additionalProperties": {"type": "string"}}},
            "additionalProperties": {"type": "string"}}"#,
    );
    for (arguments, expected) in [
        (r#"{"a secret": 1}"#, "at `/*`: type"),
        (r#"{"known": {"a secret": 1}}"#, "at `/known/*`: type"),
        (r#"{"known": {"known": 1}}"#, "at `/known/known`: type"),
    ] {
        assert_eq!(
            fault(&map, arguments).as_deref(),
            Some(expected),
            "{arguments}"
        );
    }
    let odd = schema(r#"{"properties": {"a`\u202e\nb": {"type": "string"}}}"#);
    assert_eq!(
        fault(&odd, r#"{"a`\u202e\nb": 1}"#).as_deref(),
        Some("at `/a`\\u{202e}\\nb`: type")
    );
    let name = "n".repeat(60);
    let long = schema(&format!(
        r##"{{"properties": {{"{name}": {{"$ref": "#"}}, "x": {{"type": "string"}}}}}}"##
    ));
    let nested = format!(r#"{{"{name}": {{"{name}": {{"x": 1}}}}}}"#);
    assert_eq!(fault(&long, &nested), Some(format!("at `/{name}/…`: type")));
}

#[test]
fn the_dialect_is_the_one_that_is_named() {
    let prefix = |dialect: &str| {
        schema(&format!(
            r#"{{"$schema": "{dialect}", "properties": {{"l": {{"prefixItems": [{{"type": "string"}}]}}}}}}"#
        ))
    };
    let arguments = r#"{"l": [1]}"#;
    let fits = |schema: &InputSchema| fault(schema, arguments).is_none();
    assert!(fits(&prefix("http://json-schema.org/draft-07/schema#")));
    assert!(fits(&prefix(
        "https://json-schema.org/draft/2019-09/schema"
    )));
    assert!(!fits(&prefix(
        "https://json-schema.org/draft/2020-12/schema#"
    )));
    let unnamed = schema(r#"{"properties": {"l": {"prefixItems": [{"type": "string"}]}}}"#);
    assert!(!fits(&unnamed));
    for unknown in [
        "https://json-schema.org/schema",
        "urn:x",
        "ftp://json-schema.org/draft-07/schema#",
        "",
    ] {
        assert_eq!(
            prefix(unknown).unusable(),
            Some(&UnusableSchema::Dialect),
            "{unknown}"
        );
    }
}

fn chain(length: usize) -> String {
    let link = |at: usize| format!(r##""d{at}": {{"$ref": "#/$defs/d{}"}}"##, at + 1);
    let links: Vec<_> = (0..length).map(link).collect();
    format!(
        r##"{{"$ref": "#/$defs/d0", "$defs": {{{}, "d{length}": {{}}}}}}"##,
        links.join(",")
    )
}

/// Two references to the same at each level.
fn fan_out(levels: usize) -> String {
    let level = |at: usize| {
        let next = format!(r##"{{"$ref": "#/$defs/d{}"}}"##, at + 1);
        format!(r#""d{at}": {{"allOf": [{next}, {next}]}}"#)
    };
    let all: Vec<_> = (0..levels).map(level).collect();
    format!(
        r##"{{"properties": {{"a": {{"$ref": "#/$defs/d0"}}}}, "$defs": {{{}, "d{levels}": {{}}}}}}"##,
        all.join(",")
    )
}

fn many(count: usize) -> String {
    let property = |at: usize| format!(r#""p{at}": {{"type": "string"}}"#);
    let properties: Vec<_> = (0..count).map(property).collect();
    format!(r#"{{"properties": {{{}}}}}"#, properties.join(","))
}

fn assert_unusable(text: &str, expected: &str) {
    let short: String = text.chars().take(200).collect();
    let schema = schema(text);
    let found = schema.unusable().map(ToString::to_string);
    let found = found.unwrap_or_default();
    assert!(found.contains(expected), "{short}: {found:?}");
    let error = schema.check(Some(&value("{}"))).unwrap_err();
    assert_eq!((error.path.as_str(), error.kind), ("", "schema"), "{short}");
}

#[test]
fn what_cannot_be_bounded_is_unusable() {
    let loop_in_a_member =
        r##"{"properties": {"a": {"not": {"anyOf": [{"$ref": "#/properties/a"}]}}}}"##;
    let loop_of_two = r##"{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {
        "a": {"if": {"$ref": "#/$defs/b"}}, "b": {"dependentSchemas": {"x": {"$ref": "#/$defs/a"}}}}}"##;
    for (text, expected) in [
        (r##"{"$ref": "#"}"##.to_owned(), "leads back to itself"),
        (loop_in_a_member.to_owned(), "leads back to itself"),
        (loop_of_two.to_owned(), "leads back to itself"),
        (chain(100), "has to fit too many parts"),
        (fan_out(40), "has to fit too many parts"),
        (many(6_000), "it is too large"),
        (
            format!(r#"{{"description": "{}"}}"#, "x".repeat(1 << 20)),
            "it is too large",
        ),
    ] {
        assert_unusable(&text, expected);
    }
    for usable in [chain(60), fan_out(8), many(4_000)] {
        assert_eq!(schema(&usable).unusable(), None);
    }
}

#[test]
fn nothing_outside_of_the_schema_is_referred_to() {
    for reference in [
        "http://127.0.0.1:9/s.json",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
        "other.json#/a",
        "#anchor",
        "#/$defs/none",
        "#/%zz",
    ] {
        let text = format!(r#"{{"properties": {{"a": {{"$ref": "{reference}"}}}}}}"#);
        assert_unusable(&text, &format!("`{reference}` is not followed"));
    }
    for (text, expected) in [
        (r##"{"$dynamicRef": "#"}"##, "`$dynamicRef` is not followed"),
        (
            r#"{"$defs": {"a": {"$id": "http://x.test/a"}}}"#,
            "a part of it has `$id` of its own",
        ),
        (
            r#"{"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}"#,
            "a part of it has `$schema` of its own",
        ),
    ] {
        assert_unusable(text, expected);
    }
}

#[test]
fn what_is_no_schema_is_unusable() {
    for (text, expected) in [
        ("true", "it is not a JSON object"),
        (r#"{"type": "strin"}"#, "not valid at `/type`"),
        (r#"{"properties": []}"#, "not valid at `/properties`"),
        (r#"{"properties": {"a": {"pattern": "("}}}"#, "not valid at"),
        (
            r#"{"properties": {"a": {"pattern": "(?=x)y"}}}"#,
            "not valid at",
        ),
        (
            r#"{"properties": {"a": {"pattern": "(a)\\1"}}}"#,
            "not valid at",
        ),
        (
            r#"{"properties": {"a": {"pattern": "(\\p{L}{1,500}x){1,500}"}}}"#,
            "not valid at",
        ),
        (r#"{"patternProperties": {"(": {}}}"#, "not valid at"),
    ] {
        assert_unusable(text, expected);
    }
    assert_eq!(
        InputSchema::new(None).unusable(),
        Some(&UnusableSchema::NotAnObject)
    );
}

#[test]
fn references_within_the_schema_are_followed() {
    for reference in ["#/$defs/a~1b%20c", "#/%24defs/a~1b%20c"] {
        let text = format!(
            r#"{{"$id": "https://x.test/s", "properties": {{"a": {{"$ref": "{reference}"}}}},
                "$defs": {{"a/b c": {{"type": "string"}}}}}}"#
        );
        let found = fault(&schema(&text), r#"{"a": 1}"#);
        assert_eq!(found.as_deref(), Some("at `/a`: type"), "{reference}");
    }
}

/// A schema may contain itself; what that costs shows in the depth of the arguments.
#[test]
fn recursion_into_the_value_is_bounded_by_its_depth() {
    let tree = schema(
        r##"{"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
            "v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}}}"##,
    );
    let nest = |levels: usize, leaf: &str| {
        let open = r#"{"v": 1, "kids": ["#.repeat(levels);
        format!("{open}{leaf}{}", "]}".repeat(levels))
    };
    assert_eq!(fault(&tree, &nest(30, r#"{"v": 1}"#)), None);
    assert_eq!(
        fault(&tree, &nest(2, r#"{"v": "1"}"#)).as_deref(),
        Some("at `/kids/0/kids/0/v`: type")
    );

    let branch = r##"{"properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##;
    let twice = schema(&format!(
        r#"{{"anyOf": [{branch}, {branch}, {{"properties": {{"a": {{"type": "null"}}}}}}]}}"#
    ));
    let deep = |levels: usize| format!("{}1{}", r#"{"a": "#.repeat(levels), "}".repeat(levels));
    assert!(fault(&twice, &deep(6)).is_none());
    assert_eq!(fault(&twice, &deep(60)).as_deref(), Some("size"));
}

/// Looking again at what was evaluated doubles the cost with each level.
#[test]
fn what_is_looked_at_again_counts_again() {
    let nest = |levels: usize| {
        let mut text = r#"{"properties": {"a": {}}}"#.to_owned();
        for _ in 0..levels {
            text = format!(r#"{{"anyOf": [{text}], "unevaluatedProperties": false}}"#);
        }
        schema(&text)
    };
    assert_eq!(fault(&nest(4), r#"{"a": 1}"#), None);
    assert_eq!(fault(&nest(4), r#"{"b": 1}"#).as_deref(), Some("anyOf"));
    assert_eq!(nest(30).unusable(), Some(&UnusableSchema::FanOut));
}

#[test]
fn large_arguments_are_checked_as_far_as_that_is_bounded() {
    let numbers = schema(r#"{"properties": {"a": {"items": {"type": "integer"}}}}"#);
    let list = |count: usize, last: &str| format!(r#"{{"a": [{}{last}]}}"#, "1,".repeat(count));
    assert_eq!(fault(&numbers, &list(400_000, "1")), None);
    assert_eq!(
        fault(&numbers, &list(400_000, "\"\"")).as_deref(),
        Some("at `/a/400000`: type")
    );
    let branches: Vec<_> = (0..200).map(|at| format!(r#"{{"const": {at}}}"#)).collect();
    let options = schema(&format!(
        r#"{{"properties": {{"a": {{"items": {{"anyOf": [{}]}}}}}}}}"#,
        branches.join(",")
    ));
    assert_eq!(fault(&options, &list(1_000, "1")), None);
    assert_eq!(
        fault(&options, &list(1_000, "true")).as_deref(),
        Some("schema")
    );
    assert_eq!(
        fault(&options, &list(10, "true")).as_deref(),
        Some("at `/a/10`: anyOf")
    );
    assert_eq!(
        fault(&options, &list(400_000, "1")).as_deref(),
        Some("size")
    );
}

/// Half the stack of a worker has to do, of which a debug build takes far more than a release.
#[test]
fn what_may_nest_fits_the_stack_of_a_worker() {
    // In every keyword that adds much to the stack, as high as it may be.
    let chain = 12;
    let mut text = r##"{"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#"}}"##.to_owned();
    for level in 0..chain {
        text = match level % 4 {
            0 => format!(r#"{{"allOf": [{text}]}}"#),
            1 => format!(r#"{{"anyOf": [{{"type": "null"}}, {text}]}}"#),
            2 => format!(r#"{{"oneOf": [{{"type": "null"}}, {text}]}}"#),
            _ => format!(r#"{{"if": {{}}, "then": {text}}}"#),
        };
    }
    let tall = schema(&text);
    let deep = |levels: usize| {
        value(&format!(
            "{}1{}",
            r#"{"a": "#.repeat(levels),
            "}".repeat(levels)
        ))
    };
    let worker = std::thread::Builder::new().stack_size(1 << 20);
    let run = move || {
        let height = |levels: usize| {
            tall.compiled()
                .as_ref()
                .unwrap()
                .bounds
                .height(levels)
                .unwrap()
        };
        let levels = (1..100)
            .take_while(|levels| height(*levels) <= HEIGHT_MAX)
            .last()
            .unwrap();
        assert!(height(levels) + 20 > HEIGHT_MAX);
        assert_eq!(tall.check(Some(&deep(levels))), Ok(()));
        assert_eq!(
            tall.check(Some(&deep(levels + 2))),
            Err(InvalidArguments::whole(KIND_SIZE))
        );
    };
    worker.spawn(run).unwrap().join().unwrap();
}

#[test]
fn defaults_are_at_their_paths() {
    let looping = r##"{"$ref": "#", "properties": {"a": {"default": 1}, "b": {"$ref": "#"}}}"##;
    for (text, expected) in [
        ("{}", "{}"),
        (
            r#"{"properties": {"force": {"default": true}, "opts": {"properties": {"dry": {"default": false}}}, "x": {}}}"#,
            r#"{"force": true, "opts": {"dry": false}}"#,
        ),
        (
            r#"{"properties": {"n": {"default": null}, "l": {"default": [1, 18446744073709551615, 0.5, "x"]}}}"#,
            r#"{"l": [1, 18446744073709551615, 0.5, "x"], "n": null}"#,
        ),
        (
            r#"{"properties": {"o": {"default": {"a": 1}, "properties": {"a": {"default": 2}, "b": {"default": 3}}}}}"#,
            r#"{"o": {"a": 1, "b": 3}}"#,
        ),
        (
            r#"{"properties": {"o": {"default": "text", "properties": {"a": {"default": 2}}}}}"#,
            r#"{"o": "text"}"#,
        ),
        (
            r##"{"properties": {"o": {"$ref": "#/$defs/o"}, "p": {"allOf": [{"$ref": "#/$defs/o"}], "default": {"q": 1}}, "c": {"$ref": "#/$defs/c"}},
                "$defs": {"o": {"properties": {"d": {"default": true}}}, "c": {"default": "red"}}}"##,
            r#"{"c": "red", "o": {"d": true}, "p": {"d": true, "q": 1}}"#,
        ),
        // What cannot be held against it says what it stands for all the same.
        (
            r#"{"properties": {"a": {"default": 1, "pattern": "("}, "b": {"$ref": "http://x.test/", "default": 2}}}"#,
            r#"{"a": 1, "b": 2}"#,
        ),
        ("[]", "{}"),
        (r#"{"properties": [{"default": 1}]}"#, "{}"),
    ] {
        assert_eq!(schema(text).defaults(), &value(expected), "{text}");
    }
    let endless = schema(looping);
    assert_eq!(endless.defaults().member("a"), Some(&Value::Int(1)));
}
