//! What a check hands on for the response comes back as Envoy carries it, or as somebody else does
//! who reaches the port; and mistakes of Envoy's configuration are noticed.
#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::service::ext_proc::v3 as proc;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value as Said};
use proc::body_mutation::Mutation;
use proc::external_processor_client::ExternalProcessorClient;
use proc::processing_request::Request;
use proc::processing_response::Response;
use serde_json::{Value, json};

use super::running::{Answer, Home, ISSUER, Running, SIGNER, call, call_with};

pub(crate) const BODY: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}"#;
pub(crate) const FILTERED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
pub(crate) const EMPTY: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
const KEYS: &str = "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829\n";

/// A check as Envoy sends it, about a message of Alice's.
fn asking(method: &str, more: Value) -> auth::CheckRequest {
    let mut message = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    if !more.is_null() {
        message["params"] = more;
    }
    let envoy = [
        (":method", "POST"),
        ("x-request-id", "r"),
        ("x-forwarded-proto", "https"),
    ];
    let mut check = call_with("a", &SIGNER.token(ISSUER, "k1"), &envoy);
    let attributes = check.attributes.as_mut().unwrap();
    let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
    http.raw_body = message.to_string().into_bytes();
    check
}

pub(crate) async fn list(running: &Running) -> Answer {
    let answer = running.check(asking("tools/list", Value::Null)).await;
    assert_eq!(answer.fact("response_filter"), "list/tools");
    answer
}

async fn initialize(running: &Running) -> Answer {
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    let answer = running.check(asking("initialize", params)).await;
    assert_eq!(answer.fact("response_filter"), "initialize");
    answer
}

/// How a response comes to the service.
pub(crate) struct Shown<'s> {
    facts: Option<&'s Value>,
    session: Option<&'s str>,
    mode: BodySendMode,
    is_observed: bool,
}

impl<'s> Shown<'s> {
    pub(crate) fn with(facts: &'s Value) -> Self {
        Shown {
            facts: Some(facts),
            session: None,
            mode: BodySendMode::FullDuplexStreamed,
            is_observed: false,
        }
    }

    /// Shows the response; the body that goes on, or the one of the reply in its place.
    pub(crate) async fn show(&self, running: &Running, body: &str) -> String {
        let mut messages = vec![self.head()];
        if self.mode == BodySendMode::FullDuplexStreamed {
            messages.push(whole_body(body));
        }
        let mut client = ExternalProcessorClient::new(running.channel().await);
        let replies = client.process(tokio_stream::iter(messages)).await.unwrap();
        rest(replies.into_inner()).await
    }

    pub(crate) fn head(&self) -> proc::ProcessingRequest {
        let header = |key: &str, value: &str| core::HeaderValue {
            key: key.to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..Default::default()
        };
        let mut headers = vec![
            header(":status", "200"),
            header("content-type", "application/json"),
        ];
        headers.extend(self.session.map(|id| header("mcp-session-id", id)));
        let metadata = self.facts.map(|facts| {
            let facts = facts.as_object().unwrap().iter();
            let said = |text: &Value| Said {
                kind: Some(Kind::StringValue(text.as_str().unwrap().to_owned())),
            };
            let fields = facts.map(|(name, text)| (name.clone(), said(text)));
            let said = Struct {
                fields: fields.collect(),
            };
            core::Metadata {
                filter_metadata: [("envoy.filters.http.ext_authz".to_owned(), said)].into(),
                ..Default::default()
            }
        });
        proc::ProcessingRequest {
            metadata_context: metadata,
            observability_mode: self.is_observed,
            protocol_config: Some(proc::ProtocolConfiguration {
                response_body_mode: self.mode.into(),
                ..Default::default()
            }),
            ..message(Request::ResponseHeaders(proc::HttpHeaders {
                headers: Some(core::HeaderMap { headers }),
                ..Default::default()
            }))
        }
    }
}

/// The body of an answer, in one piece.
pub(crate) fn whole_body(text: &str) -> proc::ProcessingRequest {
    message(Request::ResponseBody(proc::HttpBody {
        body: text.as_bytes().to_vec(),
        end_of_stream: true,
        ..Default::default()
    }))
}

/// The body that goes on, or the one of the answer in its place, once the stream has ended.
pub(crate) async fn rest(mut replies: tonic::Streaming<proc::ProcessingResponse>) -> String {
    let mut text = Vec::new();
    // A stream that ends after the head alone is one whose client left.
    while let Ok(Some(reply)) = replies.message().await {
        match reply.response.unwrap() {
            Response::ResponseBody(body) => {
                let mutation = body.response.unwrap().body_mutation.unwrap().mutation;
                let Some(Mutation::StreamedResponse(piece)) = mutation else {
                    panic!("{mutation:?}");
                };
                text.extend(piece.body);
            }
            Response::ImmediateResponse(answer) => text.extend(answer.body),
            Response::ResponseHeaders(_) => {}
            other @ (Response::RequestHeaders(_)
            | Response::RequestBody(_)
            | Response::RequestTrailers(_)
            | Response::ResponseTrailers(_)
            | Response::StreamedImmediateResponse(_)) => panic!("{other:?}"),
        }
    }
    String::from_utf8(text).unwrap()
}

