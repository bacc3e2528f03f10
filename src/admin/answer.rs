//! What the endpoint answers in JSON.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body:#}\n"),
    )
        .into_response()
}

/// An answer that says why nothing was done.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    answer(status, &json!({"error": why}))
}
