use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use prost::Message;

use super::described::HeaderList;
use super::peer::EXTERNAL_ADDRESS;
use super::*;
use crate::check::StatedFact;
use crate::telemetry::notices::Noticed;

use super::super::protobuf::{put_bytes, put_message};

use super::super::proto::envoy::config::core::v3::address::Address as AddressKind;
use super::super::proto::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, Pipe, SocketAddress,
};
use super::super::proto::envoy::service::auth::v3::attribute_context::{
    HttpRequest as Described, Peer, Request,
};
use super::super::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};

const SETTINGS: DescriptionSettings = DescriptionSettings {
    headers_max: 4,
    source: ClientAddress::Peer,
};

fn described() -> Described {
    Described {
        method: "POST".to_owned(),
        path: "/mcp?a=b".to_owned(),
        host: "mcp.test:8443".to_owned(),
        ..Described::default()
    }
}

fn check(http: Described) -> CheckRequest {
    let request = Some(Request { http: Some(http) });
    CheckRequest {
        attributes: Some(AttributeContext {
            request,
            ..AttributeContext::default()
        }),
    }
}

/// Reads a check from its bytes, which are left lying.
fn read(
    check: &CheckRequest,
    settings: DescriptionSettings,
) -> Result<HttpRequest<'static>, InvalidCheck> {
    http_request(check.encode_to_vec().leak(), settings)
}

fn convert(http: Described) -> Result<HttpRequest<'static>, InvalidCheck> {
    read(&check(http), SETTINGS)
}

fn map(headers: &[(&str, &str)]) -> HashMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn raw(headers: &[(&str, &[u8])]) -> HeaderMap {
    let header = |(name, value): &(&str, &[u8])| HeaderValue {
        key: (*name).to_owned(),
        value: String::new(),
        raw_value: value.to_vec().into(),
    };
    HeaderMap {
        headers: headers.iter().map(header).collect(),
    }
}

fn pairs<'a>(headers: &[(&'a str, &'a str)]) -> HeaderList<'a> {
    let pair = |(name, value): &(&'a str, &'a str)| ((*name).into(), (*value).into());
    headers.iter().map(pair).collect()
}

fn peer(address: Option<AddressKind>) -> Peer {
    Peer {
        address: Some(Address { address }),
        principal: String::new(),
        certificate: String::new(),
    }
}

fn ip(text: &str) -> Peer {
    peer(Some(AddressKind::SocketAddress(SocketAddress {
        address: text.to_owned(),
        ..SocketAddress::default()
    })))
}

fn source(peer: Option<Peer>) -> Result<Option<IpAddr>, InvalidCheck> {
    let mut check = check(described());
    check.attributes.as_mut().unwrap().source = peer;
    read(&check, SETTINGS).map(|request| request.source)
}

#[test]
fn takes_over_every_fact() {
    let mut check = check(Described {
        raw_body: "{}".into(),
        ..described()
    });
    let attributes = check.attributes.as_mut().unwrap();
    attributes.source = Some(Peer {
        principal: "spiffe://a/b".to_owned(),
        certificate: "-----BEGIN%20".to_owned(),
        ..ip("10.0.0.1")
    });
    attributes.context_extensions = map(&[("mcp_server", "github")]);
    let request = read(&check, SETTINGS).unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/mcp?a=b");
    assert_eq!(request.host, "mcp.test:8443");
    assert_eq!(request.headers, []);
    assert_eq!(request.body, Body::Bytes(b"{}"));
    assert!(!request.truncated);
    assert_eq!(request.source, Some([10, 0, 0, 1].into()));
    assert_eq!(request.principal, Some("spiffe://a/b"));
    assert_eq!(request.certificate, Some("-----BEGIN%20"));
    assert_eq!(request.context, [("mcp_server", "github")]);
    assert_eq!(request.context("mcp_server"), Some("github"));
    assert_eq!(request.context("mcp"), None);
}

