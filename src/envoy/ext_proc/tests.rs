use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use http::StatusCode;
use prost_types::value::Kind;
use tonic::Code;

use super::*;
use crate::check::LocalReply;
use crate::envoy::proto::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata};
use crate::envoy::proto::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use crate::envoy::proto::envoy::service::ext_proc::v3::body_mutation::Mutation;
use crate::envoy::proto::envoy::service::ext_proc::v3::processing_request::Request as Said;
use crate::envoy::proto::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use crate::envoy::proto::envoy::service::ext_proc::v3::{
    BodyResponse, HttpBody, HttpHeaders, HttpTrailers, ImmediateResponse, ProtocolConfiguration,
};
use crate::response::{Attendance, BodyMode, Carried, FilterOutput, ResponseFilter, ResponseHead};

/// Gives outputs as they were written down, and writes down what it is shown.
#[derive(Debug, Default)]
struct Script {
    outputs: Mutex<VecDeque<Vec<FilterOutput>>>,
    shown: Mutex<Vec<Shown>>,
}

/// Notes when it is dropped.
#[derive(Debug)]
struct Attended(Arc<Script>);

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.shown().push(Shown::Left);
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Shown {
    Attended(Carried),
    Left,
    Head(Carried, ResponseHead),
    Body(Bytes, bool),
    Trailers,
    Dropped,
}

#[derive(Debug)]
struct Scene(Arc<Script>, bool);

#[derive(Debug)]
struct Progress(Arc<Script>);

impl Script {
    fn show(&self, shown: Shown) -> Vec<FilterOutput> {
        self.shown().push(shown);
        self.outputs.lock().unwrap().pop_front().unwrap_or_default()
    }

    fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.shown.lock().unwrap()
    }
}

impl FilterResponses for Progress {
    type Filter = Scene;

    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        let stays = |facts: &HashMap<String, String>| facts.contains_key("stays");
        if !carried.as_ref().is_some_and(stays) {
            return Attendance::default();
        }
        self.0.shown().push(Shown::Attended(carried.clone()));
        Attendance::of(Attended(Arc::clone(&self.0)))
    }

    async fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: ResponseHead,
    ) -> (Scene, Vec<FilterOutput>) {
        let lasts = |facts: &HashMap<String, String>| facts.contains_key("lasts");
        let is_standing = carried.as_ref().is_some_and(lasts);
        let outputs = self.0.show(Shown::Head(carried, head));
        (Scene(Arc::clone(&self.0), is_standing), outputs)
    }
}

impl ResponseFilter for Scene {
    async fn body(&mut self, chunk: Bytes, end: bool) -> Vec<FilterOutput> {
        self.0.show(Shown::Body(chunk, end))
    }

    async fn trailers(&mut self) -> Vec<FilterOutput> {
        self.0.show(Shown::Trailers)
    }

    fn is_standing(&self) -> bool {
        self.1
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.0.shown().push(Shown::Dropped);
    }
}

const HEAD: FilterOutput = FilterOutput::Head { remove: &[] };

fn chunk(text: &'static str) -> FilterOutput {
    FilterOutput::Chunk(Bytes::from_static(text.as_bytes()))
}

fn reply(status: u16) -> FilterOutput {
    FilterOutput::Reply(LocalReply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("content-length", "7".to_owned()),
        ],
        body: "{}".to_owned(),
    })
}

fn message(said: Said) -> ProcessingRequest {
    ProcessingRequest {
        request: Some(said),
        ..ProcessingRequest::default()
    }
}

/// The first message: how bodies come, and a head.
fn begins(response: BodySendMode, end_of_stream: bool) -> ProcessingRequest {
    let mut first = message(head(&[(":status", "200")], end_of_stream));
    first.protocol_config = Some(ProtocolConfiguration {
        request_body_mode: BodySendMode::None.into(),
        response_body_mode: response.into(),
    });
    first
}

fn head(headers: &[(&str, &str)], end_of_stream: bool) -> Said {
    let raw = |&(key, value): &(&str, &str)| HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
    };
    let headers = headers.iter().map(raw).collect();
    Said::ResponseHeaders(HttpHeaders {
        headers: Some(HeaderMap { headers }),
        end_of_stream,
    })
}

fn body(text: &'static str, end_of_stream: bool) -> ProcessingRequest {
    message(Said::ResponseBody(HttpBody {
        body: Bytes::from_static(text.as_bytes()),
        end_of_stream,
    }))
}

