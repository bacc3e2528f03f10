//! `what`: server, method, tool, prompt, resource and arguments.

use std::sync::Arc;

use super::names::{Names, selects};
use super::value::ValueSelector;
use crate::authz::classified::{Class, ClassifiedRequest};
use crate::authz::glob::Glob;
use crate::authz::matching::Match;
use crate::authz::request::Resource;
use crate::authz::uri::UriPattern;

/// Selectors over the call. Keys combine with AND, values with OR.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct What {
    /// Configured server names.
    pub servers: Option<Names>,
    /// Methods.
    pub methods: Option<Box<[MethodPattern]>>,
    /// Tool names.
    pub tools: Option<Box<[Glob]>>,
    /// Risk classes of the tool.
    pub classes: Option<Names>,
    /// Prompt names.
    pub prompts: Option<Box<[Glob]>>,
    /// Resource URIs.
    pub resources: Option<Box<[UriPattern]>>,
    /// Arguments of the call.
    pub arguments: Box<[ValueSelector]>,
    /// What it must not be.
    pub not: Option<Box<What>>,
}

/// A method, or every method under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodPattern {
    /// `tools/call`.
    Exact(Arc<str>),
    /// `vendor/*`, kept with its slash.
    Under(Arc<str>),
}

/// The kind of resource that a rule applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// Tool calls.
    Tool,
    /// Prompts.
    Prompt,
    /// MCP resources.
    Uri,
}

impl What {
    /// The kinds that the selectors of this block and of its negation mention. A rule that names
    /// tools, even to exclude them, is about tool calls; arguments alone mean those of tools.
    #[must_use]
    pub fn kinds(&self) -> Vec<ResourceKind> {
        let mut kinds = self.named_kinds();
        kinds.extend(self.not.iter().flat_map(|not| not.named_kinds()));
        if kinds.is_empty() && (self.has_arguments() || self.not_has_arguments()) {
            kinds.push(ResourceKind::Tool);
        }
        let tool_first = [ResourceKind::Tool, ResourceKind::Prompt, ResourceKind::Uri];
        tool_first
            .into_iter()
            .filter(|kind| kinds.contains(kind))
            .collect()
    }

    /// The first of [`What::kinds`].
    pub(crate) fn kind(&self) -> Option<ResourceKind> {
        let named = self
            .named_kind()
            .or_else(|| self.not.as_ref().and_then(|not| not.named_kind()));
        let by_arguments = self.has_arguments() || self.not_has_arguments();
        named.or_else(|| by_arguments.then_some(ResourceKind::Tool))
    }

    /// Whether the block can apply to a resource of this kind.
    pub(crate) fn fits_kind(&self, resource: Resource<'_>) -> bool {
        let kind = match resource {
            Resource::Tool(_) => Some(ResourceKind::Tool),
            Resource::Prompt(_) => Some(ResourceKind::Prompt),
            Resource::Uri(_) | Resource::Template(_) => Some(ResourceKind::Uri),
            Resource::Server | Resource::Task(_) => None,
        };
        self.kind().is_none_or(|own| kind == Some(own))
    }

    fn named_kind(&self) -> Option<ResourceKind> {
        if self.tools.is_some() || self.classes.is_some() {
            Some(ResourceKind::Tool)
        } else if self.prompts.is_some() {
            Some(ResourceKind::Prompt)
        } else {
            self.resources.as_ref().map(|_| ResourceKind::Uri)
        }
    }

    fn named_kinds(&self) -> Vec<ResourceKind> {
        let tool = (self.tools.is_some() || self.classes.is_some()).then_some(ResourceKind::Tool);
        let prompt = self.prompts.as_ref().map(|_| ResourceKind::Prompt);
        let uri = self.resources.as_ref().map(|_| ResourceKind::Uri);
        [tool, prompt, uri].into_iter().flatten().collect()
    }

    /// Whether some selector, including those of its negation, reads arguments.
    pub(crate) fn reads_arguments(&self) -> bool {
        self.has_arguments() || self.not_has_arguments()
    }

    fn has_arguments(&self) -> bool {
        !self.arguments.is_empty()
    }

    fn not_has_arguments(&self) -> bool {
        self.not.as_ref().is_some_and(|not| not.has_arguments())
    }

    /// Whether some selector other than `servers` is written.
    fn narrows_server(&self) -> bool {
        self.methods.is_some()
            || self.tools.is_some()
            || self.classes.is_some()
            || self.prompts.is_some()
            || self.resources.is_some()
            || self.has_arguments()
            || self.not.is_some()
    }

    /// The tools that it, including its negation, names exactly.
    pub(crate) fn exact_tools(&self) -> impl Iterator<Item = &Arc<str>> {
        let not = self.not.iter().filter_map(|not| not.tools.as_deref());
        let all = self.tools.as_deref().into_iter().chain(not).flatten();
        all.filter_map(Glob::exact)
    }

