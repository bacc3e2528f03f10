//! Reads a policy from where an argument says it is: files, standard input, or a revision of a git
//! repository.

use std::path::Path;
use std::process::Command;

use glob::{MatchOptions, Pattern};

use crate::cli::load;
use crate::cli::outcome::Stop;
use crate::file::{self, FileKind};
use crate::policy;
use crate::yaml::{self, Findings, Source};

/// What a revision of a git repository begins with.
const GIT: &str = "git:";
/// The most files of a policy, and the most bytes.
const FILES_MAX: usize = 1000;
const BYTES_MAX: usize = 64 << 20;

/// As for files on a disk.
const VISIBLE: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Reads the rules and class tables that an argument names. Tests are left out.
pub(super) fn read(argument: &str) -> Result<Vec<Source>, Stop> {
    let sources = match argument.strip_prefix(GIT) {
        Some(rest) => of_git(rest)?,
        None if argument == "-" => vec![load::read(Path::new("-"))?],
        // A pipe of the shell is one file.
        None if matches!(
            file::kind(Path::new(argument)),
            Ok(Some(FileKind::Other(_)))
        ) =>
        {
            vec![load::read(Path::new(argument))?]
        }
        None => policy::read(Path::new(argument)).map_err(|error| Stop::failed(&error))?,
    };
    sources.iter().try_for_each(refuse_configuration)?;
    Ok(sources)
}

/// `REVISION:PATH` of a place that is a revision.
pub(super) fn named(place: &str) -> Option<&str> {
    place.strip_prefix(GIT)
}

/// The texts of other files at the revision of a place. `None` if it has none there.
pub(super) fn texts(place: &str, files: &Path) -> Option<Vec<(String, String)>> {
    let (revision, _) = place.split_once(':')?;
    let path = if files.is_absolute() {
        let root = String::from_utf8(git(&["rev-parse", "--show-toplevel"]).ok()?).ok()?;
        let files = files.strip_prefix(root.trim_end()).ok()?;
        files.display().to_string()
    } else {
        format!("./{}", files.display())
    };
    of_git(&format!("{revision}:{path}")).ok().map(plain)
}

/// The texts of files by their names without folders.
pub(super) fn plain(sources: Vec<Source>) -> Vec<(String, String)> {
    let each = sources.into_iter().map(|source| {
        let name = source.name.rsplit('/').next().unwrap_or_default();
        (name.to_owned(), source.text)
    });
    let mut texts: Vec<(String, String)> = each.collect();
    texts.sort();
    texts
}

/// A configuration says who callers are at all. Both policies are compared under the same one.
fn refuse_configuration(source: &Source) -> Result<(), Stop> {
    let mut findings = Findings::new();
    let id = findings.add_source(source.clone());
    let root = yaml::parse(id, &mut findings);
    let has = |key| root.as_ref().is_some_and(|root| root.member(key).is_some());
    if has("rules") || !(has("policy") || has("issuers") || has("servers")) {
        return Ok(());
    }
    let name = &source.name;
    Err(Stop::Failed(format!(
        "`{name}` is a configuration; compare policies, and give the configuration of both with `--config`; \
         `git:REVISION` without a path is all that it named then"
    )))
}

/// `REVISION:PATH`.
fn of_git(text: &str) -> Result<Vec<Source>, Stop> {
    let wrong = || {
        let help = "write `git:REVISION:PATH`, such as `git:HEAD~1:policy/`";
        Stop::Failed(format!("`{GIT}{text}` is no revision of a policy; {help}"))
    };
    let (revision, path) = text.split_once(':').ok_or_else(wrong)?;
    // Git would take it for an option.
    if revision.is_empty() || revision.starts_with('-') || path.is_empty() {
        return Err(wrong());
    }
    let path = from_root(path)?;
    let listed = git(&["ls-tree", "-r", "-z", "--full-tree", revision])?;
    let listed = String::from_utf8(listed)
        .map_err(|_| Stop::Failed(format!("`{revision}` has a path that is not UTF-8")))?;
    let entries: Vec<Entry<'_>> = listed.split('\0').filter_map(Entry::of).collect();
    let chosen = choose(&entries, &path)?;
    if chosen.is_empty() {
        return Err(Stop::Failed(format!("no policy file at `{GIT}{text}`")));
    }
    if chosen.len() > FILES_MAX {
        return Err(too_large());
    }
    let mut left = BYTES_MAX;
    let sources = chosen.into_iter().map(|entry| {
        let name = format!("{GIT}{revision}:{}", entry.path);
        if !entry.mode.starts_with("100") {
            return Err(Stop::Failed(format!("`{name}` is a link, not a file")));
        }
        let bytes = git(&["cat-file", "blob", entry.object])?;
        left = left.checked_sub(bytes.len()).ok_or_else(too_large)?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| Stop::Failed(format!("`{name}` is not UTF-8")))?;
        Ok(Source { name, text })
    });
    sources.collect()
}

fn too_large() -> Stop {
    let message = format!("the policy has more than {FILES_MAX} files or {BYTES_MAX} bytes");
    Stop::Failed(message)
}

/// One file of a revision.
struct Entry<'l> {
    mode: &'l str,
    object: &'l str,
    path: &'l str,
}

impl<'l> Entry<'l> {
    /// `MODE TYPE OBJECT<tab>PATH`.
    fn of(line: &'l str) -> Option<Self> {
        let (about, path) = line.split_once('\t')?;
        let mut words = about.split(' ');
        let (mode, _, object) = (words.next()?, words.next()?, words.next()?);
        Some(Entry { mode, object, path })
    }
}

/// The file of a path, or those of a directory, or those that a glob fits.
fn choose<'e, 'l>(entries: &'e [Entry<'l>], path: &str) -> Result<Vec<&'e Entry<'l>>, Stop> {
    if let Some(file) = entries.iter().find(|entry| entry.path == path) {
        return Ok(vec![file]);
    }
    let folder = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let inside = |entry: &&Entry<'_>| {
        let rest = entry.path.strip_prefix(&folder);
        rest.is_some_and(|rest| !rest.contains('/'))
    };
    let named = |entry: &&Entry<'_>| policy::is_policy_file(Path::new(entry.path));
    let is_folder = entries.iter().any(|entry| entry.path.starts_with(&folder));
    if is_folder {
        return Ok(entries.iter().filter(inside).filter(named).collect());
    }
    let pattern = Pattern::new(path);
    let pattern = pattern.map_err(|error| Stop::Failed(format!("`{path}` is no glob: {error}")))?;
    let fits = |entry: &&Entry<'_>| {
        let is_test = policy::is_test_file(Path::new(entry.path));
        pattern.matches_with(entry.path, VISIBLE) && !is_test
    };
    Ok(entries.iter().filter(fits).collect())
}

/// A path from the root of the repository, as git has it: one that begins with `./` or `../` is from
/// the current directory.
fn from_root(path: &str) -> Result<String, Stop> {
    let is_from_here =
        path == "." || path == ".." || path.starts_with("./") || path.starts_with("../");
    let prefix = if is_from_here {
        String::from_utf8(git(&["rev-parse", "--show-prefix"])?).unwrap_or_default()
    } else {
        String::new()
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.trim_end().split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                let outside = || Stop::Failed(format!("`{path}` is outside of the repository"));
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Runs git in the current directory.
fn git(arguments: &[&str]) -> Result<Vec<u8>, Stop> {
    let output = Command::new("git").args(arguments).output();
    let output = output.map_err(|error| Stop::Failed(format!("cannot run `git`: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it gives no reason");
    Err(Stop::Failed(format!("git: {said}")))
}
