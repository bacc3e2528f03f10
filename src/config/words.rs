//! The words by which values of an enum are written in the file.
//!
//! A row names a value once, for reading and for printing: one that has no word does not compile.

use crate::authn::Provider;
use crate::catalog::{OnChange, OnUnknown};
use crate::check::{ChallengeScopes, DenyShape, Disclose, InnerForm, SessionBinding, UriForm};
use crate::envoy::check_request::ClientAddress;
use crate::upstream::AuthorizationHeader;

/// An enum whose values have words.
pub(super) trait Words: Copy + 'static {
    /// Every value by its word.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a value.
    fn word(self) -> &'static str;
}

macro_rules! words {
    ($($name:ident { $($value:ident = $word:literal),+ $(,)? })+) => {$(
        impl Words for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $name::$value)),+];

            fn word(self) -> &'static str {
                match self {
                    $($name::$value => $word),+
                }
            }
        }
    )+};
}

words! {
    ClientAddress { Peer = "peer", ExternalAddress = "x-envoy-external-address" }
    ChallengeScopes { All = "all", Missing = "missing" }
    DenyShape { ToolError = "tool_error", JsonrpcError = "jsonrpc_error", Http403 = "http_403" }
    Disclose { Nothing = "nothing", Reason = "reason", Rule = "rule" }
    SessionBinding { On = "on", Strict = "strict", Off = "off" }
    UriForm { Normal = "normal", Strict = "strict", Opaque = "opaque" }
    OnChange { Audit = "audit", Deny = "deny" }
    OnUnknown { Policy = "policy", Deny = "deny" }
    InnerForm { Object = "object", Json = "json" }
    AuthorizationHeader { Remove = "remove", Pass = "pass" }
    Provider {
        Adfs = "adfs",
        Auth0 = "auth0",
        Authentik = "authentik",
        Clerk = "clerk",
        CloudflareAccess = "cloudflare-access",
        Cognito = "cognito",
        Entra = "entra",
        GithubActions = "github-actions",
        Gitlab = "gitlab",
        Google = "google",
        GoogleIap = "google-iap",
        Keycloak = "keycloak",
        Kubernetes = "kubernetes",
        Okta = "okta",
        Ping = "ping",
        Sap = "sap",
        Spiffe = "spiffe",
        Zitadel = "zitadel",
    }
}

/// The words of what may be rejected or accepted.
pub(super) const ACCEPT: &[(&str, bool)] = &[("reject", false), ("accept", true)];
/// The words of what may be on or off.
pub(super) const ON: &[(&str, bool)] = &[("on", true), ("off", false)];

/// The known protocol revisions: those of `mcp::LEGACY_REVISIONS` and `mcp::MODERN_REVISION`.
pub(super) const PROTOCOL_VERSIONS: &[(&str, &str)] = &[
    ("2024-10-07", "2024-10-07"),
    ("2024-11-05", "2024-11-05"),
    ("2025-03-26", "2025-03-26"),
    ("2025-06-18", "2025-06-18"),
    ("2025-11-25", "2025-11-25"),
    ("2026-07-28", "2026-07-28"),
];

/// The word of a truth value.
pub(super) fn word_of(words: &[(&'static str, bool)], value: bool) -> &'static str {
    let own = words.iter().find(|(_, own)| *own == value);
    own.map_or("", |(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::{LEGACY_REVISIONS, MODERN_REVISION};

    #[test]
    fn every_revision_can_be_written() {
        let known = LEGACY_REVISIONS.iter().chain([&MODERN_REVISION]);
        let known: Vec<_> = known.map(|version| (*version, *version)).collect();
        assert_eq!(PROTOCOL_VERSIONS, known);
    }
}
