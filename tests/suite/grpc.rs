//! The gRPC server over loopback: what Envoy gets for each outcome, and how the server lives.
//!
//! Answers are decoded by `envoy-types`, so that no mistake of our declarations hides itself.

mod responses;
mod service;
mod transport;

use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use mcp_authz::envoy::proto::grpc::health::v1::health_check_response::ServingStatus;
use mcp_authz::envoy::{AUTHORIZATION, PROCESSOR};
use tokio_stream::StreamExt;
use tonic::Code;

use service::{Service, check_over, check_request};

pub(crate) use service::{health_of, health_over_time};

async fn answer_to(path: &str) -> CheckResponse {
    let service = Service::start().await;
    service.check(check_request(path)).await.unwrap()
}

fn code(response: &CheckResponse) -> i32 {
    response.status.as_ref().unwrap().code
}

#[tokio::test]
async fn an_allow_changes_headers_and_tells_its_reason() {
    let response = answer_to("/allow").await;
    assert_eq!(code(&response), 0);
    let Some(HttpResponse::OkResponse(changes)) = response.http_response else {
        panic!("not allowed");
    };
    let set = changes.headers[0].header.as_ref().unwrap();
    assert_eq!(
        (set.key.as_str(), set.value.as_str()),
        ("x-mcp-authz-subject", "alice")
    );
    assert_eq!(changes.headers[0].append_action, 2);
    assert_eq!(changes.headers_to_remove, ["authorization"]);
    let facts = response.dynamic_metadata.unwrap().fields;
    assert_eq!(
        facts["reason"].kind,
        Some(Kind::StringValue("allowed".to_owned()))
    );
}

#[tokio::test]
async fn a_denial_is_an_answer_and_no_grpc_error() {
    for (path, expected, status) in [("/deny", 7, 200), ("/unauthenticated", 16, 401)] {
        let response = answer_to(path).await;
        assert_eq!(code(&response), expected, "{path}");
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
            panic!("{path} is not denied");
        };
        assert_eq!(denied.status.unwrap().code, status, "{path}");
        let header = denied.headers[0].header.as_ref().unwrap();
        assert_eq!(header.key, "content-type");
        assert_eq!(denied.body, "{}");
    }
}

#[tokio::test]
async fn a_failure_says_that_it_is_one() {
    let response = answer_to("/fail").await;
    assert_eq!(code(&response), 14);
    let Some(HttpResponse::ErrorResponse(failed)) = response.http_response else {
        panic!("not failed");
    };
    assert_eq!(failed.status.unwrap().code, 503);
}

#[tokio::test]
async fn a_check_that_describes_nothing_is_refused() {
    let service = Service::start().await;
    let response = service.check(CheckRequest::default()).await.unwrap();
    assert_eq!(code(&response), 7);
    let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
        panic!("not denied");
    };
    assert_eq!(denied.body, "the check has no attributes");
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_a_message_beyond_is_an_error() {
    let service = Service::start().await;
    let with = |bytes: usize| {
        let mut check = check_request("/allow");
        let http = service::http_of(&mut check);
        http.raw_body = vec![b'x'; bytes];
        check
    };
    assert_eq!(
        code(&service.check(with(service::BODY_BYTES_MAX)).await.unwrap()),
        0
    );
    let error = service
        .check(with(service::BODY_BYTES_MAX + 1024 * 1024))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_deadline_ends_the_check() {
    let service = Service::start().await;
    let mut request = tonic::Request::new(check_request("/hang"));
    request.set_timeout(Duration::from_millis(20));
    let error = service.check(request).await.unwrap_err();
    assert!(
        matches!(error.code(), Code::Cancelled | Code::DeadlineExceeded),
        "{error}"
    );
    assert_eq!(service.dropped().await, "/hang");
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_check() {
    let service = Service::start().await;
    {
        let check = check_over(service.channel().await, check_request("/hang"));
        tokio::pin!(check);
        tokio::select! {
            response = &mut check => panic!("answered: {response:?}"),
            path = service.begun() => assert_eq!(path, "/hang"),
        }
    }
    assert_eq!(service.dropped().await, "/hang");
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_nothing_else() {
    let service = Service::start().await;
    service.check(check_request("/panic")).await.unwrap_err();
    assert_eq!(
        code(&service.check(check_request("/allow")).await.unwrap()),
        0
    );
}

#[tokio::test]
async fn health_follows_the_gates_and_the_drain() {
    let mut service = Service::start().await;
    let gate = service.readiness.gate("policy");
    let channel = service.channel().await;
    for name in ["", AUTHORIZATION, PROCESSOR] {
        assert_eq!(
            health_of(&channel, name).await,
            Ok(ServingStatus::NotServing),
            "{name}"
        );
    }
    let mut watched = health_over_time(&channel, AUTHORIZATION).await;
    assert_eq!(watched.next().await, Some(ServingStatus::NotServing));

    drop(gate);
    assert_eq!(watched.next().await, Some(ServingStatus::Serving));
    for name in ["", AUTHORIZATION, PROCESSOR] {
        assert_eq!(
            health_of(&channel, name).await,
            Ok(ServingStatus::Serving),
            "{name}"
        );
    }

    service.readiness.drain();
    assert_eq!(watched.next().await, Some(ServingStatus::NotServing));
    assert_eq!(watched.next().await, None);
    assert_eq!(health_of(&channel, "").await, Ok(ServingStatus::NotServing));
    service.stop();
    service.ended().await;
}

#[tokio::test]
async fn a_service_that_is_not_here_has_no_health() {
    let service = Service::start().await;
    let channel = service.channel().await;
    for name in ["envoy.service.ratelimit.v3.RateLimitService", "x", "envoy"] {
        assert_eq!(
            health_of(&channel, name).await,
            Err(Code::NotFound),
            "{name}"
        );
    }
    let mut watched = health_over_time(&channel, "x").await;
    assert_eq!(watched.next().await, Some(ServingStatus::ServiceUnknown));
    service.readiness.drain();
    assert_eq!(watched.next().await, None);
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight() {
    let mut service = Service::start().await;
    let release = service.release();
    let check = check_over(service.channel().await, check_request("/wait"));
    tokio::pin!(check);
    tokio::select! {
        response = &mut check => panic!("answered: {response:?}"),
        path = service.begun() => assert_eq!(path, "/wait"),
    }
    service.stop();
    service.closed().await;
    release.notify_one();
    assert_eq!(code(&check.await.unwrap()), 0);
    service.ended().await;
}

#[tokio::test]
async fn reflection_names_the_services_that_are_here() {
    let service = Service::start().await;
    let names = service::reflected(service.channel().await).await;
    let expected = [
        AUTHORIZATION,
        PROCESSOR,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ];
    assert_eq!(names, expected);
}
