//! What the verdict on an allowed request says for its response.

use std::borrow::Cow;

use super::ResponseContext;
use super::filter_codes::{ResponseContents, STREAM, filter_code};
use crate::check::context::RequestContext;
use crate::check::decision::RequestDecision;
use crate::check::parse::ParsedRequest;
use crate::check::reply::Addressee;

/// What is said for the response to an allowed request.
pub(in crate::check) struct Handover {
    /// The value that the PEP matches on.
    pub(in crate::check) code: Cow<'static, str>,
    /// The context as text, yet to be sealed.
    pub(in crate::check) context: String,
}

impl Handover {
    /// Whether the response is filtered, and not only its end waited for.
    pub(in crate::check) fn is_filtered(&self) -> bool {
        self.code != STREAM
    }
}

/// The context of a request is too long to be carried to its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct ContextTooLong;

/// What the verdict on an allowed request says for its response, if it says anything.
///
/// # Errors
/// The context is too long. Without it lists would come out empty, and nobody would know when the
/// places of the request are free.
pub(in crate::check) fn hand_over(
    contents: ResponseContents,
    context: &RequestContext<'_>,
    parsed: &ParsedRequest<'_>,
    to: &Addressee<'_>,
    decided: &RequestDecision,
) -> Result<Option<Handover>, ContextTooLong> {
    let places = &decided.places;
    let Some(code) = filter_code(contents, places) else {
        return Ok(None);
    };
    let started = decided.session_started;
    let mut carried = ResponseContext::of(contents, context, parsed, to, started);
    carried.own_tasks = decided.is_entailed;
    places.clone_into(&mut carried.places);
    let context = carried.text().ok_or(ContextTooLong)?;
    Ok(Some(Handover { code, context }))
}
