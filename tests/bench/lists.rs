//! Lists in answers of a mebibyte, which come in chunks of 16 KiB.

use std::collections::HashMap;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use jsonwebtoken::Algorithm;
use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckResponse;
use mcp_authz::mcp::{Framing, Listing, ListingSettings, ListingStep};
use mcp_authz::response::{BodyMode, FilterOutput, FilterResponses, ResponseFilter, ResponseHead};
use prost::Message;
use prost_types::value::Kind;
use serde_json::json;

use super::service::{Service, finish};
use super::{check, envoy, issuer};

const ANSWER_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 16 << 10;
const FRAMINGS: [Framing; 2] = [Framing::Json, Framing::EventStream];

/// The answer to `tools/list`, with tools of a usual size.
fn answer(framing: Framing) -> Bytes {
    let text = |what: &str| json!({"type": "string", "description": format!("The {what} of the repository, as it is shown on its page")});
    let tool = |number: usize| {
        json!({
            "name": format!("tool-{number}"),
            "title": "Create an issue",
            "description": "Opens a new issue in a repository.\nAsk the user before using it, and say which repository is meant.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "owner": text("owner"), "repo": text("name"), "title": text("issue"), "body": text("text"),
                    "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
                },
                "required": ["owner", "repo", "title"],
                "additionalProperties": false,
            },
            "annotations": {"readOnlyHint": false, "destructiveHint": false},
        })
    };
    let count = ANSWER_BYTES / tool(1000).to_string().len();
    let tools: Vec<_> = (0..count).map(tool).collect();
    let json = json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": tools}});
    match framing {
        Framing::Json => json.to_string(),
        Framing::EventStream => format!("event: message\ndata: {json}\n\n"),
    }
    .into()
}

fn chunks(answer: &Bytes) -> Vec<Bytes> {
    answer
        .chunks(CHUNK_BYTES)
        .map(|chunk| answer.slice_ref(chunk))
        .collect()
}

/// What the check of a `tools/list` by a member of the group has handed on.
fn carried(service: &Service, group: &str) -> HashMap<String, String> {
    let token = issuer::token(Algorithm::ES256, "user-1", group);
    let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let answer = service.check(&envoy::message(&token, check::SESSION, body));
    let answer = CheckResponse::decode(answer.as_slice()).unwrap();
    let facts = answer.dynamic_metadata.unwrap().fields.into_iter();
    facts
        .filter_map(|(name, value)| {
            let Some(Kind::StringValue(text)) = value.kind else {
                return None;
            };
            Some((name, text))
        })
        .collect()
}

/// The way of an answer through the pipeline; how many bytes of it are left.
fn filter(
    service: &Service,
    carried: HashMap<String, String>,
    framing: Framing,
    chunks: &[Bytes],
) -> usize {
    let kind = match framing {
        Framing::Json => "application/json",
        Framing::EventStream => "text/event-stream",
    };
    let head = ResponseHead {
        status: Some(200),
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        is_all: false,
        body: BodyMode::Streamed,
    };
    let (mut exchange, mut outputs) = finish(service.pipeline.begin(Some(carried), head));
    for (index, chunk) in chunks.iter().enumerate() {
        let end = index + 1 == chunks.len();
        outputs.extend(finish(exchange.body(chunk.clone(), end)));
    }
    let length = |output: &FilterOutput| match output {
        FilterOutput::Chunk(bytes) => bytes.len(),
        FilterOutput::Head { .. } | FilterOutput::End => 0,
        FilterOutput::Reply(_) | FilterOutput::Abort => panic!("{output:?}"),
    };
    outputs.iter().map(length).sum()
}

fn started() -> Service {
    let all = "- {id: all, effect: allow, who: {groups: [all]}, what: {servers: [github]}}\n";
    Service::start(&(check::policy() + all))
}

/// The check of a `tools/list`, whose context is sealed.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn asked(bencher: Bencher<'_, '_>) {
    let service = started();
    let token = issuer::token(Algorithm::ES256, "user-1", "all");
    let body = br#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let message = envoy::message(&token, check::SESSION, body);
    bencher.bench_local(|| service.check(black_box(&message)));
    service.assert_nothing_lost();
}

/// The head of its answer: the seal is verified and the context read.
#[divan::bench(sample_count = 100, sample_size = 100)]
fn begun(bencher: Bencher<'_, '_>) {
    let service = started();
    let head = ResponseHead {
        status: Some(200),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        is_all: false,
        body: BodyMode::Streamed,
    };
    bencher
        .with_inputs(|| (carried(&service, "all"), head.clone()))
        .bench_local_values(|(carried, head)| finish(service.pipeline.begin(Some(carried), head)));
    service.assert_nothing_lost();
}

fn bench(bencher: Bencher<'_, '_>, framing: Framing, group: &str, is_kept: bool) {
    let service = started();
    let answer = answer(framing);
    let chunks = chunks(&answer);
    let left = filter(&service, carried(&service, group), framing, &chunks);
    assert_eq!(left == answer.len(), is_kept, "{left} bytes are left");
    bencher
        .counter(BytesCount::new(answer.len()))
        .with_inputs(|| carried(&service, group))
        .bench_local_values(|carried| filter(&service, carried, framing, &chunks));
    service.assert_nothing_lost();
}

/// Budget: 15 ms.
#[divan::bench(args = FRAMINGS, sample_count = 50, sample_size = 1)]
fn all_kept(bencher: Bencher<'_, '_>, framing: Framing) {
    bench(bencher, framing, "all", true);
}

/// Budget: 15 ms.
#[divan::bench(args = FRAMINGS, sample_count = 50, sample_size = 1)]
fn most_hidden(bencher: Bencher<'_, '_>, framing: Framing) {
    bench(bencher, framing, "team-1", false);
}

/// The reader alone, without a policy and without comparing descriptions.
///
/// Budget: 10 ms.
#[divan::bench(args = FRAMINGS, sample_count = 50, sample_size = 1)]
fn only_read(bencher: Bencher<'_, '_>, framing: Framing) {
    let answer = answer(framing);
    let chunks = chunks(&answer);
    let settings = ListingSettings {
        framing,
        ..ListingSettings::default()
    };
    bencher
        .counter(BytesCount::new(answer.len()))
        .bench_local(|| {
            let mut listing = Listing::new(settings);
            let mut length = 0;
            for chunk in black_box(&chunks) {
                let mut rest = &**chunk;
                loop {
                    match listing.read(&mut rest).unwrap() {
                        ListingStep::More => break,
                        ListingStep::Item(_) => listing.settle(true),
                        other @ (ListingStep::Unjudged(..)
                        | ListingStep::NewTask(_)
                        | ListingStep::Result(_)) => {
                            panic!("{other:?}")
                        }
                    }
                }
                length += listing.take_output().len();
            }
            listing.finish().unwrap();
            length + listing.take_output().len()
        });
}
