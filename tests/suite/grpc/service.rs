//! A running server with a made-up pipeline, and clients for it.

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use http::StatusCode;
use mcp_authz::check::{
    Decide, HttpRequest, InvalidCheck, LocalReply, Obligations, Outcome, Verdict,
};
use mcp_authz::envoy::proto::grpc::health::v1::health_check_response::ServingStatus;
use mcp_authz::envoy::proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use mcp_authz::envoy::{ServeSettings, serve};
use mcp_authz::health::Readiness;
use mcp_authz::listen::{Address, ConnectionLimits, Listener, Tls, bind};
use mcp_authz::response::{
    BodyMode, Carried, FilterOutput, FilterResponses, ResponseFilter, ResponseHead,
};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, IntoRequest, Status};

pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A server that decides by path, stopped when dropped.
pub(super) struct Service {
    pub(super) address: Address,
    pub(super) readiness: Readiness,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    release: Arc<Notify>,
}

enum Event {
    Begun(String),
    Dropped(String),
}

struct ByPath {
    events: mpsc::UnboundedSender<Event>,
    release: Arc<Notify>,
}

/// Tells when a check is dropped before its end, or an exchange at any time.
struct Unfinished {
    path: String,
    events: mpsc::UnboundedSender<Event>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.events
            .send(Event::Dropped(std::mem::take(&mut self.path)))
            .ok();
    }
}

impl Decide for ByPath {
    async fn decide(&self, request: &HttpRequest<'_>) -> Verdict {
        let events = self.events.clone();
        events.send(Event::Begun(request.path.to_owned())).ok();
        let outcome = match request.path {
            "/allow" => allow(),
            "/deny" => Outcome::Reply(answer(200, "{}")),
            "/unauthenticated" => Outcome::Reply(answer(401, "{}")),
            "/fail" => Outcome::Fail(answer(503, "{}")),
            "/hang" => {
                let _unfinished = Unfinished {
                    path: request.path.to_owned(),
                    events,
                };
                std::future::pending().await
            }
            "/wait" => {
                self.release.notified().await;
                allow()
            }
            path => panic!("asked for {path}"),
        };
        Verdict {
            outcome,
            metadata: vec![("reason".into(), "allowed".into())],
        }
    }

    async fn refuse(&self, fault: InvalidCheck) -> Verdict {
        Verdict {
            outcome: Outcome::Reply(answer(400, &fault.to_string())),
            metadata: Vec::new(),
        }
    }
}

/// An answer that goes by as its header `conduct` says.
pub(super) struct Conducted {
    conduct: String,
    held: Vec<u8>,
    unfinished: Unfinished,
}

impl FilterResponses for ByPath {
    type Filter = Conducted;

    async fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: ResponseHead,
    ) -> (Conducted, Vec<FilterOutput>) {
        assert_eq!(head.body, BodyMode::Streamed);
        let mut conduct = head
            .headers
            .into_iter()
            .filter(|(name, _)| name == "conduct");
        let conduct = conduct.next().unwrap().1;
        self.events.send(Event::Begun(conduct.clone())).ok();
        let unfinished = Unfinished {
            path: conduct.clone(),
            events: self.events.clone(),
        };
        let outputs = match conduct.as_str() {
            "pass" | "break" | "hang" => vec![FilterOutput::Head { remove: &["etag"] }],
            "hold" => Vec::new(),
            "who" => {
                let subject = carried.and_then(|mut carried| carried.remove("subject"));
                vec![FilterOutput::Reply(answer(
                    502,
                    &subject.unwrap_or_default(),
                ))]
            }
            conduct => panic!("asked to {conduct}"),
        };
        let conducted = Conducted {
            conduct,
            held: Vec::new(),
            unfinished,
        };
        (conducted, outputs)
    }
}

impl ResponseFilter for Conducted {
    async fn body(&mut self, chunk: Bytes, end: bool) -> Vec<FilterOutput> {
        let mut outputs = match self.conduct.as_str() {
            "break" => return vec![FilterOutput::Abort],
            "hang" => {
                let events = &self.unfinished.events;
                events.send(Event::Begun("body".to_owned())).ok();
                std::future::pending().await
            }
            "hold" => {
                self.held.extend_from_slice(&chunk);
                if !end {
                    return Vec::new();
                }
                let whole = std::mem::take(&mut self.held).into();
                vec![
                    FilterOutput::Head { remove: &[] },
                    FilterOutput::Chunk(whole),
                ]
            }
            _ => vec![FilterOutput::Chunk(chunk)],
        };
        if end {
            outputs.push(FilterOutput::End);
        }
        outputs
    }

    async fn trailers(&mut self) -> Vec<FilterOutput> {
        Vec::new()
    }
}

fn allow() -> Outcome {
    Outcome::Allow(Obligations {
        set: vec![("x-mcp-authz-subject".into(), "alice".into())],
        remove: vec!["authorization".into()],
    })
}

fn answer(status: u16, body: &str) -> LocalReply {
    LocalReply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_owned(),
    }
}

