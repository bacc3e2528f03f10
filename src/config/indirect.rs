//! `servers[].indirect`: the tools of a server that call other tools of it, or find them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::words::Words;
use crate::check::{FoundPaths, IndirectTool, InnerForm, InnerPaths, ValuePath};
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
    let mut fields = Fields::open(node, "a tool that calls or finds others", findings)?;
    let tool = fields.required("tool", findings, yaml::string);
    let calls = fields.optional("calls", findings, path);
    let server_node = fields.node_of("server");
    let server = server_node.and_then(|node| path(node, findings));
    let nodes = [fields.node_of("name"), fields.node_of("arguments")];
    let [name, arguments] = nodes.map(|node| node.and_then(|node| path(node, findings)));
    let form = fields.optional("form", findings, yaml::choice(InnerForm::WORDS));
    let results_node = fields.node_of("results");
    let results = results_node.and_then(|node| path(node, findings));
    let says_more = calls.is_some() || form.is_some();
    fields.finish(findings);
    let [name_node, arguments_node] = nodes;
    let makes_calls = name_node.is_some() || arguments_node.is_some() || says_more;
    for (key, found) in [("name", name_node), ("arguments", arguments_node)] {
        if makes_calls && found.is_none() {
            let help = "a tool that calls others has both `name` and `arguments`";
            findings.error(node, format!("`{key}` is missing"), help);
        }
    }
    if !makes_calls && results_node.is_none() {
        let help = "`name` and `arguments` say where its calls are, `results` where its result has \
                    a list of tools";
        findings.error(
            node,
            "this says neither how it calls others nor how it finds them",
            help,
        );
    }
    if let Some(node) = name_node.filter(|_| name.is_some() && name == arguments) {
        let help = "the name is a string and the arguments are an object, so each has its path";
        findings.error(node, "`name` and `arguments` are at the same path", help);
    }
    if let Some(node) = server_node.filter(|_| server.is_some())
        && (server == name || server == arguments)
    {
        let help = "the name of the server is a string of its own beside that of the tool";
        let message = "`server` is at the path of `name` or `arguments`";
        findings.error(node, message, help);
    }
    let inner = name.zip(arguments).map(|(name, arguments)| InnerPaths {
        calls,
        server: server.clone(),
        name,
        arguments,
        form: form.unwrap_or_default(),
    });
    Some(IndirectTool {
        tool: tool?,
        inner,
        results: results.map(|list| FoundPaths { list, server }),
    })
}

/// A path into the arguments or the result of a call.
fn path(node: &Node, findings: &mut Findings) -> Option<ValuePath> {
    let text = yaml::string(node, findings)?;
    match ValuePath::of_argument(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let help = "names joined by dots, such as `call.name`; for a list of calls say where it \
                        is by `calls`";
            findings.error(node, format!("`{text}` can never match: {error}"), help);
            None
        }
    }
}

/// Refuses results that come on streams where nobody can tell whose they are.
pub(super) fn check_streams(
    server: &Node,
    indirect: Option<&Arc<[IndirectTool]>>,
    has_streams: bool,
    findings: &mut Findings,
) {
    let mut tools = indirect.into_iter().flat_map(|tools| tools.iter());
    let has_results = tools.any(|one| one.results.is_some());
    if let Some(node) = server
        .member("indirect")
        .filter(|_| has_results && has_streams)
    {
        let message =
            "`results` are not filtered on GET streams, where no request tells them apart";
        let help = "leave out `results`, or `responses_on_get` and `resume`";
        findings.error(node, message, help);
    }
}

/// As the effective configuration shows it.
pub(super) fn shown(indirect: Option<&Arc<[IndirectTool]>>) -> Option<Vec<Value>> {
    let tools = indirect?.iter().map(|one| {
        let IndirectTool {
            tool,
            inner,
            results,
        } = one;
        let inner = inner.as_ref();
        let calls = inner.and_then(|inner| inner.calls.as_ref());
        let found = results.as_ref();
        let server = inner.and_then(|inner| inner.server.as_ref());
        let server = server.or_else(|| found.and_then(|found| found.server.as_ref()));
        json!({
            "tool": tool,
            "calls": calls.map(ValuePath::as_str),
            "server": server.map(ValuePath::as_str),
            "name": inner.map(|inner| inner.name.as_str()),
            "arguments": inner.map(|inner| inner.arguments.as_str()),
            "form": inner.map(|inner| inner.form.word()),
            "results": found.map(|found| found.list.as_str()),
        })
    });
    Some(tools.collect())
}
