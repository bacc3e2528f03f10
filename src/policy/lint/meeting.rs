//! Warns of conditions whose tests of names no request passes together, although each of them
//! could be passed: a tool by a method that reaches prompts, or a tool of another class.

use std::collections::BTreeSet;

use super::context::Lint;
use crate::authz::{MethodPattern, NameCase, NameFact, NameKind, ResourceKind, Rule, What};
use crate::mcp::{METHODS, Selector};

/// What keeps the tests of a case apart.
#[derive(Debug, Clone)]
enum Apart {
    /// Nothing has all of it.
    Sure(String),
    /// A name that is known otherwise.
    Likely(String),
}

/// The methods that are left, with a rule's block over the call.
struct Meeting<'m> {
    case: &'m NameCase,
    what: Option<&'m What>,
}

impl Meeting<'_> {
    fn facts(&self, kind: NameKind) -> impl Iterator<Item = &NameFact> {
        let facts = self.case.facts.iter();
        facts.filter(move |fact| fact.kind == kind)
    }

    fn accepts(&self, kind: NameKind, name: &str) -> bool {
        self.facts(kind).all(|fact| fact.accepts(name))
    }

    fn reads(&self, field: &str) -> bool {
        self.case.needs.iter().any(|own| own.starts_with(field))
    }

    fn may_have_kind(&self, selector: Selector) -> bool {
        let kinds = self.what.map(What::kinds).unwrap_or_default();
        let own: &[ResourceKind] = match selector {
            Selector::Tool => &[ResourceKind::Tool],
            Selector::Prompt => &[ResourceKind::Prompt],
            Selector::Uri | Selector::Subscriptions => &[ResourceKind::Uri],
            Selector::Reference => &[ResourceKind::Prompt, ResourceKind::Uri],
            Selector::None | Selector::Task => &[],
        };
        kinds.is_empty() || kinds.iter().any(|kind| own.contains(kind))
    }

    fn may_have_method(&self, method: &str) -> bool {
        let is_named = self
            .what
            .is_none_or(|what| what.methods.is_none() || what.names_method(method));
        is_named && self.accepts(NameKind::Method, method)
    }

    /// Whether a method that no table has may be meant.
    fn may_have_other_method(&self) -> bool {
        let kinds = self.what.map(What::kinds).unwrap_or_default();
        let patterns = self.what.and_then(|what| what.methods.as_deref());
        let is_other = |name: &str| METHODS.iter().all(|method| method.name != name);
        let is_other_pattern = |pattern: &MethodPattern| match pattern {
            MethodPattern::Exact(name) => is_other(name) && self.accepts(NameKind::Method, name),
            MethodPattern::Under(_) => true,
        };
        let is_named = patterns.is_some_and(|patterns| patterns.iter().any(is_other_pattern));
        let texts = self.facts(NameKind::Method).filter_map(NameFact::texts);
        let mut texts = texts.map(|texts| texts.into_iter().any(is_other));
        let is_tested = texts.all(|is_other| is_other);
        kinds.is_empty() && (is_named || patterns.is_none()) && is_tested && !self.reads_anything()
    }

    fn reads_anything(&self) -> bool {
        ["name", "class", "uri"]
            .iter()
            .any(|field| self.reads(field))
    }
}