fn message(request: Request) -> proc::ProcessingRequest {
    proc::ProcessingRequest {
        request: Some(request),
        ..Default::default()
    }
}

async fn shown(running: &Running, facts: &Value) -> String {
    Shown::with(facts).show(running, BODY).await
}

/// Shows the head of the answer to an initialize, whose session has this id.
async fn opened(running: &Running, facts: &Value, session: &str) -> String {
    let shown = Shown {
        session: Some(session),
        mode: BodySendMode::None,
        ..Shown::with(facts)
    };
    shown.show(running, "").await
}

async fn count(running: &Running, metric: &str) -> u64 {
    let value = running.metric(metric).await;
    value.map_or(0, |value| value.parse().unwrap())
}

async fn refused(running: &Running, reason: &str) -> u64 {
    let metric = format!("mcp_authz_handoffs_refused_total{{reason=\"{reason}\"}}");
    count(running, &metric).await
}

async fn sessions_bound(running: &Running) -> u64 {
    let metric = "mcp_authz_bindings_total{server=\"notes\",kind=\"session\",how=\"issued\"}";
    count(running, metric).await
}

/// How many tools the catalog has seen.
async fn tools_seen(running: &Running) -> u64 {
    let (_, ready) = running.readyz().await;
    ready["details"]["tools"][0]["seen"].as_u64().unwrap()
}

/// What stands in `/readyz`, which is ready all the same.
async fn notices(running: &Running) -> Vec<String> {
    let (status, ready) = running.readyz().await;
    assert_eq!(status, 200);
    let notices = ready["details"]["notices"].as_array().unwrap().iter();
    let name = |notice: &Value| {
        assert!(notice["count"].as_u64() > Some(0), "{notice}");
        let time = |key: &str| notice[key].as_str().unwrap().parse::<jiff::Timestamp>();
        assert!(time("first").unwrap() <= time("last").unwrap(), "{notice}");
        notice["notice"].as_str().unwrap().to_owned()
    };
    notices.map(name).collect()
}

#[tokio::test]
async fn what_a_check_said_is_believed_and_nothing_is_noticed() {
    let running = Home::new().ready().await;
    let asked = list(&running).await;
    assert_eq!(shown(&running, &asked.facts).await, FILTERED);
    assert_eq!(tools_seen(&running).await, 2);
    let asked = initialize(&running).await;
    assert_eq!(opened(&running, &asked.facts, "s-1").await, "");
    assert_eq!(sessions_bound(&running).await, 1);
    assert_eq!(notices(&running).await, [""; 0]);
    assert_eq!(
        count(&running, "mcp_authz_responses_expected_total").await,
        2
    );
    assert_eq!(count(&running, "mcp_authz_responses_begun_total").await, 2);
}

/// Changes what was said, and the reason for which that is refused.
type Change = (&'static str, fn(&mut Value), &'static str);

fn context(facts: &mut Value, change: impl Fn(&str) -> String) {
    let text = facts["response_context"].as_str().unwrap();
    facts["response_context"] = change(text).into();
}

const CHANGES: [Change; 10] = [
    (
        "another subject",
        |facts| context(facts, |text| text.replace("\"alice\"", "\"mallory\"")),
        "forged",
    ),
    (
        "a context without a seal",
        |facts| {
            context(facts, |text| {
                let begin = text.find('{').unwrap();
                let end = text.rfind('}').unwrap();
                text[begin..=end].to_owned()
            });
        },
        "unreadable",
    ),
    (
        "the end is cut",
        |facts| context(facts, |text| text[..text.len() - 3].to_owned()),
        "forged",
    ),
    (
        "much is cut",
        |facts| context(facts, |text| text[..text.len() / 2].to_owned()),
        "unreadable",
    ),
    (
        "nothing is left",
        |facts| context(facts, |_| String::new()),
        "unreadable",
    ),
    (
        "another time",
        |facts| context(facts, |text| text.replacen(".1", ".2", 1)),
        "forged",
    ),
    (
        "another process",
        |facts| {
            context(facts, |text| {
                let (_, rest) = text.split_once('.').unwrap();
                let (_, rest) = rest.split_once('.').unwrap();
                format!("mcp-authz-1.p0123456789abcdef.{rest}")
            });
        },
        "other_process",
    ),
    (
        "no context",
        |facts| drop(facts.as_object_mut().unwrap().remove("response_context")),
        "missing",
    ),
    (
        "another filter",
        |facts| facts["response_filter"] = "task".into(),
        "other_response",
    ),
    (
        "another server",
        |facts| facts["server"] = "mail".into(),
        "other_server",
    ),
];