fn trailers() -> ProcessingRequest {
    message(Said::ResponseTrailers(HttpTrailers::default()))
}

/// Everything that is told on a stream of these messages: replies, then how it ends.
async fn stream(
    script: &Arc<Script>,
    messages: Vec<ProcessingRequest>,
) -> (Vec<Reply>, Result<(), Code>) {
    let stream = opened(script);
    let mut replies = Replies::new(
        stream,
        tokio_stream::iter(messages.into_iter().map(Ok)),
        Ending::default(),
    );
    let mut told = Vec::new();
    let end = loop {
        match replies.next().await {
            Some(Ok(reply)) => told.push(reply.response.unwrap()),
            Some(Err(status)) => break Err(status.code()),
            None => break Ok(()),
        }
    };
    assert!(replies.next().await.is_none());
    (told, end)
}

fn opened(script: &Arc<Script>) -> ProcessingStream<Progress> {
    let scope = telemetry::Trace::of_call(&http::HeaderMap::new()).response_scope();
    ProcessingStream::new(Arc::new(Progress(Arc::clone(script))), scope)
}

fn script(outputs: Vec<Vec<FilterOutput>>) -> Arc<Script> {
    Arc::new(Script {
        outputs: Mutex::new(outputs.into()),
        shown: Mutex::default(),
    })
}

/// What is told, one word for each reply.
fn words(replies: &[Reply]) -> Vec<String> {
    replies.iter().map(word).collect()
}

fn word(reply: &Reply) -> String {
    match reply {
        Reply::RequestHeaders(_) => "request head".to_owned(),
        Reply::RequestBody(body) => format!("request {}", piece(body)),
        Reply::RequestTrailers(_) => "request trailers".to_owned(),
        Reply::ResponseHeaders(head) => {
            let mutation = head.response.clone().unwrap().header_mutation;
            let removed = mutation.map(|mutation| mutation.remove_headers);
            format!("head {}", removed.unwrap_or_default().join(","))
        }
        Reply::ResponseBody(body) => piece(body),
        Reply::ResponseTrailers(_) => "trailers".to_owned(),
        Reply::ImmediateResponse(reply) => format!("reply {}", status(reply)),
    }
}

fn piece(body: &BodyResponse) -> String {
    match body.response.clone().unwrap().body_mutation {
        None => "unchanged".to_owned(),
        Some(mutation) => match mutation.mutation.unwrap() {
            Mutation::StreamedResponse(piece) => format!(
                "{}{}",
                String::from_utf8_lossy(&piece.body),
                if piece.end_of_stream { "." } else { "" }
            ),
            other @ (Mutation::Body(_) | Mutation::ClearBody(_)) => panic!("{other:?}"),
        },
    }
}

fn status(reply: &ImmediateResponse) -> i32 {
    reply.status.unwrap().code
}

const DUPLEX: BodySendMode = BodySendMode::FullDuplexStreamed;

#[tokio::test]
async fn a_response_goes_by_piece_by_piece() {
    let script = script(vec![
        vec![FilterOutput::Head {
            remove: &["content-length", "etag"],
        }],
        vec![chunk("a"), chunk(""), chunk("b")],
        vec![],
        vec![chunk("c"), FilterOutput::End],
    ]);
    let messages = vec![
        begins(DUPLEX, false),
        body("1", false),
        body("2", false),
        body("", true),
    ];
    let (told, end) = stream(&script, messages).await;
    assert_eq!(words(&told), ["head content-length,etag", "a", "b", "c."]);
    assert_eq!(end, Ok(()));
    let shown = script.shown();
    let expected = [
        Shown::Body(Bytes::from_static(b"1"), false),
        Shown::Body(Bytes::from_static(b"2"), false),
        Shown::Body(Bytes::new(), true),
        Shown::Dropped,
    ];
    assert_eq!(shown.get(1..).unwrap(), expected);
}

