//! Messages to the server, and its answers: over Streamable HTTP, or over the HTTP+SSE transport of
//! revision 2024-11-05, where a GET stream has the answers to what is posted elsewhere.

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;

use super::events::{Event, Events};
use super::fault::{ERROR_BYTES_MAX, Fault, Said, media_type};
use super::headers::SecretHeaders;
use crate::authz::Value;
use crate::fetch::{Client, Response, send_request};
use crate::json::{self, Json};

/// The most bytes of all answers together: those of a file that is a record.
pub(super) const BYTES_MAX: usize = 64 << 20;
/// How deep an answer may nest; what is around the tools is as much deeper than a record.
const DEPTH_MAX: usize = 120;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// The server, as far as it is known.
pub(super) struct Exchange<'e> {
    client: &'e Client,
    url: Url,
    own: &'e SecretHeaders,
    /// The session, once it is open.
    session: Option<HeaderValue>,
    /// The revision that later requests name.
    pub(super) revision: Option<&'static str>,
    /// Whether the revision wants the method in a header.
    pub(super) names_methods: bool,
    /// What answers come on, with the HTTP+SSE transport.
    stream: Option<Stream>,
    bytes_left: usize,
    last_id: i64,
}

/// A response that is a stream of events.
struct Stream {
    response: Response,
    events: Events,
}

/// A message of the server's.
enum Received {
    /// The answer to the request that is waited for.
    Answer(Result<Value<'static>, Fault>),
    /// A request of its own: its id and method.
    Request(Value<'static>, String),
    Other,
}

impl<'e> Exchange<'e> {
    pub(super) fn new(client: &'e Client, url: Url, own: &'e SecretHeaders) -> Self {
        Exchange {
            client,
            url,
            own,
            session: None,
            revision: None,
            names_methods: false,
            stream: None,
            bytes_left: BYTES_MAX,
            last_id: 0,
        }
    }

    /// Sends a request, and gives its result. Opens the session that comes with it.
    pub(super) async fn call(
        &mut self,
        method: &str,
        params: serde_json::Value,
    ) -> Result<Value<'static>, Fault> {
        self.last_id = self.last_id.saturating_add(1);
        let id = self.last_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut response = self.post(&message).await?;
        if !is_good(response.status) {
            return Err(self.refused(response).await);
        }
        if let Some(mut stream) = self.stream.take() {
            let answer = self.answer_on(&mut stream, id).await;
            self.stream = Some(stream);
            return answer;
        }
        if let Some(session) = response.headers.get(SESSION) {
            self.session = Some(session.clone());
        }
        match media_type(&response.headers).as_str() {
            "application/json" => {
                let body = self.body(&mut response).await?;
                match received(&body, id)? {
                    Received::Answer(answer) => answer,
                    Received::Request(..) | Received::Other => {
                        Err(Fault::Answer("the answer is to another request"))
                    }
                }
            }
            "text/event-stream" => {
                let events = Events::default();
                self.answer_on(&mut Stream { response, events }, id).await
            }
            _ => Err(Fault::Answer(
                "the answer is neither JSON nor a stream of events; is this the URL of an MCP server?",
            )),
        }
    }

    /// Sends a notification.
    pub(super) async fn notify(&mut self, method: &str) -> Result<(), Fault> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        let response = self.post(&message).await?;
        if is_good(response.status) {
            Ok(())
        } else {
            Err(self.refused(response).await)
        }
    }

    /// Opens the stream of the HTTP+SSE transport. From now on messages go where it says.
    pub(super) async fn open_stream(&mut self) -> Result<(), Fault> {
        let mut headers = self.own.to_send();
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        let response =
            send_request(self.client, Method::GET, &self.url, headers, Vec::new()).await?;
        if !is_good(response.status) {
            return Err(self.refused(response).await);
        }
        if media_type(&response.headers) != "text/event-stream" {
            return Err(Fault::Answer("there is no stream of events"));
        }
        let events = Events::default();
        let mut stream = Stream { response, events };
        loop {
            let Event { kind, data } = self.event(&mut stream).await?;
            if kind == b"endpoint" {
                let endpoint = std::str::from_utf8(&data).ok();
                let endpoint = endpoint.and_then(|endpoint| self.url.join(endpoint).ok());
                // What the operator's headers have is for this server alone.
                let endpoint = endpoint.filter(|url| url.origin() == self.url.origin());
                self.url = endpoint.ok_or(Fault::Answer(
                    "the stream names an endpoint that is not of this server",
                ))?;
                self.stream = Some(stream);
                return Ok(());
            }
        }
    }

