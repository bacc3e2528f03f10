//! One side of a comparison: a policy, and what is known of the servers.

use std::path::Path;

use crate::authz::Policy;
use crate::cli::load::{self, PolicyTexts};
use crate::cli::outcome::Stop;
use crate::config::Config;
use crate::policy::difference::{RuleTexts, Surroundings};
use crate::policy::{self, CompileContext};
use crate::yaml::Source;

/// One side.
pub(super) struct Side {
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) texts: RuleTexts,
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
        let mut texts = PolicyTexts::read(&config.policy_places(), policy::read)?;
        texts.rename(rename);
        Side::of_texts(name, &texts, config, context)
    }

    /// These files under a configuration.
    pub(super) fn of_texts(
        name: &str,
        texts: &PolicyTexts,
        config: Config,
        context: CompileContext,
    ) -> Result<Self, Stop> {
        let policy = policy::compile_layers(&texts.layers(), &context);
        let policy = policy.map_err(|findings| Stop::Findings(findings.into_findings()))?;
        Ok(Side {
            name: name.to_owned(),
            policy,
            texts: texts.rules(),
            around: load::surroundings(&config, &context)?,
            context,
            config,
            not_compared: Vec::new(),
        })
    }
}
