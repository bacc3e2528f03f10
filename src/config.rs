//! The configuration file: read as a whole, every mistake reported at once.
//!
//! ```
//! use std::path::Path;
//!
//! let text = "
//! listen: 127.0.0.1:9001
//! issuers: [{issuer: https://idp.example.com}]
//! servers: [{name: notes, resource: https://mcp.example.com/mcp}]
//! policy: policy.yaml
//! ";
//! let read = |text: &str| {
//!     let name = "mcp-authz.yaml".to_owned();
//!     mcp_authz::config::decode(name, text.to_owned(), Path::new("/etc/mcp-authz"))
//! };
//!
//! let config = read(text).unwrap();
//! assert_eq!(config.policy, Path::new("/etc/mcp-authz/policy.yaml"));
//! assert_eq!(config.effective()["servers"][0]["deny"]["shape"], "tool_error");
//!
//! let findings = read(&text.replace("policy:", "polices:")).unwrap_err();
//! assert_eq!(
//!     findings.to_lines(),
//!     [
//!         "mcp-authz.yaml:2:1: error: `policy` is missing",
//!         "mcp-authz.yaml:5:1: error: unknown key `polices` (did you mean `policy`?)",
//!     ]
//! );
//! ```
//!
//! The room composes each module's settings and is, with `policy/document/`, the only place that
//! knows YAML keys. Trust anchors live here and rules do not: who may edit the policy cannot add an
//! issuer.
//!
//! | file | what it does |
//! |---|---|
//! | `inspection` | reads the file |
//! | `document` | knows the keys at the top, and reads them by the sections below |
//! | `listen`, `issuers`, `servers`, `context`, `fetch`, `telemetry`, `limits` | each read a section |
//! | `indirect` | reads a part of `servers` |
//! | `token_place` | reads where a server's tokens are |
//! | `words` | has the words of enums, for reading and printing |
//! | `settings` | what comes out |
//! | `effective` | prints what is in force, defaults filled in |
//! | `fixed`, `change` | compare a configuration with the one in force |
//! | `lint`, `silence` | warn of what can be said and probably should not |

mod change;
mod claims;
mod context;
mod document;
mod effective;
mod fetch;
mod fixed;
mod indirect;
mod inspection;
mod issuers;
mod limits;
mod lint;
mod listen;
mod reader;
mod scope_names;
mod servers;
mod settings;
mod silence;
mod telemetry;
mod token_place;
mod words;

pub use change::{ConfigChange, NamesChange};
pub use inspection::{ConfigError, Inspection, decode, decode_file, inspect, load, read};
pub use lint::{PolicyUsage, RecordedNames, lint};
pub use settings::{Config, Drain, LimitSettings};
pub use silence::{ISSUER_LINTS, LINTS, UNKNOWN_CLAIM, UNREAD_POLICY, UNUSABLE_KEY};
