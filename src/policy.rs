//! The policy: files are read, compiled and tested, and replace the policy in force as a whole.
//!
//! ```
//! use mcp_authz::policy::{CompileContext, compile};
//! use mcp_authz::yaml::Source;
//!
//! let source = |text: &str| Source {
//!     name: "policy.yaml".to_owned(),
//!     text: text.to_owned(),
//! };
//! let context = CompileContext {
//!     servers: Some(vec!["github".to_owned()]),
//!     ..CompileContext::default()
//! };
//!
//! let good = "rules: [{id: a, effect: deny, what: {servers: [github]}}]";
//! assert_eq!(compile(&[source(good)], &context).unwrap().rules().len(), 1);
//!
//! let wrong = "rules: [{id: a, effect: deny, what: {servers: [gitub]}}]";
//! let findings = compile(&[source(wrong)], &context).unwrap_err();
//! assert_eq!(
//!     findings.to_lines(),
//!     ["policy.yaml:1:48: error: unknown server `gitub` (did you mean `github`?)"]
//! );
//! ```
//!
//! Each check takes one [`PolicyStore::snapshot`] and keeps it, so no request sees two policies. An
//! unusable file changes nothing: the last good policy stays in force, and [`ReloadStatus`] reports
//! since when and why.
//!
//! | file | what it does |
//! |---|---|
//! | `files` | finds and reads the files |
//! | `document/` | reads one file's YAML: the keys of a rule, block by block |
//! | `teams`, `reach` | what is delegated to a team, and what of its files reaches beyond |
//! | `layer`, `compile` | joins the files of all owners and checks what spans several of them |
//! | `testing/` | reads and runs policy tests |
//! | `good` | what was in force, and under which grant |
//! | `found`, `settle` | decide what comes into force of what was found, and whose fault the rest is |
//! | `store`, `watch` | keep the policy in force, and replace it when its files change |
//! | `last_good` | keeps it on disk for a start with files that cannot be used |
//! | `lint/`, `silence` | warn of valid policies that are probably mistakes |
//! | `issuers` | finds names that any of several issuers could have given |
//! | `matrix/` | computes who may call which tool |
//! | `difference/` | says whose access changes between two policies |

mod blocks;
mod compile;
mod context;
pub mod difference;
mod document;
mod files;
mod found;
mod good;
mod issuers;
mod last_good;
mod layer;
mod lint;
mod load_error;
pub mod matrix;
mod reach;
mod settle;
mod silence;
mod store;
mod teams;
pub mod testing;
mod watch;

pub use compile::{compile, compile_layers};
pub use context::CompileContext;
pub use files::{
    Owner, ReadPolicyError, is_policy_file, is_test_file, read, read_all, read_of, read_tests,
    read_tests_of, unread,
};
pub use found::{FoundPolicy, PolicyState};
pub use issuers::Issuers;
pub use layer::{Layer, LayerFindings};
pub use lint::{
    ClaimSample, DeclaredArguments, IssuerClaims, LintContext, argument_servers, inner_servers,
    lint, lint_layers, pattern_servers, required_paths, scopes_of,
};
pub use load_error::LoadPolicyError;
pub use silence::{ISSUER_LINTS, LINTS, SERVER_LINTS};
pub use store::{FailingPolicy, LastGoodStatus, PolicyStore, ReloadStatus, TeamStatus};
pub use teams::{LastGoodSettings, OnError, PolicyPlaces, TeamEffect, TeamSettings, TeamState};
pub use watch::{report_replaced, watch};

#[cfg(test)]
mod tests;
