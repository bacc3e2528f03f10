//! The compiled policy: immutable, indexed, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::assignment::Assignments;
use super::classes::{HintedClass, Hints, ToolClasses, UNCLASSIFIED};
use super::condition::{Class, Match, ResourceKind, Target, What, When, Where, Who, Why};
use super::counting::{Limit, OpenLimit, Window, is_awaited, is_counted};
use super::expression::{Expression, Facts};
use super::index::Index;
use super::request::{AccessRequest, Resource};
use super::uri::UriCell;

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
    windows: Box<[Window]>,
    /// The tools that rules name exactly, whatever the server.
    exact_tools: HashSet<Arc<str>>,
    has_session_ages: bool,
    has_countries: bool,
    has_peers: bool,
    set_headers: Arc<[Arc<str>]>,
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
    /// Whether it does that, or is only watched.
    pub mode: Mode,
    /// The caller.
    pub who: Option<Who>,
    /// The call.
    pub what: Option<What>,
    /// The time.
    pub when: Option<When>,
    /// The place.
    pub place: Option<Where>,
    /// Purpose and behaviour.
    pub why: Option<Why>,
    /// The CEL condition.
    pub condition: Option<Expression>,
    /// What is set where an allow rule matches.
    pub set: Option<Assignments>,
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
    /// Allows only so often.
    Limit(Limit),
    /// Allows only so many at once.
    Open(OpenLimit),
}

/// Whether a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// It is evaluated, and what it would do is recorded.
    Shadow,
}

/// Which rules are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Those that count.
    Enforced,
    /// Shadow rules too, as if they counted.
    All,
}