#[tokio::test]
async fn what_is_told_for_trailers_comes_before_them() {
    for (with_end, outputs, expected) in [
        (
            false,
            vec![chunk("a"), FilterOutput::End],
            vec!["a.", "trailers"],
        ),
        (
            false,
            vec![HEAD, chunk("a")],
            vec!["head ", "a", "trailers"],
        ),
        (false, vec![reply(502)], vec!["reply 502"]),
        (true, vec![], vec!["trailers"]),
    ] {
        let held = outputs.contains(&HEAD) || outputs.contains(&reply(502));
        let first = if held { vec![] } else { vec![HEAD] };
        let script = if with_end {
            script(vec![first, vec![], outputs])
        } else {
            script(vec![first, outputs])
        };
        let mut messages = vec![begins(DUPLEX, false)];
        if with_end {
            messages.push(body("", true));
        }
        messages.push(trailers());
        let (told, end) = stream(&script, messages).await;
        let told: Vec<_> = words(&told).split_off(usize::from(!held));
        assert_eq!(told, expected);
        assert_eq!(end, Ok(()));
        assert!(script.shown().contains(&Shown::Trailers));
    }
}

#[tokio::test]
async fn big_chunks_are_told_in_pieces() {
    const KIB: usize = 1024;
    for (bytes, expected) in [
        (64 * KIB, vec![64 * KIB]),
        (64 * KIB + 1, vec![64 * KIB, 1]),
        (192 * KIB, vec![64 * KIB, 64 * KIB, 64 * KIB]),
    ] {
        let whole = FilterOutput::Chunk(vec![b'x'; bytes].into());
        let script = script(vec![vec![HEAD, whole, FilterOutput::End]]);
        let (told, _) = stream(&script, vec![begins(DUPLEX, false)]).await;
        let pieces: Vec<String> = words(&told).split_off(1);
        let sizes: Vec<usize> = pieces
            .iter()
            .map(|piece| piece.trim_end_matches('.').len())
            .collect();
        assert_eq!(sizes, expected);
        let ends: Vec<bool> = pieces.iter().map(|piece| piece.ends_with('.')).collect();
        assert_eq!(ends.iter().position(|end| *end), Some(expected.len() - 1));
    }
}

#[tokio::test]
async fn after_a_local_reply_nothing_is_read() {
    let script = script(vec![vec![], vec![reply(502), chunk("never")]]);
    let messages = vec![
        begins(DUPLEX, false),
        body("1", false),
        body("2", true),
        trailers(),
    ];
    let (told, end) = stream(&script, messages).await;
    assert_eq!(words(&told), ["reply 502"]);
    assert_eq!(end, Ok(()));
    assert_eq!(script.shown().len(), 3);
    assert_eq!(script.shown().last(), Some(&Shown::Dropped));
    let Some(Reply::ImmediateResponse(reply)) = told.into_iter().next() else {
        panic!("no response");
    };
    let headers = reply.headers.unwrap();
    assert_eq!(headers.remove_headers, Vec::<String>::new());
    let [header] = headers.set_headers.as_slice() else {
        panic!("{headers:?}");
    };
    assert_eq!(header.append_action, 2);
    let header = header.header.clone().unwrap();
    assert_eq!(
        (
            header.key.as_str(),
            header.value.as_str(),
            &*header.raw_value
        ),
        ("content-type", "", &b"application/json"[..])
    );
    assert_eq!(reply.body, "{}");
    assert_eq!(reply.details, "mcp_authz_replied");
}

#[tokio::test]
async fn a_status_that_envoy_would_not_take_becomes_503() {
    for (status, expected) in [
        (200, 200),
        (202, 202),
        (204, 204),
        (404, 404),
        (502, 502),
        (599, 599),
        (100, 503),
        (299, 503),
        (302, 503),
        (999, 503),
    ] {
        let script = script(vec![vec![reply(status)]]);
        let (told, _) = stream(&script, vec![begins(DUPLEX, false)]).await;
        assert_eq!(words(&told), [format!("reply {expected}")], "{status}");
    }
}

#[tokio::test]
async fn what_is_broken_off_ends_the_stream_with_an_error() {
    for (first, told_first) in [(vec![], vec![]), (vec![HEAD], vec!["head "])] {
        let script = script(vec![first, vec![FilterOutput::Abort, chunk("never")]]);
        let messages = vec![begins(DUPLEX, false), body("1", false), body("2", true)];
        let (told, end) = stream(&script, messages).await;
        assert_eq!(words(&told), told_first);
        assert_eq!(end, Err(Code::Aborted));
        assert_eq!(script.shown().len(), 3);
        assert_eq!(script.shown().last(), Some(&Shown::Dropped));
    }
}

