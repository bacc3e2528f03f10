mod events;
mod properties;
mod results;
mod rows;

use super::*;

/// The result of filtering a response.
#[derive(Debug, PartialEq)]
struct Outcome {
    out: String,
    /// What was reported, in order: `tools a`, `tools: too large`, `task t`.
    log: Vec<String>,
    end: Result<(), Unreadable>,
    counts: ListingCounts,
}

fn settings() -> ListingSettings {
    ListingSettings {
        item_bytes_max: 256,
        task_id_bytes_max: 8,
        depth_max: 16,
        ..ListingSettings::default()
    }
}

fn events() -> ListingSettings {
    ListingSettings {
        framing: Framing::EventStream,
        ..settings()
    }
}

/// Whether the name marks an item to be hidden.
fn is_hidden(name: &str) -> bool {
    name.starts_with("hide")
}

/// Filters a response that arrives in these chunks; items named `hide…` are hidden.
fn filter<'c>(
    settings: ListingSettings,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Listing, Outcome) {
    let mut listing = Listing::new(settings);
    let mut out = Vec::new();
    let mut log = Vec::new();
    let mut end = Ok(());
    'chunks: for chunk in chunks {
        let mut input = chunk;
        loop {
            let keep = match listing.read(&mut input) {
                Ok(ListingStep::More) => break,
                Ok(ListingStep::Item(item)) => {
                    log.push(format!("{} {}", item.kind.member(), item.name));
                    !is_hidden(&item.name)
                }
                Ok(ListingStep::Result(result)) => {
                    let result = String::from_utf8(result.to_vec()).unwrap();
                    let is_hidden = result.contains("hide");
                    log.push(format!("result {result}"));
                    listing.replace(is_hidden.then_some("{\"x\":1}"));
                    continue;
                }
                Ok(ListingStep::Unjudged(kind, unjudged, _)) => {
                    log.push(format!("{}: {unjudged}", kind.member()));
                    // Settling an item that cannot be judged has no effect.
                    true
                }
                Ok(ListingStep::NewTask(id)) => {
                    log.push(format!("task {id}"));
                    true
                }
                Err(fault) => {
                    end = Err(fault);
                    break 'chunks;
                }
            };
            listing.settle(keep);
        }
        assert_eq!(input, b"");
        out.extend(listing.take_output());
    }
    out.extend(listing.take_output());
    let end = end.and_then(|()| listing.finish());
    out.extend(listing.take_output());
    let outcome = Outcome {
        out: String::from_utf8_lossy(&out).into_owned(),
        log,
        end,
        counts: listing.counts(),
    };
    (listing, outcome)
}

/// Filters a response whole, byte by byte and split at each position. The result must be the same,
/// except that for an unreadable response more may have been forwarded before the fault.
fn check(settings: ListingSettings, response: impl AsRef<[u8]>) -> Outcome {
    let response = response.as_ref();
    let (_, whole) = filter(settings, [response]);
    let bytes = filter(settings, response.chunks(1)).1;
    let cuts = (0..response.len()).map(|at| {
        let (head, tail) = response.split_at(at);
        filter(settings, [head, tail]).1
    });
    for other in cuts.chain([bytes]) {
        assert_eq!(whole.end, other.end);
        assert_eq!(whole.log, other.log);
        assert_eq!(whole.counts, other.counts);
        if whole.end.is_ok() {
            assert_eq!(whole.out, other.out);
        } else {
            assert!(
                other.out.starts_with(&whole.out),
                "{} {}",
                whole.out,
                other.out
            );
        }
    }
    whole
}

/// The forwarded response, with the reports.
fn pass(settings: ListingSettings, response: impl AsRef<[u8]>) -> (String, Vec<String>) {
    let outcome = check(settings, response);
    assert_eq!(outcome.end, Ok(()));
    (outcome.out, outcome.log)
}
