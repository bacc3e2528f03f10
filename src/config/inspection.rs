//! Reading a configuration file: all of it, or as much as can be read.

use std::path::{Path, PathBuf};

use super::reader::ConfigReader;
use super::settings::Config;
use crate::file::{self, ReadError};
use crate::yaml::{self, Findings, Node, Source};

/// The most bytes a configuration file may have.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ReadError,
    },
    /// The file is wrong.
    #[error("the configuration has {}", .0.total())]
    Invalid(Findings),
}

/// Reads the text of a configuration file; `-` is standard input. It may also be a pipe that the
/// shell made.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    file::read_input(path, FILE_BYTES_MAX).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads a configuration file as [`read`] does; paths in standard input are relative to the working
/// directory.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong in it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    decode_file(path, read(path)?)
}

/// Decodes what was read of a configuration file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn decode_file(path: &Path, text: String) -> Result<Config, ConfigError> {
    let base = path.parent().unwrap_or(Path::new(""));
    decode(path.display().to_string(), text, base).map_err(ConfigError::Invalid)
}

/// Decodes the text of a configuration. Paths in it are relative to `base`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn decode(name: String, text: String, base: &Path) -> Result<Config, Findings> {
    let inspection = inspect(name, text, base);
    inspection.config.ok_or(inspection.findings)
}

/// What a configuration file says, as far as it can be told, and everything that is wrong.
#[derive(Debug)]
pub struct Inspection {
    /// The configuration, if nothing is wrong.
    pub config: Option<Config>,
    /// What could be read of it if something is wrong, with every issuer and server; what is wrong
    /// has its default. It tells what a policy may name, and nothing is to be run by it.
    pub readable: Option<Config>,
    /// What is wrong.
    pub findings: Findings,
    /// Where the policy is, even if something else is wrong.
    pub policy: Option<PathBuf>,
    /// The names of the servers, if all of them could be read.
    pub servers: Option<Vec<String>>,
    /// The file as a tree, if it is one; its places are those of `findings`.
    pub tree: Option<Node>,
}

/// Reads as much of a configuration as can be read, to check what it points to as well.
#[must_use]
pub fn inspect(name: String, text: String, base: &Path) -> Inspection {
    let mut findings = Findings::new();
    let source = findings.add_source(Source { name, text });
    let tree = yaml::parse(source, &mut findings);
    let read = tree
        .as_ref()
        .and_then(|root| ConfigReader { base }.config(root, &mut findings));
    let (config, readable) = if findings.has_errors() {
        (None, read)
    } else {
        (read, None)
    };
    let issuers = tree.as_ref().and_then(|root| root.member("issuers"));
    let issuers = issuers.map_or(0, |node| node.items().len());
    let readable = readable.filter(|read| read.authn.issuers.len() == issuers);
    let text_of = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let root = tree.as_ref();
    let policy = text_of(root.and_then(|root| root.member("policy")));
    let servers = root.and_then(|root| root.member("servers"));
    let names = servers.map(|list| list.items().iter().map(|one| text_of(one.member("name"))));
    Inspection {
        config,
        readable,
        findings,
        policy: policy
            .filter(|path| !path.is_empty())
            .map(|path| base.join(path)),
        servers: names.and_then(Iterator::collect),
        tree,
    }
}

impl Inspection {
    /// The names that a policy may use, as far as they are known.
    #[must_use]
    pub fn known(&self) -> Option<&Config> {
        self.config.as_ref().or(self.readable.as_ref())
    }
}

#[cfg(test)]
mod tests;
