//! Our declarations of Envoy's messages against those of the crate `envoy-types`.
//!
//! Each row is one message in both: what one encodes, the other decodes to its own. A field that
//! is declared and in no row fails the last test.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb as theirs;
use mcp_authz::envoy::proto as ours;
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

use ours::envoy::config::core::v3 as our_core;
use ours::envoy::extensions::filters::http::ext_proc::v3 as our_mode;
use ours::envoy::service::auth::v3 as our_auth;
use ours::envoy::service::ext_proc::v3 as our_proc;
use theirs::envoy::config::core::v3 as their_core;
use theirs::envoy::extensions::filters::http::ext_proc::v3 as their_mode;
use theirs::envoy::service::auth::v3 as their_auth;
use theirs::envoy::service::ext_proc::v3 as their_proc;

/// One message as we encode it, with the full name of its type.
type Row = (&'static str, Vec<u8>);

/// Holds a message against its counterpart, both ways.
fn row<O, T>(name: &'static str, our: &O, their: &T) -> Row
where
    O: Message + Default + PartialEq + std::fmt::Debug,
    T: Message + Default + PartialEq + std::fmt::Debug,
{
    assert_eq!(
        &T::decode(our.encode_to_vec().as_slice()).unwrap(),
        their,
        "{name}: ours to theirs"
    );
    assert_eq!(
        &O::decode(their.encode_to_vec().as_slice()).unwrap(),
        our,
        "{name}: theirs to ours"
    );
    (name, our.encode_to_vec())
}

fn our_struct(text: &str) -> prost_types::Struct {
    let kind = Some(prost_types::value::Kind::StringValue(text.to_owned()));
    let fields = BTreeMap::from([("key".to_owned(), prost_types::Value { kind })]);
    prost_types::Struct { fields }
}

fn their_struct(text: &str) -> theirs::google::protobuf::Struct {
    let kind = Some(theirs::google::protobuf::value::Kind::StringValue(
        text.to_owned(),
    ));
    let value = theirs::google::protobuf::Value { kind };
    theirs::google::protobuf::Struct {
        fields: [("key".to_owned(), value)].into(),
    }
}

/// The fields of a header; which are used together is no question here.
const HEADER: (&str, &str, &[u8]) = ("x-a", "value", b"raw\xff");

fn our_header() -> our_core::HeaderValue {
    let (key, value, raw_value) = (HEADER.0.to_owned(), HEADER.1.to_owned(), HEADER.2.into());
    our_core::HeaderValue {
        key,
        value,
        raw_value,
    }
}

fn their_header() -> their_core::HeaderValue {
    let (key, value, raw_value) = (HEADER.0.to_owned(), HEADER.1.to_owned(), HEADER.2.into());
    their_core::HeaderValue {
        key,
        value,
        raw_value,
    }
}

fn our_headers() -> Option<our_core::HeaderMap> {
    Some(our_core::HeaderMap {
        headers: vec![our_header(), our_header()],
    })
}

fn their_headers() -> Option<their_core::HeaderMap> {
    Some(their_core::HeaderMap {
        headers: vec![their_header(), their_header()],
    })
}

fn our_option() -> our_core::HeaderValueOption {
    our_core::HeaderValueOption {
        header: Some(our_header()),
        append_action: 2,
    }
}

fn their_option() -> their_core::HeaderValueOption {
    let header = Some(their_header());
    their_core::HeaderValueOption {
        header,
        append_action: 2,
        ..Default::default()
    }
}

fn our_status(code: i32) -> Option<ours::envoy::r#type::v3::HttpStatus> {
    Some(ours::envoy::r#type::v3::HttpStatus { code })
}

fn their_status(code: i32) -> Option<theirs::envoy::r#type::v3::HttpStatus> {
    Some(theirs::envoy::r#type::v3::HttpStatus { code })
}

fn check_request_rows() -> Vec<Row> {
    let our = |address| {
        let source = our_auth::attribute_context::Peer {
            address: Some(our_core::Address {
                address: Some(address),
            }),
            principal: "spiffe://a/b".to_owned(),
            certificate: "-----BEGIN%20CERTIFICATE-----".to_owned(),
        };
        let http = our_auth::attribute_context::HttpRequest {
            method: "POST".to_owned(),
            headers: [("name".to_owned(), "joined".to_owned())].into(),
            path: "/path".to_owned(),
            host: "host".to_owned(),
            size: -1,
            body: "text".to_owned(),
            raw_body: b"bytes\xff"[..].into(),
            header_map: our_headers(),
        };
        let attributes = our_auth::AttributeContext {
            source: Some(source),
            request: Some(our_auth::attribute_context::Request { http: Some(http) }),
            context_extensions: [("extension".to_owned(), "value".to_owned())].into(),
        };
        our_auth::CheckRequest {
            attributes: Some(attributes),
        }
    };
    let their = |address| {
        let source = their_auth::attribute_context::Peer {
            address: Some(their_core::Address {
                address: Some(address),
            }),
            principal: "spiffe://a/b".to_owned(),
            certificate: "-----BEGIN%20CERTIFICATE-----".to_owned(),
            ..Default::default()
        };
        let http = their_auth::attribute_context::HttpRequest {
            method: "POST".to_owned(),
            headers: [("name".to_owned(), "joined".to_owned())].into(),
            path: "/path".to_owned(),
            host: "host".to_owned(),
            size: -1,
            body: "text".to_owned(),
            raw_body: b"bytes\xff".to_vec(),
            header_map: their_headers(),
            ..Default::default()
        };
        let request = their_auth::attribute_context::Request {
            http: Some(http),
            time: None,
        };
        let attributes = their_auth::AttributeContext {
            source: Some(source),
            request: Some(request),
            context_extensions: [("extension".to_owned(), "value".to_owned())].into(),
            ..Default::default()
        };
        their_auth::CheckRequest {
            attributes: Some(attributes),
        }
    };
    let our_socket = our_core::address::Address::SocketAddress(our_core::SocketAddress {
        address: "192.0.2.1".to_owned(),
        port_specifier: Some(our_core::socket_address::PortSpecifier::PortValue(443)),
    });
    let their_socket = their_core::address::Address::SocketAddress(their_core::SocketAddress {
        address: "192.0.2.1".to_owned(),
        port_specifier: Some(their_core::socket_address::PortSpecifier::PortValue(443)),
        ..Default::default()
    });
    let our_pipe = our_core::address::Address::Pipe(our_core::Pipe {
        path: "/p".to_owned(),
    });
    let their_pipe = their_core::address::Address::Pipe(their_core::Pipe {
        path: "/p".to_owned(),
        mode: 0,
    });
    let name = "envoy.service.auth.v3.CheckRequest";
    vec![
        row(name, &our(our_socket), &their(their_socket)),
        row(name, &our(our_pipe), &their(their_pipe)),
    ]
}

fn check_response_rows() -> Vec<Row> {
    use our_auth::check_response::HttpResponse as Our;
    use their_auth::check_response::HttpResponse as Their;
    let our_denied = || our_auth::DeniedHttpResponse {
        status: our_status(403),
        headers: vec![our_option()],
        body: "body".to_owned(),
    };
    let their_denied = || their_auth::DeniedHttpResponse {
        status: their_status(403),
        headers: vec![their_option()],
        body: "body".to_owned(),
    };
    let our_ok = our_auth::OkHttpResponse {
        headers: vec![our_option()],
        headers_to_remove: vec!["x-r".to_owned()],
    };
    let their_ok = their_auth::OkHttpResponse {
        headers: vec![their_option()],
        headers_to_remove: vec!["x-r".to_owned()],
        ..Default::default()
    };
    [
        (
            Our::DeniedResponse(our_denied()),
            Their::DeniedResponse(their_denied()),
        ),
        (Our::OkResponse(our_ok), Their::OkResponse(their_ok)),
        (
            Our::ErrorResponse(our_denied()),
            Their::ErrorResponse(their_denied()),
        ),
    ]
    .into_iter()
    .map(|(our, their)| {
        let status = ours::google::rpc::Status {
            code: 7,
            message: "no".to_owned(),
        };
        let our = our_auth::CheckResponse {
            status: Some(status),
            http_response: Some(our),
            dynamic_metadata: Some(our_struct("fact")),
        };
        let status = theirs::google::rpc::Status {
            code: 7,
            message: "no".to_owned(),
            details: vec![],
        };
        let their = their_auth::CheckResponse {
            status: Some(status),
            http_response: Some(their),
            dynamic_metadata: Some(their_struct("fact")),
        };
        row("envoy.service.auth.v3.CheckResponse", &our, &their)
    })
    .collect()
}

fn processing_request_rows() -> Vec<Row> {
    use our_proc::processing_request::Request as Our;
    use their_proc::processing_request::Request as Their;
    let our_h = || our_proc::HttpHeaders {
        headers: our_headers(),
        end_of_stream: true,
    };
    let their_h = || their_proc::HttpHeaders {
        headers: their_headers(),
        end_of_stream: true,
        ..Default::default()
    };
    let our_b = || our_proc::HttpBody {
        body: b"chunk"[..].into(),
        end_of_stream: true,
    };
    let their_b = || their_proc::HttpBody {
        body: b"chunk".to_vec(),
        end_of_stream: true,
        ..Default::default()
    };
    let our_t = || our_proc::HttpTrailers {
        trailers: our_headers(),
    };
    let their_t = || their_proc::HttpTrailers {
        trailers: their_headers(),
    };
    [
        (
            Our::RequestHeaders(our_h()),
            Their::RequestHeaders(their_h()),
        ),
        (
            Our::ResponseHeaders(our_h()),
            Their::ResponseHeaders(their_h()),
        ),
        (Our::RequestBody(our_b()), Their::RequestBody(their_b())),
        (Our::ResponseBody(our_b()), Their::ResponseBody(their_b())),
        (
            Our::RequestTrailers(our_t()),
            Their::RequestTrailers(their_t()),
        ),
        (
            Our::ResponseTrailers(our_t()),
            Their::ResponseTrailers(their_t()),
        ),
    ]
    .into_iter()
    .map(|(our, their)| {
        let filter_metadata = [("namespace".to_owned(), our_struct("fact"))].into();
        let our = our_proc::ProcessingRequest {
            request: Some(our),
            metadata_context: Some(our_core::Metadata { filter_metadata }),
            observability_mode: true,
            protocol_config: Some(our_proc::ProtocolConfiguration {
                request_body_mode: 1,
                response_body_mode: 4,
            }),
        };
        let filter_metadata = [("namespace".to_owned(), their_struct("fact"))].into();
        let their = their_proc::ProcessingRequest {
            request: Some(their),
            metadata_context: Some(their_core::Metadata {
                filter_metadata,
                ..Default::default()
            }),
            observability_mode: true,
            protocol_config: Some(their_proc::ProtocolConfiguration {
                request_body_mode: 1,
                response_body_mode: 4,
                ..Default::default()
            }),
            ..Default::default()
        };
        row("envoy.service.ext_proc.v3.ProcessingRequest", &our, &their)
    })
    .collect()
}

fn our_mutation() -> Option<our_proc::HeaderMutation> {
    let remove_headers = vec!["x-r".to_owned()];
    Some(our_proc::HeaderMutation {
        set_headers: vec![our_option()],
        remove_headers,
    })
}

fn their_mutation() -> Option<their_proc::HeaderMutation> {
    let remove_headers = vec!["x-r".to_owned()];
    Some(their_proc::HeaderMutation {
        set_headers: vec![their_option()],
        remove_headers,
    })
}

fn our_common(mutation: our_proc::body_mutation::Mutation) -> Option<our_proc::CommonResponse> {
    Some(our_proc::CommonResponse {
        status: 1,
        header_mutation: our_mutation(),
        body_mutation: Some(our_proc::BodyMutation {
            mutation: Some(mutation),
        }),
    })
}

fn their_common(
    mutation: their_proc::body_mutation::Mutation,
) -> Option<their_proc::CommonResponse> {
    Some(their_proc::CommonResponse {
        status: 1,
        header_mutation: their_mutation(),
        body_mutation: Some(their_proc::BodyMutation {
            mutation: Some(mutation),
        }),
        ..Default::default()
    })
}

type Responses = (
    our_proc::processing_response::Response,
    their_proc::processing_response::Response,
);

fn responses() -> Vec<Responses> {
    use our_proc::body_mutation::Mutation as OurMutation;
    use our_proc::processing_response::Response as Our;
    use their_proc::body_mutation::Mutation as TheirMutation;
    use their_proc::processing_response::Response as Their;
    let our_h = || our_proc::HeadersResponse {
        response: our_common(OurMutation::ClearBody(true)),
    };
    let their_h = || their_proc::HeadersResponse {
        response: their_common(TheirMutation::ClearBody(true)),
    };
    let our_whole = OurMutation::Body(b"whole"[..].into());
    let their_whole = TheirMutation::Body(b"whole".to_vec());
    let our_chunk = OurMutation::StreamedResponse(our_proc::StreamedBodyResponse {
        body: b"chunk"[..].into(),
        end_of_stream: true,
    });
    let their_chunk = TheirMutation::StreamedResponse(their_proc::StreamedBodyResponse {
        body: b"chunk".to_vec(),
        end_of_stream: true,
        ..Default::default()
    });
    let our_b = |mutation| our_proc::BodyResponse {
        response: our_common(mutation),
    };
    let their_b = |mutation| their_proc::BodyResponse {
        response: their_common(mutation),
    };
    let our_t = || our_proc::TrailersResponse {
        header_mutation: our_mutation(),
    };
    let their_t = || their_proc::TrailersResponse {
        header_mutation: their_mutation(),
    };
    let our_immediate = our_proc::ImmediateResponse {
        status: our_status(503),
        headers: our_mutation(),
        body: b"body"[..].into(),
        details: "why".to_owned(),
    };
    let their_immediate = their_proc::ImmediateResponse {
        status: their_status(503),
        headers: their_mutation(),
        body: b"body".to_vec(),
        details: "why".to_owned(),
        ..Default::default()
    };
    vec![
        (
            Our::RequestHeaders(our_h()),
            Their::RequestHeaders(their_h()),
        ),
        (
            Our::ResponseHeaders(our_h()),
            Their::ResponseHeaders(their_h()),
        ),
        (
            Our::RequestBody(our_b(our_whole)),
            Their::RequestBody(their_b(their_whole)),
        ),
        (
            Our::ResponseBody(our_b(our_chunk)),
            Their::ResponseBody(their_b(their_chunk)),
        ),
        (
            Our::RequestTrailers(our_t()),
            Their::RequestTrailers(their_t()),
        ),
        (
            Our::ResponseTrailers(our_t()),
            Their::ResponseTrailers(their_t()),
        ),
        (
            Our::ImmediateResponse(our_immediate),
            Their::ImmediateResponse(their_immediate),
        ),
    ]
}

fn processing_response_rows() -> Vec<Row> {
    let our_mode = our_mode::ProcessingMode {
        request_header_mode: 1,
        response_header_mode: 2,
        request_body_mode: 3,
        response_body_mode: 4,
        request_trailer_mode: 2,
        response_trailer_mode: 1,
    };
    let their_mode = their_mode::ProcessingMode {
        request_header_mode: 1,
        response_header_mode: 2,
        request_body_mode: 3,
        response_body_mode: 4,
        request_trailer_mode: 2,
        response_trailer_mode: 1,
    };
    responses()
        .into_iter()
        .map(|(our, their)| {
            let our = our_proc::ProcessingResponse {
                response: Some(our),
                dynamic_metadata: Some(our_struct("fact")),
                mode_override: Some(our_mode),
            };
            let their = their_proc::ProcessingResponse {
                response: Some(their),
                dynamic_metadata: Some(their_struct("fact")),
                mode_override: Some(their_mode),
                ..Default::default()
            };
            row("envoy.service.ext_proc.v3.ProcessingResponse", &our, &their)
        })
        .collect()
}

/// `envoy-types` has no health service, so these are held against bytes.
fn health_rows() -> Vec<Row> {
    use ours::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
    let request = HealthCheckRequest {
        service: "a".to_owned(),
    }
    .encode_to_vec();
    let response = HealthCheckResponse { status: 2 }.encode_to_vec();
    assert_eq!(request, [0x0a, 1, b'a']);
    assert_eq!(response, [0x08, 2]);
    vec![
        ("grpc.health.v1.HealthCheckRequest", request),
        ("grpc.health.v1.HealthCheckResponse", response),
    ]
}

#[test]
fn services_are_at_upstreams_paths() {
    use tonic::server::NamedService;
    type Health = ours::grpc::health::v1::health_server::HealthServer<()>;
    type Ours = our_auth::authorization_server::AuthorizationServer<()>;
    type Theirs = their_auth::authorization_server::AuthorizationServer<()>;
    type OurProcessor = our_proc::external_processor_server::ExternalProcessorServer<()>;
    type TheirProcessor = their_proc::external_processor_server::ExternalProcessorServer<()>;
    assert_eq!(Ours::NAME, Theirs::NAME);
    assert_eq!(Ours::NAME, mcp_authz::envoy::AUTHORIZATION);
    assert_eq!(OurProcessor::NAME, TheirProcessor::NAME);
    assert_eq!(OurProcessor::NAME, mcp_authz::envoy::PROCESSOR);
    assert_eq!(Health::NAME, "grpc.health.v1.Health");
}

#[test]
fn enums_have_upstreams_names_and_numbers() {
    use our_core::header_value_option::HeaderAppendAction as OurAction;
    use our_mode::processing_mode::{BodySendMode as OurBody, HeaderSendMode as OurHeader};
    use our_proc::common_response::ResponseStatus as OurStatus;
    use ours::grpc::health::v1::health_check_response::ServingStatus;
    use their_core::header_value_option::HeaderAppendAction as TheirAction;
    use their_mode::processing_mode::{BodySendMode as TheirBody, HeaderSendMode as TheirHeader};
    use their_proc::common_response::ResponseStatus as TheirStatus;
    macro_rules! names {
        ($enum:ty) => {
            (0..10)
                .map(|n| <$enum>::try_from(n).ok().map(|v| v.as_str_name()))
                .collect::<Vec<_>>()
        };
    }
    let mut held = BTreeSet::new();
    for (name, our, their) in [
        ("HeaderAppendAction", names!(OurAction), names!(TheirAction)),
        ("BodySendMode", names!(OurBody), names!(TheirBody)),
        ("HeaderSendMode", names!(OurHeader), names!(TheirHeader)),
        ("ResponseStatus", names!(OurStatus), names!(TheirStatus)),
    ] {
        assert_eq!(our, their, "{name}");
        held.insert(name.to_owned());
    }
    let statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
    assert_eq!(
        names!(ServingStatus)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>(),
        statuses
    );
    held.insert("ServingStatus".to_owned());

    let declared: BTreeSet<_> = messages()
        .into_values()
        .flat_map(|message| message.enum_type)
        .map(|declared| declared.name().to_owned())
        .collect();
    assert_eq!(declared, held);
}

#[test]
fn every_declared_field_is_in_a_row() {
    let messages = messages();
    let mut seen = BTreeSet::new();
    let rows = [
        check_request_rows(),
        check_response_rows(),
        processing_request_rows(),
        processing_response_rows(),
        health_rows(),
    ];
    for (name, bytes) in rows.into_iter().flatten() {
        walk(&messages, name, &bytes, &mut seen);
    }
    let declared: BTreeSet<_> = messages
        .iter()
        .flat_map(|(name, message)| {
            message
                .field
                .iter()
                .map(move |field| format!("{name}.{}", field.name()))
        })
        .collect();
    assert_eq!(
        declared.difference(&seen).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

/// Every message that we declare, by its full name.
fn messages() -> BTreeMap<String, DescriptorProto> {
    fn add(scope: &str, message: &DescriptorProto, to: &mut BTreeMap<String, DescriptorProto>) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            add(&name, nested, to);
        }
        to.insert(name, message.clone());
    }
    let set = FileDescriptorSet::decode(ours::DESCRIPTORS).unwrap();
    let mut messages = BTreeMap::new();
    for file in set
        .file
        .iter()
        .filter(|file| file.package() != "google.protobuf")
    {
        for message in &file.message_type {
            add(file.package(), message, &mut messages);
        }
    }
    messages
}

/// Collects the fields that an encoded message has, by what its bytes say.
fn walk(
    messages: &BTreeMap<String, DescriptorProto>,
    name: &str,
    mut bytes: &[u8],
    seen: &mut BTreeSet<String>,
) {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let Some(message) = messages.get(name) else {
        return;
    };
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes).unwrap();
        let number = i32::try_from(number).unwrap();
        let field = message
            .field
            .iter()
            .find(|field| field.number() == number)
            .unwrap();
        seen.insert(format!("{name}.{}", field.name()));
        if wire == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut bytes).unwrap()).unwrap();
            let (part, rest) = bytes.split_at(length);
            if field.r#type() == Type::Message {
                walk(
                    messages,
                    field.type_name().trim_start_matches('.'),
                    part,
                    seen,
                );
            }
            bytes = rest;
        } else {
            assert_eq!(wire, WireType::Varint, "{name}.{}", field.name());
            decode_varint(&mut bytes).unwrap();
        }
    }
}
