//! mcp-authz: the policy decision point for the Model Context Protocol behind Envoy.

pub mod admin;
pub mod app;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod check;
pub mod cli;
pub mod config;
pub mod envoy;
pub mod health;
pub mod listen;
pub mod mcp;
pub mod policy;
pub mod telemetry;
pub mod upstream;
pub mod yaml;
