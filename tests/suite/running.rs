//! The real binary on loopback: started, watched, asked, and ended by its own process id.
//!
//! Nothing here sleeps: whoever waits, waits for a line or for an end, and not for ever.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

pub(crate) const ISSUER: &str = "https://idp.test";

/// A configuration directory: a good configuration, policy and key set, to be changed.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        home.write("config.yaml", CONFIG);
        home.write("policy.yaml", &policy("a", "b"));
        home.write("jwks.json", &SIGNER.key_set("k1"));
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Replaces a file at once, as careful tools do.
    pub(crate) fn rename_over(&self, name: &str, text: &str) {
        let new = format!(".{name}.new");
        self.write(&new, text);
        std::fs::rename(self.path(&new), self.path(name)).unwrap();
    }

    /// Writes the configuration with one line changed.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("config.yaml")).unwrap();
        assert!(text.contains(from), "no `{from}`");
        self.write("config.yaml", &text.replace(from, to));
    }

    /// Starts the service, which has to listen in the end.
    pub(crate) async fn start(&self) -> Running {
        let mut running = self.spawn(Stdio::piped());
        running.listening().await;
        running
    }

    /// Starts the service, which has to become ready.
    pub(crate) async fn ready(&self) -> Running {
        let running = self.start().await;
        running.logs.line("health: ready").await;
        running
    }

    pub(crate) fn spawn(&self, stdout: Stdio) -> Running {
        Running::spawn(&self.path("config.yaml"), stdout)
    }

    /// The status and standard error of a service that does not start.
    pub(crate) async fn refused(&self) -> (i32, String) {
        refused(&self.path("config.yaml")).await
    }
}

/// The status and standard error of a service that does not start with this configuration.
pub(crate) async fn refused(config: &Path) -> (i32, String) {
    let mut running = Running::spawn(config, Stdio::piped());
    let status = running.ended().await;
    (status.code().unwrap(), running.logs.all().join("\n"))
}

const CONFIG: &str = "\
listen: 127.0.0.1:0
admin: {listen: '127.0.0.1:0'}
issuers:
- issuer: https://idp.test
  jwks_file: jwks.json
servers:
- name: notes
  match: {hosts: [mcp.test]}
  resource: https://mcp.test/mcp
  deny: {disclose: rule}
policy: policy.yaml
drain: {delay: 0s, timeout: 10s}
";

/// A policy that allows one tool and denies another, with rules that name them.
pub(crate) fn policy(allowed: &str, denied: &str) -> String {
    format!(
        "\
rules:
- id: allow-{allowed}
  effect: allow
  who: {{anyone: true}}
  what: {{servers: [notes], tools: [{allowed}]}}
- id: deny-{denied}
  effect: deny
  what: {{servers: [notes], tools: [{denied}]}}
  message: not {denied} but {allowed}
"
    )
}

/// The lines of a stream as they come.
pub(crate) struct Lines {
    lines: watch::Receiver<Vec<String>>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (to, lines) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                to.send_modify(|lines| lines.push(line));
            }
        });
        Self { lines }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// How many lines have this part.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines
            .borrow()
            .iter()
            .filter(|l| l.contains(part))
            .count()
    }

    /// The first line with this part, once it is there.
    pub(crate) async fn line(&self, part: &str) -> String {
        self.lines(part, 1).await.remove(0)
    }

    /// The lines with this part, once there are so many.
    pub(crate) async fn lines(&self, part: &str, count: usize) -> Vec<String> {
        let matching = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|l| l.contains(part)).cloned().collect()
        };
        let mut lines = self.lines.clone();
        let enough = lines.wait_for(|lines| matching(lines).len() >= count);
        let is_enough = matches!(tokio::time::timeout(PATIENCE, enough).await, Ok(Ok(_)));
        assert!(is_enough, "no {count} lines `{part}` in {:#?}", self.all());
        matching(&self.all())
    }

    async fn closed(&self) {
        let mut lines = self.lines.clone();
        let closed = async { while lines.changed().await.is_ok() {} };
        let is_closed = tokio::time::timeout(PATIENCE, closed).await.is_ok();
        assert!(is_closed, "still open after {:#?}", self.all());
    }
}

/// Far more than anything takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running service, killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) logs: Lines,
    pub(crate) audit: Option<Lines>,
    pub(crate) grpc: String,
    pub(crate) admin: String,
}

impl Running {
    fn spawn(config: &Path, stdout: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
            .args(["serve", "--config"])
            .arg(config)
            // Where nobody listens: proxies of the environment are ignored.
            .envs(
                ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")),
            )
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            logs: Lines::of(child.stderr.take().unwrap()),
            audit: child.stdout.take().map(Lines::of),
            child,
            grpc: String::new(),
            admin: String::new(),
        }
    }

    /// Learns the addresses, once it listens.
    pub(crate) async fn listening(&mut self) {
        let line = self.logs.line("listening grpc=").await;
        let field = |name: &str| {
            let (_, rest) = line.split_once(name)?;
            let value = rest.split_whitespace().next()?;
            Some(value.trim_matches('"').to_owned())
        };
        self.grpc = field("grpc=").unwrap();
        self.admin = field("admin=").unwrap_or_default();
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// How the process ended, once it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.logs.closed().await;
        if let Some(audit) = &self.audit {
            audit.closed().await;
        }
        self.child.wait().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        let uri = match self.grpc.strip_prefix("unix:") {
            Some(_) => self.grpc.clone(),
            None => format!("http://{}", self.grpc),
        };
        Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn check(&self, check: auth::CheckRequest) -> Answer {
        check_over(self.channel().await, check).await.unwrap()
    }

    /// Status and body of a page of the admin endpoint.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.admin);
        let response = reqwest::get(url).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Status and content of `/readyz`.
    pub(crate) async fn readyz(&self) -> (u16, Value) {
        let (status, text) = self.page("/readyz").await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The value of a metric, named with its labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<String> {
        let (_, text) = self.page("/metrics").await;
        let mut values = text.lines().filter_map(|line| {
            let (metric, value) = line.rsplit_once(' ')?;
            (metric == name).then(|| value.to_owned())
        });
        values.next()
    }

    /// The audit record of a decision, once it is there.
    pub(crate) async fn record(&self, decision_id: &str) -> Value {
        let line = self.audit.as_ref().unwrap().line(decision_id).await;
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What Envoy is told, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) facts: Value,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_default()
    }
}

