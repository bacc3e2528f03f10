//! Why a request failed, in words that may be logged.

use std::io;

use url::Url;

use super::proxy::ProxyFault;

/// The most characters of a cause: some repeat what the other side sent.
const CAUSE_MAX: usize = 160;

/// The innermost cause, such as "connection refused"; the outer ones repeat the URL.
pub(super) fn cause_of(error: &reqwest::Error) -> String {
    let Some(cause) = causes(error).last() else {
        return "http request failed".to_owned();
    };
    // Errors of I/O hide what they wrap, and may be wrapped in each other.
    let mut within = cause;
    while let Some(inner) = within
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        within = inner;
    }
    let tls = within.downcast_ref::<rustls::Error>();
    if let Some(rustls::Error::InvalidCertificate(wrong)) = tls
        && let Some(cause) = about_certificate(wrong)
    {
        return cause.to_owned();
    }
    let shown = cause.to_string();
    let plain = |character: char| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    let mut short: String = shown.chars().take(CAUSE_MAX).map(plain).collect();
    if short.len() < shown.len() {
        short.push('…');
    }
    short
}

/// Where rustls repeats what is in a certificate, the same without.
fn about_certificate(wrong: &rustls::CertificateError) -> Option<&'static str> {
    use rustls::CertificateError as Wrong;
    if matches!(
        wrong,
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }
    ) {
        return Some("invalid peer certificate: it is for another name");
    }
    if matches!(
        wrong,
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. }
    ) {
        return Some("invalid peer certificate: it is for another purpose");
    }
    None
}

/// The causes of an error, without itself.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
}

pub(super) fn has_cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<E>)
}

/// What the proxy has to do with the failure of a request that went through it. `None` if it made
/// the connection.
pub(super) fn proxy_fault(error: &reqwest::Error, url: &Url) -> Option<ProxyFault> {
    if !error.is_connect() {
        return None;
    }
    if url.scheme() == "http" {
        return Some(ProxyFault::Unreachable(cause_of(error)));
    }
    // The type has no name outside of its crate, so it is told by its text.
    let mut shown = causes(error).map(ToString::to_string);
    let told = shown.find_map(|text| text.strip_prefix("tunnel error: ").map(str::to_owned))?;
    Some(match told.as_str() {
        "failed to create underlying connection" | "io error establishing tunnel" => {
            ProxyFault::Unreachable(cause_of(error))
        }
        "proxy authorization required" => ProxyFault::CredentialsAsked,
        _ => ProxyFault::NotConnected,
    })
}
