//! The filter of lists.

use mcp_authz::authz::ValuePath;
use mcp_authz::mcp::{
    FoundPaths, FoundTools, Framing, Listing, ListingCounts, ListingSettings, ListingStep,
    Unreadable,
};
use serde_json::value::RawValue;

/// Three bytes of settings, then a response: read as a whole and in pieces it comes out the same,
/// and what comes out of JSON is JSON. Read as the result of a search, what is hidden of it is gone.
pub fn list(data: &[u8]) {
    let [flags, one, two, response @ ..] = data else {
        return;
    };
    found(response, flags & 8 != 0);
    let settings = ListingSettings {
        framing: if flags & 1 == 0 {
            Framing::Json
        } else {
            Framing::EventStream
        },
        make_private: flags & 2 != 0,
        new_tasks: flags & 4 != 0,
        item_bytes_max: 512,
        task_id_bytes_max: 32,
        depth_max: 16,
        ..ListingSettings::default()
    };
    let whole = filter(settings, std::iter::once(response));
    let sizes = [usize::from(one % 64) + 1, usize::from(two % 64) + 1];
    let mut rest = response;
    let pieces = sizes.into_iter().cycle().map_while(|size| {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    });
    let in_pieces = filter(settings, pieces);
    // Which of two faults is found first depends on the pieces.
    assert_eq!(whole.end.is_ok(), in_pieces.end.is_ok());
    if whole.end.is_ok() {
        assert_eq!(whole, in_pieces);
        if settings.framing == Framing::Json {
            let text = std::str::from_utf8(&whole.out).unwrap();
            serde_json::from_str::<&RawValue>(text).unwrap();
        }
        // A scope of caching becomes private, be there a list or not.
        let is_private = whole.out.windows(9).any(|part| part == b"\"private\"");
        if whole.counts == ListingCounts::default() && !is_private {
            // A carriage return alone gets a line feed.
            let is_text = |byte: &&u8| settings.framing == Framing::Json || **byte != b'\n';
            let out = whole.out.iter().filter(is_text);
            assert!(out.eq(response.iter().filter(is_text)));
        }
    }
    // An item may nest a thousand deep before its levels are only counted, and each takes a byte.
    assert!(in_pieces.held_max <= settings.item_bytes_max + 64 + 256 + 1000);
}

/// Without the tools that are hidden, a result is JSON, and has the others in their order.
fn found(result: &[u8], has_servers: bool) {
    let path = |text| ValuePath::of_argument(text).unwrap();
    let paths = FoundPaths {
        list: path("found.tools"),
        server: has_servers.then(|| path("server")),
    };
    let read = |result: &[u8]| FoundTools::read(result, &paths, 16).ok();
    let Some(found) = read(result) else { return };
    let names = |found: &FoundTools| -> Vec<_> {
        let names = found.tools().map(|tool| tool.name.ok().map(str::to_owned));
        names.collect()
    };
    let all = names(&found);
    let is_shown = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.contains("hide"));
    let shown: Vec<bool> = all.iter().map(is_shown).collect();
    let Some(text) = found.shown(&shown) else {
        assert!(shown.iter().all(|is| *is));
        return;
    };
    serde_json::from_str::<&RawValue>(&text).unwrap();
    let left = read(text.as_bytes()).unwrap();
    assert!(
        names(&left)
            .iter()
            .eq(all.iter().filter(|name| is_shown(name)))
    );
}

#[derive(Debug)]
struct Filtered {
    out: Vec<u8>,
    end: Result<(), Unreadable>,
    counts: ListingCounts,
    tasks: Vec<String>,
    held_max: usize,
}

impl PartialEq for Filtered {
    /// How much was held depends on the pieces.
    fn eq(&self, other: &Self) -> bool {
        (&self.out, self.end, self.counts, &self.tasks)
            == (&other.out, other.end, other.counts, &other.tasks)
    }
}

fn filter<'d>(settings: ListingSettings, pieces: impl Iterator<Item = &'d [u8]>) -> Filtered {
    let mut listing = Listing::new(settings);
    let mut filtered = Filtered {
        out: Vec::new(),
        end: Ok(()),
        counts: ListingCounts::default(),
        tasks: Vec::new(),
        held_max: 0,
    };
    'pieces: for mut piece in pieces {
        while !piece.is_empty() {
            match listing.read(&mut piece) {
                Ok(ListingStep::Item(item)) => {
                    let keep = !item.name.contains("hide");
                    listing.settle(keep);
                }
                Ok(ListingStep::NewTask(id)) => {
                    filtered.tasks.push(id);
                    listing.settle(true);
                }
                Ok(ListingStep::Result(_)) => listing.replace(None),
                Ok(ListingStep::More | ListingStep::Unjudged(..)) => {}
                Err(_) => break 'pieces,
            }
            filtered.held_max = filtered.held_max.max(listing.held());
            filtered.out.append(&mut listing.take_output());
        }
    }
    filtered.end = listing.finish();
    filtered.out.append(&mut listing.take_output());
    filtered.counts = listing.counts();
    filtered
}

pub(super) fn list_seeds() -> Vec<Vec<u8>> {
    let tools = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","x":[1,{"b":null}]},{"name":"hide"},{"\u006eame":"hide","name":"a"}],"cacheScope":"public","nextCursor":"c"}}"#;
    let task = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"t-1","task":{"taskId":"t-2"},"resources":[{"uri":"a:b"}]}}"#;
    let batch = r#"[{"id":1,"result":{"prompts":[{"name":"hide"}],"resourceTemplates":[{"uriTemplate":"a:{b}"}]}},{"id":2,"result":{"TOOLS":[{"name":"hide"}]}}]"#;
    let mut seeds = Vec::new();
    for flags in [0, 2, 6] {
        for text in [tools, task, batch] {
            seeds.push([&[flags, 6, 40], text.as_bytes()].concat());
            let cut = text.replace(',', ",\ndata: ");
            let events = format!(": note\nid: 7\r\ndata: {text}\r\n\r\nevent: x\rdata:{cut}\n\n");
            seeds.push([&[flags | 1, 2, 0], events.as_bytes()].concat());
        }
    }
    let items = r#"[{"name":"a","server":"s"},"hide",{"name":"hide","x":"\ud83d"},{"name":"b","server":"s"}]"#;
    let text = serde_json::to_string(items).unwrap();
    for result in [
        format!(r#"{{"structuredContent":{{"found":{{"tools":{items}}}}},"content":[{{"type":"text","text":{text}}}]}}"#),
        r#"{"content":[{"type":"text","text":"hide"},{"type":"text","text":"a"}],"structuredContent":{"found":{"tools":["hide","a"]}}}"#.to_owned(),
        format!(r#"{{"structuredContent":{{"result":{text}}},"content":[{{"type":"text","text":"{{\"name\":\"hide\"}}"}}]}}"#),
        r#"{"content":[{"type":"text","text":"{\"name\":\"hide\"}"},{"type":"text","text":"{\"name\":\"a\"}"}]}"#.to_owned(),
    ] {
        for flags in [0, 8] {
            seeds.push([&[flags, 6, 40], result.as_bytes()].concat());
        }
    }
    seeds
}
