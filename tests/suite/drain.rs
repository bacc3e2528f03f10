//! The end of a service: told to Envoy first, then everything in flight is finished and recorded.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use mcp_authz::envoy::AUTHORIZATION;
use mcp_authz::envoy::proto::grpc::health::v1::health_check_response::ServingStatus;
use tokio::net::TcpStream;
use tokio_stream::StreamExt;
use tonic::Code;

use super::grpc::{health_of, health_over_time};
use super::handoff::Shown;
use super::running::{
    Conduct, Home, HttpIssuer, ISSUER, PATIENCE, Running, SIGNER, call, call_with, check_over,
};

/// A service with an issuer over HTTP that has answered once and hangs from now on.
async fn with_hanging_issuer(change: impl FnOnce(&Home)) -> (Home, HttpIssuer, Running) {
    let home = Home::new();
    let issuer = HttpIssuer::start().await;
    HttpIssuer::configure(issuer.address, &home);
    home.configure(
        "policy:",
        "limits: {fetch_timeout: 1m, fetch_wait: 1m}\npolicy:",
    );
    change(&home);
    let running = home.ready().await;
    issuer.conduct.send_replace(Conduct::Hang);
    (home, issuer, running)
}

/// Begins a check that waits for the issuer, and returns once it does.
async fn begin_waiting(
    running: &Running,
    issuer: &HttpIssuer,
) -> tokio::task::JoinHandle<Result<super::running::Answer, tonic::Status>> {
    let check = call_with("a", &SIGNER.token(ISSUER, "k2"), &[]);
    let mut asked = issuer.asked.clone();
    let before = *asked.borrow_and_update();
    let channel = running.channel().await;
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is the composition root"
    )]
    let waiting = tokio::spawn(check_over(channel, check));
    let now_asked = asked.wait_for(|times| *times > before);
    tokio::time::timeout(PATIENCE, now_asked)
        .await
        .unwrap()
        .unwrap();
    waiting
}