#[tokio::test]
async fn what_no_check_said_shows_nothing_binds_nothing_and_is_told() {
    let running = Home::new().ready().await;
    for (what, change, reason) in CHANGES {
        let before = refused(&running, reason).await;
        let mut asked = list(&running).await;
        change(&mut asked.facts);
        assert_eq!(shown(&running, &asked.facts).await, EMPTY, "{what}");
        assert_eq!(refused(&running, reason).await, before + 1, "{what}");

        let mut asked = initialize(&running).await;
        change(&mut asked.facts);
        let told = opened(&running, &asked.facts, "s-1").await;
        assert!(told.contains("response_context"), "{what}: {told}");
        assert_eq!(refused(&running, reason).await, before + 2, "{what}");
    }
    assert_eq!(sessions_bound(&running).await, 0);
    assert_eq!(tools_seen(&running).await, 0);
    let expected = ["context_of_another_process", "context_forged"];
    assert_eq!(notices(&running).await, expected);
    let forged = "mcp_authz_notices_total{notice=\"context_forged\"}";
    assert_eq!(count(&running, forged).await, 18);
    assert_eq!(running.logs.count("with a context that no check made"), 1);
    assert_eq!(running.logs.count("made by another process"), 1);
}

#[tokio::test]
async fn a_second_exchange_has_no_effect_of_its_own() {
    let running = Home::new().ready().await;
    let asked = list(&running).await;
    assert_eq!(shown(&running, &asked.facts).await, FILTERED);
    // As Envoy tries again: the answer is not lost.
    assert_eq!(shown(&running, &asked.facts).await, FILTERED);
    let other = BODY.replace("\"b\"", "\"made-up\"");
    assert_eq!(
        Shown::with(&asked.facts).show(&running, &other).await,
        FILTERED
    );
    assert_eq!(tools_seen(&running).await, 2);

    let asked = initialize(&running).await;
    assert_eq!(opened(&running, &asked.facts, "s-1").await, "");
    assert_eq!(opened(&running, &asked.facts, "s-1").await, "");
    let told = opened(&running, &asked.facts, "s-2").await;
    assert!(told.contains("response_context"), "{told}");
    assert_eq!(sessions_bound(&running).await, 1);
    // One that bound nothing cannot bind later.
    let asked = initialize(&running).await;
    let nothing = Shown {
        mode: BodySendMode::None,
        ..Shown::with(&asked.facts)
    };
    assert_eq!(nothing.show(&running, "").await, "");
    let told = opened(&running, &asked.facts, "s-3").await;
    assert!(told.contains("response_context"), "{told}");
    assert_eq!(sessions_bound(&running).await, 1);
}

#[tokio::test]
async fn replicas_believe_each_other_with_the_same_keys_only() {
    let (one, other) = (Home::new().ready().await, Home::new().ready().await);
    let asked = list(&one).await;
    assert_eq!(shown(&other, &asked.facts).await, EMPTY);
    let told = "a context made by another process: set `handoff.key_file` on all replicas";
    other.logs.line(told).await;
    assert_eq!(notices(&other).await, ["context_of_another_process"]);
    assert_eq!(shown(&one, &asked.facts).await, FILTERED);

    let keyed = || {
        let home = Home::new();
        home.write("handoff.keys", KEYS);
        home.configure("drain:", "handoff: {key_file: handoff.keys}\ndrain:");
        home
    };
    let homes = [keyed(), keyed()];
    let (one, other) = (homes[0].ready().await, homes[1].ready().await);
    let asked = list(&one).await;
    assert_eq!(shown(&other, &asked.facts).await, FILTERED);
    let asked = initialize(&one).await;
    assert_eq!(opened(&other, &asked.facts, "s-1").await, "");
    assert_eq!(sessions_bound(&other).await, 1);
    assert_eq!(notices(&other).await, [""; 0]);
    let (_, ready) = other.readyz().await;
    assert_eq!(ready["details"]["handoff"]["shared"], true);
    for home in &homes {
        let key = KEYS.trim();
        assert!(
            !ready.to_string().contains(key),
            "{}",
            home.path("").display()
        );
    }
    assert_eq!(other.logs.count(KEYS.trim()), 0);
}

