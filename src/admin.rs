//! The admin endpoint: liveness, readiness with its details, metrics, and commands. For operators,
//! not clients.
//!
//! | file | has |
//! |---|---|
//! | `command` | what changes something: POST, by [`Command`] |
//! | `guard` | who may do so |
//! | `answer` | answers in JSON |
//!
//! `README.md` beside them says what operators see.

mod answer;
mod command;
mod guard;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use answer::answer;

use crate::health::{Readiness, ReadinessState};
use crate::telemetry::metrics::{CONTENT_TYPE, Metrics};

pub use command::{Command, CommandFault, CommandRequest, Running};

/// What the endpoint tells and does.
pub struct Admin {
    told: Told,
    pages: Vec<Detail>,
    commands: Vec<Command>,
}

/// What the endpoint tells of the process as a whole.
#[derive(Clone)]
struct Told {
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
        let told = Told {
            readiness,
            metrics,
            sample: Arc::new(sample),
            details: details.into(),
        };
        Self {
            told,
            pages: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// The endpoint with these pages too: each answers GET below its name, as JSON.
    #[must_use]
    pub fn with_pages(self, pages: Vec<Detail>) -> Self {
        Self { pages, ..self }
    }

    /// The endpoint with these commands too.
    #[must_use]
    pub fn with_commands(self, commands: Vec<Command>) -> Self {
        Self { commands, ..self }
    }

    /// The routes: `/livez`, `/readyz`, `/metrics` and the pages, for GET and HEAD, and the commands,
    /// for POST alone.
    pub fn routes(self) -> Router {
        let mut routes = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics));
        for page in self.pages {
            let path = format!("/{}", page.name);
            let page = Arc::new(page);
            let told = move || async move { answer(StatusCode::OK, &(page.state)()) };
            routes = routes.route(&path, get(told));
        }
        for command in self.commands {
            routes = command.add_to(routes);
        }
        routes.with_state(self.told)
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
        let routes = self.routes();
        axum::serve(
            socket,
            routes.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .with_graceful_shutdown(shutdown)
        .await
    }
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Told>) -> Response {
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
    answer(status, &body)
}

async fn metrics(State(admin): State<Told>) -> Response {
    (admin.sample)(&admin.metrics);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.text()).into_response()
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.told.readiness)
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
