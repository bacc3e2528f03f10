//! Every kind of request that the rules of two policies tell apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::authz::{
    ActionKind, Glob, HintedClass, Hints, MethodPattern, Policy, Reach, Target, TargetResource,
    TrustedHints, UriForm, What, representative_names,
};
use crate::mcp::{METHODS, Selector};
use crate::policy::testing::{IndirectTools, ToolDefaults};

/// What is known of the servers besides the policies.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The configured servers; without them, those that the policies name.
    pub servers: Option<Vec<String>>,
    /// The recorded tools of the servers that have a record.
    pub recorded: BTreeMap<String, Vec<String>>,
    /// The servers that refuse tools that are not recorded.
    pub closed: BTreeSet<String>,
    /// What trusted annotations say.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools.
    pub defaults: Arc<ToolDefaults>,
    /// The tools of servers that call other tools.
    pub indirect: Arc<IndirectTools>,
}

impl Surroundings {
    /// Whether such a request gets as far as the rules.
    fn reach(&self, server: &str, resource: &TargetResource, named: &Named) -> Reach {
        let servers = self.servers.as_ref();
        if servers.is_some_and(|servers| servers.iter().all(|one| one != server)) {
            return Reach::NoServer;
        }
        let TargetResource::Tool(tool) = resource else {
            return Reach::Rules;
        };
        // Without the record, a tool with a name may be one of it.
        let may_be_recorded = matches!(named, Named::Exactly(_)) && {
            let recorded = self.recorded.get(server);
            recorded.is_none_or(|recorded| recorded.iter().any(|one| **one == **tool))
        };
        if self.closed.contains(server) && !may_be_recorded {
            Reach::UnknownTool
        } else {
            Reach::Rules
        }
    }
}

/// One kind of request, and how to speak of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What is asked.
    pub target: Target,
    /// Every method for which it is the same.
    pub methods: Vec<Arc<str>>,
    /// What it reaches.
    pub named: Named,
}

/// The name of what a request reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// Nothing but the server.
    Nothing,
    /// This name.
    Exactly(Arc<str>),
    /// Every other name that fits all of these patterns and no other one; without any, whatever fits
    /// none.
    Fitting(Vec<Arc<str>>),
}

/// All kinds of requests.
#[derive(Debug, Default)]
pub struct Universe {
    /// The requests, server by server.
    pub asked: Vec<Asked>,
    /// The servers of which not all names can be told apart.
    pub incomplete: Vec<String>,
}

/// The names and patterns of one kind of thing on one server.
#[derive(Default)]
struct Names<'p> {
    exact: BTreeSet<&'p str>,
    patterns: Vec<&'p Glob>,
}

impl<'p> Names<'p> {
    fn add(&mut self, glob: &'p Glob) {
        if let Some(name) = glob.exact() {
            self.exact.insert(name);
        } else if self
            .patterns
            .iter()
            .all(|known| known.as_str() != glob.as_str())
        {
            self.patterns.push(glob);
        }
    }

    /// Each name, and one for all others of each set of patterns.
    fn all(&self) -> Option<Vec<(Arc<str>, Named)>> {
        let exact = self.exact.iter().map(|name| {
            let name: Arc<str> = (*name).into();
            (Arc::clone(&name), Named::Exactly(name))
        });
        let others = representative_names(&self.patterns, &self.exact)?;
        let others = others.into_iter().map(|(name, fits)| {
            let fits = fits.into_iter().filter_map(|at| self.patterns.get(at));
            let fits = fits.map(|pattern| pattern.as_str().into()).collect();
            (name.into(), Named::Fitting(fits))
        });
        Some(exact.chain(others).collect())
    }
}

