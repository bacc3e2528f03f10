//! Traces: the span of each check, and the trace that it belongs to.

use std::borrow::Cow;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The trace that a check belongs to (W3C Trace Context).
#[derive(Debug)]
pub struct Trace {
    parent: Option<opentelemetry::Context>,
}

impl Trace {
    /// The trace of a gRPC call. Where Envoy traces, the call is a span of its own.
    #[must_use]
    pub fn of_call(metadata: &http::HeaderMap) -> Self {
        Self {
            parent: extract(&CallHeaders(metadata)),
        }
    }

    /// The span of one check, joined to the trace of the call, or else of the described request.
    #[must_use]
    pub fn check_scope(self, headers: &[(Cow<'_, str>, Cow<'_, str>)]) -> TraceScope {
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
        TraceScope::new(span, parent)
    }

    /// The span of one response of an upstream, joined to the trace of the call.
    #[must_use]
    pub fn response_scope(self) -> TraceScope {
        let span = tracing::info_span!(
            "response",
            otel.kind = "server",
            server = tracing::field::Empty,
            method = tracing::field::Empty,
            decision_id = tracing::field::Empty,
        );
        TraceScope::new(span, self.parent)
    }
}

/// The span of one check or response, and its trace id. Clones are handles to the same span.
#[derive(Debug, Clone)]
pub struct TraceScope {
    span: Span,
    trace_id: Option<String>,
}

impl TraceScope {
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

    /// Runs a future inside the span, where [`trace_id`] returns the id.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        TRACE_ID
            .scope(self.trace_id, future.instrument(self.span))
            .await
    }
}

/// How a check ended, for its span.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The kind of outcome.
    pub decision: &'static str,
    /// The stable reason code.
    pub reason: &'static str,
    /// The configured server, or empty.
    pub server: &'a str,
    /// The MCP method, or empty.
    pub method: &'a str,
    /// The id of the decision.
    pub decision_id: uuid::Uuid,
}

/// Records on the running check's span how the check ended.
pub fn record_decision(ended: &Ended<'_>) {
    tracing::debug!(
        decision = ended.decision,
        reason = ended.reason,
        server = ended.server,
        method = ended.method,
        decision_id = %ended.decision_id,
        "decided"
    );
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
/// [`TraceScope::run`], and for a check that belongs to no trace.
#[must_use]
pub fn trace_id() -> Option<String> {
    TRACE_ID.try_with(Clone::clone).ok().flatten()
}

tokio::task_local! {
    static TRACE_ID: Option<String>;
}

/// The trace that the headers name, if any.
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
}
