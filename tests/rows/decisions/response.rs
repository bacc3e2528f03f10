//! The upstream's response to a row's request, on its way back through the service.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use mcp_authz::check::{LocalReply, Pipeline};
use mcp_authz::response::{
    BodyMode, Carried, FilterOutput, FilterResponses, ResponseFilter, ResponseHead,
};
use serde::Deserialize;
use serde_json::Value;

use super::expectation;

/// A response, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Returned {
    #[serde(default = "ok")]
    status: u16,
    /// Lines as in a request.
    #[serde(default = "json")]
    headers: Vec<String>,
    /// How Envoy gives the body.
    #[serde(default)]
    mode: Mode,
    /// The body, chunk by chunk; without any, the head is all.
    #[serde(default)]
    chunks: Vec<String>,
    #[serde(default)]
    end: End,
    /// What Envoy carries in the place of what the check said.
    carried: Option<HashMap<String, String>>,
    /// Whether Envoy carries nothing.
    #[serde(default)]
    uncarried: bool,
    expect: Expected,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Streamed,
    Withheld,
    Other,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum End {
    #[default]
    Chunk,
    Trailers,
    /// The client leaves.
    Dropped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The body that the client gets, as far as anything was sent.
    text: Option<String>,
    /// Headers that are taken out of the head.
    #[serde(default)]
    removed: Vec<String>,
    /// A part of the response that is sent instead; its `status` beside the body's members.
    instead: Option<Value>,
    /// Whether it breaks off.
    #[serde(default)]
    aborted: bool,
}

fn ok() -> u16 {
    200
}

fn json() -> Vec<String> {
    vec!["content-type: application/json".to_owned()]
}

/// What came of a response.
#[derive(Default)]
struct Told {
    text: String,
    removed: Option<Vec<String>>,
    instead: Option<LocalReply>,
    aborted: bool,
    ended: bool,
}

impl Returned {
    /// Sends the response back and says what is not as written. `facts` is what the check said.
    pub(super) async fn run(
        &self,
        pipeline: &Arc<Pipeline>,
        facts: HashMap<String, String>,
    ) -> Vec<String> {
        let carried: Carried = match &self.carried {
            _ if self.uncarried => None,
            Some(carried) => Some(carried.clone()),
            None => Some(facts),
        };
        let _attendance = pipeline.attend(&carried);
        let (mut exchange, outputs) = pipeline.begin(carried, self.head()).await;
        let mut told = Told::default();
        told.take(outputs);
        for (index, chunk) in self.chunks.iter().enumerate() {
            let is_last = index + 1 == self.chunks.len();
            let end = is_last && self.end == End::Chunk;
            let chunk = Bytes::from(chunk.clone().into_bytes());
            told.take(exchange.body(chunk, end).await);
        }
        if self.end == End::Trailers {
            told.take(exchange.trailers().await);
        }
        self.faults(&told)
    }

    fn head(&self) -> ResponseHead {
        let headers = self.headers.iter().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        ResponseHead {
            status: Some(self.status),
            headers: headers.collect(),
            is_all: self.chunks.is_empty(),
            body: match self.mode {
                Mode::Streamed => BodyMode::Streamed,
                Mode::Withheld => BodyMode::Withheld,
                Mode::Other => BodyMode::Other,
            },
        }
    }

    fn faults(&self, told: &Told) -> Vec<String> {
        let expect = &self.expect;
        let mut faults = Vec::new();
        let mut same = |what: &str, expected: Value, actual: Value| {
            if expected != actual {
                faults.push(format!(
                    "  response's {what}: expected {expected}, got {actual}"
                ));
            }
        };
        same("end", expect.aborted.into(), told.aborted.into());
        if let Some(text) = &expect.text {
            same("body", text.clone().into(), told.text.clone().into());
        }
        let is_whole = self.end == End::Chunk && !self.chunks.is_empty();
        if is_whole && expect.instead.is_none() && !expect.aborted {
            same("last chunk", true.into(), told.ended.into());
        }
        let removed = told.removed.clone().unwrap_or_default();
        same("headers", expect.removed.clone().into(), removed.into());
        match (&expect.instead, &told.instead) {
            (None, None) => {}
            (Some(expected), Some(answer)) => {
                let mut actual: Value = serde_json::from_str(&answer.body).unwrap();
                actual["status"] = answer.status.as_u16().into();
                faults.extend(expectation::part(expected, &actual));
            }
            (expected, actual) => {
                faults.push(format!("  instead: expected {expected:?}, got {actual:?}"));
            }
        }
        faults
    }
}

impl Told {
    fn take(&mut self, outputs: Vec<FilterOutput>) {
        for output in outputs {
            let is_over = self.aborted || self.instead.is_some() || self.ended;
            assert!(!is_over, "told {output:?} after the end");
            match output {
                FilterOutput::Head { remove } => {
                    assert_eq!(self.removed, None, "two heads");
                    self.removed = Some(remove.iter().map(ToString::to_string).collect());
                }
                FilterOutput::Chunk(bytes) => {
                    assert!(self.removed.is_some(), "a chunk before the head");
                    self.text.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                FilterOutput::End => self.ended = true,
                FilterOutput::Reply(answer) => {
                    assert_eq!(self.removed, None, "a reply after the head");
                    self.instead = Some(answer);
                }
                FilterOutput::Abort => self.aborted = true,
            }
        }
    }
}
