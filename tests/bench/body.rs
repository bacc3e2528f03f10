//! The integrity reader, next to `serde_json` reading the same bodies.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mcp_authz::mcp::{DecodeOptions, decode};
use serde::Deserialize;
use serde_json::json;

const SIZES: [usize; 3] = [600, 20 << 10, 900 << 10];

/// A `tools/call` of `tool-1` of exactly so many bytes, at least 600: a commit of files of a
/// kilobyte each.
pub(super) fn call(owner: &str, bytes: usize) -> Vec<u8> {
    const LINE: &str = "    let name = \"value\"; // what a line of code looks like\n";
    let content: String = LINE.chars().cycle().take(bytes.min(1000) / 5).collect();
    let count = bytes.saturating_sub(350) / 1150 + 1;
    let content = if count > 1 {
        content.repeat(5)
    } else {
        content
    };
    let file = |number: usize| json!({"path": format!("src/part_{number}.rs"), "mode": 420, "content": content});
    let files: Vec<_> = (0..count).map(file).collect();
    let mut call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "tool-1",
        "arguments": {
            "owner": owner, "repo": "widgets", "branch": "main", "draft": false,
            "labels": ["bug", "help wanted"], "message": "", "files": files,
        },
        "_meta": {"progressToken": 7},
    }});
    let missing = bytes.checked_sub(call.to_string().len()).unwrap();
    call["params"]["arguments"]["message"] = "m".repeat(missing).into();
    call.to_string().into_bytes()
}

/// What a server reads a call into.
#[derive(Deserialize)]
#[expect(dead_code, reason = "they are read into and no further")]
struct Call {
    jsonrpc: String,
    id: u64,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are read into and no further")]
struct Params {
    name: String,
    arguments: Arguments,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are read into and no further")]
struct Arguments {
    owner: String,
    repo: String,
    branch: String,
    draft: bool,
    labels: Vec<String>,
    message: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are read into and no further")]
struct File {
    path: String,
    mode: u32,
    content: String,
}

/// Budget: 2 × `typed`.
#[divan::bench(args = SIZES)]
fn integrity(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call("acme", bytes);
    let options = DecodeOptions::default();
    assert!(decode(&body, &options).is_ok());
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| decode(black_box(&body), &options).is_ok());
}

/// Budget: none, it is what `integrity` is held against.
#[divan::bench(args = SIZES)]
fn typed(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call("acme", bytes);
    let read = || serde_json::from_slice::<Call>(black_box(&body)).is_ok();
    assert!(read());
    bencher.counter(BytesCount::new(bytes)).bench_local(read);
}

/// Budget: none, it is there to compare.
#[divan::bench(args = SIZES)]
fn untyped(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call("acme", bytes);
    let read = || serde_json::from_slice::<serde_json::Value>(black_box(&body)).is_ok();
    assert!(read());
    bencher.counter(BytesCount::new(bytes)).bench_local(read);
}