async fn refuses_connections(running: &Running) {
    let closed = async {
        while TcpStream::connect(&running.grpc).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
}

#[tokio::test]
async fn health_goes_from_starting_to_serving_to_draining() {
    let home = Home::new();
    let issuer = HttpIssuer::start().await;
    issuer.conduct.send_replace(Conduct::Hang);
    HttpIssuer::configure(issuer.address, &home);
    home.configure("delay: 0s", "delay: 10m");
    let mut running = home.start().await;
    let channel = running.channel().await;
    let mut watched = health_over_time(&channel, AUTHORIZATION).await;
    assert_eq!(watched.next().await, Some(ServingStatus::NotServing));
    assert_eq!(running.readyz().await.1["state"], "starting");

    issuer.conduct.send_replace(Conduct::Answer("k1"));
    assert_eq!(watched.next().await, Some(ServingStatus::Serving));
    assert_eq!(running.readyz().await.1["state"], "ready");

    running.signal("TERM");
    assert_eq!(watched.next().await, Some(ServingStatus::NotServing));
    for service in ["", AUTHORIZATION] {
        let health = health_of(&channel, service).await;
        assert_eq!(health, Ok(ServingStatus::NotServing), "{service}");
    }
    let (status, state) = running.readyz().await;
    assert_eq!((status, &state["state"]), (503, &"draining".into()));
    // Envoy may not have noticed yet: until the delay is over, checks are answered as ever.
    assert_eq!(running.check(call("a")).await.fact("reason"), "allowed");

    // A second signal says that nobody needs the delay.
    running.signal("INT");
    assert_eq!(running.ended().await.code(), Some(0));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_recorded() {
    let (_home, issuer, mut running) = with_hanging_issuer(|_| {}).await;
    let waiting = begin_waiting(&running, &issuer).await;
    running.signal("TERM");
    refuses_connections(&running).await;
    issuer.conduct.send_replace(Conduct::Answer("k2"));
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.fact("reason"), "allowed");
    assert_eq!(running.ended().await.code(), Some(0));
    let record = running.record(answer.fact("decision_id")).await;
    assert_eq!(record["reason"], "allowed");
}

#[tokio::test]
async fn a_stream_that_lasts_is_not_waited_for() {
    let home = Home::new();
    home.configure("  deny:", "  responses_on_get: true\n  deny:");
    home.configure("timeout: 10s", "timeout: 10m");
    let mut running = home.ready().await;
    let mut check = call("a");
    let attributes = check.attributes.as_mut().unwrap();
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    http.method = "GET".to_owned();
    http.raw_body.clear();
    let answer = running.check(check).await;
    assert_eq!(answer.fact("response_filter"), "list");
    let head = Shown::with(&answer.facts).head();
    let messages = tokio_stream::iter([head]).chain(tokio_stream::pending());
    let mut client = ExternalProcessorClient::new(running.channel().await);
    let mut replies = client.process(messages).await.unwrap().into_inner();
    running.signal("TERM");
    let left = replies.message().await.unwrap_err();
    assert_eq!(left.code(), Code::Unavailable, "{left}");
    assert_eq!(running.ended().await.code(), Some(0));
    assert_eq!(running.logs.count("connections are cut"), 0);
}

#[tokio::test]
async fn what_takes_too_long_is_cut_and_recorded_as_given_up() {
    for (timeout, is_told_again) in [("100ms", false), ("10m", true)] {
        let change = |home: &Home| home.configure("timeout: 10s", &format!("timeout: {timeout}"));
        let (_home, issuer, mut running) = with_hanging_issuer(change).await;
        let waiting = begin_waiting(&running, &issuer).await;
        running.signal("TERM");
        if is_told_again {
            refuses_connections(&running).await;
            running.signal("TERM");
        }
        running.logs.line("connections are cut").await;
        assert_eq!(running.ended().await.code(), Some(0));
        // It may still learn that there will be no keys before its connection goes.
        let ends = ["cancelled", "keys_unavailable"];
        if let Ok(answer) = waiting.await.unwrap() {
            assert_eq!(answer.fact("reason"), ends[1]);
        }
        let records = running.audit.as_ref().unwrap().all();
        assert_eq!(records.len(), 1, "{records:?}");
        let record: serde_json::Value = serde_json::from_str(&records[0]).unwrap();
        assert!(
            ends.contains(&record["reason"].as_str().unwrap()),
            "{record}"
        );
        assert_eq!(record["decision"], "fail");
        assert_eq!(running.logs.count("not all written"), 0);
    }
}

#[tokio::test]
async fn every_record_is_written_before_the_end() {
    const CHECKS: usize = 500;
    let home = Home::new();
    let mut running = home.ready().await;
    let channel = running.channel().await;
    for _ in 0..CHECKS {
        check_over(channel.clone(), call("a")).await.unwrap();
    }
    running.signal("TERM");
    assert_eq!(running.ended().await.code(), Some(0));
    assert_eq!(running.audit.as_ref().unwrap().all().len(), CHECKS);
}

/// More than a pipe and the queue hold, at some 500 bytes each.
const CHECKS_TOO_MANY: usize = 600;

#[tokio::test]
async fn audit_that_is_stuck_is_no_outage_and_holds_up_no_end() {
    let home = Home::new();
    home.configure("policy:", "limits: {audit_queue_max: 10}\npolicy:");
    home.configure("timeout: 10s", "timeout: 100ms");
    let (_stuck, audit) = std::io::pipe().unwrap();
    let mut running = home.spawn(audit.into());
    running.listening().await;
    running.logs.line("health: ready").await;
    let channel = running.channel().await;
    for _ in 0..CHECKS_TOO_MANY {
        let answer = check_over(channel.clone(), call("a")).await.unwrap();
        assert_eq!(answer.fact("reason"), "allowed");
    }
    running.logs.line("further ones are dropped").await;
    let lost = running.metric("mcp_authz_audit_lost_total").await.unwrap();
    assert!(lost.parse::<usize>().unwrap() > 0, "{lost}");
    running.signal("TERM");
    running
        .logs
        .line("audit records were not all written")
        .await;
    assert_eq!(running.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_deadline_ends_a_check_that_waits_and_is_recorded() {
    let (_home, _issuer, running) = with_hanging_issuer(|_| {}).await;
    let check = call_with("a", &SIGNER.token(ISSUER, "k2"), &[]);
    let mut request = tonic::Request::new(check);
    request.set_timeout(Duration::from_millis(150));
    let channel = running.channel().await;
    let asked = Instant::now();
    let error = check_over(channel, request).await.unwrap_err();
    let took = asked.elapsed();
    assert!(
        matches!(error.code(), Code::Cancelled | Code::DeadlineExceeded),
        "{error}"
    );
    assert!(
        took >= Duration::from_millis(100) && took < PATIENCE,
        "{took:?}"
    );
    let line = running.audit.as_ref().unwrap().line("cancelled").await;
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["decision"], "fail");
    assert_eq!(record["server"], "notes");
    assert_eq!(record["mcp.method.name"], "tools/call");
}
