//! Everything that a configuration names, as it is now or at a revision of its repository.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::side::Side;
use crate::app;
use crate::cli::load;
use crate::cli::outcome::Stop;
use crate::config::{self, Config};

/// The most bytes of one file, as of one that a command reads, and of all.
const FILE_BYTES_MAX: u64 = 64 << 20;
const BYTES_MAX: u64 = 1 << 30;

/// The keys of a configuration that say nothing of who may do what, and those of which the comparison
/// knows.
const KEYS: [&str; 17] = [
    "listen",
    "tls",
    "admin",
    "policy",
    "policies",
    "state_dir",
    "last_good_max_age",
    "candidate_policy",
    "dynamic_metadata",
    "replicas",
    "handoff",
    "fetch",
    "telemetry",
    "audit",
    "drain",
    "log",
    "limits",
];

/// The same of a server.
const SERVER_KEYS: [&str; 11] = [
    "tools_snapshot",
    "unknown_tools",
    "trust_tool_hints",
    "scopes",
    "challenge",
    "scopes_supported",
    "deny",
    "authorization_servers",
    "responses_on_get",
    "resume",
    "protocol_versions",
];

/// What the configuration names now.
pub(super) fn here(config: &Path) -> Result<Side, Stop> {
    let text = load::read(config)?;
    let name = config.display().to_string();
    Side::of_config(&name, text, load::base(config), &str::to_owned)
}

/// What it named at a revision.
pub(super) fn at_revision(config: &Path, revision: &str) -> Result<Side, Stop> {
    let folder = load::base(config);
    let folder = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    let prefix = line_of(git(folder, &["rev-parse", "--show-prefix"])?);
    let root = PathBuf::from(line_of(git(folder, &["rev-parse", "--show-toplevel"])?));
    let name = config.file_name().and_then(OsStr::to_str);
    let name = name.ok_or_else(|| Stop::Failed("the configuration has no name".to_owned()))?;
    let files = Extracted::of(&root, revision)?;
    let path = files.tree().join(&prefix).join(name);
    let shown = format!("git:{revision}:{prefix}{name}");
    if !path.is_file() {
        return Err(Stop::Failed(format!("no configuration at `{shown}`")));
    }
    let mut text = load::read(&path)?;
    text.name.clone_from(&shown);
    let tree = format!("{}/", files.tree().display());
    let rename = |name: &str| match name.strip_prefix(&tree) {
        Some(rest) => format!("git:{revision}:{rest}"),
        None => name.to_owned(),
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let mut side = Side::of_config(&shown, text.clone(), base, &rename)?;
    side.not_compared
        .extend(outside(&side.config, &files.tree()));
    // What the two say is compared as if both stood in one place.
    side.config =
        config::decode(text.name, text.text, load::base(config)).map_err(Stop::Findings)?;
    Ok(side)
}

/// The files that a configuration names outside of its repository: no revision has them.
fn outside(config: &Config, tree: &Path) -> Vec<String> {
    let places = config.policy_places();
    let teams = places.teams.iter().map(|team| &team.files);
    let paths = std::iter::once(&places.path).chain(teams);
    let paths = paths.chain(config.tools_snapshots.values());
    let is_outside = |path: &&PathBuf| {
        let ups = path.components().filter(|part| part.as_os_str() == "..");
        !path.starts_with(tree) || ups.count() > 0 && !resolved(path).starts_with(tree)
    };
    let outside = paths.filter(is_outside);
    outside
        .map(|path| format!("`{}` is outside of the repository", path.display()))
        .collect()
}

/// A path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

/// What differs between two configurations and may change who may do what, and is not compared.
pub(super) fn not_compared(old: &Config, new: &Config) -> Vec<String> {
    let change = old.change_to(new);
    let mut found = Vec::new();
    for (names, how) in [
        (&change.issuers.added, "is new"),
        (&change.issuers.removed, "is gone"),
        (&change.issuers.changed, "differs"),
    ] {
        let names = names.iter();
        found.extend(names.map(|name| format!("issuer `{name}` of the configuration {how}")));
    }
    let keys = change.keys.iter();
    let keys = keys.filter(|key| {
        let whole = key.split('.').next().unwrap_or(key);
        !KEYS.contains(&whole)
    });
    found.extend(keys.map(|key| format!("`{key}` of the configuration differs")));
    let server = |config: &Config, name: &str| {
        let all = config.effective();
        let servers = all.get("servers").and_then(serde_json::Value::as_array);
        let mut servers = servers.into_iter().flatten();
        servers
            .find(|one| one.get("name").is_some_and(|own| own == name))
            .and_then(|one| one.as_object().cloned())
            .unwrap_or_default()
    };
    for name in &change.servers.changed {
        let (was, is) = (server(old, name), server(new, name));
        let differs = |key: &&String| was.get(*key) != is.get(*key);
        let keys = is.keys().filter(differs);
        let keys = keys.filter(|key| !SERVER_KEYS.contains(&key.as_str()));
        found.extend(keys.map(|key| format!("`{key}` of server `{name}` differs")));
    }
    found
}

/// The files of a revision in a directory of their own, which only this user reads.
struct Extracted {
    folder: PathBuf,
}

impl Drop for Extracted {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "files of a revision are left behind");
        }
    }
}