impl Universe {
    /// What both policies can be asked.
    #[must_use]
    pub fn of(policies: [&Policy; 2], around: [&Surroundings; 2]) -> Self {
        let mut universe = Universe::default();
        let methods = methods(policies);
        for server in servers(policies, around) {
            let whats: Vec<&What> = policies
                .iter()
                .flat_map(|policy| policy.rules())
                .filter_map(|rule| rule.what.as_ref())
                .filter(|what| {
                    let listed = what.servers.as_ref();
                    listed.is_none_or(|names| names.iter().any(|name| **name == *server))
                })
                .flat_map(|what| [Some(what), what.not.as_deref()])
                .flatten()
                .collect();
            let (tools, prompts) = (tools(policies, &server, &whats, around), prompts(&whats));
            let (Some(tools), Some(prompts)) = (tools.all(), prompts.all()) else {
                universe.incomplete.push(server.to_string());
                continue;
            };
            let mut on = OnServer {
                server: &server,
                around,
                policies,
                tools,
                prompts,
                uris: uris(&whats),
                asked: Vec::new(),
            };
            for group in grouped(&methods) {
                on.add(&group);
            }
            universe.asked.extend(on.asked);
        }
        universe
    }
}

/// The configured servers, or else those that the policies name.
fn servers(policies: [&Policy; 2], around: [&Surroundings; 2]) -> Vec<Arc<str>> {
    let configured = around.iter().filter_map(|around| around.servers.as_ref());
    let mut all: Vec<Arc<str>> = Vec::new();
    for name in configured.flatten() {
        if all.iter().all(|known| **known != **name) {
            all.push(name.as_str().into());
        }
    }
    if around.iter().any(|around| around.servers.is_some()) {
        return all;
    }
    let tables = policies.iter().flat_map(|policy| policy.tables());
    let mut all: BTreeSet<Arc<str>> = tables.map(|(server, _)| Arc::clone(server)).collect();
    let rules = policies.iter().flat_map(|policy| policy.rules());
    let whats = rules.filter_map(|rule| rule.what.as_ref());
    let whats = whats.flat_map(|what| [Some(what), what.not.as_deref()]);
    let named = whats.flatten().filter_map(|what| what.servers.as_ref());
    all.extend(named.flatten().cloned());
    let recorded = around.iter().flat_map(|around| around.recorded.keys());
    all.extend(recorded.map(|name| name.as_str().into()));
    all.into_iter().collect()
}

fn tools<'p>(
    policies: [&'p Policy; 2],
    server: &str,
    whats: &[&'p What],
    around: [&'p Surroundings; 2],
) -> Names<'p> {
    let mut names = Names::default();
    let recorded = around.into_iter();
    let recorded = recorded.filter_map(|around| around.recorded.get(server));
    let recorded = recorded.flatten();
    names.exact.extend(recorded.map(String::as_str));
    let tables = policies.into_iter().flat_map(Policy::tables);
    for (_, table) in tables.filter(|(name, _)| ***name == *server) {
        names.exact.extend(table.exact().map(|(tool, _)| &**tool));
        table.patterns().for_each(|(pattern, _)| names.add(pattern));
    }
    for glob in whats
        .iter()
        .filter_map(|what| what.tools.as_ref())
        .flatten()
    {
        names.add(glob);
    }
    names
}

fn prompts<'p>(whats: &[&'p What]) -> Names<'p> {
    let mut names = Names::default();
    for glob in whats
        .iter()
        .filter_map(|what| what.prompts.as_ref())
        .flatten()
    {
        names.add(glob);
    }
    names
}

/// The URIs that rules name exactly.
fn uris(whats: &[&What]) -> BTreeSet<Arc<str>> {
    let patterns = whats.iter().filter_map(|what| what.resources.as_ref());
    let exact = patterns
        .flatten()
        .filter_map(|pattern| pattern.glob().exact());
    exact.cloned().collect()
}

