//! No two files of `src` import each other, neither directly nor by way of others.
//!
//! An import counts for the file that defines what is imported: a name that a face re-exports
//! leads to the file below it. Tests are left out, since they may look at everything.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{code, files, root};

/// The segments of a path, as in `["crate", "mcp", "Message"]`.
type Segments = Vec<String>;

/// One file: what it declares, what it brings into its scope, and its code.
struct File {
    code: String,
    /// Its modules that are files of their own.
    children: BTreeSet<String>,
    /// By name, what its `use` declarations bring.
    uses: BTreeMap<String, Segments>,
    /// Names that it brings for others alone: they stand in `pub use` and nowhere else.
    passed_on: BTreeSet<String>,
}

/// Every file by the segments of its module.
type Files = BTreeMap<Segments, File>;

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of a use tree at the beginning of `text`, and what follows the tree.
fn tree(text: &str) -> (Vec<Segments>, &str) {
    let mut rest = text.trim_start();
    let mut before = Segments::new();
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            let mut all = Vec::new();
            rest = inner.trim_start();
            while !rest.starts_with('}') {
                let (paths, after) = tree(rest);
                all.extend(
                    paths
                        .into_iter()
                        .map(|path| [before.clone(), path].concat()),
                );
                rest = after.trim_start().trim_start_matches(',').trim_start();
            }
            return (all, rest.strip_prefix('}').unwrap());
        }
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let end = if rest.starts_with('*') { 1 } else { end };
        let (name, after) = rest.split_at(end);
        assert!(
            !name.is_empty(),
            "no name at {:?}",
            rest.chars().take(40).collect::<String>()
        );
        before.push(name.to_owned());
        let Some(more) = after.strip_prefix("::") else {
            return (vec![before], after);
        };
        if !more.starts_with(|c: char| is_name(c) || c == '{' || c == '*') {
            return (vec![before], after);
        }
        rest = more;
    }
}

/// Where `word` begins in `text` and is no part of another name or path.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let (before, from) = text.split_at(*at);
            let after = from.strip_prefix(word).unwrap();
            let begins = !before.ends_with(|c: char| is_name(c) || c == ':');
            begins && !after.starts_with(is_name)
        })
}

impl File {
    fn read(code: String) -> Self {
        let mut children = BTreeSet::new();
        for at in places(&code, "mod") {
            let name: &str = code.split_at(at).1.split_once(' ').unwrap().1;
            if let Some((name, _)) = name
                .split_once(';')
                .filter(|(name, _)| name.chars().all(is_name))
            {
                children.insert(name.to_owned());
            }
        }
        let mut uses = BTreeMap::new();
        let mut public = BTreeSet::new();
        let mut outside = String::new();
        let mut rest = code.as_str();
        // Elsewhere the word bounds a type (`+ use<'a>`) or stands in a text.
        let begins_a_line = |rest: &str, at: usize| {
            let line = rest.split_at(at).0.rsplit('\n').next().unwrap().trim();
            line.is_empty() || line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
        };
        while let Some(at) = places(rest, "use").find(|at| begins_a_line(rest, *at)) {
            let (before, from) = rest.split_at(at);
            outside.push_str(before);
            let is_public = before
                .lines()
                .last()
                .is_some_and(|line| line.trim_start().starts_with("pub"));
            let (paths, after) = tree(from.strip_prefix("use").unwrap());
            for path in paths {
                let name = path.last().unwrap().clone();
                if is_public {
                    public.insert(name.clone());
                }
                uses.insert(name, path);
            }
            rest = after;
        }
        outside.push_str(rest);
        let unused = |name: &String| places(&outside, name).next().is_none();
        let passed_on = public.into_iter().filter(unused).collect();
        File {
            code,
            children,
            uses,
            passed_on,
        }
    }
}

