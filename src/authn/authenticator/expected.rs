//! What was expected of a refused token, for the audit record and the log and never for the client.
//!
//! It is told by names of the configuration, by the key ids that an issuer publishes and, of a token
//! whose signature is verified, by its times.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::authn::claim_settings::RequiredValue;
use crate::authn::failure::TokenEvidence;
use crate::authn::keys::IssuerKeys;
use crate::authn::settings::IssuerSettings;
use crate::authn::{AuthenticationError, Claim};

/// The most names that are listed, and how many bytes they may have together: what is recorded of a
/// fault has 512.
const NAMES_MAX: usize = 8;
const NAMES_BYTES_MAX: usize = 240;

/// One that is refused, and where.
pub(super) struct Refused<'a> {
    pub(super) error: AuthenticationError,
    pub(super) evidence: &'a TokenEvidence,
    pub(super) now: Timestamp,
    /// The audiences of the server.
    pub(super) accepted: &'a [String],
    /// Each `iss` that the server trusts, if it does not trust all.
    pub(super) trusted: Option<&'a [String]>,
    /// Every configured issuer.
    pub(super) configured: Vec<&'a IssuerSettings>,
    /// The configured issuer that the token names, and its keys.
    pub(super) issuer: Option<(&'a IssuerSettings, &'a IssuerKeys)>,
    /// Which of the issuer's tenants, if it has several.
    pub(super) tenant: Option<&'a str>,
}

impl Refused<'_> {
    /// What was expected in place of what is at fault, if that can be told.
    pub(super) fn expected(&self) -> Option<String> {
        use AuthenticationError as E;
        let (evidence, now) = (self.evidence, self.now);
        let settings = self.issuer.map(|(settings, _)| settings);
        match self.error {
            E::UnknownIssuer | E::ClaimMissing(Claim::Issuer) => Some(self.issuers_expected()),
            E::UnknownKey | E::AmbiguousKey => self.issuer.map(|(_, keys)| keys_in_force(keys)),
            E::AlgorithmNotAllowed => {
                let accepted = settings?.algorithms.iter();
                Some(one_of(accepted.map(|algorithm| algorithm.name())))
            }
            E::TokenType => {
                let types = settings?.token_types.as_slice();
                Some(one_of(types.iter().map(String::as_str)))
            }
            E::ClientMismatch => settings.map(clients_expected),
            E::ClaimMissing(claim) | E::ClaimInvalid(claim) => self.claim_expected(claim),
            E::TokenExpired => Some(times("expired at", evidence.expires_at?, settings?, now)),
            E::TokenNotYetValid => Some(times("valid from", evidence.not_before?, settings?, now)),
            E::IssuedInFuture => Some(times("issued at", evidence.issued_at?, settings?, now)),
            E::MissingToken
            | E::RepeatedCredentials
            | E::TokenInQuery
            | E::UnsupportedScheme
            | E::EmptyToken
            | E::TokenTooLarge
            | E::MalformedToken
            | E::OpaqueToken
            | E::EncryptedToken
            | E::MalformedPart(_)
            | E::MalformedHeader(_)
            | E::DuplicateMember(_)
            | E::EmbeddedKey(_)
            | E::CriticalHeader
            | E::ForeignKey
            | E::InvalidSignature
            | E::AudienceMismatch
            | E::ProofRequired
            | E::KeysUnavailable => None,
        }
    }

    /// The issuers of this server, as they are configured, and which of them may be meant.
    fn issuers_expected(&self) -> String {
        let is_trusted = |name: &String| self.trusted.is_none_or(|own| own.contains(name));
        let trusted = self.configured.iter();
        let trusted = trusted.filter(|issuer| issuer.names().iter().any(is_trusted));
        let mut text = one_of(trusted.clone().map(|issuer| issuer.issuer.as_str()));
        let Some(said) = self.evidence.issuer.as_deref() else {
            return text;
        };
        if self.issuer.is_some() {
            text.push_str("; that of the token is configured, but not for this server");
            return text;
        }
        let mut names = trusted.flat_map(|issuer| issuer.names());
        let near = names.find(|name| is_trusted(name) && plain(name) == plain(said));
        if let Some(near) = near.filter(|near| near.len() <= NAMES_BYTES_MAX) {
            // What helps most comes first, should the rest not fit.
            return format!(
                "did you mean {near}? That of the token differs in case, blanks or a slash at its end; {text}"
            );
        }
        text
    }

    /// What kind of value a claim has to have.
    fn claim_expected(&self, claim: Claim) -> Option<String> {
        let settings = self.issuer.map(|(settings, _)| settings);
        let is_missing = matches!(self.error, AuthenticationError::ClaimMissing(_));
        Some(match claim {
            Claim::Issuer | Claim::Subject => "expected is a text that is not empty".to_owned(),
            Claim::Workload => {
                let domain = settings?.workloads();
                match domain {
                    Some(domain) => format!("expected is a SPIFFE ID below {domain}/"),
                    None => "expected is no SPIFFE ID: the key is for workloads alone".to_owned(),
                }
            }
            Claim::Audience if is_missing => one_of(self.accepted.iter().map(String::as_str)),
            Claim::Audience => "expected is a text or a list of texts".to_owned(),
            Claim::Expiry | Claim::NotBefore | Claim::IssuedAt => {
                "expected is a number of seconds since 1970".to_owned()
            }
            Claim::Agent => clients_expected(settings?),
            Claim::TenantId => one_of(self.tenant.into_iter()),
            Claim::Required(index) => {
                let required = settings?.required_claims.get(index)?;
                if required.values.contains(&RequiredValue::Present) {
                    return Some("expected is any value that is not empty".to_owned());
                }
                let values = required.values.iter().map(|value| match value {
                    RequiredValue::Text(text) => text.as_str(),
                    RequiredValue::Truth(true) => "true",
                    RequiredValue::Truth(false) => "false",
                    RequiredValue::Present => "",
                });
                one_of(values)
            }
        })
    }
}

