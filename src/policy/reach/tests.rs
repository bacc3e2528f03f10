use std::path::Path;

use super::*;
use crate::authz::Policy;
use crate::policy::layer::Layer;
use crate::policy::{CompileContext, compile_layers};
use crate::yaml::Source;

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn team() -> TeamSettings {
    TeamSettings::new("team07", Path::new("t.yaml"), &["seven", "ate"])
}

const GLOBAL: &str = "
tools: {other: {read: [get_*]}, ate: {read: [get_*], write: [set_*]}}
rules: [{id: all, effect: deny, what: {servers: [other]}}]
";

fn compiled(global: &str, team: &TeamSettings, text: &str) -> Result<Policy, Vec<String>> {
    let context = CompileContext {
        servers: Some(["seven", "ate", "other"].map(str::to_owned).to_vec()),
        ..CompileContext::default()
    };
    let (global, own) = ([source("g.yaml", global)], [source("t.yaml", text)]);
    let layers = [Layer::global(&global), Layer::of_team(team, Some(&own))];
    compile_layers(&layers, &context).map_err(|findings| findings.into_findings().to_lines())
}

fn refused(team: &TeamSettings, text: &str) -> String {
    compiled(GLOBAL, team, text).unwrap_err().join("\n")
}

/// A file of a team that is granted little, and what is said of it.
const BEYOND: [(&str, &str); 12] = [
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [seven, other]}}]",
        "t.yaml:1:77: error: team `team07`: `other` is not a server of the team `team07` (it has `seven`, `ate`)",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {tools: [a], not: {servers: [other]}}}]",
        "`other` is not a server of the team",
    ),
    (
        "tools: {other: {read: [a]}}",
        "t.yaml:1:9: error: team `team07`: `other` is not a server of the team",
    ),
    (
        "tools: {seven: {write: [a]}}",
        "t.yaml:1:17: error: team `team07`: the team `team07` is not granted the class `write` (granted: `read`; others are for the global files)",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [ate], classes: [write]}}]",
        "is not granted the class `write`",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [ate], classes: [unclassified]}}]",
        "is not granted the class `unclassified`",
    ),
    (
        "rules: [{id: r, effect: deny}]",
        "t.yaml:1:25: error: team `team07`: the team `team07` is not granted the effect `deny` (granted: `allow`, `limit`; others are for the global files)",
    ),
    (
        "rules: [{id: r, effect: require, needs: {scopes: [a]}}]",
        "is not granted the effect `require`",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [seven]}, set: {headers: {x-seven: a, x-other: b}}}]",
        "t.yaml:1:107: error: team `team07`: the team `team07` may not set the header `x-other` (granted: `x-seven`)",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [seven]}, set: {metadata: {route: a}}}]",
        "may not set the metadata `route` (leave it out, or have the operator grant it by `metadata` of the team)",
    ),
    (
        "silence: [untested-rule]",
        "t.yaml:1:11: error: team `team07`: the team `team07` may not silence `untested-rule` (permitted: `expired-rule`)",
    ),
    (
        "rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [seven]}, silence: [any-issuer]}]",
        "may not silence `any-issuer`",
    ),
];

#[test]
fn what_reaches_beyond_a_team_is_an_error_with_its_place_and_a_remedy() {
    let narrow = TeamSettings {
        effects: vec![TeamEffect::Allow, TeamEffect::Limit],
        classes: Some(vec!["read".to_owned()]),
        headers: vec!["x-seven".to_owned()],
        silence: vec!["expired-rule"],
        ..team()
    };
    for (text, expected) in BEYOND {
        let lines = refused(&narrow, text);
        assert!(lines.contains(expected), "{text}\n{lines}");
    }
    let nothing = TeamSettings {
        silence: Vec::new(),
        ..team()
    };
    let lines = refused(&nothing, "silence: [expired-rule]");
    assert!(lines.contains("have the operator permit it"), "{lines}");
    let good = "
silence: [expired-rule]
tools: {seven: {read: [list_*]}}
rules: [{id: r, effect: allow, who: {anyone: true}, what: {servers: [ate], classes: [read]}, set: {headers: {x-seven: a}}}]
";
    compiled(GLOBAL, &narrow, good).unwrap();
}

