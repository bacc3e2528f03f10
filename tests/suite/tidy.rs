//! What the source has to look like, read from the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mcp_authz::authz::{ActionKind, Policy};
use mcp_authz::check::Reason;
use mcp_authz::mcp::{ListKind, METHODS};
use mcp_authz::policy::{self, CompileContext};
use mcp_authz::yaml::Source;
use mcp_authz::{config, policy::compile};

use super::source::{block, code, files, root, text};

/// Who may import whom; a module may always import itself.
const EDGES: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app", "authz", "catalog", "config", "envoy", "fetch", "file", "json", "mcp", "policy",
            "yaml",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "audit",
            "authn",
            "authz",
            "catalog",
            "check",
            "config",
            "envoy",
            "fetch",
            "file",
            "geoip",
            "health",
            "listen",
            "policy",
            "state",
            "telemetry",
            "yaml",
        ],
    ),
    (
        "config",
        &[
            "audit",
            "authn",
            "catalog",
            "check",
            "envoy",
            "fetch",
            "file",
            "listen",
            "policy",
            "state",
            "telemetry",
            "upstream",
            "yaml",
        ],
    ),
    ("admin", &["health", "telemetry"]),
    (
        "envoy",
        // The headers that it has to let through, and Envoy's own files.
        &[
            "byte_class",
            "check",
            "health",
            "listen",
            "response",
            "telemetry",
            "upstream",
            "yaml",
        ],
    ),
    (
        "response",
        &[
            "audit",
            "authz",
            "catalog",
            "check",
            "mcp",
            "state",
            "telemetry",
        ],
    ),
    (
        "check",
        &[
            "audit",
            "authn",
            "authz",
            "byte_class",
            "catalog",
            "file",
            "geoip",
            "json",
            "mcp",
            "policy",
            "state",
            "telemetry",
            "text",
            "upstream",
        ],
    ),
    ("authn", &["authz", "byte_class", "fetch", "file", "json"]),
    ("catalog", &["authz", "file", "json"]),
    ("mcp", &["authz", "json"]),
    // The tests of a policy go the way of a request: they are messages too.
    ("policy", &["authz", "file", "mcp", "yaml"]),
    ("state", &["authz"]),
    ("upstream", &["authz", "byte_class", "text"]),
    ("audit", &["authz", "json"]),
    ("authz", &[]),
    ("health", &[]),
    ("byte_class", &[]),
    ("fetch", &["file"]),
    ("file", &[]),
    ("geoip", &["file"]),
    ("json", &["authz", "byte_class"]),
    ("listen", &["file"]),
    ("telemetry", &[]),
    ("text", &[]),
    ("yaml", &[]),
];

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_import_only_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = BTreeSet::new();
    for path in files("src", "rs") {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let may = allowed
            .get(module.as_str())
            .unwrap_or_else(|| panic!("unknown {module}"));
        let code = code(&path).replace("mcp_authz::", "crate::");
        for piece in code.split("crate::").skip(1) {
            let to: String = piece
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !to.is_empty() && to != module && !may.contains(&to.as_str()) {
                wrong.insert(format!("{module} -> {to} in {}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Files whose code, apart from tests, has this text.
fn users(text: &str) -> Vec<String> {
    let uses = |path: &PathBuf| code(path).contains(text);
    let name = |path: PathBuf| {
        path.strip_prefix(root().join("src"))
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    files("src", "rs")
        .into_iter()
        .filter(uses)
        .map(name)
        .collect()
}

/// Files with an expression that makes a value of a struct from its fields.
fn makers(name: &str) -> Vec<String> {
    let opened = format!("{name} {{");
    let makes = |line: &str| {
        line.match_indices(&opened).any(|(at, _)| {
            let (before, _) = line.split_at(at);
            let declares = ["struct ", "impl ", "for ", "-> "];
            let inside = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            !inside && !declares.iter().any(|word| before.ends_with(word))
        })
    };
    let mut found: Vec<String> = files("src", "rs")
        .into_iter()
        .filter(|path| code(path).lines().any(makes))
        .map(|path| {
            path.strip_prefix(root().join("src"))
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    found
}

#[test]
fn what_must_have_one_source_has_one() {
    // By verification, here or where the response's request was checked, and by assumption where a
    // policy is tested or previewed.
    let subjects = [
        "authn/claims.rs",
        "authn/serialized_subject.rs",
        // Nobody: of its requests only the target is looked at.
        "authz/difference/target.rs",
        "policy/matrix/callers.rs",
        "policy/testing/document/subject.rs",
    ];
    assert_eq!(makers("Subject"), subjects);
    assert_eq!(
        users("sample_subject("),
        [
            "policy/matrix/callers.rs",
            "policy/testing/document/subject.rs"
        ]
    );
    assert_eq!(users("Policy::new(PolicyParts"), ["policy/compile.rs"]);
    assert_eq!(users("Allow::grant()"), ["authz/evaluation.rs"]);
    assert_eq!(users("Timestamp::now"), ["app/clock.rs"]);
    assert_eq!(users("SystemTime"), [""; 0]);
    assert_eq!(users("tokio::spawn"), [""; 0]);
    assert_eq!(users(".verify_sig("), ["authn/keys/public_key.rs"]);
    assert_eq!(users("jsonwebtoken::decode"), [""; 0]);
    assert_eq!(users("insecure_decode"), [""; 0]);
    assert_eq!(
        users("reqwest"),
        [
            "fetch/cause.rs",
            "fetch/reach.rs",
            "fetch/send.rs",
            "fetch.rs"
        ]
    );
}

/// The status of a reason stands in the table of reasons. A reply that is wrapped into 200, and one
/// that says nothing, have the only others.
#[test]
fn only_the_table_of_reasons_chooses_statuses() {
    for path in files("src/check", "rs") {
        if path.ends_with("check/reason.rs") {
            continue;
        }
        let code = code(&path);
        for named in code.split("StatusCode::").skip(1) {
            let name: String = named
                .chars()
                .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                .collect();
            assert!(
                ["OK", "ACCEPTED"].contains(&name.as_str()),
                "{name} in {}",
                path.display()
            );
        }
    }
}

#[test]
fn the_core_has_no_io_and_no_serialization() {
    for path in files("src/authz", "rs") {
        let code = code(&path);
        for banned in [
            "async ",
            "serde",
            "std::fs",
            "std::net::Tcp",
            "Instant",
            "tokio",
            "tracing",
        ] {
            assert!(!code.contains(banned), "{banned} in {}", path.display());
        }
    }
}

/// Functions that judge a part of a rule, and the type whose every field they have to judge.
const JUDGES: &[(&str, &str, &str)] = &[
    ("authz/selectors/who.rs", "fn matches_with(", "Who"),
    ("authz/selectors/what.rs", "fn matches(", "What"),
    ("authz/selectors/what.rs", "fn matches_names(", "What"),
    ("authz/difference/condition.rs", "fn who(", "Who"),
    ("authz/difference/condition.rs", "fn what(", "What"),
    ("authz/difference/condition.rs", "fn when(", "When"),
    ("authz/difference/condition.rs", "fn place(", "Where"),
    ("authz/difference/condition.rs", "fn why(", "Why"),
    ("authz/difference/combined.rs", "fn missing(", "Needs"),
    ("authz/selectors/when.rs", "fn matches(", "When"),
    ("authz/selectors/place.rs", "fn matches(", "Where"),
    ("authz/selectors/why.rs", "fn matches(", "Why"),
    ("authz/rule.rs", "fn matches_with(", "Rule"),
    ("authz/evaluation/requirements.rs", "fn add(", "Needs"),
    ("policy/matrix/callers.rs", "fn caller(", "Who"),
];

/// A selector that is added to a rule and judged by nobody would widen every allow that has it.
/// A pattern that names every field does not compile until the new one is named too.
#[test]
fn what_judges_a_rule_names_every_field_of_it() {
    for (file, function, judged) in JUDGES {
        let code = code(&root().join("src").join(file));
        let body = code.split(function).nth(1).unwrap();
        let body = body.split("\n    }\n").next().unwrap();
        let (_, pattern) = body
            .split_once(&format!("let {judged} {{"))
            .unwrap_or_else(|| panic!("{file}: `{function}` does not take {judged} apart"));
        let (pattern, rest) = pattern.split_once('}').unwrap();
        assert!(!pattern.contains(".."), "{file}: {judged} has a rest");
        let names = pattern
            .split(',')
            .map(|field| field.split(':').next().unwrap().trim());
        for name in names.filter(|name| !name.is_empty()) {
            let words = rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
            let past = words.filter(|word| *word == format!("self.{name}")).count();
            assert_eq!(past, 0, "{file}: `self.{name}` goes past the pattern");
        }
    }
}

/// A file that no module declares is not compiled, and its tests do not run.
#[test]
fn every_file_is_a_module() {
    let source = root().join("src");
    let mut declared = BTreeSet::new();
    let all = files("src", "rs");
    for path in &all {
        let is_root = ["lib.rs", "main.rs"]
            .iter()
            .any(|name| source.join(name) == *path);
        let folder = if is_root {
            source.clone()
        } else {
            path.with_extension("")
        };
        let text = fs::read_to_string(path).unwrap();
        let declarations = text
            .lines()
            .filter_map(|line| line.trim().strip_suffix(';'));
        let names = declarations.filter_map(|line| line.split_once("mod ").map(|(_, name)| name));
        declared.extend(names.map(|name| folder.join(name).with_extension("rs")));
    }
    declared.extend(["lib.rs", "main.rs"].map(|name| source.join(name)));
    let orphans: Vec<PathBuf> = all
        .into_iter()
        .filter(|path| !declared.contains(path))
        .collect();
    assert!(orphans.is_empty(), "{orphans:#?}");
}

#[test]
fn no_test_is_switched_off() {
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for banned in [concat!("#[ign", "ore"), concat!("#[should", "_panic")] {
            assert!(!text.contains(banned), "{banned} in {}", path.display());
        }
    }
}

/// The code, the decision and the text of a reason are in its row; what else the row says is prose.
#[test]
fn every_reason_is_documented() {
    let document = text("src/check/README.md");
    let missing: Vec<String> = Reason::ALL
        .iter()
        .filter(|reason| {
            let start = format!("| `{}` | {} | ", reason.code(), reason.decision().name());
            let row = document.lines().find(|line| line.starts_with(&start));
            let meaning = row.and_then(|row| row.split(" | ").nth(3));
            !meaning.is_some_and(|meaning| meaning.starts_with(reason.text()))
        })
        .map(|reason| format!("{}: {}", reason.code(), reason.text()))
        .collect();
    assert!(
        missing.is_empty(),
        "not in src/check/README.md: {missing:#?}"
    );
}

#[test]
fn every_lint_is_documented() {
    let document = text("src/policy/README.md");
    let lints = document.split("## Lints\n").nth(1).unwrap();
    let rows = lints.split("\n## ").next().unwrap().lines();
    let named: String = rows.filter_map(|row| row.split('|').nth(1)).collect();
    let missing: Vec<&str> = policy::LINTS
        .iter()
        .chain(config::LINTS)
        .chain(config::ISSUER_LINTS)
        .copied()
        .filter(|name| !named.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "not in src/policy/README.md: {missing:?}"
    );
}

/// The methods in their order, which of them need no rule, and which carry lists.
#[test]
fn every_method_is_documented() {
    let document = text("src/mcp/README.md");
    let methods = document.split("## Methods\n").nth(1).unwrap();
    let rows = methods.split("\n## ").next().unwrap().lines();
    let rows: Vec<Vec<&str>> = rows
        .filter(|row| row.starts_with("| `"))
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    let documented: Vec<(String, bool, Option<&str>)> = rows
        .iter()
        .map(|row| {
            let list = row[3].split_once("list `").map(|(_, rest)| rest);
            let list = list.map(|rest| rest.trim_end_matches('`'));
            let is_open = row[3].starts_with("open");
            (row[1].trim_matches('`').to_owned(), is_open, list)
        })
        .collect();
    let known: Vec<(String, bool, Option<&str>)> = METHODS
        .iter()
        .map(|method| {
            let list = method.lists.map(ListKind::member);
            (
                method.name.to_owned(),
                method.kind == ActionKind::Open,
                list,
            )
        })
        .collect();
    assert_eq!(documented, known);
}

/// The kinds of lists whose items a policy test can name.
#[test]
fn every_kind_of_list_that_tests_name_is_known_in_an_editor() {
    let schema = text("src/cli/schema/tests.json");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let at = "/$defs/request/properties/list/enum";
    let known = schema.pointer(at).unwrap();
    let named: Vec<&str> = policy::testing::sample_lists()
        .map(ListKind::label)
        .collect();
    assert_eq!(*known, serde_json::json!(named));
}

#[test]
fn every_lint_can_be_silenced_in_an_editor() {
    for (schema, lints) in [
        ("policy.json", policy::LINTS),
        ("tests.json", policy::LINTS),
        ("config.json", config::LINTS),
        ("config.json", config::ISSUER_LINTS),
    ] {
        let text = fs::read_to_string(root().join("src/cli/schema").join(schema)).unwrap();
        let missing: Vec<&str> = lints
            .iter()
            .copied()
            .filter(|name| !text.contains(&format!("\"{name}\"")))
            .collect();
        assert!(missing.is_empty(), "not in {schema}: {missing:?}");
    }
}

#[test]
fn the_examples_load() {
    let config = config::load(&root().join("envoy/mcp-authz.yaml")).unwrap();
    let sources = policy::read(&config.policy).unwrap();
    let servers = config
        .servers
        .iter()
        .map(|server| server.name.clone())
        .collect();
    let context = CompileContext {
        servers: Some(servers),
        ..CompileContext::default()
    };
    let policy = compile(&sources, &context).unwrap();
    assert!(!policy.rules().is_empty());
}

#[test]
fn the_selector_examples_compile() {
    let rules = block("src/policy/README.md", "yaml", "# who\n");
    let policy = compiled(format!(
        "tools: {{github: {{read: [get_*], write: [create_*], destructive: [delete_*]}}}}\nrules:\n{rules}"
    ));
    assert_eq!(policy.rules().len(), rules.matches("- {id:").count());
}

#[test]
fn the_policies_of_the_documentation_compile() {
    for (name, rule) in [
        ("README.md", "\n- {id: "),
        ("src/policy/README.md", "\n- id: "),
    ] {
        let example = block(name, "yaml", "tools:");
        let rules = example.matches(rule).count();
        assert!(rules > 0, "{name}");
        assert_eq!(compiled(example).rules().len(), rules, "{name}");
    }
}

#[test]
fn the_front_page_is_short() {
    assert!(text("README.md").lines().count() <= 150);
}

fn compiled(text: String) -> Policy {
    let source = Source {
        name: "README.md".to_owned(),
        text,
    };
    compile(&[source], &CompileContext::default())
        .unwrap_or_else(|findings| panic!("{:#?}", findings.to_lines()))
}

#[test]
fn the_top_level_is_as_drawn() {
    let visible: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let drawn = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "envoy",
        "proto",
        "src",
        "tests",
    ];
    assert_eq!(visible, drawn.map(str::to_owned).into());
}
