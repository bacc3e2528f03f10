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
//! | `compile` | joins the files and checks what spans several of them |
//! | `testing/` | reads and runs policy tests |
//! | `store`, `watch` | keep the policy in force, and replace it when its files change |
//! | `lint/`, `silence` | warn of valid policies that are probably mistakes |
//! | `issuers` | finds names that any of several issuers could have given |
//! | `matrix/` | computes who may call which tool |
//! | `difference/` | says whose access changes between two policies |

mod compile;
mod context;
pub mod difference;
mod document;
mod files;
mod issuers;
mod lint;
pub mod matrix;
mod silence;
mod store;
pub mod testing;
mod watch;

pub use compile::compile;
pub use context::CompileContext;
pub use files::{
    FoundPolicy, PolicyState, ReadPolicyError, is_policy_file, is_test_file, read, read_all,
    read_tests,
};
pub use issuers::Issuers;
pub use lint::{DeclaredArguments, LintContext, argument_servers, inner_servers, lint, scopes_of};
pub use silence::LINTS;
pub use store::{FailingPolicy, LoadPolicyError, PolicyStore, ReloadStatus};
pub use watch::watch;

#[cfg(test)]
mod tests;
