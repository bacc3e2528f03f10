//! Decodes one policy file: YAML to rules and tool tables that keep their positions in the file.
//!
//! Each block of a rule has a file here that decodes it, named like the file in `authz` that judges
//! it: `who`, `what`, `when`, `place` (for `where`) and `why`. `effects` decodes the effect of a
//! rule, `expression` its `if`, and `assignment` its `set`. This room checks everything that one
//! file can show; `compile.rs` checks what needs the other files or the configuration.

mod assignment;
mod belonging;
mod block;
mod budget;
mod effects;
mod expression;
mod methods;
mod place;
mod signs;
mod values;
mod what;
mod when;
mod who;
mod why;

use std::sync::Arc;

use super::silence::silenced;
use crate::authz::{About, Assignments, Effect, Expression, Glob, Mode, When, Where, Who};
use effects::{Blocks, EffectName};
use why::WhyDocument;

pub(super) use block::error_at_start;
pub(super) use budget::Budget;
pub(super) use expression::span_at;
pub(super) use methods::method_fault;
pub(super) use signs::{Sign, alternatives, comparison, regex};
pub(super) use what::WhatDocument;

use crate::yaml::{Data, Fields, Findings, Node, choice, list, odd_names, string};

/// How long a rule's id may be, in bytes.
const ID_BYTES_MAX: usize = 128;
/// How long a rule's message may be, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// One file.
#[derive(Debug, Default)]
pub(super) struct PolicyDocument<'n> {
    pub(super) tools: Vec<ToolTable<'n>>,
    pub(super) rules: Vec<RuleDocument<'n>>,
}

/// The risk classes of one server.
#[derive(Debug)]
pub(super) struct ToolTable<'n> {
    /// The key.
    pub(super) server: &'n Node,
    /// Classes with the patterns of their tools.
    pub(super) classes: Vec<(&'n Node, Vec<(&'n Node, Glob)>)>,
}

/// One rule. An invalid part has produced a finding and is absent.
#[derive(Debug)]
pub(super) struct RuleDocument<'n> {
    pub(super) node: &'n Node,
    pub(super) id: Option<(&'n Node, Arc<str>)>,
    pub(super) effect: Option<Effect>,
    pub(super) mode: Mode,
    pub(super) who: Option<Who>,
    pub(super) what: Option<WhatDocument<'n>>,
    pub(super) when: Option<When>,
    pub(super) place: Option<Where>,
    pub(super) why: Option<WhyDocument<'n>>,
    pub(super) condition: Option<Expression>,
    pub(super) set: Option<Assignments>,
    pub(super) message: Option<Arc<str>>,
    pub(super) about: About,
}

impl RuleDocument<'_> {
    /// Whether the rule reads the country of the source.
    pub(super) fn asks_country(&self) -> bool {
        let condition = self.condition.as_ref();
        self.place.as_ref().is_some_and(Where::has_countries)
            || condition.is_some_and(Expression::reads_country)
    }

    /// Whether the rule reads the posture of the device.
    pub(super) fn asks_device(&self) -> bool {
        let condition = self.condition.as_ref();
        self.place.as_ref().is_some_and(Where::has_device)
            || condition.is_some_and(Expression::reads_device)
    }
}

impl<'n> PolicyDocument<'n> {
    /// Decodes one file's tree. An empty file has no rules.
    pub(super) fn read(root: &'n Node, budget: &mut Budget, findings: &mut Findings) -> Self {
        if root.data == Data::Null {
            return PolicyDocument::default();
        }
        refuse_nulls(root, findings);
        let Some(mut fields) = Fields::open(root, "a policy", findings) else {
            return PolicyDocument::default();
        };
        // Before what may have one of them.
        fields.optional("names", findings, odd_names);
        let tools = fields
            .optional("tools", findings, read_tools)
            .unwrap_or_default();
        let rules = fields
            .node_of("rules")
            .map(|node| read_rules(node, budget, findings));
        fields.optional("silence", findings, silenced);
        fields.finish(findings);
        PolicyDocument {
            tools,
            rules: rules.unwrap_or_default(),
        }
    }
}

/// A key without a value means neither "everything" nor "nothing": it is refused.
fn refuse_nulls(node: &Node, findings: &mut Findings) {
    match &node.data {
        Data::Map(entries) => {
            for (key, value) in entries {
                if value.data == Data::Null {
                    let message = format!("`{}` has no value", key.as_str().unwrap_or_default());
                    findings.error(key, message, "omit the key, or give it a value");
                }
                refuse_nulls(value, findings);
            }
        }
        Data::List(items) => {
            for item in items {
                refuse_nulls(item, findings);
            }
        }
        Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::String(_) => {}
    }
}

