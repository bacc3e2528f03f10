//! What is visible in lists.

use super::*;
use crate::authz::{Count, Readings, Resource, demands, evaluate, is_visible};

#[test]
fn lists_show_what_could_be_called() {
    let text = format!(
        "{TOOLS}rules:
- {{id: a, effect: allow, who: {{anyone: true}}, what: {{classes: [read]}}, if: args.owner == 'acme'}}
- {{id: b, effect: allow, who: {{anyone: true}}, what: {{tools: [create_a], arguments: {{x: y}}}}}}
- {{id: c, effect: allow, who: {{groups: [sales]}}, what: {{tools: [create_b]}}}}
- {{id: d, effect: deny, what: {{tools: [get_secret]}}}}
- {{id: e, effect: deny, what: {{tools: [get_issue], arguments: {{owner: evil}}}}}}
- {{id: f, effect: deny, what: {{tools: [get_user]}}, if: args.none == 1}}
- {{id: g, effect: allow, who: {{anyone: true}}, what: {{tools: [plain]}}, if: subject.tenant == 'x'}}
- {{id: h, effect: require, what: {{classes: [read]}}, needs: {{scopes: [more]}}}}
"
    );
    let policy = policy(&text);
    let call = SampleCall::default();
    for (tool, expected) in [
        ("get_issue", true),
        ("get_user", true),
        ("get_secret", false),
        ("create_a", true),
        ("create_b", false),
        ("plain", false),
        ("other", false),
    ] {
        let request = AccessRequest {
            resource: Resource::Tool(tool),
            ..call.request(&HEADERS)
        };
        assert_eq!(is_visible(&policy, &request), expected, "{tool}");
    }
}

/// An item is hidden if a call made now would be denied; the call counts itself, the list does not.
#[test]
fn lists_read_windows_as_the_call_would() {
    let policy = policy(&format!(
        "{TOOLS}rules:
- {{id: a, effect: allow, who: {{anyone: true}}, what: {{servers: [github]}}}}
- {{id: b, effect: deny, what: {{classes: [read]}}, why: {{distinct_tools: {{more_than: 2, per: 1m, by: [subject]}}}}}}
- {{id: c, effect: deny, why: {{calls: {{more_than: 3, per: 1m, by: [subject]}}}}}}
- {{id: d, effect: deny, what: {{tools: [create_a]}}, why: {{denials: {{more_than: 0, per: 1m, by: [session]}}}}}}
"
    ));
    let call = SampleCall::default();
    for (tool, calls, tools, visible) in [
        ("get_issue", Some(2), Some(2), true),
        ("get_issue", Some(3), Some(2), false),
        ("get_issue", Some(2), Some(3), false),
        ("get_issue", None, Some(2), true),
        ("get_issue", Some(2), None, true),
        ("get_issue", Some(3), None, false),
        ("create_b", Some(2), Some(3), true),
        // A caller without a session cannot be counted by session: that denies, but does not hide.
        ("create_a", Some(2), Some(2), true),
    ] {
        let mut readings = Readings::default();
        for window in policy.windows() {
            let reading = match window.window.count {
                Count::Calls => calls,
                Count::DistinctTools => tools,
                Count::Denials => None,
            };
            if let Some(reading) = reading {
                readings.insert(window.window.clone(), reading);
            }
        }
        let mut request = AccessRequest {
            resource: Resource::Tool(tool),
            ..call.request(&HEADERS)
        };
        let demanded = demands(&policy, &request);
        let tools: Vec<_> = demanded.iter().map(|one| one.tool.as_deref()).collect();
        let expected: &[Option<&str>] = match tool {
            "get_issue" => &[None, Some("github\0get_issue")],
            _ => &[None],
        };
        assert_eq!(tools, expected, "{tool}");
        request.context.readings = Some(&readings);
        assert_eq!(
            is_visible(&policy, &request),
            visible,
            "{tool} {calls:?} {readings:?}"
        );
        if !visible {
            assert_eq!(outcome(&evaluate(&policy, &request)), "denied_by_rule");
        }
    }
}

#[test]
fn listed_templates_are_judged_by_all_of_their_expansions() {
    let policy = policy(
        "rules:
- {id: a, effect: allow, who: {anyone: true}, what: {resources: ['docs://public/**', 'docs://x/readme']}}
- {id: b, effect: deny, what: {resources: ['docs://public/secret/*']}}
- {id: c, effect: allow, who: {anyone: true}, what: {resources: ['wiki://**']}, if: \"mcp.uri.endsWith('.md')\"}
- {id: d, effect: allow, who: {anyone: true}, what: {resources: ['repo://**'], not: {resources: ['repo://private/*']}}}
",
    );
    for (template, visible) in [
        ("docs://public/{name}", true),
        ("docs://public/secret/{name}", false),
        ("docs://public/secret/{+path}", true),
        ("docs://public/{area}/{name}", true),
        ("docs://x/{name}", true),
        ("docs://y/{name}", false),
        ("docs://{area}/{name}", true),
        ("mail://{box}", false),
        ("wiki://{page}", true),
        ("repo://private/{name}", false),
        ("repo://private/{+name}", true),
        ("repo://{owner}/{name}", true),
    ] {
        let call = SampleCall::on("resources/read", Resource::Template(template));
        let request = call.request(&HEADERS);
        assert_eq!(is_visible(&policy, &request), visible, "{template}");
        // Except as a listed item, it stands for everything that it can expand to.
        let all = matches!(template, "wiki://{page}" | "docs://public/{name}");
        let allowed = outcome(&evaluate(&policy, &request)) == "allow";
        assert!(!allowed || (visible && all), "{template}");
    }
}
