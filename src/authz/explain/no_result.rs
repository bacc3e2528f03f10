//! Finds out why a selector has no result. The evaluation itself does not record the cause.

use std::borrow::Cow;

use super::parts::{what_parts, when_parts, where_parts, who_parts, why_parts};
use crate::authz::call::Call;
use crate::authz::classified::{Class, ClassifiedRequest};
use crate::authz::expression::Expression;
use crate::authz::matching::Match;
use crate::authz::path::{FoundValue, KeyOrigin, Unclear, gather_claim, is_left_out};
use crate::authz::request::{AccessRequest, Resource};
use crate::authz::selectors::{
    AuthTime, Behaviour, ClaimSelector, ValueSelector, What, When, Where, Who, Why,
};
use crate::authz::uri::UriForm;
use crate::authz::value::Value;
use crate::authz::window::KeyPart;

/// Why a selector has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoResult {
    /// The URI does not have the form in which the server's URIs are evaluated.
    UriForm(UriForm),
    /// The URI is another spelling of one that matches.
    UriSpelling,
    /// A template may expand to a URI that matches.
    Expansion,
    /// A server may read the value as one that matches.
    Reading,
    /// The tool may have a matching default.
    Default,
    /// A server may treat this key as the named one.
    Key(String),
    /// The path leads into a value that is not an object.
    NoObject,
    /// The names of the path can be joined in two ways, and both lead to a value.
    TwoPaths,
    /// The issuer has left this claim out of the token, or what is mapped from it.
    LeftOut(String),
    /// The token does not have the claim. The selector does not match, and this is why.
    ClaimAbsent,
    /// The token has the claim, which names nothing. Likewise.
    ClaimEmpty,
    /// Only annotations could determine the class, and they are unknown.
    NoClass,
    /// The device is unknown.
    NoDevice,
    /// The names of the TLS peer are unknown.
    NoPeer,
    /// The address of the client is unknown.
    NoAddress,
    /// The country of its address is unknown.
    NoCountry,
    /// The token has no `auth_time`.
    NoAuthTime,
    /// `auth_time` is no number of seconds.
    AuthTimeForm,
    /// The login would be in the future.
    AuthTimeAhead,
    /// The request has no session.
    NoSession,
    /// When the session began is unknown.
    NoSessionAge,
    /// The client declares two purposes, or one in a form that is none.
    TwoPurposes,
    /// The request lacks these parts, by which it would be counted.
    NotCounted(Box<[KeyPart]>),
    /// What was counted was forgotten, or was not read.
    CountUnknown,
    /// Whether some calls count is unknown, and they would decide.
    CountUnsure,
    /// The expression has no result.
    Expression {
        /// Why, for whoever knows the request.
        told: String,
        /// The same without any text of the request.
        fact: String,
    },
}

impl NoResult {
    /// In words, for whoever knows the request: a key is one of the request's.
    #[must_use]
    pub fn told(&self) -> Cow<'_, str> {
        if let NoResult::Key(key) = self {
            let key = key.escape_debug();
            return Cow::Owned(format!("a server may take the key `{key}` for it"));
        }
        if let NoResult::Expression { told, fact: _ } = self {
            return Cow::Borrowed(told);
        }
        self.fact()
    }

    /// In words without any text of the request, for records.
    #[must_use]
    pub fn fact(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            NoResult::UriForm(UriForm::Normal) => "the URI is not in normal form",
            NoResult::UriForm(UriForm::Strict) => "the URI is not in the strict form",
            NoResult::UriForm(UriForm::Opaque) => "the URI has control characters",
            NoResult::UriSpelling => "the URI is another spelling of one that matches",
            NoResult::Expansion => "the template may expand to a URI that matches",
            NoResult::Reading => "a server may read the value as one of these",
            NoResult::Default => "the tool has a default that may be one of these",
            NoResult::Key(_) => "a server may take another key for it",
            NoResult::NoObject => "the path leads into something that is no object",
            NoResult::TwoPaths => "the path has two readings",
            NoResult::LeftOut(claim) => {
                return Cow::Owned(format!("claim unknown: the token leaves `{claim}` out"));
            }
            NoResult::ClaimAbsent => "claim absent",
            NoResult::ClaimEmpty => "claim empty",
            NoResult::NoClass => "the class of the tool is not known",
            NoResult::NoDevice => "nothing is known of the device",
            NoResult::NoPeer => "the TLS peer is not known",
            NoResult::NoAddress => "the address of the client is not known",
            NoResult::NoCountry => "the country of the address is not known",
            NoResult::NoAuthTime => "the token has no `auth_time`",
            NoResult::AuthTimeForm => "`auth_time` is not a number of seconds since 1970",
            NoResult::AuthTimeAhead => "`auth_time` is in the future",
            NoResult::NoSession => "the request has no session",
            NoResult::NoSessionAge => "the age of the session is not known",
            NoResult::TwoPurposes => "the purpose is not one text",
            NoResult::NotCounted(parts) => {
                let parts = parts.iter().map(|part| format!("no {}", part.name()));
                let parts: Vec<_> = parts.collect();
                return Cow::Owned(format!("{} to count by", parts.join(", ")));
            }
            NoResult::CountUnknown => "what was counted is not known",
            NoResult::CountUnsure => "whether some of the calls count is not known",
            NoResult::Expression { told: _, fact } => fact,
        })
    }
}

impl From<Unclear> for NoResult {
    fn from(unclear: Unclear) -> Self {
        match unclear {
            Unclear::Key(key) => NoResult::Key(key),
            Unclear::NoObject => NoResult::NoObject,
            Unclear::TwoPaths => NoResult::TwoPaths,
        }
    }
}

