//! Properties of any response.

use serde_json::{Value as Json, json};

use super::*;
use proptest::prelude::*;

const HIDDEN: &str = "hide-Zq7";

/// A response as it arrives, and as it should be forwarded.
#[derive(Debug, Clone)]
struct Response {
    before: Json,
    after: Json,
}

fn free() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-z]{0,3}|tools|name|cacheScope", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// An item of a kind, and whether the caller keeps it.
fn item(kind: ListKind) -> impl Strategy<Value = (Json, bool)> {
    let naming = kind.naming();
    prop_oneof![
        4 => ("[a-z\u{e9}\u{1f600}\"\\\\]{0,4}", free()).prop_map(move |(name, data)| {
            (json!({naming: name, "_meta": data}), true)
        }),
        4 => free().prop_map(move |data| {
            (json!({naming: HIDDEN.replace("hide", "hide\u{e9}"), "m": HIDDEN, "z": data}), false)
        }),
        1 => free().prop_map(|data| (json!([HIDDEN, data]), false)),
        1 => Just((json!({"title": HIDDEN}), false)),
        1 => Just((json!({naming: "a", "large": HIDDEN.repeat(1_200)}), false)),
    ]
}

fn list() -> impl Strategy<Value = (&'static str, Vec<(Json, bool)>)> {
    prop::sample::select(ListKind::ALL.to_vec())
        .prop_flat_map(|kind| (Just(kind.member()), prop::collection::vec(item(kind), 0..6)))
}

fn message() -> impl Strategy<Value = Response> {
    let lists = prop::collection::vec(list(), 0..3);
    (lists, free(), any::<bool>()).prop_map(|(lists, data, has_scope)| {
        let mut before = json!({"_meta": data});
        let mut after = before.clone();
        for (member, items) in lists {
            let kept = items.iter().filter(|(_, kept)| *kept);
            after[member] = kept.map(|(item, _)| item.clone()).collect();
            before[member] = items.into_iter().map(|(item, _)| item).collect();
        }
        if has_scope {
            before["cacheScope"] = json!("public");
            after["cacheScope"] = json!("private");
        }
        let envelope = |result| json!({"jsonrpc": "2.0", "id": 1, "result": result});
        Response {
            before: envelope(before),
            after: envelope(after),
        }
    })
}

fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        3 => message(),
        1 => prop::collection::vec(message(), 1..4).prop_map(|messages| Response {
            before: messages.iter().map(|message| message.before.clone()).collect(),
            after: messages.iter().map(|message| message.after.clone()).collect(),
        }),
        1 => free().prop_map(|data| Response { before: data.clone(), after: data }),
    ]
}

fn print(json: &Json, pretty: bool) -> String {
    if pretty {
        serde_json::to_string_pretty(json).unwrap()
    } else {
        json.to_string()
    }
}

/// Chunks of these sizes, repeated.
fn chunks<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |size| {
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        rest = tail;
        (!head.is_empty()).then_some(head)
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..40_usize, 1..6)
}

/// The data of each event, parsed in the simplest way.
pub(super) fn data(stream: &str) -> Vec<String> {
    let lines = stream
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut events = vec![];
    let mut data: Vec<&str> = vec![];
    for line in lines.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                events.push(data.join("\n"));
            }
            data.clear();
        } else if line == "data" {
            data.push("");
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    events
}

fn other_lines(stream: &str) -> Vec<&str> {
    let lines = stream.split(['\n', '\r']);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("data"))
        .collect()
}

/// An event stream with these texts.
fn stream(texts: &[String], line_end: &str, noise: &[String]) -> String {
    let mut stream = String::new();
    let mut noise = noise.iter().cycle();
    for text in texts {
        for line in text.lines() {
            for part in [noise.next().unwrap(), "data: ", line, line_end] {
                stream.push_str(part);
            }
        }
        stream.push_str(line_end);
    }
    stream
}

fn limits() -> ListingSettings {
    ListingSettings {
        item_bytes_max: 8 * 1024,
        depth_max: 64,
        ..ListingSettings::default()
    }
}

