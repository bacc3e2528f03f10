//! The compiled policy: immutable, indexed, replaced as a whole.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::call::Call;
use super::classes::{HintedClass, Hints, ToolClasses, UNCLASSIFIED};
use super::classified::Class;
use super::index::Index;
use super::matching::Match;
use super::request::{AccessRequest, Resource};
use super::rule::{Mode, Rule, Rules};
use super::selectors::{CountedWindow, Scopes, What, When, Why};

/// Every rule and risk class in force.
///
/// INVARIANT: built only by `policy/compile.rs`; a tidy test watches the constructor.
#[derive(Debug)]
pub struct Policy {
    revision: Arc<str>,
    rules: Box<[Rule]>,
    classes: HashMap<Arc<str>, ToolClasses>,
    unclassified: Arc<str>,
    /// The names of [`HintedClass::ALL`].
    hinted: [Arc<str>; 3],
    enforced: Index,
    /// The shadow rules, if there are any.
    shadow: Option<Index>,
    windows: Box<[CountedWindow]>,
    /// What the rules say of their owners and tickets, with their ids, by id.
    origins: HashMap<Arc<str>, Arc<str>>,
    /// The tools that rules name exactly, on any server.
    exact_tools: HashSet<Arc<str>>,
    has_session_ages: bool,
    has_countries: bool,
    has_peers: bool,
    set_headers: Arc<[Arc<str>]>,
    scopes: BTreeSet<Arc<str>>,
}

/// The parts of a [`Policy`].
#[derive(Debug, Default)]
pub struct PolicyParts {
    /// A digest of the sources.
    pub revision: String,
    /// The rules in file order, ids unique.
    pub rules: Vec<Rule>,
    /// The tool tables, one for each server.
    pub classes: Vec<(Arc<str>, ToolClasses)>,
}

/// A policy without rules, which denies everything.
impl Default for Policy {
    fn default() -> Self {
        Self::new(PolicyParts::default())
    }
}

impl Policy {
    /// Indexes the parts.
    #[must_use]
    pub fn new(parts: PolicyParts) -> Self {
        let of_mode = |mode| {
            let rules = parts.rules.iter().enumerate();
            rules.filter(move |(_, rule)| rule.mode == mode)
        };
        let has_shadow = of_mode(Mode::Shadow).next().is_some();
        let shadow = has_shadow.then(|| Index::new(of_mode(Mode::Shadow)));
        let enforced = Index::new(of_mode(Mode::Enforce));
        let mut windows: Vec<CountedWindow> = Vec::new();
        for window in parts
            .rules
            .iter()
            .filter_map(|rule| rule.why.as_ref())
            .flat_map(Why::windows)
        {
            if !windows.iter().any(|known| known.window == window.window) {
                windows.push(window.clone());
            }
        }
        let set_headers: BTreeSet<Arc<str>> = of_mode(Mode::Enforce)
            .filter_map(|(_, rule)| rule.set.as_ref())
            .flat_map(|set| set.headers.iter().map(|(name, _)| Arc::clone(name)))
            .collect();
        let whats = parts.rules.iter().filter_map(|rule| rule.what.as_ref());
        let exact_tools = whats.flat_map(What::exact_tools).cloned().collect();
        let has_countries = parts.rules.iter().any(Rule::asks_country);
        let has_peers = parts.rules.iter().any(Rule::asks_peer);
        let has_session_ages = parts
            .rules
            .iter()
            .any(|rule| rule.when.as_ref().is_some_and(When::has_session_age));
        let scopes = of_mode(Mode::Enforce).flat_map(|(_, rule)| rule.named_scopes());
        let scopes = scopes.cloned().collect();
        let origins = parts.rules.iter().filter_map(|rule| {
            let origin = rule.about.origin()?;
            Some((
                Arc::clone(&rule.id),
                format!("{}: {origin}", rule.id).into(),
            ))
        });
        Policy {
            origins: origins.collect(),
            revision: parts.revision.into(),
            rules: parts.rules.into(),
            classes: parts.classes.into_iter().collect(),
            unclassified: UNCLASSIFIED.into(),
            hinted: HintedClass::ALL.map(|class| class.name().into()),
            enforced,
            shadow,
            windows: windows.into(),
            exact_tools,
            has_session_ages,
            has_countries,
            has_peers,
            set_headers: set_headers.into_iter().collect(),
            scopes,
        }
    }

