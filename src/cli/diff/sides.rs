//! Reads the two sides of a comparison.

use std::path::Path;

use super::side::Side;
use super::whole;
use crate::cli::load::{self, PolicyTexts};
use crate::cli::outcome::Stop;
use crate::cli::revision;
use crate::policy::{self, Owner};

/// Both sides, with what is not compared, and what is to be known of it.
pub(super) struct Sides {
    pub(super) old: Side,
    pub(super) new: Side,
    pub(super) not_compared: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Reads both sides. Without a path, a revision stands for all that the configuration names, and so
/// does NEW if it is left out.
pub(super) fn read(config: &Path, old: &str, new: Option<&str>) -> Result<Sides, Stop> {
    match (whole_revision(old), new.map(whole_revision)) {
        (Some(before), None) => {
            let old = whole::at_revision(config, before)?;
            Ok(wholes(old, whole::here(config)?))
        }
        (Some(before), Some(Some(after))) => {
            let old = whole::at_revision(config, before)?;
            Ok(wholes(old, whole::at_revision(config, after)?))
        }
        (None, Some(None)) => policies(config, old, new.unwrap_or_default()),
        (None, None) => Err(Stop::Failed(format!(
            "`{old}` is compared with no policy: give NEW, or `git:REVISION` for all that the \
             configuration names"
        ))),
        (_, Some(_)) => Err(Stop::Failed(
            "a policy cannot be compared with all that a configuration names: give both a path, or \
             none"
                .to_owned(),
        )),
    }
}

/// The revision, if a place has no path.
fn whole_revision(place: &str) -> Option<&str> {
    let rest = revision::named(place)?;
    match rest.split_once(':') {
        None => Some(rest),
        Some((revision, "")) => Some(revision),
        Some(_) => None,
    }
}

fn wholes(old: Side, new: Side) -> Sides {
    let mut not_compared = [old.not_compared.clone(), new.not_compared.clone()].concat();
    not_compared.extend(whole::not_compared(&old.config, &new.config));
    not_compared.sort();
    not_compared.dedup();
    Sides {
        old,
        new,
        not_compared,
        notes: Vec::new(),
    }
}

/// Two policies under one configuration, with the files of teams as they are now.
fn policies(config: &Path, old: &str, new: &str) -> Result<Sides, Stop> {
    if old == "-" && new == "-" {
        let message = "standard input cannot be both policies";
        return Err(Stop::Failed(message.to_owned()));
    }
    let side = |place: &str| {
        let (config, context) = load::context(config)?;
        let sources = revision::read(place)?;
        let files = PolicyTexts::beside(sources, &config.policy_places(), policy::read_of);
        Side::of_files(place, files, config, context)
    };
    let sides = (side(old)?, side(new)?);
    let (mut not_compared, mut notes) = (Vec::new(), Vec::new());
    for team in sides.0.config.policy_places().teams {
        let texts = |place: &str| match revision::named(place) {
            Some(name) => revision::texts(name, &team.files),
            None => policy::read_of(Owner::Team, &team.files)
                .ok()
                .map(revision::plain),
        };
        let name = &team.name;
        notes.push(format!(
            "the files of team {name} are taken as they are now on both sides"
        ));
        if texts(old) != texts(new) {
            not_compared.push(format!(
                "the files of team {name} differ; `git:REVISION` without a path compares them too"
            ));
        }
    }
    Ok(Sides {
        old: sides.0,
        new: sides.1,
        not_compared,
        notes,
    })
}
