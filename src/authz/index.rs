//! Finds the rules that can matter for a request without evaluating the others.
//!
//! A rule is filed once for each server it names (or once for all), under the narrowest of its
//! selectors, and within that under the subjects or groups it names. A lookup returns a superset of
//! the rules that match; [`Rule::matches`] decides.

use std::sync::Arc;

use foldhash::HashMap;

use super::classified::Class;
use super::glob::Glob;
use super::request::{AccessRequest, Resource};
use super::rule::{Effect, Rule};
use super::selectors::{MethodPattern, Names, ResourceKind, What};
use super::subject::Subject;

/// Rules by server. Positions are those in the policy.
#[derive(Debug, Default)]
pub(super) struct Index {
    everywhere: Tables,
    servers: HashMap<Arc<str>, Tables>,
    naming_methods: Vec<usize>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Deny, require and limit rules.
    gates: Table,
    /// Allow rules.
    grants: Table,
    /// Allow rules again, whatever they apply to.
    serving: ByCaller,
}

/// Rules by resource.
#[derive(Debug, Default)]
struct Table {
    any: ByCaller,
    methods: HashMap<Arc<str>, ByCaller>,
    tools: ByName,
    classes: HashMap<Arc<str>, ByCaller>,
    prompts: ByName,
    uris: ByName,
}

/// Rules by exact name, and those with patterns or without names.
#[derive(Debug, Default)]
struct ByName {
    exact: HashMap<Arc<str>, ByCaller>,
    others: ByCaller,
}

/// Rules by caller.
#[derive(Debug, Default)]
struct ByCaller {
    subjects: HashMap<Arc<str>, Vec<usize>>,
    groups: HashMap<Arc<str>, Vec<usize>>,
    anyone: Vec<usize>,
}

impl Index {
    /// Files rules under their positions.
    pub(super) fn new<'r>(rules: impl Iterator<Item = (usize, &'r Rule)>) -> Self {
        let mut index = Index::default();
        for (position, rule) in rules {
            match rule.what.as_ref().and_then(|what| what.servers.as_ref()) {
                Some(servers) => {
                    for server in servers {
                        let tables = index.servers.entry(Arc::clone(server)).or_default();
                        tables.insert(position, rule);
                    }
                }
                None => index.everywhere.insert(position, rule),
            }
            let methods = rule
                .what
                .as_ref()
                .is_some_and(|what| what.methods.is_some());
            if rule.effect == Effect::Allow && methods {
                index.naming_methods.push(position);
            }
        }
        index
    }

    /// Deny, require and limit rules that may match, in any order, possibly with repeats.
    pub(super) fn gates(&self, request: &AccessRequest<'_>, class: Class<'_>) -> Vec<usize> {
        self.find(request, class, |tables| &tables.gates)
    }

    /// Allow rules that may match, in any order, possibly with repeats.
    pub(super) fn grants(&self, request: &AccessRequest<'_>, class: Class<'_>) -> Vec<usize> {
        self.find(request, class, |tables| &tables.grants)
    }

    /// Allow rules that may apply to the server and the subject, in file order, possibly with
    /// repeats.
    pub(super) fn serving(&self, request: &AccessRequest<'_>) -> impl Iterator<Item = usize> {
        let mut found = Vec::new();
        for tables in self.tables(request.server) {
            tables.serving.find(request.subject, &mut found);
        }
        found.sort_unstable();
        found.into_iter()
    }

    /// Allow rules that name methods.
    pub(super) fn naming_methods(&self) -> impl Iterator<Item = usize> {
        self.naming_methods.iter().copied()
    }

    fn tables(&self, server: &str) -> impl Iterator<Item = &Tables> {
        [Some(&self.everywhere), self.servers.get(server)]
            .into_iter()
            .flatten()
    }

    fn find(
        &self,
        request: &AccessRequest<'_>,
        class: Class<'_>,
        table: fn(&Tables) -> &Table,
    ) -> Vec<usize> {
        let mut found = Vec::new();
        for tables in self.tables(request.server) {
            table(tables).find(request, class, &mut found);
        }
        found
    }
}

impl Tables {
    fn insert(&mut self, position: usize, rule: &Rule) {
        match rule.effect {
            Effect::Allow => {
                self.serving.insert(position, rule);
                self.grants.insert(position, rule);
            }
            Effect::Deny | Effect::Require(_) | Effect::Limit(_) | Effect::Open(_) => {
                self.gates.insert(position, rule);
            }
        }
    }
}