    /// Owner and ticket of some rules, each with the id of its rule.
    #[must_use]
    pub fn origins(&self, ids: &[Arc<str>]) -> Vec<Arc<str>> {
        if self.origins.is_empty() {
            return Vec::new();
        }
        let said = ids.iter().filter_map(|id| self.origins.get(id).cloned());
        said.collect()
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

    /// The risk class of a tool on a server: from the table, else from trusted hints. `None` if
    /// only hints could determine it and they are unknown.
    #[must_use]
    pub fn class(&self, server: &str, tool: &str, hints: Hints) -> Option<&Arc<str>> {
        let tables = self.classes.get(server);
        let found = tables.and_then(|classes| classes.class(tool));
        found.or_else(|| match hints {
            Hints::Untrusted => Some(&self.unclassified),
            Hints::Trusted(hint) => self
                .hinted
                .iter()
                .find(|name| hint.is_some_and(|class| class.name() == &***name)),
        })
    }

    /// Whether a rule or the tool table of a server names the tool exactly, not only through a
    /// pattern.
    #[must_use]
    pub fn names_tool(&self, server: &str, tool: &str) -> bool {
        let table = self.classes.get(server);
        self.exact_tools.contains(tool) || table.is_some_and(|table| table.names(tool))
    }

    /// The risk classes by server.
    pub fn tables(&self) -> impl Iterator<Item = (&Arc<str>, &ToolClasses)> {
        self.classes.iter()
    }

    /// A request, prepared for the rules.
    pub(super) fn call<'a>(&'a self, request: &'a AccessRequest<'a>) -> Call<'a> {
        Call::of_class(Self::class_in(request, self.class_of(request)), request)
    }

    pub(super) fn class_of(&self, request: &AccessRequest<'_>) -> Option<&Arc<str>> {
        match request.resource {
            Resource::Tool(name) => self.class(request.server, name, request.context.hints),
            Resource::Server
            | Resource::Prompt(_)
            | Resource::Uri(_)
            | Resource::Template(_)
            | Resource::Task(_) => None,
        }
    }

    /// The class of a request, which is `class` if that is known.
    pub(super) fn class_in<'a>(
        request: &AccessRequest<'_>,
        class: Option<&'a Arc<str>>,
    ) -> Class<'a> {
        match (class, request.resource) {
            (Some(class), _) => Class::Of(class),
            (None, Resource::Tool(_)) => Class::Unknown,
            (None, _) => Class::Absent,
        }
    }

    /// Whether some rule is in shadow mode.
    #[must_use]
    pub fn has_shadow(&self) -> bool {
        self.shadow.is_some()
    }

    /// Every window that some rule reads, without repeats.
    #[must_use]
    pub fn windows(&self) -> &[CountedWindow] {
        &self.windows
    }

    /// Every header that some rule sets. Clients may not send any of them.
    #[must_use]
    pub fn set_headers(&self) -> &Arc<[Arc<str>]> {
        &self.set_headers
    }

    /// Every scope that some rule in force names.
    #[must_use]
    pub fn scopes(&self) -> &BTreeSet<Arc<str>> {
        &self.scopes
    }

    /// Whether some rule reads the age of a session.
    #[must_use]
    pub fn has_session_ages(&self) -> bool {
        self.has_session_ages
    }

    /// Whether some rule reads the country of the source.
    #[must_use]
    pub fn has_countries(&self) -> bool {
        self.has_countries
    }

    /// Whether some rule reads the TLS peer.
    #[must_use]
    pub fn has_peers(&self) -> bool {
        self.has_peers
    }

    pub(super) fn indexes(&self, rules: Rules) -> impl Iterator<Item = &Index> {
        let shadow = match rules {
            Rules::Enforced => None,
            Rules::All => self.shadow.as_ref(),
        };
        std::iter::once(&self.enforced).chain(shadow)
    }

    pub(super) fn enforced_index(&self) -> &Index {
        &self.enforced
    }

    pub(super) fn shadow_index(&self) -> Option<&Index> {
        self.shadow.as_ref()
    }

    /// Whether a rule could grant its subject something on the server. The caller is judged, the
    /// call must be possible on the server, and everything else is assumed to be possible.
    pub(super) fn could_serve(&self, rule: &Rule, request: &AccessRequest<'_>) -> bool {
        self.could_serve_with(Scopes::Held, rule, request)
    }

    /// Whether a rule could grant its subject something on the server if the token had one of the
    /// scopes that the rule's `who` names, and cannot without.
    pub(super) fn could_serve_but_for_scopes(
        &self,
        rule: &Rule,
        request: &AccessRequest<'_>,
    ) -> bool {
        let who = rule.who.as_ref();
        who.is_some_and(|who| who.lacks_scopes(request))
            && self.could_serve_with(Scopes::Granted, rule, request)
    }

    fn could_serve_with(&self, scopes: Scopes, rule: &Rule, request: &AccessRequest<'_>) -> bool {
        let (who, when) = (rule.who.as_ref(), rule.when.as_ref());
        self.may_serve_on(rule, request)
            && !when.is_some_and(|when| when.is_over(request.now))
            && who.is_some_and(|who| who.matches_with(scopes, request) == Match::Yes)
    }

    /// Whether a rule could grant somebody something on the server.
    pub(super) fn may_serve_on(&self, rule: &Rule, request: &AccessRequest<'_>) -> bool {
        rule.what.as_ref().is_none_or(|what| {
            let classes = what.classes.as_deref();
            what.covers_server(request.server)
                && classes.is_none_or(|classes| self.may_have_class(request, classes))
        })
    }

    /// Whether a tool of one of the classes may exist on a server.
    fn may_have_class(&self, request: &AccessRequest<'_>, wanted: &[Arc<str>]) -> bool {
        let known = self.classes.get(request.server);
        let is_hinted = request.context.hints != Hints::Untrusted;
        wanted.iter().any(|class| {
            &**class == UNCLASSIFIED
                || known.is_some_and(|known| known.has_class(class))
                || (is_hinted && self.hinted.contains(class))
        })
    }
}
