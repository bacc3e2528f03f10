//! Defaults and surroundings that the requests of policy tests share.

use std::collections::HashMap;
use std::sync::Arc;

use super::request::{IndirectTools, ToolDefaults};
use crate::authz::{ScopeNames, TrustedHints, UriForm};
use crate::policy::issuers::Issuers;

/// What sample requests may take for granted.
#[derive(Debug, Clone, Default)]
pub struct SampleContext {
    /// The configured server names; without them, names are not checked.
    pub servers: Option<Vec<String>>,
    /// The issuer of subjects that do not name one.
    pub issuer: String,
    /// The issuers that a subject may have; where none are known, their names are not checked.
    pub issuers: Arc<Issuers>,
    /// What trusted annotations say of recorded tools.
    pub hints: Arc<TrustedHints>,
    /// How servers read URIs, where it is not as usual.
    pub uris: Arc<HashMap<String, UriForm>>,
    /// The defaults of the arguments of recorded tools.
    pub defaults: Arc<ToolDefaults>,
    /// The tools of servers that call other tools.
    pub indirect: Arc<IndirectTools>,
    /// How scopes are advertised, by server and issuer.
    pub scope_names: Arc<HashMap<(String, String), ScopeNames>>,
}
