//! What both no-op servers answer: what their route says, without a look at the request.

use envoy_types::ext_authz::v3::pb::{
    Authorization, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption,
    HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::rpc;
use tonic::{Request, Response, Status};

/// The context extension on the route of requests that are to be denied: the look for it is all that
/// is done.
const DENY: &str = "deny";

/// `PERMISSION_DENIED` of google.rpc.Code.
const PERMISSION_DENIED: i32 = 7;

/// The body of a denial: in shape and size what mcp-authz sends.
const DENIAL: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"denied by policy"}],"isError":true,"_meta":{"reason":"denied_by_rule","decision_id":"00000000-0000-7000-8000-000000000000"}}}"#;

/// Answers OK to everything, except on a route that says [`DENY`].
#[derive(Debug, Default)]
pub(crate) struct Noop;

#[tonic::async_trait]
impl Authorization for Noop {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let attributes = request.get_ref().attributes.as_ref();
        let denied = attributes.is_some_and(|all| all.context_extensions.contains_key(DENY));
        Ok(Response::new(if denied { denial() } else { allow() }))
    }
}

fn allow() -> CheckResponse {
    CheckResponse {
        status: Some(rpc::Status::default()),
        http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
        ..CheckResponse::default()
    }
}

fn denial() -> CheckResponse {
    let content_type = HeaderValueOption {
        header: Some(HeaderValue {
            key: "content-type".to_owned(),
            value: "application/json".to_owned(),
            ..HeaderValue::default()
        }),
        ..HeaderValueOption::default()
    };
    CheckResponse {
        status: Some(rpc::Status {
            code: PERMISSION_DENIED,
            ..rpc::Status::default()
        }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: 200 }),
            headers: vec![content_type],
            body: DENIAL.to_owned(),
        })),
        ..CheckResponse::default()
    }
}
