//! Answers of upstreams, which are all refused.

use bytes::Bytes;
use http::StatusCode;

use super::{Answer, AnswerHead, Carried, Exchange, Output, Pipeline, Process, answer};

/// An answer that was refused.
#[derive(Debug)]
pub struct Refused;

impl Process for Pipeline {
    type Exchange = Refused;

    async fn begin(&self, _: Carried, _: AnswerHead) -> (Refused, Vec<Output>) {
        let body = crate::mcp::answer::error(
            None,
            -32603,
            "answers cannot be filtered",
            serde_json::Value::Null,
        );
        let answer: Answer = answer::json_answer(StatusCode::SERVICE_UNAVAILABLE, body);
        (Refused, vec![Output::Answer(answer)])
    }
}

impl Exchange for Refused {
    async fn body(&mut self, _: Bytes, _: bool) -> Vec<Output> {
        Vec::new()
    }

    async fn trailers(&mut self) -> Vec<Output> {
        Vec::new()
    }
}
