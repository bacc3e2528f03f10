//! Whether a caller may see a tool, prompt or resource in a list.

use std::sync::Arc;

use super::classified::Class;
use super::index::Index;
use super::matching::Match;
use super::policy::Policy;
use super::request::AccessRequest;
use super::rule::{Effect, Mode, Rules};

/// Whether the subject may see a tool, prompt or resource: no deny rule certainly matches, and some
/// allow rule could match for some arguments, or it needs none
/// ([`Context::is_entailed`](super::request::Context::is_entailed)). The request is the call that the listed item would
/// get (`tools/call`, `prompts/get`, `resources/read`) if it were made now. Its arguments are
/// ignored, and a listed template is [`super::Resource::Template`].
///
/// The windows of behaviour are those that [`super::demands`] names for that call, which counts
/// itself as any call does. An unread window is assumed to be possible, so it hides nothing.
/// Requirements and limits never hide an item, because the caller can meet them.
#[must_use]
pub fn is_visible(policy: &Policy, request: &AccessRequest<'_>) -> bool {
    let mut call = policy.call(request);
    call.target.arguments_open = true;
    let class = call.target.class;
    let any = |find: fn(&Index, &AccessRequest<'_>, Class<'_>) -> Vec<usize>,
               effect: &Effect,
               test: fn(Match) -> bool| {
        let mut indexes = policy.indexes(Rules::Enforced);
        indexes.any(|index| {
            find(index, request, class).into_iter().any(|position| {
                let rule = policy
                    .rules()
                    .get(position)
                    .filter(|rule| rule.effect == *effect);
                rule.is_some_and(|rule| test(rule.matches(&call)))
            })
        })
    };
    let denied = any(Index::gates, &Effect::Deny, |found| found == Match::Yes);
    let could_match = |found| matches!(found, Match::Yes | Match::Unknown);
    let is_entailed = request.context.is_entailed;
    !denied && (is_entailed || any(Index::grants, &Effect::Allow, could_match))
}

/// The rules because of which the subject may or may not see an item, as [`is_visible`] has it: the
/// deny rules that certainly match or, without any, the allow rules that could match.
#[must_use]
pub fn showing_or_hiding(policy: &Policy, request: &AccessRequest<'_>) -> Vec<Arc<str>> {
    let mut call = policy.call(request);
    call.target.arguments_open = true;
    let enforced = policy.rules().iter();
    let enforced = enforced.filter(|rule| rule.mode == Mode::Enforce);
    let fitting = enforced.filter(|rule| rule.fits_kind(request.resource));
    let (mut hiding, mut showing) = (Vec::new(), Vec::new());
    for rule in fitting {
        match (&rule.effect, rule.matches(&call)) {
            (Effect::Deny, Match::Yes) => hiding.push(Arc::clone(&rule.id)),
            (Effect::Allow, Match::Yes | Match::Unknown) => showing.push(Arc::clone(&rule.id)),
            (
                Effect::Allow
                | Effect::Deny
                | Effect::Require(_)
                | Effect::Limit(_)
                | Effect::Open(_),
                _,
            ) => {}
        }
    }
    if hiding.is_empty() { showing } else { hiding }
}
