//! The upstream: what an MCP server learns from an allowed request, and what is kept from it.
//!
//! # An example
//!
//! Alice calls `create_issue` at the server `github`, and the call is allowed. Her client also sent
//! `x-mcp-authz-role: admin` and `x-envoy-max-retries: 9`. [`prepare`] says what Envoy changes:
//!
//! 1. It sets `x-mcp-authz-subject: alice`, `x-mcp-authz-server: github` and the others of [`OWN`],
//!    whatever the client sent under these names.
//! 2. It removes `x-mcp-authz-role`, because every header of that prefix is ours to write, and
//!    `x-envoy-max-retries`, because what was decided once is to run once.
//! 3. It removes `authorization`: the token was issued for this gate, not for the server. With
//!    [`AuthorizationHeader::Pass`] the server gets it.
//!
//! [`assign`] adds the headers that the policy sets.
//!
//! What [`prepare`] needs may be elsewhere, so it may wait for the network. Today it never does: the
//! changes above follow from the request, and its future is ready at once.

mod headers;

pub use headers::{
    AUTHORIZATION, AuthorizationHeader, DPOP, Facts, OWN, OWN_PREFIX, Obligations, ROUTER_HEADERS,
    SET_MAX, assign, reads_as,
};

/// Why an allowed request cannot be made ready for the upstream. Nothing today; what has to be
/// fetched from elsewhere may not come, and each way not to come is a variant of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamFault {}

/// What the upstream gets with an allowed request with these header names (in lower case).
///
/// May be dropped at any time.
///
/// # Errors
/// [`UpstreamFault`]: the request must not be forwarded.
#[expect(
    clippy::unused_async,
    reason = "what the upstream gets may have to be fetched"
)]
pub async fn prepare<'h>(
    facts: Facts<'_>,
    authorization: AuthorizationHeader,
    headers: impl Iterator<Item = &'h str>,
) -> Result<Obligations, UpstreamFault> {
    Ok(headers::obligations(facts, authorization, headers))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::authz::{Subject, UnknownFacts, Value};

    /// A check waits for nothing that is there already.
    #[test]
    fn what_needs_no_network_is_ready_at_once() {
        let subject = Subject {
            issuer: "https://idp.example".into(),
            id: "alice".into(),
            agent: None,
            groups: Vec::new(),
            roles: Vec::new(),
            scopes: Vec::new(),
            tenant: None,
            device: None,
            claims: Value::Null,
            unknown: UnknownFacts::default(),
        };
        let server = Arc::from("github");
        let facts = Facts {
            subject: &subject,
            server: &server,
            method: None,
            name: None,
            decision_id: "1".into(),
        };
        let prepared = pin!(prepare(
            facts,
            AuthorizationHeader::Remove,
            std::iter::empty()
        ));
        let Poll::Ready(Ok(obligations)) = prepared.poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("it waits");
        };
        assert!(!obligations.set.is_empty());
    }
}