#[test]
fn what_names_no_server_is_about_the_teams() {
    let text = "
rules:
- {id: nobody, effect: deny}
- {id: shut, effect: deny, what: {tools: [delete_*]}}
- {id: slow, effect: limit, limit: {calls: 1, per: 1m, by: [subject]}}
- {id: read, effect: allow, who: {anyone: true}, what: {classes: [read]}}
- {id: one, effect: allow, who: {anyone: true}, what: {servers: [ate]}}
";
    let policy = compiled(GLOBAL, &team(), text).unwrap();
    let servers = |id: &str| {
        let mut rules = policy.rules().iter();
        let rule = rules.find(|rule| *rule.id == *id).unwrap();
        let names = rule.what.as_ref().unwrap().servers.as_ref().unwrap();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for id in ["nobody", "shut", "slow", "read"] {
        assert_eq!(servers(&format!("team07/{id}")), ["seven", "ate"], "{id}");
    }
    assert_eq!(servers("team07/one"), ["ate"]);
    assert_eq!(servers("all"), ["other"], "global rules are as they are");
}

#[test]
fn an_allow_that_names_no_class_is_about_those_that_are_granted() {
    let narrow = TeamSettings {
        classes: Some(vec!["read".to_owned()]),
        ..team()
    };
    let text = "
rules:
- {id: all, effect: allow, who: {anyone: true}, what: {servers: [ate]}}
- {id: tool, effect: allow, who: {anyone: true}, what: {tools: [set_*]}}
- {id: docs, effect: allow, who: {anyone: true}, what: {resources: ['docs://x']}}
- {id: shut, effect: deny}
";
    let policy = compiled(GLOBAL, &narrow, text).unwrap();
    let classes = |id: &str| {
        let mut rules = policy.rules().iter();
        let rule = rules.find(|rule| *rule.id == *id).unwrap();
        let names = rule.what.as_ref().unwrap().classes.as_ref();
        names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let read = Some(vec!["read".to_owned()]);
    assert_eq!(classes("team07/all"), read);
    assert_eq!(classes("team07/tool"), read);
    assert_eq!(classes("team07/docs"), None);
    assert_eq!(classes("team07/shut"), None, "denying grants nothing");
}

#[test]
fn owners_do_not_take_each_others_names_tables_or_files() {
    let own = "rules: [{id: r, effect: deny}]";
    let rows = [
        (
            "rules: [{id: team07/r, effect: deny}]",
            own,
            "g.yaml:1:14: error: `team07/` begins the ids of the team `team07`",
        ),
        (
            GLOBAL,
            "tools: {ate: {read: [a]}}",
            "t.yaml:1:9: error: team `team07`: the tools of `ate` are defined twice",
        ),
    ];
    for (global, own, expected) in rows {
        let lines = compiled(global, &team(), own).unwrap_err().join("\n");
        assert!(lines.contains(expected), "{lines}");
    }
    let file = [source("same.yaml", own)];
    let team = team();
    let layers = [Layer::global(&file), Layer::of_team(&team, Some(&file))];
    let findings = compile_layers(&layers, &CompileContext::default()).unwrap_err();
    let lines = findings.into_findings().to_lines().join("\n");
    assert!(
        lines.contains("same.yaml:1:1: error: the file is one of the team `team07` too"),
        "{lines}"
    );
}

#[test]
fn each_owner_has_its_own_number_of_rules() {
    let context = CompileContext {
        rules_max: 1,
        ..CompileContext::default()
    };
    let global = [source("g.yaml", "rules: [{id: a, effect: deny}]")];
    let one = [source("t.yaml", "rules: [{id: a, effect: deny}]")];
    let two = [source(
        "t.yaml",
        "rules: [{id: a, effect: deny}, {id: b, effect: deny}]",
    )];
    let team = team();
    let of = |own| [Layer::global(&global), Layer::of_team(&team, Some(own))];
    assert!(compile_layers(&of(&one), &context).is_ok());
    let findings = compile_layers(&of(&two), &context).unwrap_err();
    assert!(!findings.of(None).has_errors(), "the team's alone");
    assert!(findings.of(Some(&team)).has_errors());
}

/// What a team makes large is its own fault, however much room the others have.
#[test]
fn the_conditions_of_a_team_have_a_limit_of_their_own() {
    let rules = |name: &str, count: usize| {
        let rule = |at: usize| {
            format!(
                "- {{id: r{at}, effect: deny, if: \"has(args.x) && \
                 args.x.matches('^([a-z]{{1,50}}){{1,20}}{at}$')\"}}\n"
            )
        };
        let text: String = (0..count).map(rule).collect();
        [Source {
            name: name.to_owned(),
            text: format!("rules:\n{text}"),
        }]
    };
    // Where there are so many teams, each has a MiB.
    let teams: Vec<TeamSettings> = (0..1000)
        .map(|at| TeamSettings::new(&format!("t{at}"), Path::new("t"), &[]))
        .collect();
    let (few, many) = (rules("own.yaml", 1), rules("global.yaml", 12));
    let compiled = |first: &[Source]| {
        let mut layers = vec![Layer::global(&many)];
        layers.extend(
            teams
                .iter()
                .skip(1)
                .map(|team| Layer::of_team(team, Some(&[]))),
        );
        layers.push(Layer::of_team(&teams[0], Some(first)));
        compile_layers(&layers, &CompileContext::default())
    };
    assert!(compiled(&few).is_ok());
    let findings = compiled(&rules("own.yaml", 12)).unwrap_err();
    let own = findings.of(Some(&teams[0])).to_lines();
    assert_eq!(
        findings.into_findings().to_lines(),
        own,
        "the fault of nobody else"
    );
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(own[0].contains("take more than 1 MiB"), "{own:?}");
}
