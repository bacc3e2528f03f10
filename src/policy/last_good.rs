//! Keeps the last good policy on disk, so that a start with files that cannot be used has one.
//!
//! The file is replaced as a whole, is readable by this user alone, and begins with the version of its
//! form and a digest of what follows. A file that is not exactly as this process would have written it
//! for this policy is never used.

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
use super::settle::{Good, GoodFiles};
use super::teams::LastGoodSettings;
use crate::file;
use crate::yaml::Source;

/// The name of the file.
const NAME: &str = "last-good-policy";
/// How the first line begins; the number is the version of the form.
const HEAD: &str = "mcp-authz last-good-policy 1 sha256:";
/// The largest file that is written or read.
const BYTES_MAX: u64 = 256 << 20;
/// How far the clock of the writer may have been ahead.
const AHEAD_MAX: Duration = Duration::from_mins(5);

/// Where the last good policy is kept.
#[derive(Debug)]
pub(super) struct LastGood {
    settings: LastGoodSettings,
    /// Whose policy it is: the path of the global files.
    policy: String,
}

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    policy: String,
    global: Option<KeptFiles>,
    teams: Vec<(String, KeptFiles)>,
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
        }
    }

    /// The same, with what may still be used of it. Logs what may not.
    pub(super) fn open(settings: LastGoodSettings, policy: &Path, now: Timestamp) -> (Self, Good) {
        let last_good = LastGood::at(settings, policy);
        let good = match last_good.read() {
            Ok(kept) => last_good.usable(kept, now),
            Err(why) => {
                let path = last_good.path();
                tracing::error!(
                    "the last good policy in `{}` is not used: {why}",
                    path.display()
                );
                Good::default()
            }
        };
        (last_good, good)
    }

    fn path(&self) -> PathBuf {
        self.settings.dir.join(NAME)
    }

    /// What is not too old.
    fn usable(&self, kept: Option<Kept>, now: Timestamp) -> Good {
        let mut good = Good::default();
        let Some(kept) = kept else { return good };
        let is_usable = |whose: &str, files: &KeptFiles| {
            let fault = self.too_old(files.confirmed, now);
            if let Some(fault) = &fault {
                tracing::warn!("the last good {whose} could not be used: {fault}");
            }
            fault.is_none()
        };
        let global = kept.global.filter(|files| is_usable("policy", files));
        good.global = global.map(KeptFiles::into_good);
        for (team, files) in kept.teams {
            if is_usable(&format!("rules of the team `{team}`"), &files) {
                good.teams.insert(team, files.into_good());
            }
        }
        good
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

    /// Replaces the file.
    pub(super) fn save(&self, good: &Good) -> Result<(), String> {
        let teams = good.teams.iter();
        let kept = Kept {
            policy: self.policy.clone(),
            global: good.global.as_ref().map(KeptFiles::of),
            teams: teams
                .map(|(team, files)| (team.clone(), KeptFiles::of(files)))
                .collect(),
        };
        let text = encode(&kept)?;
        self.put(&text)
            .map_err(|error| format!("cannot write `{}`: {error}", self.path().display()))
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
    let not_ours = "it is not of this version of mcp-authz, or no last good policy at all";
    let rest = text.strip_prefix(HEAD).ok_or(not_ours)?;
    let (digest, body) = rest.split_once('\n').ok_or(not_ours)?;
    let body = body.strip_suffix('\n').unwrap_or(body);
    if digest != digest_of(body) {
        return Err("its content is not what was written: the digest differs".to_owned());
    }
    serde_json::from_str(body).map_err(|error| format!("{not_ours}: {error}"))
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
