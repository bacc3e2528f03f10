//! The admin endpoint: liveness, readiness with its details, metrics. For operators, not clients.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::health::{Readiness, ReadinessState};
use crate::telemetry::metrics::{CONTENT_TYPE, Metrics};

/// What the endpoint tells.
#[derive(Clone)]
pub struct Admin {
    readiness: Readiness,
    metrics: Metrics,
    sample: Arc<dyn Fn(&Metrics) + Send + Sync>,
    details: Arc<[Detail]>,
}

/// A part of the process that has something to say about its state.
pub struct Detail {
    /// The part, as a key of the response: `policy`, `keys`.
    pub name: &'static str,
    /// Its state now: revisions, ages and errors, never secrets. `null`: the process has no such part
    /// now, and the answer leaves it out. Must not block.
    pub state: Box<dyn Fn() -> Value + Send + Sync>,
}

impl Admin {
    /// An endpoint over the readiness and metrics of the process and the details of its parts.
    /// `sample` copies into the metrics what the parts count themselves; it must not block.
    #[must_use]
    pub fn new(
        readiness: Readiness,
        metrics: Metrics,
        sample: impl Fn(&Metrics) + Send + Sync + 'static,
        details: Vec<Detail>,
    ) -> Self {
        Self {
            readiness,
            metrics,
            sample: Arc::new(sample),
            details: details.into(),
        }
    }

    /// The routes: `/livez`, `/readyz` and `/metrics`, for GET and HEAD.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    /// Answers on a socket until `shutdown` resolves and what is in flight is done.
    ///
    /// # Errors
    /// If the socket fails for good.
    pub async fn serve(
        self,
        socket: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(socket, self.routes())
            .with_graceful_shutdown(shutdown)
            .await
    }
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let state = admin.readiness.state();
    let status = match state {
        ReadinessState::Ready => StatusCode::OK,
        ReadinessState::Starting | ReadinessState::Draining | ReadinessState::HandingOver => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let details: Map<String, Value> = admin
        .details
        .iter()
        .map(|part| (part.name.to_owned(), (part.state)()))
        .filter(|(_, state)| !state.is_null())
        .collect();
    let body = json!({
        "state": state.name(),
        "waiting_for": admin.readiness.closed(),
        "details": details,
    });
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body:#}\n"),
    )
        .into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    (admin.sample)(&admin.metrics);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.text()).into_response()
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detail")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
