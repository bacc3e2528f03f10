//! The admin endpoint over HTTP.

use mcp_authz::admin::{Admin, Command, CommandFault, Detail};
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
        let command = Command {
            name: "echo",
            run: Box::new(|request| {
                let said: Result<Value, CommandFault> = request.read();
                Box::pin(async move { said })
            }),
        };
        let page = Detail {
            name: "page",
            state: Box::new(|| json!({"is": "told"})),
        };
        let admin = admin.with_pages(vec![page]).with_commands(vec![command]);
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
        (Method::GET, "/page", StatusCode::OK),
        (Method::POST, "/page", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/echo/", StatusCode::NOT_FOUND),
    ] {
        let (status, _, _) = running.ask(method.clone(), path).await;
        assert_eq!(status, expected, "{method} {path}");
    }
}

/// A command that is posted with these headers beside those that are needed.
async fn posted(running: &Running, headers: &[(&str, &str)], body: String) -> (u16, String) {
    let mut request = Client::new()
        .post(format!("{}/echo", running.base))
        .body(body);
    if headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
    (status, response.text().await.unwrap())
}

#[tokio::test]
async fn commands_are_posted() {
    let running = Running::start().await;
    let body = r#"{"a": 1}"#.to_owned();
    let (status, text) = posted(&running, &[], body).await;
    assert_eq!((status, text.as_str()), (200, "{\n  \"a\": 1\n}\n"));
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}/echo", running.base);
        let asked = Client::new().request(method, url);
        let asked = asked.header("access-control-request-method", "POST");
        let response = asked.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn what_a_page_in_a_browser_can_send_is_refused() {
    let running = Running::start().await;
    let fits = |text: &str| text.starts_with("{\n  \"error\": \"");
    for (headers, expected) in [
        (&[("origin", "http://evil.test")][..], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "same-origin")], 403),
        (&[("sec-fetch-site", "none")], 403),
        (&[("referer", "http://localhost/")], 403),
        (&[("host", "evil.test")], 403),
        (&[("host", "localhost.evil.test:9002")], 403),
        (&[("x-forwarded-for", "127.0.0.1")], 403),
        (&[("content-type", "text/plain")], 415),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (&[("host", "localhost:1")], 200),
        (&[("host", "[::1]")], 200),
    ] {
        let (status, text) = posted(&running, headers, "{}".to_owned()).await;
        assert_eq!(status, expected, "{headers:?}: {text}");
        assert!(expected == 200 || fits(&text), "{text}");
    }
}

#[tokio::test]
async fn bodies_of_commands_are_bounded_json() {
    let running = Running::start().await;
    for (body, expected) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("{} {}".to_owned(), 400),
        ("\u{0}".to_owned(), 400),
        (format!("\"{}\"", "x".repeat(60_000)), 200),
        (format!("\"{}\"", "x".repeat(70_000)), 413),
        ("[".repeat(60_000), 400),
    ] {
        let shown = body.get(..20).unwrap_or(&body).to_owned();
        let (status, text) = posted(&running, &[], body).await;
        assert_eq!(status, expected, "{shown}: {text}");
    }
}

#[tokio::test]
async fn it_ends_when_told() {
    let mut running = Running::start().await;
    running.stop.send(()).unwrap();
    running.tasks.join_next().await.unwrap().unwrap();
}