/// A name without what is easily overlooked.
fn plain(name: &str) -> String {
    let name = name.trim().trim_end_matches('/');
    name.to_lowercase()
}

/// The key ids of an issuer, and when they were read.
fn keys_in_force(keys: &IssuerKeys) -> String {
    let (ids, age) = keys.in_force();
    let known: Vec<String> = ids
        .iter()
        .flatten()
        .map(|id| id.chars().map(visible).collect())
        .collect();
    let mut text = if known.is_empty() {
        format!("the issuer has {} key(s) without an id", ids.len())
    } else {
        let nameless = ids.len().saturating_sub(known.len());
        let mut text = format!("in force are {}", listed(known.iter().map(String::as_str)));
        if nameless > 0 {
            // Writing to a string cannot fail.
            let _ok = write!(text, " and {nameless} without an id");
        }
        text
    };
    if let Some(age) = age {
        let _ok = write!(text, ", read {}", ago(age));
    }
    text
}

/// Whatever an issuer puts into an id, it moves no terminal.
fn visible(character: char) -> char {
    if character.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

/// Roughly how long ago.
fn ago(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => "less than a minute ago".to_owned(),
        1..=119 => format!("{minutes} min ago"),
        _ => format!("{} h ago", minutes / 60),
    }
}

fn times(what: &str, claimed: Timestamp, settings: &IssuerSettings, now: Timestamp) -> String {
    let leeway = settings.leeway.as_secs();
    format!("{what} {claimed}, checked at {now} with a leeway of {leeway} s")
}

fn clients_expected(settings: &IssuerSettings) -> String {
    let clients = settings.clients.iter().map(String::as_str);
    format!("without aud {}", one_of(clients))
}

fn one_of<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    match names.clone().count() {
        0 => "expected is none: none is configured".to_owned(),
        1 => format!("expected is {}", listed(names)),
        _ => format!("expected is one of {}", listed(names)),
    }
}

/// As many names as fit, and how many more there are.
fn listed<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let total = names.clone().count();
    let mut text = String::new();
    let mut shown: usize = 0;
    for name in names.take(NAMES_MAX) {
        let separated = text.len().saturating_add(name.len()).saturating_add(2);
        if separated > NAMES_BYTES_MAX {
            break;
        }
        if shown > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        shown = shown.saturating_add(1);
    }
    let more = total.saturating_sub(shown);
    match (shown, more) {
        (_, 0) => text,
        (0, more) => format!("{more} of which the names are too long"),
        (_, more) => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_short_however_many_and_long_the_names_are() {
        let many: Vec<String> = (0..100).map(|number| format!("key-{number}")).collect();
        let few = many.iter().map(String::as_str);
        assert_eq!(
            listed(few),
            "key-0, key-1, key-2, key-3, key-4, key-5, key-6, key-7 and 92 more"
        );
        let long = "k".repeat(300);
        for (names, expected) in [
            (vec![], ""),
            (vec!["a"], "a"),
            (vec!["a", "b"], "a, b"),
            (vec![&*long], "1 of which the names are too long"),
            (vec!["a", &*long, "b"], "a and 2 more"),
        ] {
            assert_eq!(listed(names.into_iter()), expected);
        }
        let near: Vec<String> = (0..20).map(|_| "n".repeat(100)).collect();
        assert!(listed(near.iter().map(String::as_str)).len() < NAMES_BYTES_MAX + 20);
    }

    #[test]
    fn an_age_is_told_roughly() {
        for (seconds, expected) in [
            (59, "less than a minute ago"),
            (60, "1 min ago"),
            (7199, "119 min ago"),
            (7200, "2 h ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }
}