/// One method, and what it reaches.
#[derive(Debug, Clone)]
struct Way {
    method: Arc<str>,
    authorized_as: Option<&'static str>,
    kind: ActionKind,
    reaches: Reaches,
    /// Which patterns of the rules name it, and whether it awaits an answer.
    told_apart: (Vec<usize>, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaches {
    Server,
    Tool,
    Prompt,
    Uri,
    Task,
}

/// Nothing is said of what is no tool.
const UNTRUSTED: [Hints; 2] = [Hints::Untrusted; 2];

/// What a client may do without a message, and the answer to a request of the server.
const BARE: [&str; 4] = ["GET", "DELETE", "OPTIONS", "response"];

/// Whoever may read a resource may do some other things with it.
const READING: Option<&str> = Some("resources/read");

/// Every method of the protocol, and those that rules name beyond it.
fn methods(policies: [&Policy; 2]) -> Vec<Way> {
    let rules = policies.iter().flat_map(|policy| policy.rules());
    let whats = rules.filter_map(|rule| rule.what.as_ref());
    let whats = whats.flat_map(|what| [Some(what), what.not.as_deref()]);
    let mut patterns: Vec<&MethodPattern> = Vec::new();
    for pattern in whats
        .flatten()
        .filter_map(|what| what.methods.as_ref())
        .flatten()
    {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    let mut ways: Vec<Way> = Vec::new();
    let mut add = |method: &str, authorized_as: Option<&'static str>, kind, reaches| {
        let named = patterns.iter().enumerate().filter(|(_, pattern)| {
            pattern.matches(method) || authorized_as.is_some_and(|other| pattern.matches(other))
        });
        let awaits = !method.starts_with("notifications/")
            && !matches!(method, "DELETE" | "OPTIONS" | "response");
        let way = Way {
            method: method.into(),
            authorized_as,
            kind,
            reaches,
            told_apart: (named.map(|(at, _)| at).collect(), awaits),
        };
        ways.push(way);
    };
    for entry in METHODS {
        let reading = READING.filter(|_| entry.is_like_reading);
        let mut on = |authorized_as, kind, reaches| add(entry.name, authorized_as, kind, reaches);
        match entry.selector {
            Selector::None => on(None, entry.kind, Reaches::Server),
            Selector::Tool => on(None, entry.kind, Reaches::Tool),
            Selector::Prompt => on(None, entry.kind, Reaches::Prompt),
            Selector::Uri => on(reading, entry.kind, Reaches::Uri),
            Selector::Task => on(None, entry.kind, Reaches::Task),
            Selector::Reference => {
                on(Some("prompts/get"), entry.kind, Reaches::Prompt);
                on(reading, entry.kind, Reaches::Uri);
            }
            Selector::Subscriptions => {
                on(READING, entry.kind, Reaches::Uri);
                on(Some("tasks/get"), entry.kind, Reaches::Task);
                on(None, ActionKind::Open, Reaches::Server);
            }
        }
    }
    for method in BARE {
        add(method, None, ActionKind::Open, Reaches::Server);
    }
    for pattern in &patterns {
        let method = match pattern {
            MethodPattern::Exact(method) => method.to_string(),
            MethodPattern::Under(prefix) => format!("{prefix}*"),
        };
        let is_known = METHODS.iter().any(|entry| entry.name == method);
        if is_known || BARE.contains(&method.as_str()) {
            continue;
        }
        let kind = if method.starts_with("notifications/") {
            ActionKind::Open
        } else {
            ActionKind::Unknown
        };
        add(&method, None, kind, Reaches::Server);
    }
    ways
}

/// The methods that no rule tells apart, together.
fn grouped(ways: &[Way]) -> Vec<Vec<&Way>> {
    let mut groups: Vec<Vec<&Way>> = Vec::new();
    for way in ways {
        let like = |group: &&mut Vec<&Way>| {
            group.first().is_some_and(|first| {
                first.kind == way.kind
                    && first.reaches == way.reaches
                    && first.told_apart == way.told_apart
                    && first.kind != ActionKind::Unknown
            })
        };
        match groups.iter_mut().find(like) {
            Some(group) => group.push(way),
            None => groups.push(vec![way]),
        }
    }
    groups
}

/// The requests to one server as they are found.
struct OnServer<'u> {
    server: &'u Arc<str>,
    around: [&'u Surroundings; 2],
    policies: [&'u Policy; 2],
    tools: Vec<(Arc<str>, Named)>,
    prompts: Vec<(Arc<str>, Named)>,
    uris: BTreeSet<Arc<str>>,
    asked: Vec<Asked>,
}

impl OnServer<'_> {
    fn add(&mut self, group: &[&Way]) {
        let Some(first) = group.first() else {
            return;
        };
        let reached: Vec<(TargetResource, Named, [Hints; 2])> = match first.reaches {
            Reaches::Server => {
                let hints = self.around.map(|around| around.hints.of(self.server, ""));
                vec![(TargetResource::Server, Named::Nothing, hints)]
            }
            Reaches::Task => vec![(TargetResource::Task, Named::Nothing, UNTRUSTED)],
            Reaches::Prompt => self
                .prompts
                .iter()
                .map(|(name, named)| {
                    let prompt = TargetResource::Prompt(Arc::clone(name));
                    (prompt, named.clone(), UNTRUSTED)
                })
                .collect(),
            Reaches::Tool => {
                let tools = self.tools.iter();
                let each = tools.flat_map(|(name, named)| {
                    let hints = self.hints(name, named).into_iter();
                    hints.map(|hints| {
                        let tool = TargetResource::Tool(Arc::clone(name));
                        (tool, named.clone(), hints)
                    })
                });
                each.collect()
            }
            Reaches::Uri => {
                let exact = self.uris.iter().map(|uri| {
                    let uri = Arc::clone(uri);
                    let named = Named::Exactly(Arc::clone(&uri));
                    (TargetResource::Uri(uri), named, UNTRUSTED)
                });
                let any = (
                    TargetResource::AnyUri,
                    Named::Fitting(Vec::new()),
                    UNTRUSTED,
                );
                exact.chain([any]).collect()
            }
        };
        let methods: Vec<Arc<str>> = group.iter().map(|way| Arc::clone(&way.method)).collect();
        let asked = reached.into_iter().map(|(resource, named, hints)| Asked {
            target: Target {
                stands_for_others: matches!(named, Named::Fitting(_)),
                reaches: self
                    .around
                    .map(|around| around.reach(self.server, &resource, &named)),
                server: Arc::clone(self.server),
                method: Arc::clone(&first.method),
                authorized_as: first.authorized_as.map(Arc::from),
                kind: first.kind,
                resource,
                hints,
                uris: {
                    let [_, around] = self.around;
                    let uris = around.uris.get(&**self.server);
                    uris.copied().unwrap_or_default()
                },
            },
            methods: methods.clone(),
            named,
        });
        let may_pass = |asked: &Asked| asked.target.reaches.contains(&Reach::Rules);
        self.asked.extend(asked.filter(may_pass));
    }

    /// Everything that the annotations of a tool may say.
    fn hints(&self, tool: &str, named: &Named) -> Vec<[Hints; 2]> {
        let known = self.around.map(|around| around.hints.of(self.server, tool));
        let is_open = known.iter().zip(self.policies).any(|(known, policy)| {
            let Hints::Trusted(said) = known else {
                return false;
            };
            let is_recorded = said.is_some() && matches!(named, Named::Exactly(_));
            let unsaid = Hints::Trusted(None);
            !is_recorded && policy.class(self.server, tool, unsaid).is_none()
        });
        if !is_open {
            return vec![known];
        }
        let each = HintedClass::ALL.map(Some).into_iter().chain([None]);
        let each = each.map(|class| {
            known.map(|known| match known {
                Hints::Trusted(None) => Hints::Trusted(class),
                Hints::Trusted(Some(_)) | Hints::Untrusted => known,
            })
        });
        each.collect()
    }
}
