//! `expect`: how a request is to be decided, or what a list is to show.

use crate::policy::testing::expectation::{
    Expectation, ExpectedCall, ExpectedOutcome, OutcomeName,
};
use crate::yaml::{Data, Fields, Findings, Node, choice, list, string};

fn read_expected_headers(
    node: &Node,
    findings: &mut Findings,
) -> Option<Vec<(String, Expectation<String>)>> {
    let Data::Map(members) = &node.data else {
        findings.error(node, "`headers` must be a mapping", "");
        return None;
    };
    let read = |(key, node): &(Node, Node), findings: &mut Findings| {
        let name = string(key, findings)?.to_ascii_lowercase();
        let value = string(node, findings)?;
        let place = node.clone();
        Some((name, Expectation { place, value }))
    };
    let members: Vec<_> = members.iter().map(|one| read(one, findings)).collect();
    members.into_iter().collect()
}

pub(super) fn read_expect(node: &Node, findings: &mut Findings) -> Option<ExpectedOutcome> {
    let mut fields = Fields::open(node, "`expect`", findings)?;
    let place_of = |node: &Node, text: String| Expectation {
        place: node.clone(),
        value: text,
    };
    let text = |node: &Node, findings: &mut Findings| {
        string(node, findings).map(|text| place_of(node, text))
    };
    let names = |node: &Node, findings: &mut Findings| list(node, findings, text);
    let words = OutcomeName::ALL.map(|name| (name.word(), name));
    let decision = fields.optional("decision", findings, |node, findings| {
        let value = choice(&words)(node, findings)?;
        Some(Expectation {
            place: node.clone(),
            value,
        })
    });
    let reason = fields.optional("reason", findings, text);
    let rule = fields.optional("rule", findings, text);
    let scopes = fields.optional("scopes", findings, |node, findings| {
        let scopes = list(node, findings, string)?;
        Some(Expectation {
            place: node.clone(),
            value: scopes,
        })
    });
    let expected_headers = fields.optional("headers", findings, read_expected_headers);
    let visible = fields.optional("visible", findings, names);
    let hidden = fields.optional("hidden", findings, names);
    let node = fields.node();
    fields.finish(findings);
    let has = |keys: &[&str]| keys.iter().any(|key| node.member(key).is_some());
    let is_list = has(&["visible", "hidden"]);
    let is_call = has(&["decision", "reason", "rule", "scopes", "headers"]);
    match (is_list, is_call) {
        (true, false) => Some(ExpectedOutcome::List {
            visible: visible.unwrap_or_default(),
            hidden: hidden.unwrap_or_default(),
        }),
        (false, true) => Some(ExpectedOutcome::Call(Box::new(ExpectedCall {
            decision,
            reason,
            rule,
            scopes,
            headers: expected_headers.unwrap_or_default(),
        }))),
        (true, true) => {
            let help = "a list shows or hides, a call is decided";
            findings.error(
                node,
                "the expectation is about a list and a call at once",
                help,
            );
            None
        }
        (false, false) => {
            let help = "such as `expect: {decision: allow}`";
            findings.error(node, "nothing is expected", help);
            None
        }
    }
}