    /// Whether the block could match something on a server.
    pub(crate) fn covers_server(&self, server: &str) -> bool {
        let listed = |what: &What| {
            what.servers
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| &**name == server))
        };
        let excepted = self
            .not
            .as_ref()
            .is_some_and(|not| !not.narrows_server() && listed(not));
        listed(self) && !excepted
    }

    /// Whether the block names a method, exactly or by prefix.
    #[must_use]
    pub fn names_method(&self, method: &str) -> bool {
        let mut patterns = self.methods.iter().flatten();
        patterns.any(|pattern| pattern.matches(method))
    }

    /// Matches the selectors that list names: server, method, tool, class and prompt.
    pub(crate) fn matches_names(&self, target: &ClassifiedRequest<'_>) -> Match {
        let What {
            servers,
            methods,
            tools,
            classes,
            prompts,
            resources: _,
            arguments: _,
            not: _,
        } = self;
        let request = target.request;
        let globs = |globs: &Option<Box<[Glob]>>, name: Option<&str>| {
            selects(globs.as_deref(), |glob| {
                name.is_some_and(|name| glob.matches(name))
            })
        };
        let (tool, prompt) = match request.resource {
            Resource::Tool(name) => (Some(name), None),
            Resource::Prompt(name) => (None, Some(name)),
            Resource::Server | Resource::Uri(_) | Resource::Template(_) | Resource::Task(_) => {
                (None, None)
            }
        };
        let classes = if target.class == Class::Unknown && classes.is_some() {
            Match::Indeterminate
        } else {
            selects(classes.as_deref(), |name| {
                target.class.known() == Some(&**name)
            })
        };
        Match::all([
            selects(servers.as_deref(), |name| &**name == request.server),
            selects(methods.as_deref(), |pattern| {
                request
                    .action
                    .methods()
                    .any(|method| pattern.matches(method))
            }),
            globs(tools, tool),
            classes,
            globs(prompts, prompt),
        ])
    }

    /// Matches everything but the kind of the resource, which the rule has already checked.
    pub(crate) fn matches(&self, target: &ClassifiedRequest<'_>) -> Match {
        let What {
            servers: _,
            methods: _,
            tools: _,
            classes: _,
            prompts: _,
            resources,
            arguments,
            not,
        } = self;
        let plain = self.matches_names(target);
        if plain == Match::No {
            return Match::No;
        }
        let resources = resources
            .as_ref()
            .map(|patterns| match_uri(patterns, target));
        let arguments = arguments
            .iter()
            .map(|selector| target.matches_argument(selector));
        let not = not.iter().map(|what| {
            let found = what.matches(target);
            // The arguments may turn the result into a no, whatever else cannot be evaluated.
            let is_open = target.arguments_open && what.has_arguments();
            let unknown = is_open && found == Match::Indeterminate;
            if unknown {
                Match::Unknown
            } else {
                found.negate()
            }
        });
        plain.and(Match::all(
            resources.into_iter().chain(arguments).chain(not),
        ))
    }
}

impl ClassifiedRequest<'_> {
    fn matches_argument(&self, selector: &ValueSelector) -> Match {
        if self.arguments_open {
            return Match::Unknown;
        }
        let request = self.request;
        selector.matches(request.arguments, request.context.defaults)
    }
}

impl MethodPattern {
    /// Whether it names the method.
    #[must_use]
    pub fn matches(&self, method: &str) -> bool {
        match self {
            MethodPattern::Exact(own) => &**own == method,
            MethodPattern::Under(prefix) => method
                .strip_prefix(&**prefix)
                .is_some_and(|rest| !rest.is_empty()),
        }
    }
}

/// A URI that some server may read as another one cannot be evaluated, unless the schemes differ.
fn match_uri(patterns: &[UriPattern], target: &ClassifiedRequest<'_>) -> Match {
    let form = target.request.context.uris;
    let text = match target.request.resource {
        Resource::Uri(text) => text,
        Resource::Template(template) => {
            let found = patterns.iter().map(|pattern| {
                let found = pattern.matches_template(template, form);
                // A completion may be for any expansion; a listed template stands for one of them
                // later.
                if found == Match::Unknown && !target.arguments_open {
                    Match::Indeterminate
                } else {
                    found
                }
            });
            return Match::any(found);
        }
        Resource::Server | Resource::Tool(_) | Resource::Prompt(_) | Resource::Task(_) => {
            return Match::No;
        }
    };
    match target.uri.get(text, form) {
        Some(uri) => Match::any(patterns.iter().map(|pattern| pattern.matches(uri))),
        None => Match::any(patterns.iter().map(|pattern| pattern.could_match(text))),
    }
}
