//! What is wrong with the files of an issuer, for whoever asks before the service runs.

use super::fetch::FetchError;
use super::set::LeftOut;
use super::source::KeySource;
use super::token_file::TokenFile;
use super::unusable::UnusableKey;
use crate::authn::settings::{AuthnSettings, IssuerSettings, KeySourceSettings};
use crate::fetch::Outbound;

/// What is wrong with a file of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct IssuerFileFault {
    /// The key of the configuration that names the file.
    pub key: &'static str,
    /// What it is.
    pub text: String,
    /// What is to be done.
    pub help: &'static str,
    /// How bad it is.
    pub weight: FaultWeight,
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultWeight {
    /// Callers are refused, or anyone can be one.
    Error,
    /// It is no use, and somebody may have meant it to be.
    Warning,
    /// Issuers do so.
    Note,
}

/// The most characters of a `kid` that are told.
const ID_CHARS_MAX: usize = 64;

/// Everything that is wrong with the files of an issuer as they are now: why no key can be had from
/// its `jwks_file`, the keys in it that verify no token, and why its `token_file` is of no use.
pub async fn issuer_file_faults(
    issuer: &IssuerSettings,
    settings: &AuthnSettings,
) -> Vec<IssuerFileFault> {
    let mut faults = Vec::new();
    if let Some(path) = &issuer.token_file
        && let Err(error) = TokenFile::new(path, settings).read().await
    {
        faults.push(IssuerFileFault {
            key: "token_file",
            text: error.to_string(),
            help: "until there is a token in it, no keys are fetched for this issuer",
            weight: FaultWeight::Error,
        });
    }
    if !matches!(issuer.source, KeySourceSettings::File(_)) {
        return faults;
    }
    // INVARIANT: files are the one source that is made without a client.
    let Ok(source) = KeySource::new(issuer, settings, &Outbound::default()) else {
        return faults;
    };
    let fault = |text: String, help, weight| IssuerFileFault {
        key: "jwks_file",
        text,
        help,
        weight,
    };
    let unusable = |error: &FetchError| {
        let help = "until there are keys in it, callers of this issuer get 503";
        fault(error.to_string(), help, FaultWeight::Error)
    };
    match source.inspect().await {
        Ok((left_out, shared_ids)) => {
            faults.extend(left_out.iter().map(|key| {
                let weight = weight_of(key.fault);
                fault(told(key), help_of(key.fault), weight)
            }));
            faults.extend(shared_ids.iter().map(|id| {
                let text = format!("several keys have the `kid` `{}`", shown(id));
                let help = "give each key a `kid` of its own: all of them are tried";
                fault(text, help, FaultWeight::Warning)
            }));
        }
        Err(error) => {
            faults.push(unusable(&error));
            return faults;
        }
    }
    match source.usable().await {
        Ok(keys) if !keys.has_any_for(&issuer.algorithms) => {
            let text = "no key is for one of the `algorithms` of the issuer".to_owned();
            let help = "name the algorithm of the keys: until then each token is refused";
            faults.push(fault(text, help, FaultWeight::Error));
        }
        Ok(_) => {}
        Err(error) => faults.push(unusable(&error)),
    }
    faults
}

fn weight_of(fault: UnusableKey) -> FaultWeight {
    if fault == UnusableKey::Private {
        FaultWeight::Error
    } else if fault.is_usual() {
        FaultWeight::Note
    } else {
        FaultWeight::Warning
    }
}

fn help_of(fault: UnusableKey) -> &'static str {
    match fault {
        UnusableKey::Private => "issue another key, and keep the public part alone in the file",
        UnusableKey::Workloads => "name the trust domain whose workloads the key is for",
        UnusableKey::Symmetric
        | UnusableKey::TooSmall(_)
        | UnusableKey::TooLarge(_)
        | UnusableKey::Exponent
        | UnusableKey::Usage
        | UnusableKey::Type
        | UnusableKey::Curve
        | UnusableKey::Algorithm
        | UnusableKey::Malformed
        | UnusableKey::Twice
        | UnusableKey::TooManyOfOneId => "no token is verified with it",
    }
}

fn told(key: &LeftOut) -> String {
    let LeftOut { number, id, fault } = key;
    match id {
        Some(id) => format!("key {number} (`{}`) {fault}", shown(id)),
        None => format!("key {number} {fault}"),
    }
}

fn shown(id: &str) -> String {
    let mut short: String = id.chars().take(ID_CHARS_MAX).collect();
    if short.len() < id.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}