#[test]
fn nothing_is_copied() {
    let message = check(Described {
        raw_body: b"the body".as_slice().into(),
        header_map: Some(raw(&[("x-a", b"the value")])),
        ..described()
    })
    .encode_to_vec();
    let request = http_request(&message, SETTINGS).unwrap();
    let Body::Bytes(body) = request.body else {
        panic!("not bytes")
    };
    let [(Cow::Borrowed(name), Cow::Borrowed(value))] = request.headers.as_slice() else {
        panic!("{:?}", request.headers)
    };
    let lies = message.as_ptr_range();
    for part in [body, name.as_bytes(), value.as_bytes()] {
        assert!(lies.contains(&part.as_ptr()), "{part:?}");
    }
}

/// A check of [`described`] with more fields, written by hand: what no generated type writes.
fn with_fields(write: impl FnOnce(&mut Vec<u8>)) -> Result<HttpRequest<'static>, InvalidCheck> {
    let http = |to: &mut Vec<u8>| {
        to.extend(described().encode_to_vec());
        write(to);
    };
    let mut message = Vec::new();
    put_message(&mut message, 1, |to| {
        put_message(to, 4, |to| put_message(to, 2, http));
    });
    http_request(message.leak(), SETTINGS)
}

/// An entry of the map of headers.
fn put_joined(to: &mut Vec<u8>, name: &str, value: &str) {
    put_message(to, 3, |to| {
        put_bytes(to, 1, name.as_bytes());
        put_bytes(to, 2, value.as_bytes());
    });
}

#[test]
fn a_list_without_headers_is_no_list() {
    let request = with_fields(|to| {
        put_joined(to, "x-a", "1,2");
        // A field that nobody knows.
        put_message(to, 13, |to| put_bytes(to, 15, b"x"));
    });
    let request = request.unwrap();
    assert_eq!(request.headers, pairs(&[("x-a", "1,2")]));
    assert!(!request.repeats_kept_apart);
}

#[test]
fn a_header_that_the_map_has_twice_is_refused() {
    let request = with_fields(|to| {
        put_joined(to, "x-a", "1");
        put_joined(to, "x-b", "2");
        put_joined(to, "x-a", "1");
    });
    assert_eq!(request.unwrap_err(), InvalidCheck::RepeatedField);
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    let whole = check(described()).encode_to_vec();
    for end in 1..whole.len() {
        let fault = http_request(&whole[..end], SETTINGS).unwrap_err();
        assert_eq!(fault, InvalidCheck::Undecodable, "{end}");
    }
    let mut not_utf8 = whole.clone();
    let path = not_utf8
        .windows(4)
        .position(|part| part == b"/mcp")
        .unwrap();
    not_utf8[path + 1] = 0xff;
    assert_eq!(
        http_request(&not_utf8, SETTINGS).unwrap_err(),
        InvalidCheck::Undecodable
    );
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let twice = |part: Vec<u8>, tags: &[u8]| {
        // The message around the part, given twice.
        let mut message = [part.as_slice(), &part].concat();
        for tag in tags.iter().rev() {
            let mut outer = vec![*tag];
            prost::encode_length_delimiter(message.len(), &mut outer).unwrap();
            outer.extend(message);
            message = outer;
        }
        http_request(&message, SETTINGS).unwrap_err()
    };
    let whole = check(described());
    let attributes = whole.attributes.clone().unwrap();
    let request = attributes.request.clone().unwrap();
    let http = request.http.clone().unwrap();
    let extension = AttributeContext {
        context_extensions: map(&[("mcp_server", "github")]),
        ..AttributeContext::default()
    };
    let size = Described {
        size: 1,
        ..Described::default()
    };
    for (part, tags) in [
        (whole.encode_to_vec(), [].as_slice()),
        (attributes.encode_to_vec(), &[0x0a]),
        (extension.encode_to_vec(), &[0x0a]),
        (request.encode_to_vec(), &[0x0a, 0x22]),
        (http.encode_to_vec(), &[0x0a, 0x22, 0x12]),
        (size.encode_to_vec(), &[0x0a, 0x22, 0x12]),
    ] {
        assert_eq!(twice(part, tags), InvalidCheck::RepeatedField, "{tags:x?}");
    }
}

#[test]
fn names_what_is_missing() {
    let none = || AttributeContext::default();
    let rows = [
        (None, InvalidCheck::NoAttributes),
        (Some(none()), InvalidCheck::NoRequest),
        (
            Some(AttributeContext {
                request: Some(Request { http: None }),
                ..none()
            }),
            InvalidCheck::NoHttp,
        ),
    ];
    for (attributes, fault) in rows {
        assert_eq!(
            read(&CheckRequest { attributes }, SETTINGS).unwrap_err(),
            fault
        );
    }
}

