//! The parts of the configuration that compiling a policy needs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::issuers::Issuers;
use super::testing::{IndirectTools, SampleContext, ToolDefaults};
use crate::authz::{ScopeNames, TrustedHints, UriForm};

/// What a policy is compiled against.
#[derive(Debug, Clone, PartialEq)]
pub struct CompileContext {
    /// The configured server names; without them, names are not checked.
    pub servers: Option<Vec<String>>,
    /// The servers that refuse tools that are not recorded.
    pub closed: Arc<BTreeSet<String>>,
    /// Whether a country database is configured.
    pub has_countries: bool,
    /// Whether a client can say a purpose.
    pub has_purposes: bool,
    /// Whether a token or a header can describe a device.
    pub has_devices: bool,
    /// The issuers, and which of them each server accepts.
    pub issuers: Arc<Issuers>,
    /// The issuer of subjects in policy tests that name none.
    pub issuer: String,
    /// The trusted annotations of recorded tools, and which servers' annotations are trusted.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, unless in the default form.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools, for policy tests.
    pub defaults: Arc<ToolDefaults>,
    /// The tools of servers that call other tools, for policy tests.
    pub indirect: Arc<IndirectTools>,
    /// How the scopes of a server's callers are advertised, by server and issuer, for policy tests.
    pub scope_names: Arc<HashMap<(String, String), ScopeNames>>,
    /// How many rules a policy may have.
    pub rules_max: usize,
    /// How long an expression may be, in bytes.
    pub cel_bytes_max: usize,
}

impl Default for CompileContext {
    fn default() -> Self {
        CompileContext {
            servers: None,
            closed: Arc::default(),
            has_countries: true,
            has_purposes: true,
            has_devices: true,
            issuers: Arc::default(),
            issuer: String::new(),
            hints: Arc::default(),
            uris: Arc::default(),
            defaults: Arc::default(),
            indirect: Arc::default(),
            scope_names: Arc::default(),
            rules_max: 10_000,
            cel_bytes_max: 4 << 10,
        }
    }
}

impl CompileContext {
    /// For each server, where nothing is known of it, the form in which every URI is evaluated.
    #[must_use]
    pub fn any_forms(&self) -> Arc<HashMap<String, UriForm>> {
        let servers = self.servers.iter().flatten();
        Arc::new(
            servers
                .map(|name| (name.clone(), UriForm::Opaque))
                .collect(),
        )
    }

    /// The defaults for the requests of policy tests.
    #[must_use]
    pub fn samples(&self) -> SampleContext {
        SampleContext {
            at: None,
            servers: self.servers.clone(),
            issuer: self.issuer.clone(),
            issuers: Arc::clone(&self.issuers),
            hints: Arc::clone(&self.hints),
            uris: Arc::clone(&self.uris),
            defaults: Arc::clone(&self.defaults),
            indirect: Arc::clone(&self.indirect),
            scope_names: Arc::clone(&self.scope_names),
            team: None,
        }
    }
}