impl Extracted {
    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn of(root: &Path, revision: &str) -> Result<Self, Stop> {
        if revision.is_empty() || revision.starts_with('-') {
            return Err(Stop::Failed(format!("`git:{revision}` is no revision")));
        }
        let failed = |error: &std::io::Error| Stop::failed(error);
        let unique = format!(
            "mcp-authz-{}-{}",
            std::process::id(),
            app::now().as_nanosecond()
        );
        let folder = std::env::temp_dir().join(unique);
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| failed(&error))?;
        let files = Extracted { folder };
        let listed = git(
            root,
            &["ls-tree", "-r", "-l", "-z", "--full-tree", revision],
        )?;
        let mut names: Vec<u8> = Vec::new();
        let mut bytes = 0_u64;
        for entry in listed.split(|byte| *byte == 0) {
            let Some((name, size)) = file(entry) else {
                continue;
            };
            if size > FILE_BYTES_MAX {
                continue;
            }
            bytes = bytes.saturating_add(size);
            if bytes > BYTES_MAX {
                let message = format!("`{revision}` has more than {BYTES_MAX} bytes");
                return Err(Stop::Failed(message));
            }
            names.extend_from_slice(name);
            names.push(0);
        }
        let index = files.folder.join("index");
        run(root, &["read-tree", revision], &index, &[])?;
        let prefix = format!("--prefix={}/", files.tree().display());
        fs::create_dir(files.tree()).map_err(|error| failed(&error))?;
        let arguments = ["checkout-index", "-f", "-q", "-z", "--stdin", &prefix];
        run(root, &arguments, &index, &names)?;
        Ok(files)
    }
}

/// The name and size of a file in `MODE TYPE OBJECT SIZE<tab>PATH`. A link is none.
fn file(entry: &[u8]) -> Option<(&[u8], u64)> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let (about, name) = entry.split_at_checked(tab)?;
    let about = std::str::from_utf8(about).ok()?;
    let size = about.split_whitespace().last()?.parse().ok()?;
    about.starts_with("100").then_some((name.get(1..)?, size))
}

fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, Stop> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    output(&mut command, &[])
}

/// Runs git with an index of its own, so that the one of the repository stays as it is.
fn run(folder: &Path, arguments: &[&str], index: &Path, input: &[u8]) -> Result<(), Stop> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    command.env("GIT_INDEX_FILE", index);
    output(&mut command, input).map(drop)
}

fn output(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Stop> {
    let cannot = |error: std::io::Error| Stop::Failed(format!("cannot run `git`: {error}"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(input)
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(cannot(error));
    }
    let output = child.wait_with_output().map_err(cannot)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it gives no reason");
    Err(Stop::Failed(format!("git: {said}")))
}

fn line_of(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap_or_default();
    text.trim_end_matches('\n').to_owned()
}
