//! Keeps the last good policy on disk, so that a start with files that cannot be used has one.
//!
//! The file is replaced as a whole, is readable by this user alone, and begins with the version of its
//! form and a digest of what follows. A file that is not exactly as this process would have written it
//! for this policy is never used.

mod turns;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::files::PolicyFiles;
use super::good::{Good, GoodFiles, GoodTeam, Grant};
use super::teams::LastGoodSettings;
use crate::file;
use crate::yaml::Source;
use turns::Turns;

/// The name of the file.
const NAME: &str = "last-good-policy";
/// How the first line begins; the number is the version of the form.
const HEAD: &str = "mcp-authz last-good-policy 2 sha256:";
/// How the first line of every version begins.
const HEAD_OF_ALL: &str = "mcp-authz last-good-policy ";
/// The largest file that is written or read.
const BYTES_MAX: u64 = 256 << 20;
/// What is said of a file without its end.
const CUT: &str = "it is cut short";
/// How long a write may hold up the policy that it is of.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);
/// How far the clock of the writer may have been ahead.
const AHEAD_MAX: Duration = Duration::from_mins(5);

/// Where the last good policy is kept.
#[derive(Debug, Clone)]
pub(super) struct LastGood {
    settings: LastGoodSettings,
    /// Whose policy it is: the path of the global files.
    policy: String,
    turns: Turns,
}

/// Why parts of what is kept are too old to be used.
#[derive(Debug, Default)]
pub(super) struct TooOld {
    global: Option<String>,
    /// By the name of the team.
    teams: BTreeMap<String, String>,
}

