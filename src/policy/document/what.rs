//! `what`: servers, methods, tools, prompts, resources and arguments.

use std::borrow::Cow;
use std::sync::Arc;

use crate::authz::{
    ExpectedValue, Glob, MethodPattern, ResourceKind, TextPattern, UriPattern, Value, ValuePath,
    ValueSelector, What,
};
use crate::yaml::{Fields, Findings, Node, list, name};

use super::belonging::finish;
use super::block::{names, open, pattern};
use super::methods::method_fault;
use super::signs::{Sign, alternatives, comparison, regex};
use super::values::read_values;

/// `what`, with the names that must exist elsewhere.
#[derive(Debug, Default)]
pub(crate) struct WhatDocument<'n> {
    /// The block.
    pub(crate) node: Option<&'n Node>,
    pub(crate) what: What,
    pub(crate) servers: Vec<&'n Node>,
    pub(crate) classes: Vec<&'n Node>,
}

/// Reads the block that messages call `block`.
pub(super) fn read_what<'n>(
    node: &'n Node,
    block: &str,
    findings: &mut Findings,
) -> Option<WhatDocument<'n>> {
    let mut fields = open(node, block, findings)?;
    let mut read = what_fields(&mut fields, findings);
    read.node = Some(node);
    let methods = fields.node_of("methods");
    if let Some(not) = fields.optional("not", findings, read_what_not) {
        read.servers.extend(not.servers);
        read.classes.extend(not.classes);
        read.what.not = Some(Box::new(not.what));
    }
    finish(fields, "what", findings);
    check_kinds(&read.what, node, methods.unwrap_or(node), findings);
    Some(read)
}

fn read_what_not<'n>(node: &'n Node, findings: &mut Findings) -> Option<WhatDocument<'n>> {
    let mut fields = open(node, "`not`", findings)?;
    let what = what_fields(&mut fields, findings);
    finish(fields, "what", findings);
    Some(what)
}

fn what_fields<'n>(fields: &mut Fields<'n>, findings: &mut Findings) -> WhatDocument<'n> {
    let servers = fields.node_of("servers");
    let classes = fields.node_of("classes");
    let globs = |fields: &mut Fields<'n>, key, findings: &mut Findings| {
        let read = |node, findings: &mut Findings| {
            list(node, findings, |node, findings| {
                let glob = pattern(node, Glob::name, findings)?;
                let sign = regex(glob.as_str()).or_else(|| alternatives(glob.as_str()));
                if let Some(Sign { message, help }) = sign {
                    findings.error(node, message, help);
                    return None;
                }
                Some(glob)
            })
        };
        fields.optional(key, findings, read).map(Box::from)
    };
    let uris = |node: &Node, findings: &mut Findings| {
        list(node, findings, |node, findings| {
            pattern(node, UriPattern::new, findings)
        })
    };
    let what = What {
        servers: servers.and_then(|node| names(node, findings)),
        methods: fields.optional("methods", findings, read_methods),
        tools: globs(fields, "tools", findings),
        classes: classes.and_then(|node| names(node, findings)),
        prompts: globs(fields, "prompts", findings),
        resources: fields.optional("resources", findings, uris).map(Box::from),
        arguments: fields
            .optional("arguments", findings, read_arguments)
            .unwrap_or_default(),
        not: None,
    };
    WhatDocument {
        node: None,
        what,
        servers: servers.map_or(&[][..], Node::items).iter().collect(),
        classes: classes.map_or(&[][..], Node::items).iter().collect(),
    }
}

fn read_methods(node: &Node, findings: &mut Findings) -> Option<Box<[MethodPattern]>> {
    list(node, findings, read_method).map(Box::from)
}

fn read_method(node: &Node, findings: &mut Findings) -> Option<MethodPattern> {
    let text = name(node, findings)?;
    let (prefix, under) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text.as_str(), false),
    };
    let good =
        !prefix.contains(['*', '?']) && (!under || (prefix.len() > 1 && prefix.ends_with('/')));
    if !good {
        let help = "a method such as `tools/call`, or all under a prefix such as `vendor/*`";
        findings.error(node, format!("`{text}` does not name methods"), help);
        return None;
    }
    if let Some(fault) = method_fault(&text) {
        findings.error(node, fault.message, fault.help);
        return None;
    }
    let prefix = Arc::from(prefix);
    Some(if under {
        MethodPattern::Under(prefix)
    } else {
        MethodPattern::Exact(prefix)
    })
}

fn read_arguments(node: &Node, findings: &mut Findings) -> Option<Box<[ValueSelector]>> {
    let text = |node: &Node, findings: &mut Findings| {
        let glob = pattern(node, Glob::name, findings)?;
        let anchored = || glob.as_str().starts_with('^') && glob.as_str().ends_with('$');
        let sign = comparison(glob.as_str());
        let sign = sign.or_else(|| regex(glob.as_str()).filter(|_| anchored()));
        if let Some(Sign { message, help }) = sign {
            findings.error(node, message, help);
            return None;
        }
        Some(match glob.exact() {
            Some(text) => ExpectedValue::Exactly(Value::String(Cow::Owned(text.to_string()))),
            None => ExpectedValue::Pattern(TextPattern::new(glob)),
        })
    };
    let read = read_values(
        node,
        "`arguments`",
        (ValuePath::of_argument, text),
        findings,
    )?;
    Some(
        read.into_iter()
            .map(|(path, expected)| ValueSelector { path, expected })
            .collect(),
    )
}

/// Refuses combinations that no call could have.
fn check_kinds(what: &What, node: &Node, methods: &Node, findings: &mut Findings) {
    let kinds = what.kinds();
    let [kind] = kinds.as_slice() else {
        if !kinds.is_empty() {
            let help =
                "`tools` and `classes`, `prompts`, and `resources` each need a rule of their own";
            findings.error(
                node,
                "no call is for several kinds of resources, so this never matches",
                help,
            );
        }
        return;
    };
    let has_arguments = |what: &What| !what.arguments.is_empty();
    let arguments = has_arguments(what) || what.not.as_deref().is_some_and(has_arguments);
    if *kind == ResourceKind::Uri && arguments {
        let message = "resources have no arguments, so this never matches";
        findings.error(
            node,
            message,
            "`arguments` goes with `tools`, `classes` or `prompts`",
        );
    }
    let (possible, name): (&[&str], _) = match kind {
        ResourceKind::Tool => (&["tools/call"], "tools are only reached by `tools/call`"),
        ResourceKind::Prompt => (
            &["prompts/get", "completion/complete"],
            "prompts are only reached by `prompts/get` and `completion/complete`",
        ),
        ResourceKind::Uri => return,
    };
    if what.methods.is_some() && !possible.iter().any(|method| what.names_method(method)) {
        findings.error(
            methods,
            "none of these methods reaches what the rule is about",
            name,
        );
    }
}