/// What a require rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Scopes, all of which the token must have.
    pub scopes: Box<[Arc<str>]>,
    /// Values of the claim `acr`, one of which the token must have; empty: any.
    pub acr: Box<[Arc<str>]>,
    /// The greatest age of the login (claim `auth_time`).
    pub auth_age_max: Option<Duration>,
    /// Whether the token must be bound to its sender.
    pub sender_constrained: bool,
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
        let mut windows: Vec<Window> = Vec::new();
        for window in parts
            .rules
            .iter()
            .filter_map(|rule| rule.why.as_ref())
            .flat_map(Why::windows)
        {
            if !windows.contains(window) {
                windows.push(window.clone());
            }
        }
        let set_headers: std::collections::BTreeSet<Arc<str>> = of_mode(Mode::Enforce)
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
        Policy {
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

    /// The risk class of a tool on a server: by the table, else by trusted hints. None where only
    /// hints could tell and they are not known.
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

    /// Whether a rule or the tool table of a server names the tool, not only a pattern that it
    /// matches.
    #[must_use]
    pub fn names_tool(&self, server: &str, tool: &str) -> bool {
        let table = self.classes.get(server);
        self.exact_tools.contains(tool) || table.is_some_and(|table| table.names(tool))
    }

    /// The risk classes by server.
    pub fn tables(&self) -> impl Iterator<Item = (&Arc<str>, &ToolClasses)> {
        self.classes.iter()
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

    /// What is known of the class of a request, which is `class` if there is one.
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

    /// Every window that some rule looks at, each once.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Every header that some rule sets. None of them is the client's to send.
    #[must_use]
    pub fn set_headers(&self) -> &Arc<[Arc<str>]> {
        &self.set_headers
    }

    /// Whether some rule asks how old a session is.
    #[must_use]
    pub fn has_session_ages(&self) -> bool {
        self.has_session_ages
    }

    /// Whether some rule asks for the country of the source.
    #[must_use]
    pub fn has_countries(&self) -> bool {
        self.has_countries
    }

    /// Whether some rule asks for the TLS peer.
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

    /// Whether a tool of one of the classes may exist on a server.
    pub(super) fn may_have_class(&self, request: &AccessRequest<'_>, wanted: &[Arc<str>]) -> bool {
        let known = self.classes.get(request.server);
        let is_hinted = request.context.hints != Hints::Untrusted;
        wanted.iter().any(|class| {
            &**class == UNCLASSIFIED
                || known.is_some_and(|known| known.has_class(class))
                || (is_hinted && self.hinted.contains(class))
        })
    }
}

impl Rule {
    /// The one kind of resource that the rule is about; none if it is about any.
    pub(super) fn kind(&self) -> Option<ResourceKind> {
        self.what.as_ref().and_then(What::kind)
    }

    /// Whether the rule asks for the country of the source.
    pub(super) fn asks_country(&self) -> bool {
        let condition = self.condition.as_ref();
        self.place.as_ref().is_some_and(Where::has_countries)
            || condition.is_some_and(Expression::reads_country)
    }

    /// Whether the rule asks for the TLS peer.
    #[must_use]
    pub fn asks_peer(&self) -> bool {
        let condition = self.condition.as_ref();
        self.who.as_ref().is_some_and(Who::has_peers)
            || condition.is_some_and(Expression::reads_peer)
    }

    /// Whether everything the rule asks for holds. The expression comes last, and only if the
    /// rest does not settle it.
    pub(super) fn matches(&self, call: &Call<'_>) -> Match {
        let Rule {
            who,
            what,
            when,
            place,
            why,
            condition,
            id: _,
            effect: _,
            mode: _,
            set: _,
            message: _,
        } = self;
        let request = call.target.request;
        let who = who.as_ref();
        let who = who.map_or(Match::Yes, |who| who.matches(request));
        if who == Match::No || !self.fits_kind(request.resource) {
            return Match::No;
        }
        let what = what.as_ref();
        let what = what.map_or(Match::Yes, |what| what.matches(&call.target));
        let place = place.as_ref();
        let place = place.map_or(Match::Yes, |place| place.matches(request));
        let when = when.as_ref();
        let when = when.map_or(Match::Yes, |when| when.matches(request));
        let plain = who.and(what).and(place).and(when).and(self.counts(request));
        let why = why.as_ref().filter(|_| plain != Match::No);
        let why = why.map_or(Match::Yes, |why| call.judge_why(why));
        let plain = plain.and(why);
        let condition = condition.as_ref().filter(|_| plain != Match::No);
        condition.map_or(plain, |condition| plain.and(call.judge(condition)))
    }

    /// Whether what the rule asks for can depend on the arguments of the call, or on what else is
    /// sent with it.
    pub(super) fn reads_arguments(&self) -> bool {
        let what = self.what.as_ref().is_some_and(What::reads_arguments);
        let condition = self.condition.as_ref();
        what || condition.is_some_and(Expression::reads_call)
    }

    /// Whether the request is one that the rule's limit counts, if it has one. Of how often, what
    /// needs no rule of its own is not, and of how many at once, what waits for no answer, unless
    /// the rule names the method.
    pub(super) fn counts(&self, request: &AccessRequest<'_>) -> Match {
        let (is_meant, parts) = match &self.effect {
            Effect::Limit(limit) => (is_counted(request), limit.check(request)),
            Effect::Open(limit) => (is_awaited(request), limit.check(request)),
            Effect::Allow | Effect::Deny | Effect::Require(_) => return Match::Yes,
        };
        let what = self.what.as_ref();
        let is_named = || what.is_some_and(|what| what.names_method(request.action.method));
        if !is_meant && !is_named() {
            return Match::No;
        }
        parts.err().unwrap_or(Match::Yes)
    }

    /// Whether the rule could grant its subject something on the server: who is judged, the call
    /// must be able to be on the server, and everything else is taken as possible.
    pub(super) fn could_serve(&self, policy: &Policy, request: &AccessRequest<'_>) -> bool {
        let what = self.what.as_ref().is_none_or(|what| {
            let classes = what.classes.as_deref();
            what.covers_server(request.server)
                && classes.is_none_or(|classes| policy.may_have_class(request, classes))
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
            Resource::Uri(_) | Resource::Template(_) => Some(ResourceKind::Uri),
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
        let class = Policy::class_in(request, policy.class_of(request));
        Self::of_class(class, request)
    }

    /// A call whose class is known already.
    pub(super) fn of_class(class: Class<'a>, request: &'a AccessRequest<'a>) -> Self {
        let target = Target {
            request,
            class,
            arguments_open: false,
            uri: UriCell::default(),
        };
        Call {
            target,
            facts: Facts::new(request, class.known()),
        }
    }

    /// What an expression says. One that reads what is not decided yet says nothing yet, and one
    /// that reads a class that cannot be told cannot be evaluated, even if it only asks whether
    /// there is one.
    pub(super) fn judge(&self, condition: &Expression) -> Match {
        let is_template = matches!(self.target.request.resource, Resource::Template(_));
        let is_open = self.target.arguments_open
            && (condition.reads_call() || (is_template && condition.reads_uri()));
        if is_open {
            return Match::Unknown;
        }
        if self.target.class == Class::Unknown && condition.reads_class() {
            return Match::Indeterminate;
        }
        condition.evaluate(&self.facts)
    }

    /// What is said of purpose and behaviour. Where the arguments are open, so is what was not
    /// read of the windows.
    pub(super) fn judge_why(&self, why: &Why) -> Match {
        let request = self.target.request;
        let found = why.matches(request);
        let is_open = self.target.arguments_open && found == Match::Indeterminate;
        if is_open && why.lacks_reading(request) {
            return Match::Unknown;
        }
        found
    }
}