    /// Ends the session, if there is one. Servers may refuse that.
    pub(super) async fn end(&mut self) {
        self.stream = None;
        if self.session.is_some() {
            let headers = self.headers();
            let ended = send_request(self.client, Method::DELETE, &self.url, headers, Vec::new());
            drop(ended.await);
        }
    }

    /// The answer to a request on a stream. Requests that the server has meanwhile are answered.
    async fn answer_on(&mut self, stream: &mut Stream, id: i64) -> Result<Value<'static>, Fault> {
        loop {
            let Event { data, .. } = self.event(stream).await?;
            // An event may have an id for those who come back, and nothing else.
            if data.is_empty() {
                continue;
            }
            match received(&data, id)? {
                Received::Answer(answer) => return answer,
                Received::Request(id, method) => self.reply(&id, &method).await,
                Received::Other => {}
            }
        }
    }

    /// The next event of a stream.
    async fn event(&mut self, stream: &mut Stream) -> Result<Event, Fault> {
        loop {
            if let Some(event) = stream.events.next() {
                return Ok(event);
            }
            let Some(piece) = self.piece(&mut stream.response).await? else {
                return Err(Fault::Answer("the stream ended before the answer"));
            };
            stream.events.push(&piece);
        }
    }

    /// Answers a request of the server's. Whether that is any use shows in what the server does next.
    async fn reply(&mut self, id: &Value<'static>, method: &str) {
        let id = json!(Json(std::borrow::Cow::Borrowed(id)));
        let message = match method {
            "ping" => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
            "roots/list" => json!({"jsonrpc": "2.0", "id": id, "result": {"roots": []}}),
            _ => {
                let error =
                    json!({"code": -32601, "message": "this client lists tools and no more"});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        };
        drop(self.post(&message).await);
    }

    async fn post(&self, message: &serde_json::Value) -> Result<Response, Fault> {
        let mut headers = self.headers();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let method = message.get("method").and_then(serde_json::Value::as_str);
        if let Some(method) = method.filter(|_| self.names_methods) {
            let method = HeaderValue::from_str(method);
            headers.extend(method.map(|method| (METHOD, method)));
        }
        let body = message.to_string().into_bytes();
        Ok(send_request(self.client, Method::POST, &self.url, headers, body).await?)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = self.own.to_send();
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, accepted);
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        if let Some(revision) = self.revision {
            headers.insert(REVISION, HeaderValue::from_static(revision));
        }
        headers
    }

    /// What a response with another status than a good one says.
    async fn refused(&mut self, mut response: Response) -> Fault {
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES_MAX {
            match self.piece(&mut response).await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                // The status says enough.
                Ok(None) | Err(_) => break,
            }
        }
        Fault::of_status(response.status, &response.headers, &self.url, &body)
    }

    async fn body(&mut self, response: &mut Response) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece(response).await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The next piece of a body, if it may be read.
    async fn piece(&mut self, response: &mut Response) -> Result<Option<bytes::Bytes>, Fault> {
        let encoding = response.headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(Fault::Answer(
                "the answer is encoded, which was not asked for",
            ));
        }
        let Some(piece) = response.chunk().await? else {
            return Ok(None);
        };
        let left = self.bytes_left.checked_sub(piece.len());
        self.bytes_left = left.ok_or(Fault::TooLarge(BYTES_MAX))?;
        Ok(Some(piece))
    }
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What a message is to someone who waits for the answer to request `id`.
fn received(body: &[u8], id: i64) -> Result<Received, Fault> {
    let message = json::decode(body, DEPTH_MAX).map_err(|error| match error {
        json::InvalidJson::Syntax => Fault::Answer("the answer is not valid JSON"),
        json::InvalidJson::TooDeep => Fault::Answer("the answer is nested too deeply"),
        json::InvalidJson::DuplicateKey => Fault::Answer("the answer has a key twice"),
    })?;
    let Value::Map(mut members) = message else {
        return Err(Fault::Answer("the answer is not a JSON-RPC message"));
    };
    let mut take = |name: &str| {
        let place = members.iter().position(|(other, _)| other == name)?;
        Some(members.swap_remove(place).1).filter(|value| *value != Value::Null)
    };
    let own = take("id");
    if let Some(method) = take("method") {
        let method = method.as_str().map(str::to_owned);
        return Ok(match (own, method) {
            (Some(own), Some(method)) => Received::Request(own, method),
            (_, _) => Received::Other,
        });
    }
    let is_ours = own == Some(Value::Int(id));
    Ok(match (take("error"), take("result")) {
        // An error without an id is about what was sent last.
        (Some(error), _) if is_ours || own.is_none() => {
            Received::Answer(Err(Fault::Rpc(Said::of_error(&error))))
        }
        (None, Some(result)) if is_ours => Received::Answer(Ok(result)),
        (_, _) => Received::Other,
    })
}