impl Service {
    pub(super) async fn start() -> Self {
        let loopback = Address::Tcp("127.0.0.1:0".to_owned());
        Self::start_at(loopback, None, ConnectionLimits::default()).await
    }

    pub(super) async fn start_at(
        address: Address,
        tls: Option<Tls>,
        limits: ConnectionLimits,
    ) -> Self {
        let socket = bind(&address).await.unwrap();
        let address = socket.address().unwrap();
        let (events_to, events) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let release = Arc::new(Notify::new());
        let decide = Arc::new(ByPath {
            events: events_to,
            release: Arc::clone(&release),
        });
        let readiness = Readiness::new();
        let settings = ServeSettings {
            body_bytes_max: BODY_BYTES_MAX,
            ..ServeSettings::default()
        };
        let mut listener = Listener::new(socket, tls, limits);
        let share = listener.share();
        let mut tasks = JoinSet::new();
        let of_server = readiness.clone();
        tasks.spawn(async move {
            let shutdown = async { stopped.await.unwrap_or_default() };
            let served = serve(share, decide, of_server, settings, shutdown);
            let ((), served) = tokio::join!(listener.run(), served);
            served.unwrap();
        });
        let stop = Some(stop);
        let events = Mutex::new(events);
        Self {
            address,
            readiness,
            stop,
            tasks,
            events,
            release,
        }
    }

    /// A connection of its own.
    pub(super) async fn channel(&self) -> Channel {
        let uri = match &self.address {
            Address::Tcp(host_port) => format!("http://{host_port}"),
            Address::Unix(path) => format!("unix:{}", path.display()),
        };
        Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
    }

    pub(super) async fn check(
        &self,
        request: impl IntoRequest<auth::CheckRequest>,
    ) -> Result<auth::CheckResponse, Status> {
        check_over(self.channel().await, request).await
    }

    /// The path of the next check that begins.
    pub(super) async fn begun(&self) -> String {
        loop {
            if let Event::Begun(path) = self.events.lock().await.recv().await.unwrap() {
                return path;
            }
        }
    }

    /// The path of the next check that is dropped before its end.
    pub(super) async fn dropped(&self) -> String {
        loop {
            if let Event::Dropped(path) = self.events.lock().await.recv().await.unwrap() {
                return path;
            }
        }
    }

    /// Lets a check of `/wait` go on.
    pub(super) fn release(&self) -> Arc<Notify> {
        Arc::clone(&self.release)
    }

    /// Begins the shutdown.
    pub(super) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until nobody listens any more.
    pub(super) async fn closed(&self) {
        let Address::Tcp(address) = &self.address else {
            panic!("not TCP")
        };
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the server has ended well.
    pub(super) async fn ended(&mut self) {
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

pub(super) async fn check_over(
    channel: Channel,
    request: impl IntoRequest<auth::CheckRequest>,
) -> Result<auth::CheckResponse, Status> {
    let mut client = AuthorizationClient::new(channel);
    client
        .check(request.into_request())
        .await
        .map(tonic::Response::into_inner)
}

pub(super) fn check_request(path: &str) -> auth::CheckRequest {
    let http = auth::attribute_context::HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        host: "mcp.test".to_owned(),
        ..Default::default()
    };
    let request = auth::attribute_context::Request {
        http: Some(http),
        time: None,
    };
    let attributes = auth::AttributeContext {
        request: Some(request),
        ..Default::default()
    };
    auth::CheckRequest {
        attributes: Some(attributes),
    }
}

pub(super) fn http_of(check: &mut auth::CheckRequest) -> &mut auth::attribute_context::HttpRequest {
    let request = check.attributes.as_mut().unwrap().request.as_mut().unwrap();
    request.http.as_mut().unwrap()
}

type HealthCodec = tonic_prost::ProstCodec<HealthCheckRequest, HealthCheckResponse>;

async fn health_client(channel: &Channel) -> tonic::client::Grpc<Channel> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    client
}

fn health_request(service: &str) -> tonic::Request<HealthCheckRequest> {
    tonic::Request::new(HealthCheckRequest {
        service: service.to_owned(),
    })
}

/// The health of a service now.
pub(crate) async fn health_of(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    let mut client = health_client(channel).await;
    let response = client
        .unary(health_request(service), path, HealthCodec::default())
        .await;
    response
        .map(|response| response.get_ref().status())
        .map_err(|status| status.code())
}

/// The health of a service as it changes.
pub(crate) async fn health_over_time(
    channel: &Channel,
    service: &str,
) -> impl Stream<Item = ServingStatus> + Unpin {
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
    let mut client = health_client(channel).await;
    let request = health_request(service);
    let response = client
        .server_streaming(request, path, HealthCodec::default())
        .await
        .unwrap();
    response.into_inner().map(|answer| answer.unwrap().status())
}

/// The services that reflection lists.
pub(super) async fn reflected(channel: Channel) -> Vec<String> {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let asked = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = asked.into_inner().next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("no list");
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    names
}
