//! Refuses windows that never count what their rule is about.

use super::context::Lint;
use crate::authz::{Behaviour, Count, Glob, KeyPart, Rule, What};

impl Lint<'_> {
    /// A window by server counts what happened on the server of the request, and one by tool the
    /// calls of its tool.
    pub(super) fn look_at_windows(&mut self, rule: &Rule) {
        let Some(why) = rule.why.as_ref() else { return };
        let not = why.not.as_deref();
        for (behaviours, way) in [
            (&why.behaviours, &["why"][..]),
            (
                not.map_or(&Box::default(), |not| &not.behaviours),
                &["why", "not"],
            ),
        ] {
            for behaviour in behaviours {
                let Some((message, help)) = self.never_counts(rule, behaviour) else {
                    continue;
                };
                let key = behaviour.counted.window.count.name();
                let place = self.places.get(&*rule.id).map(|place| place.node);
                let mut way = way.iter().chain([&key]);
                let node = place.and_then(|node| way.try_fold(node, |node, key| node.member(key)));
                if let Some(node) = node {
                    self.findings.error(node, message, help);
                }
            }
        }
    }

    /// Why a window never counts enough for a request to which the rule applies.
    fn never_counts(&self, rule: &Rule, behaviour: &Behaviour) -> Option<(String, String)> {
        let window = &behaviour.counted.window;
        let has = |parts: &[KeyPart]| window.by.iter().any(|part| parts.contains(part));
        let by_server = has(&[KeyPart::Server, KeyPart::Session, KeyPart::Tool]);
        let by_tool = has(&[KeyPart::Tool]);
        let part = window.by.iter().find(|part| match part {
            KeyPart::Server | KeyPart::Session | KeyPart::Tool => true,
            KeyPart::Subject | KeyPart::Agent | KeyPart::Tenant => false,
        });
        let part = match part {
            Some(KeyPart::Session) => "session",
            Some(KeyPart::Server) => "server",
            Some(KeyPart::Tool | KeyPart::Subject | KeyPart::Agent | KeyPart::Tenant) | None => {
                "tool"
            }
        };
        if by_tool && window.count == Count::DistinctTools && behaviour.more_than > 0 {
            let message = "a window by tool never counts more than one tool".to_owned();
            return Some((message, "leave `tool` out of `by`".to_owned()));
        }
        let of = behaviour.counted.of.as_deref()?;
        if let Some(most) = Self::most_tools(of, by_server)
            && window.count == Count::DistinctTools
            && u64::from(behaviour.more_than) >= most
        {
            let message = format!("`of` selects {most} tools, so there are never more");
            return Some((message, "lower `more_than`".to_owned()));
        }
        let what = rule.what.as_ref().filter(|_| by_server)?;
        let servers = self.servers_under(what);
        let shared = servers.iter().filter(|server| {
            of.covers_server(server) && self.has_some(what, server) && self.has_some(of, server)
        });
        let shared: Vec<&String> = shared.collect();
        if shared.is_empty() && !servers.is_empty() {
            let message = format!(
                "by {part} the window counts only what happened on the server of the request, and \
                 `of` selects nothing there"
            );
            let help = "count `by: [subject]` or `by: [agent]`, across servers".to_owned();
            return Some((message, help));
        }
        let is_apart = by_tool
            && !shared
                .iter()
                .any(|server| self.share_a_tool(what, of, server));
        (is_apart && !shared.is_empty()).then(|| {
            let message = "by tool the window counts only calls of the tool of the request, and \
                           `of` selects another";
            (message.to_owned(), "leave `tool` out of `by`".to_owned())
        })
    }

    /// The number of tools that a block names, if it names each.
    fn most_tools(of: &What, by_server: bool) -> Option<u64> {
        let tools = of.tools.as_deref()?;
        if !tools.iter().all(|glob| glob.exact().is_some()) {
            return None;
        }
        let servers = match &of.servers {
            _ if by_server => 1,
            Some(servers) => servers.len(),
            None => return None,
        };
        u64::try_from(tools.len().saturating_mul(servers)).ok()
    }

    /// Whether a server may have something that a block selects by tool or class.
    fn has_some(&self, what: &What, server: &str) -> bool {
        match (&what.tools, &what.classes) {
            (_, Some(classes)) => {
                let every = Glob::name("*").ok();
                let globs = what
                    .tools
                    .as_deref()
                    .or(every.as_ref().map(std::slice::from_ref));
                globs.is_none_or(|globs| {
                    let mut globs = globs.iter();
                    globs.any(|glob| {
                        classes
                            .iter()
                            .any(|class| self.may_match(server, glob, class))
                    })
                })
            }
            (Some(_) | None, _) => true,
        }
    }

    /// Whether one tool of a server may be in both blocks.
    fn share_a_tool(&self, one: &What, other: &What, server: &str) -> bool {
        let meet = |one: &What, other: &What| match (&one.tools, &other.tools, &other.classes) {
            (Some(own), Some(others), _) => {
                let mut own = own.iter();
                own.any(|own| others.iter().any(|other| own.common_match(other).is_some()))
            }
            (Some(own), None, Some(classes)) => own.iter().any(|glob| match glob.exact() {
                Some(tool) => {
                    let hints = self.context.hints.of(server, tool);
                    let class = self.policy.class(server, tool, hints);
                    class.is_none_or(|class| classes.contains(class))
                }
                None => classes
                    .iter()
                    .any(|class| self.may_match(server, glob, class)),
            }),
            (Some(_) | None, ..) => true,
        };
        let same_class = match (&one.classes, &other.classes) {
            (Some(own), Some(others)) => own.iter().any(|class| others.contains(class)),
            (Some(_) | None, _) => true,
        };
        same_class && meet(one, other) && meet(other, one)
    }
}
