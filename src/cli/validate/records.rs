//! What the recorded tools of the servers say of themselves.

use std::collections::BTreeMap;

use crate::authz::Value;
use crate::catalog::RecordedTool;
use crate::config::{Config, Inspection, RecordedNames};
use crate::policy::{DeclaredArguments, required_paths};
use crate::yaml::Node;

/// The recorded tools by server.
pub(super) type Records = BTreeMap<String, Vec<RecordedTool>>;

/// The names of the tools of each record.
pub(super) fn names(records: &Records) -> RecordedNames {
    let names = |tools: &Vec<RecordedTool>| tools.iter().map(|tool| tool.name.clone()).collect();
    let records = records.iter();
    records
        .map(|(server, tools)| (server.clone(), names(tools)))
        .collect()
}

/// What the tools of each record declare.
pub(super) fn declared(records: &Records) -> BTreeMap<String, BTreeMap<String, DeclaredArguments>> {
    let of_tool = |tool: &RecordedTool| {
        let declared = DeclaredArguments::of(tool.part("inputSchema"));
        (tool.name.clone(), declared)
    };
    let records = records.iter();
    records
        .map(|(server, tools)| (server.clone(), tools.iter().map(of_tool).collect()))
        .collect()
}

/// The arguments that each call of the tools has, on servers that hold them against the schemas.
pub(super) fn required(
    records: &Records,
    config: Option<&Config>,
) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let servers = config.map_or(&[][..], |config| &config.servers);
    let checking = servers.iter().filter(|server| server.check_arguments);
    let of_tool = |tool: &RecordedTool| {
        let required = required_paths(tool.part("inputSchema"));
        (tool.name.clone(), required)
    };
    let own = checking.filter_map(|server| {
        let tools = records.get(&*server.name)?;
        Some((server.name.clone(), tools.iter().map(of_tool).collect()))
    });
    own.collect()
}

/// Which of the tools destroy, by their annotations: those that say it, and those that deny it.
pub(super) fn destructive(records: &Records) -> BTreeMap<String, BTreeMap<String, bool>> {
    let of_tool = |tool: &RecordedTool| {
        let annotations = tool.part("annotations")?;
        let is = |hint: &str| match annotations.member(hint) {
            Some(Value::Bool(truth)) => Some(*truth),
            _ => None,
        };
        let destroys = match (is("readOnlyHint"), is("destructiveHint")) {
            (Some(true), _) | (_, Some(false)) => false,
            (_, Some(true)) => true,
            (_, None) => return None,
        };
        Some((tool.name.clone(), destroys))
    };
    let records = records.iter();
    records
        .map(|(server, tools)| (server.clone(), tools.iter().filter_map(of_tool).collect()))
        .collect()
}

/// Tools of which every call would be refused.
pub(super) fn look_at_schemas(inspection: &mut Inspection, records: &Records) {
    let Inspection {
        tree: Some(root),
        config: Some(config),
        findings,
        ..
    } = inspection
    else {
        return;
    };
    let servers = root.member("servers").map_or(&[][..], Node::items);
    for server in config.servers.iter().filter(|one| one.check_arguments) {
        let named =
            |node: &&Node| node.member("name").and_then(Node::as_str) == Some(server.name.as_str());
        let node = servers.iter().find(named);
        let node = node.and_then(|node| node.member("tools_snapshot"));
        let tools = records.get(&server.name).map_or(&[][..], Vec::as_slice);
        for (node, tool) in node
            .into_iter()
            .flat_map(|node| tools.iter().map(move |tool| (node, tool)))
        {
            if let Some(error) = tool.input_schema().unusable() {
                let name = tool.name.escape_debug();
                let message = format!("the input schema of `{name}` cannot be used: {error}");
                findings.error(node, message, "every call of the tool would be refused");
            }
        }
    }
}
