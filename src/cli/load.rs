//! Loads the files that commands work on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::outcome::{FINDINGS, Stop, error_line, note, warn};
use crate::app;
use crate::authz::Policy;
use crate::catalog::{self, Catalog, RecordedTool};
use crate::config::{self, Config};
use crate::file;
use crate::policy::difference::{RuleTexts, Surroundings, rule_texts};
use crate::policy::testing::{SampleContext, Suite};
use crate::policy::{
    self, CompileContext, Layer, Owner, PolicyPlaces, ReadPolicyError, TeamSettings,
};
use crate::yaml::{Findings, Source};

/// The most bytes of a file that is read into memory.
const BYTES_MAX: u64 = 64 << 20;

/// A configuration and its policy, both valid but for what is denied.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) policy: Policy,
    /// Where the policy is.
    pub(super) places: PolicyPlaces,
    pub(super) samples: SampleContext,
    /// The teams whose servers deny everything, because their files cannot be used.
    pub(super) denied: BTreeSet<String>,
}

impl Loaded {
    /// The exit status of a command that has a result: it is not the whole one without a team.
    pub(super) fn status(&self, status: u8) -> u8 {
        if self.denied.is_empty() {
            status
        } else {
            FINDINGS
        }
    }

    /// Whether a server is one of a team whose files cannot be used.
    pub(super) fn is_denied(&self, server: &str) -> bool {
        let mut teams = self.places.teams.iter();
        teams.any(|team| self.denied.contains(&team.name) && team.has(server))
    }
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

/// Which policy of a configuration a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one in force.
    Enforced,
    /// The candidate.
    Candidate,
}

impl Which {
    pub(super) fn of(candidate: bool) -> Self {
        if candidate {
            Which::Candidate
        } else {
            Which::Enforced
        }
    }
}

/// Reads a moment of the command line.
pub(super) fn read_moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write a date, a time and an offset (RFC 3339), as 2026-12-01T09:00:00Z or \
         2026-12-01T10:00:00+01:00"
            .to_owned()
    })
}

