//! The commands of the endpoint: what changes something, by POST. Each is a row of
//! `src/app/commands.rs`, and all of them go through one guard.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{answer, refusal};
use super::guard::{self, Unfit};

/// The most bytes of a body.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A command.
pub struct Command {
    /// Its path without the slash: `clear`.
    pub name: &'static str,
    /// Runs it.
    pub run: Box<dyn Fn(CommandRequest) -> Running + Send + Sync>,
}

/// A command that runs.
pub type Running = Pin<Box<dyn Future<Output = Result<Value, CommandFault>> + Send>>;

/// Who asks for a command, and what they say.
#[derive(Debug)]
pub struct CommandRequest {
    /// The address that asks, which is of this host.
    pub peer: SocketAddr,
    body: Vec<u8>,
}

/// Why a command was not run, in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandFault {
    /// The request is not as it has to be.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
}

impl CommandRequest {
    /// What the body says.
    ///
    /// # Errors
    /// It is not JSON of this form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CommandFault> {
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| CommandFault::Invalid(format!("the body cannot be used: {error}")))
    }
}

impl Command {
    /// Adds its route.
    pub(super) fn add_to<S: Clone + Send + Sync + 'static>(self, routes: Router<S>) -> Router<S> {
        let path = format!("/{}", self.name);
        let command = Arc::new((self, AtomicBool::new(false)));
        let run = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>| {
            let command = Arc::clone(&command);
            async move {
                let (command, was_refused) = &*command;
                command.answer(peer, request, was_refused).await
            }
        };
        routes.route(&path, post(run))
    }

    async fn answer(
        &self,
        peer: SocketAddr,
        request: Request<Body>,
        was_refused: &AtomicBool,
    ) -> Response {
        let (head, body) = request.into_parts();
        if let Err(unfit) = guard::check(peer, &head) {
            self.tell_refused(peer, unfit, was_refused);
            return refusal(unfit.status(), &unfit.to_string());
        }
        let read = tokio::time::timeout(BODY_TIME_MAX, to_bytes(body, BODY_BYTES_MAX)).await;
        let body = match read {
            Ok(Ok(body)) => body.to_vec(),
            Ok(Err(_)) => {
                let why = format!("the body is cut off, or has more than {BODY_BYTES_MAX} bytes");
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, &why);
            }
            Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        };
        match (self.run)(CommandRequest { peer, body }).await {
            Ok(done) => answer(StatusCode::OK, &done),
            Err(fault) => refusal(fault.status(), &fault.to_string()),
        }
    }
}

impl Command {
    /// Logs a refusal. Whoever reaches the port can cause any number of them, so only the first is a
    /// warning.
    fn tell_refused(&self, peer: SocketAddr, unfit: Unfit, was_refused: &AtomicBool) {
        let command = self.name;
        if was_refused.swap(true, Ordering::Relaxed) {
            tracing::debug!(command, %peer, "a command was refused: {unfit}");
        } else {
            tracing::warn!(
                command,
                %peer,
                "a command was refused: {unfit}; further refusals are logged as `debug`"
            );
        }
    }
}

impl CommandFault {
    fn status(&self) -> StatusCode {
        match self {
            CommandFault::Invalid(_) => StatusCode::BAD_REQUEST,
            CommandFault::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Command");
        shown.field("name", &self.name).finish_non_exhaustive()
    }
}
