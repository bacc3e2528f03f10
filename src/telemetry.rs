//! Logs, traces and metrics of the process.
//!
//! Logs are text on standard error; standard output belongs to audit. What a check decided is
//! recorded by [`crate::check`], not here.

pub mod metrics;
pub mod notices;

use std::borrow::Cow;
use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

/// What of the process is shown to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The collector that traces are sent to with OTLP over gRPC, as `http://host:port`; none
    /// switches traces off.
    pub otlp_endpoint: Option<String>,
    /// `service.name` of the traces.
    pub service_name: String,
    /// The lowest level logged, or directives such as `info,mcp_authz::authn=debug`.
    pub log: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            service_name: "mcp-authz".to_owned(),
            log: "info".to_owned(),
        }
    }
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTelemetry {
    /// The log setting is neither a level nor directives.
    #[error("`{log}` is no log level")]
    Log {
        /// The setting.
        log: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The collector's address is not one.
    #[error("`{endpoint}` is no OTLP endpoint")]
    Endpoint {
        /// The setting.
        endpoint: String,
    },
    /// The exporter could not be built.
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Something else in this process took the logs already.
    #[error("logs are set up already")]
    AlreadySet(#[source] TryInitError),
}

impl InvalidTelemetry {
    /// What would be right; empty where no setting is at fault.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Log { .. } => {
                "`error`, `warn`, `info`, `debug`, `trace` or `off`, or `target=level`, by commas"
            }
            Self::Endpoint { .. } => "`http://host:port` of a collector for OTLP over gRPC",
            Self::Exporter(_) | Self::AlreadySet(_) => "",
        }
    }
}

/// The running telemetry, to be flushed before the process ends.
#[derive(Debug)]
#[must_use = "traces still queued are lost unless flushed"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs and traces for the process. Call it inside the tokio runtime, once.
///
/// # Errors
/// [`InvalidTelemetry`] if a setting is wrong or logs are set up already.
pub fn start(settings: &Settings) -> Result<Telemetry, InvalidTelemetry> {
    let filter = log_filter(&settings.log)?;
    // Spans say nothing that the lines in them do not, and to keep them costs each check more than
    // to decide it: without a collector there are none.
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let is_line = filter_fn(|metadata| !metadata.is_span()).with_max_level_hint(level);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured())
        .with_filter(filter.and(is_line));
    let traces = settings
        .otlp_endpoint
        .as_deref()
        .map(|to| exporter(to, settings))
        .transpose()?;
    // Only our own spans: those of the exporter's own connection would feed themselves.
    let spans = traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("mcp-authz"))
            .with_filter(Targets::new().with_target("mcp_authz", LevelFilter::INFO))
    });
    // A layer that is `None` would have every span of every library made, and dropped again.
    let mut layers = vec![log.boxed()];
    layers.extend(spans.map(Layer::boxed));
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(InvalidTelemetry::AlreadySet)?;
    Ok(Telemetry { traces })
}

/// Checks the setting `log`.
///
/// # Errors
/// [`InvalidTelemetry::Log`] if it is neither a level nor directives.
pub fn log_filter(log: &str) -> Result<EnvFilter, InvalidTelemetry> {
    EnvFilter::builder()
        .parse(log)
        .map_err(|source| InvalidTelemetry::Log {
            log: log.to_owned(),
            source,
        })
}

/// Checks the setting `otlp_endpoint`.
///
/// # Errors
/// [`InvalidTelemetry::Endpoint`] if it is not `http://host:port`.
pub fn check_endpoint(endpoint: &str) -> Result<(), InvalidTelemetry> {
    let url = url::Url::parse(endpoint).ok().filter(|url| {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "http" && url.host().is_some() && is_plain && is_bare
    });
    let invalid = || InvalidTelemetry::Endpoint {
        endpoint: endpoint.to_owned(),
    };
    url.map(drop).ok_or_else(invalid)
}

impl Telemetry {
    /// Sends what is queued, for at most `timeout`, and stops.
    pub async fn flush(self, timeout: Duration) {
        let Some(traces) = self.traces else { return };
        // The exporter blocks its thread while the runtime does the sending.
        let flushed =
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(timeout)).await;
        match flushed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "traces were not flushed"),
            Err(error) => tracing::warn!(%error, "traces were not flushed"),
        }
    }
}

fn exporter(endpoint: &str, settings: &Settings) -> Result<SdkTracerProvider, InvalidTelemetry> {
    check_endpoint(endpoint)?;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(InvalidTelemetry::Exporter)?;
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource)
        .build())
}

/// Colour only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The trace a check belongs to (W3C Trace Context).
#[derive(Debug)]
pub struct Trace {
    parent: Option<opentelemetry::Context>,
}

impl Trace {
    /// The trace of a gRPC call: where Envoy traces, the call is a span of its own.
    #[must_use]
    pub fn of_call(metadata: &http::HeaderMap) -> Self {
        Self {
            parent: extract(&CallHeaders(metadata)),
        }
    }

    /// The span of one check, joined to the trace of the call, else of the described request.
    #[must_use]
    pub fn check_scope(self, headers: &[(Cow<'_, str>, Cow<'_, str>)]) -> Scope {
        let described = || extract(&DescribedHeaders(headers));
        let parent = self.parent.or_else(described);
        let span = tracing::info_span!(
            "check",
            otel.kind = "server",
            decision = tracing::field::Empty,
            reason = tracing::field::Empty,
            server = tracing::field::Empty,
            method = tracing::field::Empty,
            decision_id = tracing::field::Empty,
        );
        Scope::new(span, parent)
    }