#[tokio::test]
async fn outputs_out_of_turn_are_not_told() {
    for outputs in [
        vec![chunk("a")],
        vec![FilterOutput::End],
        vec![HEAD, HEAD],
        vec![HEAD, reply(502)],
        vec![HEAD, FilterOutput::End, chunk("a")],
        vec![HEAD, chunk("a"), FilterOutput::End, FilterOutput::End],
        vec![HEAD, FilterOutput::End, reply(502)],
    ] {
        let script = script(vec![outputs.clone()]);
        let (told, end) = stream(&script, vec![begins(DUPLEX, false)]).await;
        assert_eq!(end, Err(Code::Aborted), "{outputs:?}");
        assert!(told.len() < outputs.len(), "{outputs:?}");
    }
}

#[tokio::test]
async fn messages_out_of_turn_end_the_stream() {
    let begun = || begins(DUPLEX, false);
    let nothing = ProcessingRequest::default;
    for (messages, code) in [
        (vec![nothing()], Code::InvalidArgument),
        (vec![begun(), nothing()], Code::InvalidArgument),
        (vec![body("", false)], Code::FailedPrecondition),
        (vec![trailers()], Code::FailedPrecondition),
        (vec![begun(), begun()], Code::FailedPrecondition),
        (
            vec![begins(DUPLEX, true), body("", true)],
            Code::FailedPrecondition,
        ),
        (
            vec![begins(DUPLEX, true), trailers()],
            Code::FailedPrecondition,
        ),
        (
            vec![begun(), body("", true), body("", true)],
            Code::FailedPrecondition,
        ),
        (
            vec![begun(), trailers(), body("", true)],
            Code::FailedPrecondition,
        ),
        (
            vec![begun(), trailers(), trailers()],
            Code::FailedPrecondition,
        ),
        (
            vec![begins(BodySendMode::None, false), body("", true)],
            Code::FailedPrecondition,
        ),
    ] {
        let script = script(vec![vec![HEAD]]);
        let (_, end) = stream(&script, messages.clone()).await;
        assert_eq!(end, Err(code), "{messages:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_well_only_where_nothing_is_missing() {
    use BodySendMode as Mode;
    for (messages, end) in [
        (vec![], Ok(())),
        (vec![begins(Mode::None, false)], Ok(())),
        (vec![begins(DUPLEX, true)], Ok(())),
        (vec![begins(DUPLEX, false), body("", true)], Ok(())),
        (vec![begins(DUPLEX, false), trailers()], Ok(())),
        (vec![begins(DUPLEX, false)], Err(Code::Aborted)),
        (
            vec![begins(DUPLEX, false), body("1", false)],
            Err(Code::Aborted),
        ),
        (vec![begins(Mode::Streamed, false)], Err(Code::Aborted)),
    ] {
        let script = script(vec![vec![HEAD]]);
        assert_eq!(
            stream(&script, messages.clone()).await.1,
            end,
            "{messages:?}"
        );
    }
}

#[tokio::test]
async fn the_way_in_which_a_body_comes_is_told() {
    use BodySendMode as Mode;
    for (mode, expected) in [
        (DUPLEX, BodyMode::Streamed),
        (Mode::None, BodyMode::Withheld),
        (Mode::Streamed, BodyMode::Other),
        (Mode::Buffered, BodyMode::Other),
        (Mode::BufferedPartial, BodyMode::Other),
        (Mode::Grpc, BodyMode::Other),
    ] {
        assert_eq!(shown_head(begins(mode, true)).await.1.body, expected);
    }
    let mut unknown = begins(DUPLEX, true);
    unknown.protocol_config.as_mut().unwrap().response_body_mode = 77;
    assert_eq!(shown_head(unknown).await.1.body, BodyMode::Other);
    let silent = message(head(&[(":status", "200")], true));
    assert_eq!(shown_head(silent).await.1.body, BodyMode::Other);
}

#[tokio::test]
async fn a_body_that_cannot_be_filtered_goes_where_its_head_went() {
    let messages = || vec![begins(BodySendMode::Buffered, false), body("1", true)];
    let let_go = script(vec![vec![HEAD]]);
    let (told, end) = stream(&let_go, messages()).await;
    assert_eq!(words(&told), ["head ", "unchanged"]);
    assert_eq!(end, Ok(()));
    let held = script(vec![vec![]]);
    let (told, end) = stream(&held, messages()).await;
    assert_eq!(words(&told), Vec::<String>::new());
    assert_eq!(end, Err(Code::FailedPrecondition));
}

async fn shown_head(message: ProcessingRequest) -> (Carried, ResponseHead) {
    let script = script(vec![]);
    drop(stream(&script, vec![message]).await);
    let shown = script.shown();
    let Some(Shown::Head(carried, head)) = shown.first() else {
        panic!("{shown:?}");
    };
    (carried.clone(), head.clone())
}

#[tokio::test]
async fn a_head_is_read_as_it_is() {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut listed = message(head(
        &[
            (":status", "404"),
            ("Content-Type", "Application/JSON"),
            (":odd", "1"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
        ],
        true,
    ));
    let Some(Said::ResponseHeaders(headers)) = &mut listed.request else {
        panic!("no head");
    };
    let listed_headers = &mut headers.headers.as_mut().unwrap().headers;
    listed_headers.push(HeaderValue {
        key: "x-old".to_owned(),
        value: "in value".to_owned(),
        raw_value: Bytes::new(),
    });
    listed_headers.push(HeaderValue {
        key: "x-bytes".to_owned(),
        value: String::new(),
        raw_value: Bytes::from_static(b"\xff"),
    });
    let head = shown_head(listed).await.1;
    assert_eq!(head.status, Some(404));
    assert!(head.is_all);
    assert_eq!(
        head.headers,
        [
            text("content-type", "Application/JSON"),
            text("set-cookie", "a"),
            text("set-cookie", "b"),
            text("x-old", "in value"),
            text("x-bytes", "\u{fffd}"),
        ]
    );
}

#[tokio::test]
async fn a_status_is_three_digits_once() {
    for (headers, expected) in [
        (vec![(":status", "200")], Some(200)),
        (vec![], None),
        (vec![(":status", "")], None),
        (vec![(":status", "+20")], None),
        (vec![(":status", "0200")], None),
        (vec![(":status", "20")], None),
        (vec![(":status", "200"), (":status", "200")], None),
        (vec![("status", "200")], None),
    ] {
        let shown = shown_head(message(head(&headers, true))).await;
        assert_eq!(shown.1.status, expected, "{headers:?}");
    }
    assert!(!shown_head(begins(DUPLEX, false)).await.1.is_all);
}

#[tokio::test]
async fn a_header_that_says_two_things_ends_the_stream() {
    let header = HeaderValue {
        key: "a".to_owned(),
        value: "b".to_owned(),
        raw_value: Bytes::from_static(b"c"),
    };
    let headers = Some(HeaderMap {
        headers: vec![header],
    });
    let head = Said::ResponseHeaders(HttpHeaders {
        headers,
        end_of_stream: true,
    });
    let script = script(vec![]);
    let (_, end) = stream(&script, vec![message(head)]).await;
    assert_eq!(end, Err(Code::InvalidArgument));
    assert_eq!(*script.shown(), []);
}

#[tokio::test]
async fn only_strings_under_the_name_of_ext_authz_are_carried() {
    const NAMESPACE: &str = "envoy.filters.http.ext_authz";
    let text = |text: &str| Kind::StringValue(text.to_owned());
    let fields = |fields: Vec<(&str, Kind)>| prost_types::Struct {
        fields: fields
            .into_iter()
            .map(|(key, kind)| (key.to_owned(), prost_types::Value { kind: Some(kind) }))
            .collect(),
    };
    for (metadata, expected) in [
        (None, None),
        (Some(vec![]), None),
        (Some(vec![("other", vec![("a", text("b"))])]), None),
        (Some(vec![(NAMESPACE, vec![])]), Some(vec![])),
        (
            Some(vec![
                ("other", vec![("subject", text("mallory"))]),
                (
                    NAMESPACE,
                    vec![
                        ("subject", text("alice")),
                        ("number", Kind::NumberValue(1.0)),
                        ("nothing", Kind::NullValue(0)),
                        ("list", Kind::ListValue(prost_types::ListValue::default())),
                    ],
                ),
            ]),
            Some(vec![("subject", "alice")]),
        ),
    ] {
        let mut first = begins(DUPLEX, true);
        first.metadata_context = metadata.map(|namespaces| Metadata {
            filter_metadata: namespaces
                .into_iter()
                .map(|(name, said)| (name.to_owned(), fields(said)))
                .collect(),
        });
        let expected = expected.map(|pairs: Vec<(&str, &str)>| {
            let owned = pairs.into_iter();
            owned
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect::<HashMap<_, _>>()
        });
        assert_eq!(shown_head(first).await.0, expected);
    }
}

#[tokio::test]
async fn what_a_request_has_stays_while_its_stream_lasts() {
    let begins_with = |key: &str| {
        let mut first = message(Said::RequestHeaders(HttpHeaders::default()));
        first.metadata_context = Some(metadata(key));
        first
    };
    let has = Shown::Attended(Some([("stays".to_owned(), "yes".to_owned())].into()));

    // Nothing of the response is shown, or its trailers alone.
    for (messages, words_told) in [
        (vec![begins_with("stays")], vec!["request head"]),
        (
            vec![begins_with("stays"), trailers()],
            vec!["request head", "trailers"],
        ),
    ] {
        let script = script(vec![]);
        let (told, end) = stream(&script, messages).await;
        assert_eq!(
            (words(&told), end),
            (words_told.iter().map(ToString::to_string).collect(), Ok(()))
        );
        assert_eq!(*script.shown(), [has.clone(), Shown::Left]);
    }
    let none = script(vec![]);
    let (told, end) = stream(&none, vec![begins_with("other"), trailers()]).await;
    assert_eq!((words(&told).len(), end), (2, Ok(())));
    assert_eq!(*none.shown(), []);

    // The response is shown too, after the request or without it, and it is had once.
    for with_request in [true, false] {
        let script = script(vec![vec![HEAD], vec![chunk("a"), FilterOutput::End]]);
        let mut reply = begins(DUPLEX, false);
        reply.metadata_context = Some(metadata("stays"));
        let mut messages = vec![reply, body("1", true)];
        if with_request {
            let mut request = begins_with("stays");
            request
                .protocol_config
                .clone_from(&messages.first().unwrap().protocol_config);
            messages.insert(0, request);
        }
        let (_, end) = stream(&script, messages).await;
        assert_eq!(end, Ok(()));
        let shown = script.shown();
        assert_eq!(shown.iter().filter(|one| **one == has).count(), 1);
        assert_eq!(shown.iter().filter(|one| **one == Shown::Left).count(), 1);
        assert_eq!(shown.first(), Some(&has));
    }

    // While it lasts.
    let script = script(vec![]);
    let messages = tokio_stream::iter([Ok(begins_with("stays"))]).chain(tokio_stream::pending());
    let mut replies = Replies::new(opened(&script), messages, Ending::default());
    assert!(replies.next().await.is_some());
    assert_eq!(*script.shown(), std::slice::from_ref(&has));
    drop(replies);
    assert_eq!(*script.shown(), [has, Shown::Left]);
}

/// What a check said: one member of this name.
fn metadata(key: &str) -> Metadata {
    let value = prost_types::Value {
        kind: Some(Kind::StringValue("yes".to_owned())),
    };
    let said = prost_types::Struct {
        fields: [(key.to_owned(), value)].into(),
    };
    Metadata {
        filter_metadata: [("envoy.filters.http.ext_authz".to_owned(), said)].into(),
    }
}

/// How a stream ends, of a response that lasts or not, once the process is ending.
async fn left(name: &'static str, mode: BodySendMode) -> Option<Result<(), Code>> {
    let script = script(vec![vec![HEAD]]);
    let mut first = begins(mode, false);
    first.metadata_context = Some(metadata(name));
    let messages = tokio_stream::iter([Ok(first)]).chain(tokio_stream::pending());
    let ending = Ending::default();
    let mut replies = Replies::new(opened(&script), messages, ending.clone());
    assert!(replies.next().await.unwrap().is_ok());
    let soon = tokio::time::timeout(2 * QUIET, replies.next()).await;
    assert!(soon.is_err(), "it ends by itself");
    ending.begin();
    let end = tokio::time::timeout(2 * QUIET, replies.next()).await.ok()?;
    Some(end.map_or(Ok(()), |end| Err(end.unwrap_err().code())))
}

#[tokio::test(start_paused = true)]
async fn a_response_that_lasts_is_left_when_the_process_ends() {
    assert_eq!(left("lasts", DUPLEX).await, Some(Err(Code::Unavailable)));
    // Envoy goes on without us where it does not show the body.
    assert_eq!(left("lasts", BodySendMode::None).await, Some(Ok(())));
    assert_eq!(left("ends", DUPLEX).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_lasts_is_not_left_while_something_comes() {
    let script = script(vec![vec![HEAD], vec![chunk("a")], vec![chunk("b")]]);
    let mut first = begins(DUPLEX, false);
    first.metadata_context = Some(metadata("lasts"));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let ending = Ending::default();
    let mut replies = Replies::new(opened(&script), messages, ending.clone());
    sender.send(Ok(first)).await.unwrap();
    assert!(replies.next().await.unwrap().is_ok());
    ending.begin();
    for text in ["1", "2"] {
        let soon = tokio::time::timeout(QUIET * 3 / 4, replies.next()).await;
        assert!(soon.is_err(), "{text}");
        sender.send(Ok(body(text, false))).await.unwrap();
        assert!(replies.next().await.unwrap().is_ok(), "{text}");
    }
    assert!(replies.next().await.unwrap().is_err());
}

#[tokio::test]
async fn requests_pass_unchanged() {
    use BodySendMode as Mode;
    let requests = |mode: Mode| {
        let mut first = message(Said::RequestHeaders(HttpHeaders::default()));
        first.protocol_config = Some(ProtocolConfiguration {
            request_body_mode: mode.into(),
            response_body_mode: DUPLEX.into(),
        });
        let chunk = |text: &'static str, end_of_stream| {
            message(Said::RequestBody(HttpBody {
                body: Bytes::from_static(text.as_bytes()),
                end_of_stream,
            }))
        };
        let trailers = message(Said::RequestTrailers(HttpTrailers::default()));
        let reply = message(head(&[(":status", "200")], true));
        vec![first, chunk("1", false), chunk("2", true), trailers, reply]
    };
    for (mode, pieces) in [
        (DUPLEX, ["request 1", "request 2."]),
        (Mode::Streamed, ["request unchanged"; 2]),
        (Mode::Buffered, ["request unchanged"; 2]),
        (Mode::BufferedPartial, ["request unchanged"; 2]),
    ] {
        let script = script(vec![vec![HEAD]]);
        let (told, end) = stream(&script, requests(mode)).await;
        let [one, two] = pieces;
        let expected = ["request head", one, two, "request trailers", "head "];
        assert_eq!(words(&told), expected);
        assert_eq!(end, Ok(()));
        let shown = script.shown();
        let Some(Shown::Head(_, head)) = shown.first() else {
            panic!("{shown:?}");
        };
        assert_eq!(head.body, BodyMode::Streamed);
    }
    let (told, end) = stream(&script(vec![]), requests(Mode::Grpc)).await;
    assert_eq!(words(&told), ["request head"]);
    assert_eq!(end, Err(Code::FailedPrecondition));
}

#[tokio::test]
async fn replies_that_envoy_ignores_are_given_all_the_same() {
    let script = script(vec![vec![HEAD]]);
    let mut first = begins(DUPLEX, true);
    first.observability_mode = true;
    let (told, end) = stream(&script, vec![first]).await;
    assert_eq!(words(&told), ["head "]);
    assert_eq!(end, Ok(()));
}

#[tokio::test]
async fn a_message_is_read_once_the_last_was_answered() {
    let script = script(vec![
        vec![HEAD],
        vec![chunk("a"), chunk("b")],
        vec![FilterOutput::End],
    ]);
    let read = Arc::new(AtomicUsize::new(0));
    let messages = [begins(DUPLEX, false), body("1", false), body("2", true)];
    let counted = {
        let read = Arc::clone(&read);
        tokio_stream::iter(messages).map(move |message| {
            read.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(message)
        })
    };
    let mut replies = Replies::new(opened(&script), counted, Ending::default());
    for (told, have_been_read) in [("head ", 1), ("a", 2), ("b", 2), (".", 3)] {
        let reply = replies.next().await.unwrap().unwrap();
        assert_eq!(word(&reply.response.unwrap()), told);
        assert_eq!(
            read.load(std::sync::atomic::Ordering::SeqCst),
            have_been_read
        );
    }
    drop(replies);
    assert_eq!(script.shown().last(), Some(&Shown::Dropped));
}

#[tokio::test]
async fn an_error_of_the_transport_ends_the_stream() {
    let script = script(vec![]);
    let failed = tokio_stream::iter([
        Ok(begins(DUPLEX, false)),
        Err(Status::out_of_range("too large")),
        Ok(body("1", true)),
    ]);
    let mut replies = Replies::new(opened(&script), failed, Ending::default());
    let end = replies.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::OutOfRange);
    assert!(replies.next().await.is_none());
    assert_eq!(script.shown().last(), Some(&Shown::Dropped));
}