pub(crate) async fn check_over(
    channel: Channel,
    check: impl tonic::IntoRequest<auth::CheckRequest>,
) -> Result<Answer, Status> {
    use auth::check_response::HttpResponse;
    use envoy_types::pb::google::protobuf::value::Kind;
    let response = AuthorizationClient::new(channel).check(check).await?;
    let response = response.into_inner();
    let facts = response.dynamic_metadata.unwrap_or_default().fields;
    let facts = facts.into_iter().map(|(name, value)| match value.kind {
        Some(Kind::StringValue(text)) => (name, Value::String(text)),
        other => panic!("{name} is {other:?}"),
    });
    let body = match response.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied.body,
        Some(HttpResponse::ErrorResponse(failed)) => failed.body,
        Some(HttpResponse::OkResponse(_)) | None => String::new(),
    };
    Ok(Answer {
        facts: Value::Object(facts.collect()),
        body,
    })
}

/// A check about a call of a tool, with these headers besides those that are always there.
pub(crate) fn call_with(tool: &str, token: &str, headers: &[(&str, &str)]) -> auth::CheckRequest {
    let authorization = format!("Bearer {token}");
    let always = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-06-18"),
        ("authorization", &authorization),
    ];
    let header = |(name, value): &(&str, &str)| core::HeaderValue {
        key: (*name).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..Default::default()
    };
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": {"title": "a-value-of-an-argument"}},
    });
    let http = auth::attribute_context::HttpRequest {
        method: "POST".to_owned(),
        path: "/mcp".to_owned(),
        host: "mcp.test".to_owned(),
        header_map: Some(core::HeaderMap {
            headers: always.iter().chain(headers).map(header).collect(),
        }),
        raw_body: body.to_string().into_bytes(),
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

/// A check about a call of a tool by alice.
pub(crate) fn call(tool: &str) -> auth::CheckRequest {
    call_with(tool, &TOKEN, &[])
}

/// The key of the issuer.
pub(crate) struct Signer {
    key: EncodingKey,
}

pub(crate) static SIGNER: LazyLock<Signer> = LazyLock::new(Signer::new);
static TOKEN: LazyLock<String> = LazyLock::new(|| SIGNER.token(ISSUER, "k1"));

impl Signer {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { key }
    }

    /// Its public key as a key set.
    pub(crate) fn key_set(&self, id: &str) -> String {
        let jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(id);
        json!({"keys": [jwk]}).to_string()
    }

    /// A good token for alice.
    pub(crate) fn token(&self, issuer: &str, key_id: &str) -> String {
        self.token_of("alice", issuer, key_id)
    }

    /// A good token for a subject.
    pub(crate) fn token_of(&self, subject: &str, issuer: &str, key_id: &str) -> String {
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(key_id.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": issuer, "sub": subject, "aud": "https://mcp.test/mcp",
            "iat": now - 1, "exp": now + 3600,
        });
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}

/// What an issuer over HTTP does when it is asked for its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    Answer(&'static str),
    Hang,
}

/// An issuer over HTTP, whose only document is `/keys`.
pub(crate) struct HttpIssuer {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) conduct: watch::Sender<Conduct>,
    pub(crate) asked: watch::Receiver<usize>,
    _tasks: Mutex<tokio::task::JoinSet<()>>,
}

impl HttpIssuer {
    pub(crate) async fn start() -> Self {
        Self::start_on(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn start_on(socket: tokio::net::TcpListener) -> Self {
        let address = socket.local_addr().unwrap();
        let conduct = watch::Sender::new(Conduct::Answer("k1"));
        let (asking, asked) = watch::channel(0);
        let conducts = conduct.subscribe();
        let keys = move || {
            let mut conducts = conducts.clone();
            asking.send_modify(|times| *times += 1);
            async move {
                let is_answer = |conduct: &Conduct| *conduct != Conduct::Hang;
                match *conducts.wait_for(is_answer).await.unwrap() {
                    Conduct::Answer(id) => SIGNER.key_set(id),
                    Conduct::Hang => String::new(),
                }
            }
        };
        let routes = axum::Router::new().route("/keys", axum::routing::get(keys));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { axum::serve(socket, routes).await.unwrap() });
        Self {
            address,
            conduct,
            asked,
            _tasks: Mutex::new(tasks),
        }
    }

    /// Points the configuration of `home` to this issuer.
    pub(crate) fn configure(address: std::net::SocketAddr, home: &Home) {
        home.configure(
            "jwks_file: jwks.json",
            &format!(
                "jwks_uri: http://{address}/keys\n  keys: {{min_interval: 800ms, refresh: 1h}}"
            ),
        );
    }
}