/// The moment that a command judges at: the one that is asked for, or now to the second.
pub(super) fn moment(at: Option<Timestamp>) -> Timestamp {
    let now = app::now();
    at.unwrap_or_else(|| Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// Reads a configuration, and what policies are compiled against.
pub(super) fn context(path: &Path) -> Result<(Config, CompileContext), Stop> {
    context_of(read(path)?, base(path))
}

/// The same of the text of a configuration.
pub(super) fn context_of(source: Source, base: &Path) -> Result<(Config, CompileContext), Stop> {
    let config = config::decode(source.name, source.text, base).map_err(Stop::Findings)?;
    let catalog = Catalog::open(
        config.watched_servers(),
        config.catalog_limits(),
        app::now(),
    );
    let catalog = catalog.map_err(|error| Stop::failed(&error))?;
    let context = app::compile_context(&config, Some(&catalog));
    Ok((config, context))
}

/// Where a policy of a configuration is.
pub(super) fn places(config: &Config, which: Which) -> Result<PolicyPlaces, Stop> {
    match which {
        Which::Enforced => Ok(config.policy_places()),
        Which::Candidate => config.candidate_places().ok_or_else(|| {
            let message = "the configuration has no `candidate_policy`";
            Stop::Failed(message.to_owned())
        }),
    }
}

/// Reads a configuration and compiles one of its policies.
pub(super) fn load(path: &Path, which: Which) -> Result<Loaded, Stop> {
    let (config, context) = context(path)?;
    let places = places(&config, which)?;
    let mut files = PolicyTexts::read(&places, policy::read_of)?;
    let Compiled { policy, broken } = files.compile(&context).map_err(Stop::Findings)?;
    files.tell(&broken);
    Ok(Loaded {
        denied: files.denied,
        samples: context.samples(),
        places,
        config,
        policy,
    })
}

/// Compiles these global files beside the files of the teams.
pub(super) fn compile_beside(
    global: Vec<Source>,
    places: &PolicyPlaces,
    context: &CompileContext,
) -> Result<(Compiled, PolicyTexts), Stop> {
    let mut texts = PolicyTexts::beside(global, places, policy::read_of);
    let compiled = texts.compile(context).map_err(Stop::Findings)?;
    Ok((compiled, texts))
}

/// What is known of the servers besides a policy.
pub(super) fn surroundings(
    config: &Config,
    context: &CompileContext,
) -> Result<Surroundings, Stop> {
    Ok(Surroundings {
        servers: context.servers.clone(),
        recorded: recorded_tools(config)?,
        closed: BTreeSet::clone(&context.closed),
        hints: Arc::clone(&context.hints),
        uris: Arc::clone(&context.uris),
        defaults: Arc::clone(&context.defaults),
        indirect: Arc::clone(&context.indirect),
    })
}

/// Reads the files of an owner: [`policy::read_of`] or [`policy::read_tests_of`].
type Reader = fn(Owner, &Path) -> Result<Vec<Source>, ReadPolicyError>;

/// The files of a policy or its tests, by owner.
#[derive(Debug)]
pub(super) struct PolicyTexts {
    global: Vec<Source>,
    teams: Vec<(TeamSettings, Vec<Source>)>,
    /// The teams whose files cannot be read, and why.
    pub(super) unread: Vec<(String, String)>,
    /// The teams whose files cannot be used, for this reason or another.
    pub(super) denied: BTreeSet<String>,
}

/// A policy without the teams whose files are broken.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) policy: Policy,
    /// What is wrong with the files of teams.
    pub(super) broken: Findings,
}

impl PolicyTexts {
    /// Reads them.
    pub(super) fn read(places: &PolicyPlaces, read: Reader) -> Result<Self, Stop> {
        let global = read(Owner::Operator, &places.path).map_err(|error| Stop::failed(&error))?;
        Ok(Self::beside(global, places, read))
    }

    /// These global files, and the files of the teams. One team's that cannot be read are that team's
    /// fault alone, as in the service.
    pub(super) fn beside(global: Vec<Source>, places: &PolicyPlaces, read: Reader) -> Self {
        let mut texts = PolicyTexts {
            global,
            teams: Vec::new(),
            unread: Vec::new(),
            denied: BTreeSet::new(),
        };
        for team in &places.teams {
            let files = read(Owner::Team, &team.files).unwrap_or_else(|error| {
                texts.unread.push((team.name.clone(), error_line(&error)));
                texts.denied.insert(team.name.clone());
                Vec::new()
            });
            texts.teams.push((team.clone(), files));
        }
        texts
    }

    /// Compiles the policy. The servers of teams with broken files deny everything.
    ///
    /// # Errors
    /// What is wrong with all files, if something is wrong with the global ones.
    pub(super) fn compile(&mut self, context: &CompileContext) -> Result<Compiled, Findings> {
        let mut broken = Findings::new();
        loop {
            let findings = match policy::compile_layers(&self.layers(), context) {
                Ok(policy) => return Ok(Compiled { policy, broken }),
                Err(findings) => findings,
            };
            let before = self.denied.len();
            for (team, _) in &self.teams {
                let own = findings.of(Some(team));
                if own.has_errors() {
                    broken.absorb(own);
                    self.denied.insert(team.name.clone());
                }
            }
            if self.denied.len() == before {
                broken.absorb(findings.into_findings());
                return Err(broken);
            }
        }
    }

    /// Warns of the teams whose files cannot be used.
    pub(super) fn tell(&self, broken: &Findings) {
        warn(broken);
        for (team, why) in &self.unread {
            note(&format!("team `{team}`: {why}"));
        }
        for team in &self.denied {
            note(&format!(
                "warning: the files of the team `{team}` cannot be used, so its servers deny everything \
                 here"
            ));
        }
    }

    /// Calls each file by another name.
    pub(super) fn rename(&mut self, rename: &dyn Fn(&str) -> String) {
        let teams = self.teams.iter_mut().flat_map(|(_, files)| files);
        for file in self.global.iter_mut().chain(teams) {
            file.name = rename(&file.name);
        }
    }

    /// The rules as they are written, by the ids that they have in force.
    pub(super) fn rules(&self) -> RuleTexts {
        let mut texts = rule_texts(&self.global);
        for (team, files) in &self.teams {
            let own = rule_texts(files).into_iter();
            texts.extend(own.map(|(id, text)| (format!("{}/{id}", team.name), text)));
        }
        texts
    }

    /// Files that were named: each is of the team that has it, and else of the operator.
    pub(super) fn named(files: Vec<Source>, known: Option<PolicyTexts>) -> Self {
        let mut named = PolicyTexts {
            global: files,
            teams: known.map_or_else(Vec::new, |known| known.teams),
            unread: Vec::new(),
            denied: BTreeSet::new(),
        };
        for (_, own) in &mut named.teams {
            let has = |file: &mut Source| own.iter().any(|own| own.name == file.name);
            let found = named.global.extract_if(.., has).collect();
            *own = found;
        }
        named
    }

    /// The layers of the policy or of its tests.
    pub(super) fn layers(&self) -> Vec<Layer<'_>> {
        let teams = self.teams.iter().map(|(team, files)| {
            if !self.denied.contains(&team.name) {
                return Layer::of_team(team, Some(files));
            }
            let is_read = self.unread.iter().all(|(unread, _)| *unread != team.name);
            Layer::denied(team, is_read.then_some(files))
        });
        std::iter::once(Layer::global(&self.global))
            .chain(teams)
            .collect()
    }

    /// The tests in these files, without those of teams that have no usable rules or whose tests are
    /// broken: what is wrong with the latter.
    ///
    /// # Errors
    /// What is wrong with the global tests.
    pub(super) fn suite(
        &mut self,
        denied: &BTreeSet<String>,
        samples: &SampleContext,
    ) -> Result<(Suite, Findings), Findings> {
        self.denied.extend(denied.iter().cloned());
        let mut broken = Findings::new();
        let mut wrong = BTreeSet::new();
        for layer in self.layers() {
            let Some(team) = layer.team else { continue };
            if let Err(own) = Suite::read_layers(&[layer], samples) {
                broken.absorb(own);
                wrong.insert(team.name.clone());
            }
        }
        self.denied.extend(wrong);
        let suite = Suite::read_layers(&self.layers(), samples)?;
        Ok((suite, broken))
    }
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