#[tokio::test]
async fn keys_that_break_stay_what_they_were() {
    let home = Home::new();
    home.write("handoff.keys", KEYS);
    home.configure("drain:", "handoff: {key_file: handoff.keys}\ndrain:");
    let running = home.ready().await;
    let asked = list(&running).await;
    home.rename_over("handoff.keys", "c2hvcnQ\n");
    running.logs.line("the keys in force stay").await;
    assert_eq!(shown(&running, &asked.facts).await, FILTERED);
    let (status, ready) = running.readyz().await;
    assert_eq!(status, 200);
    let error = ready["details"]["handoff"]["failing"]["error"].as_str();
    assert!(error.unwrap().ends_with("less than 32 bytes"), "{ready}");
    assert_eq!(count(&running, "mcp_authz_handoff_keys_failing").await, 1);
    let failed = "mcp_authz_handoff_key_reloads_total{result=\"error\"}";
    assert_eq!(count(&running, failed).await, 1);
}

#[tokio::test]
async fn a_context_that_is_too_old_is_refused() {
    let home = Home::new();
    home.configure("drain:", "handoff: {max_age: 1s}\ndrain:");
    let running = home.ready().await;
    let asked = list(&running).await;
    // Until the clock has gone on: a context in time is shown again, and has no effect.
    while shown(&running, &asked.facts).await != EMPTY {
        tokio::task::yield_now().await;
    }
    assert_eq!(refused(&running, "too_old").await, 1);
    assert_eq!(notices(&running).await, ["context_too_old"]);
}

#[tokio::test]
async fn mistakes_of_envoy_are_noticed() {
    let running = Home::new().ready().await;
    // `allowed_headers`.
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "allowed");
    assert_eq!(notices(&running).await, ["headers_held_back"]);

    // No `forwarding_namespaces`, or `ext_proc` before `ext_authz`.
    let asked = list(&running).await;
    let nothing = json!({});
    for facts in [None, Some(&nothing)] {
        let unsaid = Shown {
            facts,
            ..Shown::with(&nothing)
        };
        assert_eq!(unsaid.show(&running, BODY).await, EMPTY);
    }
    // Not `FULL_DUPLEX_STREAMED`.
    let buffered = Shown {
        mode: BodySendMode::Buffered,
        ..Shown::with(&asked.facts)
    };
    let told = buffered.show(&running, BODY).await;
    assert!(told.contains("response_not_streamed"), "{told}");
    // `observability_mode`.
    let asked = list(&running).await;
    let observed = Shown {
        is_observed: true,
        ..Shown::with(&asked.facts)
    };
    assert_eq!(observed.show(&running, BODY).await, FILTERED);
    let expected = [
        "headers_held_back",
        "responses_only_observed",
        "response_without_check",
        "body_not_streamed",
    ];
    assert_eq!(notices(&running).await, expected);
    for (notice, total) in [
        ("headers_held_back", 1),
        ("responses_not_shown", 0),
        ("server_by_host", 0),
        ("response_without_check", 2),
        ("body_not_streamed", 1),
        ("responses_only_observed", 1),
    ] {
        let metric = format!("mcp_authz_notices_total{{notice=\"{notice}\"}}");
        assert_eq!(count(&running, &metric).await, total, "{notice}");
    }
}

#[tokio::test]
async fn a_server_that_the_client_chooses_is_noticed() {
    let home = Home::new();
    let mail =
        "- name: mail\n  match: {hosts: [mail.test]}\n  resource: https://mail.test/mcp\npolicy:";
    home.configure("policy:", mail);
    let running = home.ready().await;
    let mut check = asking("tools/list", Value::Null);
    let attributes = check.attributes.as_mut().unwrap();
    attributes
        .context_extensions
        .insert("mcp_server".to_owned(), "notes".to_owned());
    assert_eq!(running.check(check).await.fact("reason"), "allowed");
    assert_eq!(notices(&running).await, [""; 0]);
    list(&running).await;
    assert_eq!(notices(&running).await, ["server_by_host"]);
}

#[tokio::test]
async fn a_route_that_names_no_server_is_noticed_and_a_host_that_names_none_is_not() {
    let running = Home::new().ready().await;
    let asked = |host: &str, server: Option<&str>| {
        let mut check = asking("tools/list", Value::Null);
        let attributes = check.attributes.as_mut().unwrap();
        let request = attributes.request.as_mut().unwrap();
        host.clone_into(&mut request.http.as_mut().unwrap().host);
        if let Some(server) = server {
            let named = ("mcp_server".to_owned(), server.to_owned());
            attributes.context_extensions.extend([named]);
        }
        check
    };
    let answer = running.check(asked("nobody.test", None)).await;
    assert_eq!(answer.fact("reason"), "unknown_server");
    assert_eq!(notices(&running).await, [""; 0]);
    let answer = running.check(asked("nobody.test", Some("note"))).await;
    assert_eq!(answer.fact("reason"), "unknown_server");
    assert_eq!(notices(&running).await, ["unknown_server_named"]);
}