#[test]
fn method_path_and_host_have_to_be_possible() {
    let with = |method: &str, path: &str, host: &str| {
        convert(Described {
            method: method.to_owned(),
            path: path.to_owned(),
            host: host.to_owned(),
            ..Described::default()
        })
        .map(drop)
    };
    for host in ["a", "a:1", "[::1]:1", "A.b-c_d", "10.0.0.1"] {
        assert_eq!(with("GET", "/", host), Ok(()), "{host}");
    }
    for path in ["/", "*", "/a%20b;c?d=/e", "/caf\u{e9}"] {
        assert_eq!(with("OPTIONS", path, "a"), Ok(()), "{path}");
    }
    for (method, path, host, fault) in [
        ("", "/", "a", InvalidCheck::NoMethod),
        ("GE T", "/", "a", InvalidCheck::InvalidMethod),
        ("GET\r\n", "/", "a", InvalidCheck::InvalidMethod),
        ("CONNECT", "", "a", InvalidCheck::NoPath),
        ("GET", "mcp", "a", InvalidCheck::InvalidPath),
        ("GET", "http://a/mcp", "a", InvalidCheck::InvalidPath),
        ("GET", "/a b", "a", InvalidCheck::InvalidPath),
        ("GET", "/a\0", "a", InvalidCheck::InvalidPath),
        ("GET", "/", "", InvalidCheck::NoHost),
        ("GET", "/", "a,b", InvalidCheck::InvalidHost),
        ("GET", "/", "a b", InvalidCheck::InvalidHost),
        ("GET", "/", "a\n", InvalidCheck::InvalidHost),
        ("GET", "/", "user@a", InvalidCheck::InvalidHost),
        ("GET", "/", "a/b", InvalidCheck::InvalidHost),
        ("GET", "/", "b\u{fc}cher.test", InvalidCheck::InvalidHost),
    ] {
        assert_eq!(
            with(method, path, host),
            Err(fault),
            "{method} {path} {host}"
        );
    }
}

#[test]
fn headers_come_joined_and_are_sorted() {
    let headers = map(&[
        (":method", "POST"),
        (":path", "/mcp?a=b"),
        (":authority", "mcp.test:8443"),
        (":scheme", "https"),
        ("x-b", "1,2"),
        ("Accept", "*/*"),
    ]);
    let request = convert(Described {
        headers,
        ..described()
    })
    .unwrap();
    assert_eq!(request.headers, pairs(&[("accept", "*/*"), ("x-b", "1,2")]));
}

#[test]
fn raw_headers_keep_order_duplicates_and_a_trace_of_other_bytes() {
    let header_map = Some(raw(&[
        (":path", b"/mcp?a=b"),
        ("x-b", b"2"),
        ("host", b"mcp.test:8443"),
        ("x-a", b"\xff\tz"),
        ("x-b", b"1"),
    ]));
    let request = convert(Described {
        header_map,
        ..described()
    })
    .unwrap();
    let expected = [
        ("x-b", "2"),
        ("host", "mcp.test:8443"),
        ("x-a", "\u{fffd}\tz"),
        ("x-b", "1"),
    ];
    assert_eq!(request.headers, pairs(&expected));
}

#[test]
fn a_raw_header_may_have_its_value_as_text() {
    let mut header_map = raw(&[("x-a", b""), ("x-b", b"1"), ("x-c", b"")]);
    header_map.headers[0].value = "text".to_owned();
    header_map.headers[1].value = "1".to_owned();
    let with = |header_map| {
        convert(Described {
            header_map: Some(header_map),
            ..described()
        })
    };
    let expected = pairs(&[("x-a", "text"), ("x-b", "1"), ("x-c", "")]);
    assert_eq!(with(header_map.clone()).unwrap().headers, expected);
    header_map.headers[1].value = "2".to_owned();
    assert_eq!(
        with(header_map).unwrap_err(),
        InvalidCheck::Contradiction(StatedFact::Headers)
    );
}

