//! Sets up logs and traces for the process.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use super::export::Counted;
use super::one_line::OneLine;

/// Where logs and traces go, and what is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// The collector that receives traces by OTLP over gRPC, as `http://host:port`; `None` switches
    /// traces off.
    pub otlp_endpoint: Option<String>,
    /// `service.name` of the traces.
    pub service_name: String,
    /// The lowest level logged, or directives such as `info,mcp_authz::authn=debug`.
    pub log: String,
}

impl Default for TelemetrySettings {
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
    #[error("`{log}` is not a log level")]
    Log {
        /// The setting.
        log: String,
        /// What the filter says of it, if it was asked.
        #[source]
        source: Option<tracing_subscriber::filter::ParseError>,
    },
    /// The collector's address is not an endpoint.
    #[error("`{endpoint}` is not an OTLP endpoint")]
    Endpoint {
        /// The setting.
        endpoint: String,
    },
    /// The exporter could not be built.
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Another part of this process has set up logging already.
    #[error("logs are set up already")]
    AlreadySet(#[source] TryInitError),
}

impl InvalidTelemetry {
    /// The correct form; empty where no setting is at fault.
    #[must_use]
    pub fn help(&self) -> String {
        let help = match self {
            Self::Log { log, .. } => {
                if let Some(level) = meant(log) {
                    return format!("did you mean `{level}`?");
                }
                "`error`, `warn`, `info`, `debug`, `trace` or `off`, or `target=level`, separated by commas"
            }
            Self::Endpoint { .. } => "`http://host:port` of a collector for OTLP over gRPC",
            Self::Exporter(_) | Self::AlreadySet(_) => "",
        };
        help.to_owned()
    }
}

/// The running telemetry, to be flushed before the process ends.
#[derive(Debug)]
#[must_use = "traces still queued are lost unless flushed"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    spans_lost: Arc<AtomicU64>,
}

/// Sets up logs and traces for the process. Call it inside the tokio runtime, once.
///
/// # Errors
/// [`InvalidTelemetry`] if a setting is wrong or logs are set up already.
pub fn start(settings: &TelemetrySettings) -> Result<Telemetry, InvalidTelemetry> {
    let filter = log_filter(&settings.log)?;
    // Spans add nothing to the log lines in them, and keeping them costs each check more than
    // deciding it. Without a collector there are none.
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let is_line = filter_fn(|metadata| !metadata.is_span()).with_max_level_hint(level);
    let coloured = is_coloured();
    let log = tracing_subscriber::fmt::layer()
        .with_writer(move || OneLine::new(std::io::stderr(), coloured))
        .with_ansi(coloured)
        .with_filter(filter.and(is_line));
    let spans_lost = Arc::new(AtomicU64::new(0));
    let traces = settings
        .otlp_endpoint
        .as_deref()
        .map(|to| exporter(to, settings, Arc::clone(&spans_lost)))
        .transpose()?;
    // Only our own spans: spans of the exporter's own connection would produce more spans.
    let spans = traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("mcp-authz"))
            .with_filter(Targets::new().with_target("mcp_authz", LevelFilter::INFO))
    });
    // With a layer that is `None`, every span of every library would be created and dropped again.
    let mut layers = vec![log.boxed()];
    layers.extend(spans.map(Layer::boxed));
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(InvalidTelemetry::AlreadySet)?;
    Ok(Telemetry { traces, spans_lost })
}

/// Checks the setting `log`.
///
/// # Errors
/// [`InvalidTelemetry::Log`] if it is neither a level nor directives. A target without a level is
/// refused: it would log everything of that target, and a level that is misspelled is one.
pub fn log_filter(log: &str) -> Result<EnvFilter, InvalidTelemetry> {
    let invalid = |source| InvalidTelemetry::Log {
        log: log.to_owned(),
        source,
    };
    let is_level = |text: &str| LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    let is_directive = |text: &str| {
        let parts = text.rsplit_once('=');
        is_level(text) || parts.is_some_and(|(target, level)| !target.is_empty() && is_level(level))
    };
    if !log.split(',').all(is_directive) {
        return Err(invalid(None));
    }
    let directives: Vec<String> = log.split(',').map(of_mcp_authz).collect();
    let filter = EnvFilter::builder().parse(directives.join(","));
    filter.map_err(|source| invalid(Some(source)))
}

