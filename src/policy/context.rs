//! What compiling a policy needs to know of the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use super::issuers::Issuers;
use super::testing::{SampleContext, ToolDefaults};
use crate::authz::{TrustedHints, UriForm};

/// What a policy is compiled against.
#[derive(Debug, Clone, PartialEq)]
pub struct CompileContext {
    /// The configured server names; without them, names are not checked.
    pub servers: Option<Vec<String>>,
    /// Whether there is a database of countries.
    pub has_countries: bool,
    /// The issuers, and which of them each server takes tokens of.
    pub issuers: Arc<Issuers>,
    /// The issuer of subjects in policy tests that do not name one.
    pub issuer: String,
    /// What trusted annotations say of recorded tools; also which servers' are trusted.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, where it is not as usual.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools, for policy tests.
    pub defaults: Arc<ToolDefaults>,
    /// How many rules a policy may have.
    pub rules_max: usize,
    /// How long an expression may be, in bytes.
    pub cel_bytes_max: usize,
}

impl Default for CompileContext {
    fn default() -> Self {
        CompileContext {
            servers: None,
            has_countries: true,
            issuers: Arc::default(),
            issuer: String::new(),
            hints: Arc::default(),
            uris: Arc::default(),
            defaults: Arc::default(),
            rules_max: 10_000,
            cel_bytes_max: 4 << 10,
        }
    }
}

impl CompileContext {
    /// What the requests of policy tests take for granted.
    #[must_use]
    pub fn samples(&self) -> SampleContext {
        SampleContext {
            servers: self.servers.clone(),
            issuer: self.issuer.clone(),
            hints: Arc::clone(&self.hints),
            uris: Arc::clone(&self.uris),
            defaults: Arc::clone(&self.defaults),
        }
    }
}
