//! Streams of `ext_proc`: what Envoy gets for the answers of upstreams.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3 as proc;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use proc::body_mutation::Mutation;
use proc::external_processor_client::ExternalProcessorClient;
use proc::processing_request::Request;
use proc::processing_response::Response;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::service::{BODY_BYTES_MAX, Service, check_over, check_request, http_of};

/// One stream, as Envoy has it.
struct Exchange {
    messages: mpsc::Sender<proc::ProcessingRequest>,
    replies: Streaming<proc::ProcessingResponse>,
}

impl Exchange {
    async fn open(service: &Service) -> Self {
        let (messages, sent) = mpsc::channel(16);
        let mut client = ExternalProcessorClient::new(service.channel().await);
        let replies = client.process(ReceiverStream::new(sent)).await.unwrap();
        Self {
            messages,
            replies: replies.into_inner(),
        }
    }

    /// A stream whose first message was sent: the head of an answer that goes by in this way.
    async fn begin(service: &Service, conduct: &str) -> Self {
        let exchange = Self::open(service).await;
        exchange.send(head(conduct)).await;
        exchange
    }

    async fn send(&self, message: proc::ProcessingRequest) {
        self.messages.send(message).await.unwrap();
    }

    async fn send_body(&self, body: impl Into<Vec<u8>>, end_of_stream: bool) {
        let body = proc::HttpBody {
            body: body.into(),
            end_of_stream,
            ..Default::default()
        };
        self.send(message(Request::ResponseBody(body))).await;
    }

    async fn reply(&mut self) -> Response {
        self.replies
            .message()
            .await
            .unwrap()
            .unwrap()
            .response
            .unwrap()
    }

    async fn piece(&mut self) -> (Vec<u8>, bool) {
        let Response::ResponseBody(body) = self.reply().await else {
            panic!("no body");
        };
        let mutation = body.response.unwrap().body_mutation.unwrap().mutation;
        let Some(Mutation::StreamedResponse(piece)) = mutation else {
            panic!("{mutation:?}");
        };
        (piece.body, piece.end_of_stream)
    }

    async fn removed(&mut self) -> Vec<String> {
        let Response::ResponseHeaders(head) = self.reply().await else {
            panic!("no head");
        };
        let mutation = head.response.unwrap().header_mutation;
        mutation
            .map(|mutation| mutation.remove_headers)
            .unwrap_or_default()
    }

    /// How the stream ends, which it does without another reply.
    async fn end(&mut self) -> Result<(), Status> {
        let reply = self.replies.message().await?;
        assert_eq!(reply, None);
        Ok(())
    }
}

fn message(request: Request) -> proc::ProcessingRequest {
    proc::ProcessingRequest {
        request: Some(request),
        ..Default::default()
    }
}

fn head(conduct: &str) -> proc::ProcessingRequest {
    let header = |key: &str, value: &str| core::HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    };
    let headers = core::HeaderMap {
        headers: vec![header(":status", "200"), header("conduct", conduct)],
    };
    let subject = Value {
        kind: Some(Kind::StringValue("alice".to_owned())),
    };
    let said = Struct {
        fields: [("subject".to_owned(), subject)].into(),
    };
    proc::ProcessingRequest {
        metadata_context: Some(core::Metadata {
            filter_metadata: [("envoy.filters.http.ext_authz".to_owned(), said)].into(),
            ..Default::default()
        }),
        protocol_config: Some(proc::ProtocolConfiguration {
            response_body_mode: BodySendMode::FullDuplexStreamed.into(),
            ..Default::default()
        }),
        ..message(Request::ResponseHeaders(proc::HttpHeaders {
            headers: Some(headers),
            ..Default::default()
        }))
    }
}

#[tokio::test]
async fn an_answer_goes_by_as_it_comes() {
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "pass").await;
    assert_eq!(exchange.removed().await, ["etag"]);
    exchange.send_body("one", false).await;
    assert_eq!(exchange.piece().await, (b"one".to_vec(), false));
    exchange.send_body("two", true).await;
    assert_eq!(exchange.piece().await, (b"two".to_vec(), true));
    let trailers = proc::HttpTrailers::default();
    exchange
        .send(message(Request::ResponseTrailers(trailers)))
        .await;
    assert!(matches!(
        exchange.reply().await,
        Response::ResponseTrailers(_)
    ));
    drop(exchange.messages);
    assert_eq!(exchange.replies.message().await.unwrap(), None);
    assert_eq!(service.dropped().await, "pass");
}

