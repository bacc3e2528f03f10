//! Converts Envoy's messages about responses to our types, and back.

use prost_types::value::Kind;
use tonic::Status;

use crate::check::LocalReply;
use crate::response::{BodyMode, Carried, ResponseHead};

use super::super::check_response::settable_headers;
use super::super::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use super::super::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption, Metadata};
use super::super::proto::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use super::super::proto::envoy::service::ext_proc::v3::body_mutation::Mutation;
use super::super::proto::envoy::service::ext_proc::v3::processing_response::Response;
use super::super::proto::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody,
    HttpHeaders, ImmediateResponse, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use super::super::proto::envoy::r#type::v3::HttpStatus;

/// What the check said: the strings under the name of the `ext_authz` filter.
pub(super) fn carried(metadata: Option<Metadata>) -> Carried {
    let said = metadata?.filter_metadata.remove(EXT_AUTHZ)?;
    let strings = said.fields.into_iter().filter_map(|(key, value)| {
        if let Some(Kind::StringValue(text)) = value.kind {
            Some((key, text))
        } else {
            None
        }
    });
    Some(strings.collect())
}

/// The head of a response.
///
/// # Errors
/// A header that says two things.
pub(super) fn head(headers: HttpHeaders, body: BodyMode) -> Result<ResponseHead, Status> {
    let HttpHeaders {
        headers,
        end_of_stream,
    } = headers;
    let listed = headers.map(|map| map.headers).unwrap_or_default();
    let mut headers = Vec::with_capacity(listed.len());
    let mut statuses = Vec::new();
    for header in listed {
        let (name, value) = raw_header(header)?;
        if name == ":status" {
            statuses.push(value);
        } else if !name.starts_with(':') {
            headers.push((name, value));
        }
    }
    let status = match statuses.as_slice() {
        [status] => status_code(status),
        _ => None,
    };
    Ok(ResponseHead {
        status,
        headers,
        is_all: end_of_stream,
        body,
    })
}

/// One header, its name in lower case. Bytes that are not UTF-8 become U+FFFD.
fn raw_header(header: HeaderValue) -> Result<(String, String), Status> {
    let HeaderValue {
        mut key,
        value,
        raw_value,
    } = header;
    key.make_ascii_lowercase();
    if raw_value.is_empty() {
        return Ok((key, value));
    }
    if !value.is_empty() && value.as_bytes() != raw_value {
        return Err(Status::invalid_argument("a header has two values"));
    }
    Ok((key, String::from_utf8_lossy(&raw_value).into_owned()))
}

fn status_code(text: &str) -> Option<u16> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| text.parse().ok()).flatten()
}

pub(super) fn reply(response: Response) -> ProcessingResponse {
    ProcessingResponse {
        response: Some(response),
        dynamic_metadata: None,
        mode_override: None,
    }
}

/// Lets a head go on without these headers.
pub(super) fn head_goes_on(remove: &[&str]) -> HeadersResponse {
    let header_mutation = HeaderMutation {
        set_headers: Vec::new(),
        remove_headers: remove.iter().map(|&name| name.to_owned()).collect(),
    };
    HeadersResponse {
        response: Some(CommonResponse {
            header_mutation: (!remove.is_empty()).then_some(header_mutation),
            ..CommonResponse::default()
        }),
    }
}

/// Lets a chunk or a whole body go on as it is, where it comes in such a way.
pub(super) fn body_goes_on() -> BodyResponse {
    BodyResponse {
        response: Some(CommonResponse::default()),
    }
}

/// Lets a chunk of a request go on; none if we cannot.
pub(super) fn passed(body: HttpBody, mode: Option<BodySendMode>) -> Option<BodyResponse> {
    match mode {
        Some(BodySendMode::FullDuplexStreamed) => Some(piece(body.body, body.end_of_stream)),
        Some(BodySendMode::Grpc) => None,
        Some(
            BodySendMode::None
            | BodySendMode::Streamed
            | BodySendMode::Buffered
            | BodySendMode::BufferedPartial,
        )
        | None => Some(body_goes_on()),
    }
}

/// A piece of a body in the place of what came.
pub(super) fn piece(body: bytes::Bytes, end_of_stream: bool) -> BodyResponse {
    let streamed = StreamedBodyResponse {
        body,
        end_of_stream,
    };
    BodyResponse {
        response: Some(CommonResponse {
            body_mutation: Some(BodyMutation {
                mutation: Some(Mutation::StreamedResponse(streamed)),
            }),
            ..CommonResponse::default()
        }),
    }
}

pub(super) fn trailers_go_on() -> TrailersResponse {
    TrailersResponse {
        header_mutation: None,
    }
}

/// A reply of ours. Envoy would make 200 of a status that it does not take, so that becomes 503.
pub(super) fn immediate(reply: LocalReply) -> ImmediateResponse {
    let LocalReply {
        status,
        headers,
        body,
    } = reply;
    let code = match status.as_u16() {
        code @ (200 | 202 | 204 | 400..=599) => code,
        _ => 503,
    };
    // `raw_value` and not `value`, which ext_proc ignores.
    let set_headers = settable_headers(&headers).map(|(name, value)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: String::new(),
            raw_value: value.to_owned().into(),
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
    });
    ImmediateResponse {
        status: Some(HttpStatus {
            code: i32::from(code),
        }),
        headers: Some(HeaderMutation {
            set_headers: set_headers.collect(),
            remove_headers: Vec::new(),
        }),
        body: body.into(),
        details: DETAILS.to_owned(),
    }
}

/// The namespace in which Envoy keeps what our checks say.
const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";
/// Why Envoy answered, for its log.
const DETAILS: &str = "mcp_authz_replied";
