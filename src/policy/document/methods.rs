//! Methods in rules and tests: those of the protocol, those of a vendor, and neither.
//!
//! A method is compared exactly, so one that no revision has silently matches nothing. A vendor's
//! method has a prefix of its own; one under a prefix of the protocol, or nearly, is misspelt.

use crate::mcp::{METHODS, RESERVED_METHODS};
use crate::yaml::quoted;

/// What servers send, and rules never see.
const OF_SERVERS: [&str; 9] = [
    "elicitation/create",
    "notifications/elicitation/complete",
    "notifications/message",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/tools/list_changed",
    "roots/list",
    "sampling/createMessage",
];
/// Anything may stand under it: clients may send notifications of their own.
const NOTIFICATIONS: &str = "notifications";

/// Why a method, or a pattern such as `tools/*`, stands for nothing that a client sends.
pub(crate) struct MethodFault {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Judges a method as it is written in a rule or test.
pub(crate) fn method_fault(text: &str) -> Option<MethodFault> {
    match text.strip_suffix("/*") {
        Some(prefix) => prefix_fault(prefix),
        None => exact_fault(text),
    }
}

fn exact_fault(text: &str) -> Option<MethodFault> {
    if known().any(|name| name == text) {
        return None;
    }
    if OF_SERVERS.contains(&text) {
        return Some(MethodFault {
            message: format!("servers send `{text}`, and rules are about what clients send"),
            help: "`methods: [response]` is what a client answers to it".to_owned(),
        });
    }
    let near = known().find(|name| is_near(text, name, 2));
    let namespace = text.split_once('/').map(|(first, _)| first);
    let is_vendor = namespace.is_some_and(|first| {
        first == NOTIFICATIONS || !namespaces().any(|own| is_near_namespace(first, own))
    });
    if near.is_none() && is_vendor {
        return None;
    }
    Some(MethodFault {
        message: format!("no revision of the protocol has a method `{text}`"),
        help: near.map_or_else(|| help(text), meant),
    })
}

fn prefix_fault(prefix: &str) -> Option<MethodFault> {
    let below = |name: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let first = prefix.split('/').next().unwrap_or(prefix);
    let near = namespaces().find(|own| is_near_namespace(first, own));
    if first == NOTIFICATIONS || near.is_none() || known().any(below) {
        return None;
    }
    Some(MethodFault {
        message: format!("no revision of the protocol has a method under `{prefix}/`"),
        help: match near {
            Some(own) if own == first => help(&format!("{prefix}/")),
            Some(own) => meant(&format!("{own}/*")),
            None => String::new(),
        },
    })
}

fn meant(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// The methods with the same end or the same beginning, or else all.
fn help(text: &str) -> String {
    let mut all: Vec<&str> = known().collect();
    all.sort_unstable();
    let last = text.rsplit(['/', '.', '_']).next().unwrap_or(text);
    let first = text.split('/').next().unwrap_or(text);
    let of_end = |name: &&&str| name.rsplit('/').next() == Some(last);
    let of_beginning = |name: &&&str| name.split('/').next() == Some(first);
    let mut near: Vec<&str> = all.iter().filter(of_beginning).copied().collect();
    if near.is_empty() {
        near = all.iter().filter(of_end).copied().collect();
    }
    let known = if near.is_empty() { all } else { near };
    let vendors = "a vendor's method has a prefix of its own, such as `vendor/do`";
    format!("known here: {}; {vendors}", quoted(&known))
}

fn known() -> impl Iterator<Item = &'static str> {
    let methods = METHODS.iter().map(|method| method.name);
    methods.chain(RESERVED_METHODS.iter().copied())
}

/// What methods of the protocol begin with, those of servers too.
fn namespaces() -> impl Iterator<Item = &'static str> {
    let all = known().chain(OF_SERVERS);
    all.filter_map(|name| name.split_once('/').map(|(first, _)| first))
}

fn is_near(text: &str, name: &str, slips: usize) -> bool {
    let folded = text.to_lowercase();
    let name = name.to_lowercase();
    // Of a short word, two other letters make another word.
    let slips = slips.min(name.len() / 4);
    folded == name || strsim::damerau_levenshtein(&folded, &name) <= slips
}

fn is_near_namespace(text: &str, name: &str) -> bool {
    let slips = if name.len() < 9 { 1 } else { 2 };
    is_near(text, name, slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_the_protocol_and_of_vendors_are_good() {
        for text in [
            "tools/call",
            "tools/*",
            "GET",
            "response",
            "notifications/*",
            "notifications/claude/channel",
            "resources/templates/*",
            "vendor/*",
            "vendor/do",
            "com.example/tools/call",
            "login/start",
            "x/y/*",
        ] {
            assert!(method_fault(text).is_none(), "{text}");
        }
    }

    #[test]
    fn methods_that_nobody_sends_are_not() {
        for (text, help) in [
            ("tool/call", "did you mean `tools/call`?"),
            ("Tools/Call", "did you mean `tools/call`?"),
            ("tools.call", "did you mean `tools/call`?"),
            ("TOOLS/CALL", "did you mean `tools/call`?"),
            ("tools/cal", "did you mean `tools/call`?"),
            ("get", "did you mean `GET`?"),
            ("Response", "did you mean `response`?"),
            (
                "notifications/canceled",
                "did you mean `notifications/cancelled`?",
            ),
            ("tools/delete", "known here: `tools/call`, `tools/list`; "),
            ("call", "known here: `tools/call`; "),
            ("call_tool", "known here: "),
            ("resource/fetch", "known here: "),
            ("tool/*", "did you mean `tools/*`?"),
            ("Tools/*", "did you mean `tools/*`?"),
            ("tools/call/*", "known here: `tools/call`, `tools/list`"),
            ("sampling/createMessage", "`methods: [response]`"),
            ("sampling/*", "a vendor's method"),
        ] {
            let fault = method_fault(text).unwrap_or_else(|| panic!("{text}"));
            assert!(fault.help.contains(help), "{text}: {}", fault.help);
        }
    }
}