/// A level below `info` for everything means mcp-authz: frames of HTTP/2 would hide its decisions.
/// Another target is named.
fn of_mcp_authz(directive: &str) -> String {
    let is_detailed = ["debug", "trace"]
        .iter()
        .any(|level| directive.eq_ignore_ascii_case(level));
    if is_detailed {
        format!("info,mcp_authz={directive}")
    } else {
        directive.to_owned()
    }
}

/// The level that was probably meant by the first part of a setting that is none.
fn meant(log: &str) -> Option<&'static str> {
    let levels = log
        .split(',')
        .map(|part| part.rsplit('=').next().unwrap_or(part));
    let mut wrong = levels.map(|level| level.trim().to_ascii_lowercase());
    let wrong = wrong.find(|level| !LEVELS.contains(&level.as_str()))?;
    let other = OTHER_WORDS.iter().find(|(word, _)| *word == wrong);
    let near = |level: &&str| strsim::damerau_levenshtein(&wrong, level) <= level.len().div_ceil(3);
    let near = || LEVELS.iter().find(|level| near(level)).copied();
    other.map(|(_, level)| *level).or_else(near)
}

/// Levels as other programs call them.
const OTHER_WORDS: [(&str, &str); 8] = [
    ("all", "trace"),
    ("critical", "error"),
    ("err", "error"),
    ("fatal", "error"),
    ("none", "off"),
    ("notice", "info"),
    ("verbose", "trace"),
    ("warning", "warn"),
];

/// The levels of a log.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

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
    /// How many spans the collector did not take; it goes on counting.
    #[must_use]
    pub fn spans_lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.spans_lost)
    }

    /// Sends the queued traces, for at most `timeout`, and stops.
    pub async fn flush(self, timeout: Duration) {
        let Some(traces) = self.traces else { return };
        // The exporter blocks its thread while the runtime sends.
        let flushed =
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(timeout)).await;
        match flushed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "traces were not flushed"),
            Err(error) => tracing::warn!(%error, "traces were not flushed"),
        }
    }
}

fn exporter(
    endpoint: &str,
    settings: &TelemetrySettings,
    spans_lost: Arc<AtomicU64>,
) -> Result<SdkTracerProvider, InvalidTelemetry> {
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
        .with_batch_exporter(Counted::new(exporter, spans_lost))
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource)
        .build())
}

/// Colour only on a terminal, and not where `NO_COLOR` is set (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Tracer;

    use super::*;

    #[test]
    fn a_log_setting_is_a_level_or_directives() {
        for good in ["off", "info", "warn,mcp_authz::authn=debug"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for good in ["INFO", "info,hyper=warn", "mcp_authz[check]=debug"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in [
            "mcp_authz=loud",
            "info,=,",
            "junk",
            "info,junk",
            "mcp_authz",
            "mcp_authz=",
            "=info",
            "3",
            "",
            "info,",
            "info, hyper=warn",
        ] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn details_are_those_of_mcp_authz() {
        for (log, expected) in [
            ("debug", "mcp_authz=debug,info"),
            ("TRACE", "mcp_authz=trace,info"),
            ("warn", "warn"),
            ("debug,h2=debug", "mcp_authz=debug,h2=debug,info"),
        ] {
            assert_eq!(log_filter(log).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn an_endpoint_is_plain_http() {
        let settings = TelemetrySettings::default();
        for bad in [
            "collector:4317",
            "https://collector:4317",
            "http://",
            "http://user:secret@collector:4317",
            "http://collector:4317/v1/traces",
            "",
        ] {
            let error = exporter(bad, &settings, Arc::default())
                .map(drop)
                .unwrap_err();
            assert!(matches!(error, InvalidTelemetry::Endpoint { .. }), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_flush_sends_what_is_queued_and_does_not_wait_for_ever() {
        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let traces = exporter(&endpoint, &TelemetrySettings::default(), Arc::default()).unwrap();
        drop(traces.tracer("test").start("span"));
        let telemetry = Telemetry {
            traces: Some(traces),
            spans_lost: Arc::default(),
        };
        // The collector accepts the connection and never answers.
        let ((), connection) = tokio::join!(
            telemetry.flush(Duration::from_millis(50)),
            collector.accept()
        );
        connection.unwrap();
    }
}
