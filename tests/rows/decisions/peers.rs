//! The certificates of Envoy's TLS peers, by the names that the tables give them.

use std::sync::LazyLock;

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

const GATEWAY: &str = "spiffe://example.com/gateway";
const OTHER: &str = "spiffe://example.com/other";

/// The authority of the tables, and one that nobody trusts.
static AUTHORITIES: LazyLock<[(String, Issuer<'static, KeyPair>); 2]> = LazyLock::new(|| {
    ["tables", "stranger"].map(|name| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(params, key))
    })
});

/// The text of `peers.pem`.
pub(super) fn authorities() -> &'static str {
    &AUTHORITIES[0].0
}

/// A certificate as Envoy passes it on.
pub(super) fn encoded(name: &str) -> String {
    if name == "garbage" {
        return "-----BEGIN%20CERTIFICATE-----%0AMIIB%0A-----END%20CERTIFICATE-----%0A".to_owned();
    }
    let uri = |text: &str| SanType::URI(Ia5String::try_from(text).unwrap());
    let dns = |text: &str| SanType::DnsName(Ia5String::try_from(text).unwrap());
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params.subject_alt_names = match name {
        "gateway" | "self_signed" | "stranger" | "expired" => vec![uri(GATEWAY)],
        "other" => vec![uri(OTHER)],
        "dns_name_like_a_uri" => vec![dns(GATEWAY)],
        "two" => vec![uri(OTHER), uri(GATEWAY)],
        "spaced" => vec![
            uri("spiffe://example.com/a spiffe://example.com/b"),
            uri(GATEWAY),
        ],
        "nameless" => Vec::new(),
        "host" => vec![dns("gateway.internal")],
        unknown => panic!("no certificate is called `{unknown}`"),
    };
    if name == "expired" {
        params.not_after = rcgen::date_time_ymd(2026, 11, 20);
    }
    let key = KeyPair::generate().unwrap();
    let pem = match name {
        "self_signed" => params.self_signed(&key),
        "stranger" => params.signed_by(&key, &AUTHORITIES[1].1),
        _ => params.signed_by(&key, &AUTHORITIES[0].1),
    };
    let pem = pem.unwrap().pem();
    let escape = |c| match c {
        '\n' => "%0A".to_owned(),
        ' ' => "%20".to_owned(),
        '+' => "%2B".to_owned(),
        '/' => "%2F".to_owned(),
        '=' => "%3D".to_owned(),
        other => String::from(other),
    };
    pem.chars().map(escape).collect()
}
