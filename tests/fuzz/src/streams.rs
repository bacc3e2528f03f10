//! Streams of messages about a response.

use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use mcp_authz::envoy::ExtProc;
use mcp_authz::envoy::proto::envoy::config::core::v3::{HeaderMap, HeaderValue};
use mcp_authz::envoy::proto::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use mcp_authz::envoy::proto::envoy::service::ext_proc::v3::body_mutation::Mutation;
use mcp_authz::envoy::proto::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use mcp_authz::envoy::proto::envoy::service::ext_proc::v3::processing_request::Request as Said;
use mcp_authz::envoy::proto::envoy::service::ext_proc::v3::processing_response::Response as Told;
use mcp_authz::envoy::proto::envoy::service::ext_proc::v3::{
    BodyResponse, HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse,
    ProtocolConfiguration,
};
use mcp_authz::response::{Carried, FilterOutput, FilterResponses, ResponseFilter, ResponseHead};
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::Service;

/// Messages of Envoy's, each behind two bytes of its length: the stream ends, and with a filter that
/// changes nothing a body that Envoy streams comes back as it was.
pub fn processing(data: &[u8]) {
    let mut said = Vec::new();
    let mut rest = data;
    while let [low, high, behind @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (message, behind) = behind.split_at(length.min(behind.len()));
        said.extend(ProcessingRequest::decode(message));
        rest = behind;
    }
    let told = tell(&said);
    let first = said.first().and_then(|message| message.protocol_config);
    let mode = first.map_or(0, |modes| modes.response_body_mode);
    let given = said.iter().filter_map(|message| match &message.request {
        Some(Said::ResponseBody(body)) => Some(&body.body[..]),
        _ => None,
    });
    let given = given.collect::<Vec<_>>().concat();
    let streamed = told.iter().filter_map(|message| match &message.response {
        Some(Told::ResponseBody(body)) => streamed(body),
        _ => None,
    });
    let streamed = streamed.collect::<Vec<_>>().concat();
    if mode == i32::from(BodySendMode::FullDuplexStreamed) {
        assert!(given.starts_with(&streamed));
    } else {
        assert!(streamed.is_empty() || given.starts_with(&streamed));
    }
    // Envoy waits for one reply to each message at most, but for pieces of a body.
    assert!(told.len() <= said.len().saturating_mul(3));
}

fn streamed(body: &BodyResponse) -> Option<&[u8]> {
    let mutation = body.response.as_ref()?.body_mutation.as_ref()?;
    if let Mutation::StreamedResponse(piece) = mutation.mutation.as_ref()? {
        Some(&piece.body)
    } else {
        None
    }
}

/// What is told on a stream of these messages, through the service as the server has it.
fn tell(said: &[ProcessingRequest]) -> Vec<ProcessingResponse> {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
    });
    let mut frames = Vec::new();
    for message in said {
        let message = message.encode_to_vec();
        frames.push(0);
        frames.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frames.extend(message);
    }
    let request = http::Request::post("/envoy.service.ext_proc.v3.ExternalProcessor/Process");
    let request = request.header("content-type", "application/grpc");
    let request = request.body(Body::from(frames)).unwrap();
    let mut service = ExternalProcessorServer::new(ExtProc::new(Arc::new(Unchanged)));
    let replies = RUNTIME.block_on(async {
        let response = service.call(request).await.unwrap();
        to_bytes(Body::new(response.into_body()), usize::MAX)
            .await
            .unwrap()
    });
    let mut told = Vec::new();
    let mut rest = &replies[..];
    while let [0, a, b, c, d, behind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let (message, behind) = behind.split_at(usize::try_from(length).unwrap());
        told.push(ProcessingResponse::decode(message).unwrap());
        rest = behind;
    }
    assert!(rest.is_empty());
    told
}

/// Lets everything through.
struct Unchanged;

impl FilterResponses for Unchanged {
    type Filter = Unchanged;

    async fn begin(
        self: &Arc<Self>,
        _: Carried,
        head: ResponseHead,
    ) -> (Self::Filter, Vec<FilterOutput>) {
        let mut outputs = vec![FilterOutput::Head { remove: &["etag"] }];
        if head.is_all {
            outputs.push(FilterOutput::End);
        }
        (Unchanged, outputs)
    }
}

impl ResponseFilter for Unchanged {
    async fn body(&mut self, chunk: Bytes, end: bool) -> Vec<FilterOutput> {
        let mut outputs = vec![FilterOutput::Chunk(chunk)];
        if end {
            outputs.push(FilterOutput::End);
        }
        outputs
    }

    async fn trailers(&mut self) -> Vec<FilterOutput> {
        vec![FilterOutput::End]
    }
}

pub(super) fn processing_seeds() -> Vec<Vec<u8>> {
    let head = |end_of_stream| {
        let header = |key: &str, value: &str| HeaderValue {
            key: key.to_owned(),
            value: String::new(),
            raw_value: Bytes::copy_from_slice(value.as_bytes()),
        };
        let headers = vec![
            header(":status", "200"),
            header("content-type", "application/json"),
        ];
        Said::ResponseHeaders(HttpHeaders {
            headers: Some(HeaderMap { headers }),
            end_of_stream,
        })
    };
    let body = |text: &'static str, end_of_stream| {
        Said::ResponseBody(HttpBody {
            body: Bytes::from_static(text.as_bytes()),
            end_of_stream,
        })
    };
    let trailers = || Said::ResponseTrailers(HttpTrailers::default());
    let streams = [
        (
            BodySendMode::FullDuplexStreamed,
            vec![head(false), body("{\"a\":", false), body("1}", true)],
        ),
        (
            BodySendMode::FullDuplexStreamed,
            vec![head(false), body("{}", false), trailers()],
        ),
        (BodySendMode::FullDuplexStreamed, vec![head(true)]),
        (
            BodySendMode::Streamed,
            vec![head(false), body("x", false), body("", true)],
        ),
        (
            BodySendMode::Buffered,
            vec![head(false), body("whole", true), trailers()],
        ),
        (BodySendMode::None, vec![head(false), trailers()]),
    ];
    let mut seeds = Vec::new();
    for (mode, messages) in streams {
        let mut seed = Vec::new();
        for (index, said) in messages.into_iter().enumerate() {
            let modes = ProtocolConfiguration {
                request_body_mode: BodySendMode::None.into(),
                response_body_mode: mode.into(),
            };
            let message = ProcessingRequest {
                protocol_config: (index == 0).then_some(modes),
                request: Some(said),
                ..ProcessingRequest::default()
            };
            let message = message.encode_to_vec();
            seed.extend(u16::try_from(message.len()).unwrap().to_le_bytes());
            seed.extend(message);
        }
        seeds.push(seed);
    }
    seeds
}
