//! The export of spans: what the collector does not take is counted and logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// An exporter that counts the spans of the batches that fail. A change from taken to refused, or
/// back, is logged.
#[derive(Debug)]
pub(super) struct Counted<E> {
    inner: E,
    lost: Arc<AtomicU64>,
    is_failing: AtomicBool,
}

impl<E> Counted<E> {
    pub(super) fn new(inner: E, lost: Arc<AtomicU64>) -> Self {
        Self {
            inner,
            lost,
            is_failing: AtomicBool::new(false),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let exported = self.inner.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Ok(()) if was_failing => tracing::info!("the collector takes traces again"),
            Ok(()) => {}
            Err(error) => {
                self.lost.fetch_add(spans, Ordering::Relaxed);
                if !was_failing {
                    tracing::warn!(%error, "the collector does not take traces");
                }
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[derive(Debug)]
    struct Closed;

    impl SpanExporter for Closed {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            Err(OTelSdkError::InternalFailure("closed".to_owned()))
        }
    }

    #[test]
    fn spans_that_nobody_takes_are_counted() {
        let lost = Arc::new(AtomicU64::new(0));
        let exporter = Counted::new(Closed, Arc::clone(&lost));
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter)
            .build();
        for name in ["a", "b"] {
            drop(provider.tracer("test").start(name));
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2);
    }
}
