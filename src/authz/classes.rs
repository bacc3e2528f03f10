//! Risk classes of tools: from the tables of a policy, or from the annotations of the server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::glob::Glob;

/// The class of a tool that no table puts into a class.
pub const UNCLASSIFIED: &str = "unclassified";

/// The risk classes of one server's tools.
#[derive(Debug, Clone, Default)]
pub struct ToolClasses {
    exact: HashMap<Arc<str>, Arc<str>>,
    patterns: Vec<(Glob, Arc<str>)>,
    names: HashSet<Arc<str>>,
}

impl ToolClasses {
    /// Puts the tools that match a pattern into a class. An exact name wins over patterns; the
    /// caller must refuse overlapping patterns of two classes.
    pub fn insert(&mut self, pattern: Glob, class: &Arc<str>) {
        self.names.insert(Arc::clone(class));
        match pattern.exact() {
            Some(name) => {
                self.exact.insert(Arc::clone(name), Arc::clone(class));
            }
            None => self.patterns.push((pattern, Arc::clone(class))),
        }
    }

    /// The tools that are named exactly, with their classes.
    pub fn exact(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.exact.iter()
    }

    /// The patterns with their classes.
    pub fn patterns(&self) -> impl Iterator<Item = (&Glob, &Arc<str>)> {
        self.patterns
            .iter()
            .map(|(pattern, class)| (pattern, class))
    }

    /// Whether the table names the tool exactly, not only through a pattern.
    pub(super) fn names(&self, tool: &str) -> bool {
        self.exact.contains_key(tool)
    }

    /// Whether the table has the class.
    pub(super) fn has_class(&self, class: &Arc<str>) -> bool {
        self.names.contains(class)
    }

    /// The class of a tool, if it is in one.
    #[must_use]
    pub fn class(&self, tool: &str) -> Option<&Arc<str>> {
        self.exact.get(tool).or_else(|| {
            let found = self
                .patterns
                .iter()
                .find(|(pattern, _)| pattern.matches(tool));
            found.map(|(_, class)| class)
        })
    }
}

/// What a server's tool annotations tell about the class of the requested tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hints {
    /// Nothing: a tool in no table is `unclassified`.
    #[default]
    Untrusted,
    /// A tool in no table is in this class. With `None` the annotations are unknown, so its class
    /// is unknown too, and selectors over it cannot be evaluated.
    Trusted(Option<HintedClass>),
}

/// The classes that annotations can put a tool into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HintedClass {
    /// It only reads.
    Read,
    /// It changes something but destroys nothing.
    Write,
    /// It may destroy something.
    Destructive,
}

impl HintedClass {
    /// Every class, from harmless to harmful.
    pub const ALL: [HintedClass; 3] = [
        HintedClass::Read,
        HintedClass::Write,
        HintedClass::Destructive,
    ];

    /// The class for two hints. The destructive hint has a meaning only for tools that change
    /// something.
    #[must_use]
    pub fn of(read_only: bool, destructive: bool) -> Self {
        match (read_only, destructive) {
            (true, _) => HintedClass::Read,
            (false, false) => HintedClass::Write,
            (false, true) => HintedClass::Destructive,
        }
    }

    /// The name of the class in a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HintedClass::Read => "read",
            HintedClass::Write => "write",
            HintedClass::Destructive => "destructive",
        }
    }
}

/// The classes from annotations of recorded tools, by server. Only servers with trusted annotations
/// are present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedHints(HashMap<String, HashMap<String, HintedClass>>);

impl TrustedHints {
    /// Trusts a server, with the classes of its recorded tools.
    pub fn insert(&mut self, server: &str, tools: HashMap<String, HintedClass>) {
        self.0.insert(server.to_owned(), tools);
    }

    /// Adds the class of a tool that has none yet, if its server is trusted.
    pub fn add(&mut self, server: &str, tool: &str, class: HintedClass) {
        if let Some(tools) = self.0.get_mut(server) {
            tools.entry(tool.to_owned()).or_insert(class);
        }
    }

    /// Whether the annotations of a server are trusted.
    #[must_use]
    pub fn trusts(&self, server: &str) -> bool {
        self.0.contains_key(server)
    }

    /// The servers whose annotations are trusted.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The hints for a tool.
    #[must_use]
    pub fn of(&self, server: &str, tool: &str) -> Hints {
        self.0.get(server).map_or(Hints::Untrusted, |tools| {
            Hints::Trusted(tools.get(tool).copied())
        })
    }
}
