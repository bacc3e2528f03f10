//! The upstream: what an MCP server learns from an allowed request, and what is kept from it.
//!
//! # An example
//!
//! Alice calls `create_issue` at the server `github`, and the call is allowed. Her client also sent
//! `x-mcp-authz-role: admin` and `x-envoy-max-retries: 9`. [`obligations`] says what Envoy changes:
//!
//! 1. It sets `x-mcp-authz-subject: alice`, `x-mcp-authz-server: github` and the others of [`OWN`],
//!    whatever the client sent under these names.
//! 2. It removes `x-mcp-authz-role`, because every header of that prefix is ours to write, and
//!    `x-envoy-max-retries`, because what was decided once is to run once.
//! 3. It removes `authorization`: the token was issued for this gate, not for the server. With
//!    [`AuthorizationHeader::Pass`] the server gets it.
//!
//! [`assign`] adds the headers that the policy sets.

mod headers;

pub use headers::{
    AUTHORIZATION, AuthorizationHeader, DPOP, Facts, OWN, OWN_PREFIX, Obligations, ROUTER_HEADERS,
    SET_MAX, assign, obligations, reads_as,
};
