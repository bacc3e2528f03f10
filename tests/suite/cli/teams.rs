//! Commands beside a team's files that cannot be used.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Ran, run};

const CONFIG: &str = "\
listen: 127.0.0.1:0
issuers: [{issuer: 'https://idp.example.com'}]
servers:
- {name: a, match: {hosts: [a.example.com]}, resource: https://a.example.com/mcp}
- {name: b, match: {hosts: [b.example.com]}, resource: https://b.example.com/mcp}
policy: global/*.yaml
policies:
- {name: one, files: one/*.yaml, servers: [a]}
- {name: two, files: two/*.yaml, servers: [b]}
";

const RULES: &str =
    "rules: [{id: use, effect: allow, who: {groups: [staff]}, what: {tools: [get]}}]\n";

fn test(name: &str, server: &str) -> String {
    format!(
        "tests: [{{name: {name}, request: {{server: {server}, method: tools/call, name: get, subject: \
         {{id: x, groups: [staff]}}}}, expect: {{decision: allow}}}}]\n"
    )
}

/// A folder with a global policy and those of two teams.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("c.yaml", CONFIG);
        home.write(
            "global/p.yaml",
            "rules: [{id: no, effect: deny, what: {tools: [put]}}]\n",
        );
        home.write("global/p_test.yaml", &test("global", "a"));
        home.write("one/p.yaml", RULES);
        home.write("one/p_test.yaml", &test("own", "a"));
        home.write("two/p.yaml", RULES);
        home.write("two/p_test.yaml", &test("own", "b"));
        home.write(
            "request.yaml",
            "{server: b, method: tools/call, name: get, subject: {id: x, groups: [staff]}}",
        );
        home
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, command: &str, rest: &[&str]) -> Ran {
        let config = self.path("c.yaml");
        run(&[&[command, "--config", &config], rest].concat())
    }
}

/// What somebody does to the files of a team.
type Break = fn(&Home);

const BREAKS: [(&str, Break); 4] = [
    ("syntax", |home| home.write("one/p.yaml", "rules: [")),
    ("reach", |home| {
        home.write(
            "one/p.yaml",
            "rules: [{id: x, effect: deny, what: {servers: [b]}}]\n",
        );
    }),
    ("missing", |home| {
        fs::remove_dir_all(home.path("one")).unwrap();
    }),
    ("a link", |home| {
        fs::write(home.path("secret"), "root-of-all: evil\n").unwrap();
        symlink("../secret", home.path("one/z.yaml")).unwrap();
    }),
];

#[test]
fn commands_go_on_without_a_team_whose_files_are_broken() {
    let whole = Home::new();
    assert_eq!(
        whole.run("test", &[]).code,
        0,
        "{}",
        whole.run("test", &[]).out
    );
    for (what, spoil) in BREAKS {
        let home = Home::new();
        spoil(&home);
        let ran = home.run("test", &[]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.err);
        assert!(
            ran.out.contains("1 test(s), 0 failed"),
            "{what}: {}",
            ran.out
        );
        assert!(ran.out.contains("two/own"), "{what}: {}", ran.out);
        assert!(ran.err.contains("team `one`"), "{what}: {}", ran.err);

        let request = home.path("request.yaml");
        let ran = home.run("explain", &[&request]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.err);
        assert!(ran.out.contains("two/use"), "{what}: {}", ran.out);
        assert!(
            ran.err.contains("its servers deny everything"),
            "{what}: {}",
            ran.err
        );

        let ran = home.run("matrix", &["--format", "csv"]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.err);
        assert!(ran.out.contains("two/use"), "{what}: {}", ran.out);

        let global = home.path("global/p.yaml");
        let ran = home.run("diff", &[&global, &global]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.err);
        let told = ran.err.matches("the files of the team `one`").count();
        assert_eq!(told, 1, "{what}: {}", ran.err);
        assert!(!ran.err.contains("root-of-all"), "{what}: {}", ran.err);
    }
}

#[test]
fn validate_tells_a_teams_fault_once_and_lints_the_others() {
    for (what, spoil) in BREAKS {
        let home = Home::new();
        home.write("next.yaml", "rules: []\n");
        home.write("c.yaml", &format!("{CONFIG}candidate_policy: next.yaml\n"));
        home.write(
            "two/p.yaml",
            "rules:\n- {id: use, effect: allow, who: {groups: [staff]}, what: {tools: [get]}}\n\
             - {id: again, effect: allow, who: {groups: [staff]}, what: {tools: [get]}}\n",
        );
        spoil(&home);
        let ran = home.run("validate", &[]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.out);
        assert!(ran.out.contains("team `one`: "), "{what}: {}", ran.out);
        assert!(ran.out.contains("\n1 error(s)"), "{what}: {}", ran.out);
        assert!(ran.out.contains("shadowed-rule"), "{what}: {}", ran.out);
        assert!(!ran.out.contains("root-of-all"), "{what}: {}", ran.out);
        assert!(!ran.err.contains("policy revision"), "{what}: {}", ran.err);
    }
}

#[test]
fn a_teams_broken_tests_are_left_out() {
    let home = Home::new();
    home.write("one/p_test.yaml", "tests: [{name: x}]\n");
    let ran = home.run("test", &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("2 test(s), 0 failed"), "{}", ran.out);
    assert!(ran.err.contains("one/p_test.yaml:1"), "{}", ran.err);
}

#[test]
fn names_of_teams_that_look_alike_are_refused() {
    let home = Home::new();
    home.write("c.yaml", &CONFIG.replace("name: two", "name: One"));
    let ran = home.run("validate", &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.out.contains("there is another team `one`"),
        "{}",
        ran.out
    );
}