impl Table {
    fn insert(&mut self, position: usize, rule: &Rule) {
        let Some(what) = &rule.what else {
            return self.any.insert(position, rule);
        };
        match what.kind() {
            Some(ResourceKind::Tool) => match &what.classes {
                Some(classes) if exact_names(what.tools.as_deref()).is_none() => {
                    for class in classes {
                        let bucket = self.classes.entry(Arc::clone(class)).or_default();
                        bucket.insert(position, rule);
                    }
                }
                Some(_) | None => self.tools.insert(position, rule, what.tools.as_deref()),
            },
            Some(ResourceKind::Prompt) => {
                self.prompts.insert(position, rule, what.prompts.as_deref());
            }
            // A URI that is not in normal form matches no exact name, and still matters.
            Some(ResourceKind::Uri) => self.uris.insert(position, rule, None),
            None => self.insert_by_method(position, rule, what),
        }
    }

    fn insert_by_method(&mut self, position: usize, rule: &Rule, what: &What) {
        match what.methods.as_deref().and_then(exact_methods) {
            Some(methods) => {
                for method in methods {
                    self.methods
                        .entry(method)
                        .or_default()
                        .insert(position, rule);
                }
            }
            None => self.any.insert(position, rule),
        }
    }

    fn find(&self, request: &AccessRequest<'_>, class: Class<'_>, found: &mut Vec<usize>) {
        let subject = request.subject;
        self.any.find(subject, found);
        for method in request.action.methods() {
            if let Some(bucket) = self.methods.get(method) {
                bucket.find(subject, found);
            }
        }
        match request.resource {
            Resource::Tool(name) => {
                self.tools.find(name, subject, found);
                match class {
                    Class::Of(class) => {
                        if let Some(bucket) = self.classes.get(class) {
                            bucket.find(subject, found);
                        }
                    }
                    // The class may be any of them, so all are included.
                    Class::Unknown => {
                        for bucket in self.classes.values() {
                            bucket.find(subject, found);
                        }
                    }
                    Class::Absent => {}
                }
            }
            Resource::Prompt(name) => self.prompts.find(name, subject, found),
            Resource::Uri(uri) | Resource::Template(uri) => self.uris.find(uri, subject, found),
            Resource::Server | Resource::Task(_) => {}
        }
    }
}

impl ByName {
    fn insert(&mut self, position: usize, rule: &Rule, patterns: Option<&[Glob]>) {
        match exact_names(patterns) {
            Some(names) => {
                for name in names {
                    self.exact.entry(name).or_default().insert(position, rule);
                }
            }
            None => self.others.insert(position, rule),
        }
    }

    fn find(&self, name: &str, subject: &Subject, found: &mut Vec<usize>) {
        self.others.find(subject, found);
        if let Some(bucket) = self.exact.get(name) {
            bucket.find(subject, found);
        }
    }
}

impl ByCaller {
    fn insert(&mut self, position: usize, rule: &Rule) {
        let who = rule.who.as_ref();
        let subjects = who.and_then(|who| who.subjects.as_ref());
        let groups = who.and_then(|who| who.groups.as_ref());
        match (subjects, groups) {
            (Some(subjects), _) => file(&mut self.subjects, subjects, position),
            (None, Some(groups)) => file(&mut self.groups, groups, position),
            (None, None) => self.anyone.push(position),
        }
    }

    fn find(&self, subject: &Subject, found: &mut Vec<usize>) {
        found.extend_from_slice(&self.anyone);
        if let Some(rules) = self.subjects.get(&subject.id) {
            found.extend_from_slice(rules);
        }
        if subject.unknown.groups {
            // The subject may be in any group.
            found.extend(self.groups.values().flatten());
        } else if !self.groups.is_empty() {
            for group in &subject.groups {
                if let Some(rules) = self.groups.get(group) {
                    found.extend_from_slice(rules);
                }
            }
        }
    }
}

fn file(map: &mut HashMap<Arc<str>, Vec<usize>>, names: &Names, position: usize) {
    for name in names {
        map.entry(Arc::clone(name)).or_default().push(position);
    }
}

/// The names, if every pattern is exact.
fn exact_names(patterns: Option<&[Glob]>) -> Option<Vec<Arc<str>>> {
    patterns?.iter().map(|glob| glob.exact().cloned()).collect()
}

fn exact_methods(patterns: &[MethodPattern]) -> Option<Vec<Arc<str>>> {
    let exact = |pattern: &MethodPattern| match pattern {
        MethodPattern::Exact(method) => Some(Arc::clone(method)),
        MethodPattern::Under(_) => None,
    };
    patterns.iter().map(exact).collect()
}
