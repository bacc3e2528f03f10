//! The outside names that a policy uses: groups, scopes, and the servers whose arguments it reads.

use std::collections::BTreeSet;

use crate::authz::{
    Effect, Expression, Glob, MethodPattern, Mode, Policy, ResourceKind, Rule, What,
};
use crate::mcp::IndirectTool;
use crate::policy::testing::IndirectTools;

/// The method that calls a tool.
pub(super) const TOOLS_CALL: &str = "tools/call";

/// Whether tool calls are among the named methods.
pub(super) fn is_call(method: &MethodPattern) -> bool {
    match method {
        MethodPattern::Exact(name) => **name == *TOOLS_CALL,
        MethodPattern::Under(prefix) => **prefix == *"tools/",
    }
}

/// The groups and scopes that rules name.
pub(super) fn named(policy: &Policy) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut groups, mut scopes) = (BTreeSet::new(), BTreeSet::new());
    for rule in policy.rules() {
        let who = rule.who.iter();
        for who in who
            .flat_map(|who| [Some(who), who.not.as_deref()])
            .flatten()
        {
            groups.extend(who.groups.iter().flatten().map(|name| &**name));
            scopes.extend(who.scopes.iter().flatten().map(|name| &**name));
        }
        if let Effect::Require(needs) = &rule.effect {
            scopes.extend(needs.scopes.iter().map(|name| &**name));
        }
    }
    (groups, scopes)
}

/// The scopes that rules name.
#[must_use]
pub fn scopes_of(policy: &Policy) -> BTreeSet<String> {
    named(policy).1.into_iter().map(str::to_owned).collect()
}

/// The servers among these whose tools' arguments some rule reads.
#[must_use]
pub fn argument_servers<'s>(
    policy: &Policy,
    servers: impl Iterator<Item = &'s str>,
) -> BTreeSet<String> {
    let reading: Vec<&Rule> = policy
        .rules()
        .iter()
        .filter(|rule| reads_tools(rule))
        .collect();
    let is_read = |server: &&str| {
        reading.iter().any(|rule| {
            let named = rule.what.as_ref().and_then(|what| what.servers.as_ref());
            named.is_none_or(|names| names.iter().any(|name| **name == **server))
        })
    };
    servers.filter(is_read).map(str::to_owned).collect()
}

/// The servers on which some rule allows a tool other than those that call others.
#[must_use]
pub fn inner_servers(policy: &Policy, indirect: &IndirectTools) -> BTreeSet<String> {
    let ruled = indirect.iter().filter(|(server, tools)| {
        let mut rules = policy.rules().iter();
        rules.any(|rule| allows_inner(rule, server, tools))
    });
    ruled.map(|(server, _)| server.clone()).collect()
}

/// The servers among these on which some rule allows tools by a pattern, or all of them, so that one
/// that nobody has seen is allowed too.
#[must_use]
pub fn pattern_servers<'s>(
    policy: &Policy,
    servers: impl Iterator<Item = &'s str>,
) -> BTreeSet<String> {
    let is_open = |server: &&str| {
        let mut rules = policy.rules().iter();
        rules.any(|rule| allows_by_pattern(policy, rule, server))
    };
    servers.filter(is_open).map(str::to_owned).collect()
}

fn allows_by_pattern(policy: &Policy, rule: &Rule, server: &str) -> bool {
    let Some(what) = rule.what.as_ref() else {
        return false;
    };
    let kinds = what.kinds();
    let names_calls = |methods: &[MethodPattern]| methods.iter().any(is_call);
    let is_about_tools = (kinds.is_empty() || kinds.contains(&ResourceKind::Tool))
        && what.methods.as_deref().is_none_or(names_calls);
    if rule.effect != Effect::Allow
        || rule.mode != Mode::Enforce
        || !is_about_tools
        || !what.covers_server(server)
    {
        return false;
    }
    match (&what.tools, &what.classes) {
        (Some(globs), _) => globs.iter().any(|glob| glob.exact().is_none()),
        (None, Some(classes)) => policy.tables().any(|(own, table)| {
            let mut patterns = table.patterns();
            **own == *server && patterns.any(|(_, class)| classes.contains(class))
        }),
        (None, None) => true,
    }
}

/// Whether a rule may allow a tool of a server that another one calls.
fn allows_inner(rule: &Rule, server: &str, indirect: &[IndirectTool]) -> bool {
    if rule.effect != Effect::Allow || rule.mode != Mode::Enforce {
        return false;
    }
    let Some(what) = &rule.what else {
        return true;
    };
    let is_outer = |glob: &Glob| {
        let exact = glob.exact();
        exact.is_some_and(|name| indirect.iter().any(|one| one.is_meant_by(name)))
    };
    let kinds = what.kinds();
    let names_calls = |methods: &[MethodPattern]| methods.iter().any(is_call);
    what.covers_server(server)
        && (kinds.is_empty() || kinds.contains(&ResourceKind::Tool))
        && what.methods.as_deref().is_none_or(names_calls)
        && what
            .tools
            .as_deref()
            .is_none_or(|globs| !globs.iter().all(is_outer))
}

/// Whether a rule may read arguments of a tool.
fn reads_tools(rule: &Rule) -> bool {
    let condition = rule.expression.as_ref();
    let what = rule.what.as_ref();
    let selects = |what: &What| !what.arguments.is_empty();
    let reads = condition.is_some_and(Expression::reads_arguments)
        || what.is_some_and(|what| selects(what) || what.not.as_deref().is_some_and(selects));
    let is_about_tools = what.is_none_or(|what| {
        let kinds = what.kinds();
        let names_calls = |methods: &[MethodPattern]| methods.iter().any(is_call);
        (kinds.is_empty() || kinds.contains(&ResourceKind::Tool))
            && what.methods.as_deref().is_none_or(names_calls)
    });
    reads && is_about_tools
}