pub(super) fn of_who(who: &Who, request: &AccessRequest<'_>) -> Option<NoResult> {
    let mut parts = who_parts(who).into_iter();
    let (name, part) = parts.find(|(_, part)| part.matches(request) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_who(not, request);
    }
    if part.peers.is_some() {
        return Some(NoResult::NoPeer);
    }
    match part.claims.first() {
        Some(claim) => of_claim(claim, &request.subject.claims),
        None => Some(NoResult::LeftOut(name)),
    }
}

fn of_claim(claim: &ClaimSelector, claims: &Value<'_>) -> Option<NoResult> {
    let found = gather_claim(claims, &claim.path);
    if !found.is_unclear {
        return (!found.values.is_empty()).then_some(NoResult::Reading);
    }
    if is_left_out(claims, claim.path.as_str()) {
        return Some(NoResult::LeftOut(claim.path.as_str().to_owned()));
    }
    let unclear = claim.path.why_unclear(claims, KeyOrigin::Proven);
    Some(unclear.map_or(NoResult::NoObject, NoResult::from))
}

pub(super) fn of_what(what: &What, target: &ClassifiedRequest<'_>) -> Option<NoResult> {
    let mut parts = what_parts(what).into_iter().map(|(_, part)| part);
    let part = parts.find(|part| part.matches(target) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_what(not, target);
    }
    if part.resources.is_some() {
        return of_uri(target);
    }
    match part.arguments.first() {
        Some(selector) => Some(of_argument(selector, target.request)),
        None => part.classes.is_some().then_some(NoResult::NoClass),
    }
}

fn of_uri(target: &ClassifiedRequest<'_>) -> Option<NoResult> {
    let form = target.request.context.uris;
    match target.request.resource {
        Resource::Uri(text) if target.uri.get(text, form).is_none() => {
            Some(NoResult::UriForm(form))
        }
        Resource::Uri(_) => Some(NoResult::UriSpelling),
        Resource::Template(_) => Some(NoResult::Expansion),
        Resource::Server | Resource::Tool(_) | Resource::Prompt(_) | Resource::Task(_) => None,
    }
}

fn of_argument(selector: &ValueSelector, request: &AccessRequest<'_>) -> NoResult {
    let Some(arguments) = request.arguments else {
        return NoResult::Default;
    };
    match selector.path.why_unclear(arguments, KeyOrigin::Sent) {
        Some(unclear) => unclear.into(),
        None if selector.path.find(arguments, KeyOrigin::Sent) == FoundValue::Absent => {
            NoResult::Default
        }
        None => NoResult::Reading,
    }
}

pub(super) fn of_where(place: &Where, request: &AccessRequest<'_>) -> Option<NoResult> {
    let mut parts = where_parts(place).into_iter().map(|(_, part)| part);
    let part = parts.find(|part| part.matches(request) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_where(not, request);
    }
    let Some(selector) = part.device.first() else {
        let is_by_network = part.networks.is_some() || request.source.is_none();
        return Some(if is_by_network {
            NoResult::NoAddress
        } else {
            NoResult::NoCountry
        });
    };
    match request.context.device {
        Some(device) => of_claim(selector, device),
        None => Some(NoResult::NoDevice),
    }
}

pub(super) fn of_when(when: &When, request: &AccessRequest<'_>) -> Option<NoResult> {
    let mut parts = when_parts(when).into_iter().map(|(_, part)| part);
    let part = parts.find(|part| part.matches(request) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_when(not, request);
    }
    if part.auth_age_max.is_some() {
        return Some(of_auth_time(request));
    }
    Some(match request.session {
        Some(_) => NoResult::NoSessionAge,
        None => NoResult::NoSession,
    })
}

/// Why the age of the login is unknown.
pub(super) fn of_auth_time(request: &AccessRequest<'_>) -> NoResult {
    match AuthTime::of(request) {
        AuthTime::Absent => NoResult::NoAuthTime,
        AuthTime::NoTime => NoResult::AuthTimeForm,
        AuthTime::At(_) => NoResult::AuthTimeAhead,
    }
}

pub(super) fn of_why(why: &Why, call: &Call<'_>) -> Option<NoResult> {
    let mut parts = why_parts(why).into_iter().map(|(_, part)| part);
    let part = parts.find(|part| part.matches(&call.target) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_why(not, call);
    }
    Some(match part.behaviours.first() {
        None => NoResult::TwoPurposes,
        Some(behaviour) => of_behaviour(behaviour, call.target.request),
    })
}

fn of_behaviour(behaviour: &Behaviour, request: &AccessRequest<'_>) -> NoResult {
    if let Some(lacking) = of_counter(&behaviour.counted.window.by, request) {
        return lacking;
    }
    let reads = |readings| behaviour.is_read(readings);
    if request.context.readings.is_some_and(reads) {
        NoResult::CountUnsure
    } else {
        NoResult::CountUnknown
    }
}

/// The parts that a request lacks, by which it would be counted.
pub(super) fn of_counter(by: &[KeyPart], request: &AccessRequest<'_>) -> Option<NoResult> {
    let lacking: Box<[KeyPart]> = request.lacking(by).collect();
    (!lacking.is_empty()).then_some(NoResult::NotCounted(lacking))
}

pub(super) fn of_expression(expression: &Expression, call: &Call<'_>) -> Option<NoResult> {
    if call.target.class == Class::Unknown && expression.reads_class() {
        return Some(NoResult::NoClass);
    }
    let (told, fact) = expression.no_result(&call.variables)?;
    Some(NoResult::Expression { told, fact })
}
