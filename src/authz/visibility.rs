//! Whether something shows in a list (SPEC §3.5).

use super::condition::Match;
use super::index::Index;
use super::policy::{Call, Effect, Policy, Rules};
use super::request::AccessRequest;

/// Whether the subject may see a tool, prompt or resource: no deny rule surely matches, and some
/// allow rule could match for some arguments. The request is the call that the listed thing would
/// get (`tools/call`, `prompts/get`, `resources/read`); its arguments are not looked at.
#[must_use]
pub fn is_visible(policy: &Policy, request: &AccessRequest<'_>) -> bool {
    let mut call = Call::new(policy, request);
    call.target.arguments_open = true;
    let class = call.target.class;
    let any = |find: fn(&Index, &AccessRequest<'_>, Option<&str>) -> Vec<usize>,
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
    !denied && any(Index::grants, &Effect::Allow, could_match)
}
