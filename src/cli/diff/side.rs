//! One side of a comparison: a policy, and what is known of the servers.

use std::path::Path;

use crate::authz::Policy;
use crate::cli::load::{self, Compiled, PolicyTexts};
use crate::cli::outcome::Stop;
use crate::config::Config;
use crate::policy::difference::{RuleTexts, Surroundings};
use crate::policy::{self, CompileContext};
use crate::yaml::{Findings, Source};

/// One side.
pub(super) struct Side {
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) texts: RuleTexts,
    /// The files, and what is wrong with those of teams.
    pub(super) files: PolicyTexts,
    pub(super) broken: Findings,
    pub(super) context: CompileContext,
    pub(super) around: Surroundings,
    pub(super) config: Config,
    /// What may differ and cannot be compared.
    pub(super) not_compared: Vec<String>,
}

impl Side {
    /// All that a configuration names, with `rename` for the names of its files.
    pub(super) fn of_config(
        name: &str,
        text: Source,
        base: &Path,
        rename: &dyn Fn(&str) -> String,
    ) -> Result<Self, Stop> {
        let (config, context) = load::context_of(text, base)?;
        let mut files = PolicyTexts::read(&config.policy_places(), policy::read_of)?;
        files.rename(rename);
        Side::of_files(name, files, config, context)
    }

    /// These files under a configuration.
    pub(super) fn of_files(
        name: &str,
        mut files: PolicyTexts,
        config: Config,
        context: CompileContext,
    ) -> Result<Self, Stop> {
        let Compiled { policy, broken } = files.compile(&context).map_err(Stop::Findings)?;
        Ok(Side {
            name: name.to_owned(),
            policy,
            texts: files.rules(),
            files,
            broken,
            around: load::surroundings(&config, &context)?,
            context,
            config,
            not_compared: Vec::new(),
        })
    }
}
