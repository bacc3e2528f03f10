//! What both no-op servers answer: what their route says, without a look at the request.

use envoy_types::ext_authz::v3::pb::{
    Authorization, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption,
    HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use envoy_types::pb::google::rpc;
use tonic::{Request, Response, Status};

/// The context extension on the route of requests that are to be denied: the look for it is all that
/// is done.
const DENY: &str = "deny";

/// `PERMISSION_DENIED` of google.rpc.Code.
const PERMISSION_DENIED: i32 = 7;

/// The body of a denial: in shape and size what mcp-authz sends.
const DENIAL: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"denied by policy"}],"isError":true,"_meta":{"reason":"denied_by_rule","decision_id":"00000000-0000-7000-8000-000000000000"}}}"#;

/// The argument after the address with which an allow says as much as one of mcp-authz.
const WHOLE: &str = "--whole";

/// Answers OK to everything, except on a route that says [`DENY`].
#[derive(Debug)]
pub(crate) struct Noop {
    allow: CheckResponse,
}

impl Noop {
    /// A no-op with these arguments, of which the first is the address.
    pub(crate) fn new(mut arguments: impl Iterator<Item = String>) -> Self {
        let is_whole = arguments.any(|argument| argument == WHOLE);
        Noop {
            allow: if is_whole { whole_allow() } else { allow() },
        }
    }
}

#[tonic::async_trait]
impl Authorization for Noop {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let attributes = request.get_ref().attributes.as_ref();
        let denied = attributes.is_some_and(|all| all.context_extensions.contains_key(DENY));
        Ok(Response::new(if denied {
            denial()
        } else {
            self.allow.clone()
        }))
    }
}

fn allow() -> CheckResponse {
    CheckResponse {
        status: Some(rpc::Status::default()),
        http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
        ..CheckResponse::default()
    }
}

/// An allow with as many headers and facts as mcp-authz answers the measured call with.
fn whole_allow() -> CheckResponse {
    let said = [
        ("subject", "user-1"),
        ("server", "notes"),
        ("method", "tools/call"),
        ("name", "create_note"),
        ("decision-id", "00000000-0000-7000-8000-000000000000"),
    ];
    let set = [("issuer", "https://idp.example.com"), ("agent", "client-1")];
    let told = [
        ("reason", "allowed"),
        ("rule", "engineers-write-into-projects"),
    ];
    let headers = said.iter().chain(&set);
    let headers = headers.map(|(name, value)| header(&format!("x-mcp-authz-{name}"), value));
    let fact = |(name, text): &(&str, &str)| {
        let kind = Some(Kind::StringValue((*text).to_owned()));
        (name.replace('-', "_"), Value { kind })
    };
    let ok = OkHttpResponse {
        headers: headers.collect(),
        headers_to_remove: vec!["authorization".to_owned()],
        ..OkHttpResponse::default()
    };
    CheckResponse {
        http_response: Some(HttpResponse::OkResponse(ok)),
        dynamic_metadata: Some(Struct {
            fields: said.iter().chain(&told).map(fact).collect(),
        }),
        ..allow()
    }
}

fn header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..HeaderValue::default()
        }),
        // Overwrite.
        append_action: 2,
        ..HeaderValueOption::default()
    }
}

fn denial() -> CheckResponse {
    CheckResponse {
        status: Some(rpc::Status {
            code: PERMISSION_DENIED,
            ..rpc::Status::default()
        }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: 200 }),
            headers: vec![header("content-type", "application/json")],
            body: DENIAL.to_owned(),
        })),
        ..CheckResponse::default()
    }
}
