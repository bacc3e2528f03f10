//! Loads the files that commands work on.

use std::collections::BTreeMap;
use std::path::Path;

use super::outcome::Stop;
use crate::app;
use crate::authz::Policy;
use crate::catalog::{self, Catalog, RecordedTool};
use crate::config::{self, Config};
use crate::file;
use crate::policy::testing::SampleContext;
use crate::policy::{self, CompileContext};
use crate::yaml::Source;

/// The most bytes of a file that is read into memory.
const BYTES_MAX: u64 = 64 << 20;

/// A configuration and its policy, both valid.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) policy: Policy,
    pub(super) samples: SampleContext,
}

/// Reads a file, standard input for `-`, or a pipe of the shell.
pub(super) fn read(path: &Path) -> Result<Source, Stop> {
    let is_input = path == Path::new("-");
    let name = if is_input {
        "<stdin>".to_owned()
    } else {
        path.display().to_string()
    };
    match file::read_input(path, BYTES_MAX) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => Err(Stop::Failed(format!("cannot read `{name}`: {error}"))),
    }
}

/// Reads a file that another one names.
pub(super) fn named(path: &Path) -> std::io::Result<String> {
    file::read_text(path, BYTES_MAX).map_err(std::io::Error::other)
}

/// The directory that paths in a configuration are relative to.
pub(super) fn base(config: &Path) -> &Path {
    config.parent().unwrap_or(Path::new(""))
}

/// Reads a configuration, and what policies are compiled against.
pub(super) fn context(path: &Path) -> Result<(Config, CompileContext), Stop> {
    let source = read(path)?;
    let config = config::decode(source.name, source.text, base(path)).map_err(Stop::Findings)?;
    let catalog = Catalog::open(
        config.watched_servers(),
        config.catalog_limits(),
        app::now(),
    );
    let catalog = catalog.map_err(|error| Stop::failed(&error))?;
    let context = app::compile_context(&config, Some(&catalog));
    Ok((config, context))
}

/// Reads a configuration and compiles its policy.
pub(super) fn load(path: &Path) -> Result<Loaded, Stop> {
    let (config, context) = context(path)?;
    let sources = policy::read(&config.policy).map_err(|error| Stop::failed(&error))?;
    let policy = policy::compile(&sources, &context).map_err(Stop::Findings)?;
    Ok(Loaded {
        samples: context.samples(),
        config,
        policy,
    })
}

/// The tools of a record.
pub(super) fn parse_record(source: &Source) -> Result<Vec<RecordedTool>, Stop> {
    let tools = catalog::parse_record(&source.text);
    tools.map_err(|error| Stop::Failed(format!("`{}`: {error}", source.name)))
}

/// The records of the servers that have one.
pub(super) fn records(config: &Config) -> Result<BTreeMap<String, Vec<RecordedTool>>, Stop> {
    let mut records = BTreeMap::new();
    for (server, path) in &config.tools_snapshots {
        let source = read(path)?;
        records.insert(server.clone(), parse_record(&source)?);
    }
    Ok(records)
}

/// The recorded tools of the servers that have a record.
pub(super) fn recorded_tools(config: &Config) -> Result<BTreeMap<String, Vec<String>>, Stop> {
    Ok(names(records(config)?))
}

/// The names of recorded tools.
pub(super) fn names(records: BTreeMap<String, Vec<RecordedTool>>) -> BTreeMap<String, Vec<String>> {
    let names = |tools: Vec<RecordedTool>| tools.into_iter().map(|tool| tool.name).collect();
    let records = records.into_iter();
    records
        .map(|(server, tools)| (server, names(tools)))
        .collect()
}