    /// The span of one answer of an upstream, joined to the trace of the call.
    #[must_use]
    pub fn answer_scope(self) -> Scope {
        let span = tracing::info_span!(
            "answer",
            otel.kind = "server",
            server = tracing::field::Empty,
            method = tracing::field::Empty,
            decision_id = tracing::field::Empty,
        );
        Scope::new(span, self.parent)
    }
}

/// The span of one check or answer and the id of its trace. Clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Scope {
    span: Span,
    trace_id: Option<String>,
}

impl Scope {
    fn new(span: Span, parent: Option<opentelemetry::Context>) -> Self {
        let id = |context: &opentelemetry::Context| {
            let span = context.span();
            let context = span.span_context();
            context.is_valid().then(|| context.trace_id().to_string())
        };
        let mut trace_id = parent.as_ref().and_then(id);
        if !span.is_disabled() {
            if let Err(error) = span.set_parent(parent.unwrap_or_default()) {
                tracing::trace!(%error, "traces are off");
            } else if trace_id.is_none() {
                trace_id = id(&span.context());
            }
        }
        Self { span, trace_id }
    }

    /// Runs a future inside the span, where [`trace_id`] is known.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        TRACE_ID
            .scope(self.trace_id, future.instrument(self.span))
            .await
    }
}

/// How a check ended, for its span.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The kind of ending.
    pub decision: &'static str,
    /// The stable reason code.
    pub reason: &'static str,
    /// The configured server, or nothing.
    pub server: &'a str,
    /// The MCP method, or nothing.
    pub method: &'a str,
    /// The id of the decision.
    pub decision_id: uuid::Uuid,
}

/// Records on the span of the running check how it ended.
pub fn record_decision(ended: &Ended<'_>) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("decision", ended.decision);
    span.record("reason", ended.reason);
    span.record("server", ended.server);
    span.record("method", ended.method);
    span.record("decision_id", tracing::field::display(ended.decision_id));
}

/// The id of the trace that the running check belongs to: 32 hexadecimal digits. None outside of
/// [`Scope::run`], and where nobody traces.
#[must_use]
pub fn trace_id() -> Option<String> {
    TRACE_ID.try_with(Clone::clone).ok().flatten()
}

tokio::task_local! {
    static TRACE_ID: Option<String>;
}

/// The trace that the headers name, if they do.
fn extract(headers: &dyn Extractor) -> Option<opentelemetry::Context> {
    headers.get("traceparent")?;
    let nothing = opentelemetry::Context::new();
    let context = TraceContextPropagator::new().extract_with_context(&nothing, headers);
    let is_valid = context.span().span_context().is_valid();
    is_valid.then_some(context)
}

struct CallHeaders<'a>(&'a http::HeaderMap);

impl Extractor for CallHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct DescribedHeaders<'a>(&'a [(Cow<'a, str>, Cow<'a, str>)]);

impl Extractor for DescribedHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| &**value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| &**name).collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Tracer;

    use super::*;

    const CALL: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const DESCRIBED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    async fn id(call: Option<&str>, described: Option<&str>) -> Option<String> {
        let mut metadata = http::HeaderMap::new();
        if let Some(value) = call {
            metadata.insert("traceparent", value.parse().unwrap());
        }
        let headers: Vec<_> = described
            .map(|value| ("traceparent".into(), value.into()))
            .into_iter()
            .collect();
        Trace::of_call(&metadata)
            .check_scope(&headers)
            .run(async { trace_id() })
            .await
    }

    #[tokio::test]
    async fn the_trace_of_the_call_comes_before_that_of_the_request() {
        let of_call = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
        let of_request = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
        assert_eq!(id(Some(CALL), Some(DESCRIBED)).await, of_call);
        assert_eq!(id(None, Some(DESCRIBED)).await, of_request);
        assert_eq!(id(Some("00-0-0-0"), Some(DESCRIBED)).await, of_request);
        assert_eq!(id(None, Some("<script>")).await, None);
        assert_eq!(id(None, None).await, None);
        assert_eq!(trace_id(), None);
    }

    #[test]
    fn a_log_setting_is_a_level_or_directives() {
        for good in ["off", "info", "warn,mcp_authz::authn=debug"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["mcp_authz=loud", "info,=,"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_plain_http() {
        let settings = Settings::default();
        for bad in [
            "collector:4317",
            "https://collector:4317",
            "http://",
            "http://user:secret@collector:4317",
            "http://collector:4317/v1/traces",
            "",
        ] {
            let error = exporter(bad, &settings).map(drop).unwrap_err();
            assert!(matches!(error, InvalidTelemetry::Endpoint { .. }), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_flush_sends_what_is_queued_and_does_not_wait_for_ever() {
        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let traces = exporter(&endpoint, &Settings::default()).unwrap();
        drop(traces.tracer("test").start("span"));
        let telemetry = Telemetry {
            traces: Some(traces),
        };
        // The collector takes the connection and says nothing on it.
        let ((), connection) = tokio::join!(
            telemetry.flush(Duration::from_millis(50)),
            collector.accept()
        );
        connection.unwrap();
    }
}
