//! The compiled policy: immutable, indexed, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::condition::Target;
use super::condition::{Match, ResourceKind, What, Where, Who};
use super::expression::{Expression, Facts};
use super::glob::Glob;
use super::index::Index;
use super::request::{AccessRequest, Resource};

/// The class of a tool that is in none.
pub const UNCLASSIFIED: &str = "unclassified";

/// Every rule and risk class in force.
///
/// INVARIANT: built only by `policy/compile.rs`; a tidy test watches the constructor.
#[derive(Debug)]
pub struct Policy {
    revision: Arc<str>,
    rules: Box<[Rule]>,
    classes: HashMap<Arc<str>, ToolClasses>,
    unclassified: Arc<str>,
    index: Index,
}

/// What a [`Policy`] is made of.
#[derive(Debug, Default)]
pub struct PolicyParts {
    /// A digest of the sources.
    pub revision: String,
    /// The rules in file order, ids unique.
    pub rules: Vec<Rule>,
    /// The tool tables, one for each server.
    pub classes: Vec<(Arc<str>, ToolClasses)>,
}

/// One rule: everything it asks for must hold for its effect to apply.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, which audit prints.
    pub id: Arc<str>,
    /// What it does where it matches.
    pub effect: Effect,
    /// The caller.
    pub who: Option<Who>,
    /// The call.
    pub what: Option<What>,
    /// The place.
    pub place: Option<Where>,
    /// The CEL condition.
    pub condition: Option<Expression>,
    /// A text for the caller.
    pub message: Option<Arc<str>>,
}

/// What a rule does where it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses.
    Deny,
    /// Asks for more.
    Require(Needs),
}

/// What a require rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Scopes, all of which the token must have. Never empty.
    pub scopes: Box<[Arc<str>]>,
}

/// The risk classes of one server's tools.
#[derive(Debug, Clone, Default)]
pub struct ToolClasses {
    exact: HashMap<Arc<str>, Arc<str>>,
    patterns: Vec<(Glob, Arc<str>)>,
    names: HashSet<Arc<str>>,
}

impl Policy {
    /// Indexes the parts.
    #[must_use]
    pub fn new(parts: PolicyParts) -> Self {
        let index = Index::new(&parts.rules);
        Policy {
            revision: parts.revision.into(),
            rules: parts.rules.into(),
            classes: parts.classes.into_iter().collect(),
            unclassified: UNCLASSIFIED.into(),
            index,
        }
    }

    /// The digest of the sources.
    #[must_use]
    pub fn revision(&self) -> &Arc<str> {
        &self.revision
    }

    /// The rules in file order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The risk class of a tool on a server.
    #[must_use]
    pub fn class(&self, server: &str, tool: &str) -> &Arc<str> {
        let found = self
            .classes
            .get(server)
            .and_then(|classes| classes.class(tool));
        found.unwrap_or(&self.unclassified)
    }

    /// The risk classes by server.
    pub fn tables(&self) -> impl Iterator<Item = (&Arc<str>, &ToolClasses)> {
        self.classes.iter()
    }

    pub(super) fn class_of(&self, request: &AccessRequest<'_>) -> Option<&Arc<str>> {
        match request.resource {
            Resource::Tool(name) => Some(self.class(request.server, name)),
            Resource::Server | Resource::Prompt(_) | Resource::Uri(_) | Resource::Task(_) => None,
        }
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Whether a tool of one of the classes may exist on a server.
    pub(super) fn may_have_class(&self, server: &str, wanted: &[Arc<str>]) -> bool {
        let known = self.classes.get(server);
        wanted.iter().any(|class| {
            &**class == UNCLASSIFIED || known.is_some_and(|known| known.names.contains(class))
        })
    }
}

impl ToolClasses {
    /// Puts the tools of a pattern into a class. An exact name wins over patterns; overlapping
    /// patterns of two classes are the caller's to refuse.
    pub fn insert(&mut self, pattern: Glob, class: &Arc<str>) {
        self.names.insert(Arc::clone(class));
        match pattern.exact() {
            Some(name) => {
                self.exact.insert(Arc::clone(name), Arc::clone(class));
            }
            None => self.patterns.push((pattern, Arc::clone(class))),
        }
    }

    /// The tools that are named exactly, with their classes.
    pub fn exact(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.exact.iter()
    }

    /// The patterns with their classes.
    pub fn patterns(&self) -> impl Iterator<Item = (&Glob, &Arc<str>)> {
        self.patterns
            .iter()
            .map(|(pattern, class)| (pattern, class))
    }

    /// The class of a tool, if it is in one.
    #[must_use]
    pub fn class(&self, tool: &str) -> Option<&Arc<str>> {
        self.exact.get(tool).or_else(|| {
            let found = self
                .patterns
                .iter()
                .find(|(pattern, _)| pattern.matches(tool));
            found.map(|(_, class)| class)
        })
    }
}

impl Rule {
    /// The one kind of resource that the rule is about; none if it is about any.
    pub(super) fn kind(&self) -> Option<ResourceKind> {
        self.what.as_ref().and_then(What::kind)
    }

    /// Whether everything the rule asks for holds. The expression comes last, and only if the
    /// rest does not settle it.
    pub(super) fn matches(&self, call: &Call<'_>) -> Match {
        let who = self
            .who
            .as_ref()
            .map_or(Match::Yes, |who| who.matches(call.target.request));
        if who == Match::No || !self.fits_kind(call.target.request.resource) {
            return Match::No;
        }
        let what = self
            .what
            .as_ref()
            .map_or(Match::Yes, |what| what.matches(&call.target));
        let place = self.place.as_ref();
        let place = place.map_or(Match::Yes, |place| place.matches(call.target.request));
        let plain = who.and(what).and(place);
        let Some(condition) = self.condition.as_ref().filter(|_| plain != Match::No) else {
            return plain;
        };
        if call.target.arguments_open && condition.reads_arguments() {
            return plain.and(Match::Unknown);
        }
        plain.and(condition.evaluate(&call.facts))
    }

    /// Whether the rule could grant its subject something on the server: who is judged, the call
    /// must be able to be on the server, and everything else is taken as possible.
    pub(super) fn could_serve(&self, policy: &Policy, request: &AccessRequest<'_>) -> bool {
        let what = self.what.as_ref().is_none_or(|what| {
            let classes = what.classes.as_deref();
            what.covers_server(request.server)
                && classes.is_none_or(|classes| policy.may_have_class(request.server, classes))
        });
        what && self
            .who
            .as_ref()
            .is_some_and(|who| who.matches(request) == Match::Yes)
    }

    pub(super) fn fits_kind(&self, resource: Resource<'_>) -> bool {
        let kind = match resource {
            Resource::Tool(_) => Some(ResourceKind::Tool),
            Resource::Prompt(_) => Some(ResourceKind::Prompt),
            Resource::Uri(_) => Some(ResourceKind::Uri),
            Resource::Server | Resource::Task(_) => None,
        };
        self.kind().is_none_or(|own| kind == Some(own))
    }
}

/// One request under evaluation.
pub(super) struct Call<'a> {
    pub(super) target: Target<'a>,
    pub(super) facts: Facts<'a>,
}

impl<'a> Call<'a> {
    /// A call with the arguments it has.
    pub(super) fn new(policy: &'a Policy, request: &'a AccessRequest<'a>) -> Self {
        let class = policy.class_of(request).map(|class| &**class);
        let target = Target {
            request,
            class,
            arguments_open: false,
        };
        Call {
            target,
            facts: Facts::new(request, class),
        }
    }
}
