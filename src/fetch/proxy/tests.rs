use super::*;

#[test]
fn a_proxy_is_a_host_over_http_or_https() {
    let rows = [
        ("http://proxy.example:3128", Ok("http://proxy.example:3128")),
        ("https://Proxy.example/", Ok("https://proxy.example")),
        ("http://[::1]:3128", Ok("http://[::1]:3128")),
        ("http://10.0.0.1", Ok("http://10.0.0.1")),
        ("http://u:p@proxy.example", Err(InvalidProxy::Credentials)),
        ("http://u@proxy.example", Err(InvalidProxy::Credentials)),
        ("http://:p@proxy.example", Err(InvalidProxy::Credentials)),
        ("ftp://u:p@proxy.example", Err(InvalidProxy::Credentials)),
        ("http://proxy.example/a", Err(InvalidProxy::Shape)),
        ("http://proxy.example/?a", Err(InvalidProxy::Shape)),
        ("http://proxy.example/#a", Err(InvalidProxy::Shape)),
        ("socks5://proxy.example:1080", Err(InvalidProxy::Shape)),
        ("proxy.example:3128", Err(InvalidProxy::Shape)),
        ("proxy", Err(InvalidProxy::Shape)),
        ("http://", Err(InvalidProxy::Shape)),
    ];
    for (text, expected) in rows {
        let read = proxy_url(text).map(|url| ProxySettings {
            url,
            exceptions: Vec::new(),
        });
        let read = read
            .as_ref()
            .map(ProxySettings::text)
            .map_err(|error| *error);
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn exceptions_are_hosts_domains_and_networks() {
    let rows = [
        ("IDP.example", Ok("idp.example")),
        (".Example", Ok(".example")),
        ("10.0.0.7", Ok("10.0.0.7/32")),
        ("::ffff:10.0.0.7", Ok("10.0.0.7/32")),
        ("10.0.0.0/8", Ok("10.0.0.0/8")),
        ("fd00::/8", Ok("fd00::/8")),
        ("10.0.0.1/8", Err(InvalidException::HostBits)),
        ("10.0.0.0/33", Err(InvalidException::Shape)),
        ("0x7f.1", Err(InvalidException::Shape)),
        ("*", Err(InvalidException::Shape)),
        ("*.example", Err(InvalidException::Shape)),
        ("", Err(InvalidException::Shape)),
        (".", Err(InvalidException::Shape)),
        ("..example", Err(InvalidException::Shape)),
        ("example.", Err(InvalidException::Shape)),
        ("idp.example:443", Err(InvalidException::Shape)),
        ("https://idp.example", Err(InvalidException::Shape)),
        ("a,b", Err(InvalidException::Shape)),
        ("a b", Err(InvalidException::Shape)),
    ];
    for (text, expected) in rows {
        let read = text.parse::<Exception>().map(|read| read.to_string());
        assert_eq!(read, expected.map(str::to_owned), "{text}");
    }
}

#[test]
fn the_proxy_serves_every_host_that_is_neither_loopback_nor_excepted() {
    let exceptions = ["idp.example", ".corp.example", "10.0.0.0/8", "fd00::/8"];
    let proxy = ProxySettings {
        url: proxy_url("http://proxy.example:3128").unwrap(),
        exceptions: exceptions.map(|text| text.parse().unwrap()).to_vec(),
    };
    let rows = [
        ("keys.example", true),
        ("idp.example", false),
        ("IDP.example.", false),
        ("a.idp.example", true),
        ("evilidp.example", true),
        ("idp.example.evil", true),
        ("corp.example", true),
        ("a.corp.example", false),
        ("a.b.corp.example.", false),
        ("evilcorp.example", true),
        ("9.9.9.9", true),
        ("10.1.2.3", false),
        ("0xa.1", false),
        ("[::ffff:10.1.2.3]", false),
        ("[fd00::1]", false),
        ("[fe80::1]", true),
        ("localhost", false),
        ("a.localhost.", false),
        ("localhost.example", true),
        ("127.9.9.9", false),
        ("[::1]", false),
        ("[::ffff:127.0.0.1]", false),
    ];
    for (host, expected) in rows {
        for scheme in ["https", "http"] {
            let url = Url::parse(&format!("{scheme}://{host}:8443/keys")).unwrap();
            assert_eq!(proxy.serves(&url), expected, "{url}");
        }
    }
}
