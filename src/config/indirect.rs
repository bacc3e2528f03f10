//! `servers[].indirect`: the tools of a server that call other tools of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::words::Words;
use crate::check::{IndirectTool, InnerForm, ValuePath};
use crate::yaml::{self, Fields, Findings, Node};

pub(super) fn indirect(node: &Node, findings: &mut Findings) -> Option<Arc<[IndirectTool]>> {
    let mut known: Vec<IndirectTool> = Vec::new();
    let tools = yaml::list(node, findings, |node, findings| {
        let one = tool(node, findings)?;
        if let Some(other) = known.iter().find(|other| other.is_meant_by(&one.tool)) {
            let (other, own) = (&other.tool, &one.tool);
            let message = format!("`{other}` and `{own}` are one tool to some servers");
            findings.error(node, message, "say once how the tool calls others");
        }
        known.push(one.clone());
        Some(one)
    });
    tools.map(Arc::from)
}

fn tool(node: &Node, findings: &mut Findings) -> Option<IndirectTool> {
    let mut fields = Fields::open(node, "a tool that calls others", findings)?;
    let tool = fields.required("tool", findings, yaml::string);
    let calls = fields.optional("calls", findings, path);
    let name_node = fields.node_of("name");
    let name = fields.required("name", findings, path);
    let arguments = fields.required("arguments", findings, path);
    let form = fields.optional("form", findings, yaml::choice(InnerForm::WORDS));
    fields.finish(findings);
    let (name, arguments) = (name?, arguments?);
    if let Some(node) = name_node.filter(|_| name == arguments) {
        let help = "the name is a string and the arguments are an object, so each has its path";
        findings.error(node, "`name` and `arguments` are at the same path", help);
    }
    Some(IndirectTool {
        tool: tool?,
        calls,
        name,
        arguments,
        form: form.unwrap_or_default(),
    })
}

/// A path into the arguments of a call.
fn path(node: &Node, findings: &mut Findings) -> Option<ValuePath> {
    let text = yaml::string(node, findings)?;
    match ValuePath::new(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let help = "names joined by dots, such as `call.name`; for a list of calls say where it \
                        is by `calls`";
            findings.error(node, format!("`{text}` can never match: {error}"), help);
            None
        }
    }
}

/// As the effective configuration shows it.
pub(super) fn shown(indirect: Option<&Arc<[IndirectTool]>>) -> Option<Vec<Value>> {
    let tools = indirect?.iter().map(|one| {
        let IndirectTool {
            tool,
            calls,
            name,
            arguments,
            form,
        } = one;
        json!({
            "tool": tool,
            "calls": calls.as_ref().map(ValuePath::as_str),
            "name": name.as_str(),
            "arguments": arguments.as_str(),
            "form": form.word(),
        })
    });
    Some(tools.collect())
}
