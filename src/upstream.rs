//! What the upstream learns from an allowed request, and what is kept from it.

mod headers;

pub use headers::{
    AuthorizationHeader, Facts, OWN_PREFIX, Obligations, assign, obligations, reads_as,
};
