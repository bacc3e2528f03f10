//! The admin endpoint over HTTP.

use mcp_authz::admin::{Admin, Detail};
use mcp_authz::health::Readiness;
use mcp_authz::telemetry::metrics::{DecisionKind, Metrics};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

struct Running {
    base: String,
    readiness: Readiness,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

impl Running {
    async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", socket.local_addr().unwrap());
        let (readiness, metrics) = (Readiness::new(), Metrics::new());
        let policy = Detail {
            name: "policy",
            state: Box::new(|| json!({"revision": "r1"})),
        };
        let admin = Admin::new(
            readiness.clone(),
            metrics.clone(),
            |metrics| metrics.keys.set_tokens_cached(3),
            vec![policy],
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            admin
                .serve(socket, async { stopped.await.unwrap_or_default() })
                .await
                .unwrap();
        });
        Self {
            base,
            readiness,
            metrics,
            stop,
            tasks,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> (StatusCode, String, String) {
        let url = format!("{}{path}", self.base);
        let response = Client::new().request(method, url).send().await.unwrap();
        let kind = response
            .headers()
            .get("content-type")
            .map(|v| v.to_str().unwrap().to_owned());
        (
            response.status(),
            kind.unwrap_or_default(),
            response.text().await.unwrap(),
        )
    }

    async fn ready(&self) -> (StatusCode, Value) {
        let (status, kind, body) = self.ask(Method::GET, "/readyz").await;
        assert_eq!(kind, "application/json");
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let running = Running::start().await;
    let gate = running.readiness.gate("keys");
    let state = |state: &str, waiting: &[&str]| {
        let details = json!({"policy": {"revision": "r1"}});
        json!({"state": state, "waiting_for": waiting, "details": details})
    };
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(
        running.ready().await,
        (unavailable, state("starting", &["keys"]))
    );
    drop(gate);
    assert_eq!(running.ready().await, (StatusCode::OK, state("ready", &[])));
    running.readiness.drain();
    assert_eq!(running.ready().await, (unavailable, state("draining", &[])));
    let (status, _, _) = running.ask(Method::GET, "/livez").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let running = Running::start().await;
    running
        .metrics
        .checks
        .record_decision("github", DecisionKind::Allow, "allowed");
    let (status, kind, body) = running.ask(Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let line =
        "mcp_authz_decisions_total{server=\"github\",decision=\"allow\",reason=\"allowed\"} 1";
    assert!(body.lines().any(|l| l == line), "{body}");
}

#[tokio::test]
async fn there_is_nothing_else() {
    let running = Running::start().await;
    for (method, path, expected) in [
        (Method::HEAD, "/livez", StatusCode::OK),
        (Method::POST, "/livez", StatusCode::METHOD_NOT_ALLOWED),
        (Method::DELETE, "/metrics", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/", StatusCode::NOT_FOUND),
        (Method::GET, "/livez/x", StatusCode::NOT_FOUND),
    ] {
        let (status, _, _) = running.ask(method.clone(), path).await;
        assert_eq!(status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn it_ends_when_told() {
    let mut running = Running::start().await;
    running.stop.send(()).unwrap();
    running.tasks.join_next().await.unwrap().unwrap();
}
