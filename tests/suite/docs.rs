//! The Markdown of the repository: its links lead somewhere, the files that it names exist, and its
//! commands run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use mcp_authz::{config, policy};

use super::source::{root, text};

/// Says before a `console` block why it cannot run here.
const NOT_RUN: &str = "<!-- not run: ";

/// Folders whose files and folders documentation may cite by path.
const CITED: [&str; 5] = [".github/", "envoy/", "proto/", "src/", "tests/"];

/// A Markdown file.
struct Document {
    /// From the root.
    name: PathBuf,
    lines: Vec<Line>,
}

/// A line, and where it stands.
struct Line {
    text: String,
    /// The kind of the block that the line is in; the lines of the fences are in it too.
    block: Option<String>,
}

impl Document {
    fn parse(name: &Path, text: &str) -> Self {
        let mut lines = Vec::new();
        let mut open: Option<String> = None;
        for line in text.lines() {
            let fence = line.trim_start().strip_prefix("```");
            let block = match (&open, fence) {
                (None, Some(kind)) => {
                    open = Some(kind.trim().to_owned());
                    open.clone()
                }
                (Some(_), Some(_)) => open.take(),
                (_, None) => open.clone(),
            };
            lines.push(Line {
                text: line.to_owned(),
                block,
            });
        }
        assert!(open.is_none(), "{}: a block is not closed", name.display());
        Self {
            name: name.to_owned(),
            lines,
        }
    }

