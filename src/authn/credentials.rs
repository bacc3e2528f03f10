//! What of a request proves who is calling.

use std::fmt;

use smallvec::SmallVec;

use super::AuthenticationError;
use super::bearer;

/// The credentials of one request. They are secrets, so they are never shown.
pub struct Credentials<'r> {
    /// The values of the first two `Authorization` headers, as sent: two are as wrong as more.
    authorization: SmallVec<[&'r str; 2]>,
    /// Whether the query string has an `access_token`.
    is_in_query: bool,
}

impl<'r> Credentials<'r> {
    /// Those of a request for `path` (`:path`, undecoded) with these values of its `Authorization`
    /// headers, one for each occurrence.
    #[must_use]
    pub fn new(path: &str, authorization: impl IntoIterator<Item = &'r str>) -> Self {
        Credentials {
            authorization: authorization.into_iter().take(2).collect(),
            is_in_query: bearer::is_in_query(path),
        }
    }

    /// The one bearer token.
    ///
    /// # Errors
    /// One for each way not to carry exactly one well-formed token of at most `bytes_max` bytes in
    /// the header.
    pub(super) fn bearer_token(&self, bytes_max: usize) -> Result<&'r str, AuthenticationError> {
        if self.is_in_query {
            return Err(AuthenticationError::TokenInQuery);
        }
        bearer::token(&self.authorization, bytes_max)
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_one_header_and_never_from_the_query() {
        let token = |path, values: &[&'static str]| {
            Credentials::new(path, values.iter().copied()).bearer_token(99)
        };
        let repeated = Err(AuthenticationError::RepeatedCredentials);
        assert_eq!(token("/mcp?a=b", &["Bearer x"]), Ok("x"));
        assert_eq!(token("/mcp", &[]), Err(AuthenticationError::MissingToken));
        assert_eq!(token("/mcp", &["Bearer x", "Bearer x"]), repeated);
        assert_eq!(token("/mcp", &["Bearer x", "", ""]), repeated);
        let in_query = Err(AuthenticationError::TokenInQuery);
        assert_eq!(token("/mcp?access_token=x", &["Bearer x"]), in_query);
        assert_eq!(token("/mcp?access_token=x", &[]), in_query);
    }

    #[test]
    fn credentials_are_not_shown() {
        let credentials = Credentials::new("/mcp", ["Bearer secret"]);
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