#[test]
fn what_is_said_twice_has_to_agree() {
    for (name, value, fact) in [
        (":method", "GET", StatedFact::Method),
        (":path", "/mcp", StatedFact::Path),
        (":authority", "mcp.test", StatedFact::Host),
        ("host", "evil.test", StatedFact::Host),
        ("HOST", "evil.test", StatedFact::Host),
    ] {
        let fault = InvalidCheck::Contradiction(fact);
        let headers = map(&[(name, value)]);
        assert_eq!(
            convert(Described {
                headers,
                ..described()
            })
            .unwrap_err(),
            fault,
            "{name}"
        );
        let header_map = Some(raw(&[(name, value.as_bytes())]));
        assert_eq!(
            convert(Described {
                header_map,
                ..described()
            })
            .unwrap_err(),
            fault,
            "{name}"
        );
    }
    let twice = Some(raw(&[(":path", b"/mcp?a=b"), (":path", b"/admin")]));
    assert_eq!(
        convert(Described {
            header_map: twice,
            ..described()
        })
        .unwrap_err(),
        InvalidCheck::Contradiction(StatedFact::Path)
    );
}

#[test]
fn both_forms_of_headers_have_to_agree() {
    type Raw = [(&'static str, &'static [u8])];
    let listed: &Raw = &[("x-a", b"1"), ("x-b", b"3"), ("x-a", b"2")];
    let both = |joined: &[(&str, &str)], listed: &Raw| {
        let (headers, header_map) = (map(joined), Some(raw(listed)));
        convert(Described {
            headers,
            header_map,
            ..described()
        })
        .map(|request| request.headers)
    };
    let agreed = both(&[("x-a", "1,2"), ("x-b", "3")], listed).unwrap();
    assert_eq!(agreed, pairs(&[("x-a", "1"), ("x-b", "3"), ("x-a", "2")]));
    let refused = Err(InvalidCheck::Contradiction(StatedFact::Headers));
    assert_eq!(both(&[("x-a", "1"), ("x-b", "3")], listed), refused);
    assert_eq!(both(&[("x-a", "1,2")], listed), refused);
    assert_eq!(
        both(&[("x-a", "1,2"), ("x-b", "3"), ("x-c", "4")], listed),
        refused
    );
    assert_eq!(both(&[("x-a", "1,2"), ("x-c", "3")], listed), refused);
}

#[test]
fn headers_have_to_be_possible() {
    for (name, value, fault) in [
        ("", "1", InvalidCheck::InvalidHeaderName),
        (":", "1", InvalidCheck::InvalidHeaderName),
        ("x a", "1", InvalidCheck::InvalidHeaderName),
        ("x-a\0", "1", InvalidCheck::InvalidHeaderName),
        ("x-\u{e9}", "1", InvalidCheck::InvalidHeaderName),
        ("x-a", "1\r\nx-b: 2", InvalidCheck::InvalidHeaderValue),
        ("x-a", "\0", InvalidCheck::InvalidHeaderValue),
        (":protocol", "websocket", InvalidCheck::UnknownPseudoHeader),
        (":x", "1", InvalidCheck::UnknownPseudoHeader),
    ] {
        let headers = map(&[(name, value)]);
        assert_eq!(
            convert(Described {
                headers,
                ..described()
            })
            .unwrap_err(),
            fault,
            "{name}"
        );
        let header_map = Some(raw(&[(name, value.as_bytes())]));
        assert_eq!(
            convert(Described {
                header_map,
                ..described()
            })
            .unwrap_err(),
            fault,
            "{name}"
        );
    }
}

#[test]
fn headers_are_counted_without_pseudo_headers() {
    let pseudo: [(&str, &[u8]); 4] = [
        (":method", b"POST"),
        (":path", b"/mcp?a=b"),
        (":authority", b"mcp.test:8443"),
        (":scheme", b"http"),
    ];
    let many = |count: usize, with: &[(&str, &[u8])]| {
        let mut headers = with.to_vec();
        headers.resize(with.len() + count, ("x-a", b"1"));
        let header_map = Some(raw(&headers));
        convert(Described {
            header_map,
            ..described()
        })
        .map(|request| request.headers.len())
    };
    let refused = Err(InvalidCheck::TooManyHeaders { max: 4 });
    assert_eq!(many(4, &pseudo), Ok(4));
    assert_eq!(many(5, &pseudo), refused);
    assert_eq!(many(4, &[]), Ok(4));
    assert_eq!(many(5, &[]), refused);
    assert_eq!(many(5000, &[]), refused);
    let joined: HashMap<_, _> = (0..5).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
    let joined = convert(Described {
        headers: joined,
        ..described()
    })
    .map(|r| r.headers.len());
    assert_eq!(joined, refused);
}