/// The file that defines what `path` names, as written in `from`. None if it is not ours.
fn defines(files: &Files, from: &Segments, path: &[String], depth: usize) -> Option<Segments> {
    let (first, rest) = path.split_first()?;
    let (mut at, mut rest) = match first.as_str() {
        "crate" => (Segments::new(), rest),
        "self" => (from.clone(), rest),
        "super" => {
            let ups = path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            let (_, rest) = path.split_at(ups);
            (
                from.iter()
                    .take(from.len().checked_sub(ups)?)
                    .cloned()
                    .collect(),
                rest,
            )
        }
        _ => (from.clone(), path),
    };
    while let Some((name, after)) = rest.split_first() {
        let below = [at.clone(), vec![name.clone()]].concat();
        if !files.contains_key(&below) {
            break;
        }
        (at, rest) = (below, after);
    }
    let file = files.get(&at)?;
    let brought = rest.first().and_then(|name| file.uses.get(name));
    let ours = brought.filter(|path| {
        path.first().is_some_and(|first| {
            ["crate", "self", "super"].contains(&first.as_str()) || file.children.contains(first)
        })
    });
    match ours {
        Some(path) if depth < 8 => {
            let path = [path.as_slice(), rest.get(1..).unwrap_or_default()].concat();
            defines(files, &at, &path, depth + 1)
        }
        _ => Some(at),
    }
}

/// The files that one imports.
fn imports(files: &Files, own: &Segments, file: &File) -> BTreeSet<Segments> {
    let words = ["crate", "super", "self"].into_iter().map(str::to_owned);
    let mut found = BTreeSet::new();
    for word in words.chain(file.children.iter().cloned()) {
        for at in places(&file.code, &word) {
            let (before, from) = file.code.split_at(at);
            let after = from.strip_prefix(&*word).unwrap();
            if !after.starts_with("::") {
                continue;
            }
            let statement = before.rsplit([';', '}', '{']).next().unwrap().trim();
            let (paths, _) = tree(from);
            let passed_on = |path: &Segments| {
                statement.ends_with("use")
                    && path
                        .last()
                        .is_some_and(|name| file.passed_on.contains(name))
            };
            let paths = paths.iter().filter(|path| !passed_on(path));
            found.extend(paths.filter_map(|path| defines(files, own, path, 0)));
        }
    }
    found.remove(own);
    found
}

/// A way from a file back to itself, if there is one.
fn circle(
    edges: &BTreeMap<Segments, BTreeSet<Segments>>,
    start: &Segments,
) -> Option<Vec<Segments>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &edges[way.last().unwrap()] {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([way.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}

/// Each way from a file back to itself, by files as their names and code.
fn circles(sources: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let segments = |name: &str| name.split('/').map(str::to_owned).collect::<Segments>();
    let files: Files = sources
        .into_iter()
        .map(|(name, code)| (segments(&name), File::read(code)))
        .collect();
    let edges: BTreeMap<Segments, BTreeSet<Segments>> = files
        .iter()
        .map(|(own, file)| (own.clone(), imports(&files, own, file)))
        .collect();
    let ways = files.keys().filter_map(|own| circle(&edges, own));
    ways.map(|way| {
        let names: Vec<String> = way.iter().map(|file| file.join("/")).collect();
        names.join(" → ")
    })
    .collect()
}

#[test]
fn no_files_import_each_other() {
    let source = root().join("src");
    let sources = files("src", "rs").into_iter().filter_map(|path| {
        let below = path.strip_prefix(&source).unwrap().with_extension("");
        let code = code(&path);
        (!code.is_empty()).then(|| (below.to_str().unwrap().to_owned(), code))
    });
    let found = circles(sources.filter(|(name, _)| !["main", "lib"].contains(&name.as_str())));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn circles_are_found_by_way_of_faces_and_inline_paths() {
    let found = |files: &[(&str, &str)]| {
        let own = |(name, code): &(&str, &str)| ((*name).to_owned(), (*code).to_owned());
        circles(files.iter().map(own)).len()
    };
    let face = "mod one;\nmod two;\npub use one::One;\npub use two::{Two, other};\n";
    let one = "use super::Two;\npub struct One(Two);";
    assert_eq!(
        found(&[
            ("room", face),
            ("room/one", one),
            ("room/two", "pub struct Two;")
        ]),
        0
    );
    let two = "pub fn two() { crate::room::One::new() }";
    assert_eq!(
        found(&[("room", face), ("room/one", one), ("room/two", two)]),
        2
    );
    let used = "mod one;\npub use one::One;\npub struct Face(One);";
    let back = "pub(super) struct One;\nimpl One { fn face(&self) -> super::Face { todo!() } }";
    assert_eq!(found(&[("room", used), ("room/one", back)]), 2);
    assert_eq!(found(&[("room", used), ("room/one", "pub struct One;")]), 0);
}
