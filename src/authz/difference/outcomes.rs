//! What a policy decides about one target, as functions of facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::diagram::Diagram;
use super::fact::Answer;
use crate::authz::assignment::Template;
use crate::authz::rule::Effect;

/// The values that each name is set to, and where.
pub(super) type SetValues = BTreeMap<(Setting, Arc<str>), Vec<(Template, Diagram)>>;

/// What is decided where.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcomes {
    pub(super) parts: Vec<Part>,
    pub(super) allow: Option<Diagram>,
    pub(super) challenge: Option<Diagram>,
    /// Where a deny matches, and where something cannot be evaluated and none does.
    pub(super) denied: Option<Diagram>,
    pub(super) unclear: Option<Diagram>,
    /// Where some rule grants, whatever others say.
    pub(super) granted: Option<Diagram>,
    /// Each limit that has to have room, and where.
    pub(super) limits: Vec<(Effect, Diagram)>,
    /// Each value that a name is set to, and where.
    pub(super) set: SetValues,
    /// What a challenge asks for, and where.
    pub(super) asks: Vec<(Ask, Diagram)>,
}

impl Outcomes {
    /// Every function of them.
    pub(super) fn diagrams(&self) -> impl Iterator<Item = Diagram> {
        let parts = self.parts.iter();
        let parts = parts.flat_map(|part| [part.found.yes, part.found.no, part.lacking]);
        let single = [
            self.allow,
            self.challenge,
            self.denied,
            self.unclear,
            self.granted,
        ];
        let limits = self.limits.iter().map(|(_, holds)| *holds);
        let asks = self.asks.iter().map(|(_, holds)| *holds);
        let set = self.set.values().flatten().map(|(_, holds)| *holds);
        let all = parts.chain(single.into_iter().flatten());
        all.chain(limits).chain(asks).chain(set)
    }
}

/// Where a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Setting {
    Header,
    Metadata,
}

/// What a caller is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Scope(Arc<str>),
    Acr(Box<[Arc<str>]>),
    LoginWithin(Duration),
}

/// What one rule contributes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Its position in the policy.
    pub(super) rule: usize,
    pub(super) found: Answer,
    /// For an allow rule, where it would grant if the token had one of its scopes.
    pub(super) lacking: Diagram,
}