#[tokio::test]
async fn a_head_may_come_after_the_body_and_the_body_in_pieces() {
    const KIB: usize = 1024;
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "hold").await;
    exchange.send_body(vec![b'a'; 100 * KIB], false).await;
    exchange.send_body(vec![b'b'; 100 * KIB], false).await;
    exchange.send_body("", true).await;
    assert_eq!(exchange.removed().await, Vec::<String>::new());
    let mut whole = Vec::new();
    for is_last in [false, false, false, true] {
        let (piece, end_of_stream) = exchange.piece().await;
        assert!(piece.len() <= 64 * KIB);
        assert_eq!(end_of_stream, is_last);
        whole.extend(piece);
    }
    assert_eq!(
        whole,
        [vec![b'a'; 100 * KIB], vec![b'b'; 100 * KIB]].concat()
    );
}

#[tokio::test]
async fn an_answer_of_ours_ends_the_stream() {
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "who").await;
    let Response::ImmediateResponse(answer) = exchange.reply().await else {
        panic!("no answer");
    };
    assert_eq!(answer.status.unwrap().code, 502);
    assert_eq!(answer.body, b"alice");
    assert_eq!(answer.details, "mcp_authz_replied");
    let headers = answer.headers.unwrap().set_headers;
    let header = headers[0].header.as_ref().unwrap();
    assert_eq!(header.key, "content-type");
    assert_eq!(header.raw_value, b"application/json");
    exchange.end().await.unwrap();
    assert_eq!(service.dropped().await, "who");
}

#[tokio::test]
async fn what_is_broken_off_is_an_error() {
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "break").await;
    exchange.removed().await;
    exchange.send_body("one", false).await;
    let status = exchange.end().await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(service.dropped().await, "break");
}

#[tokio::test]
async fn a_stream_without_sense_is_an_error() {
    let service = Service::start().await;
    let mut silent = Exchange::open(&service).await;
    silent.send(proc::ProcessingRequest::default()).await;
    let status = silent.end().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    let mut twice = Exchange::begin(&service, "pass").await;
    twice.removed().await;
    twice.send(head("pass")).await;
    let status = twice.end().await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_chunk_is_as_large_as_envoy_buffers_and_no_larger() {
    const MIB: usize = 1024 * 1024;
    // Requests have a limit of their own, which is less here.
    const { assert!(BODY_BYTES_MAX < MIB) };
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "hold").await;
    exchange.send_body(vec![b'a'; MIB], true).await;
    exchange.removed().await;
    let mut exchange = Exchange::begin(&service, "hold").await;
    exchange.send_body(vec![b'a'; 2 * MIB], true).await;
    let status = exchange.end().await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_drain_lets_an_exchange_come_to_its_end() {
    let mut service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "pass").await;
    exchange.removed().await;
    service.stop();
    service.closed().await;
    exchange.send_body("one", true).await;
    assert_eq!(exchange.piece().await, (b"one".to_vec(), true));
    drop(exchange.messages);
    assert_eq!(exchange.replies.message().await.unwrap(), None);
    service.ended().await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_exchange() {
    let service = Service::start().await;
    let mut exchange = Exchange::begin(&service, "hang").await;
    exchange.removed().await;
    exchange.send_body("one", false).await;
    assert_eq!(service.begun().await, "hang");
    assert_eq!(service.begun().await, "body");
    drop(exchange);
    assert_eq!(service.dropped().await, "hang");
}

#[tokio::test]
async fn exchanges_that_wait_hold_no_check_up() {
    let service = Service::start().await;
    let channel = service.channel().await;
    let checked = async {
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(hanging(channel.clone()).await);
        }
        let mut check = check_request("/allow");
        http_of(&mut check).raw_body = vec![b'x'; BODY_BYTES_MAX];
        check_over(channel, check).await
    };
    let response = tokio::time::timeout(Duration::from_secs(10), checked).await;
    assert_eq!(response.unwrap().unwrap().status.unwrap().code, 0);
}

/// An exchange that waits for ever, and has been sent more than may wait to be read.
async fn hanging(channel: Channel) -> Exchange {
    let (messages, sent) = mpsc::channel(64);
    let mut client = ExternalProcessorClient::new(channel);
    let replies = client.process(ReceiverStream::new(sent)).await.unwrap();
    let mut exchange = Exchange {
        messages,
        replies: replies.into_inner(),
    };
    exchange.send(head("hang")).await;
    exchange.removed().await;
    for _ in 0..32 {
        exchange.send_body(vec![b'a'; 64 * 1024], false).await;
    }
    exchange
}