#[test]
fn a_body_is_bytes_or_text_and_not_both() {
    let with = |body: &str, raw_body: &'static [u8]| {
        let (body, raw_body) = (body.to_owned(), raw_body.into());
        convert(Described {
            body,
            raw_body,
            ..described()
        })
        .map(|request| request.body)
    };
    assert_eq!(with("", b""), Ok(Body::Absent));
    assert_eq!(with("", b"\xff\0"), Ok(Body::Bytes(b"\xff\0"[..].into())));
    assert_eq!(with("{}", b""), Ok(Body::Lossy(b"{}")));
    assert_eq!(with("{}", b"{}"), Err(InvalidCheck::TwoBodies));
}

#[test]
fn a_body_is_whole_only_if_envoy_says_so_or_nothing() {
    for (values, truncated) in [
        (&[][..], false),
        (&["false"][..], false),
        (&["true"][..], true),
        (&["TRUE"][..], true),
        (&[""][..], true),
        (&["0"][..], true),
        (&["false", "true"][..], true),
        (&["false,true"][..], true),
    ] {
        let headers: Vec<(&str, &[u8])> = values
            .iter()
            .map(|value| (PARTIAL_BODY, value.as_bytes()))
            .collect();
        let request = convert(Described {
            header_map: Some(raw(&headers)),
            ..described()
        })
        .unwrap();
        assert_eq!(request.truncated, truncated, "{values:?}");
    }
}

#[test]
fn a_body_is_whole_only_if_no_more_was_received() {
    for (size, length, truncated) in [
        (0, 0, false),
        (-1, 0, false),
        (1, 0, true),
        (0, 2, false),
        (1, 2, false),
        (2, 2, false),
        (3, 2, true),
        (i64::MAX, 2, true),
        (-1, 2, true),
        (i64::MIN, 2, true),
    ] {
        let body = "é".repeat(length / 2);
        let as_text = convert(Described {
            size,
            body: body.clone(),
            ..described()
        });
        let as_bytes = convert(Described {
            size,
            raw_body: body.into_bytes().into(),
            ..described()
        });
        for request in [as_text.unwrap(), as_bytes.unwrap()] {
            assert_eq!(request.truncated, truncated, "{size} {length}");
        }
    }
}

#[test]
fn the_source_is_the_tcp_peer() {
    let address = |text: &str| Ok(Some(text.parse::<IpAddr>().unwrap()));
    assert_eq!(source(Some(ip("192.0.2.1"))), address("192.0.2.1"));
    assert_eq!(source(Some(ip("2001:db8::1"))), address("2001:db8::1"));
    assert_eq!(source(Some(ip("::ffff:192.0.2.1"))), address("192.0.2.1"));
    assert_eq!(source(Some(ip("fe80::1%eth0"))), address("fe80::1"));
    let pipe = AddressKind::Pipe(Pipe {
        path: "@a".to_owned(),
    });
    assert_eq!(source(Some(peer(Some(pipe)))), Ok(None));
    assert_eq!(source(Some(peer(None))), Ok(None));
    assert_eq!(source(None), Ok(None));
    for bad in [
        "",
        "localhost",
        "192.0.2.1:80",
        "192.0.2.256",
        "192.0.2.1, 10.0.0.1",
    ] {
        assert_eq!(
            source(Some(ip(bad))),
            Err(InvalidCheck::InvalidSource),
            "{bad}"
        );
    }
}