impl Lint<'_> {
    pub(super) fn look_at_meetings(&mut self, rule: &Rule) {
        let Some(condition) = &rule.expression else {
            return;
        };
        let mut first = None;
        for case in condition.name_cases() {
            let what = rule.what.as_ref();
            match self.apart(&Meeting { case, what }) {
                None => return,
                // What is only likely may be what is meant.
                Some(found @ Apart::Likely(_)) => first = Some((case, found)),
                Some(found) => first = first.or(Some((case, found))),
            }
        }
        let Some((case, found)) = first else { return };
        let tests = case.facts.iter().rev().flat_map(|fact| &fact.tests);
        let test = tests.max_by_key(|test| test.kind == NameKind::Name);
        let (is_sure, help) = match found {
            Apart::Sure(help) => (true, help),
            Apart::Likely(help) => (false, help),
        };
        let message = "no request to which the rule applies passes all tests of its names";
        let column = test.and_then(|test| test.column);
        self.tell(rule, column, is_sure, (message.to_owned(), help));
    }

    /// What keeps the tests of a case apart, if anything does.
    fn apart(&self, meeting: &Meeting<'_>) -> Option<Apart> {
        if meeting.may_have_other_method() {
            return None;
        }
        let mut found = None;
        for method in METHODS {
            if !meeting.may_have_kind(method.selector) || !meeting.may_have_method(method.name) {
                continue;
            }
            let apart = self.apart_by(meeting, method.name, method.selector)?;
            // What the tools are says more than that other methods have none.
            let is_better = matches!(
                (&found, &apart, method.selector),
                (None, ..) | (_, Apart::Likely(_), _) | (Some(Apart::Sure(_)), _, Selector::Tool)
            );
            if is_better {
                found = Some(apart);
            }
        }
        let methods = meeting.facts(NameKind::Method).flat_map(|fact| &fact.tests);
        let methods: Vec<String> = methods.map(|test| format!("`{}`", test.text)).collect();
        Some(found.unwrap_or_else(|| {
            let help = format!(
                "the rule applies to no request with {}",
                methods.join(" or ")
            );
            Apart::Sure(help)
        }))
    }

    /// What keeps the tests apart where a request has this method.
    fn apart_by(&self, meeting: &Meeting<'_>, method: &str, selector: Selector) -> Option<Apart> {
        let (name, class, uri) = match selector {
            Selector::Tool => (true, true, false),
            Selector::Prompt => (true, false, false),
            Selector::Reference => (true, false, true),
            Selector::Uri | Selector::Subscriptions => (false, false, true),
            Selector::None | Selector::Task => (false, false, false),
        };
        for (field, is_there) in [("name", name), ("class", class), ("uri", uri)] {
            if meeting.reads(field) && !is_there {
                let help = format!("a request with `{method}` has no `mcp.{field}`");
                return Some(Apart::Sure(help));
            }
        }
        let servers = self.servers_of(meeting);
        match selector {
            Selector::Tool => self.apart_of_tools(meeting, &servers),
            Selector::Prompt | Selector::Reference => {
                let texts = meeting.facts(NameKind::Name).find_map(NameFact::texts)?;
                let is_tool = |text: &&str| self.is_tool_of(&servers, text);
                let is_prompt = texts.is_empty() || !texts.iter().all(is_tool);
                let name = texts.first().filter(|_| !is_prompt)?;
                let help = format!("`{name}` is a tool, and `{method}` reaches prompts");
                Some(Apart::Likely(help))
            }
            Selector::Uri | Selector::Subscriptions | Selector::None | Selector::Task => None,
        }
    }

    /// The servers to which a case applies, as far as they are known.
    fn servers_of(&self, meeting: &Meeting<'_>) -> BTreeSet<&str> {
        let configured = self.context.issuers.of_servers.keys().map(String::as_str);
        let recorded = self.context.tools.keys().map(String::as_str);
        let mut servers: BTreeSet<&str> = configured.chain(recorded).collect();
        servers.retain(|server| {
            meeting.what.is_none_or(|what| what.covers_server(server))
                && meeting.accepts(NameKind::Server, server)
        });
        servers
    }

    fn is_tool_of(&self, servers: &BTreeSet<&str>, name: &str) -> bool {
        let is_recorded = |server: &&str| {
            let recorded = self.context.tools.get(*server);
            recorded.is_some_and(|tools| tools.iter().any(|tool| tool == name))
        };
        !servers.is_empty() && servers.iter().all(is_recorded)
    }

    /// What keeps tools apart that are named exactly; there may be others tomorrow.
    fn apart_of_tools(&self, meeting: &Meeting<'_>, servers: &BTreeSet<&str>) -> Option<Apart> {
        let texts = meeting.facts(NameKind::Name).find_map(NameFact::texts)?;
        let what = meeting.what;
        let mut found = None;
        for server in servers {
            let is_known = !self.context.indirect.contains_key(*server);
            let recorded = self.context.tools.get(*server).filter(|_| is_known);
            for tool in &texts {
                let selected = what.and_then(|what| what.tools.as_deref());
                let is_selected =
                    selected.is_none_or(|globs| globs.iter().any(|glob| glob.matches(tool)));
                if !is_selected || !meeting.accepts(NameKind::Name, tool) {
                    continue;
                }
                if recorded.is_some_and(|tools| tools.iter().all(|own| own != tool)) {
                    let help = format!("`{server}` has no recorded tool `{tool}`");
                    found = found.or(Some(help));
                    continue;
                }
                let hints = self.context.hints.of(server, tool);
                let class = self.policy.class(server, tool, hints)?;
                let named = what.and_then(|what| what.classes.as_deref());
                let is_named = named.is_none_or(|classes| classes.contains(class));
                if is_named && meeting.accepts(NameKind::Class, class) {
                    return None;
                }
                found = Some(format!("`{tool}` is in the class `{class}`"));
            }
        }
        found.map(Apart::Sure)
    }
}
