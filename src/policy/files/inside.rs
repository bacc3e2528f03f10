//! Reads the files of a team, which links must not lead out of their folder.
//!
//! A Kubernetes volume has links within the folder (`..data`), and git-sync has one on the way to it:
//! both work.

use std::path::{Path, PathBuf};

use super::error::{FILES_MAX, ReadPolicyError, TEAM_BYTES_MAX};
use crate::file::{self, ReadError};
use crate::yaml::Source;

/// Reads these files if all of them are really in the folder.
pub(super) fn read(folder: &Path, paths: &[PathBuf]) -> Result<Vec<Source>, ReadPolicyError> {
    if paths.len() > FILES_MAX {
        return Err(ReadPolicyError::TooLarge);
    }
    let real = |path: &Path| {
        let real = std::fs::canonicalize(path);
        real.map_err(|cause| ReadPolicyError::of(path, cause))
    };
    let within = if paths.is_empty() {
        PathBuf::new()
    } else {
        real(folder)?
    };
    let mut left = TEAM_BYTES_MAX;
    let mut sources = Vec::new();
    for path in paths {
        let found = real(path)?;
        if !found.starts_with(&within) {
            return Err(ReadPolicyError::Outside {
                path: path.clone(),
                folder: folder.to_owned(),
            });
        }
        // The path without links, so that none which is set meanwhile is followed.
        let text = match file::read_text(&found, left) {
            Ok(text) => text,
            Err(ReadError::TooLarge(_)) => return Err(ReadPolicyError::TeamTooLarge),
            Err(cause) => return Err(ReadPolicyError::of(path, cause)),
        };
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        left = left.saturating_sub(length);
        sources.push(Source {
            name: path.display().to_string(),
            text,
        });
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::{Owner, read_files};
    use super::*;

    const RULES: &str = "rules: []\n";

    /// A folder with the files of a team, beside a file that is none of it.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("secret.yaml"), "root: x\n").unwrap();
        fs::create_dir_all(home.path().join("t1/..2026")).unwrap();
        fs::write(home.path().join("t1/..2026/p.yaml"), RULES).unwrap();
        fs::write(home.path().join("t1/..2026/p_test.yaml"), "tests: []\n").unwrap();
        symlink("..2026", home.path().join("t1/..data")).unwrap();
        symlink("..data/p.yaml", home.path().join("t1/p.yaml")).unwrap();
        symlink("..data/p_test.yaml", home.path().join("t1/p_test.yaml")).unwrap();
        fs::create_dir(home.path().join("elsewhere")).unwrap();
        fs::write(home.path().join("elsewhere/x.yaml"), RULES).unwrap();
        symlink("t1", home.path().join("current")).unwrap();
        home
    }

    const PLACES: [&str; 7] = [
        "t1",
        "t1/*.yaml",
        "t1/**/*.yaml",
        "t1/p.yaml",
        "current",
        "current/*.yaml",
        "current/p.yaml",
    ];

    #[test]
    fn links_within_the_folder_and_to_it_are_followed() {
        let home = home();
        for place in PLACES {
            let files = read_files(Owner::Team, &home.path().join(place)).unwrap();
            assert_eq!(files.policy[0].text, RULES, "{place}");
            assert!(files.policy[0].name.ends_with("p.yaml"), "{place}");
            assert_eq!(files.tests.len(), 1, "{place}");
        }
    }

    #[test]
    fn links_out_of_the_folder_are_refused() {
        for (name, target) in [
            ("z.yaml", "../secret.yaml"),
            ("z.yaml", "/etc/passwd"),
            ("z_test.yaml", "../secret.yaml"),
            ("sub", "../elsewhere"),
        ] {
            let home = home();
            symlink(target, home.path().join("t1").join(name)).unwrap();
            let places = if name == "sub" {
                &["t1/**/*.yaml"][..]
            } else {
                &["t1", "current/*.yaml"]
            };
            for place in places {
                let place = home.path().join(place);
                let error = read_files(Owner::Team, &place).unwrap_err();
                assert!(
                    matches!(error, ReadPolicyError::Outside { .. }),
                    "{name}: {error}"
                );
                let operator = read_files(Owner::Operator, &place);
                assert!(
                    !matches!(operator, Err(ReadPolicyError::Outside { .. })),
                    "the operator's links lead anywhere"
                );
            }
        }
        // The file itself, and the tests beside it.
        for name in ["p.yaml", "p_test.yaml"] {
            let home = home();
            fs::remove_file(home.path().join("t1").join(name)).unwrap();
            symlink("../secret.yaml", home.path().join("t1").join(name)).unwrap();
            let error = read_files(Owner::Team, &home.path().join("t1/p.yaml")).unwrap_err();
            assert!(
                matches!(error, ReadPolicyError::Outside { .. }),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_team_has_less_room_than_the_operator() {
        let home = home();
        let large = format!(
            "{RULES}#{}",
            "x".repeat(usize::try_from(TEAM_BYTES_MAX).unwrap())
        );
        fs::write(home.path().join("t1/large.yaml"), large).unwrap();
        let error = read_files(Owner::Team, &home.path().join("t1")).unwrap_err();
        assert!(matches!(error, ReadPolicyError::TeamTooLarge), "{error}");
        assert!(read_files(Owner::Operator, &home.path().join("t1")).is_ok());
    }
}