#[test]
fn the_external_address_counts_only_if_it_is_trusted() {
    let with = |values: &[&str], source| {
        let headers: Vec<(&str, &[u8])> = values
            .iter()
            .map(|value| (EXTERNAL_ADDRESS, value.as_bytes()))
            .collect();
        let mut check = check(Described {
            header_map: Some(raw(&headers)),
            ..described()
        });
        check.attributes.as_mut().unwrap().source = Some(ip("10.0.0.1"));
        read(&check, DescriptionSettings { source, ..SETTINGS })
            .map(|r| r.source.unwrap().to_string())
    };
    let is = |text: &str| Ok(text.to_owned());
    assert_eq!(with(&["192.0.2.7"], ClientAddress::Peer), is("10.0.0.1"));
    assert_eq!(with(&["nonsense"], ClientAddress::Peer), is("10.0.0.1"));
    assert_eq!(
        with(&["192.0.2.7"], ClientAddress::ExternalAddress),
        is("192.0.2.7")
    );
    assert_eq!(with(&[], ClientAddress::ExternalAddress), is("10.0.0.1"));
    for bad in [
        &["nonsense"][..],
        &["192.0.2.7", "192.0.2.8"],
        &["192.0.2.7,192.0.2.8"],
    ] {
        let refused = Err(InvalidCheck::InvalidSource);
        assert_eq!(
            with(bad, ClientAddress::ExternalAddress),
            refused,
            "{bad:?}"
        );
    }
}

#[test]
fn repeats_are_kept_apart_only_where_the_list_is_read() {
    let with = |headers: &[(&str, &str)], header_map| {
        let headers = map(headers);
        convert(Described {
            headers,
            header_map,
            ..described()
        })
        .unwrap()
        .repeats_kept_apart
    };
    assert!(with(&[], Some(raw(&[("x-a", b"1")]))));
    assert!(!with(&[("x-a", "1,2")], None));
    assert!(!with(&[("x-a", "1,2")], Some(raw(&[]))));
}

#[test]
fn headers_that_are_held_back_are_noticed() {
    const ALL: [(&str, &[u8]); 3] = [
        (":path", b"/mcp?a=b"),
        ("x-request-id", b"1"),
        ("x-forwarded-proto", b"https"),
    ];
    let noticed = |headers: &[(&str, &[u8])]| {
        let header_map = Some(raw(headers));
        let described = Described {
            header_map,
            ..described()
        };
        convert(described).unwrap().noticed
    };
    let held_back = Some(Noticed::HeadersHeldBack);
    assert_eq!(noticed(&ALL), None);
    // Envoy may be told to make no ids of requests.
    assert_eq!(noticed(&[ALL[0], ALL[1]]), None);
    assert_eq!(noticed(&[ALL[0], ALL[2]]), None);
    assert_eq!(noticed(&[ALL[0], ("x-other", b"1")]), held_back);
    assert_eq!(noticed(&[ALL[1], ALL[2]]), held_back);
    assert_eq!(noticed(&[]), held_back);
    let headers = map(&[(":path", "/mcp?a=b"), ("x-request-id", "1")]);
    let described = Described {
        headers,
        ..described()
    };
    assert_eq!(convert(described).unwrap().noticed, None);
}

#[test]
fn a_public_client_without_the_header_of_its_address_is_noticed() {
    let noticed = |source: ClientAddress, peer: &str, said: Option<&[u8]>| {
        let mut headers: Vec<(&str, &[u8])> = vec![(":path", b"/mcp?a=b"), ("x-request-id", b"1")];
        headers.extend(said.map(|address| (EXTERNAL_ADDRESS, address)));
        let mut check = check(Described {
            header_map: Some(raw(&headers)),
            ..described()
        });
        check.attributes.as_mut().unwrap().source = Some(ip(peer));
        let settings = DescriptionSettings { source, ..SETTINGS };
        read(&check, settings).unwrap().noticed
    };
    let external = ClientAddress::ExternalAddress;
    let missing = Some(Noticed::NoExternalAddress);
    for public in ["8.8.8.8", "100.128.0.1", "2001:4860::8", "::ffff:8.8.8.8"] {
        assert_eq!(noticed(external, public, None), missing, "{public}");
        assert_eq!(
            noticed(external, public, Some(b"9.9.9.9")),
            None,
            "{public}"
        );
        assert_eq!(noticed(ClientAddress::Peer, public, None), None, "{public}");
    }
    for own in [
        "10.1.2.3",
        "192.168.0.1",
        "127.0.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "::1",
        "fd00::1",
    ] {
        assert_eq!(noticed(external, own, None), None, "{own}");
    }
}
