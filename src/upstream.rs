//! What the upstream learns from an allowed request, and what is kept from it.

mod headers;
mod text;

pub use headers::{
    AUTHORIZATION, AuthorizationHeader, DPOP, Facts, OWN, OWN_PREFIX, Obligations, ROUTER_HEADERS,
    SET_MAX, assign, obligations, reads_as,
};
pub use text::Text;