/// `tools: {server: {class: [pattern]}}`.
fn read_tools<'n>(node: &'n Node, findings: &mut Findings) -> Option<Vec<ToolTable<'n>>> {
    let servers = entries(node, "`tools` maps servers to classes, so it", findings)?;
    let mut tables = Vec::new();
    for (server, classes) in servers {
        let what = "the tools of a server are a mapping from class to patterns, so this";
        let Some(entries) = entries(classes, what, findings) else {
            continue;
        };
        let mut read = Vec::new();
        for (class, patterns) in entries {
            let patterns = list(patterns, findings, |node, findings| {
                block::table_pattern(node, findings).map(|glob| (node, glob))
            });
            read.push((class, patterns.unwrap_or_default()));
        }
        tables.push(ToolTable {
            server,
            classes: read,
        });
    }
    Some(tables)
}

/// The members of a mapping with arbitrary keys.
fn entries<'n>(
    node: &'n Node,
    what: &str,
    findings: &mut Findings,
) -> Option<Vec<(&'n Node, &'n Node)>> {
    if let Data::Map(entries) = &node.data {
        let given = entries.iter().filter(|(_, value)| value.data != Data::Null);
        return Some(given.map(|(key, value)| (key, value)).collect());
    }
    if node.data != Data::Null {
        findings.error(
            node,
            format!("{what} must be a mapping, found {}", node.kind()),
            "",
        );
    }
    None
}

/// No rules at all is a valid policy: it denies everything.
fn read_rules<'n>(
    node: &'n Node,
    budget: &mut Budget,
    findings: &mut Findings,
) -> Vec<RuleDocument<'n>> {
    if node.data == Data::List(Vec::new()) {
        return Vec::new();
    }
    let mut rules = Vec::new();
    list(node, findings, |node, findings| {
        // Compiling the others would take what is not there.
        if !budget.is_spent {
            rules.extend(read_rule(node, budget, findings));
        }
        Some(())
    });
    rules
}

fn read_rule<'n>(
    node: &'n Node,
    budget: &mut Budget,
    findings: &mut Findings,
) -> Option<RuleDocument<'n>> {
    let mut fields = Fields::open(node, "a rule", findings)?;
    let id = fields.required("id", findings, |node, findings| {
        Some((node, read_id(node, findings)?))
    });
    let effect = fields.required("effect", findings, choice(&EffectName::WORDS));
    let mode = fields.optional("mode", findings, effects::read_mode);
    let (who_node, what_node) = (fields.node_of("who"), fields.node_of("what"));
    let who = who_node.and_then(|node| who::read_who(node, findings));
    let what = what_node.and_then(|node| what::read_what(node, "`what`", findings));
    let when = fields.optional("when", findings, when::read_when);
    let place = fields.optional("where", findings, place::read_where);
    let why = fields.node_of("why");
    let why = why.and_then(|node| why::read_why(node, findings));
    let condition = fields.optional("if", findings, |node, findings| {
        expression::read(node, budget, findings)
    });
    let blocks = Blocks {
        needs: fields.node_of("needs"),
        limit: fields.node_of("limit"),
        set: fields.node_of("set"),
    };
    let set = blocks
        .set
        .and_then(|node| assignment::read_set(node, findings));
    let message = fields.optional("message", findings, read_message);
    let about = About {
        description: fields.optional("description", findings, read_message),
        owner: fields.optional("owner", findings, read_origin),
        ticket: fields.optional("ticket", findings, read_origin),
    };
    fields.optional("silence", findings, silenced);
    let effect = effect.and_then(|effect| {
        if let EffectName::Allow = effect {
            refuse_vague_allow(node, who_node, what_node, findings);
        }
        effects::complete(effect, node, blocks, findings)
    });
    belonging::finish(fields, belonging::RULE, findings);
    Some(RuleDocument {
        node,
        id,
        effect,
        mode: mode.unwrap_or_default(),
        who,
        what,
        when,
        place,
        why,
        condition,
        set,
        message,
        about,
    })
}

/// Refuses an allow without `who` or `what`, which would mean "everything" by omission.
fn refuse_vague_allow(
    rule: &Node,
    who: Option<&Node>,
    what: Option<&Node>,
    findings: &mut Findings,
) {
    if who.is_none() {
        let help = "`who: {anyone: true}` is every authenticated subject";
        error_at_start(rule, "an allow rule must say `who`", help, findings);
    }
    if what.is_none() {
        let help = "such as `what: {servers: [name]}`";
        error_at_start(rule, "an allow rule must say `what`", help, findings);
    }
}

fn read_id(node: &Node, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    let good = text.len() <= ID_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte));
    if !good {
        let help = format!("letters, digits and `-_.:/`, at most {ID_BYTES_MAX}");
        findings.error(node, format!("`{text}` cannot be an id"), help);
    }
    good.then(|| text.into())
}

/// An owner or a ticket, which the audit record names.
fn read_origin(node: &Node, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    if text.len() > ID_BYTES_MAX {
        let message = format!("`{text}` has {} bytes", text.len());
        findings.error(node, message, format!("at most {ID_BYTES_MAX}"));
        return None;
    }
    Some(text.into())
}

fn read_message(node: &Node, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    if text.len() > MESSAGE_BYTES_MAX {
        let message = format!("the text has {} bytes", text.len());
        findings.error(node, message, format!("at most {MESSAGE_BYTES_MAX}"));
        return None;
    }
    Some(text.into())
}
