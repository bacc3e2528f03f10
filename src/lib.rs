//! mcp-authz: the policy decision point for the Model Context Protocol behind Envoy.

pub mod audit;
pub mod authn;
pub mod authz;
pub mod check;
pub mod mcp;
pub mod policy;
pub mod upstream;
pub mod yaml;