impl TooOld {
    /// Logs what could have been of use: `None` for the global files, or the name of a team.
    pub(super) fn tell(&self, of: Option<&str>) {
        let (whose, fault) = match of {
            None => ("policy".to_owned(), self.global.as_ref()),
            Some(team) => (format!("rules of the team `{team}`"), self.teams.get(team)),
        };
        if let Some(fault) = fault {
            tracing::warn!("the last good {whose} could not be used: {fault}");
        }
    }
}

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    policy: String,
    global: Option<KeptFiles>,
    teams: Vec<KeptTeam>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTeam {
    name: String,
    /// What was delegated to it.
    grant: Grant,
    files: KeptFiles,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptFiles {
    confirmed: Timestamp,
    /// Names and texts.
    policy: Vec<(String, String)>,
    tests: Vec<(String, String)>,
}

impl LastGood {
    /// The place of the last good policy of these global files.
    pub(super) fn at(settings: LastGoodSettings, policy: &Path) -> Self {
        let policy = std::path::absolute(policy).unwrap_or_else(|_| policy.to_owned());
        LastGood {
            settings,
            policy: policy.display().to_string(),
            turns: Turns::default(),
        }
    }

    /// The same, with what may still be used of it, and what is too old. Logs what is spoilt.
    pub(super) fn open(
        settings: LastGoodSettings,
        policy: &Path,
        now: Timestamp,
    ) -> (Self, Good, TooOld) {
        let last_good = LastGood::at(settings, policy);
        let (good, too_old) = match last_good.read() {
            Ok(kept) => last_good.usable(kept, now),
            Err(why) => {
                let path = last_good.path();
                tracing::error!(
                    "the last good policy in `{}` is not used: {why}",
                    path.display()
                );
                (Good::default(), TooOld::default())
            }
        };
        (last_good, good, too_old)
    }

    fn path(&self) -> PathBuf {
        self.settings.dir.join(NAME)
    }

    /// What is not too old, and what is.
    fn usable(&self, kept: Option<Kept>, now: Timestamp) -> (Good, TooOld) {
        let (mut good, mut too_old) = (Good::default(), TooOld::default());
        let Some(kept) = kept else {
            return (good, too_old);
        };
        if let Some(files) = kept.global {
            too_old.global = self.too_old(files.confirmed, now);
            good.global = Some(files.into_good()).filter(|_| too_old.global.is_none());
        }
        for KeptTeam { name, grant, files } in kept.teams {
            if let Some(fault) = self.too_old(files.confirmed, now) {
                too_old.teams.insert(name, fault);
            } else {
                let last = files.into_good();
                good.teams.insert(name, GoodTeam { grant, last });
            }
        }
        (good, too_old)
    }

    fn too_old(&self, confirmed: Timestamp, now: Timestamp) -> Option<String> {
        let age = now.duration_since(confirmed);
        if age.is_negative() {
            let is_far = age.unsigned_abs() > AHEAD_MAX;
            return is_far.then(|| format!("they are of {confirmed}, which is to come"));
        }
        let max = self.settings.max_age;
        (age.unsigned_abs() > max).then(|| {
            let max = crate::yaml::duration_text(max);
            format!("it was last known to be good at {confirmed}, and `last_good_max_age` is {max}")
        })
    }

    /// What is there; nothing if there is no file.
    fn read(&self) -> Result<Option<Kept>, String> {
        let path = self.path();
        let found = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|error| error.to_string())?,
        };
        if !found.is_file() {
            return Err("it is not a file".to_owned());
        }
        if found.mode() & 0o077 != 0 {
            return Err("others than its owner may read or write it".to_owned());
        }
        if found.uid() != self.own_uid().map_err(|error| error.to_string())? {
            return Err("it belongs to another user".to_owned());
        }
        let text = file::read_text(&path, BYTES_MAX).map_err(|error| error.to_string())?;
        let kept = decode(&text)?;
        if kept.policy != self.policy {
            return Err(format!("it is of another policy, `{}`", kept.policy));
        }
        Ok(Some(kept))
    }

    /// The user as whom this process writes files here.
    fn own_uid(&self) -> io::Result<u32> {
        let beside = self.beside();
        let uid = create(&beside).and_then(|file| file.metadata());
        fs::remove_file(&beside)?;
        Ok(uid?.uid())
    }

    /// A file that is renamed or removed at once.
    fn beside(&self) -> PathBuf {
        self.settings
            .dir
            .join(format!(".{NAME}.{}", std::process::id()))
    }

    /// Replaces the file. Where that fails, an older one is removed: it may allow what was taken back
    /// since. A file system that hangs holds this up for [`WRITE_TIME_MAX`] only.
    pub(super) fn save(&self, good: &Good) -> Result<(), String> {
        let teams = good.teams.iter().map(|(name, team)| KeptTeam {
            name: name.clone(),
            grant: team.grant.clone(),
            files: KeptFiles::of(&team.last),
        });
        let kept = Kept {
            policy: self.policy.clone(),
            global: good.global.as_ref().map(KeptFiles::of),
            teams: teams.collect(),
        };
        let (own, path) = (self.clone(), self.path());
        let replaced = self.turns.take(WRITE_TIME_MAX, move || own.replace(&kept));
        replaced.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
    }

    fn replace(&self, kept: &Kept) -> Result<(), String> {
        let put = encode(kept).and_then(|text| self.put(&text).map_err(|error| error.to_string()));
        let Err(error) = put else { return Ok(()) };
        match self.remove_older(kept) {
            Ok(()) => Err(error),
            Err(stays) => Err(format!(
                "{error}; the older one is still there, and a start may begin with it: {stays}"
            )),
        }
    }

    /// Removes what is there, unless it is the same but for its age. Takes no room on the disk.
    fn remove_older(&self, kept: &Kept) -> io::Result<()> {
        let path = self.path();
        let there = file::read_text(&path, BYTES_MAX).ok();
        let there = there.and_then(|text| decode(&text).ok());
        if there.is_some_and(|there| there.is_same(kept)) {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(error) => {
                // The file may be writable where its directory is not.
                let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
                let emptied = || OpenOptions::new().write(true).truncate(true).open(&path);
                let emptied = is_file.then(emptied).and_then(Result::ok).ok_or(error)?;
                emptied.sync_all()?;
            }
            Ok(()) => {}
        }
        File::open(&self.settings.dir)?.sync_all()
    }

    fn put(&self, text: &str) -> io::Result<()> {
        let dir = &self.settings.dir;
        if !dir.is_dir() {
            fs::DirBuilder::new().mode(0o700).create(dir)?;
        }
        let beside = self.beside();
        let write = || {
            let mut new = create(&beside)?;
            new.write_all(text.as_bytes())?;
            new.sync_all()?;
            fs::rename(&beside, self.path())?;
            // The new name is on disk once the directory is.
            File::open(dir)?.sync_all()
        };
        write().inspect_err(|_| {
            if let Err(error) = fs::remove_file(&beside)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a file is left behind");
            }
        })
    }
}