    /// The lines outside of blocks.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let outside = self.lines.iter().filter(|line| line.block.is_none());
        outside.map(|line| line.text.as_str())
    }

    fn headings(&self) -> impl Iterator<Item = &str> {
        self.prose().filter_map(|line| {
            let (marks, title) = line.split_once(' ')?;
            let is_heading = !marks.is_empty() && marks.bytes().all(|byte| byte == b'#');
            is_heading.then_some(title)
        })
    }

    /// The anchors that the hosting site makes of headings.
    fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let anchors = self.headings().map(|title| {
            let anchor: String = title
                .to_lowercase()
                .chars()
                .filter_map(|char| match char {
                    ' ' => Some('-'),
                    '-' | '_' => Some(char),
                    _ => char.is_alphanumeric().then_some(char),
                })
                .collect();
            let earlier = seen.entry(anchor.clone()).or_default();
            *earlier += 1;
            match *earlier {
                1 => anchor,
                more => format!("{anchor}-{}", more - 1),
            }
        });
        anchors.collect()
    }

    /// Where the links lead, as they are written.
    fn links(&self) -> Vec<String> {
        let without_code = self.prose().map(|line| pieces(line).0);
        without_code
            .flat_map(|line| {
                let ends = line.split("](").skip(1);
                ends.map(|rest| rest.split(')').next().unwrap().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// A line of prose without its code, and the code in it.
fn pieces(line: &str) -> (String, Vec<String>) {
    let (mut prose, mut code) = (String::new(), Vec::new());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('`') {
        let more = after.len() - after.trim_start_matches('`').len();
        let marks = "`".repeat(more + 1);
        prose.push_str(before);
        let (inside, behind) = after
            .split_at(more)
            .1
            .split_once(&marks)
            .unwrap_or_else(|| panic!("code is not closed in: {line}"));
        code.push(inside.trim().to_owned());
        rest = behind;
    }
    prose.push_str(rest);
    (prose, code)
}

/// Every Markdown file of the repository.
fn documents() -> Vec<Document> {
    let mut found = Vec::new();
    let mut open = vec![root().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap();
            if path.is_dir() && name != Path::new("target") && name != Path::new(".git") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Document::parse(name, &text));
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// A path from the root without `.` and `..`, if it stays below it.
fn below_root(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// The links of a document that lead nowhere.
fn broken(document: &Document, all: &[Document]) -> Vec<String> {
    let is_broken = |link: &String| {
        if link.starts_with("https://") {
            return false;
        }
        let (path, anchor) = link
            .split_once('#')
            .map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
        let folder = document.name.parent().unwrap();
        let target = if path.is_empty() {
            Some(document.name.clone())
        } else {
            below_root(&folder.join(path))
        };
        let exists = |target: &PathBuf| *target == document.name || root().join(target).exists();
        let Some(target) = target.filter(exists) else {
            return true;
        };
        let known = all.iter().chain([document]);
        let anchors = known
            .filter(|other| other.name == target)
            .flat_map(Document::anchors)
            .collect::<BTreeSet<_>>();
        anchor.is_some_and(|anchor| !anchors.contains(anchor))
    };
    document.links().into_iter().filter(is_broken).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let all = documents();
    assert!(all.len() > 10);
    let broken: Vec<String> = all
        .iter()
        .flat_map(|document| {
            let name = document.name.display();
            let links = broken(document, &all).into_iter();
            links
                .map(|link| format!("{name}: {link}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "\
# One `two`, three: four
[a](#one-two-three-four) [b](../README.md) [c](../README.md#reference) [d](https://example.com/x)
[e](#five) [f](../NOTHING.md) [g](../README.md#nothing) [h](../../README.md) `[i](nothing)`
```text
[j](nothing)
# five
```
## Twice
## Twice
[k](#twice-1) [l](#twice-2)
";
    let document = Document::parse(Path::new("tests/made-up.md"), text);
    assert_eq!(
        broken(&document, &documents()),
        [
            "#five",
            "../NOTHING.md",
            "../README.md#nothing",
            "../../README.md",
            "#twice-2"
        ]
    );
}

/// Code in prose that begins like a path of the repository is one, unless it has a placeholder.
#[test]
fn the_files_that_the_documentation_names_exist() {
    let mut missing = Vec::new();
    for document in documents() {
        for code in document.prose().flat_map(|line| pieces(line).1) {
            let path = code.split(' ').next().unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let is_path = CITED.iter().any(|folder| path.starts_with(folder))
                && path.chars().all(is_plain)
                && !path.contains("NAME");
            if is_path && !root().join(path).exists() {
                missing.push(format!("{}: {path}", document.name.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The sources of which comments cite documentation.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = [".ci", "envoy", "proto", "src", "tests"]
        .map(|name| root().join(name))
        .to_vec();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // The honest requests are those of others, and name the files of others.
            if path.is_dir() && !path.ends_with("data/honest") {
                open.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a source in one line, without the marks of its comments.
fn without_breaks(text: &str) -> String {
    let marks = ["//!", "///", "//", "#"];
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let mark = marks.iter().find_map(|mark| line.strip_prefix(mark));
        mark.unwrap_or(line).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// What a text cites wrongly: a README.md by a path that is none, or a section that it has not.
fn wrong_citations(text: &str, all: &[Document]) -> Vec<String> {
    let text = without_breaks(text);
    let mut wrong = Vec::new();
    for (at, file) in text.match_indices("/README.md") {
        let (before, behind) = text.split_at(at);
        let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let folder = before.rsplit(|c| !is_path(c)).next().unwrap();
        let path = format!("{folder}{file}");
        if !CITED.iter().any(|known| path.starts_with(known)) {
            continue;
        }
        let Some(document) = all.iter().find(|other| other.name == Path::new(&path)) else {
            wrong.push(path);
            continue;
        };
        let behind = behind.strip_prefix(file).unwrap().trim_start_matches('`');
        let section = behind
            .strip_prefix(", \"")
            .and_then(|rest| rest.split_once('"'));
        if let Some((section, _)) = section
            && !document.headings().any(|title| title == section)
        {
            wrong.push(format!("{path}, {section}"));
        }
    }
    wrong
}

#[test]
fn the_documentation_that_comments_cite_exists() {
    let all = documents();
    let mut wrong = Vec::new();
    for path in sources() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if path.ends_with("suite/docs.rs") {
            continue;
        }
        for citation in wrong_citations(&text, &all) {
            wrong.push(format!("{}: {citation}", path.display()));
        }
        // Documents that were never part of the repository.
        for foreign in [concat!("SPEC", " §"), concat!("mcp", ".md")] {
            if text.contains(foreign) {
                wrong.push(format!("{}: {foreign}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_citation_of_what_does_not_exist_is_found() {
    let text = "\
/// See `src/check/README.md`, \"Sessions\", and `src/check/README.md`,
/// \"Nothing\". And src/nothing/README.md; https://example.com/README.md is another's.
";
    assert_eq!(
        wrong_citations(text, &documents()),
        ["src/check/README.md, Nothing", "src/nothing/README.md"]
    );
}

/// A `console` block.
struct Console {
    /// The document and the line of it.
    at: String,
    /// Why it is not run, where it is not.
    excuse: Option<String>,
    /// Each command with what it prints; nothing where the block does not show that.
    commands: Vec<(String, String)>,
}

impl Document {
    fn consoles(&self) -> Vec<Console> {
        let mut found: Vec<Console> = Vec::new();
        let (mut before, mut is_open, mut indent) = ("", false, "");
        for (number, line) in self.lines.iter().enumerate() {
            let is_console = line.block.as_deref() == Some("console");
            let line = line.text.as_str();
            let plain = line.trim();
            if is_console && plain.starts_with("```") {
                is_open = !is_open;
                if is_open {
                    indent = line.split('`').next().unwrap();
                    let excuse = before.strip_prefix(NOT_RUN);
                    let excuse = excuse.and_then(|rest| rest.strip_suffix(" -->"));
                    found.push(Console {
                        at: format!("{}:{}", self.name.display(), number + 1),
                        excuse: excuse.map(str::to_owned),
                        commands: Vec::new(),
                    });
                }
            } else if is_console {
                let line = line.strip_prefix(indent).unwrap_or(line);
                found.last_mut().unwrap().take(line);
            }
            before = plain;
        }
        found
    }
}

impl Console {
    /// Takes the next line of the block.
    fn take(&mut self, line: &str) {
        if let Some(command) = line.strip_prefix("$ ") {
            self.commands.push((command.to_owned(), String::new()));
            return;
        }
        let at = &self.at;
        let (command, output) = self
            .commands
            .last_mut()
            .unwrap_or_else(|| panic!("{at}: no command before {line}"));
        let heredoc = command.split_once("<<'").map(|(_, rest)| {
            let (end, text) = rest.split_once('\'').unwrap();
            text.lines().skip(1).any(|line| line == end)
        });
        if command.ends_with('\\') || heredoc == Some(false) {
            command.push('\n');
            command.push_str(line);
        } else {
            output.push_str(line);
            output.push('\n');
        }
    }

    /// Runs the commands from the root with nothing but the system's and our own on the path, and
    /// says which did not end well or printed something else.
    fn run(&self) -> Vec<String> {
        let own = Path::new(env!("CARGO_BIN_EXE_mcp-authz"));
        let path = format!("{}:/usr/bin:/bin", own.parent().unwrap().display());
        let faults = self.commands.iter().filter_map(|(command, expected)| {
            let ran = Command::new("/bin/sh")
                .args(["-c", command])
                .current_dir(root())
                .env_clear()
                .env("PATH", &path)
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&ran.stdout);
            let is_good = ran.status.success() && (expected.is_empty() || *expected == printed);
            let said = String::from_utf8_lossy(&ran.stderr);
            (!is_good).then(|| format!("{}: {command}\n{printed}{said}", self.at))
        });
        faults.collect()
    }
}

#[test]
fn every_command_that_can_run_runs() {
    let consoles: Vec<Console> = documents().iter().flat_map(Document::consoles).collect();
    let (mut faults, mut ran) = (Vec::new(), 0);
    for console in &consoles {
        assert!(!console.commands.is_empty(), "{}: empty", console.at);
        if let Some(why) = &console.excuse {
            assert!(!why.is_empty(), "{}: no reason", console.at);
        } else {
            faults.append(&mut console.run());
            ran += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(ran > 2, "{ran}");
}

#[test]
fn a_command_that_does_not_run_is_found() {
    let text = "\
```console
$ echo good
good
$ cat - \\
    <<'END'
one
END
one
$ echo other
good
$ no-such-command
$ exit 1
```

<!-- not run: it takes too long -->
```console
$ sleep 1000000
```
";
    let document = Document::parse(Path::new("made-up.md"), text);
    let consoles = document.consoles();
    let excuses: Vec<_> = consoles.iter().map(|one| one.excuse.as_deref()).collect();
    assert_eq!(excuses, [None, Some("it takes too long")]);
    let faults = consoles[0].run();
    let commands: Vec<&str> = faults
        .iter()
        .filter_map(|fault| fault.lines().next())
        .collect();
    assert_eq!(
        commands,
        [
            "made-up.md:1: echo other",
            "made-up.md:1: no-such-command",
            "made-up.md:1: exit 1"
        ]
    );
}

/// Commands stand in `console` blocks, where they are run, and each excuse before one of those.
#[test]
fn commands_stand_where_they_are_run() {
    for document in documents() {
        let name = document.name.display();
        let excuses = document
            .prose()
            .filter(|line| line.trim().starts_with(NOT_RUN));
        let used = document.consoles();
        let used = used.iter().filter(|console| console.excuse.is_some());
        assert_eq!(
            excuses.count(),
            used.count(),
            "{name}: an excuse for nothing"
        );
        for line in &document.lines {
            let kind = line.block.as_deref();
            let is_shell = kind.is_some_and(|kind| ["sh", "bash", "shell"].contains(&kind));
            assert!(!is_shell, "{name}: {}", line.text);
        }
    }
}

#[test]
fn the_front_page_names_every_part_of_the_reference() {
    let front = text("README.md");
    let missing: Vec<String> = documents()
        .iter()
        .map(|document| document.name.display().to_string())
        .filter(|name| name.starts_with("src/") || name.starts_with(".github/"))
        .filter(|name| !front.contains(&format!("({name})")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_lint_has_a_page() {
    let pages = text("src/policy/lints.md");
    let lints = policy::LINTS.iter().chain(config::LINTS);
    let missing: Vec<&&str> = lints
        .chain(config::ISSUER_LINTS)
        .filter(|lint| !pages.contains(&format!("\n### {lint}\n")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
