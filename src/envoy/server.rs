//! Serves gRPC on the connections of Envoy.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::service::Routes;

use crate::check::Decide;
use crate::health::Readiness;
use crate::listen::{Connection, Share};
use crate::response::FilterResponses;

use super::check_request::{ClientAddress, DescriptionSettings};
use super::ext_authz::ExtAuthz;
use super::ext_proc::{Ending, ExtProc};
use super::grpc::Dispatch;
use super::health::HealthService;
use super::proto;
use super::proto::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use super::proto::grpc::health::v1::health_server::HealthServer;

/// How the gRPC server treats its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeSettings {
    /// How described requests are read.
    pub request: DescriptionSettings,
    /// The most bytes of a described body. A message may have 1 MiB more, for everything else.
    pub body_bytes_max: usize,
    /// The most concurrent streams of one connection. Envoy's own limit has to be no higher.
    pub streams_max: u32,
    /// The most bytes of the gRPC headers of a call, not of the described request.
    pub call_header_bytes_max: u32,
    /// How often a silent connection is probed.
    pub keepalive_interval: Duration,
    /// How long a probe may stay without an answer.
    pub keepalive_timeout: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            request: DescriptionSettings {
                headers_max: 96,
                source: ClientAddress::Peer,
            },
            body_bytes_max: 1024 * 1024,
            streams_max: 1024,
            call_header_bytes_max: 16 * 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the server cannot be built: our own descriptors are damaged.
#[derive(Debug, thiserror::Error)]
#[error("reflection cannot be built")]
pub struct ServeError(#[from] tonic_reflection::server::Error);

/// Serves `ext_authz`, `ext_proc`, health and reflection until `shutdown` resolves and every call
/// in flight is done, but for responses that last as long as their clients want them. How long that may take is for the caller to say: a connection on which the
/// client never finished its first message does not end by itself.
///
/// # Errors
/// [`ServeError`] if the server cannot be built.
pub async fn serve<T: Decide + FilterResponses>(
    share: Share,
    pipeline: Arc<T>,
    readiness: Readiness,
    settings: ServeSettings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ending = Ending::default();
    let dispatch = Arc::new(dispatch(pipeline, readiness, settings, ending.clone())?);
    let shutdown = async {
        shutdown.await;
        ending.begin();
    };
    let (ready, connections) = mpsc::channel(READY_MAX);
    // With the shutdown the receiver goes, so that the share ends; with all of them the listener
    // does, and its socket is closed.
    tokio::join!(
        share.run(ready),
        serve_connections(connections, dispatch, settings, shutdown)
    );
    Ok(())
}

/// Serves connections as they come, and after the shutdown those that are there to their end.
async fn serve_connections<T: Decide>(
    mut connections: mpsc::Receiver<Connection>,
    dispatch: Arc<Dispatch<T>>,
    settings: ServeSettings,
    shutdown: impl Future<Output = ()>,
) {
    let server = server(settings);
    let open = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let connection = tokio::select! {
            () = &mut shutdown => break,
            // This only forgets those that have ended.
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            connection = connections.recv() => connection,
        };
        let Some(connection) = connection else {
            break;
        };
        let dispatch = Arc::clone(&dispatch);
        let service = service_fn(move |call| Arc::clone(&dispatch).reply(call));
        let serving = open.watch(server.serve_connection(TokioIo::new(connection), service));
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%error, "a connection failed");
            }
        });
    }
    drop(connections);
    open.shutdown().await;
}

/// Which service answers which call.
fn dispatch<T: Decide + FilterResponses>(
    pipeline: Arc<T>,
    readiness: Readiness,
    settings: ServeSettings,
    ending: Ending,
) -> Result<Dispatch<T>, ServeError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .with_service_name(AUTHORIZATION)
        .with_service_name(PROCESSOR)
        .with_service_name(HEALTH)
        .with_service_name(REFLECTION)
        .build_v1()?;
    let message_bytes_max = settings
        .body_bytes_max
        .saturating_add(DESCRIPTION_BYTES_MAX);
    let checks = ExtAuthz::new(Arc::clone(&pipeline), settings.request);
    let processor = ExternalProcessorServer::new(ExtProc::new(pipeline).until(ending))
        .max_decoding_message_size(CHUNK_BYTES_MAX.saturating_add(DESCRIPTION_BYTES_MAX));
    let health = HealthService::new(readiness, &[AUTHORIZATION, PROCESSOR]);
    let others = Routes::new(processor)
        .add_service(HealthServer::new(health))
        .add_service(reflection)
        .prepare();
    Ok(Dispatch::new(checks, message_bytes_max, others))
}

/// HTTP/2 as we speak it. What tonic's own server has around it costs as much as half a decision.
fn server(settings: ServeSettings) -> http2::Builder<TokioExecutor> {
    // Clients that leave reset their checks, many at once; that is no attack of Envoy's.
    let resets_max = usize::try_from(settings.streams_max).unwrap_or(usize::MAX);
    // Room for every stream at once: bytes of a stream that waits for its client must not keep
    // those of another from being read.
    let connection_window = STREAM_WINDOW_BYTES.saturating_mul(settings.streams_max);
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(connection_window.min(WINDOW_BYTES_MAX))
        .max_header_list_size(settings.call_header_bytes_max)
        .max_pending_accept_reset_streams(resets_max)
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout)
        // Envoy would read it and nobody would see it.
        .auto_date_header(false);
    server
}

/// The name of the `ext_authz` service.
pub const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";
/// The name of the `ext_proc` service.
pub const PROCESSOR: &str = "envoy.service.ext_proc.v3.ExternalProcessor";
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
/// The room for everything of a check but the body: headers are at most 60 KiB in Envoy.
const DESCRIPTION_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of a chunk of a response: what Envoy buffers by default.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How many bytes of a stream may wait to be read.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// The largest window there is (RFC 9113 §6.9.1).
const WINDOW_BYTES_MAX: u32 = (1 << 31) - 1;
/// Connections that are ready and not yet taken by the server.
const READY_MAX: usize = 64;