/// A new file that nobody else may read. One that a process of the same id left behind is replaced.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn encode(kept: &Kept) -> Result<String, String> {
    let body = serde_json::to_string(kept).map_err(|error| error.to_string())?;
    let text = format!("{HEAD}{}\n{body}\n", digest_of(&body));
    if u64::try_from(text.len()).is_ok_and(|length| length <= BYTES_MAX) {
        Ok(text)
    } else {
        Err(format!("it has more than {BYTES_MAX} bytes"))
    }
}

fn decode(text: &str) -> Result<Kept, String> {
    let Some(rest) = text.strip_prefix(HEAD) else {
        let why = if text.starts_with(HEAD_OF_ALL) && text.contains('\n') {
            "it is of another version of mcp-authz"
        } else if text.is_empty() {
            "it is empty"
        } else if HEAD.starts_with(text) || text.starts_with(HEAD_OF_ALL) {
            CUT
        } else {
            "it is no last good policy"
        };
        return Err(why.to_owned());
    };
    let whole = rest.split_once('\n');
    let whole = whole.and_then(|(digest, body)| Some((digest, body.strip_suffix('\n')?)));
    let (digest, body) = whole.ok_or(CUT)?;
    if digest != digest_of(body) {
        return Err("its content is not what was written: the digest differs".to_owned());
    }
    serde_json::from_str(body).map_err(|error| format!("it is no last good policy: {error}"))
}

fn digest_of(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    let mut text = String::new();
    for byte in digest.as_ref() {
        // Writing to a string cannot fail.
        let _ok = write!(text, "{byte:02x}");
    }
    text
}

impl Kept {
    /// Whether both are the same files, whenever they were confirmed.
    fn is_same(&self, other: &Kept) -> bool {
        let Kept {
            policy,
            global,
            teams,
        } = self;
        let is_same = |one: &KeptFiles, other: &KeptFiles| {
            one.policy == other.policy && one.tests == other.tests
        };
        let is_same_global = match (global, &other.global) {
            (Some(one), Some(other)) => is_same(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        *policy == other.policy
            && is_same_global
            && teams.len() == other.teams.len()
            && teams.iter().zip(&other.teams).all(|(one, other)| {
                one.name == other.name
                    && one.grant == other.grant
                    && is_same(&one.files, &other.files)
            })
    }
}

impl KeptFiles {
    fn of(good: &GoodFiles) -> Self {
        let pairs = |sources: &[Source]| {
            let sources = sources.iter();
            sources
                .map(|source| (source.name.clone(), source.text.clone()))
                .collect()
        };
        KeptFiles {
            confirmed: good.confirmed,
            policy: pairs(&good.files.policy),
            tests: pairs(&good.files.tests),
        }
    }

    fn into_good(self) -> GoodFiles {
        let sources = |pairs: Vec<(String, String)>| {
            let pairs = pairs.into_iter();
            pairs.map(|(name, text)| Source { name, text }).collect()
        };
        GoodFiles {
            confirmed: self.confirmed,
            files: Arc::new(PolicyFiles {
                policy: sources(self.policy),
                tests: sources(self.tests),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