proptest! {
    #[test]
    fn a_response_is_what_a_naive_filter_makes_of_it(
        response in response(), pretty in any::<bool>(), sizes in sizes(),
    ) {
        let text = print(&response.before, pretty);
        let (_, whole) = filter(limits(), [text.as_bytes()]);
        prop_assert_eq!(whole.end, Ok(()));
        let out: Json = serde_json::from_str(&whole.out).unwrap();
        prop_assert_eq!(&out, &response.after);
        prop_assert!(!whole.out.contains(HIDDEN));
        if response.before == response.after {
            prop_assert_eq!(&whole.out, &text);
        }
        let (_, chunked) = filter(limits(), chunks(text.as_bytes(), &sizes));
        prop_assert_eq!(whole, chunked);
    }

    #[test]
    fn an_event_stream_is_filtered_event_by_event(
        responses in prop::collection::vec((response(), any::<bool>()), 0..4),
        sizes in sizes(),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        noise in prop::sample::select(vec![vec![""], vec!["", ": c\n", "id: 7\r"], vec!["data\n"]]),
    ) {
        let settings = ListingSettings { framing: Framing::EventStream, ..limits() };
        let noise: Vec<_> = noise.into_iter().map(str::to_owned).collect();
        let texts: Vec<_> =
            responses.iter().map(|(response, pretty)| print(&response.before, *pretty)).collect();
        let text = stream(&texts, line_end, &noise);
        let (_, whole) = filter(settings, [text.as_bytes()]);
        prop_assert_eq!(whole.end, Ok(()));
        let events = data(&whole.out);
        prop_assert_eq!(events.len(), responses.len());
        for (event, (response, _)) in events.iter().zip(&responses) {
            let event: Json = serde_json::from_str(event).unwrap();
            prop_assert_eq!(&event, &response.after);
        }
        prop_assert!(!whole.out.contains(HIDDEN));
        prop_assert_eq!(other_lines(&whole.out), other_lines(&text));
        let (_, chunked) = filter(settings, chunks(text.as_bytes(), &sizes));
        prop_assert_eq!(whole, chunked);
    }

    #[test]
    fn any_bytes_are_json_exactly_if_serde_json_says_so(
        text in prop_oneof![
            "[\\[\\]{}:,\"\\\\0-9eE.+\\- tfnrula]{0,24}",
            (response(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(response, at, byte)| {
                let mut text = response.before.to_string().into_bytes();
                let at = at.index(text.len());
                text[at] = byte;
                String::from_utf8_lossy(&text).into_owned()
            }),
        ],
    ) {
        let settings = ListingSettings { depth_max: 126, ..limits() };
        let (_, outcome) = filter(settings, [text.as_bytes()]);
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(outcome.end.is_ok(), is_json, "{}", text);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100), framing in any::<bool>(), sizes in sizes(),
    ) {
        let framing = if framing { Framing::Json } else { Framing::EventStream };
        let settings = ListingSettings { framing, ..limits() };
        let (_, whole) = filter(settings, [bytes.as_slice()]);
        let (_, chunked) = filter(settings, chunks(&bytes, &sizes));
        prop_assert_eq!(whole.end, chunked.end);
    }
}

#[test]
fn memory_does_not_grow_with_the_response() {
    for framing in [Framing::Json, Framing::EventStream] {
        let mut listing = Listing::new(ListingSettings {
            framing,
            ..limits()
        });
        let (begin, line_end) = match framing {
            Framing::Json => (r#"{"result":{"x":""#, ""),
            Framing::EventStream => ("data: {\"result\":{\"x\":\"", "\ndata:\ndata: "),
        };
        let mut held_max = 0;
        let mut read = |text: &str, times: usize| {
            for _ in 0..times {
                let mut input = text.as_bytes();
                while !input.is_empty() {
                    if let ListingStep::Item(item) = listing.read(&mut input).unwrap() {
                        let keep = !is_hidden(&item.name);
                        listing.settle(keep);
                    }
                    held_max = held_max.max(listing.held());
                }
                assert!(listing.take_output().len() <= text.len() + 2);
            }
        };
        let text = "text \u{e9} ".repeat(100);
        let skipped = format!("[{{\"a\":0}},{line_end}\"{text}\"],{line_end}");
        read(begin, 1);
        read(&text, 2_000);
        read(r#"","tools":[{"name":"a"}"#, 1);
        read(
            &format!(",{line_end}{{\"name\":\"hide\"}}{line_end}"),
            20_000,
        );
        read(&format!("{line_end} ").repeat(50), 1_000);
        read(r#",{"name":"a","x":["#, 1);
        read(&skipped, 2_000);
        read(r#"0]}],"prompts":{"a":["#, 1);
        read(&skipped, 2_000);
        read("0]}}}\n\n", 1);
        assert_eq!(listing.finish(), Ok(()));
        // An item, and the chunk that makes it too large.
        let bound = limits().item_bytes_max + skipped.len() + 200;
        assert!(held_max < bound, "{held_max} >= {bound}");
        assert_eq!(listing.counts().hidden, 20_000);
    }
}
