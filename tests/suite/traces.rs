//! What a collector gets of a check: one span, joined to Envoy's trace, without what is secret.

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response as HttpResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Response, Status};

use super::running::{Home, ISSUER, PATIENCE, SIGNER, call, call_with};

// The part of `opentelemetry/proto/collector/trace/v1/trace_service.proto`, and of what it
// imports, that is looked at here.

#[derive(Clone, PartialEq, Message)]
struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ExportTraceServiceResponse {}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
}

impl Span {
    fn attribute(&self, key: &str) -> Option<&str> {
        attribute(&self.attributes, key)
    }
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref()?.string_value.as_deref()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// A collector for OTLP over gRPC that hands on what it gets.
#[derive(Debug, Clone)]
struct Collector {
    exported: mpsc::UnboundedSender<ExportTraceServiceRequest>,
}

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

type Codec = tonic_prost::ProstCodec<ExportTraceServiceResponse, ExportTraceServiceRequest>;

impl Service<Request<Body>> for Collector {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(request.uri().path().ends_with("TraceService/Export"));
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(Codec::default()).unary(service, request).await) })
    }
}

impl UnaryService<ExportTraceServiceRequest> for Collector {
    type Response = ExportTraceServiceResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: tonic::Request<ExportTraceServiceRequest>) -> Self::Future {
        self.exported.send(request.into_inner()).unwrap();
        std::future::ready(Ok(Response::new(ExportTraceServiceResponse {})))
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn a_check_is_one_span_of_envoys_trace() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (exported, mut exports) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        Server::builder()
            .add_service(Collector { exported })
            .serve_with_incoming(TcpListenerStream::new(socket))
            .await
            .unwrap();
    });

    let home = Home::new();
    let endpoint = format!("telemetry: {{otlp_endpoint: 'http://{address}', service_name: pdp}}");
    home.configure("policy:", &format!("{endpoint}\npolicy:"));
    let mut running = home.ready().await;
    let token = SIGNER.token(ISSUER, "k1");
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let joined = [("traceparent", traceparent.as_str())];
    let allowed = running.check(call_with("a", &token, &joined)).await;
    let denied = running.check(call_with("b", &token, &joined)).await;
    let alone = running.check(call_with("b", "not.a.token", &[])).await;
    let unsampled = [("traceparent", traceparent.replace("-01", "-00"))];
    let unsampled = unsampled
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    running.check(call_with("a", &token, &unsampled)).await;
    running.signal("TERM");
    assert_eq!(running.ended().await.code(), Some(0));

    let mut spans = Vec::new();
    while let Ok(export) = exports.try_recv() {
        let bytes = export.encode_to_vec();
        for secret in [token.as_str(), "not.a.token", "a-value-of-an-argument"] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret}");
        }
        for of_resource in export.resource_spans {
            let resource = of_resource.resource.unwrap();
            assert_eq!(attribute(&resource.attributes, "service.name"), Some("pdp"));
            let scopes = of_resource.scope_spans.into_iter();
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
    assert_eq!(spans.len(), 3, "{spans:#?}");
    for (answer, decision, reason, is_joined) in [
        (allowed, "allow", "allowed", true),
        (denied, "deny", "denied_by_rule", true),
        (alone, "deny", "malformed_token", false),
    ] {
        let id = answer.fact("decision_id");
        let of_check = |span: &&Span| span.attribute("decision_id") == Some(id);
        let span = spans.iter().find(of_check).unwrap();
        assert_eq!(span.name, "check");
        assert_eq!(span.attribute("decision"), Some(decision));
        assert_eq!(span.attribute("reason"), Some(reason));
        assert_eq!(span.attribute("server"), Some("notes"));
        assert_eq!(span.attribute("method"), Some("tools/call"));
        assert_eq!(hex(&span.trace_id) == TRACE, is_joined);
        assert_eq!(hex(&span.parent_span_id) == PARENT, is_joined);
        let record = running.record(id).await;
        assert_eq!(record["trace_id"], hex(&span.trace_id));
        assert_eq!(record["reason"], reason);
    }
}

#[tokio::test]
async fn spans_that_the_collector_does_not_take_are_counted() {
    let home = Home::new();
    // A port on which nobody listens.
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let endpoint = format!("telemetry: {{otlp_endpoint: 'http://{address}'}}");
    home.configure("policy:", &format!("{endpoint}\npolicy:"));
    let running = home.ready().await;
    running.check(call("a")).await;
    // The exporter sends what is queued every five seconds.
    let lost = async {
        while running
            .metric("mcp_authz_spans_lost_total")
            .await
            .as_deref()
            == Some("0")
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, lost).await.unwrap();
}
