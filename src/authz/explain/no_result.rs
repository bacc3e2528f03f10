//! Finds out why a selector has no result. The evaluation itself does not record the cause.

use super::parts::{what_parts, where_parts, who_parts};
use crate::authz::call::Call;
use crate::authz::classified::{Class, ClassifiedRequest};
use crate::authz::expression::Expression;
use crate::authz::matching::Match;
use crate::authz::path::{FoundValue, KeyOrigin, Unclear, gather_claim, is_left_out};
use crate::authz::request::{AccessRequest, Resource};
use crate::authz::selectors::{ClaimSelector, ValueSelector, What, Where, Who};
use crate::authz::uri::UriForm;
use crate::authz::value::Value;

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
    /// The issuer has left the claim out of the token.
    LeftOut,
    /// The token does not have the claim. The selector does not match, and this is why.
    ClaimAbsent,
    /// Only annotations could determine the class, and they are unknown.
    NoClass,
    /// The device is unknown.
    NoDevice,
    /// The expression has no result, for this reason.
    Expression(String),
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
    let mut parts = who_parts(who).into_iter().map(|(_, part)| part);
    let part = parts.find(|part| part.matches(request) == Match::Indeterminate)?;
    if let Some(not) = &part.not {
        return of_who(not, request);
    }
    match part.claims.first() {
        Some(claim) => of_claim(claim, &request.subject.claims),
        None => Some(NoResult::LeftOut),
    }
}

fn of_claim(claim: &ClaimSelector, claims: &Value<'_>) -> Option<NoResult> {
    let found = gather_claim(claims, &claim.path);
    if !found.is_unclear {
        return (!found.values.is_empty()).then_some(NoResult::Reading);
    }
    if is_left_out(claims, claim.path.as_str()) {
        return Some(NoResult::LeftOut);
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
    let selector = part.device.first()?;
    match request.context.device {
        Some(device) => of_claim(selector, device),
        None => Some(NoResult::NoDevice),
    }
}

pub(super) fn of_expression(expression: &Expression, call: &Call<'_>) -> Option<NoResult> {
    if call.target.class == Class::Unknown && expression.reads_class() {
        return Some(NoResult::NoClass);
    }
    expression
        .no_result(&call.variables)
        .map(NoResult::Expression)
}
